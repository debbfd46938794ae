"""The ten numbers, against cases worked by hand."""

import numpy as np
import pytest

from prrt_estimators.features._prognostic import PROGNOSTIC, REFERENCED, Tumour, mismatch_parts, prognostic_numbers

SHAPE = (16, 16, 16)
PLAIN = dict.fromkeys(REFERENCED, (0.0, 1.0))


def tumour(*, pet=None, ct=None, on_pet=None, on_ct=None, log_suv=None, per_voxel=None, liver=None, muscle=None):
    tissue = np.zeros((5, *SHAPE), np.float32)
    for k, part in ((0, liver), (4, muscle)):
        if part is not None:
            tissue[k] = part
    parts = [part.max(0) for part in (on_pet, on_ct) if part is not None]
    return Tumour(
        pet, ct, on_pet, on_ct, np.max(parts, axis=0) if parts else None, log_suv, per_voxel, tissue, voxel_ml=1.5
    )


def shares(*places, site=0):
    found = np.zeros((3, *SHAPE), np.float32)
    for place, share in places:
        found[(site, *place)] = share
    return found


def test_volume_is_a_sum_of_shares():
    on_pet = shares(((2, 2, 2), 1.0), ((2, 2, 3), 0.5), ((9, 9, 9), 0.25))
    numbers = prognostic_numbers(tumour(pet=np.ones(SHAPE), on_pet=on_pet), PLAIN)
    assert numbers["log_avid_volume"] == pytest.approx(np.log(1.75 * 1.5 + 0.5))


def test_peaks_are_local_maxima_of_uptake_in_tumour():
    pet = np.full(SHAPE, 0.9)
    pet[3, 3, 3], pet[10, 10, 10], pet[13, 3, 3] = 9.9, 39.9, 80.0  # the last is not a tumour
    on_pet = shares(((3, 3, 3), 1.0), ((10, 10, 10), 1.0))
    numbers = prognostic_numbers(tumour(pet=pet, on_pet=on_pet), PLAIN)
    assert numbers["log_peak_mean"] == pytest.approx((np.log(10) + np.log(40)) / 2)
    # Both hold one voxel, so that partial volume lowers both alike: half of log 4 is the SD.
    assert numbers["log_peak_spread"] == pytest.approx(np.log(np.log(4) / 2 + 0.1))


def test_the_spread_takes_off_what_partial_volume_explains():
    pet = np.full(SHAPE, 0.9)
    on_pet = np.zeros((3, *SHAPE), np.float32)
    on_pet[0, 3, 3, 3] = 1.0
    on_pet[0, 9:12, 9:12, 9:12] = 1.0
    pet[3, 3, 3] = 9.9
    pet[10, 10, 10] = 10 * (27.5 / 1.5) ** 0.15 - 0.1
    numbers = prognostic_numbers(tumour(pet=pet, on_pet=on_pet), PLAIN)
    assert numbers["log_peak_spread"] == pytest.approx(np.log(0.1), abs=1e-5)


def test_suv_spread_counts_lesions_and_the_percentile_volume():
    on_pet = shares(((3, 3, 3), 1.0), ((10, 10, 10), 1.0), ((10, 10, 11), 0.9))
    per_voxel = np.zeros(SHAPE)
    per_voxel[3, 3, 3] = per_voxel[10, 10, 10] = 1.0
    log_suv = np.full(SHAPE, 7.0)
    log_suv[3, 3, 3], log_suv[10, 10, 10:12] = 1.0, 3.0
    numbers = prognostic_numbers(tumour(pet=np.ones(SHAPE), on_pet=on_pet, log_suv=log_suv, per_voxel=per_voxel), PLAIN)
    assert numbers["lesion_suv_spread"] == pytest.approx(1.0)
    assert numbers["log_suv_p10"] == 1.0


def test_the_same_tumour_on_both_scans_has_no_mismatch():
    same = shares(((3, 3, 3), 1.0), ((10, 10, 10), 0.8), site=1)
    both = tumour(pet=np.ones(SHAPE), ct=np.ones(SHAPE), on_pet=same, on_ct=same)
    assert prognostic_numbers(both, PLAIN)["ct_pet_mismatch"] == pytest.approx(0.0)


