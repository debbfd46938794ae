"""Standardising that one wild value cannot spoil."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data


class ClippedScaler(TransformerMixin, BaseEstimator):
    r"""Clip each column around its median, then scale it to zero mean and unit variance; missing stays missing.

    .. math:: z = \frac{c - \bar c}{s_c}, \qquad c = \min(\max(d, -k), k), \qquad d = \frac{x - \mathrm{median}}{\mathrm{MAD}}

    MAD is the median absolute deviation. Where more than half of the values are equal it would be zero; then it is the
    median of the deviations that are not zero, so that a rare binary column keeps its two values.

    Parameters
    ----------
    clip : float, default=5.0
        Median absolute deviations beyond which a value counts as lying at the limit.

    Attributes
    ----------
    median_, deviation_ : ndarray of shape (n_features,)
        Median and median absolute deviation of the training rows.
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of the clipped values, in units of `deviation_`.
    varies_ : ndarray of bool, shape (n_features,)
        False for a column that is constant or not measured in training; it is 0 everywhere.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the columns have names.

    Examples
    --------
    >>> ClippedScaler().fit_transform([[1.0], [2.0], [3.0], [1e6]]).round(2).ravel().tolist()
    [-0.96, -0.55, -0.15, 1.66]
    """

    def __init__(self, *, clip: float = 5.0):
        self.clip = clip

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> ClippedScaler:
        """Learn medians, deviations, means and scales.

        Parameters
        ----------
        X : array or DataFrame of shape (n, n_features)
            Numbers; NaN where a value is missing.
        y : ignored
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self.median_ = np.array([weighted_median(column, weights) for column in X.T])
        self.deviation_ = np.array(
            [_deviation(column, middle, weights) for column, middle in zip(X.T, self.median_, strict=True)]
        )
        self.varies_ = self.deviation_ > 0
        self.deviation_ = np.where(self.varies_, self.deviation_, 1.0)
        clipped = self._clipped(X)
        measured = np.where(np.isnan(clipped), 0.0, weights[:, None])
        total = np.maximum(measured.sum(axis=0), np.finfo(float).tiny)
        filled = np.nan_to_num(clipped)
        self.mean_ = (measured * filled).sum(axis=0) / total
        self.scale_ = np.sqrt((measured * (filled - self.mean_) ** 2).sum(axis=0) / total)
        self.varies_ &= self.scale_ > 0
        self.scale_ = np.where(self.varies_, self.scale_, 1.0)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the clipped and standardised values.

        Parameters
        ----------
        X : array or DataFrame of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, n_features)
            NaN where a value is missing, 0 in columns that did not vary in training.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return np.where(self.varies_, (self._clipped(X) - self.mean_) / self.scale_, 0.0)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the column names unchanged."""
        names = getattr(self, "feature_names_in_", input_features)
        return np.asarray([f"x{k}" for k in range(self.n_features_in_)] if names is None else names, dtype=object)

    def _clipped(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.clip((X - np.nan_to_num(self.median_)) / self.deviation_, -self.clip, self.clip)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the median of the values that are not missing, each counted `weights` times; NaN if there is none.

    Examples
    --------
    >>> weighted_median(np.array([1.0, 5.0, 3.0, np.nan]), np.array([1, 2, 1, 9]))
    4.0
    """
    counted = ~np.isnan(values) & (weights > 0)
    if not counted.any():
        return float("nan")
    order = np.argsort(values[counted], kind="stable")
    ordered, below = values[counted][order], np.cumsum(weights[counted][order])
    # Sums of weights that are not whole numbers miss the half by rounding.
    half, slack = below[-1] / 2, below[-1] * 1e-12
    low, high = np.searchsorted(below, [half - slack, half + slack])
    return float(ordered[low] / 2 + ordered[min(high, len(ordered) - 1)] / 2)


def _deviation(values: np.ndarray, middle: float, weights: np.ndarray) -> float:
    """Return the median absolute deviation, of those that are not zero where more than half are; 0 if all are."""
    with np.errstate(over="ignore"):
        distance = np.abs(values - middle)
    # Differences at the level of rounding are no variation: a constant column of 0.1 + 0.2 against 0.3.
    distance = np.where(distance <= 1e-13 * abs(middle), 0.0, np.minimum(distance, np.finfo(float).max))
    found = weighted_median(distance, weights)
    if found == 0:
        found = weighted_median(np.where(distance > 0, distance, np.nan), weights)
    return 0.0 if np.isnan(found) else found
