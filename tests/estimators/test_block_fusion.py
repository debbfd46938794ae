"""Joining blocks of columns: what each block gives, what an absent one costs, and what late fusion may not do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB

from prrt_estimators import Cohort
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier
from prrt_estimators.exceptions import MissingModalityError


class Columns(TransformerMixin, BaseEstimator):
    """Give some columns of the laboratory table."""

    def __init__(self, start=""):
        self.start = start

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        names = [name for name in X["lab"] if name.startswith(self.start)]
        if not names:
            raise MissingModalityError(f"no {self.start}")
        return X["lab"][names]


BLOCKS = {"a": Columns("a"), "b": Columns("b")}


def patients(n=100, seed=0, b=0.5):
    """Return cohort, class and months; block a holds two columns that tell, block b three of which one does."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=["a1", "a2", "b1", "b2", "b3"])
    months = 16 * (rng.exponential(size=n) * np.exp(0.6 * X["a1"] + 0.3 * X["a2"] + b * X["b1"]).to_numpy()) ** 0.8
    return Cohort({"lab": X}), (months > 12).astype(int), months


def model(**options):
    return BlockFusionPFSClassifier(**({"blocks": BLOCKS} | options))


def without(X, block, rows):
    table = X["lab"].copy()
    table.loc[table.index[rows], [name for name in table if name.startswith(block)]] = np.nan
    return Cohort({"lab": table})


BOTH = pytest.mark.parametrize("fusion", ["joint", "late"])


@BOTH
def test_two_blocks_tell_more_than_one(fusion):
    X, y, months = patients(400)
    train, test = np.arange(150), np.arange(150, 400)
    options = {"time": months[train]}
    scores = {}
    for name, blocks in {"both": BLOCKS, "a": {"a": BLOCKS["a"]}, "b": {"b": BLOCKS["b"]}}.items():
        fitted = model(blocks=blocks, fusion=fusion).fit(X[train], y[train], **options)
        scores[name] = roc_auc_score(y[test], fitted.predict_proba(X[test])[:, 1])
    assert scores["both"] > max(scores["a"], scores["b"]) + 0.01


@BOTH
def test_works_with_the_class_alone_and_says_what_was_used(fusion):
    X, y, months = patients()
    one, two = model(fusion=fusion).fit(X, y), model(fusion=fusion).fit(X, y, time=months)
    assert (one.learnt_from_, two.learnt_from_) == ("class", "time")
    assert not np.allclose(one.predict_proba(X), two.predict_proba(X))
    for fitted in (one, two):
        np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)


@BOTH
def test_predicting_one_patient_does_not_depend_on_the_others(fusion):
    X, y, months = patients()
    fitted = model(fusion=fusion).fit(X, y, time=months)
    every = fitted.predict_proba(X)
    np.testing.assert_allclose(fitted.predict_proba(X[[7]]), every[[7]], atol=1e-12)


@BOTH
def test_absent_block_costs_nobody_else(fusion):
    X, y, months = patients()
    fitted = model(fusion=fusion).fit(X, y, time=months)
    lacking = without(X, "b", [3, 4])
    rest = np.setdiff1d(np.arange(100), [3, 4])
    np.testing.assert_allclose(fitted.predict_proba(lacking)[rest], fitted.predict_proba(X)[rest], atol=1e-12)
    assert fitted.block_scores(lacking)["b"].isna().to_numpy().nonzero()[0].tolist() == [3, 4]
    # What is left of such a patient follows block a.
    order = fitted.block_scores(X)["a"].to_numpy()
    every = fitted.predict_proba(without(X, "b", np.arange(100)))[:, 1]
    assert np.corrcoef(np.argsort(np.argsort(order)), np.argsort(np.argsort(every)))[0, 1] > 0.98


@BOTH
def test_patients_without_a_block_are_learnt_from_too(fusion):
    X, y, months = patients(200)
    lacking = without(X, "a", np.arange(0, 200, 3))
    fitted = model(fusion=fusion).fit(lacking, y, time=months)
    assert roc_auc_score(y, fitted.predict_proba(X)[:, 1]) > 0.7
    assert np.isfinite(fitted.predict_proba(without(lacking, "b", np.arange(0, 200, 3)))).all()


@BOTH
def test_block_that_nobody_has_is_left_out_and_said(fusion):
    X, y, months = patients()
    fitted = model(blocks={**BLOCKS, "c": Columns("c")}, fusion=fusion).fit(X, y, time=months)
    assert list(fitted.blocks_) == ["a", "b"]
    assert "no c" in fitted.left_out_["c"]
    np.testing.assert_allclose(
        fitted.predict_proba(X), model(fusion=fusion).fit(X, y, time=months).predict_proba(X), atol=1e-12
    )
    with pytest.raises(MissingModalityError, match="no block"):
        model(blocks={"c": Columns("c")}, fusion=fusion).fit(X, y)


