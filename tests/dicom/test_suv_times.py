"""The time from injection to scan, in every element that scanners write it in."""

from __future__ import annotations

import warnings
from math import exp, log

import pytest
from dicom_builders import CU64, GA68, ZR89, add_private, pet_header

from prrt_estimators.dicom import suv_factors
from prrt_estimators.dicom._datetimes import read_date, read_moment, read_time
from prrt_estimators.dicom._decay import average_time
from prrt_estimators.exceptions import SUVError, SUVWarning


def minutes(*headers):
    """Return the minutes of decay that the factors hold, which must be the uptake time."""
    result = suv_factors(headers)
    half_life = result.tags["RadionuclideHalfLife"]
    decayed = log(result.factors[0] * 368.08e6 / 70000) / log(2) * half_life / 60
    assert result.uptake_minutes == pytest.approx(decayed, abs=1e-6)
    return decayed


# Where the scan starts.


def test_series_time_where_no_acquisition_is_earlier():
    # Three beds; the series begins with the first.
    headers = [pet_header(AcquisitionTime=time) for time in ("110500", "110000", "111000")]
    assert minutes(*headers) == pytest.approx(60)
    assert suv_factors(headers).scan_start_rule == "series time"


def test_series_time_before_all_acquisitions():
    assert minutes(pet_header(SeriesTime="105500", AcquisitionTime="110000")) == pytest.approx(55)


def test_acquisition_and_frame_reference_where_the_series_time_is_later():
    # Reconstructed again in the evening. The first bed was acquired at 11:03 for 5 min, and its average time,
    # 149.6 s on, lies 329.6 s after the start of the scan: it started at 11:00.
    rate = log(2) / 6586.2
    average = log(rate * 300 / (1 - exp(-rate * 300))) / rate
    headers = [
        pet_header(SeriesTime="193000", AcquisitionTime=time, FrameReferenceTime=1000 * (seconds + average))
        for time, seconds in (("110800", 480), ("110300", 180))
    ]
    assert minutes(*headers) == pytest.approx(60, abs=1e-6)
    assert suv_factors(headers).scan_start_rule == "acquisition time + average time - frame reference time"


def test_acquisition_a_moment_before_the_series():
    # As Siemens writes it: 5 microseconds.
    header = pet_header(AcquisitionTime="105959.999995", FrameReferenceTime=1000 * average_time(6586.2, 300))
    assert minutes(header) == pytest.approx(60, abs=1e-6)


def test_slices_that_disagree_on_the_start_are_remarked_on():
    headers = [
        pet_header(SeriesTime="193000", AcquisitionTime=time, FrameReferenceTime=149606.0)
        for time in ("110000", "110500")
    ]
    for order in (headers, headers[::-1]):
        with pytest.warns(SUVWarning, match="differ by 300 s; that of the first slice is used"):
            assert minutes(*order) == pytest.approx(60, abs=1e-3)


def test_one_earlier_acquisition_makes_the_series_time_late():
    # The series was dated by its second bed; its first began at 11:00.
    average = average_time(6586.2, 300)
    headers = [
        pet_header(SeriesTime="110300", AcquisitionTime=time, FrameReferenceTime=1000 * (seconds + average))
        for time, seconds in (("110500", 300), ("110000", 0))
    ]
    assert minutes(*headers) == pytest.approx(60, abs=1e-6)


def test_ge_counts_frames_another_way_and_is_remarked_on():
    header = pet_header(SeriesTime="193000", Manufacturer="GE MEDICAL SYSTEMS", FrameReferenceTime=0.0)
    with pytest.warns(SUVWarning, match=r"GE may count to the start of the frame: SUV may be too high by 1\.6 %"):
        suv_factors([header])


@pytest.mark.parametrize(
    ("group", "creator", "element", "rule"),
    [(0x0009, "GEMS_PETD_01", 0x0D, "GE"), (0x0071, "SIEMENS MED PT", 0x22, "Siemens")],
)
def test_the_makers_own_time_comes_first(group, creator, element, rule):
    # Neither series (19:30) nor acquisition (11:10) say that the scan was corrected to 11:02.
    header = pet_header(SeriesTime="193000", AcquisitionTime="111000", FrameReferenceTime=0.0)
    add_private(header, group, creator, element, "DT", "20250101110200.00")
    assert minutes(header) == pytest.approx(62)
    assert suv_factors([header]).scan_start_rule.startswith(rule)


