"""What a check finds beyond unreadable cells: implausible values, files of those left out, torn lines."""

import warnings

import numpy as np
import pytest

from prrt_estimators.datasets._load import check_cohort, load_cohort
from prrt_estimators.datasets._plausible import plausible_range
from prrt_estimators.exceptions import CensoredPatientsWarning, CohortError, CohortWarning


def table(**columns):
    base = {
        "patient_id": [f"P{k}" for k in range(6)],
        "age": [61, 50, 47, 70, 66, 58],
        "pfs_months": [30, 5, 14, 9, 20, 12],
        "progressed": [0, 1, 1, 1, 0, 1],
    }
    return base | columns


def told(function, source, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = function(source, **options)
    return answer, [str(one.message) for one in caught if issubclass(one.category, CohortWarning)]


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("age", [61, 440, 47, 70, 66, 58], "column 'age' holds 440 (patient P1), expected 0 to 120"),
        ("Ki-67 (%)", [5, 10, 130, 2, 1, 0], "column 'Ki-67 (%)' holds 130 (patient P2), expected 0 to 100"),
        ("lymphocytes_%", [5, 10, 13, -2, 1, 0], "holds -2 (patient P3), expected 0 to 100"),
        ("GGT [U/l]", ["40", "-30", "55,5", "<10", "", "20"], "holds -30 (patient P1), expected 0 or more"),
        ("weight (kg)", [80, 70, 60, 50, -1, 75], "holds -1 (patient P4), expected 0 or more"),
        ("CgA", [-1, -2, -3, -4, -5, 6], "holds -1 (patient P0), -2 (patient P1), -3 (patient P2) and 2 more patients"),
    ],
)
def test_implausible_values_are_warned_of_when_checked_and_loaded(column, cells, message):
    source = table(**{column: cells})
    found, in_check = told(check_cohort, source, lab=["auto", column])
    bunch, in_load = told(load_cohort, source, lab=["auto", column], verbose=False)
    assert found == []
    assert len(bunch.X) == 6
    for said in (in_check, in_load):
        assert sum(message in one for one in said) == 1, said


def test_plausible_extremes_pass():
    source = table(
        age=[0, 120, 47, 70, 66, 58],
        CgA=[0, 20000, 90, 80, 70, 60],
        **{"Ki-67 (%)": [0, 100, 2, 3, 4, 5], "Quick (%)": [130, 90, 80, 70, 60, 110], "z_score": [-1, 1, 2, 3, -4, 0]},
    )
    assert told(load_cohort, source, lab=["age", "CgA", "Ki-67 (%)", "Quick (%)", "z_score"], verbose=False)[1] == []


def test_ranges_are_of_what_is_named():
    assert plausible_range("delta_CgA") is None
    assert plausible_range("log_cga") is None
    assert plausible_range("Alter (Jahre)") == (0, 120)


@pytest.mark.parametrize(
    "name",
    ["LDH [% ULN]", "weight change (%)", "DLCO [%]", "creatinine clearance (%)", "GFR [% of normal]", "FEV1 (%)",
     "lymphocytes (% change)", "neutrophils [% of normal]", "Quick (%)", "weight loss [%]"],
)  # fmt: skip
def test_percentages_of_a_norm_and_changes_know_no_hundred(name):
    limits = plausible_range(name)
    assert limits is None or limits[1] == np.inf


@pytest.mark.parametrize(
    "name", ["neutrophils (%)", "Lymphozyten [%]", "lymphocytes (% of leukocytes)", "Ki-67 (%)", "Hämatokrit (%)"]
)
def test_shares_end_at_a_hundred(name):
    assert plausible_range(name) == (0, 100)


def test_files_of_those_left_out_are_looked_for_by_the_check_only(tmp_path):
    for k in range(6):
        (tmp_path / f"{k}.nii").touch()
    source = table(pet=[f"{k}.nii" for k in range(6)], pfs_months=[30, 5, 14, 9, 20, 12])
    source["progressed"] = [0, 0, 1, 1, 0, 1]  # P1 is censored early
    (tmp_path / "1.nii").unlink()
    with pytest.warns(CensoredPatientsWarning):
        (problem,) = check_cohort(source, root=tmp_path)
    assert (problem.patient, problem.what) == ("P1", "file does not exist")
    with pytest.warns(CensoredPatientsWarning):
        bunch = load_cohort(source, root=tmp_path, verbose=False)
    assert bunch.X.ids.tolist() == ["P0", "P2", "P3", "P4", "P5"]
    assert [path[-5:] for path in bunch.X["pet"].paths] == ["0.nii", "2.nii", "3.nii", "4.nii", "5.nii"]


def test_a_check_with_problems_warns_too():
    source = table(pfs_months=[30, 5, 14, 9, 20, -1], CgA=[-3, 1, 2, 3, 4, 5])
    found, said = told(check_cohort, source)
    assert [one.what for one in found] == ["time is negative (-1)"]
    assert len(said) == 1
    assert "expected 0 or more" in said[0]


def torn(path, rows):
    lines = ["patient_id,age,CgA,pfs_months,progressed"]
    path.write_text("\n".join(lines + rows), encoding="utf-8")
    return path


def test_a_torn_line_is_the_only_problem_of_its_cells(tmp_path):
    rows = ["P1,61,95,30,0", "P2,50,12,5,14,1", "P3,44,13", "P4,47,20,5,1"]
    found, said = told(check_cohort, torn(tmp_path / "c.csv", rows))
    assert [one.what for one in found] == [
        "line 3 has 6 cells, the header has 5",
        "line 4 has 3 cells, the header has 5",
    ]
    assert "decimal comma" in found[0].remedy
    assert said == []


def test_lines_that_are_all_torn_are_no_empty_table(tmp_path):
    with pytest.raises(CohortError) as caught:
        load_cohort(torn(tmp_path / "c.csv", [f"P{k},50,12,5,14,1" for k in range(3)]), verbose=False)
    assert [one.what[:6] for one in caught.value.problems] == ["line 2", "line 3", "line 4"]


def test_a_torn_class_is_not_called_missing(tmp_path):
    found, _ = told(check_cohort, torn(tmp_path / "c.csv", ["P1,61,95,30,1", "P2,50,12,5,14,1", "P3,44,13,20,1"]))
    assert len(found) == 1
    assert np.all(["one class" not in str(one) for one in found])


def test_who_is_censored_is_not_told_while_the_event_is_in_doubt():
    source = table(**{"Progression (1=no, 0=yes)": [0, 0, 1, 1, 0, 1]})
    del source["progressed"]
    found, said = told(check_cohort, source)
    assert [one.column for one in found] == ["Progression (1=no, 0=yes)"]
    assert said == []


@pytest.mark.parametrize(
    "name", ["Mittelwert", "MEDIAN", "Summe:", "total", "Gesamt", "Std. dev.", "Varianz", "Grand total"]
)
def test_a_line_that_sums_up_the_table_is_no_patient(name):
    table = {
        "patient_id": ["P1", "P2", "P3", name], "age": [60, 61, 62, 61], "pfs_months": [5, 14, 20, 13], "progressed": [1, 0, 1, 1],
    }  # fmt: skip
    (problem,) = check_cohort(table)
    assert (problem.patient, problem.column) == ("row 4", "patient_id")
    assert name in problem.what
    assert check_cohort({**table, "patient_id": ["P1", "P2", "P3", f"{name[:3]}7"]}) == []
