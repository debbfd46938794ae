"""Nested tuning in one call."""

import sys

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators._survival import as_survival
from prrt_estimators._targets import ClassTarget
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators import CoxPFSClassifier, CoxPFSSurvival
from prrt_estimators.exceptions import MissingDependencyError
from prrt_estimators.model_selection import Skipped, TunedClassifier, TunedSurvival, compare_models
from prrt_estimators.model_selection._parameter_search import try_combinations
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
        TunedClassifier(LogisticRegression(), {"C": [1]}, scoring="luck").fit(X, y)


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


# Optuna, and survival models -----------------------------------------------------------------------------------------


def times(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    months, limit = 14 * np.exp(-X["a"].to_numpy()) * rng.exponential(size=n), rng.uniform(10, 50, n)
    return X, as_survival((months <= limit, np.minimum(months, limit)))


def test_distributions_are_searched_within_their_limits_and_alike_each_time():
    X, y = table()
    grid = {"C": FloatDistribution(1e-4, 10.0, log=True), "fit_intercept": [True, False]}
    verbosity = optuna.logging.get_verbosity()
    one, other = (TunedClassifier(LogisticRegression(), grid, n_iter=8, random_state=1).fit(X, y) for _ in range(2))
    assert optuna.logging.get_verbosity() == verbosity
    pd.testing.assert_frame_equal(one.results_, other.results_)
    assert one.results_["C"].between(1e-4, 10).all()
    assert one.results_["C"].nunique() == 8
    assert one.inner_score_ == one.results_["score"].max()
    best = one.results_.loc[one.results_["score"].idxmax()]
    assert (one.best_params_["C"], one.best_params_["fit_intercept"]) == (best["C"], best["fit_intercept"])
    # The score of the best is that of a search by scikit-learn over it alone.
    cv = StratifiedKFold(3, shuffle=True, random_state=1)
    theirs = GridSearchCV(LogisticRegression(), {k: [v] for k, v in one.best_params_.items()}, scoring="roc_auc", cv=cv)
    assert theirs.fit(X, y).best_score_ == pytest.approx(one.inner_score_)


def test_the_sampler_comes_near_a_planted_optimum():
    tried = []

    def evaluate(parameters):
        tried.append(parameters["x"])
        return -((parameters["x"] - 0.3) ** 2) if parameters["kind"] == "right" else -9.0

    grid = {"x": FloatDistribution(0, 1), "kind": ["wrong", "right"]}
    _, best = try_combinations(evaluate, grid, 60, 0)
    assert best["kind"] == "right"
    assert abs(best["x"] - 0.3) < 0.05
    with pytest.raises(ValueError, match="no combination of `grid` has a score"):
        try_combinations(lambda _: float("nan"), grid, 3, 0)
    with pytest.raises(ValueError, match="must be a sequence of values"):
        try_combinations(evaluate, grid | {"kind": "right"}, 3, 0)


def test_without_optuna_the_extra_is_named(monkeypatch):
    grid = {"C": FloatDistribution(0.1, 1.0)}
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"prrt-estimators\[optuna\]"):
        TunedClassifier(LogisticRegression(), grid).fit(*table(30))
    TunedClassifier(LogisticRegression(), {"C": [0.1]}).fit(*table(30))


