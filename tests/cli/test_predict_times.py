"""`prrt fit` and `prrt predict` with survival models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from prrt_estimators import load_cohort, load_model, save_model
from prrt_estimators.cli import app
from prrt_estimators.estimators import LabBaselineSurvival, LabPFSSurvival, LateFusionPFSSurvival


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    n = 40
    frame = pd.DataFrame({"CgA": rng.lognormal(5, 1, n), "AST": rng.lognormal(3.4, 0.3, n)}).round(2)
    frame["ALT"] = rng.lognormal(3.4, 0.3, n).round(2)
    months = 15 * rng.exponential(size=n) * (150 / frame["CgA"].to_numpy())
    frame.insert(0, "patient_id", [f"P{k:02d}" for k in range(n)])
    path = tmp_path_factory.mktemp("times") / "cohort.csv"
    frame.assign(pfs_months=np.minimum(months, 40).round(1), progressed=(months < 40).astype(int)).to_csv(
        path, index=False
    )
    return path


def test_a_model_of_time_predicts_risk_curve_and_median(table, tmp_path):
    answer = prrt("fit", table, "--model", "time_lab", "--out", tmp_path / "m.prrt", "-q")
    assert answer.exit_code == 0, answer.output
    answer = prrt("predict", tmp_path / "m.prrt", table, "--months", "3,12.5", "--out", tmp_path / "p.csv")
    assert answer.exit_code == 0, answer.output
    found = pd.read_csv(tmp_path / "p.csv", dtype={"patient_id": str})
    assert found.columns.tolist() == ["patient_id", "risk", "p_beyond_3", "p_beyond_12.5", "median_months"]
    X = load_cohort(table, target="survival", verbose=False).X
    model = load_model(tmp_path / "m.prrt")
    np.testing.assert_allclose(found["risk"], model.predict(X), rtol=1e-12)
    np.testing.assert_allclose(found["p_beyond_12.5"], model.predict_survival_function(X, [12.5])[:, 0], rtol=1e-12)
    median = model.predict_median(X)
    assert found["median_months"].isna().tolist() == (~np.isfinite(median)).tolist()
    answer = prrt("predict", tmp_path / "m.prrt", table)
    assert answer.exit_code == 0
    assert "p_beyond_24" in answer.stdout
    assert "p_long" not in answer.stdout


def test_deaths_without_progression_are_read_by_every_command(table, tmp_path):
    died = pd.read_csv(table).assign(vital="alive")
    died.loc[[3, 7], ["progressed", "vital"]] = [0, "died"]
    died.to_csv(tmp_path / "died.csv", index=False)
    words = [tmp_path / "died.csv", "--competing", "vital", "--competing-code", "died", "-q"]
    assert prrt("check", *words[:-1]).exit_code == 0
    answer = prrt("fit", *words, "--model", "time_lab", "--competing-as", "censored", "--out", tmp_path / "m.prrt")
    assert answer.exit_code == 0, answer.output
    answer = prrt("fit", *words, "--competing-as", "nothing", "--model", "time_lab", "--out", tmp_path / "n.prrt")
    assert answer.exit_code != 0
    assert "--competing-as must be" in answer.output


def test_a_model_that_holds_models_predicts_for_new_patients(table, tmp_path):
    data = load_cohort(table, target="survival", verbose=False)
    inside = {"lab": LabPFSSurvival(), "markers": LabBaselineSurvival()}
    model = LateFusionPFSSurvival(estimators=inside, cv=2).fit(data.X, data.y)
    save_model(model, tmp_path / "late.prrt")
    new = pd.read_csv(table).drop(columns=["pfs_months", "progressed"]).head(5)
    new.to_csv(tmp_path / "new.csv", index=False)
    answer = prrt("predict", tmp_path / "late.prrt", tmp_path / "new.csv", "--out", tmp_path / "p.csv", "-q")
    assert answer.exit_code == 0, answer.output
    np.testing.assert_allclose(pd.read_csv(tmp_path / "p.csv")["risk"], model.predict(data.X[:5]), rtol=1e-12)


@pytest.mark.parametrize("months", ["", "twelve", "-1", "6,,12", "nan"])
def test_months_that_cannot_be_are_refused_before_anything_is_read(months, tmp_path):
    model, table = tmp_path / "empty.prrt", tmp_path / "empty.csv"
    model.touch(), table.touch()
    answer = prrt("predict", model, table, "--months", months)
    assert answer.exit_code == 2
    assert "--months" in answer.stderr


def test_a_model_of_time_is_evaluated_on_times(table, tmp_path):
    assert prrt("fit", table, "--model", "time_lab", "--out", tmp_path / "m.prrt", "-q").exit_code == 0
    answer = prrt("evaluate", tmp_path / "m.prrt", table, "--training", table, "--out", tmp_path / "e", "-q")
    assert answer.exit_code == 0, answer.output
    assert {"observed", "predicted", "slope"} <= set(answer.stdout.split())
    scores = pd.read_csv(tmp_path / "e" / "scores.csv").set_index("score")
    assert scores.loc["uno_c", "low"] < scores.loc["uno_c", "value"] < scores.loc["uno_c", "high"]
    assert len(pd.read_csv(tmp_path / "e" / "predictions.csv")) == 40
    assert {path.name for path in (tmp_path / "e" / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("calibration", "kaplan_meier") for kind in ("pdf", "png")
    }
    answer = prrt("evaluate", tmp_path / "m.prrt", table, "--target", "progressed", "-q")
    assert answer.exit_code == 2
    assert "a survival model needs times" in answer.stderr.replace("\n", " ")
