"""The way from a table to a Cohort: roles, predictors, files, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prrt_estimators.datasets._load import check_cohort, load_cohort
from prrt_estimators.exceptions import CohortError, CohortWarning, LeakageError


@pytest.fixture
def folder(tmp_path):
    """Six patients with the empty files of PET, CT and mask: nothing here may open them."""
    for k in range(1, 7):
        for kind in ("pet", "ct", "mask"):
            path = tmp_path / f"P{k}" / f"{kind}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    return tmp_path


def table(**columns):
    base = {
        "patient_id": [f"P{k}" for k in range(1, 7)],
        "pet": [f"P{k}/pet.nii.gz" for k in range(1, 7)],
        "ct": [f"P{k}/ct.nii.gz" for k in range(1, 7)],
        "tumour_mask": [f"P{k}/mask.nii.gz" for k in range(1, 7)],
        "CgA_ug_l": ["95", "<20", "> 5000", "", "130,5", "88"],
        "sex": ["m", "f", "f", "m", "m", "f"],
        "grade": ["G1", "G2", "2", "", "G2", "G1"],
        "age": [61, 50, 47, 70, 66, 58],
        "pfs_months": [30, 5, 14, 9, 20, 12],
        "progressed": [0, 1, 1, 1, 0, 1],
    }
    return {name: values for name, values in (base | columns).items() if values is not None}


def write(folder, **columns):
    path = folder / "cohort.csv"
    pd.DataFrame(table(**columns)).to_csv(path, index=False, sep=";")
    return path


def roles_of(bunch):
    return bunch.roles.set_index("column")["role"].to_dict()


def load(source, **options):
    return load_cohort(source, verbose=False, **options)


def problems(source, **options):
    return "\n".join(map(str, check_cohort(source, **options)))


# --- loading ---------------------------------------------------------------------------------------------------------


def test_a_table_becomes_a_cohort(folder, capsys):
    b = load_cohort(write(folder), verbose=True)
    assert b.X.modalities == ("pet", "ct", "lab")
    assert b.X.ids.tolist() == [f"P{k}" for k in range(1, 7)]
    assert b.X["pet"].paths[0] == str(folder / "P1" / "pet.nii.gz")
    assert list(b.X.masks) == ["tumour_mask"]
    assert b.y.tolist() == [1, 0, 1, 0, 1, 0]
    lab = b.X["lab"]
    np.testing.assert_array_equal(lab["CgA_ug_l"], [95, 10, 5000, np.nan, 130.5, 88])
    assert lab["grade"].tolist()[:3] == ["G1", "G2", "2"]
    assert lab["grade"].isna().tolist() == [False, False, False, True, False, False]
    assert lab["age"].dtype == np.float64
    assert set(lab) == {"CgA_ug_l", "sex", "grade", "age"}
    reasons = b.roles.set_index("column")["reason"]
    assert reasons["CgA_ug_l"] == "chromogranin A, ug/L; 2 cells at a limit of detection"
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "lab: sex, " in printed.err or ", sex" in printed.err
    assert "6 patients: pet 6; ct 6; 4 lab columns; PFS long 3, short 3. Left out: 0." in printed.err


def test_sources_agree(folder):
    from_csv = load(write(folder))
    pd.DataFrame(table()).to_excel(folder / "cohort.xlsx", index=False)
    for other in (
        load(table(), root=folder),
        load(pd.DataFrame(table()).set_index("patient_id"), root=folder),
        load(folder / "cohort.xlsx"),
    ):
        pd.testing.assert_frame_equal(other.X["lab"], from_csv.X["lab"])
        assert other.X["ct"].paths.tolist() == from_csv.X["ct"].paths.tolist()
        assert other.y.tolist() == from_csv.y.tolist()


def test_return_x_y_and_quiet(folder, capsys):
    X, y = load_cohort(write(folder), return_X_y=True)
    assert len(X) == len(y) == 6
    assert capsys.readouterr() == ("", "")


def test_everything_can_be_named(folder):
    source = table(pet=None, ct=None, tumour_mask=None, pfs_months=None, progressed=None, patient_id=None)
    source |= {
        "a": table()["patient_id"], "b": table()["pet"], "c": table()["ct"], "d": table()["tumour_mask"],
        "e": table()["pfs_months"], "f": table()["progressed"], "g": [1, 2, 3, 4, 5, 7],
    }  # fmt: skip
    b = load(
        source,
        root=folder,
        patient_id="a",
        scans={"pet": "b", "ct": "c"},
        mask={"gtv": "d"},
        time="e",
        event="f",
        lab="g",
    )
    assert b.X["lab"].columns.tolist() == ["g"]
    assert list(b.X.masks) == ["gtv"]
    assert b.X.ids[0] == "P1"
    assert roles_of(b)["age"] == "unused"
    b = load(source, root=folder, scans=None, mask=None, time="e", event="f", lab=["auto", "g"])
    assert b.X.modalities == ("lab",)
    assert b.X["lab"].columns.tolist() == ["CgA_ug_l", "sex", "grade", "age", "g"]
    assert b.X.ids[0] == "row 1"


def test_root_and_windows_paths(folder):
    source = table(pet=[f"x\\P{k}\\pet.nii.gz" for k in range(1, 7)], ct=None, tumour_mask=None)
    (folder / "x").symlink_to(folder)
    assert load(source, root=folder).X["pet"].paths[0] == str(folder / "x" / "P1" / "pet.nii.gz")


def test_a_patient_may_lack_a_scan(folder):
    b = load(write(folder, pet=["P1/pet.nii.gz", "", "n/a", "P4/pet.nii.gz", "", ""]))
    assert b.X["pet"].present.tolist() == [True, False, False, True, False, False]


# --- roles -----------------------------------------------------------------------------------------------------------


def test_what_is_not_for_models_stays_outside(folder):
    b = load(
        write(
            folder,
            Name=["Meier", "Huber", "Bauer", "Koch", "Wolf", "Kurz"],
            birth_date=["1960-01-01"] * 6,
            scan_day=["01.02.2020", "03.02.2020", "04.05.2020", "", "05.05.2020", "06.06.2020"],
            n_cycles=[4, 2, 4, 3, 4, 1],
            lung_metastasis=[0, 1, 1, 0, 0, 1],
            comment=["Meier asked", "b", "c", "d", "e", "f"],
            post_ct=[f"P{k}/mask.nii.gz" for k in range(1, 7)],
            image=[f"P{k}/pet.nii.gz" for k in range(1, 7)],
        )
    )
    said = roles_of(b)
    assert said["Name"] == said["birth_date"] == "identifier"
    assert said["scan_day"] == "date"
    assert said["n_cycles"] == said["lung_metastasis"] == said["post_ct"] == "after_therapy"
    assert said["comment"] == "unrecognised"
    assert said["image"] == "path"
    assert b.X["lab"].columns.tolist() == ["CgA_ug_l", "sex", "grade", "age"]
    # the frame carries what a table of the cohort shows, and nothing that names a person
    assert not {"Name", "birth_date", "scan_day", "comment", "pet", "image"} & set(b.frame)
    assert b.frame["n_cycles"].tolist() == [4, 2, 4, 3, 4, 1]
    assert "Meier" not in repr(list(b.values()))


def test_a_second_column_of_a_role_is_left_out_for_what_it_is(folder):
    source = table(study_id=[f"S{k}" for k in range(1, 7)], months_to_progression=[3, 5, 14, 9, 20, 12])
    b = load(source, root=folder, patient_id="patient_id", time="pfs_months")
    assert roles_of(b)["study_id"] == "identifier"
    assert roles_of(b)["months_to_progression"] == "after_therapy"
    assert not {"study_id", "months_to_progression"} & set(b.X["lab"])


def test_a_patient_column_with_names_of_persons_is_no_id(folder):
    source = table(
        patient_id=None, patient=["Meier, Anna", "Huber, Jan", "Koch Eva", "Wolf, B.", "Adam Kurz", "Bo Lee"]
    )
    b = load(source, root=folder)
    assert roles_of(b)["patient"] == "identifier"
    assert b.X.ids[0] == "row 1"
    assert "patient" not in b.frame


@pytest.mark.parametrize(
    "name", ["n_cycles", "best_response", "pfs_months", "progressed", "lung_metastasis", "post_cga"]
)
def test_leaks_are_refused_by_name(folder, name):
    source = table(**({} if name in table() else {name: [1, 2, 3, 4, 5, 7]}))
    with pytest.raises(LeakageError, match=f"{name}: is known only after therapy and would leak the outcome"):
        load(source, root=folder, lab=["age", name])


def test_leaks_can_be_allowed_but_never_the_outcome_itself(folder):
    source = table(n_cycles=[4, 2, 4, 3, 4, 1])
    for lab in (["age", "n_cycles"], "auto"):
        b = load(source, root=folder, lab=lab, allow_after_therapy=["n_cycles"])
        assert "n_cycles" in b.X["lab"]
        assert "allowed by `allow_after_therapy`" in b.roles.set_index("column")["reason"]["n_cycles"]
    with pytest.raises(LeakageError, match="pfs_months"):
        load(source, root=folder, lab=["pfs_months"], allow_after_therapy=["pfs_months"])


def test_a_leak_is_listed_with_everything_else(folder):
    with pytest.raises(LeakageError) as caught:
        load(table(age=[61, "old", 47, 70, 66, 58], status=[1] * 6), root=folder, lab=["age", "status", "gone"])
    assert [p.column for p in caught.value.problems] == ["status", "gone", "age"]


def test_columns_that_tell_nothing_are_dropped_aloud(folder):
    with pytest.warns(CohortWarning) as caught:
        b = load(write(folder, LDH=[200] * 6, crp=[""] * 6))
    told = sorted(str(w.message) for w in caught)
    assert told[0].startswith("column 'LDH' is left out (constant): holds one value only ('200')")
    assert told[1].startswith("column 'crp' is left out (empty): no cell is filled in")
    assert roles_of(b)["LDH"] == "constant"
    assert roles_of(b)["crp"] == "empty"
    assert "LDH" not in b.X["lab"]


def test_a_guessed_column_like_an_identifier_is_left_out(folder):
    with pytest.warns(CohortWarning, match="'histology' is left out .identifier.: as many values as patients"):
        b = load(write(folder, histology=list("abcdef")))
    assert "histology" not in b.X["lab"]


# --- problems --------------------------------------------------------------------------------------------------------

BAD = {
    "missing file": (
        {"pet": ["P1/gone.nii.gz", *table()["pet"][1:]]}, {},
        ["patient P1, pet (", "P1/gone.nii.gz): file does not exist. Remedy: correct the path"],
    ),
    "folder for a file": (
        {"ct": ["P1", *table()["ct"][1:]]}, {}, ["patient P1, ct (", "is a folder, expected a NIfTI file. Remedy: give"],
    ),
    "wrong extension": (
        {"ct": [*table()["ct"][:5], "P6/ct.dcm"]}, {},
        ["patient P6, ct (", "expected a NIfTI file (.nii or .nii.gz), got 'ct.dcm'. Remedy: convert the scan"],
    ),
    "words for paths": (
        {"pet": ["yes it is", "no", "maybe", "a", "b", "c"]}, {}, ["patient P1, pet (", "got 'yes it is'. Remedy"],
    ),
    "pet and ct the same file": (
        {"ct": ["P1/pet.nii.gz", *table()["ct"][1:]]}, {},
        ["patient P1, pet (", "the same file as ct. Remedy: correct one of the two paths"],
    ),
    "one file for two patients": (
        {"ct": ["P2/ct.nii.gz", *table()["ct"][1:]]}, {},
        ["patient P1, ct (", "patient P2, ct (", "the same file is given for several patients. Remedy: give each"],
    ),
    "duplicate patient": (
        {"patient_id": ["P1", "P2", "P2", "P4", "P5", "P6"]}, {},
        ["patient P2, patient_id: the patient occurs in 2 rows (2, 3). Remedy: keep one row per patient."],
    ),
    "no id": (
        {"patient_id": ["P1", "", "P3", "P4", "P5", "P6"]}, {},
        ["patient row 2, patient_id: the patient has no id. Remedy: give every patient an id."],
    ),
    "no modality at all": (
        {"pet": [*table()["pet"][:5], ""], "ct": [*table()["ct"][:5], ""], "CgA_ug_l": None, "sex": None,
         "grade": None, "age": [61, 50, 47, 70, 66, ""]}, {},
        ["patient P6: has no PET, no CT and no predictor value. Remedy: give a scan or a value, or remove the row."],
    ),
    "no modality in the table": (
        dict.fromkeys(("pet", "ct", "CgA_ug_l", "sex", "grade", "age")), {},
        ["no column is taken as PET, CT or predictor. Remedy: name them with scans= or lab=; the table has"],
    ),
    "text among numbers": (
        {"CgA_ug_l": ["95", "see letter", "130", "", "80", "88"]}, {},
        ["patient P2, CgA_ug_l: holds the text 'see letter', expected a number. Remedy: write a number, or leave"],
    ),
    "text in place of numbers": (
        {"CgA_ug_l": ["95 ug/l", "80 ug/l", "130 ug/l", "", "80 ug/l", "88"]}, {},
        ["patient P1, CgA_ug_l: holds the text '95 ug/l' (and text in 4 cells), expected numbers. Remedy: write plain"],
    ),
    "ambiguous number": (
        {"CgA_ug_l": ["95", "1,234", "130", "", "80", "88"]}, {},
        ["patient P2, CgA_ug_l: '1,234' could mean 1234 or 1.234. Remedy: write it without a thousands separator"],
    ),
    "infinite number": (
        {"age": [61, np.inf, 47, 70, 66, 58]}, {}, ["patient P2, age: holds an infinite value, expected a number. Remedy: write a number"],
    ),
    "like an identifier": (
        {"code": list("abcdef")}, {"lab": ["age", "code"]},
        ["code: has as many values as patients (6), like an identifier. Remedy: group the values into a few"],
    ),
    "an identifier": ({}, {"lab": ["patient_id"]}, ["patient_id: identifies the patient and is never a predictor. Remedy"]),
    "a name": ({"surname": list("abcdef")}, {"lab": ["surname"]}, ["surname: identifies the patient and is never"]),
    "a date": (
        {"scan": ["2020-01-01"] * 6}, {"lab": ["scan"]},
        ["scan: holds dates, which are never predictors. Remedy: give an interval or an age in its place."],
    ),
    "files as labs": ({}, {"lab": ["pet"]}, ["pet: holds files, not values. Remedy: leave it out of lab=."]),
    "missing column": (
        {}, {"time": "pfs_month"},
        ["pfs_month: no such column in the table (named by time=). Remedy: correct time=; did you mean 'pfs_months'?"],
    ),
    "missing lab": ({}, {"lab": ["zzz"]}, ["zzz: no such column in the table (named by lab=). Remedy: correct lab=; the"]),
    "missing mask": ({}, {"mask": "zzz"}, ["zzz: no such column in the table (named by mask=). Remedy"]),
    "missing allowed": ({}, {"allow_after_therapy": "zzz"}, ["zzz: no such column in the table (named by allow_after"]),
    "one column twice": (
        {}, {"scans": {"pet": "ct", "ct": "ct"}}, ["ct: one column cannot be pet and ct. Remedy: name a column of its own for each."],
    ),
    "two pet columns": (
        {"pet": None, "pet_a": table()["pet"], "pet_b": table()["ct"], "ct": None}, {},
        ["several columns look like PET files: pet_a, pet_b. Remedy: name the right one, e.g. scans={'pet': 'pet_a'}."],
    ),
    "root": ({}, {"root": "/no/such/folder"}, ["/no/such/folder: `root` is not a folder. Remedy: correct root=."]),
    "notes below the table": (
        {name: [*values[:5], "These are notes" if name == "patient_id" else None] for name, values in table().items()}, {},
        ["patient_id: only the id is filled in 1 rows (6; the first one reads 'These are notes'). Remedy: remove notes"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_tables_name_patient_column_and_remedy(folder, kind):
    columns, options, messages = BAD[kind]
    options = {"root": folder} | options
    text = problems(table(**columns), **options)
    for message in messages:
        assert message in text
    with pytest.raises(CohortError):
        load(table(**columns), **options)


def test_notes_below_the_table_are_one_problem(folder):
    (problem,) = check_cohort(table(**BAD["notes below the table"][0]), root=folder, time=None)
    assert problem.column == "patient_id"


def test_all_problems_come_at_once(folder):
    source = table(
        patient_id=["P1", "P1", "P3", "P4", "P5", "P6"],
        pet=["P1/gone.nii.gz", *table()["pet"][1:]],
        CgA_ug_l=["95", "high", "130", "", "80", "88"],
        pfs_months=[30, -5, 14, 9, 20, 12],
        progressed=[0, 1, 1, "maybe", 0, 1],
    )
    with pytest.raises(CohortError) as caught:
        load(source, root=folder, mask="zzz", horizon=-1)
    assert len(caught.value.problems) == 7
    assert str(caught.value).startswith("7 problems in the cohort:")
    assert caught.value.problems == check_cohort(source, root=folder, mask="zzz", horizon=-1)


def test_a_sound_table_has_no_problem(folder):
    assert check_cohort(write(folder)) == []


def test_files_of_patients_left_out_do_not_matter(folder):
    source = table(pfs_months=[30, 5, 14, 9, 20, 3], progressed=[0, 1, 1, 1, 0, 0], pet=[*table()["pet"][:5], "x.nii"])
    with pytest.warns(CohortWarning, match="1 of 6"):
        assert len(load(source, root=folder).X) == 5


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.permutations(sorted(set(table()) - {"pet", "ct", "tumour_mask"})))
def test_order_of_rows_and_columns_does_not_matter(rows, names):
    plain = table(pet=None, ct=None, tumour_mask=None)
    b, straight = load({name: [plain[name][k] for k in rows] for name in names}), load(plain)
    assert b.X.ids.tolist() == straight.X.ids[list(rows)].tolist()
    assert b.y.tolist() == straight.y[list(rows)].tolist()
    expected = straight.X["lab"].iloc[list(rows)].reset_index(drop=True)
    pd.testing.assert_frame_equal(b.X["lab"][list(expected)], expected)


def test_a_column_with_values_at_a_limit_stays_a_laboratory_value_and_says_how_many():
    table = {
        "cga_ug_l": ["<20", "95", ">500", "40"],
        "hb": [12.1, 13.0, 11.2, 14.0],
        "pfs_months": [3, 30, 5, 20],
        "progressed": 1,
    }
    roles = load_cohort(pd.DataFrame(table), verbose=False).roles.set_index("column")
    assert roles.loc["cga_ug_l", "role"] == roles.loc["hb", "role"] == "lab"
    assert "2 cells at a limit of detection" in roles.loc["cga_ug_l", "reason"]
    assert "limit" not in roles.loc["hb", "reason"]
