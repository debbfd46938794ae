"""Late fusion: scores of separate models brought together by ranks, with weights from cross-fitting."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils.validation import has_fit_parameter

from prrt_estimators.estimators._blocks import absent
from prrt_estimators.estimators._ridge_evidence import LogisticLikelihood, average_by_evidence

#: Precision with which the calibration's slope, of a standardised score, is held back.
_SLOPE_PRECISION = 0.1


class LateFusion:
    """Models of blocks, the ranks of their cross-fitted scores, the blocks' weights, and a calibration.

    Parameters
    ----------
    models : mapping of str to estimator
        Classifiers with ``predict_proba``.
    cv : int, splitter or iterable
        Inner folds; an int is how many stratified ones, fewer where a class has fewer patients.
    random_state : int, RandomState or None
    """

    def __init__(self, models: Mapping[str, Any], cv: Any, random_state: Any):
        self.models = dict(models)
        self.cv = cv
        self.random_state = random_state

    def fit(self, tables: Mapping[str, pd.DataFrame], long: np.ndarray, given: Mapping[str, Any]) -> LateFusion:
        """Cross-fit each block, weigh it by its inner AUROC above 0.5, and calibrate the sum."""
        weights = given.get("sample_weight", np.ones(len(long)))
        splits = list(self._folds(long).split(long, long))
        self.reference, held, gains = {}, {}, {}
        for name, table in tables.items():
            there = ~absent(table)
            held[name] = self._cross_fitted(name, table, long, given, splits, there)
            scored = np.isfinite(held[name])
            self.reference[name] = np.sort(held[name][scored])
            gains[name] = _gain(long[scored], held[name][scored], weights[scored])
            self.models[name] = _fitted(self.models[name], table, long, given, there)
        total = sum(gains.values())
        self.weights = {name: gain / total if total > 0 else 1 / len(gains) for name, gain in gains.items()}
        self.learnt_from = (
            "time" if any(getattr(one, "learnt_from_", "class") == "time" for one in self.models.values()) else "class"
        )
        self.prevalence = float(np.average(long, weights=weights))
        self._calibrate(self._combined(held), long, weights)
        return self

    def parts(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """Return weighted ranks less their middle, by block; NaN where a patient lacks it."""
        ranks = {name: self._rank(name, score) for name, score in self._scores(tables).items()}
        return pd.DataFrame({name: self.weights[name] * (rank - 0.5) for name, rank in ranks.items()})

    def probability(self, tables: Mapping[str, pd.DataFrame]) -> np.ndarray:
        """Return the probability of long PFS: calibrated, or the blocks' own weighted mean where that cannot be calculated."""
        scores = self._scores(tables)
        combined = self._combined(scores)
        if self.slope > 0:
            found = 1 / (1 + np.exp(-(self.intercept + self.slope * (combined - self.centre) / self.spread)))
            return np.where(np.isfinite(found), found, self.prevalence)
        return np.nan_to_num(_weighted(scores, self.weights), nan=self.prevalence)

    def _folds(self, long: np.ndarray) -> Any:
        if not isinstance(self.cv, Integral):
            return check_cv(self.cv, long, classifier=True)
        folds = max(2, min(int(self.cv), int(np.bincount(long).min())))
        return StratifiedKFold(folds, shuffle=True, random_state=_seed(self.random_state))

    def _cross_fitted(
        self, name: str, table: pd.DataFrame, long: np.ndarray, given: Mapping[str, Any], splits: Any, there: np.ndarray
    ) -> np.ndarray:
        held = np.full(len(long), np.nan)
        for train, test in splits:
            inside = np.zeros(len(long), dtype=bool)
            inside[train] = True
            if len(np.unique(long[inside & there])) < 2:
                continue
            model = _fitted(self.models[name], table, long, given, inside & there)
            rows = test[there[test]]
            if len(rows):
                held[rows] = model.predict_proba(table.iloc[rows])[:, 1]
        return held

    def _scores(self, tables: Mapping[str, pd.DataFrame]) -> dict[str, np.ndarray]:
        scores = {}
        for name, table in tables.items():
            score, there = np.full(len(table), np.nan), ~absent(table)
            if there.any():
                score[there] = self.models[name].predict_proba(table[there])[:, 1]
            scores[name] = score
        return scores

    def _rank(self, name: str, score: np.ndarray) -> np.ndarray:
        """Return where scores stand among the cross-fitted ones of training, 0 to 1, ties in the middle."""
        known = self.reference[name]
        if not len(known):
            return np.where(np.isfinite(score), 0.5, np.nan)
        places = (np.searchsorted(known, score, "left") + np.searchsorted(known, score, "right")) / (2 * len(known))
        return np.where(np.isfinite(score), places, np.nan)

    def _combined(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        return _weighted({name: self._rank(name, score) for name, score in scores.items()}, self.weights)

    def _calibrate(self, combined: np.ndarray, long: np.ndarray, weights: np.ndarray) -> None:
        """Fit a logistic line with a slope of at least 0; none where the inner AUROC is not above 0.5."""
        known = np.isfinite(combined)
        self.slope = self.intercept = 0.0
        self.centre, self.spread = (
            (float(np.mean(combined[known])), float(np.std(combined[known]))) if known.any() else (0.5, 0.0)
        )
        if self.spread == 0 or _gain(long[known], combined[known], weights[known]) <= 0:
            return
        Z = ((combined[known] - self.centre) / self.spread)[:, None]
        likelihood = LogisticLikelihood(long[known], weights[known])
        found = average_by_evidence(
            Z, likelihood, precisions=np.array([_SLOPE_PRECISION]), log_prior=np.zeros(1), directions=np.zeros(1)
        )
        self.slope = max(0.0, float(found.coef[0]))
        self.intercept = likelihood.intercept(Z[:, 0] * self.slope)


def _seed(random_state: Any) -> Any:
    return 0 if random_state is None else random_state


def _gain(long: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    """Return the AUROC above 0.5, 0 if it is below or cannot be had."""
    if len(np.unique(long[weights > 0])) < 2:
        return 0.0
    return max(0.0, float(roc_auc_score(long, score, sample_weight=weights)) - 0.5)


def _fitted(model: Any, table: pd.DataFrame, long: np.ndarray, given: Mapping[str, Any], rows: np.ndarray) -> Any:
    model = clone(model)
    taken = {name: values[rows] for name, values in given.items() if has_fit_parameter(model, name)}
    return model.fit(table[rows], long[rows], **taken)


def _weighted(values: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Return the mean over the blocks that a patient has, NaN for one who has none."""
    stacked = np.array([values[name] for name in weights])
    share = np.array([weights[name] for name in weights])[:, None] * np.isfinite(stacked)
    if len(share):  # a patient whose blocks all weigh nothing: alike
        none = share.sum(axis=0) == 0
        share[:, none] = np.isfinite(stacked)[:, none]
    total = share.sum(axis=0)
    return np.divide(
        (share * np.nan_to_num(stacked)).sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0
    )
