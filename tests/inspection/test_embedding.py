from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier
from prrt_estimators.exceptions import MissingDependencyError
from prrt_estimators.inspection import OutOfFoldFeatures, class_separation, out_of_fold_features, umap_embedding

CV = StratifiedKFold(2, shuffle=True, random_state=0)


# Separation -------------------------------------------------------------------------------------------------------


def test_separation_worked_by_hand():
    # On a line: 0 and 1 of the one class, 4 and 9 of the other.
    features, y = [[0.0], [1.0], [4.0], [9.0]], [0, 0, 1, 1]
    table = class_separation(features, y, n_neighbors=1, n_permutations=0).set_index("measure")
    # Own distance, other distance: 1 and (4 + 9) / 2; 1 and (3 + 8) / 2; 5 and (4 + 3) / 2; 5 and (9 + 8) / 2.
    expected = np.mean([(6.5 - 1) / 6.5, (5.5 - 1) / 5.5, (3.5 - 5) / 5, (8.5 - 5) / 8.5])
    assert table.loc["silhouette", "value"] == pytest.approx(expected)
    # Nearest to 0 is 1, to 1 is 0, to 4 is 1 (of the other class), to 9 is 4.
    assert table.loc["neighbour_agreement", "value"] == pytest.approx(3 / 4)
    assert table[["chance", "chance_low", "chance_high", "p_value"]].isna().all(axis=None)
    two = class_separation(features, y, n_neighbors=2, n_permutations=0).set_index("measure")["value"]
    # 0: 1 and 4; 1: 0 and 4; 4: 1 and 0; 9: 4 and 1.
    assert two["neighbour_agreement"] == pytest.approx((1 + 1 + 0 + 1) / 8)


def test_silhouette_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    features, y = rng.normal(size=(25, 3)), np.array(["a"] * 12 + ["b"] * 12 + ["c"])
    features[:2] = 0
    table = class_separation(features, y, n_permutations=0).set_index("measure")
    assert table.loc["silhouette", "value"] == pytest.approx(silhouette_score(features, y))
    same = class_separation(np.ones((6, 2)), [0, 1] * 3, n_neighbors=1, n_permutations=0)
    assert same["value"].iloc[0] == 0


def test_separation_knows_folds_apart():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 15)
    # Within each fold classes lie well apart, but the sides are swapped, and the second fold is on another scale.
    features = rng.normal(size=(30, 2))
    features[:15, 0] += 10 * y[:15]
    features[15:, 0] -= 10 * y[15:]
    features[15:] *= 100
    fold = np.repeat([3, 7], 15)
    table = class_separation(features, y, fold=fold, n_permutations=99, random_state=0).set_index("measure")
    parts = [silhouette_score(features[fold == one], y[fold == one]) for one in (3, 7)]
    assert table.loc["silhouette", "value"] == pytest.approx(np.mean(parts))
    assert table.loc["neighbour_agreement", "value"] == 1
    assert (table["p_value"] == 1 / 100).all()
    assert (table["value"] > table["chance_high"]).all()


def test_chance_is_what_a_target_without_meaning_gives():
    rng = np.random.default_rng(0)
    y = np.tile([0, 0, 1], 20)
    table = class_separation(rng.normal(size=(60, 5)), y, n_permutations=199, random_state=0).set_index("measure")
    # Of 59 others 39 or 19 are of the same class.
    assert table.loc["neighbour_agreement", "chance"] == pytest.approx((40 * 39 + 20 * 19) / (60 * 59), abs=0.01)
    assert table["p_value"].between(0.05, 1).all()
    assert (table["chance_low"] <= table["chance"]).all()


def test_same_seed_same_chance():
    rng = np.random.default_rng(0)
    features, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    first, second = (class_separation(features, y, n_permutations=20, random_state=4) for _ in range(2))
    assert first.equals(second)


def test_wrong_arguments_of_separation_are_named():
    features, y = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 2
    with pytest.raises(ValueError, match="`y` is missing"):
        class_separation(features)
    with pytest.raises(ValueError, match="fold 0 holds one class only"):
        class_separation(features, y, fold=y)
    with pytest.raises(ValueError, match="fold 0 has 12 patients, too few for 12 neighbours"):
        class_separation(features, y, n_neighbors=12)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        class_separation(features, y[:5])
    with pytest.raises(ValueError, match="features contains NaN"):
        class_separation(np.where(features > 0, features, np.nan), y)