def test_mismatch_grows_with_what_only_ct_shows_and_is_measured_against_phantoms():
    on_pet = shares(((3, 3, 3), 1.0))
    on_ct = shares(((3, 3, 3), 1.0), ((11, 11, 11), 1.0))
    one = tumour(pet=np.ones(SHAPE), ct=np.ones(SHAPE), on_pet=on_pet, on_ct=on_ct)
    parts = mismatch_parts(one)
    assert parts == {
        "volume_ratio": pytest.approx(np.log(3.5) - np.log(2.0)),
        "volume_only": pytest.approx(np.log(4.5) - np.log(3.0)),
        "number_only": pytest.approx(np.log(2)),
    }
    other = {**PLAIN, "number_only": (np.log(2), 0.5), "volume_ratio": (0.0, 2.0)}
    expected = parts["volume_ratio"] / 2 + parts["volume_only"]
    assert prognostic_numbers(one, other)["ct_pet_mismatch"] == pytest.approx(expected)
    swapped = tumour(pet=np.ones(SHAPE), ct=np.ones(SHAPE), on_pet=on_ct, on_ct=on_pet)
    assert mismatch_parts(swapped) == {name: pytest.approx(-value) for name, value in parts.items()}


def test_density_is_scored_by_site_and_weighted_by_what_was_seen():
    ct = np.full(SHAPE, 100.0)
    on_ct = np.zeros((3, *SHAPE), np.float32)
    on_ct[1, 2, 2, 2:4], on_ct[2, 12, 12, 2:8] = 1.0, 1.0  # 2 voxels of bone, 6 of node
    ct[2, 2, 2:4], ct[12, 12, 2:8] = 300.0, 90.0
    reference = {**PLAIN, "hu_bone": (400.0, 50.0), "hu_node": (80.0, 10.0)}
    numbers = prognostic_numbers(tumour(ct=ct, on_ct=on_ct), reference)
    assert numbers["lesion_hu_z"] == pytest.approx((2 * -2.0 + 6 * 1.0) / 8)


def test_density_in_the_liver_is_relative_to_the_liver():
    liver = np.zeros(SHAPE)
    liver[2:10, 2:10, 2:10] = 1.0
    ct = np.where(liver > 0, 110.0, -100.0)
    on_ct = shares(*(((8, 8, k), 1.0) for k in (7, 8)))
    ct[8, 8, 7:9] = 60.0
    numbers = prognostic_numbers(tumour(ct=ct, on_ct=on_ct, liver=liver), {**PLAIN, "hu_liver": (-40.0, 5.0)})
    assert numbers["liver_hu"] == 110.0
    assert numbers["lesion_hu_z"] == pytest.approx(-2.0)


def test_muscle_is_measured_without_fat_and_bone():
    muscle = np.zeros(SHAPE)
    muscle[:4, :4, :4] = 1.0
    ct = np.full(SHAPE, 55.0)
    ct[0], ct[1, 0] = -90.0, 400.0
    assert prognostic_numbers(tumour(ct=ct, muscle=muscle), PLAIN)["muscle_hu"] == 55.0
    assert np.isnan(prognostic_numbers(tumour(ct=ct, muscle=muscle * 0.1), PLAIN)["muscle_hu"])


def test_uptake_cv_takes_tumour_of_either_scan():
    pet = np.ones(SHAPE)
    pet[3, 3, 3], pet[9, 9, 9] = 2.0, 6.0
    one = tumour(pet=pet, ct=np.ones(SHAPE), on_pet=shares(((3, 3, 3), 1.0)), on_ct=shares(((9, 9, 9), 1.0)))
    assert prognostic_numbers(one, PLAIN)["uptake_cv"] == pytest.approx(2 / 4)


def test_nothing_measured_is_nan_and_no_lesion_is_a_small_volume():
    assert all(np.isnan(value) for value in prognostic_numbers(tumour(), PLAIN).values())
    empty = shares()
    numbers = prognostic_numbers(tumour(pet=np.ones(SHAPE), ct=np.ones(SHAPE), on_pet=empty, on_ct=empty), PLAIN)
    assert list(numbers) == list(PROGNOSTIC)
    known = {name for name, value in numbers.items() if np.isfinite(value)}
    assert known == {"log_avid_volume", "ct_pet_mismatch"}
    assert numbers["log_avid_volume"] == pytest.approx(np.log(0.5))
