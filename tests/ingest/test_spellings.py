"""Names are found in every spelling and decoding, both ways; dates in every form."""

from __future__ import annotations

import datetime
import platform

import pandas as pd
import pytest
from dicom_builders import item
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from prrt_estimators._date_forms import day_of_number, has_date, like_days, without_dates
from prrt_estimators._spellings import decodings, fold
from prrt_estimators.ingest._clinical_columns import describe
from prrt_estimators.ingest._dates import looks_like_date, read_dates
from prrt_estimators.ingest._identifying_words import without_words, words_elsewhere
from prrt_estimators.ingest._privacy import Identity, check_file
from prrt_estimators.ingest._provenance import tags_of

SURNAMES = [
    ("Müller", "MUELLER"), ("Müller", "Muller"), ("Łukasiewicz", "LUKASIEWICZ"), ("Sørensen", "Soerensen"),
    ("Sørensen", "SORENSEN"), ("Yıldız", "YILDIZ"), ("Yıldız", "Yildiz"), ("Groß", "GROSS"), ("Çelik", "Celik"),
    ("Škvorecký", "Skvorecky"), ("Đorđević", "Dordevic"), ("Ångström", "Aangstroem"), ("Ångström", "Angstrom"),
    ("Þórsson", "Thorsson"), ("Æbelø", "Aebeloe"), ("Nuñez", "NUNEZ"), ("Weiß", "Weiss"), ("Goethe", "Göthe"),
    ("İnönü", "INONU"), ("Østby", "OSTBY"), ("O’Brien", "OBRIEN"), ("D'Angelo", "Dangelo"), ("Иванов", "Ivanov"),
    ("Иванов", "Iwanow"), ("Щербаков", "Shcherbakov"), ("Παπαδόπουλος", "Papadopoulos"), ("Gonçalves", "GONCALVES"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SURNAMES)
def test_a_name_is_found_in_another_spelling(one, other):
    for known, written in ((one, other), (other, one), (one, one.upper()), (one, one.lower())):
        who = Identity()
        who.add_names([f"{known}^Qxz"])
        assert who.kinds_in(f"seen by {written} today") == {"name"}, (known, written)
        assert written not in who.clean(f"seen by {written} today")
        assert who.kinds_in(who.clean(f"seen by {written} today")) == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [("王^小明", "患者王小明の検査"), ("山田^太郎", "山田太郎"), ("Yamada^Tarou=山田^太郎=やまだ^たろう", "やまだ"), ("홍^길동", "홍길동 님"),
     ("김^희중", "희중"), ("Wang^X=王^小明", "小明")],
)  # fmt: skip
def test_names_of_two_signs(name, text):
    who = Identity()
    who.add_names([name])
    assert who.kinds_in(text) == {"name"}
    assert who.clean(text) == "***"
    assert who.kinds_in("王") == set()


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("Müller", "latin-1"), ("Müller", "utf-8"), ("Łukasiewicz", "iso8859-2"), ("Yıldız", "iso8859-9"), ("Иванов", "iso8859-5"),
     ("王小明", "gb18030"), ("山田太郎", "shift_jis"), ("山田太郎", "iso2022_jp"), ("홍길동", "euc_kr")],
)  # fmt: skip
def test_bytes_of_a_wrong_or_absent_character_set(name, encoding):
    found = decodings(name.encode(encoding))
    assert name in found
    who = Identity()
    who.add_names(found)
    assert who.kinds_in(name) == {"name"}


def test_short_and_common_words_are_no_names():
    who = Identity()
    who.add_names(["Li^Wu", "von der Au"])
    who.add_places(["University Hospital", "Klinikum Sonnenhang"])
    assert who.kinds_in("li wu von der au; university hospital clinic") == {"identifier"}
    assert who.kinds_in("hospital") == set()
    assert who.kinds_in("Sonnenhang") == {"name"}


#: 17 March 2021 and its month, week and quarter.
DATES = [
    "2021-03-17", "2021/03/17", "2021.03.17", "17.03.2021", "17.3.21", "17/03/2021", "03/17/2021", "17-03-2021", "20210317",
    "17032021", "20210317T0930", "20210317093000", "2021-03-17T09:30:00Z", "17-Mar-2021", "17. März 2021", "17 Maerz 2021",
    "March 17, 2021", "Mar 17th, 2021", "17MAR2021", "17 March 21", "2021 Mar 17", "Mi, 17.03.2021", "17. 03. 2021",
    "17.03.", "17. III. 2021", "17/III/21", "am 17.3.", "17. März", "17 de marzo de 2021", "17th of March 2021", "03/2021", "2021-03", "März 2021", "Mar-2021", "2021-W11", "KW 11/2021", "Q1 2021", "2021年3月17日",
    "01. Mrz 2021", "17.03.21 09:30",
]  # fmt: skip


