"""Slices are put in order by their place in the patient, and what does not make a volume is said."""

from __future__ import annotations

from math import cos, radians, sin

import nibabel as nib
import numpy as np
import pytest
from dicom_builders import enhanced, item, place

from prrt_estimators.dicom import sort_slices
from prrt_estimators.exceptions import ScannerFileError

AXIAL = (1, 0, 0, 0, 1, 0)


def slices(heights, directions=AXIAL, spacing=(2.0, 3.0), shift=(0, 0, 0), **elements):
    """Return headers at heights along z; each lies `shift` further on per mm of height."""
    headers = []
    for number, height in enumerate(heights):
        header = item(Rows=20, Columns=30, InstanceNumber=number + 1, SOPInstanceUID=f"1.2.{number}", **elements)
        place(
            header,
            np.array([-10, -20, 0.0]) + np.array([0, 0, 1.0]) * height + np.array(shift) * height,
            directions,
            spacing,
        )
        headers.append(header)
    return headers


def in_patient(geometry, column, row, place):
    """Return Left, Posterior, Superior millimetres of a pixel by the affine, which is towards Right and Anterior."""
    right, anterior, superior, _ = geometry.affine @ [column, row, place, 1]
    return [-right, -anterior, superior]


def test_order_is_by_position_and_not_by_number_or_name():
    geometry = sort_slices(slices([8, 0, 12, 4]))
    assert geometry.order.tolist() == [1, 3, 0, 2]
    assert geometry.positions.tolist() == [0, 4, 8, 12]
    assert geometry.problems == ()
    assert geometry.shape == (30, 20, 4)


def test_affine_follows_the_standard():
    # PixelSpacing is the distance of rows, 2 mm, then of columns, 3 mm (PS3.3 10.7.1.3).
    geometry = sort_slices(slices([0, 4, 8]))
    assert geometry.spacing == (3.0, 2.0, 4.0)
    assert in_patient(geometry, 0, 0, 0) == [-10, -20, 0]
    assert in_patient(geometry, 5, 7, 2) == [-10 + 5 * 3, -20 + 7 * 2, 8]
    assert nib.aff2axcodes(geometry.affine) == ("L", "P", "S")


@pytest.mark.parametrize(
    ("directions", "along", "codes"),
    [
        ((0, 1, 0, 0, 0, -1), (1, 0, 0), "PIR"),  # sagittal, its normal towards Right
        ((1, 0, 0, 0, 0, -1), (0, 1, 0), "LIP"),  # coronal
        ((-1, 0, 0, 0, -1, 0), (0, 0, 1), "RAS"),  # axial, prone
    ],
)
def test_other_planes(directions, along, codes):
    headers = slices([0, 0, 0])
    for number, header in enumerate(headers):
        place(header, 5.0 * number * np.array(along), directions, (2, 3))
    geometry = sort_slices(headers)
    normal = np.cross(directions[:3], directions[3:])
    assert geometry.order.tolist() == ([0, 1, 2] if normal @ along > 0 else [2, 1, 0])
    for number, header in enumerate(headers):
        row_way, column_way = np.array(directions[:3]), np.array(directions[3:])
        expected = np.array(header.ImagePositionPatient) + 4 * 3 * row_way + 6 * 2 * column_way
        where = geometry.order.tolist().index(number)
        np.testing.assert_allclose(in_patient(geometry, 4, 6, where), expected, atol=1e-9)
    assert "".join(nib.aff2axcodes(geometry.affine)) == codes


def test_oblique_slices():
    turn = radians(20)
    directions = (cos(turn), sin(turn), 0, -sin(turn), cos(turn), 0)
    geometry = sort_slices(slices([0, 4, 8], directions=directions))
    expected = [-10 + 6 * cos(turn) - 4 * sin(turn), -20 + 6 * sin(turn) + 4 * cos(turn), 8]
    np.testing.assert_allclose(in_patient(geometry, 2, 2, 2), expected, atol=1e-9)


def test_a_tilted_gantry_is_a_shear():
    # Planes tilted by 15 degrees about x, moved straight along the table.
    tilt = radians(15)
    geometry = sort_slices(slices([0, 5, 10, 15], directions=(1, 0, 0, 0, cos(tilt), -sin(tilt))))
    assert geometry.problems == ()
    assert geometry.tilt_degrees == pytest.approx(15)
    assert geometry.spacing[2] == pytest.approx(5)
    assert np.diff(geometry.positions) == pytest.approx(5 * cos(tilt))
    np.testing.assert_allclose(
        in_patient(geometry, 0, 10, 3), [-10, -20 + 20 * cos(tilt), 15 - 20 * sin(tilt)], atol=1e-9
    )


def test_rounded_positions_are_one_grid():
    # 0.625 mm written with one decimal: up to 0.05 mm off.
    heights = [round(0.625 * k, 1) for k in range(40)]
    geometry = sort_slices(slices(heights))
    assert geometry.problems == ()
    assert geometry.spacing[2] == pytest.approx(0.625, abs=0.002)
    assert len(geometry.order) == 40


