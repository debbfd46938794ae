"""Radiomics features: the digital phantom of the IBSI, masks of other grids, what is missing."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from prrt_estimators import Cohort
from prrt_estimators.exceptions import CohortError, MissingDependencyError
from prrt_estimators.features import RadiomicsFeatures
from prrt_estimators.features import _radiomics as radiomics

#: The digital phantom of the IBSI, slice by slice; 0 is outside the region.
PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ],
    dtype=np.float32,
).transpose(2, 1, 0)
#: Reference values of the IBSI (doi 10.1148/radiol.2020191145) at the digits that it gives; textures are of 3D, merged.
REFERENCE = {
    "morph_volume": 556, "morph_vol_approx": 592, "morph_area_mesh": 388, "morph_av": 0.698, "morph_sphericity": 0.843,
    "morph_diam": 13.1, "stat_mean": 2.15, "stat_var": 3.05, "stat_skew": 1.08, "stat_kurt": -0.355, "stat_energy": 567,
    "stat_rms": 2.77, "stat_cov": 0.812, "ih_entropy": 1.27, "ih_uniformity": 0.512, "cm_joint_max_d1_3d_v_mrg": 0.509,
    "cm_joint_entr_d1_3d_v_mrg": 2.57, "cm_contrast_d1_3d_v_mrg": 5.12, "rlm_sre_3d_v_mrg": 0.729,
    "rlm_glnu_norm_3d_v_mrg": 0.43, "szm_sze_3d": 0.255, "dzm_sde_3d": 1, "ngt_coarseness_3d": 0.0296,
    "ngl_lde_d1_a0.0_3d": 0.045,
}  # fmt: skip


@pytest.fixture(autouse=True)
def mirp():
    pytest.importorskip("mirp")


def written(folder, pet, mask, affine, mask_affine=None):
    files = {}
    for name, values, own in (("pet", pet, affine), ("mask", mask, affine if mask_affine is None else mask_affine)):
        files[name] = str(folder / f"{name}.nii.gz")
        nib.save(nib.Nifti1Image(values, own), files[name])
    return Cohort({"pet": [files["pet"]]}, masks={"lesion": [files["mask"]]}, ids=["P1"])


def test_the_digital_phantom_of_the_ibsi(tmp_path):
    X = written(tmp_path, PHANTOM, (PHANTOM > 0).astype(np.uint8), np.diag([2.0, 2, 2, 1]))
    # Features that do not depend on where the first grey level begins.
    features = RadiomicsFeatures(bin_width={"pet": 1.0}, cache_dir=tmp_path / "cache")
    table = features.fit_transform(X)
    assert table.shape == (1, features.n_features_out_)
    assert list(table) == list(features.get_feature_names_out())
    for name, expected in REFERENCE.items():
        value = table.loc[0, f"pet_{name}"]
        assert value == pytest.approx(expected, rel=0.005), name
    # The second time nothing is measured: the numbers lie in the cache.
    assert features.transform(X).equals(table)


def test_the_cache_is_asked_first_and_knows_the_settings(tmp_path, monkeypatch):
    X = written(tmp_path, PHANTOM, (PHANTOM > 0).astype(np.uint8), np.diag([2.0, 2, 2, 1]))
    radiomics.feature_names()
    measured = []

    def count(image, region, scan, width, resample):
        measured.append((scan, width, resample, int(region.sum())))
        return dict.fromkeys(radiomics.feature_names(), float(len(measured)))

    monkeypatch.setattr(radiomics, "_measured", count)
    for options in ({}, {}, {"bin_width": {"pet": 0.25}}, {"resample": 3}):
        RadiomicsFeatures(cache_dir=tmp_path / "cache", **options).fit_transform(X)
    assert measured == [("pet", 0.5, None, 74), ("pet", 0.25, None, 74), ("pet", 0.5, [3.0, 3.0, 3.0], 74)]


def test_a_mask_of_a_finer_grid_loses_no_lesion(tmp_path):
    fine = np.zeros((10, 8, 8), np.uint8)
    fine[2, 2, 2] = 1  # an eighth of a voxel of the PET
    affine, half = np.diag([2.0, 2, 2, 1]), np.diag([1.0, 1, 1, 1])
    half[:3, 3] = -0.5
    X = written(tmp_path, PHANTOM, fine, affine, half)
    image = radiomics.Image(PHANTOM, affine)
    region = radiomics.region_on(radiomics.read_lesions(X, 0, "lesion", image), image)
    assert np.argwhere(region).tolist() == [[1, 1, 1]]


def test_what_is_missing_is_nan(tmp_path):
    voxels = np.stack([PHANTOM, PHANTOM])[:, None]
    masks = np.stack([np.zeros_like(PHANTOM), (PHANTOM > 0)])[:, None].astype(np.float32)
    X = Cohort({"pet": voxels}, masks={"lesion": masks}, ids=["none", "some"])
    table = RadiomicsFeatures(spacing=2.0, cache_dir=tmp_path).fit(X).transform(X)
    assert table.loc[0].isna().all()
    assert table.loc[1, "pet_morph_vol_approx"] == 592


def test_wrong_use(tmp_path, monkeypatch):
    X = Cohort({"pet": PHANTOM[None, None]})
    with pytest.raises(ValueError, match="masks of lesions"):
        RadiomicsFeatures().fit(X)
    for options in ({"bin_width": {"pet": 0}}, {"bin_width": {"mr": 1.0}}, {"resample": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            RadiomicsFeatures(**options).fit(X)
    damaged = written(tmp_path, PHANTOM, (PHANTOM > 0).astype(np.uint8), np.eye(4))
    (tmp_path / "mask.nii.gz").write_bytes(b"no volume")
    with pytest.raises(CohortError, match="P1"):
        RadiomicsFeatures(cache_dir=tmp_path / "cache").fit_transform(damaged)


def test_without_mirp_the_command_is_named(monkeypatch):
    def absent(name):
        raise radiomics.PackageNotFoundError(name)

    monkeypatch.setattr(radiomics, "version", absent)
    with pytest.raises(MissingDependencyError, match=r"prrt-estimators\[radiomics\]"):
        RadiomicsFeatures().fit(Cohort({"pet": PHANTOM[None, None]}))
