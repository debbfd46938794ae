"""Ridge Cox regression of the time to progression, on a table of numbers."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from prrt_estimators._classes import check_same_order
from prrt_estimators._forms import plain_form
from prrt_estimators._pandas_tables import check_column_order
from prrt_estimators.estimators._directions import match_directions
from prrt_estimators.estimators._learnable import check_learnable
from prrt_estimators.estimators._ridge_cox import MIN_EVENTS, RidgeCox
from prrt_estimators.estimators._survival_base import ProportionalHazards
from prrt_estimators.preprocessing import ClippedScaler


class RidgeCoxSurvival(RidgeCox, ProportionalHazards):
    """Learns risks and baseline from prepared numbers; `clip`, `prior`, `tracer` and `strength` are parameters."""

    prior: Any
    tracer: Any

    def _fit_numbers(
        self, numbers: np.ndarray, names: Any, survival: np.ndarray, weights: np.ndarray, clip: float
    ) -> None:
        """Learn scales, coefficients and baseline; NaN where a value is missing."""
        self.n_events_ = float(weights @ survival["event"])
        self.scaler_ = ClippedScaler(clip=clip).fit(numbers, sample_weight=weights)
        Z = np.nan_to_num(self.scaler_.transform(numbers))
        known = match_directions(names, self.prior, self.tracer)
        known = known[self.scaler_.varies_[known["position"].to_numpy(dtype=int)]].reset_index(drop=True)
        places = known["position"].to_numpy(dtype=int)
        direction = np.zeros(Z.shape[1])
        direction[places] = known["direction"].to_numpy(dtype=float)
        if self.n_events_ < MIN_EVENTS:
            self._warn_few(bool(direction.any()))
        self._learn_hazard(Z, weights, direction, survival["time"], survival["event"], sign=1.0)
        self._keep_baseline(survival, Z @ self.coef_, weights)
        known["contradicted"] = self.coef_without_prior_[places] * known["direction"].to_numpy(dtype=float) > 0
        self.directions_ = known.drop(columns="position")

    def _risk(self, numbers: np.ndarray) -> np.ndarray:
        return np.nan_to_num(self.scaler_.transform(numbers)) @ self.coef_


class CoxPFSSurvival(RidgeCoxSurvival):
    r"""Predict the time to progression from a table of numbers by ridge Cox regression, averaged over strengths.

    The learner of the recommended classifier without its horizon: :math:`h(t \mid x) = h_0(t) \exp(w^\top z)` with
    standardised columns :math:`z`, a Gaussian prior of the coefficients, its strengths averaged by evidence (see
    `CoxPFSClassifier`), and Breslow's :math:`h_0`. A value that is missing adds nothing.

    Parameters
    ----------
    prior : "published", DataFrame, mapping or None, default=None
        Which way columns point before the data are seen, see `CoxPFSClassifier`.
    tracer : str, default=None
        What the PET shows, e.g. ``"68Ga-DOTATATE"`` or ``"FDG"``.
    strength : "evidence" or float, default="evidence"
        Precision of the coefficients; a number fixes it. Larger shrinks more.
    clip : float, default=5.0
        Median absolute deviations from the median beyond which a value counts as lying at the limit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Effect on the log hazard per standard deviation of the clipped values; positive is worse.
    prior_coef_, coef_without_prior_ : ndarray of shape (n_features,)
        The part of it that the directions gave; the coefficients of the model that uses none.
    directions_ : DataFrame
        Published directions used, and whether the data alone point the other way.
    prior_share_, strength_ : float
        Posterior probability that the directions help; mean precision.
    n_events_ : float
        Sum of weights of patients who progressed.
    unique_times_ : ndarray of shape (m,)
        Times of progressions in training, months.
    baseline_times_, baseline_hazard_ : ndarray of shape (m,)
        Cumulative baseline hazard.
    censoring_ : dict
        ``time`` and ``survival``: the Kaplan-Meier curve of not being censored, for scores.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the columns have names.

    Raises
    ------
    TypeError, ValueError
        If y does not hold times, or nobody progressed.

    Warns
    -----
    FewEventsWarning
        If fewer than 10 patients progressed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(90, 2)), columns=["cga", "noise"])
    >>> months, limit = 16 * np.exp(-X["cga"]) * rng.exponential(size=90), rng.uniform(5, 40, 90)
    >>> y = {"event": months <= limit, "time": np.minimum(months, limit)}
    >>> model = CoxPFSSurvival().fit(X, y)
    >>> model.coef_.round(1) + 0.0, model.predict_survival_function(X.head(2), [12.0, 24.0]).shape
    (array([0.9, 0. ]), (2, 2))
    """

    _parameter_constraints: ClassVar[dict] = {
        "prior": [str, pd.DataFrame, dict, None],
        "tracer": [str, None],
        "strength": [StrOptions({"evidence"}), Interval(Real, 0, None, closed="neither")],
        "clip": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, *, prior: Any = None, tracer: str | None = None, strength: Any = "evidence", clip: float = 5.0):
        self.prior = prior
        self.tracer = tracer
        self.strength = strength
        self.clip = clip

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CoxPFSSurvival:
        """Learn scales, coefficients and baseline hazard from the training rows.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, DataFrame or array of shape (n, n_features)
            Numbers; NaN where a value is missing.
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        check_same_order(X, y, ("X", "y"))
        numbers = validate_data(self, self._numbers(X, training=True), dtype=np.float64, ensure_all_finite="allow-nan")
        survival = self._check_target(numbers, y)
        weights = _check_sample_weight(sample_weight, numbers, ensure_non_negative=True)
        if not survival["event"][weights > 0].any():
            raise ValueError("nobody of the patients with a weight progressed; there is nothing to learn from.")
        rows = weights > 0
        names = getattr(self, "feature_names_in_", [f"x{k}" for k in range(numbers.shape[1])])
        self._fit_numbers(numbers[rows], names, survival[rows], weights[rows], self.clip)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the log relative hazard of each patient, greater is worse.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, DataFrame or array of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self)
        numbers = self._numbers(X)
        if isinstance(numbers, pd.DataFrame) and hasattr(self, "feature_names_in_"):
            check_column_order(numbers, self.feature_names_in_)
        return self._risk(validate_data(self, numbers, dtype=np.float64, ensure_all_finite="allow-nan", reset=False))

    def _numbers(self, X: Any, *, training: bool = False) -> Any:
        """Return the table of X.

        Raises
        ------
        ValueError
            If a column of a cohort's table holds text.
        """
        cohort = self._cohort(X)
        if cohort is None:
            numbers = plain_form(X)
            if training:
                check_learnable(numbers)
            return numbers
        table = self._training_table(X, cohort) if training else self._table(X, cohort)
        texts = [str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
        if texts:
            raise ValueError(
                f"CoxPFSSurvival takes numbers; {', '.join(texts)} of the table hold text. Leave these columns out, or use "
                "LabPFSSurvival, which reads categories."
            )
        return table

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "directions_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.categorical = False
        return tags
