"""The ridge Cox classifier: against other implementations, as laws, and on the small inputs that break such learners."""

from __future__ import annotations

import lifelines
import numpy as np
import pandas as pd
import pytest
import sklearn
from check_helpers import WRONG_CHECKS
from cox_helpers import HORIZON, fitted, patients
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from prrt_estimators.estimators import CoxPFSClassifier


@parametrize_with_checks(
    [CoxPFSClassifier(), CoxPFSClassifier(prior={"x0": 1})],
    expected_failed_checks=lambda _: (
        WRONG_CHECKS
        | {"check_classifiers_classes": "'one' and 'two' do not say which is long PFS: such words need pos_label"}
    ),
)
def test_passes_every_check(estimator, check):
    before = repr(estimator)
    check(estimator)
    assert repr(estimator) == before, "a check works on a clone"
    assert not [name for name in vars(estimator) if name.endswith("_")], "and fits no other"


# Against other implementations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
def test_coefficients_minimise_the_penalised_breslow_likelihood(ties):
    X, months, event, _ = patients(60, 3, censored=0.3)
    months = np.ceil(months) if ties else months
    y = (months > HORIZON).astype(int)
    model = fitted(X, months, event, y, strength=20.0)
    Z = model.scaler_.transform(X.to_numpy())

    def loss(w):  # written down from the definition, one event at a time
        u = -Z @ w
        terms = [u[i] - np.log(np.exp(u[months >= months[i]]).sum()) for i in np.flatnonzero(event)]
        return 10.0 * w @ w - sum(terms)

    best = loss(model.coef_)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-4:
        assert loss(model.coef_ + step) > best


def test_agrees_with_lifelines_without_ties():
    X, months, event, y = patients(80, 3, censored=0.2)
    model = fitted(X, months, event, y, strength=24.0)
    table = pd.DataFrame(model.scaler_.transform(X.to_numpy())).assign(t=months, e=event)
    # lifelines divides by n, and penalises columns scaled by the SD with n - 1 in its denominator
    other = lifelines.CoxPHFitter(penalizer=24.0 / 80 * 79 / 80).fit(table, "t", "e")
    np.testing.assert_allclose(model.coef_, -other.params_.to_numpy(), atol=2e-4)


def test_class_alone_is_logistic_regression_with_little_trust():
    X, _, _, y = patients()
    model = CoxPFSClassifier().fit(X, y)
    Z = model.scaler_.transform(X.to_numpy())
    other = LogisticRegression(C=0.03, solver="newton-cholesky", tol=1e-12).fit(Z, y)
    np.testing.assert_allclose(model.coef_, other.coef_[0], atol=1e-8)
    np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(Z), atol=1e-8)
    assert model.learnt_from_ == "class"


def test_probability_is_kaplan_meier_like_where_nothing_is_known():
    _, months, event, y = patients(censored=0.3)
    model = fitted(np.zeros((90, 2)), months, event, y)
    hazard = lifelines.NelsonAalenFitter(nelson_aalen_smoothing=False).fit(months, event)
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 2)))[0, 1], np.exp(-hazard.predict(HORIZON)), rtol=1e-9)


def test_evidence_of_a_grid_agrees_with_numerical_integration():
    X, months, event, y = patients(40, 1)
    model = fitted(X, months, event, y)
    Z = model.scaler_.transform(X.to_numpy())[:, 0]
    grid = np.linspace(-4, 4, 4001)
    likelihood = np.zeros(len(grid))
    for i in np.flatnonzero(event):
        risk = months >= months[i]
        likelihood += -grid * Z[i] - np.log(np.exp(-np.outer(grid, Z[risk])).sum(axis=1))
    from prrt_estimators.estimators import _ridge_cox

    precisions = 50 * _ridge_cox._FACTORS
    weights, means = [], []
    for a in precisions:
        density = np.exp(likelihood - likelihood.max() - a / 2 * grid**2) * np.sqrt(a)
        weights.append(density.sum() * np.exp(-0.5 * (np.log(a / 50)) ** 2))
        means.append(grid[density.argmax()])
    assert model.coef_[0] == pytest.approx(np.average(means, weights=weights), rel=0.02)


# Laws -------------------------------------------------------------------------------------------------------------


def test_planted_column_is_found_and_a_shuffled_outcome_is_not():
    X, months, event, y = patients(200)
    model = fitted(X.iloc[:100], months[:100], event[:100], y[:100])
    assert model.coef_[0] < 2 * -np.abs(model.coef_[1:]).max()
    assert roc_auc_score(y[100:], model.predict_proba(X[100:])[:, 1]) > 0.7
    order = np.random.default_rng(1).permutation(100)
    null = fitted(X.iloc[:100], months[order], event[order], y[order])
    assert np.abs(null.coef_).max() < 0.2


def test_time_tells_more_than_the_class():
    better = []
    for seed in range(12):
        X, months, event, y = patients(400, 6, seed=seed)
        train, test = slice(0, 70), slice(70, 400)
        time = fitted(X[train], months[train], event[train], y[train])
        only = CoxPFSClassifier().fit(X[train], y[train])
        scores = [roc_auc_score(y[test], one.predict_proba(X[test])[:, 1]) for one in (time, only)]
        better.append(scores[0] - scores[1])
    assert np.mean(better) > 0.005


