"""Branches with published weights: which volumes they take, and what of them is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pretrained_helpers import (
    FINETUNE,
    NARROW,
    QUICK,
    array_cohort,
    ct,
    embedding_state,
    fusion,
    publish,
    state,
    vectors,
)
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from torch import nn

from prrt_estimators import Cohort, FusionPFSClassifier, PETPFSClassifier
from prrt_estimators.cohort import Volumes
from prrt_estimators.exceptions import PretrainedWeightsError
from prrt_estimators.networks import build_encoder
from prrt_estimators.pretrained._branches import _only_last_trains

CV = StratifiedKFold(2, shuffle=True, random_state=0)


# Which volumes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("finetune", FINETUNE)
def test_an_array_without_spacing_is_refused_with_the_remedy(small, finetune):
    X, y = array_cohort()
    bare = Cohort({"ct": X["ct"].array, "lab": X["lab"]})
    for act in (lambda: fusion(finetune=finetune).fit(bare, y), lambda: fusion().prepare(bare)):
        with pytest.raises(
            PretrainedWeightsError, match=r"small expect voxels of 6 x 6 x 8 mm.*Pass Volumes\(array, spac"
        ):
            act()
    fitted = fusion(finetune=finetune).fit(X, y)
    with pytest.raises(PretrainedWeightsError, match="Pass Volumes"):
        fitted.predict_proba(bare)


@pytest.mark.parametrize("finetune", FINETUNE)
def test_an_array_with_its_spacing_is_as_good_as_files(small, file_cohort, finetune):
    files, y = file_cohort
    arrays, _ = array_cohort()
    a, b = (fusion(finetune=finetune).fit(X, y) for X in (files, arrays))
    # Volumes to be trained on are kept in whole HU where they come from files and from arrays alike.
    np.testing.assert_allclose(a.predict_proba(files), b.predict_proba(arrays), atol=1e-6)
    np.testing.assert_allclose(a.predict_proba(arrays), b.predict_proba(files), atol=1e-6)


def test_spacing_may_differ_by_patient_and_stays_with_its_row(small):
    spacing = np.linspace(4.0, 9.0, 24).reshape(8, 3)
    X, y = array_cohort(spacing=spacing)
    model = ct().fit(X, y)
    order = np.array([5, 0, 7, 2])
    np.testing.assert_array_equal(X[order]["ct"].spacing, spacing[order])
    np.testing.assert_allclose(model.predict_proba(X[order]), model.predict_proba(X)[order], atol=1e-6)


@pytest.mark.parametrize("finetune", FINETUNE)
def test_patients_without_a_ct_are_trained_on_and_predicted_for(small, passes, finetune):
    X, y = array_cohort()
    voxels = X["ct"].array.copy()
    voxels[[1, 6]] = np.nan
    some = Cohort({"ct": Volumes(voxels, spacing=6.0), "lab": X["lab"]})
    model = fusion(finetune=finetune).fit(some, y)
    assert passes.count == (0 if finetune == "full" else 6)
    p = model.predict_proba(some)
    assert np.isfinite(p).all()
    alone = ct(finetune=finetune).fit(some, y).predict_proba(some)[:, 1]
    assert alone[1] == alone[6]
    assert len(set(np.round(alone, 7))) == 7
    nobody = Cohort({"ct": Volumes(np.full_like(voxels, np.nan), spacing=6.0), "lab": X["lab"]})
    assert np.isfinite(model.predict_proba(nobody)).all()
    np.testing.assert_array_equal(model.predict_proba(X.select("lab")), model.predict_proba(nobody))


@pytest.mark.parametrize("finetune", FINETUNE)
def test_one_patient_is_predicted_as_in_a_batch(small, finetune):
    X, y = array_cohort()
    model = fusion(finetune=finetune).fit(X, y)
    together = model.predict_proba(X)
    np.testing.assert_allclose(np.vstack([model.predict_proba(X[k]) for k in range(8)]), together, atol=1e-6)


def test_pet_may_be_pretrained_too(tmp_path, nifti_cohort, passes):
    save_file(state(3), tmp_path / "pet.safetensors")
    X, y = nifti_cohort(6)
    weights = tmp_path / "pet.safetensors"
    model = FusionPFSClassifier(weights=weights, **QUICK).fit(X, y)
    assert passes.count == 12
    assert model.net_.module_.encoders["pet"].out_features == 128
    assert PETPFSClassifier(weights=weights, **QUICK).fit(X, y).predict_proba(X).shape == (6, 2)
    assert passes.count == 12


def test_bfloat16_is_near_single_precision(small):
    X, _ = array_cohort(3)
    a, b = vectors(ct(), X), vectors(ct(precision="bfloat16"), X)
    assert not np.array_equal(a, b)
    np.testing.assert_allclose(a, b, atol=0.05 * np.abs(a).max())


# What is learnt -------------------------------------------------------------------------------------------------------


def test_frozen_features_are_standardised_by_the_training_rows_alone(small):
    X, y = array_cohort(12)
    spoilt = X["ct"].array.copy()
    spoilt[8:] = 1900.0
    spoilt[8:, 0, 0, 0, 0] = -1000.0
    models = []
    for cohort in (X, Cohort({"ct": Volumes(spoilt, spacing=6.0), "lab": X["lab"]})):
        model = fusion(max_epochs=2).fit(cohort[:8], y[:8])
        model.predict_proba(cohort[8:])
        models.append(model)
    a, b = (model.net_.module_.state_dict() for model in models)
    assert all(torch.equal(a[key], b[key]) for key in a)
    features = vectors(ct(), X[:8])
    own = embedding_state(models[0])
    np.testing.assert_allclose(own["mean"], features.mean(axis=0), atol=1e-6)
    spread = features.std(axis=0)
    np.testing.assert_allclose(own["scale"], np.where(spread > 1e-6, spread, 1e6), rtol=1e-4)
    whole = embedding_state(fusion().fit(X, y))
    assert not torch.equal(own["mean"], whole["mean"])


@pytest.mark.parametrize("finetune", FINETUNE)
def test_only_what_is_asked_for_is_trained(small, finetune):
    X, y = array_cohort()
    model = ct(finetune=finetune).fit(X, y)
    made, trained = state(), embedding_state(model)
    if finetune == "frozen":
        assert set(trained) == {"mean", "scale"}
        return
    expected = {key for key in made if key.startswith("layer4.") or finetune == "full"}
    assert set(trained) == expected
    assert not any(torch.equal(trained[key], made[key]) for key in expected)
    assert all((trained[key] - made[key]).abs().max() < 5e-4 for key in expected)


def test_the_last_stage_of_other_networks_is_their_last_part_with_weights():
    dense = build_encoder("densenet121", None, (32, 32, 32))
    _only_last_trains(dense)
    trained = {key.split(".")[2] for key, value in dense.named_parameters() if value.requires_grad}
    assert trained == {"denseblock4", "norm5"}


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 6, 3), nn.BatchNorm3d(6)
        )

    def forward(self, volumes):
        return self.body(volumes)


def test_an_own_network_is_frozen_trained_at_its_end_or_whole(tmp_path, passes):
    X, y = array_cohort()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = {key: value.clone() for key, value in Own().state_dict().items()}
    save_file(made, tmp_path / "own.safetensors")
    kept = {}
    for finetune in FINETUNE:
        model = ct(encoder=Own, weights=tmp_path / "own.safetensors", finetune=finetune).fit(X, y)
        trained = embedding_state(model)
        kept[finetune] = {key for key in made if key in trained and torch.equal(trained[key], made[key])}
        assert np.isfinite(model.predict_proba(X)).all()
    assert passes.count == 8
    statistics = {key for key in made if "running" in key or "tracked" in key}
    assert kept["frozen"] == set()
    assert kept["last"] == statistics | {key for key in made if key.startswith(("body.0.", "body.1."))}
    # A bias before a normalisation with fixed statistics has a gradient like any weight.
    assert kept["full"] == statistics


@pytest.mark.parametrize("finetune", ["last", "full"])
def test_pretrained_weights_learn_at_their_part_of_the_rate(small, finetune):
    X, y = array_cohort()
    plain = {
        "optimizer": "sgd",
        "weight_decay": 0.0,
        "batch_size": 8,
        "dropout": 0.0,
        "augment": None,
    }
    steps = {}
    for factor in (1.0, 0.1):
        model = ct(finetune=finetune, pretrained_lr_factor=factor, lr=0.01, **plain).fit(X, y)
        made = state()
        own = {key: value - made[key] for key, value in embedding_state(model).items()}
        head = {key: value for key, value in model.net_.module_.state_dict().items() if not key.startswith("encoders.")}
        steps[factor] = own, head
    for key, step in steps[1.0][0].items():
        assert step.abs().max() > 0, key
        # What is left of a small step on weights of about 1 in single precision.
        torch.testing.assert_close(steps[0.1][0][key] * 10, step, atol=2e-5, rtol=0.05)
    for key, value in steps[1.0][1].items():
        assert torch.equal(steps[0.1][1][key], value), key


@pytest.mark.parametrize("finetune", ["last", "full"])
def test_batch_statistics_stay_those_of_the_pretraining(monkeypatch, tmp_path, finetune):
    publish(monkeypatch, tmp_path, encoder="resnet10", encoder_params=NARROW)
    X, y = array_cohort()
    model = fusion(finetune=finetune, max_epochs=2, batch_size=3).fit(X, y)
    made, trained = state(0, "resnet10", NARROW), embedding_state(model)
    statistics = [key for key in trained if "running" in key or "tracked" in key]
    assert statistics
    assert all(torch.equal(trained[key], made[key]) for key in statistics)
    together = model.predict_proba(X)
    np.testing.assert_allclose(np.vstack([model.predict_proba(X[k]) for k in range(8)]), together, atol=1e-6)


def test_a_search_over_how_much_is_trained(small, passes):
    X, y = array_cohort()
    search = GridSearchCV(fusion(), {"finetune": list(FINETUNE)}, cv=CV, scoring="roc_auc").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert passes.count == 16  # frozen, then last: each once a patient
    copy = clone(fusion(finetune="last", pretrained_lr_factor=0.3))
    assert (copy.weights, copy.finetune, copy.pretrained_lr_factor) == ({"ct": "small"}, "last", 0.3)


def test_the_same_seed_gives_the_same_bits_and_finetuning_changes_them(small):
    X, y = array_cohort()
    found = {f: fusion(finetune=f).fit(X, y).predict_proba(X) for f in FINETUNE}
    for finetune, p in found.items():
        np.testing.assert_array_equal(fusion(finetune=finetune).fit(X, y).predict_proba(X), p)
    assert len({p.tobytes() for p in found.values()}) == 3
