"""The shared cases with known answers, voxel for voxel."""

import json
import tarfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from contour_builders import on_grid

from prrt_estimators.contours import lesion_labels, read_mask, read_rtstruct, read_segmentation
from prrt_estimators.dicom import read_ct, read_pet

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CONTOURS = SHARED / "contours"
pytestmark = pytest.mark.skipif(not CONTOURS.is_dir(), reason="the shared data (../shared/data/contours) are absent")
OUTLINES = ["hole", "keyhole", "two_in_one", "off_plane", "overlapping_rois", "points", "on_ct", "reversed", "oblique"]


def scan(folder, read):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the series are cropped and say so
        return read(folder)


def differing(lesions, answer):
    image = nib.load(answer)
    values = np.asanyarray(image.dataobj).reshape(image.shape[:3])
    return int(((on_grid(lesions.labels, lesions.affine, values, image.affine) > 0) != (values > 0)).sum())


@pytest.mark.parametrize("name", OUTLINES)
def test_outlines(name):
    folder = CONTOURS / "cases" / name
    told = json.loads((folder / "answer.json").read_text())
    own = folder / "PET"
    if told["grid"] == "CT":
        image = scan(CONTOURS / "base" / "CT", read_ct)
    else:
        image = scan(own if own.is_dir() else CONTOURS / "base" / "PET", read_pet)
    structures = read_rtstruct(folder / "RS.dcm").on(image.affine, image.shape)
    lesions = lesion_labels(structures, [one for one in structures.regions if one.name not in told.get("left", ())])
    assert differing(lesions, folder / "answer.nii.gz") == 0
    assert np.bincount(lesions.labels.ravel())[1:].tolist() == list(told["voxels"].values())
    assert lesions.shared == told.get("shared_voxels", 0)


@pytest.mark.parametrize("name", ["seg_multi", "seg_fractional"])
def test_segments(name):
    folder = CONTOURS / "cases" / name
    told = json.loads((folder / "answer.json").read_text())
    image = scan(CONTOURS / "base" / "PET", read_pet)
    found = read_segmentation(folder / "SEG.dcm")
    for structures in (found.on(), found.on(image.affine, image.shape)):
        lesions = lesion_labels(structures, [one for one in structures.regions if one.name not in told.get("left", ())])
        assert differing(lesions, folder / "answer.nii.gz") == 0
        assert lesions.shared == told.get("shared_voxels", 0)
    assert found.cut == told.get("voxels_above_zero", told["voxels_of_union"]) - told["voxels_of_union"]


@pytest.mark.parametrize(("modality", "read", "voxels"), [("PET", read_pet, 555), ("CT", read_ct, 17090)])
def test_published_masks_of_sts_002(modality, read, voxels):
    folder = CONTOURS / "real" / "STS_002"
    image = scan(folder / modality / "image", read)
    structures = read_rtstruct(folder / modality / "mask" / "RS.dcm").on(image.affine, image.shape)
    assert structures.regions[0].voxels == voxels
    assert differing(lesion_labels(structures), folder / f"{modality}_mask.nii.gz") == 0


@pytest.mark.parametrize(
    ("modality", "read", "answer"),
    [
        ("PET", read_pet, "petct_dicom/STS_001_GTV_mask.nii.gz"),
        ("PET", read_pet, "sts/STS_001/GTV_mask.nii.gz"),
        ("CT", read_ct, "sts/STS_001/CT_mask_fullres.nii.gz"),
    ],
)
def test_published_masks_of_sts_001(tmp_path, modality, read, answer):
    archive = SHARED / "petct_dicom" / "STS_001_PET_GML_and_CT_dicom_crop.tar.gz"
    if not (archive.is_file() and (SHARED / answer).is_file()):
        pytest.skip("the shared data (../shared/data/petct_dicom, ../shared/data/sts) are absent")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    folder = next(tmp_path.rglob(modality))
    image = scan(folder / "image", read)
    structures = read_rtstruct(next((folder / "mask").iterdir())).on(image.affine, image.shape)
    lesions = lesion_labels(structures)
    assert lesions.labels.any()
    assert differing(lesions, SHARED / answer) == 0


def test_segmentations_of_other_programs():
    real = CONTOURS / "real"
    liver = read_segmentation(real / "dcmqi_liver" / "SEG.dcm").on()
    assert liver.regions[0].voxels == 107098
    whole = np.zeros(liver.shape, dtype=np.uint16)
    whole[liver.regions[0].box] = liver.regions[0].mask
    if find_spec("nrrd"):
        answer = read_mask(real / "dcmqi_liver" / "answer.nrrd")
        assert (on_grid(whole, liver.affine, answer.labels, answer.affine) == (answer.labels > 0)).all()
    found = read_segmentation(real / "highdicom" / "seg_image_ct_true_fractional.dcm")
    assert found.on().regions[0].voxels == 638


@pytest.mark.parametrize(
    ("case", "file"),
    [
        ("itksnap_labels", "segmentation.nii.gz"),
        ("probability_map", "probability.nii.gz"),
        ("slicer_layers", "Segmentation.seg.nrrd"),
        ("seg_multi", "SEG.dcm"),
        ("seg_fractional", "SEG.dcm"),
    ],
)
def test_masks(case, file):
    if file.endswith(".nrrd"):
        pytest.importorskip("nrrd")
    folder = CONTOURS / "cases" / case
    told = json.loads((folder / "answer.json").read_text())
    image = scan(CONTOURS / "base" / "PET", read_pet)
    mask = read_mask(folder / file, [(image.affine, image.shape)])
    assert differing(mask, folder / "answer.nii.gz") == 0
    assert len(np.unique(mask.lesions())) - 1 == len(told["voxels"])
    assert mask.shared == told.get("shared_voxels", 0)
