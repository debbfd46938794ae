"""Relative paths mean what they meant when they were given, wherever the program works later."""

from __future__ import annotations

import os
import pickle

import nibabel as nib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import cross_val_predict

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    FusionPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
    Volumes,
)
from prrt_estimators.estimators import CTPretrainer
from prrt_estimators.model_selection import compare_models, load_comparison
from prrt_estimators.persistence import save_model
from prrt_estimators.preprocessing import VolumePreprocessor

N = 8
Y = np.arange(N) % 2
FILES = [f"pet/p{k}.nii.gz" for k in range(N)]


@pytest.fixture
def studies(tmp_path, monkeypatch):
    """Two folders of one layout; in the second, bright and dark are exchanged."""
    rng = np.random.default_rng(0)
    for name, bright in (("first", 1), ("second", 0)):
        (tmp_path / name / "pet").mkdir(parents=True)
        for k, file in enumerate(FILES):
            suv = rng.gamma(2.0, 1.0, (8, 8, 8)).astype(np.float32)
            suv += 5 * (Y[k] == bright)
            nib.save(nib.Nifti1Image(suv, np.diag([4.0, 4, 4, 1])), tmp_path / name / file)
    monkeypatch.chdir(tmp_path / "first")
    return tmp_path


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_cohort_of_relative_paths_stays_in_its_folder(studies, n_jobs):
    first = Cohort({"pet": FILES})
    model = PETBaselineClassifier()
    expected = cross_val_predict(model, first, Y, cv=2, method="predict_proba", n_jobs=n_jobs)[:, 1]
    fitted = PETBaselineClassifier().fit(first, Y)
    assert (expected[Y == 1] > 0.5).all()
    os.chdir(studies / "second")
    second = Cohort({"pet": FILES})
    again = cross_val_predict(model, first, Y, cv=2, method="predict_proba", n_jobs=n_jobs)[:, 1]
    np.testing.assert_array_equal(again, expected)
    np.testing.assert_array_equal(fitted.predict(first), Y)
    np.testing.assert_array_equal(fitted.predict(second), 1 - Y)


def test_scans_and_masks_in_every_form(studies):
    X = Cohort({"pet": FILES, "ct": Volumes(FILES)}, masks={"lesion": FILES})
    part = pickle.loads(pickle.dumps(X))[2:4]
    os.chdir(studies / "second")
    for volumes in (X["pet"][2:4], X["ct"][2:4], X.masks["lesion"][2:4], part["pet"], part.masks["lesion"]):
        assert volumes.paths.tolist() == [str(studies / "first" / file) for file in FILES[2:4]]
    assert Volumes(["~/a.nii"]).paths.tolist() == [os.path.expanduser("~/a.nii")]
    assert Volumes([" a.nii ", "", None]).paths.tolist() == [str(studies / "second" / "a.nii"), None, None]


def test_folders_and_weights_of_estimators(studies):
    estimators = [
        PETPFSClassifier(cache_dir="cache"),
        CTPretrainer(cache_dir="cache"),
        VolumePreprocessor().set_params(cache_dir="cache"),
        FusionPFSClassifier(cache_dir="cache", weights={"ct": "own.safetensors"}),
        CTPFSClassifier(weights="folder/own", cache_dir="cache"),
    ]
    os.chdir(studies / "second")
    for estimator in (*estimators, *map(clone, estimators)):
        assert estimator.get_params()["cache_dir"] == str(studies / "first" / "cache")
    assert clone(estimators[3]).weights == {"ct": str(studies / "first" / "own.safetensors")}
    assert clone(estimators[4]).weights == str(studies / "first" / "folder" / "own")
    assert CTPFSClassifier(weights="merlin").weights == "merlin"
    assert PETPFSClassifier(cache_dir=studies).cache_dir == studies
    assert PETPFSClassifier().cache_dir is None


def test_results_stay_where_they_were_begun(studies):
    table = np.column_stack([np.arange(24.0), np.arange(24) % 5])
    y = np.arange(24) % 2

    class Moves(ClassifierMixin, BaseEstimator):
        """Changes the working folder while it is fitted, as some notebooks do."""

        def fit(self, X, y):
            os.chdir(studies / "second")
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    found = compare_models({"moves": Moves()}, table, y, cv=2, out="out", verbose=0)
    assert found.folder == studies / "first" / "out"
    assert load_comparison(studies / "first" / "out").scores.equals(found.scores)
    assert not (studies / "second" / "out").exists()
    os.chdir(studies / "first")
    kept = load_comparison("out")
    os.chdir(studies / "second")
    assert kept.save_figures()
    assert not (studies / "second" / "out").exists()


def test_a_saved_model_is_where_it_was_said(studies):
    fitted = PETBaselineClassifier().fit(Cohort({"pet": FILES}), Y)
    assert save_model(fitted, "model.prrt") == studies / "first" / "model.prrt"
