"""SUV factors of headers built from the definition, each with its hand-worked answer."""

from __future__ import annotations

import pickle
import re
import warnings
from math import exp, log

import numpy as np
import pytest
from dicom_builders import CU64, F18, GA68, PLANTED_NAME, ZR89, add_private, pet_header

from prrt_estimators.dicom import suv_factors
from prrt_estimators.exceptions import SUVError, SUVWarning


def factor(*headers, **options):
    """Return the factor that all headers share."""
    factors = suv_factors(headers, **options).factors
    assert (factors == factors[0]).all()
    return factors[0]


def test_activity_decayed_to_the_start():
    # 70 kg = 70000 g; 368.08 MBq decay for one hour.
    assert factor(pet_header()) == pytest.approx(70000 / (368.08e6 * 2 ** (-3600 / 6586.2)), rel=1e-12)


def test_activity_corrected_to_the_injection():
    result = suv_factors([pet_header(DecayCorrection="ADMIN")])
    assert result.factors[0] == pytest.approx(70000 / 368.08e6, rel=1e-12)
    assert result.decay_correction == "ADMIN"
    assert result.uptake_minutes == 60


def test_activity_not_corrected_has_one_factor_a_slice():
    # Three beds of 5 min: slice after slice belongs to its own average time.
    headers = [
        pet_header(DecayCorrection="NONE", AcquisitionTime=time) for time in ("111000", "110000", "110500.000000")
    ]
    rate = log(2) / 6586.2
    average = log(rate * 300 / (1 - exp(-rate * 300))) / rate
    expected = [70000 / 368.08e6 * exp(rate * (minutes * 60 + average)) for minutes in (70, 60, 65)]
    result = suv_factors(headers)
    np.testing.assert_allclose(result.factors, expected, rtol=1e-9)
    assert result.uptake_minutes == 60
    # A frame of 5 min averages a little before its middle: 150 s - (ln 2 / 6586.2) 300^2 / 24 = 149.6 s.
    assert average == pytest.approx(150 - rate * 300**2 / 24, abs=1e-3)


@pytest.mark.parametrize("half_life", [GA68, F18, CU64, ZR89])
@pytest.mark.parametrize("correction", ["START", "NONE"])
def test_any_half_life(half_life, correction):
    header = pet_header(RadionuclideHalfLife=half_life, DecayCorrection=correction)
    rate = log(2) / half_life
    seconds = 3600.0
    if correction == "NONE":
        seconds += log(rate * 300 / (1 - exp(-rate * 300))) / rate
    assert factor(header) == pytest.approx(70000 / 368.08e6 * exp(rate * seconds), rel=1e-9)


def test_a_long_lived_nuclide_scanned_days_later():
    header = pet_header(RadionuclideHalfLife=ZR89, RadiopharmaceuticalStartDateTime="20241228093000")
    # 28 December 09:30 to 1 January 11:00 are 4 days and 90 minutes.
    seconds = 4 * 86400 + 90 * 60
    with pytest.warns(SUVWarning, match="uptake time is 5850 min"):
        assert factor(header) == pytest.approx(70000 / (368.08e6 * 2 ** (-seconds / 282240)), rel=1e-12)


@pytest.mark.parametrize("suv_type", [None, "", "BW"])
def test_grams_per_millilitre_are_body_weight_where_nothing_else_is_said(suv_type):
    # Neither weight nor dose is needed: the scanner used them already.
    header = pet_header(Units="GML", SUVType=suv_type, PatientWeight=None, RadionuclideTotalDose=None)
    result = suv_factors([header])
    assert result.factors.tolist() == [1.0]
    assert (result.kind, result.tags, result.uptake_minutes) == ("GML/BW", {}, 60.0)


# 70 kg and 175 cm: (70 / 175)^2 = 0.16, body mass index 70 / 1.75^2 = 22.857143.
MASSES = {
    ("LBMJAMES128", "M"): 1.10 * 70 - 128 * 0.16,  # 56.52
    ("LBMJAMES128", "F"): 1.07 * 70 - 148 * 0.16,  # 51.22
    ("LBMJAMES128", "O"): (56.52 + 51.22) / 2,
    ("LBMJANMA", "M"): 9270 * 70 / (6680 + 216 * 70 / 1.75**2),  # 55.86
    ("LBMJANMA", "F"): 9270 * 70 / (8780 + 244 * 70 / 1.75**2),  # 45.20
    ("LBMJANMA", "O"): (9270 * 70 / (6680 + 216 * 70 / 1.75**2) + 9270 * 70 / (8780 + 244 * 70 / 1.75**2)) / 2,
    ("LBM", "M"): 1.10 * 70 - 120 * 0.16,
    ("LBM", "F"): 1.07 * 70 - 148 * 0.16,
    ("IBW", "M"): 48.0 + 1.06 * (175 - 152),  # 72.38
    ("IBW", "F"): 45.5 + 0.91 * (175 - 152),  # 66.43
    ("IBW", "O"): (72.38 + 66.43) / 2,
}


