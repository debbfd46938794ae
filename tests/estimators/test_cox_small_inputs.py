"""Small inputs that broke a learner in silence, each a case, and what cannot be and is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cox_helpers import HORIZON, fitted, patients
from sklearn.metrics import roc_auc_score

from prrt_estimators.estimators import CoxPFSClassifier
from prrt_estimators.exceptions import FewEventsWarning


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
        model = fitted(X, months, event, y)
    assert (model.learnt_from_, model.n_events_) == ("time", int(event.sum()))


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
