"""Clinical tables as departments write them, each value worked by hand."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from prrt_estimators._analytes import ANALYTES
from prrt_estimators.exceptions import CohortError
from prrt_estimators.ingest._clinical_table import read_clinical
from prrt_estimators.ingest._privacy import Identity
from prrt_estimators.ingest._reference_limits import read_limits, write_limits

PANEL = {one.name: one for one in ANALYTES}


def read(columns, known=("a", "b", "c"), **options):
    frame = pd.DataFrame({"Patienten-ID": list(known), **columns}, dtype=object)
    return read_clinical(
        frame, known, panel=options.pop("panel", PANEL), derived=options.pop("derived", False), **options
    )


def values(found, column):
    return [None if pd.isna(value) else value for value in found.frame[column]]


@pytest.mark.parametrize(
    ("header", "cells", "column", "expected"),
    [
        ("CgA [µg/l]", ["95", "<20", "> 5000"], "cga_ug_l", [95, 10, 5000]),
        ("Chromogranin A (ng/ml)", ["95,5", None, 7], "cga_ug_l", [95.5, None, 7]),
        ("Kreatinin (µmol/l)", ["88,4", 53, "n/a"], "creatinine_mg_dl", [0.999981, 0.599536, None]),
        ("Kreatinin", ["0,8", "88,4 µmol/l", "1.1 mg/dl"], "creatinine_mg_dl", [0.8, 0.999981, 1.1]),
        ("γ-GT [U/l]", ["<5", "≤ 10", ">1.200,5"], "ggt_u_l", [2.5, 5, 1200.5]),
        ("GOT (AST) µkat/l", [0.5, 1, 2], "ast_u_l", [30, 60, 120]),
        ("Albumin g/dl", ["4,2", "3.5", 5], "albumin_g_l", [42, 35, 50]),
        ("Hb [mmol/l]", ["8,0", "9", None], "haemoglobin_g_dl", [12.8912, 14.5026, None]),
        ("Leukozyten /µl", [6000, "4500", "10.000,0"], "leukocytes_nl", [6, 4.5, 10]),
        ("Bilirubin gesamt µmol/l", [17.1, 34.2, None], "bilirubin_mg_dl", [0.999769, 1.99954, None]),
        ("CRP [mg/dl]", ["0,5", "<0,1", 2], "crp_mg_l", [5, 0.5, 20]),
        ("eGFR", [90, "> 60", 45], "egfr_ml_min_1_73_m2", [90, 60, 45]),
    ],
)
def test_analytes_and_units(header, cells, column, expected):
    found = read({header: cells})
    np.testing.assert_allclose(
        [np.nan if v is None else v for v in values(found, column)],
        [np.nan if v is None else v for v in expected],
        rtol=1e-5,
    )
    line = found.columns.set_index("column").loc[header]
    assert line["role"] == "analyte"
    assert line["passed_on_as"] == column
    assert line["limits"] == sum(isinstance(c, str) and c[0] in "<>≤≥" for c in cells)
    assert found.notes == {}


def test_doubtful_cells_are_left_out_and_told():
    cells = ["1,234", "high", "5 furlongs"]
    found = read({"CgA [ug/l]": cells})
    assert values(found, "cga_ug_l") == [None, None, None]
    assert dict(found.notes) == {
        "a": ["cga: a number that can be read in two ways; value left out"],
        "b": ["cga: text where a number is expected; value left out"],
        "c": ["cga: a unit that is not known; value left out"],
    }
    # The words of the cell may be anybody's.
    assert "high" not in str(found.notes)


def test_a_point_in_a_table_of_decimal_commas_may_mean_thousands():
    cells = {"Leukozyten /µl": ["4.500", "6000", None], "CRP": ["3,5", "1,2", "4"]}
    found = read(cells)
    assert values(found, "leukocytes_nl") == [None, 6, None]
    assert found.notes["a"] == ["leukocytes: a number that can be read in two ways; value left out"]
    # With decimal points it is 4.5 cells in a microlitre, with which nobody lives.
    assert values(read(cells | {"CRP": ["3.5", "1.2", "4"]}), "leukocytes_nl")[0] is None


@pytest.mark.parametrize(
    ("header", "cells", "words"),
    [
        ("Kreatinin [firkin]", [1, 2, 3], "unit is not known"),
        ("CgA [nmol/l]", [1, 2, 3], "unit is not known or cannot be converted"),
        ("Kreatinin", [75, 88, 110], "look like umol/L"),
        ("Albumin", [4.1, 3.9, 4.4], "look like g/dL"),
        ("Hb", [130, 141, 150], "look like g/L"),
        ("AST", [0.4, 0.5, 0.6], "look like ukat/L"),
    ],
)
def test_columns_in_an_unknown_unit_are_left_out_and_told(header, cells, words):
    found = read({header: cells})
    assert found.frame.shape[1] == 0
    assert words in found.columns.set_index("column").loc[header, "why"]
    assert all(words in notes[0] for notes in found.notes.values())
    assert len(found.notes) == 3


@pytest.mark.parametrize("analyte", ANALYTES, ids=lambda one: one.name)
def test_usual_values_without_a_unit_are_believed(analyte):
    upper = analyte.upper_limit() or 100
    lower = analyte.lln_male or upper / 10
    for factor in (0.3, 1, 3):
        found = read({analyte.name: [lower * factor, (lower + upper) / 2, upper * factor]})
        assert found.frame.shape[1] == 1, found.notes


def test_a_row_of_units_below_the_header():
    frame = pd.DataFrame(
        [["", "µmol/l", "ng/ml", ""], ["a", "88,4", "95", "m"], ["b", "53", "<20", "w"]],
        columns=["Patienten-ID", "Kreatinin", "CgA", "Geschlecht"],
    )
    found = read_clinical(frame, ["a", "b"], panel=PANEL, derived=False)
    assert list(found.frame.index) == ["a", "b"]
    np.testing.assert_allclose(found.frame["creatinine_mg_dl"].astype(float), [0.999981, 0.599536], rtol=1e-5)
    assert values(found, "sex") == ["M", "F"]


def test_what_may_leave_the_table():
    n = 12
    known = [f"k{k}" for k in range(n)]
    found = read(
        {
            "Name": [f"Name{k}" for k in range(n)],
            "Fallnummer": [f"{k}" for k in range(n)],
            "Aufnahme": [8812345 + k for k in range(n)],
            "Geburtsdatum": [f"{k + 1:02d}.01.1950" for k in range(n)],
            "Kommentar": ["stabil"] * n,
            "Diagnose": [f"a long story about number {k}" for k in range(n)],
            "Datei": [f"/data/{k}.nii" for k in range(n)],
            "Labordatum": [datetime.datetime(2020, 1, 1)] * n,
            "G": ["G1", "G2"] * 6,
            "Ki-67 [%]": ["5 %", "<2", "12,5"] * 4,
            "Leer": [None] * n,
            "pfs_months": list(range(n)),
        },
        known,
    )
    assert list(found.frame) == ["G", "Ki-67 [%]", "pfs_months"]
    assert values(found, "Ki-67 [%]")[:3] == [5, 1, 12.5]
    roles = found.columns.set_index("column")["role"].to_dict()
    assert roles == {
        "Patienten-ID": "id", "Name": "person", "Fallnummer": "person", "Aufnahme": "person", "Geburtsdatum": "person",
        "Kommentar": "text", "Diagnose": "text", "Datei": "path", "Labordatum": "date", "G": "category",
        "Ki-67 [%]": "number", "Leer": "empty", "pfs_months": "number",
    }  # fmt: skip
    assert found.identity.kinds_in("8812347 and 01.03.1950") == {"identifier"}
    assert found.identity.kinds_in("04.01.1950") == {"date"}
    kept = read({"Diagnose": [f"story {k}" for k in range(n)]}, known, keep=["Diagnose"])
    assert values(kept, "Diagnose")[3] == "story 3"


def test_the_identifier_column_is_found_by_its_values():
    frame = pd.DataFrame(
        {"Nr": [1, 2, 3], "Alter": [61, 62, 63], "PID": ["0061", "0062", "0063"], "MRN": ["x", "y", "z"]}, dtype=object
    )
    found = read_clinical(frame, ["61", "62", "63"], panel=PANEL)
    assert list(found.frame.index) == ["61", "62", "63"]
    assert "Alter" in found.frame
    with pytest.raises(CohortError, match="no column holds the patient identifiers") as caught:
        read_clinical(frame, ["77"], panel=PANEL)
    assert "0061" not in str(caught.value)
    assert list(read_clinical(frame, ["77"], panel=PANEL, id_column="MRN").frame.index) == ["x", "y", "z"]


def test_rows_of_one_patient():
    frame = pd.DataFrame({"id": ["7", "007", "8", "8", None], "age": [50, 50, 60, 61, 70]}, dtype=object)
    found = read_clinical(frame, ["7", "8"], panel=PANEL)
    assert found.notes["7"] == ["2 equal rows in the table, one used"]
    assert found.wrong == {"8": "2 rows in the table that differ"}
    assert found.anonymous_rows == 1
    # A row that names nobody is no patient, wherever it stands.
    assert list(found.frame.index) == ["7", "8"]
    first = read_clinical(frame.iloc[[4, 0, 2]], ["7", "8"], panel=PANEL)
    assert list(first.frame.index) == ["7", "8"]
    assert list(first.frame["age"]) == [50, 60]


def test_dates_become_intervals():
    found = read(
        {
            "Therapiebeginn": ["01.03.2020", datetime.date(2020, 3, 1), "2020-03-01"],
            "Datum Progress": ["01.03.2021", None, None],
            "Letzter Kontakt": ["01.06.2021", "01.09.2020", None],
            "Todesdatum": [None, None, "15.03.2020"],
        }
    )
    np.testing.assert_allclose(found.frame["pfs_months"].astype(float), [12.0, 6.0, 0.45])
    assert values(found, "progressed") == [1, 0, 1]
    assert found.therapy == dict.fromkeys("abc", datetime.date(2020, 3, 1))
    assert not any("20" in str(cell) for cell in found.frame.drop(columns="pfs_months").to_numpy().ravel())


def test_dates_that_cannot_be():
    found = read(
        {
            "PRRT start date": ["2020-03-01", "2020-03-01", None],
            "Date of progression": ["2020-02-28", "31.02.2021", "2021-01-01"],
        }
    )
    assert found.wrong == {"a": "progression or death is 2 days before the start of therapy"}
    assert found.notes["b"] == [
        "progression date: not a date, or day and month cannot be told apart",
        "no date of progression or last contact",
    ]
    assert found.notes["c"] == ["no date of the start of therapy"]


def test_a_time_that_is_there_is_not_computed_again():
    found = read({"Therapiebeginn": ["01.03.2020"] * 3, "Datum Progress": ["01.03.2021"] * 3, "PFS Monate": [1, 2, 3]})
    assert list(found.frame) == ["PFS Monate"]
    assert "no time is computed" in found.columns["why"].iloc[-1]


def test_two_candidates_for_one_date_are_asked_about():
    columns = {
        "Therapiebeginn": ["01.03.2020"] * 3,
        "PRRT Datum": ["02.03.2020"] * 3,
        "Therapieende": ["03.03.2020"] * 3,
    }
    with pytest.raises(CohortError, match="several columns may hold the therapy date: Therapiebeginn, PRRT Datum"):
        read(columns)
    assert read(columns, named={"therapy_date": "PRRT Datum"}).therapy["a"] == datetime.date(2020, 3, 2)
    assert read(columns, named={"therapy_date": None}).therapy == {}


def test_multiples_of_a_limit_stay_what_they_are():
    columns = {"CgA [x ULN]": ["2,1", "0.5 x ULN", "95 ug/l"], "AST": [70, 35, "2 x ULN"], "AST/ULN": [9, 9, 9]}
    found = read(columns, derived=True)
    assert values(found, "cga_over_uln") == [2.1, 0.5, None]
    assert values(found, "ast_u_l") == [70, 35, None]
    assert values(found, "ast_over_uln") == [9, 9, 9]  # of the laboratory, not worked out anew
    assert "cga_ug_l" not in found.frame
    assert found.notes["c"] == [
        "cga: a unit that is not known; value left out",
        "ast: a unit that is not known; value left out",
    ]
    again = read(found.frame.to_dict("list"), derived=True)
    pd.testing.assert_frame_equal(again.frame.astype(float), found.frame.astype(float))


def test_ratios_and_edited_limits(tmp_path):
    columns = {"AST": [70, 35, None], "ALT": [35, 0, 20], "CgA": [200, 50, 100], "sex": ["m", "w", None]}
    found = read(columns, derived=True)
    assert values(found, "de_ritis_ratio") == [2, None, None]
    assert values(found, "cga_over_uln") == [2, 0.5, 1]
    assert values(found, "ast_over_uln") == [1.4, 1.0, None]  # limits 50 and 35
    limits = tmp_path / "limits.csv"
    write_limits(PANEL, limits)
    assert read_limits(limits) == PANEL
    edited = pd.read_csv(limits)
    edited.loc[edited["analyte"] == "cga", ["uln_male", "uln_female"]] = 50
    edited.to_csv(limits, index=False)
    assert values(read(columns, derived=True, panel=read_limits(limits)), "cga_over_uln") == [4, 1, 2]
    pd.DataFrame({"analyte": ["Kreatinin"], "unit": ["µmol/l"], "uln_male": ["88,4"]}).to_csv(limits, index=False)
    assert read_limits(limits)["creatinine"].uln_male == pytest.approx(1.0, abs=1e-3)
    assert read_limits(limits)["creatinine"].uln_female == PANEL["creatinine"].uln_female
    pd.DataFrame({"analyte": ["unicorn"], "unit": [""], "uln_male": [1]}).to_csv(limits, index=False)
    with pytest.raises(CohortError, match="row 1 names no analyte"):
        read_limits(limits)


def test_a_title_above_the_header(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("Export of the ward;;\n;;\nPatient;CgA;Hb\na;95;13,1\nb;20;14,2\n")
    assert values(read_clinical(path, ["a", "b"], panel=PANEL, derived=False), "haemoglobin_g_dl") == [13.1, 14.2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_text_files(tmp_path, encoding, separator):
    path = tmp_path / "t.csv"
    rows = [["Patient", "Körpergewicht [kg]", "CgA [µg/l]"], ["a", "71,5", "<20"], ["b", "", "3,5"], ["", "", ""]]
    path.write_bytes("\r\n".join(separator.join(row) for row in rows).encode(encoding))
    found = read_clinical(path, ["a", "b"], panel=PANEL, derived=False)
    assert found.weight == {"a": 71.5}
    assert values(found, "cga_ug_l") == [10, 3.5]


def test_identities_of_the_table_are_known():
    found = read({"Nachname": ["Müller", "Groß", "Li"], "Geb.-Datum": ["31.12.1948"] * 3})
    assert isinstance(found.identity, Identity)
    for text in ("mueller", "MÜLLER", "muller", "gross-x", "31.12.1948", "19481231", "1948-12-31"):
        assert found.identity.kinds_in(text), text
    assert not found.identity.kinds_in("li is short")


def test_thousands_and_errors_in_every_numeric_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "id;CgA [ug/l];Dosis;Hb [g/dl];Gewicht [kg];Sex\n"
        "1;4.500;1.200;13,5;70,5;weiblich\n2;85,5;1.300;12,0;80;männl.\n3;> 5.000;7.400,5;#DIV/0!;#NV;W\n"
    )
    found = read_clinical(path, ["1", "2", "3"], panel=PANEL, derived=False)
    assert found.frame["cga_ug_l"].tolist() == [4500, 85.5, 5000]
    assert found.frame["Dosis"].tolist() == [1200, 1300, 7400.5]  # its decimal comma tells
    assert found.frame["haemoglobin_g_dl"].isna().tolist() == [False, False, True]
    assert found.frame["sex"].tolist() == ["F", "M", "F"]
    assert any("error" in note for note in found.notes["3"])
    other = pd.DataFrame({"id": ["1", "2"], "CgA": ["85", "95"], "Dosis": ["1.200", "900"], "Hb": ["13,5", "12"]})
    doubtful = read_clinical(other, ["1", "2"], panel=PANEL, derived=False)
    assert doubtful.frame["Dosis"].isna().tolist() == [True, False]
    assert "two ways" in doubtful.notes["1"][0]


def test_rounded_identifiers_are_refused():
    with pytest.raises(CohortError, match="more than 15 digits"):
        read_clinical(pd.DataFrame({"id": [1.2345678901234567e18], "age": [61]}), ["1234567890123456768"], panel=PANEL)
