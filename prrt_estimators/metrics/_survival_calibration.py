"""Whether predicted probabilities of being free of progression are true."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._survival import as_survival, kaplan_meier
from prrt_estimators.metrics._survival_scores import _checked


class DCalibration(NamedTuple):
    """Answer of :func:`d_calibration`.

    Parameters
    ----------
    statistic : float
        Chi-square, with one degree of freedom less than there are bins.
    pvalue : float
        A small one says that the curves are not calibrated.
    counts : ndarray of shape (n_bins,)
        Patients in each bin.
    """

    statistic: float
    pvalue: float
    counts: np.ndarray


def d_calibration(y_true: Any, survival_at_time: ArrayLike, *, n_bins: int = 10) -> DCalibration:
    """Test whether predicted curves, read at each patient's own time, are spread evenly between 0 and 1.

    Of a calibrated model, the predicted probability of being free of progression at the time of the progression is
    uniform. A censored patient, of whom only an upper limit is known, counts in parts in all bins below.

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    survival_at_time : array-like of shape (n,)
        Predicted probability of being free of progression at the patient's own time.
    n_bins : int, default=10
        Bins of equal width.

    Returns
    -------
    DCalibration
        ``statistic`` (chi-square with ``n_bins - 1`` degrees of freedom), ``pvalue``, and ``counts`` of patients in the
        bins, from probability 0 up. A small p value says that the curves are not calibrated.

    References
    ----------
    Haider et al., "Effective ways to build and evaluate individual survival distributions", JMLR 2020,
    https://jmlr.org/papers/v21/18-772.html.

    Examples
    --------
    >>> y = {"event": [1, 1, 0, 0], "time": [2.0, 5.0, 9.0, 20.0]}
    >>> d_calibration(y, [0.9, 0.2, 0.5, 0.75], n_bins=2).counts.round(3).tolist()
    [2.667, 1.333]
    """
    y, free = _checked(y_true, survival_at_time, what="survival_at_time")
    if ((free < 0) | (free > 1)).any():
        raise ValueError("`survival_at_time` must hold probabilities between 0 and 1.")
    if n_bins < 2:
        raise ValueError(f"`n_bins` must be at least 2; got {n_bins}. Pass e.g. 10.")
    low = np.arange(n_bins) / n_bins
    width = 1 / n_bins
    own = np.minimum((free * n_bins).astype(int), n_bins - 1)
    seen = np.eye(n_bins)[own]
    # Of a censored patient the probability lies below `free`, each value alike; at 0 it lies in the first bin.
    below = np.clip(free[:, None] - low, 0, width) / np.where(free > 0, free, 1.0)[:, None]
    below[free == 0] = np.eye(n_bins)[0]
    counts = np.where(y["event"][:, None], seen, below).sum(axis=0)
    expected = len(y) / n_bins
    statistic = float(((counts - expected) ** 2).sum() / expected)
    return DCalibration(statistic, float(stats.chi2.sf(statistic, n_bins - 1)), counts)


def survival_calibration(
    y_true: Any, survival_at_horizon: ArrayLike, horizon: float, *, n_groups: int = 4
) -> pd.DataFrame:
    """Compare predicted with observed probabilities of being free of progression at a horizon.

    Patients are divided by their prediction into groups of about equal size; what is observed in a group is its
    Kaplan-Meier estimate, with Greenwood's interval on the scale of log(-log); where nobody or everybody progressed, with
    that of Clopper and Pearson.

    Parameters
    ----------
    y_true : structured array of shape (n,)
        ``event`` and ``time``.
    survival_at_horizon : array-like of shape (n,)
        Predicted probability of being free of progression at the horizon.
    horizon : float
        Months.
    n_groups : int, default=4
        Groups; equal predictions stay together, so that there may be fewer.

    Returns
    -------
    DataFrame
        One row per group: ``n``, ``predicted`` (mean), ``observed``, ``low``, ``high`` (95 %). A group that was not
        followed up to the horizon has NaN as observed, with an ``UndefinedMetricWarning``.

    Examples
    --------
    >>> y = {"event": [1, 1, 0, 1, 1, 0], "time": [2.0, 5.0, 20.0, 14.0, 9.0, 30.0]}
    >>> survival_calibration(y, [0.2, 0.2, 0.3, 0.8, 0.7, 0.9], 12, n_groups=2)[["n", "predicted", "observed"]].round(2)
       n  predicted  observed
    0  3       0.23      0.33
    1  3       0.80      0.67
    """
    y, free = _checked(y_true, survival_at_horizon, what="survival_at_horizon")
    if n_groups < 1:
        raise ValueError(f"`n_groups` must be at least 1; got {n_groups}. Pass e.g. 4.")
    if not horizon > 0:
        raise ValueError(f"`horizon` must be a positive number of months; got {horizon}. Pass e.g. 12.")
    cuts = np.unique(np.quantile(free, np.linspace(0, 1, n_groups + 1)[1:-1]))
    group = np.searchsorted(cuts, free, "right")
    rows = []
    for one in np.unique(group):
        own = y[group == one]
        observed, low, high = _observed(own, float(horizon))
        rows.append(
            {
                "n": len(own),
                "predicted": float(free[group == one].mean()),
                "observed": observed,
                "low": low,
                "high": high,
            }
        )
    table = pd.DataFrame(rows)
    unknown = table["observed"].isna()
    if unknown.any():
        warnings.warn(
            f"what was observed at {horizon:g} months is undefined in {int(unknown.sum())} of {len(table)} groups, in which "
            "nobody was followed so long. It is NaN.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    return table


def _observed(y: np.ndarray, horizon: float) -> tuple[float, float, float]:
    """Return the Kaplan-Meier estimate at the horizon and its interval."""
    nan = float("nan")
    last = y["time"].max()
    curve = kaplan_meier(y)
    free = float(curve.at(horizon))
    if last < horizon and free > 0:
        return nan, nan, nan
    moments, place = np.unique(y["time"], return_inverse=True)
    events = np.bincount(place[y["event"]], minlength=len(moments)).astype(float)
    every = np.bincount(place, minlength=len(moments))
    at_risk = len(y) - np.concatenate([[0], np.cumsum(every)[:-1]])
    passed = (moments <= horizon) & (events > 0)
    if free == 1:  # Greenwood has no width there
        return free, float(0.025 ** (1 / (y["time"] >= horizon).sum())), 1.0
    if free == 0:
        return free, 0.0, float(1 - 0.025 ** (1 / (y["event"] & (y["time"] <= horizon)).sum()))
    variance = float((events[passed] / (at_risk[passed] * (at_risk[passed] - events[passed]))).sum())
    margin = stats.norm.ppf(0.975) * np.sqrt(variance) / np.log(free)
    return free, float(free ** np.exp(-margin)), float(free ** np.exp(margin))


def mean_calibration_error(y_true: Any, survival_at_horizon: ArrayLike, horizon: float) -> float:
    """Return by how much the mean prediction misses what was observed at the horizon."""
    y = as_survival(y_true, name="y_true")
    observed = _observed(y, horizon)[0]
    return abs(float(np.asarray(survival_at_horizon, dtype=np.float64).mean()) - observed)
