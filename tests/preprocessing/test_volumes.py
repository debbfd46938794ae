import os
import sys
import threading
import warnings

import nibabel as nib
import numpy as np
import pytest

from prrt_estimators import Cohort, Volumes
from prrt_estimators.exceptions import CohortError, FieldOfViewWarning
from prrt_estimators.preprocessing import (
    GlobalPETFeatures,
    VolumePreprocessor,
    cache_info,
    clear_cache,
    prepare_volumes,
)
from prrt_estimators.preprocessing._cache import VolumeCache
from prrt_estimators.preprocessing._volumes import BoxReader

BOX = {"size": 6, "spacing": 8.0}
OPENED: list[str] = []


def _audit(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and ".nii" in arguments[0]:
        OPENED.append(arguments[0])


sys.addaudithook(_audit)


@pytest.fixture
def opened():
    """Return the list of NIfTI files that Python opened since the test began."""
    OPENED.clear()
    return OPENED


def test_every_file_is_opened_once_and_then_never(nifti_cohort, opened):
    X, _ = nifti_cohort(6)
    opened.clear()
    prepare_volumes(X, **BOX)
    assert sorted(opened) == sorted([*X["pet"].paths, *X["ct"].paths])
    opened.clear()
    reader = BoxReader(X, **BOX)
    for row in range(6):
        reader.load(row, "ct"), reader.load(row, "pet")
    prepare_volumes(X[::-1], **BOX)
    GlobalPETFeatures(**BOX).fit_transform(X)
    assert opened == []


def test_the_order_of_asking_does_not_open_a_file_twice(nifti_cohort, opened):
    X, _ = nifti_cohort(3)
    opened.clear()
    prepare_volumes(X, modalities=("ct",), **BOX)
    prepare_volumes(X, modalities=("pet",), **BOX)
    assert len(opened) == len(set(opened)) == 6


def test_a_changed_file_and_a_changed_parameter_are_read_anew(nifti_cohort, opened):
    X, _ = nifti_cohort(3)
    before = BoxReader(X, **BOX).load(0, "pet").copy()
    image = nib.load(X["pet"].paths[0])
    stamp = os.stat(X["pet"].paths[0])
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * 2, image.affine), X["pet"].paths[0])
    # Even a tool that puts the old time back is found out.
    os.utime(X["pet"].paths[0], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    np.testing.assert_allclose(BoxReader(X, **BOX).load(0, "pet"), 2 * before, rtol=1e-6)
    opened.clear()
    assert BoxReader(X, size=5, spacing=8.0).load(0, "pet").shape == (5, 5, 5)
    assert BoxReader(X, size=6, spacing=4.0).load(0, "pet").shape == (6, 6, 6)
    assert not np.allclose(BoxReader(X, size=6, spacing=4.0).load(0, "pet"), 2 * before)
    assert len(opened) == 2


def test_a_moved_file_is_recognised_by_its_content(nifti_cohort, tmp_path):
    X, _ = nifti_cohort(3)
    prepare_volumes(X, **BOX)
    volumes = cache_info()["volumes"]
    moved = tmp_path / "elsewhere.nii.gz"
    os.rename(X["pet"].paths[0], moved)
    prepare_volumes(Cohort({"pet": [moved]}), **BOX)
    assert cache_info()["volumes"] == volumes


def test_a_cleared_or_damaged_cache_is_made_again(nifti_cohort):
    X, _ = nifti_cohort(3)
    reader = BoxReader(X, **BOX)
    first = reader.load(0, "ct").copy()
    file = reader._prepared(0, "ct")
    file.write_bytes(file.read_bytes()[:-40])
    np.testing.assert_array_equal(reader.load(0, "ct"), first)
    assert clear_cache() > 0
    assert cache_info()["volumes"] == 0
    np.testing.assert_array_equal(reader.load(0, "ct"), first)


def test_many_at_once_write_the_same_whole_files(nifti_cohort):
    X, _ = nifti_cohort(6)
    results, faults = [], []

    def work():
        try:
            reader = BoxReader(X, **BOX)
            results.append([reader.load(row, name).copy() for row in range(6) for name in ("ct", "pet")])
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    leftovers = [f for f in VolumeCache().folder.rglob("*") if f.is_file() and f.name.startswith(".")]
    assert leftovers == []


def test_the_cache_holds_no_path_and_no_name(nifti_cohort):
    X, _ = nifti_cohort(3)
    prepare_volumes(X, **BOX)
    for file in VolumeCache().folder.rglob("*"):
        assert "pet0" not in file.name
        if file.is_file():
            assert b"pet0" not in file.read_bytes()


def test_pet_and_ct_lie_on_one_grid(tmp_path):
    """A bright voxel at one place in the patient lies at one place in both boxes, whatever the scanners' grids."""
    point = np.array([10.0, -20.0, 30.0])
    files = {}
    for name, affine, low in (
        ("pet", np.array([[-5.0, 0, 0, 80], [0, -5.0, 0, 60], [0, 0, 4.0, -50], [0, 0, 0, 1]]), 0.0),
        ("ct", np.array([[3.0, 0, 0, -70], [0, 3.0, 0, -80], [0, 0, 5.0, -60], [0, 0, 0, 1]]), -100.0),
    ):
        data = np.full((40, 40, 40), low, dtype=np.float32)
        index = np.round(np.linalg.inv(affine)[:3] @ [*point, 1]).astype(int)
        data[tuple(slice(i - 1, i + 2) for i in index)] = 200.0
        files[name] = tmp_path / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(data, affine), files[name])
    X = Cohort({"pet": [files["pet"]], "ct": [files["ct"]]})
    reader = BoxReader(X, size=30, spacing=4.0)
    expected = np.linalg.inv(reader.box(0).affine)[:3] @ [*point, 1]
    for name in ("pet", "ct"):
        voxels = np.maximum(reader.load(0, name), 0).astype(float)
        centre = [np.average(np.arange(30), weights=voxels.sum(axis=tuple({0, 1, 2} - {k}))) for k in range(3)]
        np.testing.assert_allclose(centre, expected, atol=0.75)


