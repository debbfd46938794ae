"""``prrt evaluate``, ``--centre`` and patients who appear twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.datasets import check_cohort, load_cohort


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def cohort(seed, n=48):
    rng = np.random.default_rng(seed)
    pfs = rng.uniform(2, 30, n).round(1)
    return pd.DataFrame(
        {
            "patient_id": [f"P{seed}{k:02d}" for k in range(n)],
            "hospital": np.where(np.arange(n) % 2, "north", "south"),
            "CgA [ug/L]": np.round(4000 / pfs + rng.uniform(0, 50, n), 1),
            "GGT [U/L]": np.round(rng.lognormal(4, 0.5, n), 1),
            "AST [U/L]": np.round(rng.lognormal(3, 0.3, n), 1),
            "ALT [U/L]": np.round(rng.lognormal(3, 0.3, n), 1),
            "age": rng.integers(40, 80, n),
            "pfs_months": pfs,
            "progressed": 1,
        }
    )


@pytest.fixture
def tables(tmp_path):
    paths = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for seed, path in enumerate(paths):
        cohort(seed).to_csv(path, index=False)
    return paths


def test_a_saved_model_meets_another_cohort(tables, tmp_path):
    first, second = tables
    assert prrt("fit", first, "--model", "baseline_lab", "--out", tmp_path / "m", "--quiet").exit_code == 0
    out = tmp_path / "external"
    answer = prrt("evaluate", tmp_path / "m", second, "--training", first, "--out", out, "--quiet")
    assert answer.exit_code == 0, answer.output
    predictions = pd.read_csv(out / "predictions.csv")
    scores = pd.read_csv(out / "scores.csv").set_index("score")
    assert scores.loc["auroc", "value"] == pytest.approx(roc_auc_score(predictions["y_true"], predictions["p_long"]))
    # One table after the other, of which the recalibrated one is apart: a file of its own.
    assert {"intercept", "slope"} <= set((out / "recalibrated.csv").read_text().replace(",", " ").split())
    assert set(pd.read_csv(out / "drift.csv")["column"]) >= {"CgA [ug/L]", "age"}
    assert {path.name for path in (out / "figures").iterdir()} >= {"roc.pdf", "calibration.png", "decision.pdf"}
    unlabelled = tmp_path / "new.csv"
    cohort(2).drop(columns=["pfs_months", "progressed"]).to_csv(unlabelled, index=False)
    answer = prrt("evaluate", tmp_path / "m", unlabelled, "--time", "none", "--quiet")
    assert answer.exit_code == 2
    assert "no outcome" in answer.stderr


def test_each_centre_is_left_out_and_never_a_predictor(tables, tmp_path):
    first, _ = tables
    out = tmp_path / "results"
    words = ["compare", first, "--out", out, "--centre", "hospital", "--models", "baseline_lab", "--repeats", 1]
    answer = prrt(*words, "--jobs", 1, "--no-report", "--quiet")
    assert answer.exit_code == 0, answer.output
    table = pd.read_csv(out / "centres.csv").set_index("centre")
    assert table.index.tolist() == ["north", "south"]
    assert table["n"].sum() == 48
    splits = pd.read_csv(out / "centres" / "predictions.csv")
    assert splits.groupby("fold")["patient_id"].count().tolist() == [24, 24]
    data = load_cohort(first, centre="hospital", verbose=False)
    assert "hospital" not in data.X["lab"]
    assert data.centre.tolist() == pd.read_csv(first)["hospital"].tolist()
    assert load_cohort(first, verbose=False).centre is None
    (problem,) = check_cohort(first, centre="hospitl")
    assert "no column 'hospitl' of centres" in problem.what


def test_check_finds_a_patient_who_appears_twice(tables, tmp_path):
    frame = cohort(0)
    frame.loc[5, frame.columns[2:7]] = frame.loc[9, frame.columns[2:7]]
    path = tmp_path / "twice.csv"
    frame.to_csv(path, index=False)
    answer = prrt("check", path)
    assert answer.exit_code == 1
    assert "P005 and P009" in answer.stdout.replace("\n", " ")
    assert prrt("check", tables[0]).exit_code == 0
