"""Lesions out and back: no voxel differs, on grids of any shape and direction."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from contour_builders import LPS, on_grid, series_of_images

from prrt_estimators.contours import (
    lesion_labels,
    read_mask,
    read_rtstruct,
    read_segmentation,
    write_rtstruct,
    write_seg_nrrd,
    write_segmentation,
)
from prrt_estimators.contours._polygons import combine
from prrt_estimators.contours._write import on_slices, outlines
from prrt_estimators.exceptions import ContourError

A, B = 0.2, 0.15
OBLIQUE = np.eye(4)
OBLIQUE[:3, 0] = [np.cos(A), 0, -np.sin(A)]
OBLIQUE[:3, 1] = [np.sin(A) * np.sin(B), np.cos(B), np.cos(A) * np.sin(B)]
OBLIQUE[:3, 2] = np.cross(OBLIQUE[:3, 0], OBLIQUE[:3, 1])
#: LPS millimetres of (column, row, slice).
GRIDS = {
    "square": np.diag([3.0, 3.0, 3.0, 1.0]),
    "not square": np.diag([2.0, 3.5, 5.0, 1.0]),
    "oblique": OBLIQUE @ np.diag([2.0, 3.0, 4.0, 1.0]),
    "feet first": np.diag([-2.0, -3.0, 4.0, 1.0]),
    "head down": np.diag([2.0, -3.0, -4.0, 1.0]),
}
SHAPE = (11, 9, 6)


def lesions(seed=0):
    """Ragged lesions with holes, islands and corners that touch."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint16)
    labels[rng.random(SHAPE) < 0.45] = 1
    labels[:, :, 3:][rng.random((11, 9, 3)) < 0.3] = 4
    return labels


@pytest.fixture(params=GRIDS, ids=str)
def case(request, tmp_path):
    affine = GRIDS[request.param].copy()
    affine[:3, 3] = [-31.5, 12.25, 104.75]
    images = series_of_images(tmp_path / "images", SHAPE, affine)
    # As the readers of series give volumes: towards Right, Anterior, Superior.
    labels, place = lesions(), LPS @ affine
    for axis in range(3):
        main = np.abs(place[:3, axis]).argmax()
        if place[main, axis] < 0:
            turn = np.eye(4)
            turn[axis, axis], turn[axis, 3] = -1, SHAPE[axis] - 1
            labels, place = np.flip(labels, axis), place @ turn
    return labels, place, images, tmp_path


def assert_back(structures, labels, affine):
    for region, value in zip(structures.regions, (1, 4), strict=True):
        whole = np.zeros(structures.shape, int)
        whole[region.box] = region.mask
        assert (on_grid(whole, structures.affine, labels, affine) == (labels == value)).all()


def test_rtstruct(case):
    labels, affine, images, folder = case
    write_rtstruct(folder / "RS.dcm", labels, affine, images)
    found = read_rtstruct(folder / "RS.dcm")
    assert_back(found.on(affine, labels.shape), labels, affine)
    assert [name for name, _ in found.structures] == ["Lesion 1", "Lesion 4"]


def test_segmentation(case):
    highdicom = pytest.importorskip("highdicom")
    labels, affine, images, folder = case
    write_segmentation(folder / "SEG.dcm", labels, affine, images[::-1])
    found = read_segmentation(folder / "SEG.dcm")
    assert found.fits(affine, labels.shape)
    assert_back(found.on(affine, labels.shape), labels, affine)
    assert_back(found.on(), labels, affine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = highdicom.seg.segread(folder / "SEG.dcm")
        volume = read.get_volume(combine_segments=True, skip_overlap_checks=True)
    answer = np.where(labels == 4, 2, labels)
    back = on_grid(np.asarray(volume.array), LPS @ volume.affine, answer, affine)
    assert (back == answer).all()


def test_slicer(case):
    pytest.importorskip("nrrd")
    labels, affine, _, folder = case
    write_seg_nrrd(folder / "a.seg.nrrd", labels, affine)
    mask = read_mask(folder / "a.seg.nrrd", [(affine, labels.shape)])
    assert (mask.labels == np.where(labels == 4, 2, labels)).all()
    assert np.allclose(mask.affine, affine)
    write_seg_nrrd(folder / "b.seg.nrrd", labels, affine)
    assert (folder / "a.seg.nrrd").read_bytes() == (folder / "b.seg.nrrd").read_bytes()


def test_dcmqi_reads_the_segmentation(case):
    pytest.importorskip("dcmqi")
    pytest.importorskip("highdicom")
    labels, affine, images, folder = case
    write_segmentation(folder / "SEG.dcm", labels, affine, images)
    (folder / "read").mkdir()
    program = Path(sys.executable).parent / "segimage2itkimage"
    words = ("--inputDICOM", folder / "SEG.dcm", "--outputDirectory", folder / "read", "--outputType", "nii")
    subprocess.run([program, *words], capture_output=True, timeout=120, check=True)
    for number, value in ((1, 1), (2, 4)):
        image = nib.load(folder / "read" / f"{number}.nii.gz")
        back = on_grid(np.asarray(image.dataobj), image.affine, labels, affine)
        assert ((back > 0) == (labels == value)).all()


def test_slicerio_reads_the_segmentation(case):
    slicerio = pytest.importorskip("slicerio")
    pytest.importorskip("nrrd")
    labels, affine, _, folder = case
    write_seg_nrrd(folder / "a.seg.nrrd", labels, affine)
    found = slicerio.read_segmentation(str(folder / "a.seg.nrrd"))
    assert [segment["name"] for segment in found["segments"]] == ["Lesion 1", "Lesion 4"]
    values = [segment["labelValue"] for segment in found["segments"]]
    back = on_grid(found["voxels"], LPS @ found["ijkToLPS"], labels, affine)
    assert (back == np.select([labels == 1, labels == 4], values)).all()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
def test_a_validator_finds_no_error_that_the_images_have_not(case):
    pytest.importorskip("highdicom")
    labels, affine, images, folder = case
    write_segmentation(folder / "SEG.dcm", labels, affine, images)
    write_rtstruct(folder / "RS.dcm", labels, affine, images)
    before = errors_in(images[0])
    assert before  # the images of the tests lack what is mandatory, so the validator is seen to look
    for name in ("SEG.dcm", "RS.dcm"):
        assert errors_in(folder / name) <= before


def errors_in(path):
    """Return what the validator objects to in a DICOM file."""
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, timeout=60, check=False)
    return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}


