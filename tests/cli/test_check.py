"""What a newcomer with a table of their own is told by the commands."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.datasets import check_cohort, load_cohort
from prrt_estimators.estimators import LabPFSClassifier
from prrt_estimators.exceptions import CohortError
from prrt_estimators.persistence import save_model

pytestmark = pytest.mark.filterwarnings("always")


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    n = 12
    return pd.DataFrame(
        {
            "patient_id": [f"P{k:02d}" for k in range(n)],
            "GGT [U/l]": random.lognormal(4, 0.5, n).round(1),
            "age": random.integers(40, 80, n),
            "pfs_months": [5.0, 30.0] * (n // 2),
            "progressed": 1,
        }
    )


@pytest.fixture
def write(tmp_path):
    def to_csv(frame, name="cohort.csv"):
        frame.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return to_csv


def rows(answer):
    return [dict(zip(answer.stdout.splitlines()[0].split("\t"), line.split("\t"), strict=True))
            for line in answer.stdout.splitlines()[1:]]  # fmt: skip


def test_an_event_that_is_not_taken_is_a_problem_in_the_words_of_the_command(frame, write):
    frame = frame.rename(columns={"progressed": "progression seen"})
    frame.loc[:2, "progression seen"] = 0
    answer = prrt("check", write(frame))
    assert answer.exit_code == 1
    (row,) = rows(answer)
    assert row["column"] == "progression seen"
    assert (
        "--event 'progression seen' --event-code 1, or --event 'progression seen' if it holds 1 for progression and 0 for "
        "censored, or pass --event none if nobody was censored" in row["remedy"]
    )


def test_the_value_that_means_progression_is_an_option(frame, write):
    coded = write(frame.rename(columns={"progressed": "Progress (1=ja, 2=nein)"}))
    answer = prrt("check", coded)
    assert "--event 'Progress (1=ja, 2=nein)' --event-code 1" in rows(answer)[0]["remedy"]
    assert prrt("check", coded, "--event", "Progress (1=ja, 2=nein)", "--event-code", 1).exit_code == 0


def test_warnings_and_errors_name_options(frame, write):
    answer = prrt("check", write(frame.drop(columns="progressed")))
    assert answer.exit_code == 0, answer.output
    assert "Name the event with --event, or pass --event none if nobody was censored." in answer.stderr
    assert answer.stderr.count("Warning: ") == 1
    censored = prrt("check", write(frame.assign(progressed=[0, *[1] * 11])))
    assert "--censored 'weight' gives weights" in censored.stderr
    assert "--horizon must be a positive number" in rows(prrt("check", write(frame), "--horizon", 0))[0]["problem"]
    assert "Error: --time-unit must be 'auto' or one of" in prrt("check", write(frame), "--time-unit", "ages").stderr


def test_library_messages_keep_their_arguments(frame, write):
    prrt("check", write(frame))
    with pytest.raises(CohortError, match="pass time=None"):
        load_cohort(frame.drop(columns="pfs_months"), verbose=False)


def test_a_check_tells_names_of_columns_as_they_are(frame, write):
    name = "Progression status (event=1, censored=0)"
    frame = frame.rename(columns={"progressed": "Progress (time=2)", "pfs_months": name})
    answer = prrt("check", write(frame))
    assert answer.exit_code == 1
    assert name in answer.stdout
    assert "--event 1" not in answer.output


def test_warnings_are_printed_beside_problems(frame, write):
    frame.loc[0, "age"] = 440
    frame.loc[1, "pfs_months"] = -4
    answer = prrt("check", write(frame))
    assert answer.exit_code == 1
    assert [row["patient"] for row in rows(answer)] == ["P01"]
    assert "Warning: column 'age' holds 440 (patient P00), expected 0 to 120" in answer.stderr


def test_a_problem_of_many_patients_is_one_row(frame, write):
    frame["pet"] = [f"{name}.nii.gz" for name in frame["patient_id"]]
    path = write(frame)
    answer = prrt("check", path)
    (row,) = rows(answer)
    assert row["patient"] == "P00, P01, P02 and 9 more patients"
    assert row["file"].endswith("P02.nii.gz and 9 more files")
    assert "--root" in row["remedy"]
    assert len(check_cohort(path)) == 12


def scan(path, data):
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.diag([4.0, 4, 4, 1])), path)


@pytest.fixture
def scans(frame, tmp_path):
    random = np.random.default_rng(1)
    (tmp_path / "scans").mkdir()
    for name in frame["patient_id"]:
        scan(tmp_path / "scans" / f"{name}_pet.nii.gz", random.gamma(2, 1, (8, 8, 8)))
        scan(tmp_path / "scans" / f"{name}_ct.nii.gz", np.r_[-1000, random.integers(-900, 2000, 511)].reshape(8, 8, 8))
    return frame.assign(**{kind: [f"{name}_{kind}.nii.gz" for name in frame["patient_id"]] for kind in ("pet", "ct")})


def test_swapped_columns_are_one_row_and_root_is_an_option(scans, write, tmp_path):
    options = ("--root", tmp_path / "scans", "--cache-dir", tmp_path / "cache")
    good = prrt("check", write(scans), *options)
    assert good.exit_code == 0, good.output
    swapped = scans.rename(columns={"pet": "ct", "ct": "pet"})
    answer = prrt("check", write(swapped), *options)
    assert answer.exit_code == 1
    (row,) = rows(answer)
    assert "the PET and the CT column seem to be swapped: 12 of 12 PET files look like a CT" in row["problem"]
    assert row["remedy"] == "name the columns the other way round, with --pet and --ct"
    assert prrt("check", write(swapped), "--pet", "ct", "--ct", "pet", *options).exit_code == 0


def test_how_many_scans_were_not_opened_is_said(scans, write, tmp_path):
    scans.loc[0, "progressed"] = 0
    answer = prrt("check", write(scans), "--root", tmp_path / "scans", "--cache-dir", tmp_path / "cache")
    assert answer.exit_code == 0, answer.output
    assert "Nothing is wrong with the 11 patients" in answer.stderr
    assert "The scans of the 1 left out were not opened." in answer.stderr
    (tmp_path / "scans" / "P00_pet.nii.gz").unlink()
    answer = prrt("check", write(scans), "--root", tmp_path / "scans", "--cache-dir", tmp_path / "cache")
    assert [(row["patient"], row["problem"]) for row in rows(answer)] == [("P00", "file does not exist")]


@pytest.mark.parametrize(("name", "text"), [(".", "is a folder, expected a CSV"), ("no.csv", "file does not exist")])
def test_check_and_compare_say_the_same_of_what_is_no_table(name, text, tmp_path):
    check = prrt("check", tmp_path / name)
    compare = prrt("compare", tmp_path / name, "--out", tmp_path / "out")
    assert check.exit_code == compare.exit_code == 2
    assert text in check.stderr
    assert check.stderr == compare.stderr


def test_the_likeliest_time_is_proposed(frame, write):
    frame = frame.rename(columns={"pfs_months": "PFI (months)"})
    frame["PFI (months)"] += np.arange(12) / 10
    (row,) = rows(prrt("check", write(frame)))
    assert row["remedy"].startswith("did you mean 'PFI (months)'? Then pass --time 'PFI (months)'")
    (row,) = rows(prrt("check", write(frame.rename(columns={"PFI (months)": "hospital"}))))
    assert row["remedy"].startswith("name the column, e.g. --time 'pfs_months'")


def test_row_numbers_in_place_of_ids_are_said(frame, write):
    assert "row numbers are used" not in prrt("check", write(frame)).stderr
    answer = prrt("check", write(frame.drop(columns="patient_id")))
    assert answer.exit_code == 0, answer.output
    assert (
        "No column is recognised as the patient id; row numbers are used. Name one with --patient-id." in answer.stderr
    )


def test_predict_says_which_column_of_the_model_is_lacking(frame, write, tmp_path):
    X, y = load_cohort(frame, return_X_y=True, verbose=False)
    save_model(LabPFSClassifier(model="logistic").fit(X, y), tmp_path / "m.prrt", X=X, y=y)
    new = frame.drop(columns=["pfs_months", "progressed"])
    assert prrt("predict", tmp_path / "m.prrt", write(new, "new.csv")).exit_code == 0
    answer = prrt("predict", tmp_path / "m.prrt", write(new.drop(columns="GGT [U/l]"), "new.csv"))
    assert answer.exit_code == 2
    assert "the model was fitted on 'GGT [U/l]', which new.csv lacks. Remedy: add the column" in answer.stderr
    assert "lab=" not in answer.stderr
    renamed = prrt("predict", tmp_path / "m.prrt", write(new.rename(columns={"GGT [U/l]": "GGT [U/L]"}), "new.csv"))
    assert "rename 'GGT [U/L]' if it is meant, or add the column (cells may be empty)" in renamed.stderr


def test_masks_are_opened(scans, write, tmp_path):
    negative, half = np.zeros((2, 8, 8, 8), np.float32)
    negative[2:4], half[1] = -1, 0.2
    scan(tmp_path / "scans" / "negative_mask.nii.gz", negative)
    scan(tmp_path / "scans" / "half_mask.nii.gz", half)
    scans["lesion_mask"] = [None, "negative_mask.nii.gz", "half_mask.nii.gz"] + [None] * 9
    answer = prrt("check", write(scans), "--root", tmp_path / "scans", "--cache-dir", tmp_path / "cache")
    assert answer.exit_code == 1
    (row,) = rows(answer)
    assert (row["patient"], row["column"]) == ("P01", "lesion_mask")
    assert row["problem"] == "holds negative values (down to -1)"
    assert "64 voxels of fractions below one half are not lesion" in answer.stderr