def test_a_patient_without_pet_is_centred_on_the_ct(nifti_cohort):
    X, _ = nifti_cohort(3, missing_pet=(1,))
    out = VolumePreprocessor(**BOX).fit_transform(X)
    assert out["pet"].present.tolist() == [True, False, True]
    assert out["ct"].present.all()
    assert out["pet"].array.shape == (3, 1, 6, 6, 6)
    assert out.ids.tolist() == X.ids.tolist()


def test_progress_counts_patients(nifti_cohort):
    X, _ = nifti_cohort(3)
    calls = []
    prepare_volumes(X, **BOX, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_boxes_larger_than_scans_of_differing_extent_are_told(tmp_path):
    paths = []
    for k, n in enumerate((10, 16)):
        paths.append(tmp_path / f"{k}.nii.gz")
        nib.save(
            nib.Nifti1Image(np.random.default_rng(k).random((n, n, n), dtype=np.float32), np.diag([4, 4, 4, 1.0])),
            paths[-1],
        )
    X = Cohort({"pet": paths})
    with pytest.warns(FieldOfViewWarning, match="2 of 2 scans are smaller .* Every scan holds 40 x 40 x 40 mm"):
        prepare_volumes(X, size=20, spacing=4.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare_volumes(X, size=10, spacing=4.0)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ({"size": 0}, "`size` must be a positive number of voxels"),
        ({"size": (4, 4)}, "`size` must be"),
        ({"size": 4.5}, "`size` must be|not iterable"),
        ({"spacing": -1.0}, "`spacing` must be a positive number of mm"),
        ({"spacing": (1.0, np.inf, 1.0)}, "`spacing` must be"),
    ],
)
def test_impossible_boxes_are_refused(box, message):
    with pytest.raises((ValueError, TypeError), match=message):
        VolumePreprocessor(**box).fit(Cohort({"pet": ["a.nii"]}))


def test_an_unwritable_cache_says_what_to_set(nifti_cohort, tmp_path):
    X, _ = nifti_cohort(3)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="set cache_dir"):
        prepare_volumes(X, **BOX, cache_dir=tmp_path / "file")


def test_nan_in_an_array_is_refused_by_patient():
    array = np.ones((2, 1, 4, 4, 4))
    array[1, 0, 0, 0, 0] = np.nan
    with pytest.raises(CohortError, match="patient B, ct: 1 of 64 voxels are NaN"):
        prepare_volumes(Cohort({"ct": array}, ids=["A", "B"]))


def test_boxes_tell_their_spacing_and_arrays_keep_theirs(nifti_cohort):
    X, _ = nifti_cohort(3)
    boxes = VolumePreprocessor(size=6, spacing=(8.0, 8.0, 4.0)).fit_transform(X)
    assert boxes["ct"].spacing.tolist() == [[8.0, 8.0, 4.0]] * 3
    known = Cohort({"ct": Volumes(np.ones((2, 4, 4, 4)), spacing=3.0), "pet": np.ones((2, 4, 4, 4))})
    same = VolumePreprocessor(size=6).fit_transform(known)
    assert same["ct"].spacing.tolist() == [[3.0] * 3] * 2
    assert same["pet"].spacing is None
