"""The shared cases of contours through the whole ingest, and lesion numbers of a CT contour on the PET."""

from __future__ import annotations

import json
import shutil
import tarfile
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from contour_builders import on_grid
from matplotlib.path import Path as Path2D

from prrt_estimators import Cohort
from prrt_estimators.contours import lesion_labels, lesion_shares, read_rtstruct
from prrt_estimators.dicom import read_ct, read_pet
from prrt_estimators.features import LesionFeatures
from prrt_estimators.ingest import ingest

CONTOURS = Path(__file__).resolve().parents[3] / "shared" / "data" / "contours"
pytestmark = pytest.mark.skipif(not CONTOURS.is_dir(), reason="the shared data (../shared/data/contours) are absent")
#: One of each kind; all of them are read to the voxel in tests/contours/test_reference_contours.py.
CASES = ["overlapping_rois", "points", "on_ct", "seg_multi", "oblique", "wrong_frame"]


def made(tmp_path, case):
    folder = CONTOURS / "cases" / case
    export = tmp_path / "export"
    own = folder / "PET"
    shutil.copytree(own if own.is_dir() else CONTOURS / "base" / "PET", export / "PET")
    if not own.is_dir():
        shutil.copytree(CONTOURS / "base" / "CT", export / "CT")
    for file in folder.glob("*.dcm"):
        shutil.copy(file, export)
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    result = ingest(
        export, CONTOURS / "clinical.csv", tmp_path / "out", key_file=tmp_path / "key", require=("pet",), n_jobs=1,
        verbose=False,
    )  # fmt: skip
    assert result.n_included == 1
    assert result.findings == ()
    return result, tmp_path / "out"


@pytest.mark.parametrize("case", CASES)
def test_cases(tmp_path, case):
    result, out = made(tmp_path, case)
    told = json.loads((CONTOURS / "cases" / case / "answer.json").read_text())
    found = list(out.rglob("lesions.nii.gz"))
    (record,) = json.loads((out / "provenance.json").read_text())["patients"].values()
    if "voxels" not in told:
        assert found == []
        assert record["contours"]["objects"] == {"of another examination": 1}
        assert "of another examination" in result.flow["notes"][0]
        return
    answer, image = nib.load(CONTOURS / "cases" / case / "answer.nii.gz"), nib.load(found[0])
    values = np.asanyarray(answer.dataobj)
    labels = on_grid(np.asarray(image.dataobj), image.affine, values, answer.affine)
    assert ((labels > 0) == (values > 0)).all()
    assert len(np.unique(labels)) - 1 == len(told["voxels"])
    assert record["contours"]["structures"]["taken"] == len(told.get("taken", [1]))
    assert sum(record["contours"]["structures"].get(why, 0) for why in ("organ", "planning")) == len(
        told.get("left", ["Marker"] if case == "points" else [])
    )
    assert pd.read_csv(out / "lesions.csv")["voxels"].sum() == told["voxels_of_union"]


def test_every_contour_object_and_structure_has_a_fate(tmp_path):
    """One export with all that was drawn: whatever is taken, left out or outside adds up, for every patient."""
    export = tmp_path / "export"
    shutil.copytree(CONTOURS / "base", export / "SYN0001")
    for file in sorted((CONTOURS / "cases").glob("*/*.dcm")):
        if not (file.parent / "PET").is_dir():
            shutil.copy(file, export / "SYN0001" / f"{file.parent.name}_{file.name}")
    for modality in ("PET", "CT"):
        shutil.copytree(CONTOURS / "real" / "STS_002" / modality, export / "STS_002" / modality)
    (export / "SYN0001" / "cut.dcm").write_bytes((CONTOURS / "cases" / "hole" / "RS.dcm").read_bytes()[:-4000])
    sarcoma = pd.read_csv(CONTOURS / "real" / "STS_002" / "clinical.csv")
    patients = ["SYN0001", "STS_002"]
    tables = [pd.read_csv(CONTOURS / "clinical.csv"), sarcoma]
    archive = CONTOURS.parent / "petct_dicom" / "STS_001_PET_GML_and_CT_dicom_crop.tar.gz"
    if archive.is_file():
        with tarfile.open(archive) as packed:
            packed.extractall(export / "STS_001", filter="data")
        patients.append("STS_001")
        tables.append(sarcoma.assign(patient_id="STS_001", age=59))
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    for asked in ("last", "all"):
        out = tmp_path / asked
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = ingest(
                export, pd.concat(tables), out, key_file=tmp_path / "key", require=("pet",), n_jobs=1, verbose=False,
                contours=asked,
            )  # fmt: skip
        assert result.n_included == len(patients)
        told = [one["contours"] for one in json.loads((out / "provenance.json").read_text())["patients"].values()]
        drawn = [contour_objects(export / patient) for patient in patients]
        assert sorted(sum(one["objects"].values()) for one in told) == sorted(len(one) for one in drawn)
        assert sorted(sum(one["structures"].values()) for one in told) == sorted(sum(one) for one in drawn)
        assert all(one["objects"]["taken"] and one["structures"]["taken"] for one in told)