@pytest.mark.parametrize("block", [0x11, 0x12])
def test_the_makers_block_is_found_wherever_it_lies(block):
    header = pet_header(SeriesTime="193000")
    header.add_new((0x0009, 0x0010), "LO", "GEMS_IDEN_01")
    header.add_new((0x0009, block), "LO", "GEMS_PETD_01")
    header.add_new((0x0009, block * 0x100 + 0x0D), "UN", b"20250101110200.00 ")
    assert minutes(header) == pytest.approx(62)


def test_an_element_of_another_maker_at_that_place_is_not_a_time():
    header = pet_header()
    header.add_new((0x0009, 0x0010), "LO", "GEMS_IDEN_01")
    header.add_new((0x0009, 0x100D), "DT", "20250101112000")
    assert minutes(header) == pytest.approx(60)


def test_a_stripped_creator_leaves_the_value_readable():
    header = pet_header(SeriesTime="193000")
    header.add_new((0x0009, 0x100D), "UN", b"20250101110200.00 ")
    assert minutes(header) == pytest.approx(62)


def test_a_makers_time_whose_date_was_not_shifted():
    header = add_private(pet_header(), 0x0009, "GEMS_PETD_01", 0x0D, "DT", "20190614110200.00")
    with pytest.warns(SUVWarning, match="GE scan time .* lies 2028 days from the acquisition; its time of day is used"):
        assert minutes(header) == pytest.approx(62)


def test_no_time_at_all_is_refused():
    with pytest.raises(SUVError, match=r"SeriesTime \(0008,0031\) and AcquisitionTime \(0008,0032\) are both missing"):
        suv_factors([pet_header(SeriesTime=None, AcquisitionTime=None)])


@pytest.mark.parametrize("keyword", ["FrameReferenceTime", "ActualFrameDuration"])
def test_a_late_series_needs_its_frame_times(keyword):
    with pytest.raises(SUVError, match=keyword):
        suv_factors([pet_header(SeriesTime="193000", **{keyword: None})])


@pytest.mark.parametrize("keyword", ["AcquisitionTime", "ActualFrameDuration"])
def test_uncorrected_activity_needs_the_time_of_each_slice(keyword):
    headers = [pet_header(DecayCorrection="NONE"), pet_header(DecayCorrection="NONE", **{keyword: None})]
    with pytest.raises(SUVError, match=keyword):
        suv_factors(headers)


# When it was injected.


@pytest.mark.parametrize("removed", ["RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime"])
def test_either_start_time_is_enough(removed):
    assert minutes(pet_header(**{removed: None})) == pytest.approx(60)


def test_both_start_times_missing_is_refused():
    header = pet_header(RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime="")
    with pytest.raises(
        SUVError, match=r"\(0018,1078\) and RadiopharmaceuticalStartTime \(0018,1072\) are both missing"
    ):
        suv_factors([header])


def test_midnight_between_injection_and_scan():
    elements = {"SeriesDate": "20250102", "AcquisitionDate": "20250102"}
    elements |= {"SeriesTime": "002000", "AcquisitionTime": "002000"}
    only_time = pet_header(RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime="233000", **elements)
    assert minutes(only_time) == pytest.approx(50)
    dated = pet_header(RadiopharmaceuticalStartDateTime="20250101233000", **elements)
    assert minutes(dated) == pytest.approx(50)


def test_midnight_between_beds():
    # The later bed has no date of its own; it belongs to the next day.
    headers = [
        pet_header(DecayCorrection="NONE", SeriesTime="235500", AcquisitionTime=time, AcquisitionDate=None,
                   RadiopharmaceuticalStartDateTime="20250101230000")
        for time in ("235500", "000500")
    ]  # fmt: skip
    factors = suv_factors(headers).factors
    assert factors[1] / factors[0] == pytest.approx(2 ** (600 / 6586.2), rel=1e-9)


