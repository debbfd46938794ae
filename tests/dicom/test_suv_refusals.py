"""PET series from which no SUV follows end in an error that names the tag, and no patient."""

from __future__ import annotations

import pytest
from dicom_builders import PLANTED_NAME, add_private, item, pet_header
from pydicom.sequence import Sequence as Items

from prrt_estimators.dicom import suv_factors
from prrt_estimators.exceptions import ScannerFileError, SUVError, SUVWarning

PHILIPS = "Philips PET Private Group"


def refusal(*headers, **options):
    """Return the message of the error, which must not name the patient."""
    with pytest.raises(SUVError) as caught:
        suv_factors(headers, **options)
    message = str(caught.value)
    assert isinstance(caught.value, ScannerFileError)
    assert PLANTED_NAME.split("^")[0] not in message
    assert "0815" not in message
    assert message.endswith(".")
    return message


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("PatientWeight", "(0010,1030)"),
        ("RadionuclideTotalDose", "(0018,1074)"),
        ("RadionuclideHalfLife", "(0018,1075)"),
    ],
)
@pytest.mark.parametrize(("value", "state"), [(None, "missing"), ("", "missing"), (0, "zero"), (-1, "negative")])
def test_weight_dose_and_half_life(keyword, tag, value, state):
    message = refusal(pet_header(**{keyword: value}))
    assert message.startswith(f"{keyword} {tag} is {state}, so SUVbw cannot be computed.")
    assert "or pass `" in message


def test_a_half_life_is_not_needed_where_nothing_decays():
    assert suv_factors([pet_header(DecayCorrection="ADMIN", RadionuclideHalfLife=None)]).uptake_minutes == 60


@pytest.mark.parametrize("units", ["PROPCNTS", "CPS", "NONE", "", None])
def test_units_that_no_suv_follows_from(units):
    assert refusal(pet_header(Units=units)).startswith(f"Units (0054,1001) is {units or 'missing'}, from which no SUV")


def test_counts_without_a_factor():
    assert "(Philips to Bq/mL (7053,1009), Philips to SUV (7053,1000))" in refusal(pet_header(Units="CNTS"))


@pytest.mark.parametrize("value", ["0", "", "none"])
def test_a_factor_of_zero_is_none(value):
    header = pet_header(Units="CNTS")
    header.private_block(0x7053, PHILIPS, create=True).add_new(0x00, "LO", value)
    assert "none of the factors of makers" in refusal(header)


def test_a_factor_missing_in_some_slices():
    with_factor = add_private(pet_header(Units="CNTS"), 0x7053, PHILIPS, 0x00, "DS", "0.0007")
    assert "(7053,1000) is missing or not positive in some slices" in refusal(with_factor, pet_header(Units="CNTS"))


def test_a_factor_to_suv_and_another_suv_type():
    header = add_private(pet_header(Units="CNTS", SUVType="LBMJANMA"), 0x7053, PHILIPS, 0x00, "DS", "0.0007")
    assert "contradict each other" in refusal(header)


@pytest.mark.parametrize(("units", "suv_type"), [("GML", "BSA"), ("GML", "OTHER"), ("CM2ML", "BW")])
def test_units_and_suv_type_that_contradict_each_other(units, suv_type):
    assert suv_type in refusal(pet_header(Units=units, SUVType=suv_type))


@pytest.mark.parametrize("corrections", [["DECY", "SCAT"], "DECY"])
@pytest.mark.parametrize("units", ["BQML", "GML"])
def test_a_series_without_attenuation_correction(corrections, units):
    message = refusal(pet_header(CorrectedImage=corrections, Units=units))
    assert message.startswith("the series is not corrected for attenuation (CorrectedImage (0028,0051) has no ATTN)")


def test_one_slice_without_attenuation_correction():
    assert "attenuation" in refusal(pet_header(), pet_header(CorrectedImage=["DECY"]))


def test_attenuation_correction_that_is_told_elsewhere():
    suv_factors([pet_header(CorrectedImage=None, AttenuationCorrectionMethod="measured")])
    assert "attenuation" in refusal(pet_header(CorrectedImage=None, AttenuationCorrectionMethod="NONE"))
    assert "attenuation" in refusal(pet_header(CorrectedImage=None, AttenuationCorrected="NO"))
    with pytest.warns(SUVWarning, match="attenuation correction is taken on trust"):
        suv_factors([pet_header(CorrectedImage=None)])


@pytest.mark.parametrize("decay", [None, "", "SOMETIMES"])
def test_decay_correction_must_be_told(decay):
    message = refusal(pet_header(DecayCorrection=decay))
    assert message.startswith(f"DecayCorrection (0054,1102) is {decay or 'missing'}; START, ADMIN or NONE is needed")


@pytest.mark.parametrize("keyword", ["PatientSize", "PatientWeight"])
@pytest.mark.parametrize("value", [None, 0])
@pytest.mark.parametrize(("units", "suv_type"), [("GML", "LBMJAMES128"), ("CM2ML", "BSA")])
def test_a_normalisation_by_mass_or_surface_needs_weight_and_height(keyword, value, units, suv_type):
    assert keyword in refusal(pet_header(Units=units, SUVType=suv_type, **{keyword: value}))


@pytest.mark.parametrize("sex", [None, "", "U", "FEMALE"])
@pytest.mark.parametrize("suv_type", ["IBW", "LBMJANMA", "LBMJAMES128"])
def test_a_normalisation_by_lean_mass_needs_the_sex(sex, suv_type):
    assert "PatientSex (0010,0040) is " in refusal(pet_header(Units="GML", SUVType=suv_type, PatientSex=sex))


def test_a_lean_mass_that_is_not_positive():
    header = pet_header(Units="GML", SUVType="LBMJAMES128", PatientWeight=250, PatientSize=1.2)
    assert "give no positive mass by the formula of GML/LBM-James128" in refusal(header)


@pytest.mark.parametrize("keyword", ["PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife"])
def test_slices_that_disagree(keyword):
    assert f"{keyword}" in refusal(pet_header(), pet_header(**{keyword: 1e5}))


@pytest.mark.parametrize("keyword", ["Units", "DecayCorrection"])
def test_slices_of_several_kinds(keyword):
    message = refusal(pet_header(), pet_header(**{keyword: None}))
    assert "differs between slices" in message
    assert "missing" in message


def test_no_radiopharmaceutical_or_two():
    header = pet_header()
    header.RadiopharmaceuticalInformationSequence = Items([*header.RadiopharmaceuticalInformationSequence, item()])
    assert "holds 2 radiopharmaceuticals" in refusal(header)
    header.RadiopharmaceuticalInformationSequence = Items([])
    assert "RadiopharmaceuticalInformationSequence (0054,0016) is missing" in refusal(header)
    del header.RadiopharmaceuticalInformationSequence
    assert "RadiopharmaceuticalInformationSequence (0054,0016) is missing" in refusal(header)


@pytest.mark.parametrize("written", [b"seventy", b"70,5", b"nan", b"inf"])
def test_a_number_that_is_none(written):
    header = pet_header(InstanceNumber=7)
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag = Tag(0x0010, 0x1030)
    header._dict[tag] = RawDataElement(tag, "DS", len(written), written, 0, False, True)
    assert refusal(header).startswith("PatientWeight (0010,1030) of instance 7 is not a number.")


def test_no_headers():
    assert "no header was given" in refusal()
