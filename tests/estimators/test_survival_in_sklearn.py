"""Survival models inside pipelines and searches of scikit-learn, with volumes in NIfTI files."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators import Cohort, compare_models
from prrt_estimators._survival import as_survival
from prrt_estimators.estimators import CoxPFSSurvival, FusionPFSSurvival, LabPFSSurvival
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.metrics import prrt_scorers, survival_curves

SCORES = list(prrt_scorers("time"))


def times(n, seed=0):
    rng = np.random.default_rng(seed)
    months, limit = 14 * rng.exponential(size=n), rng.uniform(10, 50, n)
    return as_survival((months <= limit, np.minimum(months, limit)))


@pytest.fixture
def data(nifti_cohort):
    X = nifti_cohort(18)[0]
    return X, times(18)


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    return pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"]), times(60)


@pytest.fixture
def fusion():
    return FusionPFSSurvival(size=8, max_epochs=1, random_state=0, device="cpu")


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # folds of nine patients say little
        return call()


def test_a_pipeline_has_every_score_of_its_model(data, fusion):
    X, y = data
    piped = Pipeline([("same", "passthrough"), ("model", fusion)])
    alone = quiet(lambda: cross_validate(fusion, X, y, cv=2, scoring=SCORES, error_score="raise"))
    found = quiet(lambda: cross_validate(piped, X, y, cv=2, scoring=SCORES, error_score="raise", n_jobs=2))
    for name in SCORES:
        np.testing.assert_allclose(found[f"test_{name}"], alone[f"test_{name}"], rtol=1e-5)
        assert np.isfinite(found[f"test_{name}"]).any(), name


def test_a_search_around_a_pipeline_is_validated_by_curves(data, fusion):
    X, y = data
    piped = Pipeline([("same", "passthrough"), ("model", fusion)])
    search = GridSearchCV(piped, {"model__head": ["hazard", "cox"]}, cv=2, scoring="uno_c", error_score="raise")
    wanted = ["uno_c", "neg_brier_horizon", "neg_d_calibration"]
    found = quiet(lambda: cross_validate(search, X, y, cv=2, scoring=wanted, error_score="raise"))
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in wanted)
    fitted = quiet(lambda: search.fit(X, y))
    inner = fitted.best_estimator_[-1].predict_survival_function(X, [12.0])
    np.testing.assert_array_equal(survival_curves(fitted, X, [12.0]), inner)
    assert clone(fitted).get_params()["estimator__model__size"] == 8


def test_a_search_by_several_scores_refits_by_the_one_named(table):
    X, y = table
    piped = make_pipeline(StandardScaler(), CoxPFSSurvival())
    search = GridSearchCV(
        piped,
        {"coxpfssurvival__strength": [1.0, 1e4]},
        cv=3,
        scoring=SCORES,
        refit="neg_integrated_brier",
        error_score="raise",
    )
    search = quiet(lambda: search.fit(X, y))
    means = search.cv_results_["mean_test_neg_integrated_brier"]
    assert search.best_index_ == means.argmax()
    assert means[0] != means[1]


def test_scores_of_curves_with_metadata_routing(table):
    X, y = table
    piped = make_pipeline(StandardScaler(), CoxPFSSurvival())
    plain = quiet(lambda: cross_validate(piped, X, y, cv=3, scoring=SCORES, error_score="raise"))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = quiet(lambda: cross_validate(piped, X, y, cv=3, scoring=SCORES, error_score="raise"))
    for name in SCORES:
        np.testing.assert_array_equal(routed[f"test_{name}"], plain[f"test_{name}"])


def test_a_model_without_curves_is_named(table):
    from sklearn.linear_model import LinearRegression

    class Months(LinearRegression):
        def fit(self, X, y):
            return super().fit(X, -y["time"])

    X, y = table
    assert np.isfinite(cross_val_score(Months(), X, y, cv=2, scoring="uno_c", error_score="raise")).all()
    with pytest.raises(TypeError, match="Months has no predict_survival_function"):
        cross_val_score(make_pipeline(Months()), X, y, cv=2, scoring="neg_brier_horizon", error_score="raise")


def test_a_comparison_takes_pipelines_and_searches(table):
    X, y = table
    alone = LabPFSSurvival()
    models = {
        "alone": alone,
        "piped": make_pipeline("passthrough", alone),
        "search": GridSearchCV(alone, {"clip": [5.0]}, cv=2, scoring="uno_c"),
    }
    comparison = quiet(lambda: compare_models(models, X, y, cv=3, verbose=0))
    assert comparison.status["status"].tolist() == ["ok"] * 3
    scores = [rows[SCORES].to_numpy() for _, rows in comparison.scores.groupby("model", sort=False)]
    np.testing.assert_array_equal(scores[1], scores[0])
    np.testing.assert_array_equal(scores[2], scores[0])


def test_cox_takes_the_table_of_a_cohort(table, data):
    X, y = table
    cohort = Cohort({"lab": X}, survival=y)
    model, other = CoxPFSSurvival().fit(cohort, y), CoxPFSSurvival().fit(X, y)
    np.testing.assert_array_equal(model.predict(cohort), other.predict(X))
    np.testing.assert_array_equal(model.predict({"lab": X}), other.predict(X))
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert model.score(cohort, y) == other.score(X, y)
    assert np.isfinite(cross_val_score(model, cohort, y, cv=3, scoring="uno_c", error_score="raise")).all()
    scans, months = data
    with pytest.raises(MissingModalityError, match="lab"):
        CoxPFSSurvival().fit(scans.select("pet"), months)
    with pytest.raises(ValueError, match="sex of the table hold text"):
        CoxPFSSurvival().fit(scans.select("lab"), months)


@pytest.mark.parametrize("form", [dict, pd.DataFrame])
def test_times_of_every_form_go_with_weights_of_zero(form):
    rng = np.random.default_rng(0)
    X, months = pd.DataFrame(rng.normal(size=(30, 2)), columns=["a", "b"]), rng.exponential(15, 30) + 0.1
    y, keep = form({"event": months < 12, "time": months}), np.arange(30) < 24
    weighted = LabPFSSurvival().fit(X, y, sample_weight=keep.astype(float))
    alone = LabPFSSurvival().fit(X[keep], {"event": months[keep] < 12, "time": months[keep]})
    np.testing.assert_allclose(weighted.predict(X), alone.predict(X))
    with pytest.raises(ValueError, match="progressed"):
        LabPFSSurvival().fit(X, y, sample_weight=(months >= 12).astype(float))
