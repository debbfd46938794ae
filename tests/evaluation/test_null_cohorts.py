"""A report names no model as better on cohorts in which nothing predicts, and names the one that predicts."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators.model_selection import compare_models
from prrt_estimators.report._conclusions import answer


class SomeColumns(LogisticRegression):
    """A model of some of the columns."""

    def __init__(self, first=0, C=1.0):
        super().__init__(C=C)
        self.first = first

    def fit(self, X, y):
        return super().fit(X[:, self.first : self.first + 3], y)

    def predict_proba(self, X):
        return super().predict_proba(X[:, self.first : self.first + 3])


def conclusions(seed: int, shift: float) -> str:
    rng = np.random.default_rng(seed)
    y = (np.arange(116) >= 42).astype(int)
    X = rng.normal(size=(116, 15))
    X[:, 3] += shift * y
    models = {f"model {k}": SomeColumns(3 * k) for k in range(5)}
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=seed)
    comparison = compare_models(models, X, y, cv=cv, verbose=0)
    return " ".join(answer(comparison, comparison.summary(reference="model 0", n_boot=10)))


def test_on_ten_null_cohorts_no_model_is_named():
    for seed in range(10):
        text = conclusions(seed, 0.0)
        assert "Shown to be better than chance" not in text
        assert "none was shown to differ" in text


def test_on_an_informative_cohort_the_model_that_predicts_is_named():
    text = conclusions(0, 1.6)
    assert "Shown to be better than chance (corrected for the number of models): model 1." in text
    assert "these differ: model 1" in text