@pytest.mark.parametrize("text", DATES)
def test_dates_in_texts(text):
    for whole in (text, f"Wert am {text}", f"OP {text} Rest", f"({text})", f"x_{text}" if text[0].isdigit() else text):
        assert has_date(whole), whole
        assert not has_date(without_dates(whole)), whole
    assert looks_like_date(text)


@pytest.mark.parametrize(
    "text",
    ["Ki-67", "CA 19-9", "PSMA-617", "Lu-177", "1.2.840.10008", "3.2 to 4.1", "120/80", "5-10", "G2", "T3 N1 M0", "2", "7.4 GBq",
     "May", "august look", "Grad III", "3.2. Labor", "5 mal", "I.V. 20", "Stadium IV.", "C. I. 95", "1234567", "0.20210317", "68Ga-DOTATATE", "v2.1", "B30f", "marginal 3", "SUV 12.2019"],
)  # fmt: skip
def test_what_is_no_date(text):
    assert not has_date(text, spoken=False)


@pytest.mark.parametrize(
    ("cells", "what"),
    [([43836, 43836, 43837], "days of a spreadsheet"), ([43836.5, 43900.25], "days of a spreadsheet"),
     (["43836", "43837"], "days of a spreadsheet"), ([20200106, 20200106], "dates without separators"),
     (["20200106", "20191231"], "dates without separators"), ([1578268800, 1578268800], "seconds since 1970"),
     ([1578268800000], "milliseconds since 1970"), ([20209999, 20201399], ""), ([4.5, 7.0], ""), ([250, 310], ""),
     (["a", 43836], "")],
)  # fmt: skip
def test_numbers_that_are_days(cells, what):
    assert like_days(cells) == what
    column = describe("Zelle", pd.Series(cells, dtype=object))
    if what:
        assert (column.role, "not passed on" in column.why) == ("date", True)
        assert describe("Zelle", pd.Series(cells, dtype=object), keep=("Zelle",)).role in ("number", "date")


def test_dates_are_read_in_columns_of_dates():
    day = datetime.date(2021, 3, 17)
    cells = [
        "17-Mar-2021",
        "17. März 2021",
        "March 17, 2021",
        "20210317",
        44272,
        44272.5,
        1615939200,
        "2021-03-17T10:00",
    ]
    assert read_dates(pd.Series(cells, dtype=object)) == [day] * len(cells)
    assert read_dates(pd.Series(["März 2021", "03/2021", "03/04/2021", 7], dtype=object)) == [None] * 4
    assert day_of_number(True) is None


@pytest.mark.parametrize(
    ("name", "cells", "role"),
    [("Operateur", ["Huber", "Maier", "Huber", "Huber"], "person"), ("Chirurg", ["A", "A", "B", "B"], "person"),
     ("Surgeon", ["A", "A"], "person"), ("Angehörige", ["x", "x"], "person"), ("Relative", ["x", "x"], "person"),
     ("Versichertennummer", [123456, 123457], "person"), ("Insurance number", ["A1", "A2"], "person"),
     ("Geburtsjahr", [1950, 1950], "person"), ("Year of birth", [1950, 1950], "person"), ("Jahrgang", [1950, 1951], "person"),
     ("Station", ["4B", "4B"], "person"), ("Ward", ["4B", "4B"], "person"), ("Zimmer", [3, 4], "person"),
     ("betreut von", ["Dr. Huber", "Dr. Huber", "Prof. Maier", "Dr. Huber"], "person"),
     ("Erstdiagnose Jahr", [2019, 2020, 2019], "date"), ("Year of diagnosis", ["2019", "2020"], "date"),
     ("Relative dose", [0.5, 0.7], "number"), ("Grading", ["G1", "G2", "G1", "G1"], "category"),
     ("Anzahl", [2019, 3, 4], "number"), ("letzte Kontrolle", ["Jan 2020", "Feb 2020"], "date")],
)  # fmt: skip
def test_columns_that_stay(name, cells, role):
    assert describe(name, pd.Series(cells, dtype=object)).role == role


def header():
    """Return a header whose place, device and person stand in many elements."""
    private = item(AccessionNumber="ACC-55512", ScheduledProcedureStepID="SPS9917")
    ds = item(
        Modality="PT", ManufacturerModelName="Biograph Sonnenhang mCT", SoftwareVersions=["VG60A", "SN48213", "HF 17.03.2021"],
        ImageType=["ORIGINAL", "PRIMARY", "SONNENHANG"], ConvolutionKernel="XYZ + ACC-55512", ScanOptions=["AB", "TOF"],
        ReconstructionMethod="PSF for Quarzfels", FilterType="Gauss SPS9917", InstitutionName="Klinikum Sonnenhang",
        StationName="PETSTATION7", DeviceSerialNumber="SN48213", StudyID="77123", PatientComments="Quarzfels is tired",
        SeriesDescription="PET PSF Gauss TOF", RequestAttributesSequence=Items([private]),
        RadiopharmaceuticalInformationSequence=Items([item(Radiopharmaceutical="68Ga-DOTATOC 77123")]),
    )  # fmt: skip
    ds.private_block(0x0009, "MAKER", create=True).add_new(0x10, "LO", "Geheimwort TOF2")
    ds.ExposureModulationType = "GEHEIMWORT"
    return ds


