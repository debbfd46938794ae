"""Small pictures of the first patients: upright, of the right files, and only if asked for."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from prrt_estimators import Cohort
from prrt_estimators.exceptions import CohortError


def written(folder, affine, name="a"):
    """Write a PET of 3 x 4 x 5 voxels with one hot voxel and return the file and the voxels."""
    voxels = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    voxels[2, 1, 4] = 9.0
    path = folder / f"{name}.nii.gz"
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path, voxels


def test_head_is_up_and_the_right_is_on_the_readers_left(tmp_path):
    path, voxels = written(tmp_path, np.diag([2.0, 2, 4, 1]))
    shown = Cohort({"pet": [path, None]}, ids=["A", "B"]).thumbnail()
    first, second = shown.images_["pet"]
    np.testing.assert_array_equal(first, voxels.max(axis=1)[::-1, ::-1].T)
    assert np.unravel_index(first.argmax(), first.shape) == (0, 0)  # rightmost and topmost
    assert second is None
    pet, missing = shown.figure_.axes
    assert pet.get_images()[0].axes.get_aspect() == 2.0  # slices of 4 mm, pixels of 2 mm
    assert (pet.get_title(), missing.get_title()) == ("A", "B")
    assert [text.get_text() for text in missing.texts] == ["no PET"]


def test_other_orientations_give_the_same_picture(tmp_path):
    path, voxels = written(tmp_path, np.diag([2.0, 2, 4, 1]))
    turned = tmp_path / "turned.nii.gz"
    lps = nib.Nifti1Image(voxels, np.diag([2.0, 2, 4, 1])).as_reoriented(np.array([[2, -1], [0, 1], [1, -1]]))
    nib.save(lps, turned)
    one, other = Cohort({"pet": [path, turned]}).thumbnail().images_["pet"]
    np.testing.assert_array_equal(one, other)


def test_only_files_of_shown_patients_are_read_and_only_on_request(tmp_path):
    path, _ = written(tmp_path, np.eye(4))
    X = Cohort({"pet": [path, tmp_path / "gone.nii.gz"]}, ids=["A", "B"])
    assert "1 columns" not in X._repr_html_()  # shows counts without a file
    assert len(X.thumbnail(1).images_["pet"]) == 1
    with pytest.raises(CohortError, match=r"patient B, pet \(.*gone.nii.gz\)"):
        X.thumbnail()


def test_a_notebook_shows_a_picture_that_pyplot_does_not_hold():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    X = Cohort({"pet": np.ones((9, 1, 4, 4, 4)), "ct": np.zeros((9, 1, 4, 4, 4)), "lab": np.eye(9)})
    shown = X.thumbnail()
    assert shown._repr_png_().startswith(b"\x89PNG")
    assert repr(shown) == "Thumbnails(pet of 6 patients, ct of 6 patients)"
    assert plt.get_fignums() == before
    assert len(X[[7, 8]].thumbnail().images_["ct"]) == 2


@pytest.mark.parametrize("n_patients", [0, -1, 2.5, True, "all"])
def test_number_of_patients_must_be_one(n_patients):
    with pytest.raises(ValueError, match="`n_patients` must be a positive whole number"):
        Cohort({"pet": np.ones((2, 1, 4, 4, 4))}).thumbnail(n_patients)


def test_a_table_has_no_picture():
    with pytest.raises(ValueError, match="no scans to show; it has lab"):
        Cohort({"lab": np.eye(2)}).thumbnail()
