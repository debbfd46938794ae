"""Twenty ways in which a NIfTI file can be wrong: each one message with patient, file and remedy."""

import gzip
import os

import nibabel as nib
import numpy as np
import pytest

from prrt_estimators import Cohort
from prrt_estimators.exceptions import CohortError
from prrt_estimators.preprocessing import prepare_volumes
from prrt_estimators.preprocessing._scans import read_scan

RNG = np.random.default_rng(0)
GOOD = {
    "pet": RNG.gamma(2, 1, (8, 8, 8)).astype(np.float32),
    "ct": RNG.normal(0, 100, (8, 8, 8)).astype(np.float32),
}
HU = RNG.integers(-1000, 3000, (8, 8, 8)).astype(np.float32)
HU[0, 0, 0] = -1000


def save(path, data, affine=None):
    nib.save(nib.Nifti1Image(data, np.diag([4.0, 4, 4, 1]) if affine is None else affine), path)
    return path


def changed(modality, **voxels):
    data = GOOD[modality].copy()
    for value in voxels.values():
        data[3, 3, 3] = value
    return data


def shorten(path, data, part):
    raw = save(path, data).read_bytes()
    path.write_bytes(raw[: int(len(raw) * part)])


BAD = {
    "missing": ("pet", lambda p: None, "does not exist"),
    "folder": ("pet", lambda p: p.mkdir(), "is a folder"),
    "empty": ("pet", lambda p: p.write_bytes(b""), "is empty or ends"),
    "text": ("ct", lambda p: p.write_text("Dear colleague, " * 60), "not a readable NIfTI"),
    "cut gzip": ("pet", lambda p: shorten(p, GOOD["pet"], 0.6), "ends early or is damaged"),
    "damaged gzip": (
        "pet",
        lambda p: p.write_bytes(b"\x1f\x8b\x08" + bytes(RNG.integers(0, 255, 500, dtype=np.uint8))),
        "ends early or is damaged",
    ),
    "gzip of a cut file": (
        "ct",
        lambda p: p.write_bytes(gzip.compress(nib.Nifti1Image(GOOD["ct"], np.eye(4)).to_bytes()[:600])),
        "ends before its last voxel",
    ),
    "4-D": ("pet", lambda p: save(p, np.stack([GOOD["pet"]] * 3, axis=-1)), "3-D volume, got 4 dimensions"),
    "2-D": ("ct", lambda p: save(p, GOOD["ct"][:, :, 0]), "3-D volume, got 2 dimensions|at least 2 voxels"),
    "one slice": ("ct", lambda p: save(p, GOOD["ct"][:, :, :1]), "at least 2 voxels|3-D volume"),
    "NaN": ("pet", lambda p: save(p, changed("pet", v=np.nan)), "1 of 512 voxels are NaN"),
    "infinite": ("ct", lambda p: save(p, changed("ct", v=np.inf)), "1 of 512 voxels are NaN or infinite"),
    "constant": ("pet", lambda p: save(p, np.zeros((8, 8, 8), np.float32)), "every voxel is 0"),
    "Bq/mL": ("pet", lambda p: save(p, GOOD["pet"] * 20000), "is not an SUV; it looks like Bq/mL"),
    "negative PET": ("pet", lambda p: save(p, -GOOD["pet"]), "no voxel is positive"),
    "stored CT values": ("ct", lambda p: save(p, np.abs(GOOD["ct"]) + 500), "no voxel is below 0 HU"),
    "CT for PET": ("pet", lambda p: save(p, HU), "values down to -1000 are not SUV; it looks like a CT in HU"),
    "PET far below 0": ("pet", lambda p: save(p, changed("pet", v=-9)), "values down to -9 are not SUV"),
    "PET often below 0": (
        "pet",
        lambda p: save(p, GOOD["pet"] - 2),
        "are not SUV; a PET in SUVbw has hardly any below 0",
    ),
    "PET with undershoot for CT": (
        "ct",
        lambda p: save(p, changed("pet", v=-0.2)),
        "no voxel is below -50 HU; it looks like a PET",
    ),
    "windowed CT": ("ct", lambda p: save(p, GOOD["pet"] / GOOD["pet"].max()), "are not HU"),
    "huge spacing": ("ct", lambda p: save(p, GOOD["ct"], np.diag([400.0, 4, 4, 1])), "is not believable"),
    "zero spacing": ("pet", lambda p: save(p, GOOD["pet"], np.diag([0.0001, 4, 4, 1])), "is not believable"),
    "singular": (
        "pet",
        lambda p: save(p, GOOD["pet"], np.array([[4.0, 4, 0, 0], [0, 0.001, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1]])),
        "singular",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_gives_one_message_with_patient_file_and_remedy(kind, tmp_path):
    modality, spoil, message = BAD[kind]
    path = tmp_path / "scan.nii.gz"
    spoil(path)
    with pytest.raises(CohortError, match=message) as caught:
        prepare_volumes(Cohort({modality: [path]}, ids=["P7"]))
    text = str(caught.value)
    assert "patient P7" in text
    assert modality in text
    assert "scan.nii.gz" in text
    assert "Remedy: " in text
    assert len(caught.value.problems) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_permissions(tmp_path):
    path = save(tmp_path / "scan.nii.gz", GOOD["pet"])
    path.chmod(0)
    with pytest.raises(CohortError, match="cannot be read"):
        prepare_volumes(Cohort({"pet": [path]}))


def test_pet_and_ct_of_different_places(tmp_path):
    far = np.diag([4.0, 4, 4, 1])
    far[:3, 3] = [5000, 0, 0]
    X = Cohort(
        {"pet": [save(tmp_path / "p.nii.gz", GOOD["pet"])], "ct": [save(tmp_path / "c.nii.gz", GOOD["ct"], far)]},
        ids=["P1"],
    )
    with pytest.raises(CohortError, match=r"patient P1.*share 0% .* 5000 mm apart"):
        prepare_volumes(X)


def test_all_problems_of_a_cohort_come_at_once(tmp_path):
    good = save(tmp_path / "good.nii.gz", GOOD["pet"])
    nan = save(tmp_path / "nan.nii.gz", changed("pet", v=np.nan))
    with pytest.raises(CohortError) as caught:
        prepare_volumes(Cohort({"pet": [good, tmp_path / "none.nii.gz", nan, None]}, ids=list("ABCD")))
    assert [problem.patient for problem in caught.value.problems] == ["B", "C"]
    assert str(caught.value).startswith("2 problems in the cohort:\n  1. patient B")


def test_a_trailing_axis_of_one_is_dropped(tmp_path):
    path = save(tmp_path / "scan.nii.gz", GOOD["pet"][..., None])
    assert read_scan(str(path), "pet").data.shape == (8, 8, 8)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("version", [nib.Nifti1Image, nib.Nifti2Image])
def test_scaling_and_both_versions_are_read_as_nibabel_reads_them(tmp_path, suffix, version):
    image = version((RNG.integers(0, 500, (5, 6, 7))).astype(np.int16), np.diag([4.0, 4, 4, 1]))
    image.header.set_slope_inter(0.01, 0.5)
    nib.save(image, tmp_path / f"scan{suffix}")
    scan = read_scan(str(tmp_path / f"scan{suffix}"), "pet")
    np.testing.assert_allclose(scan.data, nib.load(tmp_path / f"scan{suffix}").get_fdata(), rtol=1e-6)
    assert scan.data.dtype == np.float32


def test_a_pet_may_undershoot(tmp_path):
    path = save(tmp_path / "scan.nii.gz", changed("pet", v=-4.0))
    assert read_scan(str(path), "pet").data.min() == -4


def test_undershoot_beside_a_hot_bladder(tmp_path):
    data = changed("pet", v=300.0)
    data[0, 0, 0] = -12.0
    assert read_scan(str(save(tmp_path / "scan.nii.gz", data)), "pet").data.min() == -12


def swapped(folder, right=0):
    """Five patients, the first `right` of which have PET and CT where they belong."""
    pet = [save(folder / f"pet{k}.nii.gz", GOOD["pet"] + k / 10) for k in range(5)]
    ct = [save(folder / f"ct{k}.nii.gz", HU + k) for k in range(5)]
    return {"pet": pet[:right] + ct[right:], "ct": ct[:right] + pet[right:]}


@pytest.mark.parametrize("right", [0, 2])
def test_swapped_columns_are_one_problem(tmp_path, right):
    with pytest.raises(CohortError, match="the PET and the CT column seem to be swapped") as caught:
        prepare_volumes(Cohort(swapped(tmp_path, right), ids=list("ABCDE")), cache_dir=tmp_path / "cache")
    (problem,) = caught.value.problems
    assert f"{5 - right} of 5 PET files look like a CT" in problem.what
    assert "slope" not in str(problem)


def test_single_swaps_name_their_patients(tmp_path):
    with pytest.raises(CohortError) as caught:
        prepare_volumes(Cohort(swapped(tmp_path, 3), ids=list("ABCDE")), cache_dir=tmp_path / "cache")
    assert [(p.patient, p.column) for p in caught.value.problems] == [(k, c) for k in "DE" for c in ("pet", "ct")]
