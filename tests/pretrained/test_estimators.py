"""Branches with published weights: what is computed once a patient, and when it is computed again."""

from __future__ import annotations

import shutil
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from pretrained_helpers import (
    FINETUNE,
    SIZE,
    SPACING,
    array_cohort,
    ct,
    fusion,
    hounsfield,
    publish,
    state,
    vectors,
    write_scans,
)
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from prrt_estimators import Cohort, compare_models
from prrt_estimators.cohort import Volumes
from prrt_estimators.exceptions import PretrainedWeightsError
from prrt_estimators.networks import build_network
from prrt_estimators.preprocessing import clear_cache
from prrt_estimators.preprocessing._grids import onto_grid
from prrt_estimators.pretrained import _sources as sources

CV = StratifiedKFold(2, shuffle=True, random_state=0)
OPENED: Counter[str] = Counter()


def _audit(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].endswith(".nii.gz"):
        OPENED[arguments[0]] += 1


sys.addaudithook(_audit)


# Once a patient -----------------------------------------------------------------------------------------------------


def test_frozen_features_are_the_network_s_of_windowed_voxels_on_its_own_grid(small):
    X, _ = array_cohort(3)
    network = build_network("compact", None).eval()
    network.load_state_dict(state())
    for row, found in enumerate(vectors(ct(), X)):
        volume = onto_grid(X["ct"].array[row, 0], np.diag([6, 6, 6, 1.0]), size=SIZE, spacing=SPACING, modality="ct")
        seen = torch.from_numpy((np.clip(volume, -1000, 1000) + 1000) / 2000)
        with torch.no_grad():
            np.testing.assert_allclose(found, network(seen[None, None].float())[0].numpy(), atol=1e-5)


def test_folds_candidates_models_and_repeats_share_one_pass_a_patient(small, passes):
    X, y = array_cohort()
    grid = {"dropout": [0.0, 0.2], "embedding": [4, 8]}
    GridSearchCV(fusion(), grid, cv=CV, scoring="roc_auc").fit(X, y)
    assert passes.count == 8
    models = {"a": ct(), "b": fusion(), "c": fusion(fusion="gated", random_state=1)}
    done = compare_models(models, X, y, cv=CV, n_jobs=1, verbose=0)
    assert set(done.status["status"]) == {"ok"}
    assert passes.count == 8


def test_training_the_last_stage_costs_one_pass_that_serves_frozen_features_too(small, passes):
    X, y = array_cohort()
    ct(finetune="last").fit(X, y).predict_proba(X)
    assert passes.count == 8
    one = ct().fit(X, y).predict_proba(X)
    assert passes.count == 8
    clear_cache()
    np.testing.assert_allclose(ct().fit(X, y).predict_proba(X), one, atol=1e-6)


def test_training_all_of_it_computes_nothing_beforehand(small, passes):
    X, y = array_cohort()
    ct(finetune="full").fit(X, y).predict_proba(X)
    assert passes.count == 0


@pytest.mark.parametrize("finetune", FINETUNE)
def test_each_scan_is_opened_once_and_by_a_second_run_never(small, file_cohort, finetune):
    X, y = file_cohort
    OPENED.clear()
    first = fusion(finetune=finetune).fit(X, y).predict_proba(X)
    assert Counter(X["ct"].paths) == OPENED
    OPENED.clear()
    second = fusion(finetune=finetune).fit(X, y).predict_proba(X)
    assert not OPENED
    np.testing.assert_array_equal(second, first)


def test_another_model_s_boxes_are_not_in_the_way(small, nifti_cohort, passes):
    X, y = nifti_cohort(6)
    OPENED.clear()
    fusion(weights={"ct": None}).fit(X, y)
    fusion().fit(X, y)
    # Boxes and a grid of one's own are read at two times; more there need not be.
    assert max(OPENED.values()) <= 2
    assert passes.count == 6
    OPENED.clear()
    fusion(fusion="gated").fit(X, y).predict_proba(X)
    assert not OPENED


