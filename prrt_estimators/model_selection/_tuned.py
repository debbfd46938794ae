"""Parameters chosen inside each training set: nested cross-validation in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from prrt_estimators._classes import as_target, check_all_in_order, probability_of_long
from prrt_estimators._targets import TARGETS, target_of
from prrt_estimators.metrics import find_score
from prrt_estimators.metrics._score import factor
from prrt_estimators.model_selection._compared import comparison_of
from prrt_estimators.model_selection._fold import seeded, take_rows
from prrt_estimators.model_selection._models import Skipped
from prrt_estimators.model_selection._parameter_search import inner_splits, try_combinations


class TunedClassifier(ClassifierMixin, BaseEstimator):
    """Choose parameters of a classifier by cross-validation inside the training patients, then fit it to all of them.

    Weights of patients and times to progression are handed to every inner fit that takes them, which a search of
    scikit-learn leaves to its caller.

    Parameters
    ----------
    estimator : classifier
    grid : mapping of parameter to values or distributions, or sequence of mappings to values
        Values as for `sklearn.model_selection.ParameterGrid`. If one of them is a distribution of Optuna (extra ``optuna``), such
        as ``optuna.distributions.FloatDistribution(1e-3, 10, log=True)``, its tree-structured Parzen estimator proposes
        combinations, and sequences are choices.
    cv : int, default=3
        Inner folds, stratified by class; fewer where a class is smaller.
    repeats : int, default=1
        Repeats of the inner folds.
    scoring : str, default="auroc"
        Name of a registered score.
    n_iter : int, default=None
        Combinations drawn without replacement; all if None. Of distributions, trials; 20 if None.
    random_state : int, default=None
        Seed of inner folds and draws.

    Attributes
    ----------
    best_estimator_ : classifier
        Fitted to all training patients.
    best_params_ : dict
    inner_score_ : float
        Mean inner score of the best combination. It is the greatest of several, so that it flatters the model.
    results_ : DataFrame
        ``score`` and parameters, one row per combination.
    classes_ : ndarray of shape (2,)
    learnt_from_ : {"time", "class"}

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = np.random.default_rng(0).normal(size=(60, 3)), np.tile([0, 1, 1], 20)
    >>> model = TunedClassifier(LogisticRegression(), {"C": [0.01, 1.0]}).fit(X, y)
    >>> sorted(model.results_.columns), len(model.results_)
    (['C', 'score'], 2)
    """

    def __init__(
        self,
        estimator: Any,
        grid: Any,
        *,
        cv: int = 3,
        repeats: int = 1,
        scoring: str = "auroc",
        n_iter: int | None = None,
        random_state: int | None = None,
    ):
        self.estimator = estimator
        self.grid = grid
        self.cv = cv
        self.repeats = repeats
        self.scoring = scoring
        self.n_iter = n_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, time: Any = None, event: Any = None) -> TunedClassifier:
        """Try every combination on inner folds and fit the best.

        Parameters
        ----------
        X : Cohort, DataFrame or array of shape (n, ...)
            Training patients.
        y : array-like of shape (n,)
            1 = long PFS, 0 = short PFS.
        sample_weight : array-like of shape (n,), default=None
        time : array-like of shape (n,), default=None
            Months to progression or censoring.
        event : array-like of shape (n,), default=None
            Whether progression was seen.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the grid is empty, a parameter or the score is unknown, or a class has one patient.
        MissingDependencyError
            If the grid holds distributions and Optuna is not installed.
        """
        check_all_in_order(X=X, y=y, sample_weight=sample_weight, time=time, event=event)
        found = find_score(self.scoring)
        if found is None:
            raise ValueError(f"`scoring` must be a registered score; got {self.scoring!r}.")
        labels, long = np.asarray(y), np.asarray(as_target(y))
        counts = np.unique(long, return_counts=True)[1]
        if len(counts) != 2 or counts.min() < 2:
            raise ValueError("tuning needs at least two patients of each class among those of training.")
        given = {"sample_weight": sample_weight, "time": time, "event": event}
        given = {
            name: np.asarray(values)
            for name, values in given.items()
            if values is not None and has_fit_parameter(self.estimator, name)
        }
        folds, seed = min(self.cv, int(counts.min())), 0 if self.random_state is None else int(self.random_state)
        splits = inner_splits(long, folds, self.repeats, seed)

        def evaluate(parameters: dict[str, Any]) -> float:
            model = clone(self.estimator).set_params(**parameters)
            values = []
            for train, test in splits:
                part = {name: array[train] for name, array in given.items()}
                one = seeded(model, seed).fit(take_rows(X, train), labels[train], **part)
                values.append(
                    factor(self.scoring) * found.function(long[test], probability_of_long(one, take_rows(X, test)))
                )
            return float(np.mean(values))

        self.results_, self.best_params_ = try_combinations(evaluate, self.grid, self.n_iter, self.random_state)
        self.inner_score_ = float(self.results_["score"].max())
        self.best_estimator_ = seeded(clone(self.estimator).set_params(**self.best_params_), seed).fit(
            X, labels, **given
        )
        self.classes_ = self.best_estimator_.classes_
        self.learnt_from_ = getattr(self.best_estimator_, "learnt_from_", "time" if "time" in given else "class")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities of the best model.

        Parameters
        ----------
        X : Cohort, DataFrame or array

        Returns
        -------
        ndarray of shape (n, 2)
        """
        check_is_fitted(self, "best_estimator_")
        return np.asarray(self.best_estimator_.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return classes by the best model.

        Parameters
        ----------
        X : Cohort, DataFrame or array

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self, "best_estimator_")
        return np.asarray(self.best_estimator_.predict(X))