@pytest.mark.parametrize(("suv_type", "sex"), MASSES)
def test_lean_and_ideal_mass_are_brought_back_to_body_weight(suv_type, sex):
    header = pet_header(Units="GML", SUVType=suv_type, PatientSex=sex)
    assert factor(header) == pytest.approx(70 / MASSES[suv_type, sex], rel=1e-12)


def test_surface_is_brought_back_to_body_weight():
    result = suv_factors([pet_header(Units="CM2ML", SUVType="BSA")])
    square_metres = 0.007184 * 70**0.425 * 175**0.725  # 1.8481
    assert result.factors[0] == pytest.approx(70000 / (square_metres * 10000), rel=1e-12)
    assert result.kind == "CM2ML"


def test_philips_counts_with_the_factor_to_suv():
    headers = [
        add_private(pet_header(Units="CNTS"), 0x7053, "Philips PET Private Group", 0x00, "DS", value)
        for value in ("0.000728", "0.0005")
    ]
    result = suv_factors(headers)
    assert result.factors.tolist() == [0.000728, 0.0005]
    assert result.kind == "CNTS/SUV factor"
    assert result.tags == {"PhilipsSUVScaleFactor": 0.000728}


def test_philips_counts_with_the_factor_to_activity():
    header = add_private(pet_header(Units="CNTS"), 0x7053, "Philips PET Private Group", 0x09, "DS", "2.5")
    result = suv_factors([header])
    assert result.factors[0] == pytest.approx(2.5 * 70000 / (368.08e6 * 2 ** (-3600 / 6586.2)), rel=1e-12)
    assert result.kind == "CNTS/activity factor"


def test_philips_factors_whose_creator_was_stripped():
    header = pet_header(Units="CNTS")
    header.add_new(0x70531000, "UN", b"0.000728 ")
    assert factor(header) == 0.000728


def test_with_both_philips_factors_activity_counts_unless_it_lacks_something():
    def both(**elements):
        header = pet_header(Units="CNTS", **elements)
        add_private(header, 0x7053, "Philips PET Private Group", 0x00, "DS", "0.0007")
        return add_private(header, 0x7053, "Philips PET Private Group", 0x09, "DS", "2.5")

    expected = 2.5 * 70000 / (368.08e6 * 2 ** (-3600 / 6586.2))
    assert factor(both()) == pytest.approx(expected, rel=1e-12)
    assert factor(both(), weight_kg=140.0) == pytest.approx(2 * expected, rel=1e-12)
    with pytest.warns(SUVWarning, match=r"factor to Bq/mL cannot be used \(PatientWeight \(0010,1030\) is missing"):
        assert factor(both(PatientWeight=None)) == 0.0007


def test_values_of_the_user_stand_in_for_the_header():
    header = pet_header(PatientWeight=None, RadionuclideTotalDose=0, RadionuclideHalfLife=None)
    result = suv_factors([header], weight_kg=80, dose_bq=120e6, half_life_s=GA68)
    assert result.factors[0] == pytest.approx(80000 / (120e6 * 2 ** (-3600 / 4062.6)), rel=1e-12)
    assert result.given == ("weight_kg", "dose_bq", "half_life_s")
    assert result.tags == {"PatientWeight": 80, "RadionuclideTotalDose": 120e6, "RadionuclideHalfLife": GA68}


def test_a_value_that_is_given_and_not_used_is_remarked_on():
    with pytest.warns(SUVWarning, match="`weight_kg` was given but not used: the scanner already normalised"):
        result = suv_factors([pet_header(Units="GML")], weight_kg=80)
    assert result.factors.tolist() == [1.0]
    assert result.given == ()


@pytest.mark.parametrize("wrong", [0, -70.0, float("nan"), float("inf")])
def test_a_given_value_must_be_positive(wrong):
    with pytest.raises(ValueError, match="`weight_kg` must be a positive number"):
        suv_factors([pet_header()], weight_kg=wrong)


def test_dose_in_megabecquerel():
    with pytest.warns(SUVWarning, match="368.08 is taken as MBq"):
        result = suv_factors([pet_header(RadionuclideTotalDose=368.08)])
    assert result.factors[0] == pytest.approx(70000 / (368.08e6 * 2 ** (-3600 / 6586.2)), rel=1e-12)
    assert result.tags["RadionuclideTotalDose"] == pytest.approx(368.08e6)