def test_midnight_and_dates_that_were_made_anonymous():
    elements = {"SeriesDate": "19000101", "AcquisitionDate": "19000101"}
    elements |= {"SeriesTime": "002000", "AcquisitionTime": "002000"}
    header = pet_header(RadiopharmaceuticalStartDateTime="20250101233000", **elements)
    with pytest.warns(SUVWarning, match=r"lie 45656 days apart; the time of day of .* is used on the day of the scan"):
        assert minutes(header) == pytest.approx(50)


def test_no_dates_at_all():
    header = pet_header(SeriesDate=None, AcquisitionDate=None, RadiopharmaceuticalStartDateTime=None)
    assert minutes(header) == pytest.approx(60)


@pytest.mark.parametrize(
    "elements",
    [
        {"RadiopharmaceuticalStartDateTime": "20250101113000"},
        {"RadiopharmaceuticalStartDateTime": "20250102100000"},
        {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "113000"},
    ],
)
@pytest.mark.parametrize("correction", ["START", "ADMIN", "NONE"])
def test_a_negative_uptake_time_is_refused(elements, correction):
    with pytest.raises(SUVError, match="min after the start of the scan: the uptake time is negative"):
        suv_factors([pet_header(DecayCorrection=correction, **elements)])


def test_a_scanners_own_suv_with_a_negative_uptake_time_is_remarked_on():
    header = pet_header(Units="GML", RadiopharmaceuticalStartDateTime="20250101113000")
    with pytest.warns(SUVWarning, match="injection lies after the start of the scan; the scanner's own SUV is taken"):
        result = suv_factors([header])
    assert result.uptake_minutes is None


def test_an_evening_before_is_believed_for_a_nuclide_that_lasts():
    # 64Cu at 22:00, scanned at 11:00: 13 hours. 68Ga would be gone.
    elements = {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "220000"}
    with pytest.warns(SUVWarning, match="uptake time is 780 min"):
        assert minutes(pet_header(RadionuclideHalfLife=CU64, **elements)) == pytest.approx(780)
    with pytest.raises(SUVError, match="negative"):
        suv_factors([pet_header(RadionuclideHalfLife=GA68, **elements)])


@pytest.mark.parametrize("written", [None, "20100101100000"])
def test_a_nuclide_of_days_needs_the_day_of_injection(written):
    # A time alone, or a date that was made anonymous, would leave whole days open.
    header = pet_header(RadionuclideHalfLife=ZR89, RadiopharmaceuticalStartDateTime=written)
    with pytest.raises(SUVError, match=r"half-life of 3\.3 days the injection may lie days before"):
        suv_factors([header])


def test_a_half_life_in_minutes_is_refused():
    with pytest.raises(SUVError, match=r"33 half-lives lie between injection and scan.*in seconds"):
        suv_factors([pet_header(RadionuclideHalfLife=109.77)])


@pytest.mark.parametrize(
    ("written", "expected"), [("20250101090000+0000", 60), ("20250101110000+0200", 60), ("20250101100000", 60)]
)
def test_offsets_from_utc(written, expected):
    header = pet_header(RadiopharmaceuticalStartDateTime=written, TimezoneOffsetFromUTC="+0100")
    assert minutes(header) == pytest.approx(expected)


# How times are written.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("11", 39600), ("1130", 41400), ("113015", 41415), ("113015.25", 41415.25), ("11:30:15", 41415), ("", None),
     ("2530", None), ("1160", None), ("noon", None)],
)  # fmt: skip
def test_times(text, seconds):
    found = read_time(text)
    assert (None if found is None else found.total_seconds()) == seconds


def test_dates():
    assert str(read_date("2025.01.31")) == "2025-01-31"
    assert read_date("20250132") is None
    assert read_moment("2025") == (None, None, None)
    assert read_moment("20250131")[1] is None


def test_the_average_time_of_a_frame():
    # Activity over a frame of two half-lives averages to (1 - 1/4) / (2 ln 2) of its start: 0.541 = 2 ** -0.8864.
    average = average_time(half_life=100.0, duration=200.0)
    assert 2 ** (-average / 100) == pytest.approx(0.75 / (2 * log(2)), rel=1e-12)
    assert average_time(1e12, 300.0) == pytest.approx(150.0)


def test_no_other_warning_is_given():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        suv_factors([pet_header(PatientSex="O")])
    assert not caught
