"""Confidence intervals of scores by drawing patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from prrt_estimators._classes import as_target, check_same_order
from prrt_estimators.metrics import SCORES, Score, find_score
from prrt_estimators.metrics._score import factor
from prrt_estimators.model_selection._statistics import check_level

Metric = Callable[[np.ndarray, np.ndarray], float]


class BootstrapInterval(NamedTuple):
    """An estimate with its bootstrap confidence interval and standard error."""

    estimate: float
    low: float
    high: float
    standard_error: float


def bootstrap_interval(
    y_true: ArrayLike,
    p_long: ArrayLike,
    metric: str | Metric = "auroc",
    *,
    n_boot: int = 2000,
    confidence_level: float = 0.95,
    method: str = "percentile",
    random_state: int | np.random.Generator | None = None,
) -> BootstrapInterval:
    """Confidence interval of a score by a patient-level bootstrap stratified by class.

    Patients of each class are drawn with replacement, so every sample has the cohort's prevalence. The interval
    holds for these predictions: it carries the luck of the patients tested, not that of training.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS, one row per patient.
    p_long : array-like of shape (n,)
        Out-of-fold probability of long PFS averaged over repeats (:func:`pool_repeats`).
    metric : str or callable, default="auroc"
        Name of a registered score (`SCORES`; ``"brier"`` is the plain Brier score), or
        ``metric(y_true, p_long) -> float``, which is slower.
    n_boot : int, default=2000
        Bootstrap samples.
    confidence_level : float, default=0.95
        Level of the two-sided interval.
    method : {"percentile", "BCa", "basic"}, default="percentile"
        As in :func:`scipy.stats.bootstrap`, which does the work.
    random_state : int, Generator or None, default=None
        Seed of the draws; pass an int for the same interval each time.

    Returns
    -------
    BootstrapInterval
        ``estimate``, ``low``, ``high``, ``standard_error``.

    Raises
    ------
    ValueError
        If arrays differ in length, a class has fewer than two patients, or a parameter is out of range.

    Examples
    --------
    >>> y = [0, 0, 0, 1, 1, 1, 1]
    >>> interval = bootstrap_interval(y, [0.2, 0.3, 0.6, 0.4, 0.5, 0.8, 0.9], n_boot=200, random_state=0)
    >>> round(interval.estimate, 3), interval.low < interval.estimate <= interval.high
    (0.833, True)
    """
    check_same_order(y_true, p_long, ("y_true", "p_long"))
    y = as_target(y_true)
    p = np.asarray(p_long, dtype=np.float64)
    if y.ndim != 1 or p.shape != y.shape:
        raise ValueError(
            f"`y_true` and `p_long` must have one value per patient; got shapes {y.shape} and {p.shape}. Average "
            "repeats with pool_repeats first."
        )
    if np.isnan(p).any():
        raise ValueError("`p_long` holds NaN; leave out patients that the model did not predict, in both arrays.")
    score = None if callable(metric) else _known(metric)
    if method not in ("percentile", "BCa", "basic"):
        raise ValueError(f"`method` must be 'percentile', 'BCa' or 'basic'; got {method!r}.")
    if n_boot < 1:
        raise ValueError(f"`n_boot` must be at least 1; got {n_boot}. Pass e.g. 2000.")
    check_level(confidence_level)
    short, long = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    if len(short) + len(long) < len(y) or min(len(short), len(long)) < 2:
        raise ValueError(
            f"a stratified bootstrap needs at least two patients of each class, 0 and 1; got {len(short)} and "
            f"{len(long)} among {len(y)}."
        )
    statistic = _statistic(metric, y, p) if score is None else _named_statistic(str(metric), score, y, p)
    result = stats.bootstrap(
        (short, long),
        statistic,
        n_resamples=n_boot,
        # Bounds memory: at most some ten million drawn patients at a time.
        batch=max(1, min(n_boot, 10_000_000 // len(y))),
        vectorized=score is not None and score.at_once is not None,
        confidence_level=confidence_level,
        method=method,
        random_state=np.random.default_rng(random_state),
    )
    estimate = statistic(short, long)
    low, high = result.confidence_interval
    return BootstrapInterval(float(estimate), float(low), float(high), float(result.standard_error))


def _known(name: str) -> Score:
    score = find_score(name)
    if score is None:
        raise ValueError(f"`metric` must be one of {', '.join(SCORES)} or a callable; got {name!r}.")
    return score


def _named_statistic(name: str, score: Score, y: np.ndarray, p: np.ndarray) -> Callable[..., Any]:
    sign, function, at_once = factor(name), score.function, score.at_once
    if at_once is None:
        return _statistic(lambda y, p: sign * function(y, p), y, p)

    def statistic(short: np.ndarray, long: np.ndarray, axis: int = -1) -> Any:
        return sign * at_once(p[np.moveaxis(short, axis, -1)], p[np.moveaxis(long, axis, -1)])

    return statistic


def _statistic(metric: Any, y: np.ndarray, p: np.ndarray) -> Callable[..., float]:
    def statistic(short: np.ndarray, long: np.ndarray) -> float:
        rows = np.concatenate([short, long])
        return float(metric(y[rows], p[rows]))

    return statistic
