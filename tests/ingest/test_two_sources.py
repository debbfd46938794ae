"""A row of the table and images that are not of one person are told, not joined in silence."""

from __future__ import annotations

import datetime

import pandas as pd
import pytest
from ingest_helpers import change, clinical, files, key_of, make_export, pseudonym

from prrt_estimators.ingest import ingest
from prrt_estimators.ingest._export_records import Person, Series
from prrt_estimators.ingest._two_sources import Told, contradictions, told_of_persons


def person(birth="19600501", sex="M", age="", year=2024):
    series = Series({"modality": "PT", "age": age}, False)
    series.start = datetime.datetime(year, 3, 1, 10)
    return Person("p", [series], {("Doe^J", birth, sex)})


@pytest.mark.parametrize(
    ("images", "told", "out", "note"),
    [
        ({}, Told(), "", ""),
        ({}, Told(sex={"p": "M"}, age={"p": 64.0}, born={"p": 1960}), "", ""),
        ({}, Told(sex={"p": "F"}), "differ in sex (F, M)", ""),
        ({"sex": "O"}, Told(sex={"p": "F"}), "", ""),
        ({"sex": ""}, Told(sex={"p": "F"}), "", ""),
        ({}, Told(born={"p": 1991}), "differ in the year of birth, by 31 years", ""),
        ({"birth": ""}, Told(born={"p": 1991}), "", ""),
        ({"birth": "19000101"}, Told(born={"p": 1991}), "", ""),
        # A date of birth that was changed does not go with the age beside it.
        ({"birth": "19800101", "age": "064Y"}, Told(born={"p": 1960}), "", ""),
        ({"age": "064Y"}, Told(age={"p": 33.0}), "differ in age, by 31 years", ""),
        ({}, Told(age={"p": 33.0}), "differ in age, by 31 years", ""),
        ({"age": "064Y"}, Told(age={"p": 62.0}), "", ""),
        ({"age": "064Y"}, Told(age={"p": 58.5}), "", "differ in age, by 6 years"),
        ({"age": "000Y", "birth": ""}, Told(age={"p": 33.0}), "", ""),
    ],
)
def test_contradictions(images, told, out, note):
    found = contradictions(person(**images), "p", told)
    assert found[0].removeprefix("the table and the images ") == out
    assert found[1].removeprefix("the table and the images ") == note


def test_what_a_table_tells():
    frame = pd.DataFrame(
        {"id": ["a", "b"], "Geschlecht": ["w", "männlich"], "Alter [Jahre]": ["64,5", 33], "geb.": ["01.05.1960", 1991],
         "Alter bei Erstdiagnose": [50, 20]}, index=["a", "b"], dtype=object,
    )  # fmt: skip
    told = told_of_persons(frame, "id")
    assert told == Told({"a": "F", "b": "M"}, {"a": 64.5, "b": 33.0}, {"a": 1960, "b": 1991})


def test_a_shifted_sheet_is_told(tmp_path):
    folder = tmp_path / "export"
    first, second, third = make_export(folder, 3).X.ids
    table = clinical(folder).set_index("patient_id")
    for patient in (first, second, third):
        own = files(folder, patient, "pet") + files(folder, patient, "ct")
        change(own, lambda ds: setattr(ds, "PatientBirthDate", ""))
    change(files(folder, first, "pet") + files(folder, first, "ct"), lambda ds: setattr(ds, "PatientSex", "M"))
    change(files(folder, second, "pet") + files(folder, second, "ct"), lambda ds: setattr(ds, "PatientAge", "064Y"))
    table.loc[first, "sex"], table.loc[second, "age"] = "F", 33
    result = ingest(folder / "dicom", table.reset_index(), tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    flow = result.flow.set_index("patient_id")
    assert flow.loc[pseudonym(first), "stage"] == flow.loc[pseudonym(second), "stage"] == "identity"
    assert "differ in sex (F, M)" in flow.loc[pseudonym(first), "reason"]
    assert "differ in age, by 31 years" in flow.loc[pseudonym(second), "reason"]
    assert flow.loc[pseudonym(third), "status"] == "included"
