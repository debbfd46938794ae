"""Numbers, texts and paths as they are meant, whatever they are written with."""

import os

import pandas as pd
import pytest

from prrt_estimators import Cohort, LabPFSClassifier
from prrt_estimators.datasets import check_cohort, load_cohort
from prrt_estimators.exceptions import CohortError, CohortWarning


def test_paths_in_quotes_and_in_another_normal_form_are_found(tmp_path):
    folder = tmp_path / "Mu\u0308ller"  # as some file systems store it
    folder.mkdir()
    for name in ("p0.nii.gz", "p\u00a01.nii.gz", "p2.nii.gz"):
        (folder / name).write_bytes(b"x")
    table = {
        "patient_id": ["a", "b", "c"],
        "pet": ['"M\u00fcller/p0.nii.gz"', "M\u00fcller/p 1.nii.gz", "Mu\u0308ller/p2.nii.gz\u200b"],
        "pfs_months": [30, 4, 20],
    }
    assert check_cohort(table, event=None, root=tmp_path) == []
    X, _ = load_cohort(table, event=None, root=tmp_path, return_X_y=True, verbose=False)
    assert all(os.path.isfile(path) for path in X["pet"].paths)
    (problem, *_) = check_cohort({**table, "pet": ['"Müller/p9.nii"', *table["pet"][1:]]}, event=None, root=tmp_path)
    assert (problem.patient, problem.what) == ("a", "file does not exist")


def test_ids_that_look_alike_are_one_patient_and_rounded_ids_none():
    table = {"patient_id": ["P0", "P0\u200b", "Ｐ1"], "age": [50, 60, 70], "pfs_months": [30, 4, 20]}
    assert [problem.patient for problem in check_cohort(table, event=None)] == ["P0"]
    rounded = {"patient_id": [1.2345678901234567e18, 2.5e17, 7.0], "age": [50, 60, 70], "pfs_months": [30, 4, 20]}
    problems = check_cohort(rounded, event=None)
    assert ["more than 15 digits" in problem.what for problem in problems] == [True, True]
    exact = {**rounded, "patient_id": [1234567890123456789, 1234567890123456788, 7]}
    assert check_cohort(exact, event=None) == []


def test_levels_and_sexes_that_look_alike():
    table = {
        "patient_id": list("abcd"), "sex": ["f", "f\u200b", "ｍ", "m "], "syndrome": ["none", "carcinoid", "none", ""],
        "sstr status": ["+", "-", "++", "-"], "pfs_months": [30, 4, 20, 3],
    }  # fmt: skip
    lab = load_cohort(table, event=None, lab=["sex", "syndrome", "sstr status"], verbose=False).X["lab"]
    assert lab["sex"].tolist() == ["f", "f", "m", "m"]
    assert lab["syndrome"].fillna("?").tolist() == ["none", "carcinoid", "none", "?"]
    assert lab["sstr status"].tolist() == ["+", "-", "++", "-"]


@pytest.mark.parametrize("source", ["dict", "frame", "csv", "xlsx"])
def test_german_thousands_are_thousands_or_asked_about(tmp_path, source):
    table = {
        "patient_id": ["a", "b", "c"], "CgA [ug/l]": ["4.500", "85", "> 5.000"], "Hb [g/dl]": ["13,5", "12,0", "9"],
        "pfs_months": ["30", "4", "20"],
    }  # fmt: skip

    def given():
        frame = pd.DataFrame(table)
        if source == "csv":
            frame.to_csv(tmp_path / "t.csv", index=False, sep=";")
        if source == "xlsx":
            frame.to_excel(tmp_path / "t.xlsx", index=False)
        return {"dict": table, "frame": frame}.get(source, tmp_path / f"t.{source}")

    problems = check_cohort(given(), event=None)
    assert [(one.patient, one.column) for one in problems] == [("a", "CgA [ug/l]"), ("c", "CgA [ug/l]")]
    assert "'4.500' could mean 4500 or 4.500" in problems[0].what
    table["CgA [ug/l]"][1] = "85,5"  # the column itself has decimal commas
    assert load_cohort(given(), event=None, verbose=False).X["lab"]["CgA [ug/l]"].tolist() == [4500, 85.5, 5000]
    table["Hb [g/dl]"], table["CgA [ug/l]"] = ["13.5", "12.0", "9"], ["4.500", "1.234", "85"]
    assert load_cohort(given(), event=None, verbose=False).X["lab"]["CgA [ug/l]"].tolist() == [4.5, 1.234, 85]


def test_german_thousands_in_the_time(tmp_path):
    table = {"patient_id": ["a", "b"], "age": ["61,5", "70"], "PFS [days]": ["1.460", "90"]}
    (problem,) = check_cohort(table, event=None)
    assert (problem.patient, problem.column) == ("a", "PFS [days]")


def test_fractions_that_may_be_thousands_are_warned_of():
    table = pd.DataFrame({"CgA": [4.5, 1.234, 85.0], "Hb": ["13,5", "12", "9,1"], "pfs_months": [30, 4, 20]})
    with pytest.warns(CohortWarning, match="column 'CgA' holds fractions, and other columns text with decimal commas"):
        load_cohort(table, event=None, verbose=False)
    table["Hb"] = [13.5, 12, 9.1]
    load_cohort(table, event=None, verbose=False)


def test_fractions_of_one_in_a_column_of_percentages_are_warned_of():
    table = {"Ki-67 [%]": [0.15, 0.02, 0.3], "age": [60, 61, 62], "pfs_months": [30, 4, 20]}
    with pytest.warns(CohortWarning, match="is a percentage, but holds nothing above 0.3"):
        load_cohort(table, event=None, verbose=False)
    load_cohort({**table, "Ki-67 [%]": [0.15, 2, 30]}, event=None, verbose=False)


def test_ids_and_the_rows_of_a_table_in_another_order_are_refused():
    lab = pd.DataFrame({"cga": [1.0, 2.0, 3.0]}, index=["a", "b", "c"])
    assert Cohort({"lab": lab}, ids=["a", "b", "c"]).ids.tolist() == ["a", "b", "c"]
    assert Cohort({"lab": lab.reset_index(drop=True)}, ids=["c", "b", "a"]).ids.tolist() == ["c", "b", "a"]
    with pytest.raises(ValueError, match="ids and 'lab' name the same patients in another order: row 0 is 'c'"):
        Cohort({"lab": lab}, ids=["c", "b", "a"])
    X = Cohort({"lab": lab}, ids=["a", "b", "c"])
    with pytest.raises(ValueError, match="X and y name the same patients"):
        LabPFSClassifier().fit(X, pd.Series([1, 0, 1], ["c", "a", "b"]))
    with pytest.raises(ValueError, match="more than 15 digits"):
        Cohort({"lab": lab}, ids=[1e18, 2.0, 3.0])


def test_paths_of_a_cohort_in_quotes_and_another_normal_form(tmp_path):
    name = tmp_path / "Mu\u0308ller.nii.gz"
    name.write_bytes(b"x")
    given = [f'"{tmp_path}/M\u00fcller.nii.gz"', "", f"{tmp_path}/Mu\u0308ller.nii.gz"]
    paths = Cohort({"pet": given})["pet"].paths
    assert paths.tolist() == [str(name), None, str(name)]


def test_predicting_new_german_patients_asks_too():
    table = {"patient_id": ["a"], "CgA [ug/l]": ["4.500"], "Hb [g/dl]": ["13,5"]}
    with pytest.raises(CohortError, match=r"could mean 4500 or 4\.500"):
        load_cohort(table, time=None, verbose=False)
