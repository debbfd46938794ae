"""A survival model is explained: by its coefficients, by the probability of PFS beyond the horizon, and on its scans."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from prrt_estimators import Cohort, LabPFSClassifier, save_model
from prrt_estimators._survival import as_survival
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.cli import app
from prrt_estimators.estimators import BlockFusionPFSSurvival, FusionPFSSurvival, LabPFSSurvival
from prrt_estimators.report import explain_model, explain_models

TINY = {"max_epochs": 1, "random_state": 0, "device": "cpu", "augment": None, "size": 8}


@pytest.fixture
def patients():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"cga_ug_l": rng.lognormal(5, 1, 24), "age": rng.uniform(40, 80, 24)})
    months, limit = 2e3 * rng.exponential(size=24) / lab["cga_ug_l"].to_numpy(), rng.uniform(10, 40, 24)
    survival = as_survival((months <= limit, np.minimum(months, limit)))
    pet = rng.random((24, 1, 8, 8, 8)).astype(np.float32)
    return Cohort({"pet": pet, "lab": lab}, ids=[f"P{k:02d}" for k in range(24)], survival=survival), survival


def text_of(page):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text("utf-8").partition("<body>")[2])))


def test_a_fitted_model_of_blocks_shows_coefficients_and_shap_values(tmp_path, patients):
    X, y = patients
    X = X.select("lab")
    text = text_of(explain_model(BlockFusionPFSSurvival().fit(X, y), X, tmp_path, y=y, horizon=9.0))
    assert "The probability explained is that of PFS beyond 9 months, below called long PFS." in text
    assert "The coefficients were learnt from times to progression" in text
    assert re.search(r"its Uno's C is 0\.\d\d \(0\.\d\d to [01]\.\d\d\)", text)
    coefficients = pd.read_csv(tmp_path / "coefficients.csv")["coef"]
    # More chromogranin A is worse: it goes against long PFS.
    assert coefficients[coefficients.abs().argmax()] < 0
    shap = pd.read_csv(tmp_path / "shap.csv")
    assert shap["column"].iloc[0] == "cga_ug_l"


def test_a_comparison_of_times_explains_its_survival_models(tmp_path, patients):
    X, y = patients
    models = {"time_lab": LabPFSSurvival(), "time_fusion": FusionPFSSurvival(**TINY), "lab": LabPFSClassifier()}
    names = ["uno_c_mean", "uno_c_low", "uno_c_high"]
    summary = pd.DataFrame([[0.6, 0.4, 0.8]] * 3, index=list(models), columns=names)
    page = explain_models(models, X, y, tmp_path, cv=2, summary=summary, n_patients=2)
    text = text_of(page)
    assert "Not explained here, because they learn something else: Labs (class of PFS)." in text
    assert "A feature space is not shown" in text
    assert "The Uno's C interval of this model (0.40 to 0.80) includes 0.5" in text
    assert "Loss of Uno's C on test patients" in text
    assert "AUROC" not in text
    for name in ("coefficients.csv", "permutation_importance.csv", "shap.csv", "modalities.csv", "viewer.html"):
        assert (tmp_path / name).is_file(), name


def test_the_command_explains_a_saved_model_with_and_without_an_outcome(tmp_path, patients):
    X, y = patients
    save_model(LabPFSSurvival().fit(X.select("lab"), y), tmp_path / "m.prrt")
    table = X["lab"].assign(patient_id=X.ids, pfs_months=y["time"], progressed=y["event"].astype(int))
    table.to_csv(tmp_path / "with.csv", index=False)
    table.drop(columns=["pfs_months", "progressed"]).to_csv(tmp_path / "without.csv", index=False)
    for name, expected in (("with", "its Uno's C is"), ("without", "PFS beyond 12 months")):
        words = ["explain", tmp_path / "m.prrt", tmp_path / f"{name}.csv", "--out", tmp_path / name, "-q"]
        answer = CliRunner().invoke(app, list(map(str, words)))
        assert answer.exit_code == 0, answer.output
        assert expected in text_of(tmp_path / name / "explain.html")


def test_the_class_of_a_patient_censored_early_is_not_known():
    survival = as_survival(([True, False, False, True, False], [12.0, 11.0, 12.0, 13.0, 30.0]))
    assert TimeTarget().known_classes(survival, 12.0).tolist() == [0, -1, 1, 1, 1]
