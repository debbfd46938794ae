"""Shares by hand, organs apart from lesions, and the planted lesion found by a model that learnt it only."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from saliency_helpers import pet_model, planted
from sklearn.metrics import roc_auc_score

from prrt_estimators import Cohort, PETPFSClassifier
from prrt_estimators.inspection import (
    SaliencyMaps,
    attribution_in_regions,
    randomise_weights,
    saliency,
    summarise_regions,
)


def maps_of(values, *, suv=None, hu=None, affine=None):
    """Return maps of PET (and CT, the same) for arrays of shape (n, D, H, W)."""
    values = np.asarray(values, dtype=np.float32)[:, None]
    n = len(values)
    scans = {"pet": np.ones_like(values) if suv is None else np.asarray(suv, dtype=np.float32)[:, None]}
    if hu is not None:
        scans["ct"] = np.asarray(hu, dtype=np.float32)[:, None]
    affines = np.tile(np.eye(4) if affine is None else affine, (n, 1, 1))
    return SaliencyMaps(
        {name: values.copy() for name in scans},
        volumes=scans,
        affines=dict.fromkeys(scans, affines),
        ids=[f"P{row}" for row in range(n)],
        probability=np.full(n, 0.5),
        method="gradient",
        target="logit",
    )


def row_of(table, region, modality="pet"):
    [(_, row)] = table[(table["region"] == region) & (table["modality"] == modality)].iterrows()
    return row


def test_shares_by_hand():
    values = np.zeros((1, 4, 4, 4))
    values[0, 0, 0, 0], values[0, 1, 0, 0], values[0, 3, 3, 3] = -6.0, 1.0, 3.0
    lesion = np.zeros((1, 1, 4, 4, 4))
    lesion[0, 0, :2, 0, 0] = 1
    row = row_of(attribution_in_regions(maps_of(values), {"lesion": lesion}), "lesion")
    assert row["share"] == pytest.approx(0.7)
    assert row["expected"] == pytest.approx(2 / 64)
    assert row["ratio"] == pytest.approx(0.7 * 32)
    assert row["pointing"] == 1.0
    assert row["uptake_share"] == pytest.approx(2 / 64)
    assert row["kind"] == "lesion"
    values[0, 3, 3, 3] = 7.0
    assert row_of(attribution_in_regions(maps_of(values), {"lesion": lesion}), "lesion")["pointing"] == 0.0


def test_organs_count_apart_from_the_lesions_within():
    values = np.ones((1, 4, 4, 4))
    liver, lesion = np.zeros((2, 1, 1, 4, 4, 4))
    liver[0, 0, :2] = 1
    lesion[0, 0, 0] = 1
    masks = {"Liver": liver, "liver_metastases": lesion}
    table = attribution_in_regions(maps_of(values), masks)
    assert dict(zip(table["region"], table["kind"], strict=True)) == {
        "Liver": "physiological",
        "liver_metastases": "lesion",
    }
    assert row_of(table, "Liver")["voxels"] == 16
    assert row_of(table, "liver_metastases")["voxels"] == 16
    named = attribution_in_regions(maps_of(values), masks, physiological=["liver_metastases"])
    assert row_of(named, "Liver")["kind"] == "lesion"
    assert row_of(named, "Liver")["voxels"] == 32
    assert "liver_metastases" not in set(named["region"])  # nothing of it is left beside the liver


def test_uptake_in_no_mask_is_a_region_of_its_own():
    suv = np.ones((1, 4, 4, 4))
    suv[0, 3] = 9.0
    suv[0, 0, 0, 0] = 9.0
    lesion = np.zeros((1, 1, 4, 4, 4))
    lesion[0, 0, 0, 0, 0] = 1
    values = np.ones((1, 4, 4, 4))
    values[0, 3] = 2.0
    table = attribution_in_regions(maps_of(values, suv=suv), {"lesion": lesion})
    row = row_of(table, "uptake elsewhere")
    assert row["voxels"] == 16
    assert row["kind"] == "physiological"
    assert row["share"] == pytest.approx(32 / 80)
    assert "uptake elsewhere" not in set(
        attribution_in_regions(maps_of(values, suv=suv), {"lesion": lesion}, suv_above=None)["region"]
    )


def test_chance_within_the_body_is_stricter():
    values = np.ones((1, 4, 4, 4))
    hu = np.full((1, 4, 4, 4), -1000.0)
    hu[0, :2] = 40
    lesion = np.zeros((1, 1, 4, 4, 4))
    lesion[0, 0, :, 0, 0] = lesion[0, 0, 0, 1, 1:4] = 1  # two voxels of it outside
    maps = maps_of(values, hu=hu)
    box = attribution_in_regions(maps, {"lesion": lesion})
    body = attribution_in_regions(maps, {"lesion": lesion}, within="body")
    for name in ("pet", "ct"):
        assert row_of(box, "lesion", name)["expected"] == pytest.approx(7 / 64)
        assert row_of(body, "lesion", name)["expected"] == pytest.approx(5 / 32)
        assert row_of(body, "lesion", name)["share"] == pytest.approx(5 / 32)
        assert row_of(body, "lesion", name)["voxels"] == 5


def test_masks_may_lie_on_any_grid(tmp_path):
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    values = np.ones((2, 12, 12, 12))
    oblique = np.array([[-1.5, -0.3, 0.1, 70], [0.3, -1.5, -0.1, 60], [0.05, 0.1, 1.9, -8], [0, 0, 0, 1]])
    index = np.stack(np.meshgrid(*[np.arange(48)] * 3, indexing="ij"), axis=-1)
    mm = index @ oblique[:3, :3].T + oblique[:3, 3]
    ball = (np.linalg.norm(mm - (30, 25, 30), axis=-1) < 12).astype(np.uint8)
    nib.save(nib.Nifti1Image(ball, oblique), tmp_path / "gtv.nii.gz")
    table = attribution_in_regions(maps_of(values, affine=affine), {"gtv": [str(tmp_path / "gtv.nii.gz"), None]})
    row = row_of(table, "gtv")  # the second patient has no mask, and no row
    assert row["voxels"] * 125 == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.05)
    maps = maps_of(values * 0, affine=affine)
    maps["pet"][0, 0, 6, 5, 6] = 1.0  # (30, 25, 30) mm
    assert row_of(attribution_in_regions(maps, {"gtv": [str(tmp_path / "gtv.nii.gz"), None]}), "gtv")["pointing"] == 1


def test_empty_maps_and_empty_regions_tell_nothing():
    lesion = np.zeros((2, 1, 4, 4, 4))
    lesion[0, 0, 0] = 1
    table = attribution_in_regions(maps_of(np.zeros((2, 4, 4, 4))), {"lesion": lesion})
    assert len(table) == 1
    assert table[["share", "ratio", "pointing"]].isna().all(axis=None)
    summary = summarise_regions(table).iloc[0]
    assert summary["n_patients"] == 0
    assert np.isnan(summary[["share", "ratio", "pointing"]].astype(float)).all()


def test_summary_by_hand():
    table = pd.DataFrame(
        {
            "modality": ["pet"] * 4,
            "region": ["lesion"] * 3 + ["kidney"],
            "kind": ["lesion"] * 3 + ["physiological"],
            "share": [0.2, 0.6, np.nan, 0.1],
            "expected": [0.1, 0.1, 0.1, 0.2],
            "uptake_share": [0.3, 0.3, 0.3, 0.1],
            "pointing": [1.0, 1.0, np.nan, 0.0],
        }
    )
    summary = summarise_regions(table).set_index("region")
    assert summary.loc["lesion", "n_patients"] == 2
    assert summary.loc["lesion", "ratio"] == pytest.approx(4)
    assert summary.loc["lesion", "pointing"] == 1
    assert summary.loc["lesion", "pointing_low"] == pytest.approx(2 / (2 + 1.959964**2))  # Wilson, all won
    assert summary.loc["kidney", "ratio"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"within": "skin"}, ValueError, "`within`"),
        ({"physiological": ["spleen"]}, ValueError, "names .'spleen'."),
    ],
)
def test_parameters_are_checked(options, error, words):
    with pytest.raises(error, match=words):
        attribution_in_regions(maps_of(np.ones((1, 4, 4, 4))), {"lesion": np.ones((1, 1, 4, 4, 4))}, **options)


def test_masks_and_maps_must_fit():
    maps = maps_of(np.ones((1, 4, 4, 4)))
    with pytest.raises(ValueError, match="one row for each of 1 patients"):
        attribution_in_regions(maps, {"lesion": np.ones((2, 1, 4, 4, 4))})
    with pytest.raises(ValueError, match="on the grid of the scans"):
        attribution_in_regions(maps, {"lesion": np.ones((1, 1, 5, 4, 4))})
    with pytest.raises(TypeError, match="saliency"):
        attribution_in_regions({"pet": np.ones((1, 1, 4, 4, 4))}, {})


def test_a_model_that_learnt_points_at_the_lesion_and_a_randomised_one_does_not():
    model, X, y = pet_model()
    assert roc_auc_score(y, model.predict_proba(X)[:, 1]) > 0.95
    has = X[y == 0]

    def lesion(one, seed=0):
        return (
            summarise_regions(attribution_in_regions(saliency(one, has), has.masks)).set_index("region").loc["lesion"]
        )

    learnt = lesion(model)
    assert learnt["ratio"] > 8
    assert learnt["pointing"] > 0.8
    others = pd.DataFrame([lesion(randomise_weights(model, random_state=seed)) for seed in range(5)])
    assert others["ratio"].mean() < 2
    assert others["pointing"].mean() < 0.35
    organs = summarise_regions(attribution_in_regions(saliency(model, has), has.masks)).set_index("region")
    assert organs.loc["kidneys", "kind"] == "physiological"
    assert organs.loc["kidneys", "pointing"] == 0


def test_masks_ride_along_with_the_patients():
    X, y = planted(4)
    model = PETPFSClassifier(max_epochs=1, device="cpu", random_state=0).fit(X.select("pet"), y)
    part = X.select("pet")[[2, 0]]
    table = attribution_in_regions(saliency(model, part), part.masks)
    assert table.loc[table["region"] == "lesion", "patient_id"].tolist() == ["P02", "P00"]
    assert isinstance(part, Cohort)
