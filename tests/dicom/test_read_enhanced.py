"""Enhanced (multi-frame) objects read as the single-slice series they stand for."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from dicom_builders import enhanced, item, save, save_all, series
from pydicom.sequence import Sequence as Items
from pydicom.uid import generate_uid

from prrt_estimators.dicom import read_ct, read_pet, suv_factors
from prrt_estimators.exceptions import ScannerFileError, SUVError, SUVWarning

PIXELS = np.add.outer(np.arange(4) * 100, np.add.outer(np.arange(5) * 10, np.arange(6))).astype(np.int16)
FACTOR = 70000 / (368.08e6 * 2 ** (-3600 / 6586.2))


def test_ct_equals_the_single_slices(tmp_path):
    expected = read_ct(save_all(series("CT", PIXELS, intercept=-1024.0), tmp_path / "s"))
    path = save(enhanced("CT", PIXELS, intercept=-1024.0), tmp_path / "one.dcm")
    for source in (path, [path]):
        image = read_ct(source)
        np.testing.assert_array_equal(image.get_fdata(), expected.get_fdata())
        np.testing.assert_allclose(image.affine, expected.affine, atol=1e-9)


@pytest.mark.parametrize("mapped", [True, False])
def test_pet_equals_the_single_slices(tmp_path, mapped):
    slopes = [0.5, 2.0, 1.25, 4.0]
    slices = series("PT", PIXELS)
    for header, slope in zip(slices, slopes, strict=True):
        header.RescaleSlope = slope
    expected = read_pet(save_all(slices, tmp_path / "s"))
    image = read_pet(save(enhanced("PT", PIXELS, slopes=slopes, mapped=mapped), tmp_path / "one.dcm"))
    np.testing.assert_allclose(image.get_fdata(), expected.get_fdata(), rtol=1e-6)
    np.testing.assert_allclose(image.affine, expected.affine, atol=1e-9)
    found = image.extra["suv"]
    assert (found.kind, found.decay_correction, found.uptake_minutes) == ("BQML", "START", 60)
    assert found.scan_start_rule == "decay correction time (0018,9701)"


def test_frames_are_sorted_by_place(tmp_path):
    shuffled = [2, 0, 3, 1]
    path = save(enhanced("CT", PIXELS[shuffled], heights=[4.0 * k for k in shuffled]), tmp_path / "one.dcm")
    straight = save(enhanced("CT", PIXELS), tmp_path / "two.dcm")
    np.testing.assert_array_equal(read_ct(path).get_fdata(), read_ct(straight).get_fdata())


def test_a_series_in_several_objects(tmp_path):
    first = enhanced("CT", PIXELS[:2])
    second = enhanced("CT", PIXELS[2:], heights=[8, 12])
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(second, keyword, first[keyword].value)
    image = read_ct(save_all([second, first], tmp_path / "s"))
    whole = read_ct(save(enhanced("CT", PIXELS), tmp_path / "one.dcm"))
    np.testing.assert_array_equal(image.get_fdata(), whole.get_fdata())


@pytest.mark.parametrize(
    ("unit", "kind", "factor"),
    [
        ("{SUVbw}g/ml", "GML/BW", 1.0),
        ("{SUVlbm(James128)}g/ml", "GML/LBM-James128", 70 / (1.07 * 70 - 148 * 0.16)),
        ("{SUVibw}g/ml", "GML/IBW", 70 / (45.5 + 0.91 * 23)),
        ("{SUVbsa}cm2/ml", "CM2ML", 70000 / (0.007184 * 70**0.425 * 175**0.725 * 1e4)),
    ],
)
def test_units_of_the_real_world(unit, kind, factor):
    result = suv_factors([enhanced("PT", PIXELS, unit=unit)])
    assert result.kind == kind
    np.testing.assert_allclose(result.factors, [factor] * 4, rtol=1e-12)


def test_the_correction_to_the_injection(tmp_path):
    # The values belong to the time of injection, so nothing decays; the uptake is that of the measurement.
    header = enhanced("PT", PIXELS, DecayCorrectionDateTime="20250101100000")
    result = suv_factors([header])
    np.testing.assert_allclose(result.factors, 70000 / 368.08e6, rtol=1e-12)
    assert result.uptake_minutes == 60


def test_frames_without_decay_correction_belong_to_their_own_time():
    rate = log(2) / 6586.2
    average = log(rate * 300 / (1 - exp(-rate * 300))) / rate
    times = ["20250101110000", "20250101110500"]
    header = enhanced(
        "PT", PIXELS[:2], DecayCorrected="NO", contents=[{"FrameAcquisitionDateTime": time} for time in times]
    )
    expected = [70000 / 368.08e6 * exp(rate * (3600 + later + average)) for later in (0, 300)]
    np.testing.assert_allclose(suv_factors([header]).factors, expected, rtol=1e-9)
    # The frame reference time, where it is written, is the average time itself.
    for item_, time in zip(header.PerFrameFunctionalGroupsSequence, ["20250101110230", "20250101110730"], strict=True):
        item_.FrameContentSequence[0].FrameReferenceDateTime = time
    expected = [70000 / 368.08e6 * exp(rate * (3600 + later)) for later in (150, 450)]
    np.testing.assert_allclose(suv_factors([header]).factors, expected, rtol=1e-9)


def test_offsets_from_utc_of_scan_and_injection():
    # The night the clocks went forward: 03:00 summer time is half an hour after 01:30.
    header = enhanced(
        "PT", PIXELS, DecayCorrectionDateTime="20250330030000+0200",
        RadiopharmaceuticalStartDateTime="20250330013000+0100", contents=[{"FrameAcquisitionDateTime": "20250330030000+0200"}] * 4,
    )  # fmt: skip
    result = suv_factors([header])
    np.testing.assert_allclose(result.factors, 70000 / (368.08e6 * 2 ** (-1800 / 6586.2)), rtol=1e-12)
    assert result.uptake_minutes == 30


def test_time_points_in_one_object(tmp_path):
    contents = [{"TemporalPositionIndex": 1 + k // 2} for k in range(4)]
    path = save(enhanced("PT", PIXELS, heights=[0, 4, 0, 4], contents=contents), tmp_path / "one.dcm")
    with pytest.raises(ScannerFileError, match="up to 2 images taken at different times lie at one place, at 2 of 2"):
        read_pet(path)


def test_frames_at_one_place_that_differ(tmp_path):
    path = save(enhanced("CT", PIXELS, heights=[0, 4, 4, 8]), tmp_path / "one.dcm")
    with pytest.raises(ScannerFileError, match="instance 2 and instance 3 lie at one place and differ"):
        read_ct(path)


def test_a_converted_object_keeps_its_old_elements(tmp_path):
    # As old archives are converted: units and times lie in a sequence of their own.
    header = enhanced("PT", PIXELS, unit=None)
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.128.1"
    del header.DecayCorrected, header.DecayCorrectionDateTime
    shared = header.SharedFunctionalGroupsSequence[0]
    shared.UnassignedSharedConvertedAttributesSequence = Items([item(Units="BQML", DecayCorrection="START")])
    for frame in header.PerFrameFunctionalGroupsSequence:
        old = item(AcquisitionDate="20250101", AcquisitionTime="110000")
        frame.UnassignedPerFrameConvertedAttributesSequence = Items([old])
    image = read_pet(save(header, tmp_path / "one.dcm"))
    assert image.extra["suv"].scan_start_rule == "series time"
    np.testing.assert_allclose(image.get_fdata().max(), PIXELS.max() * FACTOR, rtol=1e-6)


def test_philips_frames_keep_their_private_factor():
    header = enhanced("PT", PIXELS, unit="{counts}")
    header.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "DS", "0.25")
    assert suv_factors([header]).factors.tolist() == [0.25] * 4


def test_what_an_object_may_lack():
    with pytest.raises(SUVError, match=r"Units \(0054,1001\) is US, from which no SUV follows"):
        suv_factors([enhanced("PT", PIXELS, unit=None)])
    header = enhanced("PT", PIXELS)
    header.AttenuationCorrected = "NO"
    with pytest.raises(SUVError, match="not corrected for attenuation"):
        suv_factors([header])
    with pytest.raises(SUVError, match=r"Units .* is PROPCNTS"):
        suv_factors([enhanced("PT", PIXELS, unit="{propcounts}")])


def test_frames_that_are_not_described(tmp_path):
    header = enhanced("CT", PIXELS)
    del header.PerFrameFunctionalGroupsSequence[3]
    with pytest.raises(ScannerFileError, match="instance 1 holds 4 frames but describes 3"):
        read_ct(save(header, tmp_path / "one.dcm"))
    del header.PerFrameFunctionalGroupsSequence
    with pytest.raises(ScannerFileError, match="holds 4 frames and does not say where they lie"):
        read_ct(save(header, tmp_path / "two.dcm"))


def test_an_object_that_ends_early(tmp_path):
    path = save(enhanced("CT", PIXELS), tmp_path / "one.dcm")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ScannerFileError, match="instance 1 ends early: 220 of 240 bytes"):
        read_ct(path)


def test_an_unusual_uptake_is_remarked_on_once(tmp_path):
    header = enhanced("PT", PIXELS, RadiopharmaceuticalStartDateTime="20250101104000")
    header.SeriesInstanceUID = generate_uid()
    with pytest.warns(SUVWarning, match="20 min") as caught:
        read_pet(save(header, tmp_path / "one.dcm"))
    assert len(caught) == 1
