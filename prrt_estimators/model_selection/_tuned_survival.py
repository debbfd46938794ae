"""Parameters of survival models chosen inside each training set."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from prrt_estimators._classes import check_all_in_order
from prrt_estimators._survival import as_survival, censoring_curve
from prrt_estimators._targets import target_of_outcome
from prrt_estimators.metrics import find_score, survival_curves
from prrt_estimators.metrics._survival_entries import SurvivalScorer
from prrt_estimators.model_selection._fold import seeded, take_rows
from prrt_estimators.model_selection._parameter_search import inner_splits, try_combinations


class TunedSurvival(BaseEstimator):
    """Choose parameters of a survival model by cross-validation inside the training patients, then fit it to all of them.

    Parameters
    ----------
    estimator : survival model
        With ``predict`` and ``predict_survival_function``.
    grid : mapping of parameter to values or distributions, or sequence of mappings to values
        As of `TunedClassifier`.
    cv : int, default=3
        Inner folds, stratified by progression up to 12 months; fewer where there are fewer such patients.
    repeats : int, default=1
        Repeats of the inner folds.
    scoring : str, default="uno_c"
        Name of a registered score of times; censoring is weighted as among the inner training patients.
    n_iter : int, default=None
        Combinations drawn without replacement; all if None. Of distributions, trials; 20 if None.
    random_state : int, default=None
        Seed of inner folds and draws.

    Attributes
    ----------
    best_estimator_ : survival model
        Fitted to all training patients.
    best_params_ : dict
    inner_score_ : float
        Mean inner score of the best combination. It is the greatest of several, so that it flatters the model.
    results_ : DataFrame
        ``score`` and parameters, one row per combination.
    unique_times_ : ndarray of shape (m,)
        Months of the progressions of the training patients.

    Examples
    --------
    >>> from prrt_estimators.estimators import CoxPFSSurvival
    >>> rng = np.random.default_rng(0)
    >>> X, months = rng.normal(size=(60, 2)), rng.exponential(15, 60)
    >>> y = {"event": months < 30, "time": np.minimum(months, 30)}
    >>> model = TunedSurvival(CoxPFSSurvival(), {"strength": [0.1, 10.0]}).fit(X, y)
    >>> sorted(model.results_.columns), model.predict(X).shape
    (['score', 'strength'], (60,))
    """

    def __init__(
        self,
        estimator: Any,
        grid: Any,
        *,
        cv: int = 3,
        repeats: int = 1,
        scoring: str = "uno_c",
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TunedSurvival:
        """Try combinations on inner folds and fit the best.

        Parameters
        ----------
        X : Cohort, DataFrame or array of shape (n, ...)
            Training patients.
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the grid is empty, the score is not one of times, fewer than two patients progressed, or no combination has a
            score.
        MissingDependencyError
            If the grid holds distributions and Optuna is not installed.
        """
        check_all_in_order(X=X, y=y, sample_weight=sample_weight)
        found = find_score(self.scoring)
        scorer = None if found is None else found.scorer
        if not isinstance(scorer, SurvivalScorer):
            raise ValueError(f"`scoring` must be a registered score of times, e.g. 'uno_c'; got {self.scoring!r}.")
        survival = as_survival(y)
        strata = target_of_outcome(survival).for_folds(survival)[1]
        fewest = int(np.bincount(strata, minlength=2).min())
        if int(survival["event"].sum()) < 2:
            raise ValueError("tuning needs at least two training patients who progressed.")
        if fewest == 0:  # all in one stratum: nothing to keep in balance
            fewest = len(survival)
        if fewest < 2:
            raise ValueError("tuning needs two training patients who progressed by the horizon, and two who did not.")
        self.unique_times_ = np.unique(survival["time"][survival["event"]])
        weights = None
        if sample_weight is not None and has_fit_parameter(self.estimator, "sample_weight"):
            weights = np.asarray(sample_weight)
        seed = 0 if self.random_state is None else int(self.random_state)
        splits = inner_splits(strata, min(self.cv, fewest), self.repeats, seed)

        def evaluate(parameters: dict[str, Any]) -> float:
            model, values = clone(self.estimator).set_params(**parameters), []
            for train, test in splits:
                given = {} if weights is None else {"sample_weight": weights[train]}
                one = seeded(model, seed).fit(take_rows(X, train), survival[train], **given)
                censored_as = scorer.given(train=censoring_curve(survival[train]))
                values.append(float(censored_as(one, take_rows(X, test), as_survival(survival[test]))))
            known = [value for value in values if np.isfinite(value)]  # a fold without a progression has no score
            return float(np.mean(known)) if known else float("nan")

        self.results_, self.best_params_ = try_combinations(evaluate, self.grid, self.n_iter, self.random_state)
        self.inner_score_ = float(self.results_["score"].max())
        given = {} if weights is None else {"sample_weight": weights}
        best = seeded(clone(self.estimator).set_params(**self.best_params_), seed)
        self.best_estimator_ = best.fit(X, survival, **given)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the risks that the best model predicts.

        Parameters
        ----------
        X : Cohort, DataFrame or array

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self, "best_estimator_")
        return np.asarray(self.best_estimator_.predict(X))

    def predict_survival_function(self, X: Any, times: Any = None) -> np.ndarray:
        """Return P(PFS > t) by the best model.

        Parameters
        ----------
        X : Cohort, DataFrame or array
        times : array-like of shape (m,), default=None
            Months; `unique_times_` if None.

        Returns
        -------
        ndarray of shape (n, m)
        """
        check_is_fitted(self, "best_estimator_")
        return survival_curves(self.best_estimator_, X, self.unique_times_ if times is None else times)

    def predict_median(self, X: Any) -> np.ndarray:
        """Return the first time in months at which P(PFS > t) is at most a half.

        Parameters
        ----------
        X : Cohort, DataFrame or array

        Returns
        -------
        ndarray of shape (n,)
            Infinite where the curve does not fall so low.
        """
        reached = self.predict_survival_function(X) <= 0.5
        return np.where(reached.any(axis=1), self.unique_times_[reached.argmax(axis=1)], np.inf)
