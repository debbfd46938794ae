"""Phantoms with labels: what the finder is trained on."""

from dataclasses import replace

import numpy as np
import pytest

from prrt_estimators import make_prrt_cohort
from prrt_estimators.features._training_phantoms import Setting, draw_labelled_phantom, draw_setting, labelled_phantom
from prrt_estimators.phantoms._factors import CENTRES, draw_patient

SHAPE = (20, 15, 27)


def test_the_default_setting_is_the_scan_of_a_cohort():
    cohort = make_prrt_cohort(1, volume_shape=SHAPE, random_state=31)
    phantom = labelled_phantom(draw_patient(31, 0, 1), shape=SHAPE)
    np.testing.assert_array_equal(phantom.pet, cohort.X["pet"].array[0, 0])
    np.testing.assert_array_equal(phantom.ct, cohort.X["ct"].array[0, 0])
    np.testing.assert_array_equal(phantom.lesion[:3].max(0) > 0.35, cohort.truth.pet_signal[0])


def test_labels_hold_the_volume_number_and_uptake_of_the_lesions():
    phantom = labelled_phantom(draw_patient(31, 1, 1), shape=(40, 30, 54))
    avid = [lesion for lesion in phantom.lesions if lesion.avid]
    ml = np.prod(phantom.grid.spacing) / 1000
    truth = sum(4 / 3 * np.pi * lesion.pet_shape().size ** 3 / 1000 for lesion in avid)
    assert phantom.lesion[:3].sum() * ml == pytest.approx(truth, rel=0.1)
    assert phantom.per_voxel.sum() == pytest.approx(len(avid), abs=1e-3)
    seen = np.unique(phantom.log_suv[phantom.log_suv != 0])
    expected = np.array([np.log(lesion.suv) for lesion in avid])
    assert all(np.isclose(expected, value, atol=1e-4).any() for value in seen)
    liver = phantom.ct[phantom.tissue[0] > 0.9]
    assert 30 < np.median(liver) < 160


def test_settings_change_the_scans_and_leave_the_labels():
    patient = draw_patient(31, 2, 1)
    plain = labelled_phantom(patient, shape=SHAPE)
    native = labelled_phantom(patient, Setting(contrast=0.0), shape=SHAPE)
    liver = plain.tissue[0] > 0.9
    assert np.median(native.ct[liver]) < np.median(plain.ct[liver]) - 20
    np.testing.assert_array_equal(native.pet, plain.pet)
    dark = labelled_phantom(patient, Setting(uptake={"kidney": 0.1}), shape=SHAPE)
    kidney = plain.tissue[2] > 0.6
    assert dark.pet[kidney].mean() < 0.5 * plain.pet[kidney].mean()
    noisy = replace(CENTRES[0], ct_noise=5.0)
    # Lesions and fat in the liver vary too, whatever the noise.
    assert np.std(labelled_phantom(patient, Setting(noisy), shape=SHAPE).ct[liver]) > 1.3 * np.std(plain.ct[liver])
    averaged = labelled_phantom(patient, Setting(fine=11.0), shape=SHAPE)
    for other in (native, dark, averaged):
        np.testing.assert_array_equal(other.lesion, plain.lesion)
        assert other.pet.shape == SHAPE


def test_a_phantom_follows_from_its_number():
    first, again = (draw_labelled_phantom(5, 3, SHAPE) for _ in range(2))
    np.testing.assert_array_equal(first.pet, again.pet)
    other = draw_labelled_phantom(5, 4, SHAPE)
    assert not np.array_equal(first.pet, other.pet)
    drawn = [draw_setting(np.random.default_rng(k)) for k in range(60)]
    assert sum(setting.scanner in CENTRES for setting in drawn) in range(15, 46)
    assert any(setting.fine for setting in drawn)
    assert any(setting.uptake for setting in drawn)
    assert any(setting.contrast < 1 for setting in drawn)