def test_a_survival_model_is_tuned_by_the_concordance_of_inner_folds():
    X, y = times()
    grid = {"strength": [1e-2, 1.0, 1e4], "clip": [5.0]}
    model = TunedSurvival(CoxPFSSurvival(), grid).fit(X, y)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    splits = list(cv.split(X, TimeTarget().strata(y)))
    theirs = GridSearchCV(CoxPFSSurvival(), grid, scoring="uno_c", cv=splits).fit(X, y)
    assert model.best_params_ == theirs.best_params_
    assert model.inner_score_ == pytest.approx(theirs.best_score_)
    np.testing.assert_array_equal(model.predict(X), theirs.predict(X))
    np.testing.assert_array_equal(
        model.predict_survival_function(X, [6.0]), theirs.best_estimator_.predict_survival_function(X, [6.0])
    )
    curves = model.predict_survival_function(X)
    assert curves.shape == (len(X), len(model.unique_times_))
    falls = np.isfinite(model.predict_median(X))
    assert falls.any()
    np.testing.assert_array_equal(falls, curves[:, -1] <= 0.5)
    np.testing.assert_array_equal(model.predict_median(X), theirs.best_estimator_.predict_median(X))
    found = TunedSurvival(CoxPFSSurvival(), {"strength": FloatDistribution(1e-2, 1e2, log=True)}, n_iter=4).fit(X, y)
    assert found.results_["strength"].between(1e-2, 1e2).all()
    with pytest.raises(ValueError, match="registered score of times"):
        TunedSurvival(CoxPFSSurvival(), grid, scoring="auroc").fit(X, y)
    with pytest.raises(ValueError, match="two training patients who progressed"):
        TunedSurvival(CoxPFSSurvival(), grid).fit(X, {"event": [True] + [False] * 59, "time": y["time"]})


def test_a_comparison_tunes_survival_models_and_classifiers_side_by_side():
    X, y = times(45)
    models = {"cox": CoxPFSSurvival(), "plain": CoxPFSSurvival(), "linear": LogisticRegression()}
    tune = {"cox": {"strength": [0.1, 100.0]}, "linear": {"C": [0.1, 1.0]}}
    comparison = compare_models(models, X, y, cv=3, tune=tune, verbose=0)
    assert set(comparison.status["status"]) == {"ok"}
    summary = comparison.summary()
    inner = [fold["inner_score"] for fold in comparison.run["models"]["cox"]["folds"]]
    outer = comparison.scores.query("model == 'cox'")["uno_c"]
    assert summary.loc["cox", "inner_less_outer"] == pytest.approx(np.mean(inner) - outer.mean())
    assert summary["inner_less_outer"].isna().tolist() == [False, True, True]


def test_a_pipeline_around_a_survival_model_is_tuned():
    X, y = times()
    inside = make_pipeline(StandardScaler(), CoxPFSSurvival())
    grid = {"coxpfssurvival__strength": [0.1, 10.0]}
    tuned = with_tuning({"one": inside}, {"one": grid})["one"].fit(X, y)
    assert isinstance(tuned, TunedSurvival)
    best = clone(inside).set_params(**tuned.best_params_).fit(X, y)
    np.testing.assert_array_equal(tuned.predict(X), best.predict(X))
    assert tuned.predict_survival_function(X).shape == (len(X), len(tuned.unique_times_))


def test_models_of_another_target_are_refused_with_a_remedy():
    class Other(ClassTarget):
        name, title = "other", "dose"

    model = LogisticRegression()
    model._target = Other()
    with pytest.raises(ValueError, match=r"learns the dose.*GridSearchCV"):
        with_tuning({"one": model}, {"one": {"C": [1.0]}})


def test_inner_folds_are_fewer_where_few_progressed_early_and_odd_patients_are_refused():
    X, y = times()
    late = y.copy()
    late["time"] += 13
    late["time"][:2] = 2.0
    late["event"][:2] = True
    model = TunedSurvival(CoxPFSSurvival(), {"strength": [1.0]}).fit(X, late)  # in two inner folds
    assert np.isfinite(model.inner_score_)
    late["time"][1] = 30.0
    with pytest.raises(ValueError, match="two training patients who progressed by the horizon"):
        TunedSurvival(CoxPFSSurvival(), {"strength": [1.0]}).fit(X, late)


def test_a_comparison_over_distributions_resumes(tmp_path):
    X, y = table(42)

    def compare():
        tune = {"one": {"C": FloatDistribution(0.1, 1.0)}}
        return compare_models({"one": Slow()}, X, y, cv=2, tune=tune, out=tmp_path, verbose=0)

    first = compare()
    fitted = len(Slow.fitted)
    pd.testing.assert_frame_equal(compare().scores, first.scores)
    assert len(Slow.fitted) == fitted > 0


class Slow(LogisticRegression):
    """Counts its fits."""

    fitted = []  # noqa: RUF012 - shared on purpose

    def fit(self, X, y, sample_weight=None):
        self.fitted.append(1)
        return super().fit(X, y, sample_weight)
