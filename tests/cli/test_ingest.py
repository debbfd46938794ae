"""`prrt ingest` as a user meets it, up to a comparison of models."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from ingest_helpers import files, key_of, make_export, pseudonym
from typer.testing import CliRunner

from prrt_estimators.cli import app


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "export"
    return folder, make_export(folder, 12)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "export"
    return folder, make_export(folder, 2)


def ingest(folder, out, *more):
    return prrt(
        "ingest", folder / "dicom", "--clinical", folder / "clinical.xlsx", "--out", out, "--key", key_of(folder),
        "--jobs", 1, *more,
    )  # fmt: skip


def test_ingest_then_compare(export, tmp_path):
    folder, cohort = export
    answer = ingest(folder, tmp_path / "cohort")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines() == ["step\tpatients", "in the images or the table\t12", "included\t12"]
    assert "\x1b" not in answer.output
    assert "No name, identifier or date of a patient was found" in answer.stderr
    table = tmp_path / "cohort" / "cohort.csv"
    assert prrt("check", table, "--size", 4, "--spacing", 80, "--folds", 2).exit_code == 0
    answer = prrt(
        "compare", table, "--out", tmp_path / "results", "--models", "pet_ct_lab,baseline_pet", "--repeats", 1,
        "--folds", 2, "--epochs", 1, "--size", 8, "--spacing", 60, "--jobs", 1, "--device", "cpu", "--no-report", "-q",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    predictions = pd.read_csv(tmp_path / "results" / "predictions.csv")
    assert set(predictions["model"]) == {"pet_ct_lab", "baseline_pet"}
    assert set(predictions["patient_id"]) == {pseudonym(one) for one in cohort.X.ids}


def test_again_says_what_is_kept(small, tmp_path):
    folder, _ = small
    (folder / "dicom" / "readme.txt").write_text("about this export")
    answer = ingest(folder, tmp_path / "cohort")
    assert answer.exit_code == 0
    assert "Ignored: 1 file(s) that are not DICOM." in answer.stderr
    assert "2 patients were finished before and are kept." in ingest(folder, tmp_path / "cohort").stderr


def test_how_rows_of_the_sheet_were_taken_is_printed(small, tmp_path):
    folder, _ = small
    sheet = tmp_path / "clinical.csv"
    rows = pd.read_excel(folder / "clinical.xlsx", dtype=str).to_csv(index=False, sep=";")
    sheet.write_text(f"NET-Ambulanz, PRRT-Liste\n\n{rows}")
    words = ["ingest", folder / "dicom", "--clinical", sheet, "--key", key_of(folder), "--jobs", 1]
    said = prrt(*words, "--out", tmp_path / "cohort").stderr
    assert "Row 1 is a title and not read." in said.splitlines()
    assert "Row 1 is" not in prrt(*words, "--out", tmp_path / "quiet", "-q").stderr


def test_reasons_are_printed_and_nobody_is_an_error(export, tmp_path):
    folder, cohort = export
    override = tmp_path / "override.json"
    override.write_text(json.dumps({one: {"pet": "99"} for one in cohort.X.ids}))
    answer = ingest(folder, tmp_path / "cohort", "--override", override)
    assert answer.exit_code == 1
    assert "left out: PET: the override names no PET series of this patient\t12" in answer.stdout
    assert "Nobody could be included" in answer.stderr
    assert (tmp_path / "cohort" / "flow.csv").is_file()


def test_a_finding_is_an_error(small, tmp_path):
    folder, cohort = small
    (tmp_path / "cohort").mkdir()
    uid = files(folder, cohort.X.ids[0], "pet")[0]
    import pydicom

    (tmp_path / "cohort" / "notes.txt").write_text(str(pydicom.dcmread(uid).SeriesInstanceUID))
    answer = ingest(folder, tmp_path / "cohort", "-q")
    assert answer.exit_code == 1
    assert "notes.txt holds a identifier" not in answer.stderr
    assert "notes.txt holds an identifier of a patient" in answer.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--id-column", "nobody"], "no column 'nobody'"),
        (["--require", "mri"], "--require must be"),
        (["--limits", "nowhere.csv"], "does not exist"),
        (["--sheet", "7"], "no sheet 7"),
    ],
)
def test_wrong_use_is_told(export, tmp_path, more, words):
    folder, _ = export
    answer = ingest(folder, tmp_path / "cohort", *more)
    assert answer.exit_code == 2
    assert words in " ".join(answer.stderr.split()).replace("│ ", "")


def test_missing_input_is_told(export, tmp_path):
    folder, _ = export
    answer = prrt("ingest", tmp_path / "no", "--clinical", folder / "clinical.xlsx", "--out", tmp_path / "o")
    assert answer.exit_code == 2
    assert "does not exist" in answer.stderr
    assert not (tmp_path / "o").exists()
    answer = prrt(
        "ingest", folder / "dicom", "--clinical", tmp_path / "no.csv", "--out", tmp_path / "o", "--key", key_of(folder)
    )
    assert answer.exit_code == 2
    assert "does not exist" in answer.stderr
