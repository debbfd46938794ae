"""What names a patient in a table, in headers and extensions of scans and in names of files: in no output byte of a command."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest
from planted import IDENTIFIER, NAME, SECRETS, found_in, planted_cohort
from typer.testing import CliRunner

from prrt_estimators.cli import app

BOX = ("--size", 8, "--spacing", 16)


def prrt(*words):
    answer = CliRunner().invoke(app, [str(word) for word in words])
    assert answer.exit_code == 0, (words[0], answer.output, answer.exception)
    return answer.output


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The outputs of every command that reads a cohort, and its prepared scans."""
    folder = tmp_path_factory.mktemp("planted")
    csv, excel = planted_cohort(folder, 12)
    out, cache = folder / "out", ("--cache-dir", folder / "out" / "cache")
    prrt(
        "compare", excel, "--out", out / "results", "--models", "baseline_lab,pet,recommended_lesions", "--epochs", 1,
        "--folds", 2, "--repeats", 1, "--jobs", 1, *BOX, *cache, "-q",
    )  # fmt: skip
    prrt("fit", csv, "--model", "baseline_lab", "--out", out / "lab.prrt", "--results", out / "results", "-q")
    prrt("fit", excel, "--model", "pet_lab", "--epochs", 1, *BOX, *cache, "--out", out / "pet.prrt", "-q")
    prrt("predict", out / "pet.prrt", csv, "--out", out / "predictions.csv", *cache, "-q")
    prrt("evaluate", out / "lab.prrt", csv, "--out", out / "evaluated", "-q")
    prrt("lesions", csv, "--out", out / "lesions", "--lesions", "mask", "-q")
    return out


def test_nothing_planted_is_in_any_output(outputs):
    names = {path.name for path in outputs.rglob("*")}
    assert {
        "report.html",
        "run.json",
        "predictions.csv",
        "lab.prrt",
        "lab.prrt.md",
        "lesions.csv",
        "index.json",
    } <= names
    assert found_in(outputs) == []


def test_nothing_planted_in_headers_and_cells_is_on_the_screen(tmp_path):
    csv, excel = planted_cohort(tmp_path / "in", 12)
    model = tmp_path / "lab.prrt"
    said = [
        prrt("check", csv, *BOX),
        prrt("fit", csv, "--model", "baseline_lab", "--out", model),
        prrt("predict", model, csv),
        prrt("evaluate", model, excel),
        prrt("lesions", csv, "--out", tmp_path / "lesions", "--lesions", "mask"),
    ]
    for text in said:
        for typed in (str(csv), csv.name, *(str(path) for path in (tmp_path / "in").rglob("*.dcm"))):
            text = text.replace(typed, "")
        assert [one for one in SECRETS if one.lower() in text.lower()] == []


def test_the_search_finds_what_is_packed(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "a.gz").write_bytes(gzip.compress(f"{NAME} 06-Jan-2020".encode("utf-16-le")))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(IDENTIFIER.encode() + rng.bytes(2000)))
    (tmp_path / f"{NAME}.txt").write_text("")
    found = set(found_in(tmp_path))
    assert {("a.gz!", NAME), ("a.gz!", "06-Jan-2020"), ("b.zip!inner.gz!", IDENTIFIER), (f"{NAME}.txt", NAME)} <= found
    assert len(SECRETS) >= 26


def test_columns_with_a_date_in_their_name_are_not_learnt(outputs):
    assert "Ki-67" not in (outputs / "results" / "run.json").read_text("utf-8")
    table = pd.read_csv(outputs / "predictions.csv")
    assert len(table) == 12
