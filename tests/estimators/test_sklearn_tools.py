"""The estimators under scikit-learn's own tools, on volumes in NIfTI files."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    permutation_test_score,
)
from sklearn.pipeline import Pipeline

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    FusionPFSClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
)
from prrt_estimators.metrics import prrt_scorers
from prrt_estimators.preprocessing import VolumePreprocessor

CV = StratifiedKFold(2, shuffle=True, random_state=0)


@pytest.fixture
def data(nifti_cohort):
    return nifti_cohort(12)


@pytest.fixture
def fusion(tiny):
    return FusionPFSClassifier(**tiny)


def test_cross_val_score_on_repeated_splits(data, fusion):
    X, y = data
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    scores = cross_val_score(fusion, X, y, cv=cv, scoring="roc_auc")
    assert scores.shape == (6,)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, cross_val_score(fusion, X, y, cv=cv, scoring="roc_auc"))


def test_cross_validate_with_several_scorers_and_fitted_estimators(data, tiny):
    X, y = data
    out = cross_validate(
        PETPFSClassifier(**tiny), X, y, cv=CV, scoring=prrt_scorers(), return_estimator=True, return_train_score=True
    )
    assert {"test_auroc", "test_auprc", "test_auprc_short", "test_neg_brier", "train_auroc"} <= set(out)
    first, second = out["estimator"]
    a, b = (next(iter(est.net_.module_.parameters())) for est in (first, second))
    assert a.data_ptr() != b.data_ptr()


def test_worker_processes_give_the_same_numbers(data, fusion):
    X, y = data
    alone = cross_val_score(fusion, X, y, cv=CV, scoring="neg_log_loss")
    np.testing.assert_allclose(cross_val_score(fusion, X, y, cv=CV, scoring="neg_log_loss", n_jobs=2), alone, rtol=1e-5)


def test_grid_search_over_our_parameters(data, fusion):
    X, y = data
    grid = GridSearchCV(fusion, {"fusion": ["concat", "gated"], "lr": [1e-3, 1e-2]}, cv=CV, scoring="roc_auc").fit(X, y)
    assert len(grid.cv_results_["params"]) == 4
    assert grid.predict(X).shape == (12,)


class TakeTheFirstColumns(TransformerMixin, BaseEstimator):
    """A preprocessing step of a user's own."""

    def __init__(self, k=1):
        self.k = k

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return Cohort({**X, "lab": X["lab"].iloc[:, : self.k]}, ids=X.ids)


def test_grid_search_through_a_pipeline(data, tiny):
    X, y = data
    pipeline = Pipeline(
        [("boxes", VolumePreprocessor(size=6)), ("pick", TakeTheFirstColumns()), ("model", FusionPFSClassifier(**tiny))]
    )
    grid = GridSearchCV(
        pipeline, {"boxes__spacing": [4.0, 8.0], "pick__k": [1, 2], "model__dropout": [0.0]}, cv=CV, scoring="roc_auc"
    ).fit(X, y)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert grid.best_estimator_["model"].n_features_in_ == grid.best_params_["pick__k"]


def test_cross_val_predict_keeps_the_patients_apart(data, tiny):
    X, y = data
    p = cross_val_predict(CTPFSClassifier(**tiny), X, y, cv=CV, method="predict_proba")
    np.testing.assert_allclose(p.sum(axis=1), 1)
    train, test = next(CV.split(X, y))
    alone = CTPFSClassifier(**tiny).fit(X[train], y[train]).predict_proba(X[test])
    np.testing.assert_array_equal(p[test], alone)


def test_permutation_test_score(data):
    X, y = data
    score, others, p = permutation_test_score(
        PETBaselineClassifier(size=12, spacing=4.0), X, y, cv=CV, scoring="roc_auc", n_permutations=20, random_state=0
    )
    assert score == 1.0
    assert others.mean() < 0.8
    assert p < 0.2


def test_calibration_stacking_and_voting(data, fusion):
    X, y = data
    calibrated = CalibratedClassifierCV(fusion, cv=2).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    members = [("lab", LabPFSClassifier(n_estimators=10, random_state=0)), ("fusion", fusion)]
    stacked = StackingClassifier(members, LogisticRegression(), cv=2).fit(X, y)
    assert stacked.transform(X).shape == (12, 2)
    voted = VotingClassifier(members, voting="soft").fit(X, y)
    mean = np.mean([est.predict_proba(X) for est in voted.estimators_], axis=0)
    np.testing.assert_allclose(voted.predict_proba(X), mean)


def test_clone_is_unfitted_and_equal(data, fusion):
    X, y = data
    fusion.fit(X, y)
    copy = clone(fusion)
    assert not hasattr(copy, "net_")
    assert copy.get_params() == fusion.get_params()
    # The same seed on the same rows gives the same bits, whether or not another fit went before.
    np.testing.assert_array_equal(copy.fit(X, y).predict_proba(X), fusion.predict_proba(X))
    np.testing.assert_array_equal(fusion.fit(X, y).predict_proba(X), copy.predict_proba(X))


def test_get_params_shows_only_our_own_words():
    assert not any("__" in key or "module" in key for key in FusionPFSClassifier().get_params())


def test_set_output_and_feature_names(data, fusion):
    X, y = data
    frame = fusion.set_output(transform="pandas").fit(X, y).transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns[0] == "fusionpfsclassifier0"
    assert frame.shape == (12, 96)


def test_pickle_of_a_fitted_estimator_predicts_alike(data, fusion):
    X, y = data
    fusion.fit(X, y)
    back = pickle.loads(pickle.dumps(fusion))
    np.testing.assert_array_equal(back.predict_proba(X), fusion.predict_proba(X))


def test_groups_and_weights_are_routed_through_a_pipeline(data, fusion):
    X, y = data
    weights, groups = np.linspace(0.5, 2, 12), np.arange(12) // 2
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [("boxes", VolumePreprocessor(size=6)), ("model", fusion.set_fit_request(sample_weight=True))]
        )
        out = cross_validate(
            pipeline,
            X,
            y,
            cv=GroupKFold(2),
            params={"sample_weight": weights, "groups": groups},
            return_estimator=True,
            return_indices=True,
            scoring=make_scorer(accuracy_score).set_score_request(sample_weight=False),
        )
        train = out["indices"]["train"][0]
        boxes = VolumePreprocessor(size=6).fit_transform(X[train])
        alone = clone(fusion).fit(boxes, y[train], sample_weight=weights[train])
        np.testing.assert_array_equal(out["estimator"][0]["model"].predict_proba(boxes), alone.predict_proba(boxes))
        unweighted = clone(fusion).fit(boxes, y[train])
        assert not np.array_equal(unweighted.predict_proba(boxes), alone.predict_proba(boxes))
    for train, test in zip(out["indices"]["train"], out["indices"]["test"], strict=True):
        assert not set(groups[train]) & set(groups[test])
