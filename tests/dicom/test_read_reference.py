"""Real scanner series and the synthetic cohort read back, checked by independent routes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Path2D
from scipy import ndimage

from prrt_estimators.datasets import make_prrt_cohort, write_dicom_cohort
from prrt_estimators.dicom import read_ct, read_pet
from prrt_estimators.preprocessing._scans import read_scan

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real scans (../shared/data) are not here")


def unpacked(archive, into):
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into


@pytest.fixture(scope="module")
def sarcoma(tmp_path_factory):
    """Return PET, CT, the PET answer and the tumour mask of one patient, and the folder of DICOM files."""
    folder = SHARED / "petct_dicom"
    dicom = unpacked(folder / "STS_001_PET_GML_and_CT_dicom_crop.tar.gz", tmp_path_factory.mktemp("sts"))
    dicom = dicom / "ibsi_validation" / "dicom" / "STS_001"
    answer = nib.as_closest_canonical(nib.load(folder / "STS_001_PET_suvbw_answer.nii.gz"))
    mask = nib.as_closest_canonical(nib.load(folder / "STS_001_GTV_mask.nii.gz"))
    return read_pet(dicom / "PET" / "image"), read_ct(dicom / "CT" / "image"), answer, mask, dicom


@needs_shared
def test_suv_of_a_real_pet_is_the_published_answer(sarcoma):
    pet, _, answer, _, _ = sarcoma
    assert pet.shape == answer.shape
    np.testing.assert_allclose(pet.affine, answer.affine, atol=1e-3)
    np.testing.assert_allclose(pet.get_fdata(), answer.get_fdata(), rtol=1e-3, atol=1e-6)
    assert pet.get_fdata().max() > 20
    found = pet.extra["suv"]
    assert (found.kind, found.decay_correction) == ("GML/BW", "ADMIN")
    assert found.uptake_minutes == pytest.approx(45.18, abs=0.01)


def drawn(folder, image):
    """Fill the outlines of a structure set, which are in patient coordinates, on the grid of an image."""
    structures = pydicom.dcmread(next(folder.iterdir()))
    mask = np.zeros(image.shape, bool)
    columns, rows = np.meshgrid(np.arange(image.shape[0]), np.arange(image.shape[1]), indexing="ij")
    centres = np.column_stack([columns.ravel(), rows.ravel()])
    for outline in structures.ROIContourSequence[0].ContourSequence:
        points = np.array(outline.ContourData, float).reshape(-1, 3) * [-1, -1, 1]
        index = nib.affines.apply_affine(np.linalg.inv(image.affine), points)
        assert np.abs(index[:, 2] - np.rint(index[0, 2])).max() < 0.05
        mask[:, :, int(np.rint(index[0, 2]))] ^= Path2D(index[:, :2]).contains_points(centres).reshape(mask.shape[:2])
    return mask


def overlap(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@needs_shared
def test_pet_and_ct_of_a_patient_lie_in_one_place(sarcoma):
    """The tumour as drawn on the CT, taken to the PET grid by the affines, is the tumour as drawn on the PET."""
    pet, ct, _, mask, folder = sarcoma
    published = np.asanyarray(mask.dataobj) > 0
    on_pet = drawn(folder / "PET" / "mask", pet)
    assert overlap(on_pet, published) == 1
    on_ct = drawn(folder / "CT" / "mask", ct)
    step = np.linalg.inv(ct.affine) @ pet.affine
    moved = ndimage.affine_transform(on_ct.astype(np.float32), step[:3, :3], step[:3, 3], pet.shape, order=1) > 0.5
    assert overlap(moved, published) > 0.995
    # One voxel off in any direction would be seen, and so would half a voxel: the centres agree to a tenth of a mm.
    for axis in range(3):
        assert max(overlap(np.roll(moved, way, axis), published) for way in (-1, 1)) < 0.95
    centre_ct = nib.affines.apply_affine(ct.affine, np.argwhere(on_ct)).mean(axis=0)
    centre_pet = nib.affines.apply_affine(pet.affine, np.argwhere(published)).mean(axis=0)
    np.testing.assert_allclose(centre_ct, centre_pet, atol=0.1)
    # It is soft tissue that takes up more than the rest.
    hounsfield = ct.get_fdata()[on_ct]
    assert ((hounsfield > -150) & (hounsfield < 250)).mean() > 0.98
    suv = pet.get_fdata()
    assert np.median(suv[published]) > 4 * np.median(suv[~published])


@pytest.fixture(scope="module")
def liver(tmp_path_factory):
    archive = SHARED / "ct" / "CRLM-CT-1004_dicom.tar.gz"
    return unpacked(archive, tmp_path_factory.mktemp("crlm"))


@needs_shared
def test_hu_spacing_and_orientation_of_a_real_ct(liver, tmp_path):
    image = read_ct(liver)
    # An independent route: every file by itself, put where its own corner says.
    slices = [pydicom.dcmread(path) for path in sorted(liver.rglob("*")) if path.is_file()]
    slices = sorted(slices, key=lambda ds: ds.ImagePositionPatient[2])
    assert len(slices) == 41
    heights = [float(ds.ImagePositionPatient[2]) for ds in slices]
    row_gap, column_gap = map(float, slices[0].PixelSpacing)
    np.testing.assert_allclose(image.header.get_zooms(), (column_gap, row_gap, 5.0), rtol=1e-6)
    np.testing.assert_allclose(np.diff(heights), 5.0)
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    data = np.asanyarray(image.dataobj)
    assert data.dtype == np.int16
    assert data.shape == (512, 512, 41)
    lowest = 0
    for k, ds in enumerate(slices):
        hu = np.frombuffer(ds.PixelData, "<i2").reshape(512, 512).astype(int) - 1024
        lowest = min(lowest, hu.min())
        np.testing.assert_array_equal(data[:, :, k], np.maximum(hu, -1024)[::-1, ::-1].T)
    assert lowest == -3024
    assert data.min() == -1024
    # The last column and row of the first slice, towards Left and Posterior, is the first voxel.
    first = slices[0]
    left = float(first.ImagePositionPatient[0]) + 511 * column_gap
    posterior = float(first.ImagePositionPatient[1]) + 511 * row_gap
    np.testing.assert_allclose(image.affine[:3, 3], [-left, -posterior, heights[0]], atol=1e-4)
    # It is a patient as the library reads them: the table lies towards Posterior.
    nib.save(image, tmp_path / "ct.nii")
    scan = read_scan(str(tmp_path / "ct.nii"), "ct")
    np.testing.assert_array_equal(scan.data, data)


@needs_shared
def test_a_real_ct_is_the_right_way_up(liver):
    data = np.asanyarray(read_ct(liver).dataobj)
    # Voxels count towards Right, Anterior, Superior: the spine lies low on the second axis, the liver high on the first,
    # the lungs high on the third.
    assert np.argwhere(data > 300)[:, 1].mean() < np.argwhere(data > -300)[:, 1].mean() - 20
    even = ndimage.binary_opening((data[:, :, 15:31] > 60) & (data[:, :, 15:31] < 160), iterations=3)
    assert even[256:].sum() > 1.5 * even[:256].sum()
    lung = (data[150:360, 150:300] < -700).mean(axis=(0, 1))
    assert lung[36:].min() > lung[:20].max() + 0.2


def test_the_synthetic_cohort_comes_back(tmp_path):
    cohort = make_prrt_cohort(2, volume_shape=(20, 16, 24), missing_modalities=0.0, random_state=3)
    write_dicom_cohort(cohort, tmp_path / "out")
    X, affines = cohort["X"], cohort["affines"]
    for row, name in enumerate(X.ids):
        pet = read_pet(tmp_path / "out" / "dicom" / str(name) / "PET")
        ct = read_ct(tmp_path / "out" / "dicom" / str(name) / "CT")
        spacing = np.abs(np.diag(affines[row])[:3])
        for image in (pet, ct):
            corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.shape])).reshape(3, -1).T
            found = nib.affines.apply_affine(image.affine, corners)
            expected = nib.affines.apply_affine(affines[row], corners)
            assert (np.abs(found - expected) / spacing).max() < 0.5
            assert np.abs(found - expected).max() < 0.01
        suv, hu = X["pet"][row][0], X["ct"][row][0]
        bright = suv > 0.05 * suv.max()
        np.testing.assert_allclose(pet.get_fdata()[bright], suv[bright], rtol=0.005)
        np.testing.assert_allclose(pet.get_fdata(), suv, atol=0.005 * suv.max())
        data = ct.get_fdata()
        measured = data > -1024
        assert measured.mean() > 0.7
        assert np.abs(data - np.maximum(hu, -1024))[measured].max() <= 1
