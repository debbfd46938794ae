"""Comparisons of survival models: all patients are used, classifiers stand in the same table, runs resume."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sksurv.metrics import cumulative_dynamic_auc
from typer.testing import CliRunner

from prrt_estimators import Cohort, compare_models, load_comparison, save_model
from prrt_estimators._survival import as_survival
from prrt_estimators.cli import app
from prrt_estimators.estimators import CoxPFSClassifier, LabBaselineSurvival, LabPFSClassifier, LabPFSSurvival
from prrt_estimators.model_selection import HorizonClassifierSurvival, SurvivalHorizonClassifier
from prrt_estimators.report import write_report

CV = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)


def cohort(n=72, censored=True, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"CgA": rng.lognormal(5, 1, n), "AST": rng.lognormal(3.4, 0.3, n)})
    table["ALT"] = rng.lognormal(3.4, 0.3, n)
    months = 15 * rng.exponential(size=n) * (150 / table["CgA"].to_numpy()) ** 1.2
    limit = rng.uniform(5, 50, n) if censored else np.full(n, 1e4)
    y = as_survival((months <= limit, np.ceil(np.minimum(months, limit))))
    return Cohort({"lab": table}, ids=[f"P{k}" for k in range(n)], survival=y), y


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    X, y = cohort()
    out = tmp_path_factory.mktemp("times")
    models = {
        "time_lab": LabPFSSurvival(),
        "time_baseline": LabBaselineSurvival(),
        "logistic": LabPFSClassifier(model="logistic"),
    }
    return X, y, models, out, compare_models(models, X, y, cv=CV, out=out, verbose=0)


def test_every_patient_is_compared_on(run):
    X, y, _, out, comparison = run
    assert comparison.status["status"].tolist() == ["ok"] * 3
    assert len(comparison.survival) == len(y)
    assert comparison.predictions.groupby(["model", "repeat"]).size().eq(len(y)).all()
    assert (comparison.survival[["time", "event"]].to_numpy() == np.column_stack([y["time"], y["event"]])).all()
    described = json.loads((out / "run.json").read_text("utf-8"))
    assert described["target"] == {"name": "time", "horizon": 12.0}
    assert described["data"]["n_events"] + described["data"]["n_censored"] == len(y)
    assert (comparison.predictions["kind"] == "risk").all()
    assert set(comparison.predictions["risk_group"]) == {0, 1, 2}
    assert comparison.summary().loc["time_lab", "uno_c_mean"] > 0.6
    assert X.survival is not None


def test_scores_of_a_fold_are_those_of_scikit_survival(run):
    X, y, _, _, comparison = run
    here = comparison.predictions.query("model == 'time_lab' and repeat == 0 and fold == 0")
    rows = [list(X.ids).index(one) for one in here["patient_id"]]
    rest = np.setdiff1d(np.arange(len(y)), rows)
    found = comparison.scores.query("model == 'time_lab' and repeat == 0 and fold == 0").iloc[0]
    expected = cumulative_dynamic_auc(y[rest], y[rows], here["y_score"].to_numpy(), [12.0])[1]
    assert found["auc_horizon"] == pytest.approx(expected, abs=1e-10)
    model = LabPFSSurvival().fit(X[rest], y[rest])
    np.testing.assert_allclose(here["p_beyond"], model.predict_survival_function(X[rows], [12.0])[:, 0], atol=1e-10)
    cuts = np.quantile(model.predict(X[rest]), [1 / 3, 2 / 3])
    assert here["risk_group"].tolist() == np.searchsorted(cuts, here["y_score"], "right").tolist()


def test_it_resumes_and_another_horizon_is_another_run(run):
    X, y, models, out, comparison = run
    times = {path: path.stat().st_mtime_ns for path in out.glob("folds/*/*.json")}
    assert len(times) == 18
    again = compare_models(models, X, y, cv=CV, out=out, verbose=0)
    pd.testing.assert_frame_equal(again.scores, comparison.scores)
    pd.testing.assert_frame_equal(again.predictions, comparison.predictions)
    pd.testing.assert_frame_equal(load_comparison(out).predictions, comparison.predictions)
    assert {path: path.stat().st_mtime_ns for path in out.glob("folds/*/*.json")} == times
    other = compare_models({"time_lab": models["time_lab"]}, X, y, cv=CV, horizon=6, out=out, verbose=0)
    assert (other.scores["auc_horizon"] != comparison.scores.query("model == 'time_lab'")["auc_horizon"]).any()
    np.testing.assert_allclose(other.scores["harrell_c"], comparison.scores.query("model == 'time_lab'")["harrell_c"])
    compare_models(models, X, y, cv=CV, out=out, verbose=0)


def test_the_report_speaks_of_times(run, tmp_path):
    *_, comparison = run
    figures = comparison.figures()
    assert {"scores", "auc_over_time", "kaplan_meier_cohort"} <= set(figures)
    page = write_report(comparison, tmp_path, figures=figures).read_text("utf-8")
    for text in ("Uno&#39;s C", "when patients progress", "reverse Kaplan-Meier", "progression seen", "AUC over time"):
        assert text in page
    assert "long PFS" not in page
    fitted = LabPFSSurvival().fit(run[0], run[1])
    save_model(fitted, tmp_path / "m.prrt", X=run[0], y=run[1], comparison=comparison, model="time_lab")
    assert "Uno's C" in (tmp_path / "m.prrt.md").read_text("utf-8")


def test_without_censoring_a_classifier_has_its_auroc_in_the_same_folds():
    X, y = cohort(60, censored=False)
    model = LabPFSClassifier(model="logistic")
    classes = compare_models({"m": model}, X, (y["time"] > 12).astype(int), cv=CV, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = compare_models({"m": model}, X, y, cv=CV, verbose=0)
    np.testing.assert_allclose(times.scores["auc_horizon"], classes.scores["auroc"], atol=1e-12)
    np.testing.assert_allclose(times.scores["neg_brier_horizon"], classes.scores["neg_brier"], atol=1e-12)
    np.testing.assert_allclose(times.predictions["p_beyond"], classes.predictions["y_score"], atol=1e-12)


def test_a_model_of_time_stands_among_classifiers():
    X, y = cohort(60)
    known = (y["time"] > 12) | y["event"]
    part, survival = X[known], y[known]
    long = (survival["time"] > 12).astype(int)
    wrapped = SurvivalHorizonClassifier(LabPFSSurvival())
    comparison = compare_models(
        {"time": wrapped, "class": LabPFSClassifier(model="logistic")}, part, long, cv=3, verbose=0
    )
    assert comparison.status["status"].tolist() == ["ok", "ok"]
    assert comparison.status["learnt_from"].tolist() == ["time", "class"]
    fitted = wrapped.fit(part, long, time=survival["time"], event=survival["event"])
    np.testing.assert_array_equal(
        fitted.predict_proba(part)[:, 1], fitted.model_.predict_survival_function(part, [12.0])[:, 0]
    )
    assert roc_auc_score(long, fitted.predict_proba(part)[:, 1]) > 0.7
    with pytest.raises(ValueError, match="pass `time`"):
        wrapped.fit(part, long)


def test_a_classifier_learns_from_patients_whose_class_is_known():
    X, y = cohort(60)
    known = (y["time"] > 12) | (y["event"] & (y["time"] <= 12)) | (y["time"] == 12)
    model = HorizonClassifierSurvival(CoxPFSClassifier()).fit(X["lab"], y)
    assert model.n_left_out_ == 60 - known.sum() > 0
    long = ((y["time"] > 12) | ((y["time"] == 12) & ~y["event"]))[known].astype(int)
    own = CoxPFSClassifier(horizon=12.0).fit(X["lab"][known], long, time=y["time"][known], event=y["event"][known])
    np.testing.assert_allclose(1 - model.predict(X["lab"]), own.predict_proba(X["lab"])[:, 1])
    assert model.learnt_from_ == "time"
    assert np.isnan(model.predict_survival_function(X["lab"], [6.0, 12.0])[:, 0]).all()
    late = as_survival((np.ones(60, bool), np.full(60, 20.0)))
    with pytest.raises(ValueError, match="all have long PFS"):
        HorizonClassifierSurvival(LogisticRegression()).fit(X["lab"], late)


def test_a_fold_without_events_before_the_horizon_has_no_auc_and_says_so():
    X, y = cohort(30)
    y = y.copy()
    y["time"] += 12.0  # nobody progresses before
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        comparison = compare_models({"m": LabPFSSurvival()}, Cohort(X, survival=y), y, cv=3, verbose=0)
    assert comparison.scores["auc_horizon"].isna().all()
    assert comparison.scores["harrell_c"].notna().all()
    assert any("AUC at 12 months" in text for text in comparison.run["models"]["m"]["warnings"])


@pytest.mark.parametrize(
    ("y", "text"),
    [
        ({"event": np.zeros(30), "time": np.arange(1.0, 31)}, "none of the 30 patients progressed"),
        ({"event": np.ones(29), "time": np.arange(1.0, 30)}, "inconsistent numbers"),
        ({"event": np.full(30, 2), "time": np.arange(1.0, 31)}, "Recode"),
    ],
)
def test_what_cannot_be_compared_on(y, text):
    with pytest.raises(ValueError, match=text):
        compare_models({"m": LabPFSSurvival()}, cohort(30)[0]["lab"], y, cv=3, verbose=0)


def test_a_model_of_time_is_no_classifier():
    X, y = cohort(30)
    with pytest.raises(TypeError, match="A class for each patient"):
        compare_models({"m": LabPFSSurvival()}, X, (y["time"] > 9).astype(int), cv=3, verbose=0)


def test_the_command(tmp_path):
    X, y = cohort(60)
    path = tmp_path / "cohort.csv"
    X["lab"].assign(patient_id=X.ids, pfs_months=y["time"], progressed=y["event"].astype(int)).to_csv(path, index=False)
    words = [
        "compare",
        path,
        "--target",
        "time",
        "--out",
        tmp_path / "r",
        "--models",
        "time_lab,time_baseline,baseline_lab",
    ]
    answer = CliRunner().invoke(app, [str(word) for word in [*words, "--repeats", 1, "--folds", 3, "--jobs", 1]])
    assert answer.exit_code == 0, answer.output
    assert [line.split("\t")[0] for line in answer.stdout.splitlines()[1:]] == [
        "baseline_lab",
        "time_lab",
        "time_baseline",
    ]
    assert "Uno" in (tmp_path / "r" / "report.html").read_text("utf-8")
    assert (tmp_path / "r" / "figures" / "auc_over_time.png").is_file()
