"""Masks as other programs write them: labels, fractions, layers, another place."""

import nibabel as nib
import numpy as np
import pytest
from contour_builders import LPS, segmentation, write

from prrt_estimators.cohort import Cohort
from prrt_estimators.contours import check_masks, read_mask
from prrt_estimators.exceptions import ContourError

AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])
SHAPE = (6, 5, 4)


def nifti(tmp_path, values, affine=AFFINE, name="mask.nii.gz"):
    nib.save(nib.Nifti1Image(values, affine), tmp_path / name)
    return tmp_path / name


def labels(*places, dtype=np.int16):
    values = np.zeros(SHAPE, dtype=dtype)
    for value, place in places:
        values[place] = value
    return values


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_whole_numbers_are_labels(tmp_path, dtype):
    values = labels((3, np.s_[0, :2]), (7, np.s_[4]), dtype=dtype)
    mask = read_mask(nifti(tmp_path, values))
    assert (mask.labels == values).all()
    assert (mask.cut, mask.unknown, mask.empty) == (0, 0, False)
    assert np.bincount(mask.lesions().ravel())[1:].tolist() == [8, 20]
    assert np.isclose(mask.voxel_ml, 0.024)


def test_one_label_is_split_into_parts_that_touch(tmp_path):
    mask = read_mask(nifti(tmp_path, labels((1, np.s_[0, 0, 0]), (1, np.s_[1, 1, 1]), (1, np.s_[4, 4, 3]))))
    assert np.bincount(mask.lesions().ravel())[1:].tolist() == [2, 1]


def test_fractions_are_cut_at_one_half(tmp_path):
    values = np.full(SHAPE, 0.02, dtype=np.float32)
    values[1, 1, :3] = [0.4999, 0.5, 1.0]
    mask = read_mask(nifti(tmp_path, values))
    assert np.argwhere(mask.labels).tolist() == [[1, 1, 1], [1, 1, 2]]
    assert mask.cut == values.size - 2


def test_scaled_labels_are_whole(tmp_path):
    image = nib.Nifti1Image(labels((1, np.s_[0])) * 255, AFFINE)
    image.header.set_slope_inter(1 / 255, 0)
    nib.save(image, tmp_path / "mask.nii.gz")
    assert (read_mask(tmp_path / "mask.nii.gz").labels == labels((1, np.s_[0]))).all()


def test_what_has_no_value_is_outside(tmp_path):
    values = labels((1, np.s_[0]), dtype=np.float32)
    values[3:] = np.nan
    mask = read_mask(nifti(tmp_path, values))
    assert (mask.labels == labels((1, np.s_[0]))).all()
    assert mask.unknown == 60


def test_empty_is_a_state(tmp_path):
    mask = read_mask(nifti(tmp_path, labels()), [(AFFINE, SHAPE)])
    assert mask.empty
    assert mask.lesions().max() == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (labels((-1, np.s_[0])), "negative values"),
        (labels((0.7, np.s_[0]), (2.5, np.s_[1]), dtype=np.float32), "between whole numbers"),
        (labels((1e6, np.s_[0]), dtype=np.float32), "up to 1e"),
        (np.zeros((*SHAPE, 2), np.uint8), "one volume"),
        (np.zeros(SHAPE[:2], np.uint8), "one volume"),
        (np.zeros(SHAPE, np.complex64), "kind"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, values, message):
    with pytest.raises(ContourError, match=message) as caught:
        read_mask(nifti(tmp_path, values))
    assert caught.value.file == "mask.nii.gz"
    assert caught.value.remedy


def test_a_fourth_axis_of_one_is_no_axis(tmp_path):
    assert read_mask(nifti(tmp_path, labels((1, np.s_[0]))[..., None])).labels.shape == SHAPE


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".dcm", ".png"])
def test_damaged_and_foreign_files_are_refused(tmp_path, suffix):
    if suffix == ".seg.nrrd":
        pytest.importorskip("nrrd")
    (tmp_path / f"mask{suffix}").write_bytes(b"nothing of the kind")
    with pytest.raises(ContourError, match="mask"):
        read_mask(tmp_path / f"mask{suffix}")
    (tmp_path / f"mask{suffix}").unlink()
    with pytest.raises(ContourError, match="mask"):
        read_mask(tmp_path / f"mask{suffix}")


def moved(by):
    affine = AFFINE.copy()
    affine[:3, 3] += by
    return affine


