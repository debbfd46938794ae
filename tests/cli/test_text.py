"""What commands print of tables: words as classes, cells for spreadsheets, no escape sequences."""

import csv

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from prrt_estimators import LabPFSClassifier, save_model
from prrt_estimators._classes import probability_of_long
from prrt_estimators.cli import app


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_predict_prints_the_probability_of_long(tmp_path):
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 20)
    lab = pd.DataFrame({"cga": np.exp(rng.normal(size=40) - 3 * y), "age": rng.normal(60, 5, 40)})
    model = LabPFSClassifier(n_estimators=20, random_state=0).fit(lab, np.where(y == 1, "long", "short"))
    save_model(model, tmp_path / "m.prrt")
    lab.assign(patient_id=["=1+1", "@x", *(f"P{k}" for k in range(38))]).to_csv(tmp_path / "t.csv", index=False)
    done = run("predict", tmp_path / "m.prrt", tmp_path / "t.csv", "--out", tmp_path / "p.csv", "--quiet")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    p_long = np.array([float(row["p_long"]) for row in rows])
    np.testing.assert_allclose(p_long, probability_of_long(model, lab))
    assert p_long[y == 1].mean() > 0.8 > 0.2 > p_long[y == 0].mean()
    assert [row["patient_id"] for row in rows[:3]] == ["'=1+1", "'@x", "P0"]


def test_check_sends_no_escape_sequence(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("patient_id,age\x1b[31m,pfs_months\nP1\x1b]0;x\x07,60,-3\nP2,61,30\n")
    done = run("check", path, "--event", "none")
    assert done.exit_code == 1
    assert "\x1b" not in done.output
    assert "\\x1b]0;x" in done.output
