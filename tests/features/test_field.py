"""The field's numbers, against cases worked by hand."""

import numpy as np
import pytest

from prrt_estimators.features._field import FIELD, FIELD_UNITS, field_numbers, label_lesions, lesions_of, peak_map
from prrt_estimators.features._images import Image

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def two_lesions():
    """A cube of 18 mm with SUV 10, one of 20 mm with SUV 4, centroids (20, 30, 40) mm apart."""
    suv = np.zeros((50, 50, 50), np.float32)
    suv[5:14, 5:14, 5:14] = 10.0
    suv[14:24, 19:29, 24:34] = 4.0
    return Image(suv, AFFINE), suv > 0


def test_two_cubes_give_the_numbers_worked_by_hand():
    pet, mask = two_lesions()
    labels = label_lesions(mask, pet.voxel_ml)
    hu = np.where(labels == 1, 40.0, np.where(labels == 2, 80.0, -100.0))
    lesions = lesions_of(labels, pet, np.array([0, 1]), pet=pet.data, hu=hu)
    numbers = field_numbers(labels, lesions, pet, hu[labels > 0])
    # 10^3 and 9^3 voxels of 0.008 mL
    assert numbers["lesion_volume_ml"] == pytest.approx(8.0 + 5.832)
    assert numbers["largest_lesion_ml"] == pytest.approx(8.0)
    assert numbers["total_uptake_suv_ml"] == pytest.approx(8.0 * 4 + 5.832 * 10)
    assert numbers["suv_max"] == 10.0
    # Both cubes hold a sphere of 1 mL, whose radius is 6.2 mm.
    assert numbers["suv_peak"] == pytest.approx(10.0, rel=1e-5)
    assert numbers["suv_mean"] == pytest.approx((8.0 * 4 + 5.832 * 10) / 13.832)
    assert numbers["suv_mean_lowest"] == 4.0
    assert numbers["suv_dispersion"] == pytest.approx(3 / 7)
    assert numbers["n_lesions"] == 2
    # Centroids at voxels (9, 9, 9) and (18.5, 23.5, 28.5).
    assert numbers["dmax_mm"] == pytest.approx(2 * np.linalg.norm([9.5, 14.5, 19.5]))
    assert (numbers["liver_share"], numbers["node_share"]) == (pytest.approx(8.0 / 13.832), 0.0)
    n = np.array([1000, 729])
    assert numbers["lesion_hu_mean"] == pytest.approx((40 * n[0] + 80 * n[1]) / n.sum())
    assert [lesion.hu_mean for lesion in lesions] == [40.0, 80.0]
    assert lesions[1].centre_mm == pytest.approx((18.0, 18.0, 18.0))


def test_a_lesion_beyond_the_grid_is_no_lesion_of_this_scan():
    pet, mask = two_lesions()
    labels = 2 * label_lesions(mask, pet.voxel_ml)  # 2 and 4
    lesions = lesions_of(labels, pet, np.array([0, 1]), pet=pet.data, hu=None)
    assert [(lesion.number, lesion.site, lesion.suv_mean) for lesion in lesions] == [
        (2, "liver", 4.0),
        (4, "bone", 10.0),
    ]


def test_no_lesion_is_no_volume_and_no_uptake_but_no_suv():
    pet, mask = two_lesions()
    numbers = field_numbers(label_lesions(mask & False, 1.0), [], pet, np.zeros(0))
    zero = {"lesion_volume_ml", "total_uptake_suv_ml", "n_lesions", "largest_lesion_ml", "dmax_mm"}
    assert {name for name, value in numbers.items() if value == 0} == zero
    assert all(np.isnan(numbers[name]) for name in set(FIELD) - zero)


def test_without_pet_only_density_is_known():
    numbers = field_numbers(None, [], None, np.array([10.0, 30.0]))
    assert (numbers["lesion_hu_mean"], numbers["lesion_hu_sd"]) == (20.0, 10.0)
    assert np.isnan([numbers[name] for name in FIELD if not name.startswith("lesion_hu")]).all()


def test_lesions_are_numbered_by_size_and_specks_left_out():
    mask = np.zeros((10, 10, 10), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True  # touch by a corner: one lesion of 2 voxels
    mask[5:8, 5, 5] = True
    mask[9, 9, 0] = True
    labels = label_lesions(mask, 1.0, min_ml=1.5)
    assert (labels[5, 5, 5], labels[0, 0, 0], labels[1, 1, 1], labels[9, 9, 0]) == (1, 2, 2, 0)


def test_a_peak_is_the_mean_of_one_millilitre():
    suv = np.zeros((31, 31, 31), np.float32)
    suv[15, 15, 15] = 100.0
    fine = Image(suv, np.diag([1.0, 1.0, 1.0, 1.0]))
    # One voxel of 0.001 mL in a sphere of 1 mL.
    assert peak_map(fine, suv > 0)[15, 15, 15] == pytest.approx(0.1, rel=0.02)
    coarse = Image(suv, np.diag([13.0, 13.0, 13.0, 1.0]))
    assert peak_map(coarse, suv > 0)[15, 15, 15] == 100.0


def test_every_number_has_a_unit():
    assert list(FIELD_UNITS) == list(FIELD)
    assert FIELD_UNITS["dmax_mm"] == "mm"


def test_more_parts_than_two_bytes_count_keep_their_numbers():
    mask = np.zeros((66, 66, 66), bool)
    mask[::2, ::2, ::2] = True
    mask[:3, 0, 0] = True
    labels = label_lesions(mask, 0.008)
    # Two voxels and what lies between them are one.
    assert labels.max() == len(np.unique(labels)) - 1 == 33**3 - 1
    assert labels.min() == 0
    assert (labels > 0).sum() == mask.sum()
    assert labels[1, 0, 0] == 1
    assert label_lesions(mask, 0.008, min_ml=0.01).dtype == np.int16
