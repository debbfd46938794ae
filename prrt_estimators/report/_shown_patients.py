"""Which patients are shown in an explanation, and how good the model that is explained is on them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._survival import StepCurve
from prrt_estimators._targets import target_of
from prrt_estimators.cohort import Cohort
from prrt_estimators.inspection._explained_models import FittedFolds
from prrt_estimators.metrics import SCORES
from prrt_estimators.model_selection import bootstrap_interval


def measured(model: Any, X: Any, y: Any, p_long: np.ndarray, seed: int) -> Any:
    """Return the main score of a model with an interval: AUROC, Uno's C of times; None where too few have either outcome."""
    target = target_of(model)
    if target.has_classes:
        return bootstrap_interval(y, p_long, random_state=seed) if len(np.unique(y)) == 2 else None
    values, strata = target.for_folds(y)
    if np.bincount(strata, minlength=2).min() < 2:
        return None
    score, predicted = SCORES[target.scores[0]], target.predicted(model, X)[0]
    kept = getattr(model, "censoring_", None)
    given = {} if kept is None else {"train": StepCurve(kept["time"], kept["survival"])}

    def of_rows(_: np.ndarray, drawn: np.ndarray) -> float:
        rows = drawn.astype(int)
        return float(score.function(values[rows], predicted[rows], **given))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        found = bootstrap_interval(strata, np.arange(len(values)), of_rows, n_boot=500, random_state=seed)
    return found if np.isfinite([found.estimate, found.low, found.high]).all() else None


def out_of_fold_probability(folds: FittedFolds, X: Cohort, horizon: float) -> np.ndarray:
    """Return the probability of PFS beyond the horizon by models trained without the patient."""
    found = np.full(len(X), np.nan)
    for fold in folds.folds:
        found[fold.test] = target_of(fold.model).probability_beyond(fold.model, X[fold.test], horizon)
    return found


def most_telling(p_long: np.ndarray, y: np.ndarray, n: int) -> list[int]:
    """Return the rows whose prediction fits their class best, half of them of short PFS where there are as many."""
    y = np.asarray(y)
    chosen: list[int] = []
    for label, count in ((0, n - n // 2), (1, n // 2)):
        rows = np.flatnonzero(y == label)
        order = np.argsort(p_long[rows] if label == 0 else -p_long[rows], kind="stable")
        chosen += rows[order][:count].tolist()
    others = np.argsort(-np.where(y == 1, p_long, 1 - p_long), kind="stable").tolist()
    return chosen + [row for row in others if row not in chosen][: n - len(chosen)]
