"""Decisions and risk groups out of fold: cut points come from the other folds of the same repeat."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.metrics import choose_threshold, decision_scores
from prrt_estimators.metrics._threshold import DECISION_SCORES
from prrt_estimators.model_selection import score_interval


def cross_fitted_thresholds(predictions: pd.DataFrame, rule: str = "youden", *, at_least: float = 0.9) -> pd.DataFrame:
    """Choose a threshold for each test fold on the other folds of its repeat.

    The patients of the other folds are the training patients of the fold. Their predictions come from models that did
    not see them, so that a model which learnt its training patients by heart gets a threshold that means something.

    Parameters
    ----------
    predictions : DataFrame
        Of one model: ``repeat``, ``fold``, ``y_true``, ``y_score``.
    rule : str, default="youden"
        See :func:`~prrt_estimators.metrics.choose_threshold`.
    at_least : float, default=0.9
        See there.

    Returns
    -------
    DataFrame
        ``repeat``, ``fold``, ``threshold``; NaN where the other folds hold one class.

    Examples
    --------
    >>> found = pd.DataFrame({"repeat": 0, "fold": [0, 0, 1, 1], "y_true": [0, 1, 0, 1], "y_score": [0.2, 0.6, 0.4, 0.6]})
    >>> cross_fitted_thresholds(found)["threshold"].tolist()
    [0.5, 0.4]
    """
    rows = []
    for repeat, whole in predictions.groupby("repeat"):
        for fold in sorted(whole["fold"].unique()):
            others = whole[whole["fold"] != fold]
            both = others["y_true"].nunique() == 2
            cut = choose_threshold(others["y_true"], others["y_score"], rule, at_least=at_least) if both else np.nan
            rows.append((repeat, fold, cut))
    return pd.DataFrame(rows, columns=["repeat", "fold", "threshold"])


def decision_table(
    comparison: Any, rule: str = "youden", *, at_least: float = 0.9, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Sensitivity, specificity and predictive values of every model, at thresholds from the other folds.

    Parameters
    ----------
    comparison : ModelComparison
    rule : str, default="youden"
        See :func:`~prrt_estimators.metrics.choose_threshold`.
    at_least : float, default=0.9
        See there.
    confidence_level : float, default=0.95
        Of the corrected intervals (:func:`~prrt_estimators.model_selection.score_interval`).

    Returns
    -------
    DataFrame
        One row per model and score: ``model``, ``score``, ``mean`` (over folds), ``low``, ``high``, ``n_folds`` that have the
        score, ``threshold`` (mean) with ``threshold_sd``.
    """
    rows = []
    sizes = comparison.sizes_of_folds()
    for model, own in comparison.predictions.groupby("model", sort=False):
        cuts = cross_fitted_thresholds(own, rule, at_least=at_least).set_index(["repeat", "fold"])["threshold"]
        found = {
            place: decision_scores(fold["y_true"], fold["y_score"], cuts[place])["value"]
            for place, fold in own.groupby(["repeat", "fold"])
            if np.isfinite(cuts[place])
        }
        table = pd.DataFrame(list(found.values()), columns=list(DECISION_SCORES)).reset_index(drop=True)
        repeat = np.array([place[0] for place in found])
        for name in DECISION_SCORES:
            mean, low, high = interval_of_folds(
                table[name].to_numpy(dtype=float), sizes, confidence_level, repeat=repeat
            )
            rows.append((model, name, mean, low, high, int(table[name].notna().sum()), cuts.mean(), cuts.std()))
    columns = ["model", "score", "mean", "low", "high", "n_folds", "threshold", "threshold_sd"]
    return pd.DataFrame(rows, columns=columns)


def interval_of_folds(
    values: np.ndarray,
    sizes: dict[str, float],
    confidence_level: float = 0.95,
    limits: Any = (0.0, 1.0),
    repeat: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Return mean, low and high of fold scores, NaN where fewer than two folds have one."""
    there = np.isfinite(values)
    known = values[there]
    if len(known) < 2:
        return (float(known.mean()) if len(known) else np.nan), np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResultsWarning)
        found = score_interval(
            known,
            **sizes,
            repeat=None if repeat is None else repeat[there],
            confidence_level=confidence_level,
            limits=limits,
        )
    return found.mean, found.low, found.high