def contour_objects(folder):
    """Return how many structures each contour object below a folder holds; 0 of one that cannot be read."""
    found = []
    for path in sorted(folder.rglob("*.dcm")):
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        if dataset.Modality in ("RTSTRUCT", "SEG"):
            named = "StructureSetROISequence" if dataset.Modality == "RTSTRUCT" else "SegmentSequence"
            found.append(0 if path.name == "cut.dcm" else len(dataset[named].value))
    return found


def test_a_contour_of_the_ct_measures_as_one_of_the_pet(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ct, pet = read_ct(CONTOURS / "base" / "CT"), read_pet(CONTOURS / "base" / "PET")
    drawn = read_rtstruct(CONTOURS / "cases" / "on_ct" / "RS.dcm")
    lesion = lesion_labels(drawn.on(ct.affine, ct.shape))
    (share,) = lesion_shares(lesion.labels, lesion.affine, pet.affine, pet.shape)
    # The lesion on the PET by another way: points within its voxels, against the outline that is nearest in height.
    contours = [contour.points for contour in drawn.rois[0].contours]
    heights = np.array([points[0, 2] for points in contours])
    offsets = (np.arange(6) + 0.5) / 6 - 0.5
    inner = np.array(np.meshgrid(offsets, offsets, offsets, indexing="ij")).reshape(3, -1).T
    inside = np.zeros(pet.shape)
    for index in np.ndindex(*pet.shape):
        if np.abs(pet.affine[:3, :3] @ index + pet.affine[:3, 3] - np.mean(contours[6], axis=0)).max() > 25:
            continue
        points = (np.array(index) + inner) @ pet.affine[:3, :3].T + pet.affine[:3, 3]
        nearest = np.abs(points[:, 2:] - heights).argmin(axis=1)
        within = np.abs(points[:, 2] - heights[nearest]) <= 1.25
        held = [
            within[k] and Path2D(contours[nearest[k]][:, :2]).contains_point(points[k, :2]) for k in range(len(points))
        ]
        inside[index] = np.mean(held)
    voxel = abs(np.linalg.det(pet.affine[:3, :3])) / 1000
    volume = (lesion.labels > 0).sum() * abs(np.linalg.det(lesion.affine[:3, :3])) / 1000
    suv = np.asarray(pet.dataobj)
    assert np.isclose(share.share.sum() * voxel, volume, rtol=0.001)
    assert np.isclose(inside.sum() * voxel, volume, rtol=0.05)
    assert np.isclose(np.average(suv[share.box], weights=share.share), np.average(suv, weights=inside), rtol=0.02)
    assert suv[share.box][share.core].max() == suv[inside >= 0.5].max()
    nib.save(pet, tmp_path / "pet.nii.gz")
    nib.save(nib.Nifti1Image(lesion.labels, lesion.affine), tmp_path / "mask.nii.gz")
    X = Cohort({"pet": [str(tmp_path / "pet.nii.gz")]}, masks={"lesion": [str(tmp_path / "mask.nii.gz")]})
    features = LesionFeatures(lesions="mask", numbers="field", cache_dir=tmp_path / "cache").fit_transform(X).loc[0]
    assert np.isclose(features["lesion_volume_ml"], inside.sum() * voxel, rtol=0.05)
    assert np.isclose(features["suv_mean"], np.average(suv, weights=inside), rtol=0.02)
    assert features["suv_max"] == suv[inside >= 0.5].max()
