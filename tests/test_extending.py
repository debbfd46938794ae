"""A made-up score, model and option are registered and walk through the library: a second list anywhere fails here."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from prrt_estimators import Cohort, compare_models, load_comparison, load_model, paper_models, save_model
from prrt_estimators.cli import _model_options, app
from prrt_estimators.estimators import LabPFSClassifier
from prrt_estimators.metrics import SCORES, Score, prrt_scorers
from prrt_estimators.model_selection import MODELS, ModelSpec, bootstrap_interval, format_summary, recommended_models
from prrt_estimators.model_selection._models import make_models, named_specs
from prrt_estimators.plotting import ModelComparisonDisplay
from prrt_estimators.report import write_report

# Scores ---------------------------------------------------------------------------------------------------------------


def youden(y_true, y_score, sample_weight=None):
    y, p = np.asarray(y_true), np.asarray(y_score)
    return float(np.mean(p[y == 1] >= 0.5) + np.mean(p[y == 0] < 0.5) - 1)


def log_loss(y_true, y_score, sample_weight=None):
    return float(metrics.log_loss(y_true, y_score, labels=[0, 1]))


YOUDEN = Score("youden", "Youden index", youden, chance=0.0)
LOG_LOSS = Score("neg_log", "Log loss", log_loss, greater_is_better=False)


@pytest.fixture
def labs():
    rng = np.random.default_rng(3)
    y = np.tile([0, 1, 1], 12)
    frame = pd.DataFrame({"CgA [ug/L]": np.round(900 - 700 * y + rng.uniform(0, 200, 36)), "AST [U/L]": 30.0 + y})
    frame["AST [U/L]"] += np.round(rng.normal(0, 4, 36))
    frame["ALT [U/L]"] = np.round(rng.normal(30, 5, 36))
    return frame, y


@pytest.fixture
def table(labs, tmp_path):
    frame, y = labs
    path = tmp_path / "cohort.csv"
    frame.assign(patient_id=[f"P{k}" for k in range(36)], pfs_months=np.where(y, 20, 5), progressed=1).to_csv(
        path, index=False
    )
    return path


def test_a_score_is_one_entry(labs, tmp_path):
    frame, y = labs
    X = Cohort({"lab": frame})
    model = LabPFSClassifier(model="logistic")
    with SCORES.including(YOUDEN, LOG_LOSS):
        comparison = compare_models({"labs": model}, X, y, cv=3, out=tmp_path, verbose=0)
        table = pd.read_csv(tmp_path / "scores.csv")
        assert {"youden", "neg_log"} <= set(table)
        assert (table["neg_log"] < 0).all()  # greater is better
        row = load_comparison(tmp_path).summary().loc["labs"]
        assert row["youden_mean"] == pytest.approx(table["youden"].mean())
        assert row["youden_chance"] == 0.0
        printed = comparison.summary().pipe(format_summary)
        assert printed["Youden index (chance 0.00)"].str.startswith(f"{row['youden_mean']:.3f}").all()
        assert float(printed["Log loss"].iloc[0].split()[0]) == pytest.approx(-row["neg_log_mean"], abs=6e-4)

        display = ModelComparisonDisplay.from_scores(comparison.scores, metrics=("youden", "neg_log"))
        legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert {"Youden index", "chance 0.00", "Log loss"} <= set(legend)
        assert display.frame()["mean"].tolist() == pytest.approx([row["youden_mean"], -row["neg_log_mean"]])

        page = write_report(comparison, tmp_path).read_text("utf-8")
        assert "Youden index" in page
        assert "Log loss" in page
        fitted = model.fit(X, y)
        save_model(fitted, tmp_path / "model.prrt", X=X, y=y, comparison=comparison, model="labs")
        card = (tmp_path / "model.prrt.md").read_text("utf-8")
        assert f"| Youden index | {row['youden_mean']:.3f}" in card
        assert np.isfinite(bootstrap_interval(y, fitted.predict_proba(X)[:, 1], "youden", n_boot=20)[:3]).all()
    assert "youden" not in prrt_scorers()


def test_a_loss_ranks_the_least_first_and_its_scorer_reaches_workers(labs):
    frame, y = labs
    good, bad = LabPFSClassifier(model="logistic"), LabPFSClassifier(model="logistic", C=1e-6, class_weight=None)
    with SCORES.including(LOG_LOSS):
        scorer = pickle.loads(pickle.dumps(LOG_LOSS.scorer))
        assert scorer(bad.fit(frame, y), frame, y) < scorer(good.fit(frame, y), frame, y) < 0
        comparison = compare_models({"bad": bad, "good": good}, frame, y, cv=3, scoring={"neg_log": scorer}, verbose=0)
        assert comparison.best_model == "good"


# Models ---------------------------------------------------------------------------------------------------------------

MINE = ModelSpec("mine", "My logistic regression", "LabPFSClassifier", {"model": "logistic"}, needs=("lab",))


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_model_is_one_entry(table, tmp_path):
    out, file = tmp_path / "results", tmp_path / "mine.prrt"
    with MODELS.including(MINE):
        answer = prrt("compare", table, "--out", out, "--models", "mine,baseline_lab", "--repeats", 1, "--jobs", 1)
        assert answer.exit_code == 0, answer.output
        assert [line.split("\t")[0] for line in answer.stdout.splitlines()[1:]] == ["baseline_lab", "mine"]
        assert "My logistic regression" in (out / "report.html").read_text("utf-8")
        run = json.loads((out / "run.json").read_text("utf-8"))
        assert run["models"]["mine"]["parameters"]["model"] == "'logistic'"
        answer = prrt("fit", table, "--model", "mine", "--out", file, "--results", out, "--seed", 3)
        assert answer.exit_code == 0, answer.output
        answer = prrt("compare", table, "--out", out, "--models", "mine", "--explain-model", "mine")
        assert answer.exit_code == 2
        assert "mine is not compared or has no maps" in answer.stderr
    model = load_model(file)
    assert (model.model, model.random_state) == ("logistic", 3)  # what its get_params knows arrives
    answer = prrt("predict", file, table)
    assert answer.stdout.count("\n") == 37
    answer = prrt("compare", table, "--out", out, "--models", "mine")
    assert answer.exit_code == 2
    assert "unknown: mine" in answer.stderr


def test_a_recommended_model_is_among_the_recommended_and_not_in_the_study():
    with MODELS.including(dataclasses.replace(MINE, recommended=True)):
        assert "mine" in recommended_models()
        assert "mine" not in paper_models()
        assert list(paper_models(include=["mine"])) == ["mine"]
    assert "mine" not in recommended_models()


def test_a_model_of_a_class_of_ones_own_takes_the_options_that_it_knows():
    with MODELS.including(ModelSpec("linear", "Linear", LogisticRegression, {"C": 0.5})):
        model = paper_models(include=["linear"], random_state=4, size=16, max_epochs=2)["linear"]
    assert (model.C, model.random_state) == (0.5, 4)


# Options of commands --------------------------------------------------------------------------------------------------


def test_an_option_of_models_is_one_entry(table, tmp_path, monkeypatch):
    option = _model_options.ModelOption("trees", "n_estimators", int, "Trees of a forest.")
    monkeypatch.setattr(_model_options, "MODEL_OPTIONS", (*_model_options.MODEL_OPTIONS, option))
    received = {}

    @_model_options.takes_models()
    def command(*, model_options):
        received.update(model_options)

    assert "trees" in inspect.signature(command).parameters
    others = {one.name: one.default for one in _model_options.MODEL_OPTIONS}
    command(**others | {"trees": 7})
    assert make_models(named_specs(["lab"]), **received)["lab"].n_estimators == 7
    for name in ("compare", "fit", "demo", "pretrain", "check"):
        assert "--size" in prrt(name, "--help").stdout or name == "demo"