def test_words_of_place_device_and_person_are_taken_out_of_tags():
    found = tags_of(header(), Identity())
    text = " ".join(found.values()).lower()
    for word in ("sonnenhang", "48213", "55512", "9917", "quarzfels", "77123", "geheimwort", "2021"):
        assert word not in text, word
    assert found["ManufacturerModelName"] == "Biograph mCT"
    assert found["ReconstructionMethod"] == "PSF for"
    assert found["FilterType"] == "Gauss"
    assert found["ScanOptions"] == "AB\\TOF"
    assert found["Radiopharmaceutical"] == "68Ga-DOTATOC"
    # An element of numbers stays what it is, whatever numbers stand elsewhere.
    assert found["Modality"] == "PT"


def test_names_of_persons_at_the_scanner_are_taken_out_of_tags():
    ds = item(
        Modality="PT", OperatorsName="Lindqvist^Eva", PerformingPhysicianName="Abu-Bakr^Omar", ReferringPhysicianName="O'Hara^Kim",
        ReconstructionMethod="OSEM 3i21s Dr.Lindqvist", FilterType="ABUBAKR 5", ConvolutionKernel="Gauss OHARA",
        RadiopharmaceuticalInformationSequence=Items([item(Radiopharmaceutical="Ga-68 DOTATOC for Lindqvist")]),
    )  # fmt: skip
    found = tags_of(ds, Identity())
    assert found["ReconstructionMethod"] == "OSEM 3i21s Dr."
    assert found["FilterType"] == "5"
    assert found["ConvolutionKernel"] == "Gauss"
    assert found["Radiopharmaceutical"] == "Ga-68 DOTATOC for"


def test_words_in_bytes_of_another_character_set():
    ds = item(Modality="PT", ManufacturerModelName="Scan Höhenrain")
    tag = Tag(0x0008, 0x0080)
    ds._dict[tag] = RawDataElement(tag, "UN", 13, "Haus Höhenrain".encode("latin-1"), 0, False, True)
    assert tags_of(ds, Identity())["ManufacturerModelName"] == "Scan"
    assert fold("Höhenrain") in words_elsewhere(ds, ["ManufacturerModelName"])
    assert without_words("Weiß", ["weiss"]) == ""


def test_the_last_search_finds_dates_of_nobody(tmp_path):
    for name, text, kinds in (
        ("cohort.csv", "a,b\n1,2021-03-17\n", ["date"]),
        ("flow.csv", "P1,seen 17. März 2021\n", ["date"]),
        ("columns.csv", "age,12.2019,3.14\n", []),
        ("provenance.json", f'{{"software": {{"python": "{platform.python_version()}"}}}}', []),
    ):
        (tmp_path / name).write_text(text, "utf-8")
        assert [one.kind for one in check_file(tmp_path / name, name, Identity())] == kinds, name


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("von der Lühe^Anna", "report of VONDERLUEHE"), ("VONDERLUEHE^Anna", "report of von der Lühe"), ("van Dijk", "VANDIJK, scan"),
        ("De La Cruz^Ana", "delacruz_ana"), ("al-Hassan^Omar", "ALHASSAN OMAR"), ("Zumbrunn^Urs", "zum Brunn"),
    ],
)  # fmt: skip
def test_a_particle_and_its_name_are_also_one_word(written, found):
    who = Identity()
    who.add_names([written])
    assert who.kinds_in(found) == {"name"}
    assert who.kinds_in(who.clean(found)) == set()


@pytest.mark.parametrize("text", ["Mär 21", "Wert Mär 21", "CgA Jun 20 [ug/l]", "MAR 21", "2021/076", "Tag 2021/366"])
def test_short_months_and_days_of_the_year_are_dates(text):
    assert has_date(text, spoken=False)
    assert not has_date(without_dates(text), spoken=False)


@pytest.mark.parametrize("text", ["mar 21", "Mai 10 mg", "Sep 9", "Jan 21.5", "2021/400", "1/076", "03.21"])
def test_numbers_beside_what_may_be_a_month_are_none(text):
    assert not has_date(text, spoken=False)


def test_letters_of_a_digest_are_no_name():
    who = Identity()
    who.add_names(["Okonkwo^Ada"])
    digest = "0123456789" * 5 + "1ada7" + "012345678"
    assert len(digest) == 64
    assert who.kinds_in(f'"sha256": "{digest}"') == set()
    assert who.clean(digest) == digest
    assert who.kinds_in(f'"sha256": "{digest}", "by": "Ada"') == {"name"}
    assert who.kinds_in("1ada7") == {"name"}
    who.add_identifiers([digest])
    assert who.kinds_in(f"of {digest}") == {"identifier"}