def with_tuning(models: Mapping[str, Any], tune: Any) -> dict[str, Any]:
    """Wrap the models that are to be tuned.

    Parameters
    ----------
    models : mapping of str to estimator or Skipped
    tune : mapping of model to grid, or None

    Raises
    ------
    ValueError
        If `tune` names a model that is not compared, a parameter that it does not have, or a model of a target whose models are
        not tuned.
    """
    if not tune:
        return dict(models)
    unknown = [name for name in tune if name not in models]
    if unknown:
        raise ValueError(f"`tune` names {', '.join(map(str, unknown))}, but the models are {', '.join(models)}.")
    found = dict(models)
    for name, grid in tune.items():
        model = models[name]
        if isinstance(model, Skipped):
            continue
        grids: Sequence[Any] = [grid] if isinstance(grid, Mapping) else list(grid)
        absent = sorted({key for one in grids for key in one} - set(model.get_params()))
        if absent:
            raise ValueError(f"`tune[{name!r}]` names {', '.join(absent)}, which {type(model).__name__} does not have.")
        found[name] = comparison_of(target_of(model)).tuned(model, grid)
    return found


def inner_score(model: Any) -> float | None:
    """Return the inner score of a tuned model in the main score of comparisons; None where it has none."""
    target = target_of(model)
    main = next(iter(target.scores), None)
    own = getattr(model, "inner_score_", None)
    if own is not None and getattr(model, "scoring", None) == main:
        return float(own)
    best = getattr(model, "best_score_", None)
    return float(best) if best is not None and getattr(model, "scoring", None) in (target.scoring, main) else None


def inner_less_outer(run: Mapping[str, Any], scores: pd.DataFrame, metric: str) -> pd.Series:
    """Return by model the mean of inner less outer score over the folds of models that are tuned inside.

    `metric` is the main score of the comparison; another one than the first of its target has no inner scores.
    """
    rows = [
        (name, fold["repeat"], fold["fold"], fold["inner_score"])
        for name, entry in run["models"].items()
        for fold in entry.get("folds", [])
        if fold.get("inner_score") is not None
    ]
    firsts = [next(iter(target.scores), None) for target in TARGETS.values()]
    if not rows or metric not in firsts:
        return pd.Series(dtype=float)
    inner = pd.DataFrame(rows, columns=["model", "repeat", "fold", "inner"])
    both = inner.merge(scores, on=["model", "repeat", "fold"])
    return (both["inner"] - both[metric]).groupby(both["model"]).mean()
