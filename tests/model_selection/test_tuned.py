"""Nested tuning in one call."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators import CoxPFSClassifier
from prrt_estimators.model_selection import Skipped, TunedClassifier, compare_models
from prrt_estimators.model_selection._tuned import with_tuning


def table(n=60, seed=0, shift=1.0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 3)), np.tile([0, 1, 1], n // 3)
    X[:, 0] += shift * y
    return X, y


def test_the_choice_is_that_of_a_search_by_scikit_learn():
    X, y = table()
    grid = {"C": [1e-4, 1e-2, 1.0]}
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    theirs = GridSearchCV(LogisticRegression(), grid, scoring="roc_auc", cv=cv).fit(X, y)
    ours = TunedClassifier(LogisticRegression(), grid).fit(X, y)
    assert ours.best_params_ == theirs.best_params_
    assert ours.inner_score_ == pytest.approx(theirs.best_score_)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_weights_and_times_reach_the_inner_fits():
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y, sample_weight=None, time=None):
            seen.append((len(X), sample_weight.sum(), time.max()))
            return super().fit(X, y, sample_weight)

    X, y = table(30)
    TunedClassifier(Spy(), {"C": [1.0]}).fit(X, y, sample_weight=np.full(30, 2.0), time=np.arange(30.0))
    assert [one[:2] for one in seen] == [(20, 40.0)] * 3 + [(30, 60.0)]
    assert seen[-1][2] == 29
    months = np.where(y == 1, 20.0, 5.0) + np.arange(30) / 100
    model = TunedClassifier(CoxPFSClassifier(), {"tracer": [None]}).fit(
        pd.DataFrame(X, columns=list("abc")), y, time=months, event=np.ones(30)
    )
    assert model.learnt_from_ == "time"


def test_some_combinations_are_drawn():
    X, y = table(30)
    model = TunedClassifier(LogisticRegression(), {"C": [0.1, 1.0, 10.0], "tol": [1e-3, 1e-4]}, n_iter=4).fit(X, y)
    assert len(model.results_) == 4
    assert not model.results_.duplicated(["C", "tol"]).any()


def test_a_comparison_tunes_inside_and_reports_how_much_the_inner_score_flatters():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(45, 8)), np.tile([0, 1, 1], 15)
    models = {"near": KNeighborsClassifier(), "plain": LogisticRegression(), "ct": Skipped("none")}
    grid = {"n_neighbors": [1, 3, 5, 7, 9], "weights": ["uniform", "distance"]}
    comparison = compare_models(models, X, y, cv=3, tune={"near": grid, "ct": grid}, verbose=0)
    summary = comparison.summary()
    inner, outer = [], []
    for fold in comparison.run["models"]["near"]["folds"]:
        inner.append(fold["inner_score"])
        own = comparison.predictions.query(f"model == 'near' and fold == {fold['fold']}")
        outer.append(roc_auc_score(own["y_true"], own["y_score"]))
    assert summary.loc["near", "inner_less_outer"] == pytest.approx(np.mean(inner) - np.mean(outer))
    assert np.isnan(summary.loc["plain", "inner_less_outer"])
    assert "inner_less_outer" not in compare_models({"plain": LogisticRegression()}, X, y, cv=3, verbose=0).summary()


def test_what_cannot_be_tuned_is_refused():
    X, y = table(30)
    with pytest.raises(ValueError, match="`tune` names lab"):
        compare_models({"a": LogisticRegression()}, X, y, tune={"lab": {"C": [1]}}, verbose=0)
    with pytest.raises(ValueError, match=r"names depth, which LogisticRegression"):
        compare_models({"a": LogisticRegression()}, X, y, tune={"a": {"depth": [1]}}, verbose=0)
    with pytest.raises(ValueError, match="no combination"):
        TunedClassifier(LogisticRegression(), {}).fit(X, y)
    with pytest.raises(ValueError, match="registered score"):
        TunedClassifier(LogisticRegression(), {"C": [1]}, score="luck").fit(X, y)


def test_a_skipped_model_hides_no_other_from_tuning():
    models = {"absent": Skipped("no CT"), "linear": LogisticRegression()}
    found = with_tuning(models, {"absent": {"C": [1.0]}, "linear": {"C": [0.1, 1.0]}})
    assert found["absent"] is models["absent"]
    assert isinstance(found["linear"], TunedClassifier)
    assert found["linear"].grid == {"C": [0.1, 1.0]}


def test_a_cohort_is_tuned_like_a_table():
    X, y = table(30)
    cohort = Cohort({"lab": pd.DataFrame(X, columns=list("abc"))})

    class OnLabs(LogisticRegression):
        def fit(self, X, y):
            return super().fit(X["lab"].to_numpy(), y)

        def predict_proba(self, X):
            return super().predict_proba(X["lab"].to_numpy())

    one = TunedClassifier(OnLabs(), {"C": [0.1, 1.0]}).fit(cohort, y)
    other = TunedClassifier(LogisticRegression(), {"C": [0.1, 1.0]}).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(cohort), other.predict_proba(X))
