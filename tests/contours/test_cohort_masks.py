"""The masks of a whole cohort: which scans they are compared with, and that each is reported."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from prrt_estimators.cohort import Cohort
from prrt_estimators.contours import check_masks
from prrt_estimators.contours._cohort_masks import scan_grids
from prrt_estimators.contours._exchange import given_lesions
from prrt_estimators.exceptions import CohortError

AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])


def written(path, shape=(4, 5, 6), voxels=None):
    data = np.zeros(shape, np.uint8) if voxels is None else voxels
    nib.save(nib.Nifti1Image(data, AFFINE), path)
    return str(path)


def test_grids_of_the_scans_that_can_be_opened(tmp_path):
    (tmp_path / "damaged.nii.gz").write_bytes(b"not an image")
    pets = [None, str(tmp_path / "damaged.nii.gz"), written(tmp_path / "pet.nii.gz", (3, 3, 3))]
    cts = [written(tmp_path / f"ct{k}.nii.gz", (4, 4, 4 + k)) for k in range(3)]
    X = Cohort({"pet": pets, "ct": cts})
    shapes = [[shape for _, shape in scan_grids(X, row)] for row in range(3)]
    assert shapes == [[(4, 4, 4)], [(4, 4, 5)], [(3, 3, 3), (4, 4, 6)]]
    assert [shape for _, shape in scan_grids(Cohort({"ct": cts}), 1)] == [(4, 4, 5)]
    arrays = Cohort({"pet": np.ones((3, 1, 2, 2, 2)), "ct": cts})
    assert [shape for _, shape in scan_grids(arrays, 2)] == [(4, 4, 6)]
    np.testing.assert_array_equal(scan_grids(X, 2)[1][0], AFFINE)


def test_each_mask_that_cannot_be_read_is_listed(tmp_path):
    ones = np.zeros((4, 5, 6), np.uint8)
    ones[1, 1, 1] = 1
    cts = [written(tmp_path / f"ct{k}.nii.gz") for k in range(4)]
    masks = [
        None,
        str(tmp_path / "gone.nii.gz"),
        written(tmp_path / "m.nii.gz", voxels=ones),
        str(tmp_path / "away.nii.gz"),
    ]
    X = Cohort({"ct": cts}, masks={"lesion_mask": masks}, ids=list("abcd"))
    seen = []
    problems, notices = check_masks(X, progress=lambda done, total: seen.append((done, total)))
    assert [(one.patient, one.column, one.what) for one in problems] == [
        ("b", "lesion_mask", "does not exist"), ("d", "lesion_mask", "does not exist"),
    ]  # fmt: skip
    assert notices == []
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(CohortError) as caught:
        given_lesions(X)
    assert [one.patient for one in caught.value.problems] == ["b", "d"]
    found = given_lesions(X[[0, 2]])
    assert list(found) == ["c"]
    np.testing.assert_array_equal(found["c"][0], ones)