def test_images_without_a_date_of_birth(tmp_path):
    import pydicom

    pytest.importorskip("highdicom")
    affine = GRIDS["not square"]
    images = series_of_images(tmp_path / "images", SHAPE, affine)
    for image in images:
        dataset = pydicom.dcmread(image)
        for keyword in ("PatientBirthDate", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyTime"):
            delattr(dataset, keyword)
        dataset.save_as(image)
    write_segmentation(tmp_path / "SEG.dcm", lesions(), LPS @ affine, images)
    write_rtstruct(tmp_path / "RS.dcm", lesions(), LPS @ affine, images)
    assert pydicom.dcmread(tmp_path / "RS.dcm").PatientBirthDate == ""
    assert read_segmentation(tmp_path / "SEG.dcm").fits(LPS @ affine, SHAPE)


def test_no_lesion(tmp_path):
    pytest.importorskip("nrrd")
    affine = GRIDS["square"]
    write_seg_nrrd(tmp_path / "a.seg.nrrd", np.zeros(SHAPE, np.uint8), affine)
    assert read_mask(tmp_path / "a.seg.nrrd").empty
    images = series_of_images(tmp_path / "images", SHAPE, affine)
    write_rtstruct(tmp_path / "RS.dcm", np.zeros(SHAPE, np.uint8), LPS @ affine, images)
    assert read_rtstruct(tmp_path / "RS.dcm").structures == []
    pytest.importorskip("highdicom")
    with pytest.raises(ContourError, match="no lesion"):
        write_segmentation(tmp_path / "SEG.dcm", np.zeros(SHAPE, np.uint8), LPS @ affine, images)


def test_more_lesions_than_a_byte_holds(tmp_path):
    pytest.importorskip("nrrd")
    labels = np.arange(1, 11 * 9 * 6 + 1, dtype=np.uint16).reshape(SHAPE)
    write_seg_nrrd(tmp_path / "a.seg.nrrd", labels, np.eye(4))
    assert (read_mask(tmp_path / "a.seg.nrrd").labels == labels).all()


@pytest.mark.parametrize("seed", range(5))
def test_outlines_hold_the_voxels(seed):
    plane = np.random.default_rng(seed).random((13, 17)) < 0.5
    assert (combine(outlines(plane), plane.shape) == plane).all()


def test_images_of_another_place_are_refused(tmp_path):
    images = series_of_images(tmp_path / "images", SHAPE, GRIDS["square"])
    moved = LPS @ GRIDS["square"]
    moved[0, 3] += 1
    with pytest.raises(ContourError, match="another grid"):
        write_rtstruct(tmp_path / "RS.dcm", lesions(), moved, images)
    with pytest.raises(ContourError, match="no image"):
        write_rtstruct(tmp_path / "RS.dcm", lesions(), LPS @ GRIDS["square"], images[:3])
    with pytest.raises(ContourError, match="no image was named"):
        write_rtstruct(tmp_path / "RS.dcm", lesions(), LPS @ GRIDS["square"], [])
    assert not (tmp_path / "RS.dcm").exists()


def test_labels_are_whole_numbers(tmp_path):
    with pytest.raises(TypeError, match="whole numbers"):
        write_rtstruct(tmp_path / "RS.dcm", lesions() / 2, np.eye(4), [])
    with pytest.raises(ValueError, match="three axes"):
        write_rtstruct(tmp_path / "RS.dcm", lesions()[0], np.eye(4), [])


def test_order_of_images_is_that_of_the_headers(tmp_path):
    import pydicom

    images = series_of_images(tmp_path / "images", SHAPE, GRIDS["not square"])
    headers = [pydicom.dcmread(image, stop_before_pixels=True) for image in images[::-1]]
    planes = on_slices(lesions(), LPS @ GRIDS["not square"], headers)
    assert (planes == lesions().transpose(2, 1, 0)[::-1]).all()


def test_labels_survive_as_lesions(tmp_path):
    affine = GRIDS["not square"]
    labels = np.zeros(SHAPE, np.uint16)
    labels[1:3, 1:3, 1:3], labels[6:9, 5:8, 3:5] = 1, 2
    images = series_of_images(tmp_path / "images", SHAPE, affine)
    write_rtstruct(tmp_path / "RS.dcm", labels, LPS @ affine, images)
    found = lesion_labels(read_rtstruct(tmp_path / "RS.dcm").on(LPS @ affine, SHAPE))
    assert (found.labels == labels).all()
