"""Calibration of cross-validated probabilities, with intervals that draw patients and repeats."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators.metrics import (
    calibration_intercept_slope,
    integrated_calibration_index,
    loess_calibration,
    scaled_brier_score,
)

NAMES = ("intercept", "slope", "ici", "scaled_brier")


def calibration_scores(y: np.ndarray, p: np.ndarray, weight: np.ndarray | None = None) -> dict[str, float]:
    """Return intercept, slope, ICI and scaled Brier score of one set of predictions; NaN where one is undefined."""
    given = {} if weight is None else {"sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        line = calibration_intercept_slope(y, p, **given)  # type: ignore[arg-type]
        ici = integrated_calibration_index(y, p, **given)  # type: ignore[arg-type]
        scaled = scaled_brier_score(y, p, **given)
    return {"intercept": line.intercept, "slope": line.slope, "ici": ici, "scaled_brier": scaled}


def calibration_table(
    comparison: Any, *, models: Any = None, n_boot: int = 200, confidence_level: float = 0.95, random_state: int = 0
) -> pd.DataFrame:
    """Calibration intercept and slope, ICI and scaled Brier score of every model.

    Computed within each repeat from the probabilities of all its folds, and averaged over repeats. The interval draws
    patients, and for each draw one repeat. Drawing patients adds scatter, which makes the ICI greater: its interval is moved
    down by the difference between the mean of the draws and the value, and ends at 0.

    Parameters
    ----------
    comparison : ModelComparison
    models : iterable of str, default=None
        Models to report; all with a result if None.
    n_boot : int, default=200
        Draws.
    confidence_level : float, default=0.95
        Of the percentile intervals.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    DataFrame
        One row per model and name: ``model``, ``score`` ("intercept", "slope", "ici", "scaled_brier"), ``mean``, ``low``,
        ``high``.
    """
    rows = []
    patients = comparison.survival.set_index("patient_id")
    weights = patients.get("sample_weight")
    for model, own in comparison.predictions.groupby("model", sort=False):
        if models is not None and model not in models:
            continue
        wide = own.pivot_table(index="patient_id", columns="repeat", values="y_score", aggfunc="mean")
        y = patients.loc[wide.index, "y_true"].to_numpy()
        weight = None if weights is None else weights.loc[wide.index].to_numpy(dtype=float)
        p = wide.to_numpy()
        means = pd.DataFrame([_of(y, p[:, k], weight) for k in range(p.shape[1])]).mean()
        drawn = _draws(y, p, weight, n_boot, np.random.default_rng(random_state))
        tail = (1 - confidence_level) / 2
        for name in NAMES:
            low, high = interval_of_draws(name, means[name], drawn[name], tail, n_boot)
            rows.append((model, name, means[name], low, high))
    return pd.DataFrame(rows, columns=["model", "score", "mean", "low", "high"])


def interval_of_draws(name: str, value: float, drawn: pd.Series, tail: float, n_boot: int) -> tuple[float, float]:
    """Return the percentile interval of a calibration score; NaN where fewer than half of the draws have one."""
    known = drawn.dropna()
    if len(known) <= n_boot / 2:
        return np.nan, np.nan
    if name == "ici":
        known = (known - (known.mean() - value)).clip(lower=0.0)
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def _of(y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> dict[str, float]:
    known = np.isfinite(p)
    return calibration_scores(y[known], p[known], None if weight is None else weight[known])


def _draws(y: np.ndarray, p: np.ndarray, weight: np.ndarray | None, n_boot: int, rng: Any) -> pd.DataFrame:
    found = []
    for _ in range(n_boot):
        rows = rng.integers(len(y), size=len(y))
        repeat = rng.integers(p.shape[1])
        if len(np.unique(y[rows])) == 2:
            found.append(_of(y[rows], p[rows, repeat], None if weight is None else weight[rows]))
    return pd.DataFrame(found, columns=list(NAMES))


def calibration_band(
    y_true: Any, p_long: Any, *, at: np.ndarray, n_boot: int = 200, random_state: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5 % and 97.5 % quantile of the smooth calibration curve over draws of patients.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    at : ndarray of shape (m,)
        Probabilities at which the curve is drawn.
    n_boot : int, default=200
        Draws.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    low, high : ndarray of shape (m,)
        NaN beyond the probabilities of a draw in more than half of the draws.
    """
    y, p, rng = np.asarray(y_true), np.asarray(p_long, dtype=float), np.random.default_rng(random_state)
    curves = np.full((n_boot, len(at)), np.nan)
    for k in range(n_boot):
        rows = rng.integers(len(y), size=len(y))
        inside = (at >= p[rows].min()) & (at <= p[rows].max())
        if inside.any():
            curves[k, inside] = loess_calibration(y[rows], p[rows], at=at[inside])
    rare = np.isnan(curves).mean(axis=0) > 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of NaN only
        low, high = np.nanquantile(curves, [0.025, 0.975], axis=0)
    return np.where(rare, np.nan, low), np.where(rare, np.nan, high)


def recalibrated(p_long: np.ndarray, intercept: float, slope: float, clip: float = 1e-3) -> np.ndarray:
    """Return probabilities with a new intercept and slope on the logit scale.

    Examples
    --------
    >>> recalibrated(np.array([0.5, 0.8]), 0.0, 1.0).round(3).tolist()
    [0.5, 0.8]
    """
    return np.asarray(expit(intercept + slope * logit(np.clip(p_long, clip, 1 - clip))))