# Features ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(0)
    y = np.arange(16) % 2
    return Cohort(
        {"pet": rng.random((16, 1, 8, 8, 8)), "lab": rng.normal(size=(16, 3))}, ids=[f"P{k}" for k in range(16)]
    ), y


def test_features_come_from_models_that_did_not_see_the_patient(patients, tiny):
    X, y = patients
    clf = FusionPFSClassifier(**tiny)
    found = out_of_fold_features(clf, X, y=y, cv=CV)
    for number, (train, test) in enumerate(CV.split(X, y)):
        model = clone(clf).fit(X[train], y[train])
        before, after = model.transform(X[train]), model.transform(X[test])
        deviation = before.std(axis=0)
        expected = (after - before.mean(axis=0)) / np.where(deviation > 1e-12, deviation, 1)
        np.testing.assert_allclose(found.features[test], expected, atol=1e-5)
        np.testing.assert_allclose(found.p_long[test], model.predict_proba(X[test])[:, 1])
        assert (found.fold[test] == number).all()
    assert found.ids.tolist() == X.ids.tolist()
    np.testing.assert_array_equal(found.y, y)


def test_tables_and_pipelines_have_features_too(tiny):
    rng = np.random.default_rng(0)
    clf = make_pipeline("passthrough", FusionPFSClassifier(**tiny, embedding=4))
    assert out_of_fold_features(clf, rng.normal(size=(12, 2)), y=[0, 1] * 6, cv=2).features.shape == (12, 4)


def test_wrong_arguments_of_features_are_named(patients, tiny):
    X, y = patients
    with pytest.raises(TypeError, match="LabPFSClassifier has no transform"):
        out_of_fold_features(LabPFSClassifier(), X, y=y, cv=2)
    with pytest.raises(TypeError, match="LogisticRegression has no transform"):
        out_of_fold_features(make_pipeline("passthrough", LogisticRegression()), X, y=y, cv=2)
    clf = FusionPFSClassifier(**tiny)
    with pytest.raises(ValueError, match="it tests some 0 and some 1 times"):
        out_of_fold_features(clf, X, y=y, cv=[(np.arange(8), np.arange(8, 16))])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        out_of_fold_features(clf, X, y=y[:4], cv=2)


# UMAP -------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(900)  # umap-learn compiles itself for a quarter of a minute, and more where processors are busy
def test_umap_is_seeded_and_lays_out_each_fold_apart():
    rng = np.random.default_rng(0)
    features, fold = rng.normal(size=(30, 6)), np.arange(30) % 2
    threads = torch.get_num_threads()
    first = umap_embedding(features, fold=fold, random_state=1)
    assert torch.get_num_threads() == threads
    assert first.shape == (30, 2)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, umap_embedding(features, fold=fold, random_state=1))
    assert not np.allclose(first, umap_embedding(features, fold=fold, random_state=2))
    # The other fold has no say in it.
    alone = umap_embedding(features[fold == 1], random_state=1)
    np.testing.assert_array_equal(first[fold == 1], alone)
    found = OutOfFoldFeatures(features=features, fold=fold, p_long=fold, y=fold, ids=fold)
    np.testing.assert_array_equal(umap_embedding(found, random_state=1), first)
    # Patients far apart in the features are so in the picture, and four are enough for one.
    places = umap_embedding(features + 20 * fold[:, None])
    assert silhouette_score(places, fold) > 0.6
    assert umap_embedding(features[:4]).shape == (4, 2)


def test_too_few_patients_and_wrong_arguments_are_named():
    features = np.random.default_rng(0).normal(size=(7, 2))
    with pytest.raises(ValueError, match="fold 1 has 3 patients; UMAP needs at least 4"):
        umap_embedding(features, fold=np.arange(7) % 2)
    with pytest.raises(ValueError, match="`n_neighbors` must be at least 2"):
        umap_embedding(features, n_neighbors=1)
    with pytest.raises(TypeError, match="`random_state` must be a whole number"):
        umap_embedding(features, random_state=None)


def test_without_umap_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingDependencyError, match=r'needs umap-learn; .* pip install "prrt-estimators\[explain\]"'):
        umap_embedding(np.zeros((5, 2)))