def test_a_missing_slice():
    geometry = sort_slices(slices([0, 4, 8, 16, 20]))
    assert geometry.problems == ("1 slice is missing (1 between 8.00 and 16.00 mm). Export or copy the series again",)
    assert geometry.spacing[2] == pytest.approx(4)


def test_unequal_distances():
    geometry = sort_slices(slices([0, 4, 8, 13, 17, 21]))
    assert len(geometry.problems) == 1
    assert "mostly 4.00 mm, but 5.00 mm between 8.00 and 13.00 mm" in geometry.problems[0]


def test_the_tolerance_is_five_per_cent_or_a_tenth_of_a_millimetre():
    assert sort_slices(slices([0, 4, 8.19, 12])).problems == ()
    assert sort_slices(slices([0, 4, 8.21, 12])).problems != ()
    assert sort_slices(slices([0, 1, 2.09, 3])).problems == ()
    assert sort_slices(slices([0, 1, 2.11, 3])).problems != ()


def test_slices_shifted_sideways_are_no_grid():
    headers = slices([0, 4, 8, 12])
    headers[2].ImagePositionPatient[0] = -7.0
    assert "shifted against each other by up to 3.00 mm, at 8.00 mm" in sort_slices(headers).problems[0]


def test_one_slice_is_no_volume():
    assert "one slice makes no volume" in sort_slices(slices([0])).problems[0]


def test_slices_at_one_place_are_candidates_for_copies():
    geometry = sort_slices(slices([0, 4, 4, 8]))
    assert geometry.order.tolist() == [0, 1, 3]
    assert geometry.copies == ((1, 2),)
    assert geometry.problems == ()


def test_time_points_are_not_one_volume():
    headers = slices([0, 4, 8] * 3)
    for number, header in enumerate(headers):
        header.AcquisitionTime = f"11{number // 3:02d}00"
    geometry = sort_slices(headers)
    assert geometry.shape == (30, 20, 3)
    assert geometry.copies == ()
    assert geometry.problems[0].startswith(
        "up to 3 images taken at different times lie at one place, at 3 of 3 places (from 0.0 to 8.0 mm)"
    )


def test_beds_that_overlap_are_not_one_volume():
    headers = slices([0, 4, 8, 8, 12])
    for header, time in zip(headers, ["110000"] * 3 + ["110500"] * 2, strict=True):
        header.AcquisitionTime = time
    assert "at 1 of 4 places (from 8.0 to 8.0 mm)" in sort_slices(headers).problems[0]


def test_beds_one_after_the_other_are_one_volume():
    headers = slices([0, 4, 8, 12])
    for header, time in zip(headers, ["110500", "110500", "110000", "110000"], strict=True):
        header.AcquisitionTime = time
    assert sort_slices(headers).problems == ()


def test_gates_are_not_one_volume():
    headers = slices([0, 4] * 2)
    for number, header in enumerate(headers):
        header.TriggerTime = 100.0 * (number // 2)
    assert "dynamic or gated" in sort_slices(headers).problems[0]


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_slice_without_place(keyword):
    headers = slices([0, 4, 8])
    delattr(headers[1], keyword)
    with pytest.raises(ScannerFileError, match=rf"^{keyword} \(.{{9}}\) of instance 2 is missing"):
        sort_slices(headers)


def test_slices_that_share_no_grid():
    headers = slices([0, 4, 8]) + slices([0], directions=(0, 1, 0, 0, 0, -1))
    with pytest.raises(ScannerFileError, match=r"point in 2 directions \(3 and 1 slices\): a localiser"):
        sort_slices(headers)
    headers = slices([0, 4, 8])
    headers[1].Rows = 40
    with pytest.raises(ScannerFileError, match=r"differ in size \(2 of 30 x 20, 1 of 30 x 40 pixels\)"):
        sort_slices(headers)
    headers = slices([0, 4, 8])
    headers[1].PixelSpacing = [2.0, 3.1]
    with pytest.raises(ScannerFileError, match=r"PixelSpacing \(0028,0030\) differs between slices"):
        sort_slices(headers)
    with pytest.raises(ScannerFileError, match="not a pair of perpendicular unit vectors"):
        sort_slices(slices([0, 4], directions=(1, 0, 0, 1, 0, 0)))
    with pytest.raises(ScannerFileError, match="no header was given"):
        sort_slices([])


def test_numbers_that_are_none():
    headers = slices([0, 4])
    headers[1].ImagePositionPatient = [0.0, 0.0]
    with pytest.raises(ScannerFileError, match=r"ImagePositionPatient \(0020,0032\) of instance 2 is not 3 numbers"):
        sort_slices(headers)


def test_frames_of_an_enhanced_object_count_as_slices():
    geometry = sort_slices([enhanced("CT", np.zeros((4, 5, 6), np.int16), heights=[12, 0, 8, 4])])
    assert geometry.order.tolist() == [1, 3, 2, 0]
    assert geometry.shape == (6, 5, 4)
    assert geometry.spacing == (3.0, 2.0, 4.0)


def test_order_does_not_depend_on_the_order_given():
    headers = slices([12, 0, 8, 4])
    affine = sort_slices(headers).affine
    np.testing.assert_array_equal(sort_slices(headers[::-1]).affine, affine)
