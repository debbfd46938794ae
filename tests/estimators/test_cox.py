"""The ridge Cox classifier: against other implementations, as laws, and on the small inputs that break such learners."""

from __future__ import annotations

import warnings

import lifelines
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from prrt_estimators.estimators import CoxPFSClassifier
from prrt_estimators.exceptions import FewEventsWarning

HORIZON = 12.0


@parametrize_with_checks([CoxPFSClassifier(), CoxPFSClassifier(prior={"x0": 1})])
def test_passes_every_check(estimator, check):
    check(estimator)


def patients(n=90, p=4, *, censored=0.0, seed=0):
    """Return table, months, events and class of patients whose first column shortens PFS."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"c{k}" for k in range(p)])
    months = 16 * (rng.exponential(size=n) * np.exp(-0.8 * X["c0"].to_numpy())) ** 0.8
    leave = np.where(rng.random(n) < censored, rng.uniform(HORIZON, 40, n), np.inf)
    event = months <= leave
    months = np.minimum(months, leave)
    return X, months, event, (months > HORIZON).astype(int)


def fitted(X, months, event, y, **options):
    return CoxPFSClassifier(**options).fit(X, y, time=months, event=event)


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
    from prrt_estimators.estimators import _cox

    precisions = 50 * _cox._FACTORS
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


# Small inputs that broke a learner in silence ---------------------------------------------------------------------


def auc_with(change, **options):
    """Return the AUROC on other patients after something was done to the training table."""
    X, months, event, y = patients(400, 4, **options)
    X, rest = change(X.iloc[:100].copy()), X.iloc[100:]
    rest = rest.reindex(columns=X.columns, fill_value=0.0)
    return roc_auc_score(y[100:], fitted(X, months[:100], event[:100], y[:100]).predict_proba(rest)[:, 1])


USUAL = auc_with(lambda X: X)


def put(column, rows, value):
    def change(X):
        X.iloc[rows, column] = value
        return X

    return change


def scaled(factor):
    X, months, event, y = patients(400, 4)
    X["c0"] *= factor
    model = fitted(X.iloc[:100], months[:100], event[:100], y[:100])
    return roc_auc_score(y[100:], model.predict_proba(X.iloc[100:])[:, 1])


@pytest.mark.parametrize("value", [1e6, -1e6, 1e300])
def test_one_wild_value_does_little(value):
    scores = [auc_with(put(0, [row], value)) for row in range(8)]
    assert np.mean(scores) > USUAL - 0.02


@pytest.mark.parametrize("factor", [1e-12, 1e-200, 1e12, 1e200, -1.0])
def test_units_do_not_matter(factor):
    assert scaled(factor) == pytest.approx(USUAL, abs=1e-9)


def test_shift_does_not_matter():
    assert auc_with(lambda X: X + 0.0) == USUAL
    X, months, event, y = patients()
    np.testing.assert_allclose(fitted(X, months, event, y).coef_, fitted(X + 1000.0, months, event, y).coef_, atol=1e-9)


@pytest.mark.parametrize("value", [np.nan, 7.0, 0.1 + 0.2])
def test_column_that_says_nothing_gets_nothing(value):
    X, months, event, y = patients()
    more = X.assign(empty=value)
    model = fitted(more, months, event, y, prior={"empty": 1})
    assert model.coef_[-1] == model.prior_coef_[-1] == 0
    np.testing.assert_allclose(model.coef_[:-1], fitted(X, months, event, y).coef_, atol=1e-12)
    assert np.isfinite(model.predict_proba(X.assign(empty=3.0))).all()


@pytest.mark.parametrize("where", ["fit", "predict"])
def test_infinity_is_refused(where):
    X, months, event, y = patients()
    bad = X.copy()
    bad.iloc[2, 1] = np.inf
    model = fitted(X, months, event, y)
    with pytest.raises(ValueError, match="infinity"):
        fitted(bad, months, event, y) if where == "fit" else model.predict_proba(bad)


def test_missing_values_add_nothing():
    assert auc_with(lambda X: X.mask(np.random.default_rng(0).random(X.shape) < 0.3)) > USUAL - 0.04
    X, months, event, y = patients()
    model = fitted(X, months, event, y)
    assert model.score_samples(X.head(1) * np.nan)[0] == 0


def test_many_censored():
    X, months, event, _ = patients(300, 4)
    months, event = np.where(months > 6, np.minimum(months, 12.5), months), months <= 6
    y = (months > HORIZON).astype(int)
    assert event.mean() < 0.35
    assert roc_auc_score(y, fitted(X, months, event, y).predict_proba(X)[:, 1]) > 0.7


@pytest.mark.parametrize("n_events", [1, 5, 9])
def test_few_events_are_said_and_leave_it_to_the_prior(n_events):
    X, months, event, y = patients(60, 2)
    event = event & (np.cumsum(event & (months <= HORIZON)) <= n_events) & (months <= HORIZON)
    months = np.where(event, months, months + HORIZON)
    y = (months > HORIZON).astype(int)
    with pytest.warns(FewEventsWarning, match=f"^{n_events} patients"):
        model = fitted(X, months, event, y, prior={"c1": 1})
    np.testing.assert_allclose(model.coef_, [0, 0.1])
    with pytest.warns(FewEventsWarning, match="no direction"):
        model = fitted(X, months, event, y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.abs(model.coef_).max() < 1


def test_without_any_event_the_class_is_learnt_from():
    X, months, _, y = patients(60, 2)
    months = np.where(y == 1, 20.0, 5.0)
    with pytest.warns(FewEventsWarning, match="^0 patients"):
        model = fitted(X, months, np.zeros(60), y)
    np.testing.assert_allclose(model.coef_, CoxPFSClassifier().fit(X, y).coef_)
    assert (model.learnt_from_, model.n_events_) == ("class", 0)


def test_ten_events_are_enough_and_say_nothing():
    X, months, event, y = patients(40, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(X, months, event, y)


def test_repeated_columns_share_one_effect():
    X, months, event, y = patients()
    twice = X.assign(again=X["c0"])
    model = fitted(twice, months, event, y)
    assert model.coef_[0] == pytest.approx(model.coef_[-1], abs=1e-9)
    one = fitted(X, months, event, y)
    assert np.corrcoef(model.score_samples(twice), one.score_samples(X))[0, 1] > 0.99


def test_collinear_columns_are_no_hindrance():
    X, months, event, y = patients()
    model = fitted(X.assign(total=X.sum(axis=1)), months, event, y)
    assert np.isfinite(model.coef_).all()
    assert model.coef_[0] < -0.2


def test_rare_binary_column_keeps_its_two_values():
    X, months, event, y = patients(120)
    rare = np.zeros(120)
    rare[:4] = 1
    model = fitted(X.assign(rare=rare), months, event, y)
    assert model.scaler_.varies_.all()
    Z = model.scaler_.transform(X.assign(rare=rare).to_numpy())[:, -1]
    np.testing.assert_allclose(np.unique(Z), [-np.sqrt(4 / 116), np.sqrt(116 / 4)])


def test_progression_at_time_zero():
    X, months, event, y = patients()
    months[np.flatnonzero(y == 0)[:3]] = 0.0
    assert np.isfinite(fitted(X, months, event, y).predict_proba(X)).all()


def test_more_columns_than_patients_give_what_the_normal_equations_give():
    X, months, event, y = patients(30, 4)
    wide = np.hstack([X, np.random.default_rng(1).normal(size=(30, 40))])
    model = CoxPFSClassifier(strength=50.0, prior={"x0": -1, "x40": 1}).fit(wide, y, time=months, event=event)
    from prrt_estimators.estimators import _ridge_evidence as evidence

    Z = model.scaler_.transform(wide)
    direction = np.zeros(44)
    direction[[0, 40]] = 1, -1  # in the log hazard
    likelihood = evidence.CoxLikelihood(months, event, np.ones(30))
    modes, weights = [], []
    for strength, odds in ((0.0, 3.0), (0.1, 1.0)):
        mode, value = evidence._mode(Z, likelihood, 50.0, strength * direction, np.zeros(44))
        modes.append(mode)
        weights.append(np.log(odds) + value)
    shares = np.exp(np.array(weights) - max(weights))
    np.testing.assert_allclose(model.coef_, -np.average(modes, axis=0, weights=shares), atol=1e-8)


def test_strength_grows_with_the_number_of_columns():
    X, months, event, y = patients(60, 4)
    rng = np.random.default_rng(2)
    few, many = (fitted(np.hstack([X, rng.normal(size=(60, k))]), months, event, y) for k in (2, 2000))
    assert many.strength_ > 5 * few.strength_


@pytest.mark.parametrize(
    ("time", "event", "match"),
    [
        ([1, -2, 20, 30], None, "time.*row 1"),
        ([1, np.nan, 20, 30], None, "time.*row 1"),
        ([1, 2, 20, 30], [1, 1, 2, 0], "event.*row 2"),
        ([20, 30, 1, 2], None, "contradicts"),
        (None, [1, 1, 1, 0], "needs `time`"),
        ([1, 2, 20], None, "inconsistent numbers"),
    ],
)
def test_times_that_cannot_be_are_refused(time, event, match):
    with pytest.raises(ValueError, match=match):
        CoxPFSClassifier().fit(np.eye(4), [0, 0, 1, 1], time=time, event=event)