def test_prepare_computes_all_and_tells_how_far_it_is(small, file_cohort, passes):
    X, y = file_cohort
    told = []
    fusion().prepare(X, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (8, 8)
    assert passes.count == 8
    fusion().fit(X, y)
    assert passes.count == 8


# When it is computed again --------------------------------------------------------------------------------------------


def test_what_features_depend_on_makes_new_ones_and_nothing_else_does(monkeypatch, tmp_path, passes):
    publish(monkeypatch, tmp_path)
    publish(monkeypatch, tmp_path, "others", seed=1)
    in_box = publish(monkeypatch, tmp_path, "standard", seed=2, size=None, spacing=None, window=None, standardise=True)
    X, _ = array_cohort(2)
    different = [
        {"weights": "small"},
        {"weights": "others"},
        {"weights": "small", "precision": "bfloat16"},
        {"weights": "standard"},
        {"weights": in_box},  # the same tensors, not standardised
        {"weights": in_box, "window": (-500.0, 500.0)},
        {"weights": in_box, "window": None},
    ]
    found = [vectors(ct(**options), X) for options in different]
    assert passes.count == 2 * len(different)
    for i in range(len(found)):
        for k in range(i):
            assert not np.array_equal(found[i], found[k]), (different[i], different[k])
    for options in ({"lr": 0.1}, {"window": (-500.0, 500.0)}, {"size": 9, "spacing": 2.0}, {"max_epochs": 9}):
        vectors(ct(**options), X)
    assert passes.count == 2 * len(different)


def test_another_box_makes_other_features_of_files(monkeypatch, tmp_path, file_cohort, passes):
    made = publish(monkeypatch, tmp_path)
    X, _ = file_cohort
    for options in ({}, {"size": 10}, {"spacing": 5.0}):
        for _ in range(2):
            ct(weights=made, **options).prepare(X)
    assert passes.count == 3 * 8


def test_spacing_and_shape_of_an_array_count(small, passes):
    voxels = hounsfield(2, (12, 12, 10))
    found = [
        vectors(ct(), Cohort({"ct": Volumes(array, spacing=spacing)}))
        for array, spacing in [
            (voxels, 6.0),
            (voxels, (6.0, 6.0, 7.0)),
            (voxels.reshape(2, 1, 10, 12, 12), 6.0),  # the same bytes
        ]
    ]
    assert passes.count == 6
    assert len({features.tobytes() for features in found}) == 3


def test_a_scan_that_changed_is_computed_again_and_one_that_moved_is_not(small, file_cohort, passes, tmp_path):
    X, _ = file_cohort
    before = vectors(ct(), X)
    write_scans(tmp_path / "scans", hounsfield(1, seed=5))
    after = vectors(ct(), X)
    assert passes.count == 9
    assert not np.array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1:], before[1:])
    shutil.copytree(tmp_path / "scans", tmp_path / "moved")
    moved = Cohort({"ct": [path.replace("scans", "moved") for path in X["ct"].paths]})
    np.testing.assert_array_equal(vectors(ct(), moved), after)
    assert passes.count == 9


@pytest.mark.parametrize("finetune", FINETUNE)
@pytest.mark.parametrize("spoil", ["cleared", "truncated", "emptied", "deleted"])
def test_a_cache_that_was_cleared_or_damaged_is_made_again(small, file_cohort, tmp_path, finetune, spoil):
    X, y = file_cohort
    folder = tmp_path / "features"
    model = fusion(finetune=finetune, cache_dir=str(folder)).fit(X, y)
    expected = model.predict_proba(X)
    files = list(folder.glob("features/*/*.npy"))
    assert len(files) == (16 if finetune == "last" else 8)
    if spoil == "cleared":
        assert clear_cache(folder) == len(files)
    elif spoil == "deleted":
        shutil.rmtree(folder)
    for file in files if spoil in ("truncated", "emptied") else []:
        file.write_bytes(file.read_bytes()[:200] if spoil == "truncated" else b"")
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), expected)


def test_a_scan_that_moved_with_a_damaged_entry(small, file_cohort, tmp_path, passes):
    X, _ = file_cohort
    model = ct(cache_dir=str(tmp_path / "features"))
    before = vectors(model, X)
    for file in (tmp_path / "features").glob("features/*/*.npy"):
        file.write_bytes(b"")
    shutil.copytree(tmp_path / "scans", tmp_path / "moved")
    moved = Cohort({"ct": [path.replace("scans", "moved") for path in X["ct"].paths]})
    np.testing.assert_array_equal(vectors(model, moved), before)


def test_weights_exchanged_between_fitting_and_predicting_are_noticed(tmp_path, monkeypatch):
    X, y = array_cohort()
    file = tmp_path / "w.safetensors"
    save_file(state(1), file)
    model = ct(weights=file).fit(X[:6], y[:6])
    known = model.predict_proba(X[:6])
    save_file(state(2), file)
    np.testing.assert_array_equal(model.predict_proba(X[:6]), known)
    monkeypatch.setattr(sources, "_last", None)
    with pytest.raises(PretrainedWeightsError, match="was changed since"):
        model.predict_proba(X[6:])