def test_one_block_is_the_cox_model_itself():
    X, y, months = patients()
    fitted = model(blocks={"a": BLOCKS["a"]}).fit(X, y, time=months)
    alone = CoxPFSClassifier().fit(X["lab"][["a1", "a2"]], y, time=months)
    np.testing.assert_allclose(fitted.predict_proba(X), alone.predict_proba(X["lab"][["a1", "a2"]]), atol=1e-9)


def test_block_scores_sum_to_the_score():
    X, y, months = patients()
    fitted = model().fit(X, y, time=months)
    total = fitted.block_scores(X).sum(axis=1).to_numpy()
    hazard = np.log(-np.log(fitted.predict_proba(X)[:, 1]))
    np.testing.assert_allclose(total - total.mean(), -(hazard - hazard.mean()), atol=1e-9)


def test_score_spreads_as_the_joint_models():
    X, y, months = patients()
    fitted = model().fit(X, y, time=months)
    joint = fitted.joint_.score_samples(X["lab"].rename(columns=lambda name: f"{name[0]}__{name}"))
    assert fitted.block_scores(X).sum(axis=1).std() == pytest.approx(joint.std(ddof=1))


def test_weights_count_as_repeated_patients():
    X, y, months = patients(60)
    weights = np.random.default_rng(0).integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weights)
    one = model().fit(X, y, sample_weight=weights, time=months)
    two = model().fit(X[rows], y[rows], time=months[rows])
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-7)


def test_directions_reach_the_columns_of_blocks():
    X, y, months = patients(40)
    fitted = model(prior={"a1": 1, "b2": -1}).fit(X, y, time=months)
    assert fitted.joint_.directions_["column"].tolist() == ["a__a1", "b__b2"]
    assert fitted.own_["a"].directions_["column"].tolist() == ["a1"]
    assert dict(zip(fitted.feature_names_in_, fitted.coef_, strict=True))["a__a1"] > 0


# Late fusion ------------------------------------------------------------------------------------------------------


class Backwards(GaussianNB):
    """Predicts the opposite of what it learnt."""

    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]


def late(estimator, **options):
    return model(fusion="late", estimator=estimator, random_state=0, **options)


def test_any_estimator_may_score_a_block():
    X, y, months = patients(200)
    chosen = {"a": LogisticRegression(), "b": RandomForestClassifier(20, random_state=0)}
    fitted = late(chosen).fit(X, y, time=months)
    assert isinstance(fitted.own_["b"], RandomForestClassifier)
    assert sum(fitted.weights_.values()) == pytest.approx(1)
    assert fitted.learnt_from_ == "class"
    with pytest.raises(ValueError, match="names c"):
        late({"c": LogisticRegression()}).fit(X, y)


def test_block_that_tells_nothing_weighs_little():
    shares = []
    for seed in range(5):
        X, y, _ = patients(200, seed, b=0.0)
        shares.append(late(GaussianNB()).fit(X, y).weights_["b"])
    assert np.mean(shares) < 0.3


def test_calibration_never_turns_predictions_round():
    X, y, _ = patients(300)
    fitted = late(Backwards()).fit(X, y)
    # Both blocks lie below 0.5 in the inner folds: no weights, no slope, the direction as the models give it.
    assert fitted.late_.slope == 0
    assert fitted.weights_ == {"a": 0.5, "b": 0.5}
    plain = np.mean([fitted.own_[name].predict_proba(X["lab"].filter(like=name))[:, 1] for name in "ab"], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], plain)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        assert late(GaussianNB()).fit(X, rng.permutation(y)).late_.slope >= 0


def test_calibrated_probabilities_agree_with_the_prevalence():
    X, y, _ = patients(300)
    fitted = late(GaussianNB()).fit(X, y)
    assert fitted.late_.slope > 0
    assert fitted.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.03)


def test_patient_without_any_block_gets_the_prevalence():
    X, y, _ = patients()
    nothing = without(without(X, "a", [0]), "b", [0])
    assert late(GaussianNB()).fit(X, y).predict_proba(nothing)[0, 1] == pytest.approx(y.mean())


# Tools of scikit-learn --------------------------------------------------------------------------------------------


def test_cross_validates_and_clones():
    X, y, months = patients(120)
    scores = cross_val_score(model(), X, y, cv=3, scoring="roc_auc", params={"time": months}, error_score="raise")
    assert scores.mean() > 0.65
    fitted = model().fit(X, y)
    assert clone(fitted).get_params()["blocks"].keys() == BLOCKS.keys()


@pytest.mark.parametrize("name", ["a__b", 3])
def test_names_of_blocks_that_cannot_be(name):
    X, y, _ = patients()
    with pytest.raises(ValueError, match="names of blocks"):
        model(blocks={name: Columns("a")}).fit(X, y)
