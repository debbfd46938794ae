"""Commands on saved models: nothing is overwritten unasked, new patients need no outcome, the card names whom it is for."""

from __future__ import annotations

import shutil
import sys
import types

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.cli._predict import lacking_inputs
from prrt_estimators.cohort import Cohort
from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.persistence import load_model

pytestmark = pytest.mark.usefixtures("small_forests")


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A table, and a model of its laboratory values."""
    folder = tmp_path_factory.mktemp("fitted")
    table = make_cohort_folder(folder / "cohort", 14, volume_shape=(8, 8, 8), random_state=0)
    model = folder / "model.prrt"
    words = ("--model", "baseline_lab", "--out", model, "--population", "patients with [soft-tissue] sarcoma.")
    answer = prrt("fit", table, *words)
    assert answer.exit_code == 0, answer.output
    return table, model


def test_fit_does_not_replace_a_file_unasked(fitted, tmp_path):
    table, model = fitted[0], tmp_path / "model.prrt"
    shutil.copy(fitted[1], model)
    before = model.read_bytes()
    answer = prrt("fit", table, "--model", "baseline_lab", "--out", model, "-q")
    assert answer.exit_code == 2
    assert "--force" in answer.stderr
    assert model.read_bytes() == before
    assert prrt("fit", table, "--model", "baseline_lab", "--out", model, "-q", "--force").exit_code == 0


def test_a_question_is_answered(tmp_path, monkeypatch):
    from prrt_estimators.cli import _fit

    asked = []
    monkeypatch.setattr(typer, "confirm", lambda text: asked.append(text) or False)
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    assert not _fit._may_replace(tmp_path / "model")
    assert "Replace it?" in asked[0]
    monkeypatch.setattr(sys, "stdin", type("Pipe", (), {"isatty": lambda self: False})())
    assert not _fit._may_replace(tmp_path / "model")
    assert len(asked) == 1


def test_the_card_names_the_population(fitted):
    card = fitted[1].with_name("model.prrt.md").read_text("utf-8")
    assert (
        "Research on patients with soft-tissue sarcoma: it estimates whether progression-free survival (PFS) will be"
        in card
    )
    assert "neuroendocrine" not in card.partition("## What it takes")[0]


def test_new_patients_are_explained_without_an_outcome(fitted, tmp_path):
    table, _ = fitted
    model = tmp_path / "lab.prrt"
    assert prrt("fit", table, "--model", "lab", "--out", model, "-q").exit_code == 0
    fresh = table.with_name("new.csv")
    frame = pd.read_csv(table)
    outcome = [name for name in frame if name.startswith("pfs") or name == "progressed"]
    assert outcome
    frame.drop(columns=outcome).to_csv(fresh, index=False)
    answer = prrt("explain", model, fresh, "--out", tmp_path / "why", "--quiet")
    assert answer.exit_code == 0, answer.output
    assert "No outcome is in the table" in answer.stderr
    assert "AUROC" not in (tmp_path / "why" / "explain.html").read_text("utf-8")


def test_predict_tells_what_is_missing_and_repeats_the_caution(fitted):
    table, model = fitted
    fresh = table.with_name("incomplete.csv")
    frame = pd.read_csv(table)
    column = load_model(model)._table_columns[0]
    frame.assign(**{column: None}).to_csv(fresh, index=False)
    answer = prrt("predict", model, fresh)
    assert answer.exit_code == 0, answer.output
    assert f"nobody has a value of {column}" in answer.stderr
    assert "must not guide the treatment" in answer.stderr
    assert "must not guide" not in prrt("predict", model, table, "--quiet").stderr


def test_missing_scans_are_counted():
    class Model:
        _reads = ("pet", "ct", "lab")

    X = Cohort({"pet": ["a.nii.gz", None], "lab": pd.DataFrame({"CgA": [1.0, 2.0]})})
    said = lacking_inputs(Model(), X)
    assert [sentence.split(";")[0] for sentence in said] == [
        "the model was fitted on PET, which 1 of 2 patients lack",
        "the model was fitted on CT, which 2 of 2 patients lack",
    ]


def test_predict_warns_of_values_beyond_training_and_of_patients_that_were_trained_on(fitted, tmp_path):
    table, model = fitted
    frame = pd.read_csv(table)
    cga = next(name for name in frame if name.lower().startswith(("cga", "chromogranin")))
    frame.loc[0, cga] = 1e7
    frame.to_csv(tmp_path / "new.csv", index=False)
    answer = prrt("predict", model, tmp_path / "new.csv", "--root", table.parent)
    assert answer.exit_code == 0, answer.output
    said = " ".join(answer.stderr.split())
    assert f"{cga} of patient {frame['patient_id'][0]} lies outside of that of the training patients" in said
    assert "were among the patients that the model was trained on (by laboratory values)" in said


def test_what_is_not_a_scan_hides_no_scan_that_is_lacking():
    model = types.SimpleNamespace(_reads=("lab", "pet", "ct"))
    X = Cohort({"lab": pd.DataFrame({"age": [1.0, 2.0, 3.0], "CgA": np.nan}), "ct": [None, "a.nii", None]})
    pet, ct, labs = lacking_inputs(model, X)
    assert "PET, which 3 of 3 patients lack" in pet
    assert "CT, which 2 of 3 patients lack" in ct
    assert "nobody has a value of CgA" in labs
