"""Persons with several rows: --group keeps them together, --primary names the comparison that is tested alone."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.datasets import check_cohort, load_cohort

pytestmark = pytest.mark.usefixtures("small_forests")


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def table(tmp_path):
    """Thirty persons with two courses of therapy each."""
    rng = np.random.default_rng(0)
    pfs = np.repeat(rng.uniform(2, 30, 30), 2).round(1)
    frame = pd.DataFrame(
        {
            "course": [f"C{k:02d}" for k in range(60)],
            "person": np.repeat([f"person {k}" for k in range(30)], 2),
            "CgA [ug/L]": np.round(4000 / pfs + rng.uniform(0, 50, 60), 1),
            "GGT [U/L]": np.round(rng.lognormal(4, 0.5, 60), 1),
            "age": rng.integers(40, 80, 60),
            "pfs_months": pfs,
            "progressed": 1,
        }
    )
    path = tmp_path / "cohort.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_group_is_no_predictor_and_comes_back_by_patient(table):
    data = load_cohort(table, patient_id="course", group="person", verbose=False)
    assert data.group.tolist() == pd.read_csv(table)["person"].tolist()
    assert "person" not in data.X["lab"]
    assert load_cohort(table, patient_id="course", verbose=False).group is None
    (problem,) = check_cohort(table, patient_id="course", group="persn")
    assert "no column 'persn'" in problem.what
    frame = pd.read_csv(table)
    frame.loc[4, "person"] = None
    (problem,) = check_cohort(frame, patient_id="course", group="person")
    assert "first in row 5" in problem.what


def test_rows_of_one_person_are_never_split(table, tmp_path):
    out = tmp_path / "results"
    words = ["compare", table, "--out", out, "--patient-id", "course", "--group", "person", "--models"]
    words += ["baseline_lab,lab", "--repeats", 2, "--jobs", 1, "--no-report", "--primary", "lab:baseline_lab"]
    answer = prrt(*words)
    assert answer.exit_code == 0, answer.output
    splits = json.loads((out / "splits.json").read_text("utf-8"))["splits"]
    assert len(splits) == 6
    for split in splits:
        assert len({row // 2 for row in split["test"]}) * 2 == len(split["test"])
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert run["primary"] == {"models": ["lab", "baseline_lab"], "named": "before"}
    answer = prrt(*words[:-1], "lab:pet")
    assert answer.exit_code == 2
    assert "--primary" in answer.stderr