def test_another_place_in_space_is_refused(tmp_path):
    values = labels((1, np.s_[0]))
    with pytest.raises(ContourError, match="do not overlap"):
        read_mask(nifti(tmp_path, values), [(moved(500), SHAPE)])
    with pytest.raises(ContourError, match="lies beside"):
        read_mask(nifti(tmp_path, values), [(moved(6), SHAPE)])
    with pytest.raises(ContourError, match="none of which lies in the scan"):
        read_mask(nifti(tmp_path, values), [(moved(5), (9, 9, 9))])


def test_the_same_place_on_turned_or_other_grids_is_taken(tmp_path):
    turned = AFFINE @ np.array([[-1.0, 0, 0, 5], [0, -1, 0, 4], [0, 0, 1, 0], [0, 0, 0, 1]])
    path = nifti(tmp_path, labels((1, np.s_[0])))
    for scan in [(turned, SHAPE), (moved(0.2), SHAPE), (np.diag([1.0, 1, 1, 1]), (12, 15, 16))]:
        assert read_mask(path, [scan]).outside == 0
    # The scan on whose grid it was drawn is enough.
    assert read_mask(path, [(moved(8), SHAPE), (AFFINE, SHAPE)]).outside == 0
    assert read_mask(path, [(moved((0, 6, 0)), (9, 9, 9))]).outside == 8


def test_segments_of_slicer(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    layers = np.stack([labels((1, np.s_[0]), (2, np.s_[3:5])), labels((1, np.s_[4:, :2]), (2, np.s_[2]))])
    header = {
        "space": "left-posterior-superior",
        "space directions": [[np.nan] * 3, [-2, 0, 0], [0, -3, 0], [0, 0, 4]],
        "space origin": [0, 0, 0],
        "kinds": ["list", "domain", "domain", "domain"],
    }
    for k, (name, value, layer) in enumerate([("Lesion 1", 1, 0), ("Lesion 2", 2, 0), ("met", 1, 1), ("Liver", 2, 1)]):
        header |= {f"Segment{k}_Name": name, f"Segment{k}_LabelValue": str(value), f"Segment{k}_Layer": str(layer)}
    nrrd.write(str(tmp_path / "a.seg.nrrd"), layers.astype(np.uint8), header)
    mask = read_mask(tmp_path / "a.seg.nrrd", [(AFFINE, SHAPE)])
    expected = labels((1, np.s_[0]), (2, np.s_[3:5]), (3, np.s_[4:, :2]))
    assert (mask.labels == expected).all()
    assert np.allclose(mask.affine, AFFINE)
    assert (mask.left, mask.shared) == (("organ",), 8)


@pytest.mark.parametrize(("only_lesions", "voxels"), [(True, 0), (False, 20)])
def test_an_organ_is_a_mask_where_it_is_asked_for(tmp_path, only_lesions, voxels):
    path = write(segmentation({"Liver": labels((1, np.s_[0])) > 0}, LPS @ AFFINE), tmp_path / "SEG.dcm")
    assert np.count_nonzero(read_mask(path, only_lesions=only_lesions).labels) == voxels


def test_a_segmentation_in_dicom(tmp_path):
    masks = {"Lesion 1": labels((1, np.s_[0])) > 0, "Lesion 2": labels((1, np.s_[3])) > 0}
    mask = read_mask(write(segmentation(masks, LPS @ AFFINE), tmp_path / "SEG.dcm"), [(AFFINE, SHAPE)])
    assert np.bincount(mask.labels.ravel())[1:].tolist() == [20, 20]


def test_every_mask_of_a_cohort_is_opened(tmp_path):
    scan = nifti(tmp_path, np.zeros(SHAPE, np.float32), name="pet.nii.gz")
    half = np.full(SHAPE, 0.1, np.float32)
    masks = [
        nifti(tmp_path, labels((1, np.s_[0])), name="a.nii.gz"),
        nifti(tmp_path, labels((-1, np.s_[0])), name="b.nii.gz"),
        nifti(tmp_path, half, name="c.nii.gz"),
        None,
        nifti(tmp_path, labels((1, np.s_[0])), moved(900), "e.nii.gz"),
    ]
    X = Cohort({"pet": [scan] * 5}, ids=list("abcde"), masks={"lesion_mask": masks})
    problems, notices = check_masks(X)
    assert [(one.patient, one.column) for one in problems] == [("b", "lesion_mask"), ("e", "lesion_mask")]
    assert [(one.patient, one.what) for one in notices] == [
        ("c", "120 voxels of fractions below one half are not lesion, 0 are")
    ]
