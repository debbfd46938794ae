"""Small cohorts and classifiers, well and badly behaved, for the tests of comparisons."""

from __future__ import annotations

import uuid
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import CohortError, MissingModalityError, Problem


def table(n: int = 45, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.tile([0, 1, 1], n // 3)
    X = rng.normal(size=(n, 3))
    X[:, 0] += y
    return X, y


def cohort(n: int = 45) -> tuple[Cohort, np.ndarray]:
    X, y = table(n)
    survival = np.array([(True, 20.0 if one else 5.0) for one in y], dtype=[("event", bool), ("time", float)])
    frame = pd.DataFrame(X, columns=["cga", "ggt", "ast"])
    return Cohort({"lab": frame}, ids=[f"P{k}" for k in range(n)], survival=survival), y


class OnCohort(ClassifierMixin, BaseEstimator):
    """Logistic regression on the labs of a Cohort, with switches to misbehave."""

    def __init__(self, fail=None, problem=None, random_state=None, needs=None, counter=None):
        self.fail = fail
        self.problem = problem
        self.random_state = random_state
        self.needs = needs
        self.counter = counter

    def prepare(self, X, progress=None):
        if self.problem:
            raise CohortError([Problem(self.problem, "mend it", patient="P1")])
        if self.needs and self.needs not in X:
            raise MissingModalityError.of("OnCohort", [self.needs], X.modalities)
        return self

    def fit(self, X, y, sample_weight=None):
        if self.counter:
            Path(self.counter).mkdir(exist_ok=True)
            (Path(self.counter) / uuid.uuid4().hex).touch()
        warnings.warn("the markers are few", UserWarning, stacklevel=2)
        if self.fail:
            raise self.fail
        self.classes_ = np.unique(y)
        self.model_ = LogisticRegression().fit(X["lab"].to_numpy(), y, sample_weight)
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X["lab"].to_numpy())


def fits(path: Path) -> int:
    return len(list(path.iterdir())) if path.exists() else 0


class NoiseClassifier(ClassifierMixin, BaseEstimator):
    """Answers that have nothing to do with the patients."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = np.random.default_rng(self.random_state).uniform(size=len(X))
        return np.column_stack([1 - p, p])


class RandomForestLab(OnCohort):
    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.model_ = RandomForestClassifier(n_estimators=5, random_state=self.random_state)
        self.model_.fit(X["lab"].to_numpy(), y, sample_weight)
        return self
