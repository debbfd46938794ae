"""Pages that explain models of blocks: coefficients, what blocks and modalities add, and no maps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, LabBaselineClassifier
from prrt_estimators.datasets import load_cohort
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier
from prrt_estimators.inspection import coefficient_table
from prrt_estimators.report import explain_model, explain_models


@pytest.fixture
def patients():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, 24), "CRP": rng.lognormal(1, 1, 24)})
    pet = rng.gamma(2, 1, size=(24, 1, 8, 8, 8)).astype(np.float32)
    time = 2e3 * rng.exponential(size=24) / lab["CgA"].to_numpy()
    return Cohort({"pet": pet, "lab": lab}, ids=[f"P{k:02d}" for k in range(24)]), (time > 12).astype(int), time


def model(**options):
    return BlockFusionPFSClassifier(blocks=("global_pet", "labs"), prior="published", tracer="FDG", **options)


def test_a_fitted_model_of_blocks_is_explained(tmp_path, patients):
    X, y, time = patients
    fitted = model().fit(X, y, time=time)
    page = explain_model(fitted, X, tmp_path, y=y)
    found = pd.read_csv(tmp_path / "coefficients.csv")
    np.testing.assert_allclose(found["coef"], coefficient_table(fitted)["coef"], rtol=1e-6)
    assert pd.read_csv(tmp_path / "blocks.csv")["share"].sum() == pytest.approx(1)
    modalities = pd.read_csv(tmp_path / "modalities.csv")
    total = modalities[["pet", "lab"]].sum(axis=1) + modalities["base"]
    np.testing.assert_allclose(total, fitted.predict_proba(X)[:, 1], atol=1e-6)
    text = page.read_text("utf-8")
    assert "learnt from times to progression" in text
    assert (tmp_path / "shap.csv").exists()
    assert not (tmp_path / "maps").exists()


def test_models_of_a_comparison_are_fitted_with_their_times(tmp_path, patients):
    X, _, time = patients
    table = X["lab"].assign(patient_id=X.ids, time=time, event=1)
    data = load_cohort(table, verbose=False)
    models = {"baseline_lab": LabBaselineClassifier(), "recommended_labs": BlockFusionPFSClassifier(blocks=("labs",))}
    page = explain_models(models, data.X, data.y, tmp_path, cv=2)
    wanted = BlockFusionPFSClassifier(blocks=("labs",)).fit(data.X, data.y, time=data.time, event=data.event)
    found = pd.read_csv(tmp_path / "coefficients.csv")["coef"]
    np.testing.assert_allclose(found, coefficient_table(wanted)["coef"], rtol=1e-6)
    assert "No published direction was used" in page.read_text("utf-8")


def test_a_cox_model_of_a_table_is_explained(tmp_path, patients):
    X, y, _ = patients
    fitted = CoxPFSClassifier(prior="published").fit(X["lab"], y)
    page = explain_model(fitted, X.select("lab"), tmp_path)
    assert "learnt from the class alone" in page.read_text("utf-8")
    assert not (tmp_path / "blocks.csv").exists()


def test_late_fusion_is_explained_without_coefficients(tmp_path, patients):
    X, y, _ = patients
    explain_model(model(fusion="late", random_state=0).fit(X, y), X, tmp_path)
    assert not (tmp_path / "coefficients.csv").exists()
    assert (tmp_path / "modalities.csv").exists()
