"""Whether predicted probabilities mean what they say."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression

from prrt_estimators.metrics._check import check_target_and_probability, check_weight, holds_both_classes


class CalibrationLine(NamedTuple):
    """A calibration line on the logit scale.

    Attributes
    ----------
    intercept : float
        Calibration in the large; 0 is ideal.
    slope : float
        1 is ideal.
    """

    intercept: float
    slope: float


def calibration_intercept_slope(
    y_true: ArrayLike, p_long: ArrayLike, *, clip: float = 1e-3, sample_weight: ArrayLike | None = None
) -> CalibrationLine:
    r"""Calibration-in-the-large and calibration slope.

    Two logistic models of the outcome on the linear predictor :math:`l = \mathrm{logit}(p)`:
    :math:`\mathrm{logit}\,P(y=1) = a + l` gives the intercept *a* (above 0: probabilities too low on the whole),
    and :math:`\mathrm{logit}\,P(y=1) = a' + b\,l` gives the slope *b* (below 1: probabilities too extreme).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    clip : float, default=1e-3
        Probabilities are kept between `clip` and ``1 - clip``, for the logit of 0 or 1 is infinite. A random
        forest predicts such values, and the slope then depends on `clip`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each patient.

    Returns
    -------
    CalibrationLine
        Fields ``intercept`` and ``slope``. The slope is NaN, with an ``UndefinedMetricWarning``, if all
        predictions are equal or separate the classes perfectly; both are NaN if there is one class only.

    Raises
    ------
    ValueError
        If labels are not 0/1, probabilities leave 0..1, lengths differ, or `clip` is not within 0..0.5.

    References
    ----------
    Van Calster et al., "Calibration: the Achilles heel of predictive analytics", BMC Medicine 2019,
    doi:10.1186/s12916-019-1466-7.

    Examples
    --------
    >>> line = calibration_intercept_slope([1, 0, 0, 0, 1, 1, 1, 0], [0.5] * 4 + [0.6] * 4)
    >>> round(line.slope, 2)
    5.42
    """
    y, p = check_target_and_probability(y_true, p_long)
    if not 0 < clip < 0.5:
        raise ValueError(f"`clip` must lie between 0 and 0.5; got {clip}. Pass e.g. 0.001.")
    if not holds_both_classes(y, "Calibration"):
        return CalibrationLine(float("nan"), float("nan"))
    linear, weight = logit(np.clip(p, clip, 1 - clip)), check_weight(sample_weight, y_true)
    # The score equation sum(expit(a + l)) = sum(y) is monotone in a, and its root lies within these bounds.
    share = weight @ y
    centre, half_width = logit(share), np.abs(linear).max() + 1.0
    intercept = brentq(
        lambda a: weight @ expit(a + linear) - share, centre - half_width, centre + half_width, xtol=1e-12
    )
    return CalibrationLine(float(intercept), _slope(y, linear, weight))


def _slope(y: np.ndarray, linear: np.ndarray, weight: np.ndarray) -> float:
    short, long = linear[y == 0], linear[y == 1]
    if short.max() <= long.min() or long.max() <= short.min():
        reason = "all predictions are equal" if np.ptp(linear) == 0 else "predictions separate the classes perfectly"
        warnings.warn(
            f"The calibration slope is undefined: {reason}. The slope is NaN.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
        return float("nan")
    # Standardised first, so that the solver's tolerance means the same for timid and for bold predictions.
    scale = linear.std()
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=500)
    with warnings.catch_warnings():
        # Near separation the solver goes on by another method, and says so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(((linear - linear.mean()) / scale)[:, np.newaxis], y, sample_weight=weight * len(y))
    return float(model.coef_[0, 0] / scale)


def loess_calibration(
    y_true: ArrayLike,
    p_long: ArrayLike,
    *,
    at: ArrayLike | None = None,
    span: float = 0.75,
    sample_weight: ArrayLike | None = None,
) -> np.ndarray:
    """Observed frequency of long PFS as a smooth function of the predicted probability.

    Loess of degree 1: at each point a straight line is fitted to the nearest ``span * n`` patients by least
    squares with tricube weights, without robustness iterations (residuals of 0/1 outcomes are not outliers). The
    answer is limited to 0..1.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    at : array-like of shape (m,), default=None
        Predicted probabilities at which the curve is wanted; ``None`` takes those of the patients.
    span : float, default=0.75
        Share of the patients that each local line sees, above 0 and at most 1.
    sample_weight : array-like of shape (n,), default=None
        Weight of each patient, beside that of the distance.

    Returns
    -------
    ndarray of shape (m,)
        Smoothed frequency of long PFS.

    Raises
    ------
    ValueError
        If labels are not 0/1, probabilities leave 0..1, lengths differ, or `span` is out of range.

    References
    ----------
    Cleveland, "Robust locally weighted regression and smoothing scatterplots", JASA 1979,
    doi:10.1080/01621459.1979.10481038.

    Examples
    --------
    >>> loess_calibration([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], at=[0.5])
    array([0.5])
    """
    y, p = check_target_and_probability(y_true, p_long)
    if not 0 < span <= 1:
        raise ValueError(f"`span` must be above 0 and at most 1; got {span}. Pass e.g. 0.75.")
    points = p if at is None else np.atleast_1d(np.asarray(at, dtype=np.float64))
    neighbours = min(len(p), max(2, int(span * len(p) + 1e-10)))
    distinct, where = np.unique(points, return_inverse=True)
    given = None if sample_weight is None else check_weight(sample_weight, y_true)
    smooth = np.array([_local_line(point, p, y, neighbours, given) for point in distinct])
    return np.clip(smooth, 0.0, 1.0)[where]


def _local_line(point: float, p: np.ndarray, y: np.ndarray, neighbours: int, given: np.ndarray | None = None) -> float:
    distance = np.abs(p - point)
    width = np.partition(distance, neighbours - 1)[neighbours - 1]
    # A wider window where so many predictions tie that the nearest ones leave no distance to weigh.
    width = max(width, 1e-9) * (1 + 1e-9)
    weight = (1 - np.minimum(distance / width, 1.0) ** 3) ** 3
    if given is not None and (weight * given).sum() > 0:
        weight = weight * given
    total = weight.sum()
    centre, height = weight @ p / total, weight @ y / total
    spread = weight @ (p - centre) ** 2
    if spread <= 1e-12 * total:
        return float(height)
    return float(height + (point - centre) * (weight @ ((p - centre) * y)) / spread)


def integrated_calibration_index(
    y_true: ArrayLike, p_long: ArrayLike, *, span: float = 0.75, sample_weight: ArrayLike | None = None
) -> float:
    r"""Mean distance between predicted probability and smoothed observed frequency.

    .. math:: \mathrm{ICI} = \frac{1}{n} \sum_i |p_i - \hat o(p_i)|

    where :math:`\hat o` is :func:`loess_calibration`: loess of degree 1 with tricube weights over the nearest
    `span` of the patients, no robustness iterations, limited to 0..1. (The source uses R's ``loess``, whose
    default is degree 2; degree 1 is steadier in cohorts of a hundred patients, so the two differ slightly.) In
    small cohorts the index is above 0 even for perfect predictions.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    span : float, default=0.75
        Share of the patients that each local line sees.
    sample_weight : array-like of shape (n,), default=None
        Weight of each patient.

    Returns
    -------
    float
        0 is ideal; NaN with an ``UndefinedMetricWarning`` if there is one class only.

    Raises
    ------
    ValueError
        If labels are not 0/1, probabilities leave 0..1, lengths differ, or `span` is out of range.

    References
    ----------
    Austin and Steyerberg, "The Integrated Calibration Index (ICI) and related metrics", Statistics in Medicine
    2019, doi:10.1002/sim.8281.

    Examples
    --------
    >>> round(integrated_calibration_index([0, 1, 0, 1], [0.75] * 4), 6)
    0.25
    """
    y, p = check_target_and_probability(y_true, p_long)
    smooth = loess_calibration(y, p, span=span, sample_weight=sample_weight)
    if not holds_both_classes(y, "The integrated calibration index"):
        return float("nan")
    return float(check_weight(sample_weight, y_true) @ np.abs(p - smooth))
