"""Two made-up targets walk compare, report, save, load and `prrt predict`: grades of toxicity, and PFS at two horizons."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from sklearn.base import RegressorMixin
from torch import nn
from typer.testing import CliRunner

from prrt_estimators import (
    Cohort,
    FusionPFSClassifier,
    compare_models,
    estimators,
    load_comparison,
    load_model,
    save_model,
)
from prrt_estimators._targets import CheckedTarget, Target
from prrt_estimators.cli import app
from prrt_estimators.estimators._base import BasePFSEstimator
from prrt_estimators.estimators._deep import DeepPFSEstimator
from prrt_estimators.metrics import SCORES, Score
from prrt_estimators.report import write_report

# Words of the other targets, which no page or card of a new one may hold.
OF_CLASSES = re.compile(r"long PFS|short PFS|AUROC|AUPRC|progression-free|Brier|censor", re.IGNORECASE)


class Squares(nn.Module):
    per_patient = True

    def forward(self, logits, target):
        return (target["weight"] * (logits.float() - target["grade"]) ** 2).mean()


class GradeTarget(Target):
    """Kidney toxicity by grade."""

    name, title, response, criterion, scores = "grade", "grade of kidney toxicity", "predict", Squares, ("tau",)
    groups = ("grade 0", "grade 1", "grade 2 to 4")

    def check(self, y, *, X=None, estimator="the estimator"):
        values = np.asarray(y)
        if not np.isin(values, range(5)).all():
            raise ValueError(f"{estimator} needs grades from 0 to 4")
        return CheckedTarget(values.astype(int), {"grades_": np.unique(values)})

    def check_coded(self, y, n_patients):
        return self.check(y).values

    def columns(self, values, weight):
        return {"grade": values.astype(np.float32), "weight": weight.astype(np.float32)}

    def strata(self, values):
        return np.minimum(values, 2)

    def output(self, logits):
        return logits

    def predicted(self, model, X):
        return model.predict(X), "grade"

    def counted(self, y):
        return {name: int(np.sum(self.strata(y) == k)) for k, name in enumerate(self.groups)}


class GradeRegressor(RegressorMixin, DeepPFSEstimator):
    _target = GradeTarget()
    _parameter_constraints = FusionPFSClassifier._parameter_constraints
    __init__ = FusionPFSClassifier.__init__

    def _wanted(self):
        return self.modalities

    def predict(self, X):
        return self._target.output(self._run(X, "forward"))


class TwoHorizons(Target):
    """PFS over 6 and over 18 months at once, as 0, 1 or 2 of them."""

    name, title, response, criterion, scores = "two_horizons", "PFS over 6 and 18 months", "predict", None, ("tau",)

    def check(self, y, *, X=None, estimator="the estimator"):
        return CheckedTarget(np.asarray(y, dtype=int))

    def check_coded(self, y, n_patients):
        return self.check(y).values

    def columns(self, values, weight):
        return {"over": values, "weight": weight}

    def strata(self, values):
        return values

    def output(self, logits):
        return logits

    def predicted(self, model, X):
        return model.predict(X), "horizons"

    def answers(self, model, X, months):
        return {f"p_over_{months}": column for months, column in zip((6, 18), model.shares(X).T, strict=True)}


class LinearTwoHorizons(RegressorMixin, BasePFSEstimator):
    """Least squares of both answers: an estimator without a network, whose fit sets its coefficients last."""

    _target = TwoHorizons()
    _set_last = ("coefficients_",)

    def fit(self, X, y):
        X, y, _ = self._with_weight(X, y, None)
        over = self._check_target(X, y)
        table = self._matrix(X)
        self.feature_names_in_ = np.array(self._table(X, self._cohort(X)).columns, dtype=object)
        self.n_features_in_ = table.shape[1] - 1
        self.coefficients_ = np.linalg.lstsq(table, np.column_stack([over > 0, over > 1]).astype(float))[0]
        return self

    def _matrix(self, X):
        table = self._table(X, self._cohort(X)).to_numpy(dtype=float)
        return np.column_stack([table, np.ones(len(table))])

    def shares(self, X):
        return np.clip(self._matrix(X) @ self.coefficients_, 0, 1)

    def predict(self, X):
        return self.shares(X).sum(axis=1)


def tau(y_true, y_score, sample_weight=None):
    return float(kendalltau(y_true, y_score).statistic)


TAU = Score(
    "tau",
    "Kendall's tau",
    tau,
    chance=0.0,
    response="predict",
    available=("grade", "two_horizons"),
    limits=(-1.0, 1.0),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for made in (GradeRegressor, LinearTwoHorizons):
        monkeypatch.setattr(estimators, made.__name__, made, raising=False)
        monkeypatch.setattr(estimators, "__all__", [*estimators.__all__, made.__name__])
    with SCORES.including(TAU):
        yield


def cohort(y):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"CgA [ug/L]": np.round(100 + 150 * y + rng.uniform(0, 100, len(y)))})
    frame["creatinine [umol/l]"] = np.round(60 + 15 * y + rng.normal(0, 4, len(y)))
    return Cohort({"lab": frame}, ids=[f"P{k}" for k in range(len(y))])


def predicted_table(model, X, folder):
    """Return what `prrt predict` writes for the patients of X."""
    table, out = folder / "new.csv", folder / "predictions.csv"
    X["lab"].assign(patient_id=X.ids).to_csv(table, index=False)
    printed = CliRunner().invoke(app, ["predict", str(model), str(table)])
    assert printed.exit_code == 0, printed.output
    assert CliRunner().invoke(app, ["predict", str(model), str(table), "--out", str(out)]).exit_code == 0
    return pd.read_csv(out), printed.output


def test_a_target_walks_the_library(tmp_path):
    y = np.tile([0, 1, 2, 3, 0, 1], 8)
    X, run = cohort(y), tmp_path / "run"
    model = GradeRegressor(max_epochs=30, lr=0.01, random_state=0, device="cpu")
    comparison = compare_models({"grades": model}, X, y, cv=3, out=run, verbose=0)
    assert comparison.predictions.set_index("patient_id")["y_true"].loc["P3"] == 3  # as it is, not a stratum
    again = load_comparison(run)
    row = again.summary().loc["grades"]
    assert row["tau_mean"] == pytest.approx(comparison.scores["tau"].mean())
    assert 0.6 < row["tau_mean"] <= 1
    assert again.kind.outcomes(again.run["data"]) == [("grade 0", 16), ("grade 1", 16), ("grade 2 to 4", 16)]
    assert not again.gives_probabilities

    page = write_report(again, run).read_text("utf-8")
    assert "predict the grade of kidney toxicity?" in page
    assert "grade 2 to 4" in page
    assert not OF_CLASSES.search(re.sub(r"<(style|script)>.*?</\1>|src=\"[^\"]*\"", "", page, flags=re.S))

    model.fit(X, y)
    file = save_model(model, tmp_path / "model.prrt", X=X, y=y, comparison=again, model="grades")
    card = (tmp_path / "model.prrt.md").read_text("utf-8")
    assert "it estimates the grade of kidney toxicity" in card
    assert "It gives the predicted grade of kidney toxicity of each patient." in card
    assert "Grade 0: 16 (33 %); grade 1: 16 (33 %); grade 2 to 4: 16 (33 %)." in card
    assert f"| Kendall's tau | {row['tau_mean']:.3f}" in card
    assert "model.predict(load_cohort" in card
    assert not OF_CLASSES.search(card)

    np.testing.assert_array_equal(load_model(file).predict(X), model.predict(X))
    table, printed = predicted_table(file, X, tmp_path)
    assert table.columns.tolist() == ["patient_id", "grade"]
    np.testing.assert_allclose(table["grade"], model.predict(X), rtol=1e-6)
    assert "long" not in printed


def test_a_target_with_two_answers(tmp_path):
    y = np.tile([0, 1, 2], 12)
    X = cohort(y)
    comparison = compare_models({"both": LinearTwoHorizons()}, X, y, cv=3, out=tmp_path / "run", verbose=0)
    assert comparison.scores["tau"].mean() > 0.6
    assert [name for name, _ in comparison.kind.outcomes(comparison.run["data"])] == ["group 0", "group 1", "group 2"]
    assert "predict the PFS over 6 and 18 months?" in write_report(comparison, tmp_path / "run").read_text("utf-8")
    model = LinearTwoHorizons().fit(X, y)
    file = save_model(model, tmp_path / "model.prrt", X=X, y=y, comparison=comparison, model="both")
    np.testing.assert_array_equal(load_model(file).shares(X), model.shares(X))
    table, _ = predicted_table(file, X, tmp_path)
    assert table.columns.tolist() == ["patient_id", "p_over_6", "p_over_18"]
    assert (table["p_over_6"] >= table["p_over_18"] - 1e-9).mean() > 0.9


def test_a_split_without_two_groups_is_named_by_them():
    y = np.zeros(12, dtype=int)
    with pytest.raises(ValueError, match="grade 0: 12, grade 1: 0, grade 2 to 4: 0"):
        compare_models({"grades": GradeRegressor(max_epochs=1)}, cohort(y), y, cv=3, verbose=0)