def test_weight_in_grams_and_height_in_centimetres():
    header = pet_header(Units="GML", SUVType="IBW", PatientSex="M", PatientWeight=70000, PatientSize=175)
    with pytest.warns(SUVWarning) as caught:
        assert factor(header) == pytest.approx(70 / 72.38, rel=1e-12)
    assert [str(warning.message)[:40] for warning in caught] == [
        "PatientWeight (0010,1030) 70000 is taken",
        "PatientSize (0010,1020) 175 is taken as ",
    ]


@pytest.mark.parametrize(
    ("elements", "remark"),
    [
        # 75 kg in pounds; a body mass index of 25 becomes 54.
        (
            {"PatientWeight": 165.3},
            "PatientWeight (0010,1030) 165.3 kg and PatientSize (0010,1020) 1.75 give a body mass index",
        ),
        ({"PatientWeight": 31}, "a body mass index of 10"),
        ({"PatientWeight": 165.3, "PatientSize": 175}, "a body mass index of 54"),
        ({"RadionuclideTotalDose": 15e6}, "RadionuclideTotalDose (0018,1074) 15 MBq is unusual"),
        ({"RadionuclideTotalDose": 3680.8e6}, "RadionuclideTotalDose (0018,1074) 3680.8 MBq is unusual"),
        ({"AcquisitionDate": "20250102"}, "the first acquisition lies 24.0 h after SeriesTime (0008,0031)"),
    ],
)
def test_unusual_values_are_remarked_on(elements, remark):
    with pytest.warns(SUVWarning, match=re.escape(remark)):
        suv_factors([pet_header(**elements)])


@pytest.mark.parametrize("height", [None, 0, "1.75\\1.8"])
def test_a_height_that_is_not_known_changes_nothing(height):
    with warnings.catch_warnings():
        warnings.simplefilter("error", SUVWarning)
        assert factor(pet_header(PatientSize=height)) == factor(pet_header())


@pytest.mark.parametrize(
    ("elements", "argument", "value"),
    [
        ({"PatientWeight": 1}, "weight_kg", 70.0),
        ({"PatientWeight": 7.0}, "weight_kg", 70.0),
        ({"PatientWeight": 450}, "weight_kg", 70.0),
        ({"PatientWeight": 1.75, "PatientSize": 70}, "weight_kg", 70.0),
        ({"RadionuclideTotalDose": 1}, "dose_bq", 368.08e6),
        # In mCi, GBq, kBq, and MBq written as though it were in MBq twice.
        ({"RadionuclideTotalDose": 9.948}, "dose_bq", 368.08e6),
        ({"RadionuclideTotalDose": 0.36808}, "dose_bq", 368.08e6),
        ({"RadionuclideTotalDose": 368080}, "dose_bq", 368.08e6),
        ({"RadionuclideTotalDose": 368.08e9}, "dose_bq", 368.08e6),
    ],
)
def test_what_no_patient_has_is_refused_and_may_be_given(elements, argument, value):
    right = factor(pet_header())
    with pytest.raises(SUVError, match=f"or pass `{argument}`"):
        suv_factors([pet_header(**elements)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SUVWarning)
        given = factor(pet_header(**elements), **{argument: value})
    assert given == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize(("injected", "minutes"), [("103500", 25), ("084500", 135)])
def test_unusual_uptake_times_are_remarked_on(injected, minutes):
    header = pet_header(RadiopharmaceuticalStartDateTime=f"20250101{injected}")
    with pytest.warns(SUVWarning, match=f"uptake time is {minutes} min, outside 30 to 120 min") as caught:
        result = suv_factors([header])
    assert result.uptake_minutes == minutes
    assert result.remarks == tuple(str(warning.message).rstrip(".") for warning in caught)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("injected", ["103000", "090000"])
def test_uptake_times_at_the_limits_are_usual(injected):
    header = pet_header(RadiopharmaceuticalStartDateTime=f"20250101{injected}")
    assert (suv_factors([header]).factors > 0).all()  # a warning would be an error here


def test_the_order_of_the_headers_is_that_of_the_factors():
    times = ["110000", "111500", "110500", "111000"]
    headers = [pet_header(DecayCorrection="NONE", AcquisitionTime=time) for time in times]
    forwards = suv_factors(headers).factors
    assert (suv_factors(headers[::-1]).factors == forwards[::-1]).all()
    assert (np.argsort(forwards) == np.argsort(times)).all()


def test_the_result_tells_nothing_of_who_or_when_and_travels():
    result = suv_factors([pet_header(Units="GML", SUVType="LBMJANMA")])
    assert set(result.tags) == {"PatientWeight", "PatientSize", "PatientSex"}
    assert PLANTED_NAME not in repr(result)
    assert "2025" not in repr(result)
    assert result.scan_start.hour == 11
    assert pickle.loads(pickle.dumps(result)).tags == result.tags
