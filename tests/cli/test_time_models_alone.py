"""`prrt compare` with models of time alone asks for times, without being told so."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from prrt_estimators.cli import app


def compare(table, out, *words):
    given = ["compare", table, "--out", out, "--repeats", 1, "--folds", 2, "--jobs", 1, "--no-report", *words]
    return CliRunner().invoke(app, [str(word) for word in given])


def cohort(path):
    rng = np.random.default_rng(0)
    n = 30
    frame = pd.DataFrame({"CgA": rng.lognormal(5, 1, n).round(1), "AST": rng.lognormal(3.4, 0.3, n).round(1)})
    frame.insert(0, "patient_id", [f"P{k:02d}" for k in range(n)])
    frame["pfs_months"] = rng.uniform(2, 11, n).round(1)  # nobody is known beyond 12 months: there are no two classes
    frame["progressed"] = np.tile([1, 0], n // 2)
    frame.to_csv(path, index=False)
    return path


def test_models_of_time_alone_ask_for_times(tmp_path):
    table = cohort(tmp_path / "cohort.csv")
    answer = compare(table, tmp_path / "times", "--models", "time_baseline")
    assert answer.exit_code == 0, answer.output
    run = json.loads((tmp_path / "times" / "run.json").read_text("utf-8"))
    assert run["target"]["name"] == "time"
    assert (run["data"]["n_events"], run["data"]["n_censored"]) == (15, 15)  # patients censored early are kept


def test_beside_a_classifier_the_class_is_asked_for(tmp_path):
    table = cohort(tmp_path / "cohort.csv")
    answer = compare(table, tmp_path / "both", "--models", "time_baseline,baseline_lab")
    assert answer.exit_code == 2
    assert "class" in answer.stderr
    answer = compare(table, tmp_path / "told", "--models", "time_baseline,baseline_lab", "--target", "survival")
    assert answer.exit_code in (0, 1), answer.output
    run = json.loads((tmp_path / "told" / "run.json").read_text("utf-8"))
    assert run["target"]["name"] == "time"
