"""Follow-up by reverse Kaplan-Meier, and whether results depend on how early censoring is dealt with."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._survival import as_survival, censoring_curve
from prrt_estimators.evaluation._decisions import interval_of_folds
from prrt_estimators.metrics import find_score
from prrt_estimators.metrics._score import factor


class FollowUp(NamedTuple):
    """Median follow-up by the reverse Kaplan-Meier method.

    Attributes
    ----------
    median, low, high : float
        Months, with the 95 % interval; infinite where they are not reached.
    n : int
        Patients.
    n_events : int
        Progressions seen.
    """

    median: float
    low: float
    high: float
    n: int
    n_events: int


def reverse_kaplan_meier(survival: np.ndarray) -> FollowUp:
    """Median follow-up by the reverse Kaplan-Meier method: censoring is the event, progression ends what is known of it.

    Parameters
    ----------
    survival : structured array of shape (n,)
        Fields ``event`` and ``time`` (months) of everybody.

    Returns
    -------
    FollowUp
        ``median``, ``low`` and ``high`` are infinite where they are not reached.

    References
    ----------
    Schemper and Smith, "A note on quantifying follow-up in studies of failure time", Controlled Clinical Trials 1996,
    doi:10.1016/0197-2456(96)00075-X.

    Examples
    --------
    >>> survival = np.array([(True, 5.0), (False, 10.0), (False, 20.0)], dtype=[("event", bool), ("time", float)])
    >>> reverse_kaplan_meier(survival).median
    10.0
    """
    event = np.asarray(survival["event"], dtype=bool)
    fitter = KaplanMeierFitter().fit(survival["time"], ~event)
    limits = median_survival_times(fitter.confidence_interval_)
    low, high = (float(limits.iloc[0, k]) for k in (0, 1))
    return FollowUp(float(fitter.median_survival_time_), low, high, len(event), int(event.sum()))


def censoring_weights(time: Any, horizon: float, everybody: np.ndarray) -> np.ndarray:
    """Return inverse probabilities of being uncensored, by a Kaplan-Meier curve of the censoring of everybody.

    At one time, progressions come before censorings: who progressed then was not at risk of being censored. A patient counts by
    the probability of not being censored before the earlier of own time and horizon, so that the weights of all patients of known
    class sum to the number of everybody, before they are divided by their mean.

    Parameters
    ----------
    time : array-like of shape (n,)
        Months to progression or censoring of the patients whose class is known.
    horizon : float
        Months.
    everybody : structured array
        Fields ``event`` and ``time``, those censored early too.

    Returns
    -------
    ndarray of shape (n,)
        Mean 1.

    Examples
    --------
    >>> survival = np.array([(True, 5.0), (False, 10.0), (True, 20.0), (False, 30.0)],
    ...                     dtype=[("event", bool), ("time", float)])
    >>> censoring_weights([5, 20, 30], 12, survival).round(2).tolist()
    [0.75, 1.12, 1.12]
    """
    # lifelines' fit to inverted events takes progressions tied with a censoring as still at risk of it.
    curve = censoring_curve(as_survival({"event": everybody["event"], "time": everybody["time"]}))
    weight = 1 / np.maximum(curve.before(np.minimum(np.asarray(time, dtype=float), horizon)), 1e-3)
    return np.asarray(weight / weight.mean())


def censoring_sensitivity(
    comparison: Any, everybody: np.ndarray, *, horizon: float, score: str = "auroc"
) -> pd.DataFrame:
    """Score the same predictions with patients who were censored before the horizon dropped, and made up for by weights.

    Parameters
    ----------
    comparison : ModelComparison
        Its patients have times.
    everybody : structured array
        Fields ``event`` and ``time`` of everybody, those censored early too (``load_cohort(...).followup``).
    horizon : float
        Months.
    score : str, default="auroc"
        Name of a registered score.

    Returns
    -------
    DataFrame
        ``model``, ``dropped`` and ``weighted`` with ``low`` and ``high`` each, and ``shift`` (weighted less dropped). Empty
        where there are no times, or nobody was censored early. The models are those of the comparison.
    """
    columns = ["model", "dropped", "dropped_low", "dropped_high", "weighted", "weighted_low", "weighted_high", "shift"]
    patients = comparison.survival
    found = find_score(score)
    if found is None or not {"time", "event"} <= set(patients.columns) or len(everybody) <= len(patients):
        return pd.DataFrame(columns=columns)
    weights = pd.Series(censoring_weights(patients["time"], horizon, everybody), index=patients["patient_id"])
    sizes, rows = comparison.sizes_of_folds(), []
    for model, own in comparison.predictions.groupby("model", sort=False):
        plain, weighted, repeat = [], [], []
        for place, fold in own.groupby(["repeat", "fold"]):
            repeat.append(place[0])
            y, p = fold["y_true"].to_numpy(), fold["y_score"].to_numpy()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                plain.append(found.function(y, p))
                weighted.append(found.function(y, p, weights.loc[fold["patient_id"]].to_numpy()))
        limits = None if found.limits is None else tuple(sorted(factor(score) * one for one in found.limits))
        one = interval_of_folds(np.asarray(plain, dtype=float), sizes, limits=limits, repeat=np.array(repeat))
        two = interval_of_folds(np.asarray(weighted, dtype=float), sizes, limits=limits, repeat=np.array(repeat))
        rows.append((model, *one, *two, two[0] - one[0]))
    return pd.DataFrame(rows, columns=columns)
