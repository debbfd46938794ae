"""Class weights move the decision of a classifier, not its probabilities."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from prrt_estimators.estimators import (
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
)
from prrt_estimators.estimators._class_prior import fit_forest, offset_of_weights, offset_to_prevalence, with_offset
from prrt_estimators.metrics import calibration_intercept_slope, scaled_brier_score
from prrt_estimators.persistence import load_model, save_model


def cohort(n=240, seed=0, share=0.64, strength=0.9):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    score = strength * X[:, 0] + rng.logistic(size=n)
    return pd.DataFrame(X, columns=list("abcdef")), (score > np.quantile(score, 1 - share)).astype(int)


def out_of_fold(model, X, y):
    p = np.empty(len(y))
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(X, y):
        p[test] = model.fit(X.iloc[train], y[train]).predict_proba(X.iloc[test])[:, 1]
    return p


@pytest.mark.parametrize("model", ["random_forest", "logistic"])
def test_balanced_weights_leave_probabilities_calibrated_and_better_than_the_prevalence(model):
    X, y = cohort()
    p = out_of_fold(LabPFSClassifier(model=model, n_estimators=100, random_state=0), X, y)
    assert abs(calibration_intercept_slope(y, p).intercept) < 0.1
    assert scaled_brier_score(y, p) > 0.02
    assert p.mean() == pytest.approx(y.mean(), abs=0.02)


def test_a_forest_s_ranking_is_scikit_learn_s():
    X, y = cohort(seed=3)
    train, test = slice(0, 160), slice(160, 240)
    ours = LabPFSClassifier(n_estimators=100, random_state=0).fit(X[train], y[train])
    p, raw = ours.predict_proba(X[test])[:, 1], ours.model_.predict_proba(ours.preprocessor_.transform(X[test]))[:, 1]
    assert roc_auc_score(y[test], p) == roc_auc_score(y[test], raw)
    np.testing.assert_allclose(logit(p), logit(raw) + ours.offset_)


def test_the_forest_s_offset_is_that_of_its_out_of_bag_probabilities():
    X, y = cohort(n=90)
    forest = RandomForestClassifier(50, class_weight="balanced", min_samples_leaf=3, random_state=1)
    reference = RandomForestClassifier(50, class_weight="balanced", min_samples_leaf=3, random_state=1, oob_score=True)
    out_of_bag = reference.fit(X, y).oob_decision_function_[:, 1]
    offset = fit_forest(forest, X, y, None)
    assert expit(logit(out_of_bag.clip(1e-13, 1 - 1e-13)) + offset).mean() == pytest.approx(y.mean())
    assert not forest.oob_score
    assert not hasattr(forest, "oob_decision_function_")
    np.testing.assert_array_equal(forest.predict_proba(X), reference.predict_proba(X))


def test_without_class_weights_nothing_is_corrected():
    X, y = cohort(n=60)
    markers = X.rename(columns={"a": "CgA"}).abs()
    for model in (
        LabPFSClassifier(n_estimators=10, class_weight=None, random_state=0), LabBaselineClassifier(class_weight=None),
    ):  # fmt: skip
        model.fit(markers, y)
        assert model.offset_ == 0
        assert model.decision_threshold_ == 0.5


def test_a_balanced_logistic_regression_is_nearly_the_unweighted_one():
    X, y = cohort(n=2000)
    ours = LabPFSClassifier(model="logistic").fit(X, y)
    plain = LogisticRegression().fit(ours.preprocessor_.transform(X), y)
    np.testing.assert_allclose(ours.predict_proba(X), plain.predict_proba(ours.preprocessor_.transform(X)), atol=0.02)


def test_the_decision_is_that_of_the_weighted_model():
    X, y = cohort(n=120)
    for estimator in (LabPFSClassifier(n_estimators=30, random_state=0), LabPFSClassifier(model="logistic")):
        ours = estimator.fit(X, y)
        theirs = ours.model_.predict_proba(ours.preprocessor_.transform(X))[:, 1] >= 0.5
        np.testing.assert_array_equal(ours.predict(X), theirs.astype(int))
        assert ours.decision_threshold_ == pytest.approx(expit(ours.offset_))


def test_a_network_is_corrected_for_the_weights_of_its_loss():
    X, y = cohort(n=40)
    options = {"max_epochs": 2, "random_state": 0}
    ours = FusionPFSClassifier(**options).fit({"lab": X}, y)
    plain = FusionPFSClassifier(**options, class_weight=None).fit({"lab": X}, y)
    counts = np.bincount(y)
    assert ours.offset_ == pytest.approx(np.log(counts[1] / counts[0]))
    assert plain.offset_ == 0
    raw = ours._target.output(ours._run({"lab": X}, "forward"))[:, 1]
    np.testing.assert_allclose(logit(ours.predict_proba({"lab": X})[:, 1]), logit(raw) + ours.offset_, rtol=1e-5)


def test_labels_may_be_swapped():
    X, y = cohort(n=60)
    one = LabPFSClassifier(n_estimators=20, random_state=0).fit(X, np.where(y, "long", "short"))
    other = LabPFSClassifier(n_estimators=20, random_state=0).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X)[:, 0], other.predict_proba(X)[:, 1])
    assert (one.predict(X) == np.where(other.predict(X), "long", "short")).all()


def test_offset_and_threshold_survive_saving(tmp_path):
    X, y = cohort(n=60)
    for name, model in {
        "forest": LabPFSClassifier(n_estimators=10, random_state=0), "logistic": LabPFSClassifier(model="logistic"),
    }.items():  # fmt: skip
        model.fit(X, y)
        save_model(model, tmp_path / name)
        back = load_model(tmp_path / name)
        np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_a_model_of_an_earlier_version_predicts_what_it_did():
    X, y = cohort(n=60)
    model = LabPFSClassifier(n_estimators=10, random_state=0).fit(X, y)
    raw = model.model_.predict_proba(model.preprocessor_.transform(X))
    del model.offset_
    np.testing.assert_array_equal(model.predict_proba(X), raw)
    assert model.decision_threshold_ == 0.5


def test_the_pet_baseline_predicts_the_share_of_long_pfs():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 4 > 0
    volumes = rng.random((40, 1, 6, 6, 6)) * np.where(y, 4.0, 6.0).reshape(-1, 1, 1, 1, 1)
    model = PETBaselineClassifier(size=6).fit(volumes, y.astype(int))
    assert model.predict_proba(volumes)[:, 1].mean() == pytest.approx(0.75)


def test_offsets_at_the_edges():
    assert offset_to_prevalence(np.array([np.nan, np.nan]), np.array([0, 1])) == 0
    assert offset_to_prevalence(np.array([0.5, 0.5]), np.array([1, 1])) == 0
    assert offset_of_weights({0: 0.0, 1: 1.0}) == 0
    p = np.array([0.0, 0.2, 1.0])
    assert with_offset(p, 0.0) is p
    weighted = offset_to_prevalence(np.full(2, 0.5), np.array([0, 1]), np.array([1.0, 3.0]))
    assert weighted == pytest.approx(np.log(3))