def test_order_of_rows_has_no_say_with_tied_times():
    X, months, event, _ = patients(censored=0.4)
    months = np.ceil(months / 3) * 3
    y = (months > HORIZON).astype(int)
    order = np.random.default_rng(0).permutation(len(y))
    one = fitted(X, months, event, y)
    other = fitted(X.iloc[order], months[order], event[order], y[order])
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-10)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-10)


def test_order_of_columns_is_that_of_the_names():
    X, months, event, y = patients()
    one = fitted(X, months, event, y, prior={"c0": -1, "c2": 1})
    other = fitted(X[X.columns[::-1]], months, event, y, prior={"c0": -1, "c2": 1})
    by_name = dict(zip(other.feature_names_in_, other.coef_, strict=True))
    np.testing.assert_allclose([by_name[name] for name in X], one.coef_, atol=1e-10)


def test_weights_count_as_repeated_patients():
    X, months, event, y = patients(60)
    weights = np.random.default_rng(0).integers(0, 4, 60)
    rows = np.repeat(np.arange(60), weights)
    one = CoxPFSClassifier().fit(X, y, sample_weight=weights, time=months, event=event)
    other = fitted(X.iloc[rows], months[rows], event[rows], y[rows])
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-8)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-8)


def test_horizon_is_read_from_the_class():
    X, months, event, _ = patients(censored=0.2)
    model = fitted(X, months, event, (months > 18).astype(int))
    assert 12 < model.horizon_ <= 18
    assert fitted(X, months, event, (months > 12).astype(int)).horizon_ == 12
    # Censored before the horizon, and called short: nothing contradicts that.
    lost = np.where((months > 14) & (months < 18), False, event)
    assert fitted(X, months, lost, (months > 18).astype(int)).horizon_ <= 18
    earlier = fitted(X, months, event, (months > 12).astype(int))
    assert (earlier.predict_proba(X)[:, 1] > model.predict_proba(X)[:, 1]).all()


def test_times_reach_the_model_through_pipeline_search_and_cross_validation():
    X, months, event, y = patients()
    seen = []

    class Spy(CoxPFSClassifier):
        def fit(self, X, y, sample_weight=None, time=None, event=None):
            seen.append(None if time is None else np.asarray(time))
            return super().fit(X, y, sample_weight=sample_weight, time=time, event=event)

    cv = StratifiedKFold(3)
    parts = [months[train] for train, _ in cv.split(X, y)]
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(FunctionTransformer(), Spy().set_fit_request(time=True, event=True))
        scores = cross_val_score(
            model, X, y, cv=cv, scoring="roc_auc", params={"time": months, "event": event}, error_score="raise"
        )
        assert scores.mean() > 0.65
        for got, part in zip(seen, parts, strict=True):
            np.testing.assert_array_equal(got, part)
        search = GridSearchCV(Spy().set_fit_request(time=True, event=True), {"strength": [5.0, "evidence"]}, cv=cv)
        assert search.fit(X, y, time=months, event=event).best_estimator_.learnt_from_ == "time"
    seen.clear()
    cross_val_score(Spy(), X, y, cv=cv, params={"time": months, "event": event}, error_score="raise")
    np.testing.assert_array_equal(seen[0], parts[0])


# The prior --------------------------------------------------------------------------------------------------------


def test_right_directions_move_the_coefficients_and_wrong_ones_are_outvoted():
    X, months, event, y = patients(120, 3)
    plain, right, wrong = (fitted(X, months, event, y, strength=50.0, prior=p) for p in (None, {"c0": -1}, {"c0": 1}))
    assert right.coef_[0] < plain.coef_[0]
    assert right.prior_coef_[0] < 0
    assert right.prior_share_ > 0.25 > wrong.prior_share_  # 0.25 is what the odds alone give
    assert wrong.directions_["contradicted"].tolist() == [True]
    assert right.directions_["contradicted"].tolist() == [False]
    np.testing.assert_allclose(right.coef_without_prior_, plain.coef_, atol=1e-10)
    assert (plain.prior_coef_ == 0).all()


def test_prior_may_be_a_table_and_holds_for_its_tracer_only():
    X, months, event, y = patients(60, 2)
    table = pd.DataFrame({"variable": ["c0", "c1"], "direction": [-1, 1], "tracer": ["sstr", "any"]})
    used = lambda tracer: fitted(X, months, event, y, prior=table, tracer=tracer).directions_["column"].tolist()  # noqa: E731
    assert used("68Ga-DOTATOC") == ["c0", "c1"]
    assert used("18F-FDG") == used(None) == ["c1"]


def test_prior_works_for_the_class_alone():
    X, _, _, y = patients(60, 2)
    model = CoxPFSClassifier(prior={"c0": -1}).fit(X, y)
    assert model.prior_coef_[0] < 0
    assert model.coef_[0] < CoxPFSClassifier().fit(X, y).coef_[0]


@pytest.mark.parametrize("prior", ["publised", pd.DataFrame({"variable": ["c0"]}), {"c0": 2}])
def test_prior_that_cannot_be_read_is_refused(prior):
    with pytest.raises(ValueError, match="prior"):
        CoxPFSClassifier(prior=prior).fit(*np.split(np.eye(4), [3], axis=1)[:1], [0, 1, 0, 1])
