"""Scores of predicted times to progression, censoring weighted by what training patients show of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._classes import check_same_order
from prrt_estimators._survival import StepCurve, as_survival, censoring_curve, kaplan_meier

#: Risks that differ by no more are tied.
_TIED = 1e-8


def harrell_c(y_true: Any, risk: ArrayLike) -> float:
    """Harrell's concordance: how often the patient who progressed earlier has the greater risk.

    Pairs count whose order is known: the earlier time is a progression. At one time, a progression comes before a
    censoring. Equal risks count a half.

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    risk : array-like of shape (n,)
        Greater is worse.

    Returns
    -------
    float
        NaN with an ``UndefinedMetricWarning`` if the order of no pair is known.

    References
    ----------
    Harrell et al., "Multivariable prognostic models", Statistics in Medicine 1996,
    doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.

    Examples
    --------
    >>> y = {"event": [1, 1, 0], "time": [2.0, 5.0, 9.0]}
    >>> harrell_c(y, [3.0, 2.0, 1.0]), harrell_c(y, [1.0, 1.0, 1.0])
    (1.0, 0.5)
    """
    y, scores = _checked(y_true, risk)
    return _concordance(y, scores, np.ones(len(y)), "Harrell's C")


def uno_c(y_true: Any, risk: ArrayLike, *, train: Any = None, tau: float | None = None) -> float:
    r"""Uno's concordance, whose expected value does not depend on how many are censored.

    Each known pair counts :math:`1 / G(t_i)^2`, the inverse squared probability of not being censored up to the earlier
    progression. A progression at which :math:`G = 0` has no weight: training patients were not followed so long.

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    risk : array-like of shape (n,)
        Greater is worse.
    train : structured array, default=None
        Patients from whom :math:`G` is estimated, those that the model was trained on; `y_true` if None.
    tau : float, default=None
        Months; progressions from then on do not count as the earlier of a pair.

    Returns
    -------
    float
        NaN with an ``UndefinedMetricWarning`` if no pair counts.

    References
    ----------
    Uno et al., "On the C-statistics for evaluating overall adequacy of risk prediction procedures with censored survival
    data", Statistics in Medicine 2011, doi:10.1002/sim.4154.

    Examples
    --------
    >>> y = {"event": [1, 0, 1, 1], "time": [2.0, 4.0, 6.0, 9.0]}
    >>> round(uno_c(y, [4, 3, 1, 2]), 3)
    0.571
    """
    y, scores = _checked(y_true, risk)
    weight = _inverse(_censoring(train, y).at(y["time"])) ** 2
    if tau is not None:
        weight = np.where(y["time"] < tau, weight, 0.0)
    return _concordance(y, scores, weight, "Uno's C")


def cumulative_dynamic_auc(
    y_true: Any, risk: ArrayLike, times: ArrayLike, *, train: Any = None
) -> tuple[np.ndarray, float]:
    r"""AUC at given times: patients who progressed by then against those who had not.

    Progressions count :math:`1 / G(t_i)`. With nobody censored this is the AUROC of the class at that time.

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    risk : array-like of shape (n,) or (n, n_times)
        Greater is worse; one risk, or one for each time.
    times : array-like of shape (n_times,)
        Months, ascending.
    train : structured array, default=None
        Patients from whom :math:`G` is estimated; `y_true` if None.

    Returns
    -------
    auc : ndarray of shape (n_times,)
        NaN where nobody progressed by then, or nobody was followed beyond, with an ``UndefinedMetricWarning``.
    mean : float
        Their mean, weighted by how many progress between the times (Kaplan-Meier of `y_true`).

    References
    ----------
    Uno et al., "Evaluating prediction rules for t-year survivors with censored regression models", JASA 2007,
    doi:10.1198/016214507000000149. Lambert and Chevret, Statistical Methods in Medical Research 2016,
    doi:10.1177/0962280213515571.

    Examples
    --------
    >>> y = {"event": [1, 1, 0, 1], "time": [2.0, 5.0, 9.0, 20.0]}
    >>> auc, mean = cumulative_dynamic_auc(y, [4, 1, 2, 3], [4.0, 8.0])
    >>> auc.tolist(), mean
    ([1.0, 0.5], 0.75)
    """
    moments = _moments(times)
    y, scores = _checked(y_true, risk, n_times=len(moments))
    weight = np.where(y["event"], _inverse(_censoring(train, y).at(y["time"])), 0.0)
    found = np.array([_auc(y, scores[:, k], weight, moment) for k, moment in enumerate(moments)])
    if np.isnan(found).any():
        first = moments[np.isnan(found)][0]
        _undefined(f"the AUC at {first:g} months", "nobody progressed by then, or nobody was followed beyond")
    if len(moments) == 1:
        return found, float(found[0])
    curve = kaplan_meier(y).at(moments)
    steps = -np.diff(np.concatenate([[1.0], curve]))
    return found, float(found @ steps / (1 - curve[-1])) if curve[-1] < 1 else float("nan")


def brier_survival(y_true: Any, survival: ArrayLike, times: ArrayLike, *, train: Any = None) -> np.ndarray:
    r"""Brier score of predicted probabilities of being free of progression, at given times.

    .. math:: \frac{1}{n} \sum_i \frac{S_i(t)^2 \, [t_i \le t, \text{event}]}{G(t_i)} + \frac{(1 - S_i(t))^2 \, [t_i > t]}{G(t)}

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    survival : array-like of shape (n, n_times)
        :math:`S_i(t)`; for one time, shape (n,) will do.
    times : array-like of shape (n_times,)
        Months, ascending.
    train : structured array, default=None
        Patients from whom :math:`G` is estimated; `y_true` if None.

    Returns
    -------
    ndarray of shape (n_times,)
        NaN, with an ``UndefinedMetricWarning``, at times at which nobody was followed beyond and somebody was censored
        before.

    References
    ----------
    Graf et al., "Assessment and comparison of prognostic classification schemes for survival data", Statistics in Medicine
    1999, doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5.

    Examples
    --------
    >>> y = {"event": [1, 1, 0, 1], "time": [2.0, 5.0, 9.0, 20.0]}
    >>> brier_survival(y, [0.0, 0.5, 0.5, 1.0], [8.0])
    array([0.125])
    """
    moments = _moments(times)
    y, free = _checked(y_true, survival, n_times=len(moments), what="survival")
    if ((free < 0) | (free > 1)).any():
        raise ValueError(
            "`survival` must hold probabilities between 0 and 1; pass predict_survival_function(X, times)."
        )
    curve = _censoring(train, y)
    before = _inverse(curve.at(y["time"]))[:, None]
    then = _inverse(curve.at(moments))
    progressed = (y["time"][:, None] <= moments) & y["event"][:, None]
    followed = y["time"][:, None] > moments
    scores = np.mean(free**2 * progressed * before + (1 - free) ** 2 * followed * then, axis=0)
    weight = (progressed * before + followed * then).sum(axis=0)
    unknown = ~(followed.any(axis=0) | progressed.all(axis=0)) | (weight <= 0)
    if unknown.any():
        _undefined(f"the Brier score at {_listed(moments[unknown])} months", "nobody was followed beyond")
        scores[unknown] = np.nan
    return scores


def integrated_brier(y_true: Any, survival: ArrayLike, times: ArrayLike, *, train: Any = None) -> float:
    """Mean of the Brier score over a span of time, by the trapezoidal rule.

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    survival : array-like of shape (n, n_times)
        Probability of being free of progression at each time.
    times : array-like of shape (n_times,)
        At least two, in months, ascending.
    train : structured array, default=None
        Patients from whom the censoring is estimated; `y_true` if None.

    Returns
    -------
    float
        NaN where the score of one of the times is.

    Examples
    --------
    >>> y = {"event": [1, 1, 0, 1], "time": [2.0, 5.0, 9.0, 20.0]}
    >>> integrated_brier(y, [[0.5, 0.5]] * 4, [3.0, 8.0])
    0.25
    """
    moments = _moments(times)
    if len(moments) < 2:
        raise ValueError("the integrated Brier score needs at least two `times`; brier_survival takes one.")
    scores = brier_survival(y_true, survival, moments, train=train)
    return float(np.trapezoid(scores, moments) / (moments[-1] - moments[0]))


def restricted_mean_survival(y_true: Any, horizon: float) -> float:
    """Mean months free of progression up to a horizon, by Kaplan-Meier.

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    horizon : float
        Months.

    Returns
    -------
    float
        NaN, with an ``UndefinedMetricWarning``, if follow-up ends before the horizon and somebody is still free then.

    Examples
    --------
    >>> restricted_mean_survival({"event": [1, 1], "time": [4.0, 20.0]}, 12)
    8.0
    """
    if not horizon > 0:
        raise ValueError(f"`horizon` must be a positive number of months; got {horizon}. Pass e.g. 12.")
    y = as_survival(y_true, name="y_true")
    curve = kaplan_meier(y)
    if not len(y) or (y["time"].max() < horizon and curve.at(horizon) > 0):
        _undefined(f"the mean up to {horizon:g} months", "nobody was followed so long")
        return float("nan")
    return curve.restricted_mean(float(horizon))


def _listed(moments: np.ndarray) -> str:
    return ", ".join(f"{one:g}" for one in moments[:3]) + (" and later" if len(moments) > 3 else "")


def _censoring(train: Any, y: np.ndarray) -> StepCurve:
    if isinstance(train, StepCurve):
        return train
    return censoring_curve(y if train is None else as_survival(train, name="train"))


def _inverse(share: np.ndarray) -> np.ndarray:
    """Return 1 / G, 0 where nobody of the training patients was followed so long."""
    return np.divide(1.0, share, out=np.zeros_like(share), where=share > 0)


def _checked(
    y_true: Any, predicted: ArrayLike, *, n_times: int | None = None, what: str = "risk"
) -> tuple[np.ndarray, np.ndarray]:
    check_same_order(y_true, predicted, ("y_true", what))
    y = as_survival(y_true, name="y_true")
    values = np.asarray(predicted, dtype=np.float64)
    if not len(y):
        raise ValueError("`y_true` is empty; a score needs at least one patient. Check the selection of rows.")
    if n_times is not None and values.ndim == 1 and (what == "risk" or n_times == 1):
        values = np.broadcast_to(values[:, None], (len(values), n_times))
    expected = (len(y),) if n_times is None else (len(y), n_times)
    if values.shape != expected:
        raise ValueError(f"`{what}` must have shape {expected}, one row per patient; got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"`{what}` holds NaN or infinity; leave out patients that a model did not predict.")
    return y, values


def _moments(times: ArrayLike) -> np.ndarray:
    moments = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if moments.ndim != 1 or not len(moments) or not np.isfinite(moments).all() or (np.diff(moments) <= 0).any():
        raise ValueError(f"`times` must be months in ascending order, each once; got {times!r}.")
    return moments


def _concordance(y: np.ndarray, risk: np.ndarray, weight: np.ndarray, name: str) -> float:
    found = total = 0.0
    time, event = y["time"], y["event"]
    for k in np.flatnonzero(event & (weight > 0)):
        later = (time > time[k]) | ((time == time[k]) & ~event)
        apart = risk[k] - risk[later]
        tied = np.abs(apart) <= _TIED
        found += weight[k] * (np.sum(apart[~tied] > 0) + 0.5 * tied.sum())
        total += weight[k] * later.sum()
    if total == 0:
        _undefined(name, "there is no pair of patients of whom it is known who progressed first")
        return float("nan")
    return float(found / total)


def _auc(y: np.ndarray, risk: np.ndarray, weight: np.ndarray, moment: float) -> float:
    early, late = (y["time"] <= moment) & (weight > 0), y["time"] > moment
    if not early.any() or not late.any():
        return float("nan")
    apart = risk[early][:, None] - risk[late]
    won = np.where(np.abs(apart) <= _TIED, 0.5, apart > 0).mean(axis=1)
    return float(np.average(won, weights=weight[early]))


def _undefined(name: str, why: str) -> None:
    warnings.warn(f"{name} is undefined: {why}. The score is NaN.", UndefinedMetricWarning, stacklevel=4)
