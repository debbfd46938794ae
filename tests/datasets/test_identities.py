"""Persons, identifiers, institutions and dates in headers and categories are not learnt and not shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import LabPFSClassifier
from prrt_estimators.datasets import load_cohort
from prrt_estimators.datasets._identities import Identities, identities_of
from prrt_estimators.exceptions import CohortError

N = 8


def table(**more):
    rows = range(N)
    return {
        "patient_id": [f"P{k}" for k in rows],
        "Nachname": ["Müller", "Okonkwo", "von der Lühe", "Łukasiewicz", "O’Brien", "王小明", "Иванов", "Grade"],
        "Fallnummer": [f"KX-{k}4411" for k in rows],
        "Klinik": ["Klinikum Sonnenhang"] * N,
        "CgA [ug/l]": [90.0 + k for k in rows],
        "pfs_months": [3, 30, 4, 31, 5, 32, 6, 33],
        "progressed": [1] * N,
    } | {name: values if isinstance(values, list) else [values + k for k in rows] for name, values in more.items()}


SECRETS = [
    "müller", "mueller", "muller", "okonkwo", "luehe", "lukasiewicz", "brien", "王", "ivanov", "sonnenhang", "kx-", "schmidt", "meier",
    "noor", "smith",
]  # fmt: skip
PERSONS = [
    "Müller CgA", "MUELLER_NSE", "nse_muller", "okonkwoCRP", "NSE (Okonkwo)", "Albumin VONDERLUEHE", "GGT Lukasiewicz", "ALT OBrien",
    "AST O'Brien", "LDH 王小明", "LDH Ivanov", "CRP Sonnenhang", "CRP KX-04411",
    "Wert Dr. Schmidt CgA", "CgA Hr. Meier", "Patient Schmidt CgA", "NSE Frau Dr. med. Noor", "nse_prof_noor", "GGT Mrs Smith", "frau_meier_nse",
]  # fmt: skip


@pytest.mark.parametrize("name", PERSONS)
def test_a_person_in_a_header_is_not_learnt_and_not_shown(name):
    data = load_cohort(table(**{name: 3.0}))
    assert list(data.X["lab"].columns) == ["CgA [ug/l]"]
    row = data.roles.set_index("column").loc[name]
    assert row["role"] == "unrecognised"
    assert "***" in row["shown"]
    assert data.roles["reason"].str.contains(name, regex=False).sum() == 0
    words = (
        "müller",
        "mueller",
        "muller",
        "okonkwo",
        "luehe",
        "lukasiewicz",
        "brien",
        "王",
        "ivanov",
        "sonnenhang",
        "kx-",
        "schmidt",
        "meier",
        "noor",
        "smith",
    )
    assert not any(word in row["shown"].lower() for word in words), row["shown"]
    with pytest.raises(CohortError, match="rename the column") as caught:
        load_cohort(table(**{name: 3.0}), lab=["auto", name])
    assert [problem.column for problem in caught.value.problems] == [name]


@pytest.mark.parametrize(
    "name",
    [
        "Grade",
        "Patient weight",
        "Patient age",
        "HR rest",
        "MR volume",
        "Frau/Mann",
        "CgA [ug/l]",
        "Alter",
        "Leberlast",
        "dropout",
        "Patientenzahl",
        "Herrstellung",
        "Dr. Ritis",
    ],
)
def test_what_a_column_holds_is_not_a_person(name):
    who = identities_of(pd.DataFrame(table()))
    assert (who.kind_in(name) == "") == (name != "Dr. Ritis"), "a title names somebody, whatever follows it"


@pytest.mark.parametrize("name", ["Ki-67 06.01.2020", "CgA (17. März 2021)", "NSE 2020-01-06"])
def test_a_date_in_the_name_of_a_predictor_is_refused(name):
    with pytest.raises(CohortError, match="holds a date"):
        load_cohort(table(**{name: 3.0}), lab=["auto", name])
    with pytest.raises(CohortError, match="holds a date"):
        LabPFSClassifier().fit(pd.DataFrame({name: np.arange(8.0), "CgA": np.arange(8.0)}), [0, 1] * 4)
    shown = load_cohort(table(**{name: 3.0})).roles.set_index("column").loc[name, "shown"]
    assert "20" not in shown


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("links (Müller)", "name of a person"), ("nach MUELLER", "name of a person"), ("Sonnenhang", "name of a person"),
        ("kx-24411", "an identifier"), ("OP 12.05.2019", "a date"), ("seit März 2020", "a date"), ("王小明", "name of a person"),
    ],
)  # fmt: skip
def test_a_category_that_says_who_somebody_is_is_refused(cell, kind):
    cells = ["links", "rechts"] * 3 + ["links", cell]
    with pytest.raises(CohortError, match=kind) as caught:
        load_cohort(table(Seite=cells), lab=["auto", "Seite"])
    assert [(problem.patient, problem.column) for problem in caught.value.problems] == [("P7", "Seite")]
    assert cell not in str(caught.value)
    assert "Seite" not in load_cohort(table(Seite=cells)).X["lab"]


def test_categories_that_are_words_of_the_field_are_taken():
    cells = ["Leber", "Lunge", "Grade", "klein"] * 2
    X = load_cohort(table(Seite=cells), lab=["auto", "Seite"]).X
    assert X["lab"]["Seite"].tolist() == cells


def test_outcome_columns_are_read_and_shown_without_persons_and_dates(capsys):
    rows = table()
    rows["PFS [Monate]"] = rows.pop("pfs_months")
    rows["SUVmax Okonkwo 03.02.2021"] = [1.0] * N
    load_cohort(rows, verbose=True)
    said = capsys.readouterr().err
    assert "PFS [Monate]" in said
    assert "SUVmax *** ***" in said
    assert not any(word in said for word in ("Okonkwo", "2021"))


def test_two_letters_name_nobody():
    assert identities_of(pd.DataFrame({"Name": ["Li"]})) == Identities()
