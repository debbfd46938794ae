"""Headers that contradict themselves: the right factor or a refusal, never another number.

The case: 75 kg, 150 MBq of 68Ga (4062.6 s) injected at 09:00, scanned at 10:00 and corrected to the start. The factor is
75000 g / (150 MBq x 2^(-3600 / 4062.6)) = 0.000924107.
"""

from __future__ import annotations

import warnings

import pytest
from dicom_builders import add_private, item, pet_header
from pydicom.sequence import Sequence as Items

from prrt_estimators.dicom import suv_factors
from prrt_estimators.dicom._datetimes import read_date, read_moment, read_time
from prrt_estimators.dicom._tracers import Tracer, radiopharmaceutical_in, tracer_of
from prrt_estimators.exceptions import SUVError, SUVWarning

RIGHT = 0.000924107
CODES = {"Ga-68": "C-131A3", "Cu-64": "C-127A2", "F-18": "C-111A1"}
MOMENT, TIME = "RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime"


def case(*args, **elements):
    """Return the header of the case, with values that pydicom itself would remark on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(*args, **elements)


def build(moment="20240105090000", time="090000", *, nuclide=None, name=None, half_life=4062.6, **elements):
    defaults = {
        "PatientWeight": 75, "RadionuclideTotalDose": 150e6, "RadionuclideHalfLife": half_life, MOMENT: moment, TIME: time,
        "SeriesDate": "20240105", "SeriesTime": "100000", "AcquisitionDate": "20240105", "AcquisitionTime": "100000",
    }  # fmt: skip
    header = pet_header(**{**defaults, **elements})
    drug = header.RadiopharmaceuticalInformationSequence[0]
    if nuclide is not None:
        drug.RadionuclideCodeSequence = Items([item(CodeValue=CODES[nuclide], CodingSchemeDesignator="SRT")])
    if name is not None:
        drug.Radiopharmaceutical = name
    return header


def factor(header, **options):
    return suv_factors([header], **options).factors[0]


def refusal(header):
    with pytest.raises(SUVError) as caught:
        suv_factors([header])
    return str(caught.value)


@pytest.mark.parametrize(
    ("moment", "time"),
    [
        ("20240105090000", "090000"),
        # Midnight stands in place of a time that was removed, and so does the day beside it.
        ("19000101000000", "090000"),
        ("20240105000000.000000", "090000"),
        ("19700101000000+0000", "090000"),
        ("20240105", "090000"),
        ("20240105090000", "000000"),
        # An offset is honoured: 08:00 UTC is 09:00 on a clock that shows so.
        ("20240105080000+0000", "090000"),
        ("20240105143000+0530", "090000"),
        ("20240104220000-1100", "090000"),
        ("20240105080000Z", "090000.000"),
        # As other systems write them.
        ("2024-01-05T09:00:00", None),
        ("2024-01-05 09:00:00.000", None),
        ("2024-01-05T09:00:00+00:00", "09:00:00"),
        (None, "90000"),
        (None, "90000.0"),
        (None, "9:00:00"),
        (None, "2024-01-05T09:00:00"),
        (None, ["090000", "090000"]),
        # The first cannot be read, the second can.
        ("20240105090000", ["090000", "100000"]),
    ],
)
def test_times_of_injection_that_can_be_read(moment, time):
    assert factor(case(moment, time)) == pytest.approx(RIGHT, rel=1e-6)


def test_an_offset_with_the_scanners_own():
    zoned = {"TimezoneOffsetFromUTC": "+0100"}
    assert factor(case("20240105080000+0000", None, **zoned)) == pytest.approx(RIGHT, rel=1e-6)
    assert factor(case("20240105080000+0000", "090000", **zoned)) == pytest.approx(RIGHT, rel=1e-6)
    assert "contradict each other: they lie 60 min apart" in refusal(case("20240105080000+0000", "080000", **zoned))


def test_an_offset_that_nothing_explains():
    assert "is in UTC and nothing tells the scanner's offset" in refusal(case("20240105080000+0000", None))
    with pytest.warns(SUVWarning, match="no other time has one; it is taken as the scanner's"):
        assert factor(case("20240105090000+0100", None)) == pytest.approx(RIGHT, rel=1e-6)


@pytest.mark.parametrize(
    ("moment", "time"),
    [("20240105080000", "090000"), ("20240105091000", "090000"), ("20240105081200+0000", "090000"),
     ("19000101083000", "090000")],
)  # fmt: skip
def test_date_time_and_time_that_contradict_each_other(moment, time):
    message = refusal(case(moment, time))
    assert message.startswith(f"{MOMENT} (0018,1078) and {TIME} (0018,1072) contradict each other")


def test_a_midnight_between_date_time_and_time_is_no_contradiction():
    header = case("20240104235930", "235945", SeriesTime="003000", AcquisitionTime="003000")
    assert suv_factors([header]).uptake_minutes == pytest.approx(30.5)


@pytest.mark.parametrize(
    ("moment", "time", "told"),
    [
        (
            None,
            ["090000", "100000"],
            f"{MOMENT} (0018,1078) is missing and {TIME} (0018,1072) is not readable as a time",
        ),
        (None, "nine", f"{MOMENT} (0018,1078) is missing and {TIME} (0018,1072) is not readable as a time"),
        (None, "9:00 AM", "not readable"),
        (None, "250000", "not readable"),
        ("5 Jan 2024", None, f"{MOMENT} (0018,1078) is not readable as a time and {TIME} (0018,1072) is missing"),
        (["20240105090000", "20240105100000"], None, "is not readable as a time"),
        ("20240105000000", "000000", "are both 000000"),
        (None, "000000", "000000"),
        (None, None, "are both missing"),
    ],
)
def test_times_of_injection_that_are_not_told(moment, time, told):
    message = refusal(case(moment, time))
    assert told in message
    assert "so the dose cannot be decayed to the scan" in message


def test_an_unreadable_date_time_beside_a_time_is_remarked_on():
    with pytest.warns(SUVWarning, match="StartDateTime .* is not readable as a time; RadiopharmaceuticalStartTime"):
        assert factor(case("yesterday", "090000")) == pytest.approx(RIGHT, rel=1e-6)


def test_all_times_removed():
    zeros = {"SeriesTime": "000000", "AcquisitionTime": "000000"}
    assert "are both 000000" in refusal(case("20240105000000", "000000", **zeros))
    assert "SeriesTime (0008,0031) and AcquisitionTime (0008,0032) are both 000000" in refusal(case(**zeros))
    told = refusal(case(SeriesTime="000000.00", AcquisitionTime="later"))
    assert "SeriesTime (0008,0031) is 000000 and AcquisitionTime (0008,0032) is not readable as a time" in told


@pytest.mark.parametrize("same", ["120000", "100000.00"])
def test_all_times_replaced_by_one(same):
    header = case(None, same, SeriesTime=same, AcquisitionTime=same)
    assert "injection and scan have the same time" in refusal(header)


def test_one_time_of_the_scan_is_enough():
    assert factor(case(AcquisitionTime="000000")) == pytest.approx(RIGHT, rel=1e-6)
    assert factor(case(AcquisitionTime=["095900", "100000"])) == pytest.approx(RIGHT, rel=1e-6)
    assert factor(case(SeriesTime="2024-01-05T10:00:00", SeriesDate="2024-01-05")) == pytest.approx(RIGHT, rel=1e-6)
    assert factor(case(SeriesTime="100000", SeriesDate="19000101")) == pytest.approx(RIGHT, rel=1e-6)


@pytest.mark.parametrize(
    ("nuclide", "half_life", "named"),
    [("Ga-68", 40080, "Ga-68 (4062.6 s)"), ("Ga-68", 6586.2, "Ga-68 (4062.6 s)"), ("Ga-68", 45720, "Ga-68 (4062.6 s)"),
     ("Ga-68", 67.71, "Ga-68 (4062.6 s)"), ("Cu-64", 762, "Cu-64 (45720 s)"), ("Cu-64", 6586.2, "Cu-64 (45720 s)"),
     ("F-18", 4062.6, "F-18 (6586.2 s)"), ("F-18", 109.77, "F-18 (6586.2 s)")],
)  # fmt: skip
def test_a_half_life_that_is_not_the_nuclides(nuclide, half_life, named):
    message = refusal(case(nuclide=nuclide, half_life=half_life))
    assert message.startswith(f"RadionuclideHalfLife (0018,1075) {half_life:g} s contradicts the nuclide")
    assert named in message


@pytest.mark.parametrize(
    "name",
    ["68Ga-DOTATATE", "Ga-68 DOTATOC", "68GaDOTANOC", "GALLIUM 68", "[68Ga]Ga-DOTA-TATE", "NETSPOT", "SomaKit TOC"],
)
def test_a_nuclide_told_by_the_name_alone(name):
    assert "Ga-68 (4062.6 s)" in refusal(case(name=name, half_life=6586.2))
    assert factor(case(name=name)) == pytest.approx(RIGHT, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "nuclide", "half_life"),
    [("Detectnet", "Cu-64", 45720.0), ("AlF-NOTA-octreotide", "F-18", 6586.2), ("Axumin", "F-18", 6586.2)],
)
def test_a_nuclide_told_by_a_brand(name, nuclide, half_life):
    assert f"names, {nuclide} ({half_life:g} s)" in refusal(case(name=name))
    assert factor(case(name=name, half_life=half_life)) > 0


def test_a_nuclide_told_by_the_meaning_of_its_code_or_by_the_tracer():
    header = case(half_life=6586.2)
    code = item(CodeValue="99999", CodingSchemeDesignator="99XX", CodeMeaning="^68^Gallium")
    header.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence = Items([code])
    assert "Ga-68 (4062.6 s)" in refusal(header)
    assert "F-18 (6586.2 s)" in refusal(case(name="FDG -- fluorodeoxyglucose"))


@pytest.mark.parametrize("half_life", [4057.7, 4062.6, 4069.0, 4080.0])
def test_half_lives_of_gallium_as_scanners_write_them(half_life):
    found = factor(case(nuclide="Ga-68", half_life=half_life))
    assert found == pytest.approx(75000 / (150e6 * 2 ** (-3600 / half_life)), rel=1e-9)


def test_a_half_life_that_the_user_gives():
    header = case(nuclide="Ga-68", half_life=6586.2)
    assert factor(header, half_life_s=4062.6) == pytest.approx(RIGHT, rel=1e-6)
    with pytest.warns(SUVWarning, match=r"6586\.2 s is not that of the nuclide"):
        factor(header, half_life_s=6586.2)


def test_names_that_contradict_a_code_that_fits_are_remarked_on():
    with pytest.warns(SUVWarning, match=r"name different nuclides \(Ga-68, F-18\)"):
        assert factor(case(nuclide="Ga-68", name="FDG")) == pytest.approx(RIGHT, rel=1e-6)
    with pytest.warns(SUVWarning, match="is that of no nuclide that is known here"):
        factor(case(half_life=5000.0))


def test_where_nothing_decays_a_contradiction_costs_nothing():
    header = case(nuclide="Ga-68", half_life=6586.2, DecayCorrection="ADMIN")
    assert factor(header) == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("decay", "corrected"), [("START", ["ATTN", "NORM"]), ("ADMIN", ["ATTN"]), ("NONE", ["ATTN", "DECY"])]
)
def test_decay_correction_that_two_elements_tell_differently(decay, corrected):
    with pytest.warns(SUVWarning, match="they contradict each other, and the first is followed"):
        suv_factors([case(DecayCorrection=decay, CorrectedImage=corrected)])


def test_two_values_in_a_number():
    assert "RadionuclideTotalDose (0018,1074) of instance 1 is not one number" in refusal(two("RadionuclideTotalDose"))
    assert factor(two("RadionuclideTotalDose", 150e6)) == pytest.approx(RIGHT, rel=1e-6)
    header = case()
    header.PatientWeight = [75, 80]
    assert "PatientWeight (0010,1030) of instance 1 is not one number" in refusal(header)


def two(keyword, second=75e6):
    header = case()
    drug = header.RadiopharmaceuticalInformationSequence[0]
    drug[keyword].value = [drug[keyword].value, second]
    drug.InstanceNumber = 1
    return header


@pytest.mark.parametrize(
    ("written", "slope", "expected"),
    [("SUVbw(X100)", None, 0.01), ("SUVbw(X100)", 1, 0.01), ("SUVbw(X100)", 2, 0.005), ("SUVbw X100 ", 1, 0.01),
     (b"SUVbw(X100)\0", 1, 0.01), ("SUVbw(x10)", 1, 0.1), ("SUVbw", 1, 0.01)],
)  # fmt: skip
@pytest.mark.parametrize("units", ["BQML", "CNTS", "NONE"])
@pytest.mark.parametrize("block", [0x10, 0x1F])
def test_canon_stores_suv_times_100(written, slope, expected, units, block):
    # No dose is needed, and none is used.
    header = case(Units=units, Manufacturer="TOSHIBA", RadionuclideTotalDose=None, RescaleSlope=slope)
    header.add_new((0x7065, block * 0x100 + 0x2D), "UN" if isinstance(written, bytes) else "LO", written)
    result = suv_factors([header])
    assert result.factors[0] == pytest.approx(expected)
    assert result.kind == "CANON/SUV x 100"


def test_canon_with_another_kind_of_suv_or_an_intercept():
    header = add_private(case(Manufacturer="CANON"), 0x7065, "X", 0x2D, "LO", "SUVlbm(X100)")
    assert "(7065,102D) tells another kind of SUV" in refusal(header)
    header = add_private(case(RescaleIntercept=5), 0x7065, "X", 0x2D, "LO", "SUVbw(X100)")
    assert "needs values that start at 0" in refusal(header)
    # The same element of another maker is not about SUV.
    header = add_private(case(Manufacturer="OTHER"), 0x7065, "X", 0x2D, "LO", "7")
    assert factor(header) == pytest.approx(RIGHT, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90000", 32400), ("900", 32400), ("9", 32400), ("91530.5", 33330.5), ("9:15", 33300), ("09:00", 32400),
     ("0900:00", 32400), ("20240105090000", 32400), ("2024-01-05T09:00:00", 32400), ("090000+0100", None), ("1e5", None)],
)  # fmt: skip
def test_how_times_are_written(text, seconds):
    found = read_time(text)
    assert (None if found is None else found.total_seconds()) == seconds


def test_how_dates_are_written():
    assert str(read_date("2024-01-05T09:00:00")) == "2024-01-05"
    assert read_date("2024-0105") is None
    assert str(read_moment("2024-01-05T09:00:00.5Z")[2]) == "0:00:00"
    assert read_moment("2024010509:00")[1].total_seconds() == 32400


@pytest.mark.parametrize(
    ("name", "half_life", "label", "target"),
    [("FDG -- fluorodeoxyglucose", 6586.2, "F-18 FDG", "glucose"), ("DOTATATE", 4062.6, "Ga-68 DOTATATE", "SSTR"),
     ("64Cu-DOTATATE", 45720, "Cu-64 DOTATATE", "SSTR"), ("Edotreotide", 4080, "Ga-68 DOTATOC", "SSTR"),
     ("68Ga-PSMA-11", 4080, "Ga-68 PSMA", "PSMA"), ("DOTA-PSMA", 4080, "Ga-68 PSMA", "PSMA"),
     ("F-DOPA", 6586.2, "F-18 FDOPA", "amino acids"), ("Solution", 4062.6, "Ga-68, tracer not stated", ""),
     ("Solution", 5000, "tracer not stated", ""), ("DOTA-Peptid", 4062.6, "Ga-68 DOTA peptide", "SSTR"),
     ("Ga-68 DOTA-NOC", 4062.6, "Ga-68 DOTANOC", "SSTR")],
)  # fmt: skip
def test_what_a_pet_shows(name, half_life, label, target):
    found = tracer_of(item(Radiopharmaceutical=name, RadionuclideHalfLife=half_life))
    assert (found.label, found.target) == (label, target)


def test_what_a_pet_shows_by_codes():
    drug = item(
        RadiopharmaceuticalCodeSequence=Items([item(CodeValue="C-B1031", CodeMeaning="Fluorodeoxyglucose F^18^")]),
        RadionuclideCodeSequence=Items([item(CodeValue="77004003", CodingSchemeDesignator="SCT")]),
    )
    assert tracer_of(drug).label == "F-18 FDG"
    drug.RadiopharmaceuticalCodeSequence = Items([item(CodeValue="724025002")])
    assert tracer_of(drug).name == "DOTATATE"
    assert tracer_of(item()) == Tracer()


def test_the_base_case_warns_of_nothing():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert factor(case(nuclide="Ga-68", name="Ga-68 DOTATATE")) == pytest.approx(RIGHT, rel=1e-6)
    assert not caught


@pytest.mark.parametrize(
    ("named", "name", "target"),
    [
        ("Fluorestradiol", "FES", "oestrogen receptor"), ("16a-[18F]fluoro-17b-estradiol", "FES", "oestrogen receptor"),
        ("mFBG", "MIBG", "noradrenaline"), ("Octreoscan", "Pentetreotide", "SSTR"), ("Tektrotyd", "HYNIC-TOC", "SSTR"),
        ("Tc-99m EDDA/HYNIC-TOC", "HYNIC-TOC", "SSTR"), ("edotreotide", "DOTATOC", "SSTR"),
    ],
)  # fmt: skip
def test_radiopharmaceuticals_by_their_trade_and_chemical_names(named, name, target):
    found = radiopharmaceutical_in(named)
    assert (found.name, found.target) == (name, target)
