"""Outlines of RTSTRUCT on grids of any order."""

import io

import numpy as np
import pytest
from contour_builders import group, outline, square, structure_set, write

from prrt_estimators.contours import lesion_labels, read_rtstruct
from prrt_estimators.exceptions import ContourError

#: 10 x 8 x 5 voxels of 2 x 3 x 4 mm, in RAS+ millimetres; LPS of voxel (i, j, k) is (2 i, 3 j, 4 k) with signs turned.
AFFINE = np.diag([-2.0, -3.0, 4.0, 1.0])
SHAPE = (10, 8, 5)


def voxels(tmp_path, rois, affine=AFFINE, shape=SHAPE, **elements):
    path = write(structure_set(rois, **elements), tmp_path / "RS.dcm")
    return read_rtstruct(path).on(affine, shape)


def mask(structures, index=0):
    found = np.zeros(structures.shape, dtype=bool)
    region = structures.regions[index]
    if region.voxels:
        found[region.box] |= region.mask
    return found


def test_a_rectangle(tmp_path):
    found = mask(voxels(tmp_path, {"GTV": [square(1, 4, 7, 10, 8)]}))
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:4, 2:4, 2] = True
    assert (found == expected).all()


@pytest.mark.parametrize("flips", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_a_turned_array_holds_the_same_voxels(tmp_path, flips):
    rng = np.random.default_rng(1)
    rois = {"GTV": [outline(np.c_[rng.uniform(0, [18, 21], (9, 2)), np.full(9, 4.0 * k)]) for k in range(4)]}
    turn = np.eye(4)
    for axis in flips:
        turn[axis, axis], turn[axis, 3] = -1, SHAPE[axis] - 1
    plain = mask(voxels(tmp_path, rois))
    assert plain.any()
    assert (np.flip(mask(voxels(tmp_path, rois, AFFINE @ turn)), flips) == plain).all()


def test_axes_of_the_array_in_another_order(tmp_path):
    rois = {"GTV": [square(1, 4, 7, 10, 8), square(3, 4, 7, 7, 12)]}
    turned = voxels(tmp_path, rois, AFFINE[:, [2, 0, 1, 3]], (5, 10, 8))
    assert (mask(turned).transpose(1, 2, 0) == mask(voxels(tmp_path, rois))).all()


@pytest.mark.parametrize(("height", "plane"), [(1.9, 0), (2.1, 1), (-1.9, 0), (17.9, 4), (18.1, None), (-2.1, None)])
def test_nearest_plane_within_half_a_slice(tmp_path, height, plane):
    structures = voxels(tmp_path, {"GTV": [square(1, 4, 7, 10, height)]})
    planes = np.flatnonzero(mask(structures).any(axis=(0, 1)))
    assert planes.tolist() == ([] if plane is None else [plane])
    assert structures.regions[0].counts == {"outside" if plane is None else "used": 1}


def test_contours_of_other_heights_are_no_holes(tmp_path):
    rois = {"GTV": [square(-1, -1, 13, 16, 3), square(3, 4, 7, 10, 5)]}
    assert mask(voxels(tmp_path, rois))[2, 2, 1]


def test_what_holds_no_voxel_is_counted(tmp_path):
    rois = {
        "point": [outline([(2, 3, 4)], "POINT")],
        "open": [square(1, 4, 7, 10, 8, "OPEN_PLANAR")],
        "line": [outline([(2, 3, 4), (9, 9, 4)])],
        "tiny": [square(2.4, 3.4, 3.2, 4.4, 4)],
        "beside": [square(90, 4, 99, 9, 4)],
        "across": [outline([(2, 3, 0), (9, 3, 0), (9, 9, 16), (2, 9, 16)])],
        "nothing": [],
    }
    regions = voxels(tmp_path, rois).regions
    found = [dict(region.counts) for region in regions]
    assert found == [{"point": 1}, {"open": 1}, {"short": 1}, {"empty": 1}, {"outside": 1}, {"across": 1}, {}]
    assert sum(region.voxels for region in regions) == 0


def test_malformed_coordinates_are_counted(tmp_path):
    bad = group(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=2, ContourData=["1", "2", "3", "4"])
    region = voxels(tmp_path, {"GTV": [bad, square(1, 4, 7, 10, 8)]}).regions[0]
    assert region.counts == {"malformed": 1, "used": 1}
    assert region.voxels == 6


def test_a_missing_type_is_closed(tmp_path):
    drawn = square(1, 4, 7, 10, 8)
    del drawn.ContourGeometricType
    assert voxels(tmp_path, {"GTV": [drawn]}).regions[0].voxels == 6


def test_exclusive_or_and_plain_holes_agree(tmp_path):
    boxes = [(-1, -1, 13, 16, 8), (3, 4, 9, 10, 8)]
    plain = mask(voxels(tmp_path, {"GTV": [square(*box) for box in boxes]}))
    exclusive = mask(voxels(tmp_path, {"GTV": [square(*box, "CLOSEDPLANAR_XOR") for box in boxes]}))
    assert (plain == exclusive).all()
    assert plain.sum() == 7 * 6 - 3 * 2


def test_what_the_object_says_of_itself(tmp_path):
    dataset = structure_set({"GTV": []}, ReviewerName="Doe^Jane")
    dataset.RTROIObservationsSequence[0].ROIInterpreter = "Poe^Joe"
    series = group(SeriesInstanceUID="1.2.3.5")
    study = group(RTReferencedSeriesSequence=[series])
    dataset.ReferencedFrameOfReferenceSequence = [
        group(FrameOfReferenceUID="1.2.3.8", RTReferencedStudySequence=[study])
    ]
    info = read_rtstruct(write(dataset, tmp_path / "RS.dcm")).info
    assert info.series_uids == ("1.2.3.5",)
    assert info.frame_uids == ("1.2.3.7", "1.2.3.8")
    assert info.moment == "20240105120000"
    assert info.persons == ("Doe^Jane", "Poe^Joe")
    assert info.texts == ("set", "GTV")


def test_fits_a_grid_that_holds_a_contour(tmp_path):
    structures = read_rtstruct(write(structure_set({"GTV": [square(1, 4, 7, 10, 8)]}), tmp_path / "RS.dcm"))
    assert structures.fits(AFFINE, SHAPE)
    away = AFFINE.copy()
    away[2, 3] = 100
    assert not structures.fits(away, SHAPE)


def test_every_cut_is_noticed(tmp_path):
    stream = io.BytesIO()
    structure_set({"GTV": [square(1, 4, 7, 10, 8)] * 3}).save_as(stream, enforce_file_format=True)
    whole = stream.getvalue()
    for length in range(200, len(whole) - 1, 97):
        (tmp_path / "RS.dcm").write_bytes(whole[:length])
        with pytest.raises(ContourError) as caught:
            read_rtstruct(tmp_path / "RS.dcm")
        assert caught.value.file == "RS.dcm"


def test_other_files_are_refused(tmp_path):
    (tmp_path / "note.dcm").write_text("no DICOM")
    with pytest.raises(ContourError, match="is "):
        read_rtstruct(tmp_path / "note.dcm")
    with pytest.raises(ContourError, match="cannot be read"):
        read_rtstruct(tmp_path / "absent.dcm")


def test_lesions_are_parts_that_touch(tmp_path):
    rois = {"all": [square(-1, -1, 3, 4, 0), square(3, 4, 5, 7, 4), square(13, 16, 17, 19, 16)]}
    lesions = lesion_labels(voxels(tmp_path, rois))
    assert np.bincount(lesions.labels.ravel())[1:].tolist() == [5, 2]
    assert lesions.sources == (0, 0)


def test_shared_voxels_belong_to_the_smaller(tmp_path):
    rois = {"large": [square(-1, -1, 13, 16, 8)], "small": [square(3, 4, 7, 7, 8)], "twice": [square(3, 4, 7, 7, 8)]}
    lesions = lesion_labels(voxels(tmp_path, rois))
    assert np.bincount(lesions.labels.ravel())[1:].tolist() == [40, 2]
    assert (lesions.shared, lesions.covered, lesions.sources) == (2, 1, (0, 2))
