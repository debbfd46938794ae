"""What a comparison promises: same splits, derived seeds, honest tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from comparison_helpers import NoiseClassifier, OnCohort, cohort, fits, table
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, RepeatedStratifiedKFold, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import CohortError, MissingModalityError, ResultsWarning
from prrt_estimators.model_selection import (
    Skipped,
    compare_models,
)
from prrt_estimators.model_selection._fold import write_record
from prrt_estimators.model_selection._run_store import folder_name


def test_scores_agree_with_scikit_learn():
    X, y = table()
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=4, random_state=7)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    comparison = compare_models({"linear": model}, X, y, cv=cv, verbose=0)
    expected = cross_val_score(model, X, y, cv=cv, scoring="roc_auc")
    np.testing.assert_array_equal(comparison.scores["auroc"], expected)
    assert comparison.scores[["repeat", "fold"]].to_numpy().tolist() == [[r, f] for r in range(4) for f in range(3)]
    row = comparison.summary(n_boot=50).loc["linear"]
    per_repeat = expected.reshape(4, 3).mean(axis=1)
    assert row["auroc_mean"] == pytest.approx(per_repeat.mean(), abs=1e-12)
    assert row["auroc_sd"] == pytest.approx(per_repeat.std(ddof=1), abs=1e-12)
    assert (row["n_repeats"], row["n_folds"], row["n_patients"]) == (4, 12, 45)
    assert row["prevalence_long"] == pytest.approx(2 / 3)
    assert row["prevalence_short"] == pytest.approx(1 / 3)


def test_predictions_are_out_of_fold_and_paired():
    X, y = table()
    models = {"a": LogisticRegression(), "b": LogisticRegression(C=0.01)}
    comparison = compare_models(models, X, y, cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2), verbose=0)
    per_model = [part for _, part in comparison.predictions.groupby("model", sort=False)]
    keys = ["repeat", "fold", "patient_id", "y_true"]
    pd.testing.assert_frame_equal(per_model[0][keys].reset_index(drop=True), per_model[1][keys].reset_index(drop=True))
    assert (per_model[0].groupby(["repeat", "patient_id"]).size() == 1).all()
    one = per_model[0].query("repeat == 1 and fold == 2")
    test = one["patient_id"].astype(int).to_numpy()
    train = np.setdiff1d(np.arange(len(y)), test)
    expected = LogisticRegression().fit(X[train], y[train]).predict_proba(X[test])[:, 1]
    np.testing.assert_array_equal(one["y_score"], expected)
    score = comparison.scores.query("model == 'a' and repeat == 1 and fold == 2")["auroc"].item()
    assert score == roc_auc_score(y[test], expected)


def test_seed_depends_on_model_and_split_not_on_company():
    X, y = table()
    forest = RandomForestClassifier(n_estimators=5)
    together = compare_models({"a": forest, "b": forest}, X, y, cv=3, verbose=0)
    alone = compare_models({"b": forest}, X, y, cv=3, verbose=0)
    both = together.predictions.query("model == 'b'")["y_score"].to_numpy()
    np.testing.assert_array_equal(both, alone.predictions["y_score"])
    assert not np.array_equal(both, together.predictions.query("model == 'a'")["y_score"])
    seeds = [fold["seed"] for fold in together.run["models"]["a"]["folds"]]
    assert len(set(seeds)) == 3
    other = compare_models({"b": forest}, X, y, cv=3, random_state=1, verbose=0)
    assert not np.array_equal(other.predictions["y_score"], alone.predictions["y_score"])


def test_nested_random_state_is_set_and_a_given_one_is_kept():
    X, y = table()
    models = {
        "open": make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=5)),
        "fixed": make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=5, random_state=3)),
    }
    first = compare_models(models, X, y, cv=3, verbose=0)
    second = compare_models(models, X, y, cv=3, verbose=0)
    pd.testing.assert_frame_equal(first.predictions, second.predictions, check_exact=True)
    expected = cross_val_score(models["fixed"], X, y, cv=3, scoring="roc_auc")
    np.testing.assert_array_equal(first.scores.query("model == 'fixed'")["auroc"], expected)


def test_one_failed_model_does_not_cost_the_others(tmp_path, capsys):
    X, y = cohort()
    models = {
        "good": OnCohort(),
        "broken": OnCohort(fail=RuntimeError("no such luck")),
        "scanless": OnCohort(needs="pet"),
        "late": OnCohort(fail=MissingModalityError("needs 'ct'")),
        "absent": Skipped("needs weights"),
    }
    comparison = compare_models(models, X, y, cv=3, out=tmp_path)
    assert comparison.status["status"].tolist() == ["ok", "failed", "skipped", "skipped", "skipped"]
    assert comparison.status["reason"].tolist()[1] == "RuntimeError: no such luck"
    assert "needs 'pet'" in comparison.status["reason"].tolist()[2]
    assert set(comparison.scores["model"]) == {"good"}
    run = json.loads((tmp_path / "run.json").read_text())
    assert "Traceback" in run["models"]["broken"]["traceback"]
    assert list(run["models"]) == list(models)
    assert list(comparison.summary(n_boot=50).index) == list(models)
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("broken: failed") for line in lines) == 1
    assert lines[:3] == [
        "Skipped, as the cohort has no PET: scanless.",
        "Skipped (needs weights): absent.",
        "model 1 of 3 (good), fold 1 of 3, about 10 s left",
    ]
    assert re.fullmatch(
        r"good: auroc [\d.]+, 3 folds in [\d.]+ s; now model 2 of 3 \(broken\), fold 1 of 3, about \d+ s left",
        lines[3],
    )
    assert lines[5:] == ["late: skipped (needs 'ct')"]


def test_warnings_are_collected_once_a_model():
    X, y = cohort()
    comparison = compare_models({"m": OnCohort()}, X, y, cv=5, verbose=0)
    assert comparison.run["models"]["m"]["warnings"] == ["UserWarning: the markers are few"]
    assert comparison.status["n_warnings"].item() == 1


def test_all_problems_of_all_models_come_before_training(tmp_path):
    X, y = cohort()
    counter = tmp_path / "fits"
    models = {
        "fine": OnCohort(counter=str(counter)),
        "one": OnCohort(problem="scan A is broken"),
        "same": OnCohort(problem="scan A is broken"),
        "nested": make_pipeline("passthrough", OnCohort(problem="scan B is broken")),
    }
    with pytest.raises(CohortError) as caught:
        compare_models(models, X, y, cv=3, verbose=0, out=tmp_path / "run")
    assert [one.what for one in caught.value.problems] == ["scan A is broken", "scan B is broken"]
    assert fits(counter) == 0


def test_weights_reach_fit_and_scorers():
    X, y = table()
    weight = np.where(np.arange(len(y)) % 2, 1.0, 3.0)
    comparison = compare_models({"a": LogisticRegression()}, X, y, cv=3, sample_weight=weight, verbose=0)
    rows = comparison.predictions.query("fold == 0")
    test = rows["patient_id"].astype(int).to_numpy()
    train = np.setdiff1d(np.arange(len(y)), test)
    model = LogisticRegression().fit(X[train], y[train], weight[train])
    np.testing.assert_array_equal(rows["y_score"], model.predict_proba(X[test])[:, 1])
    expected = roc_auc_score(y[test], rows["y_score"], sample_weight=weight[test])
    assert comparison.scores["auroc"][0] == pytest.approx(expected, abs=1e-12)


def test_run_json_tells_how_and_never_who(tmp_path):
    X, y = cohort()
    home = str(Path.home())
    models = {"a": OnCohort(counter=f"{home}/x.txt", fail=OSError(f"cannot read {home}/scan.nii"))}
    compare_models(models, X, y, cv=3, out=tmp_path, verbose=0)
    text = (tmp_path / "run.json").read_text()
    run = json.loads(text)
    assert home not in text
    assert run["models"]["a"]["parameters"]["counter"] == "'~/x.txt'"
    assert run["versions"]["scikit-learn"]
    assert run["hardware"]["cpu_count"] >= 1
    assert run["threads_per_fold"] >= 1
    assert not re.search(r"user(name)?\"|host", text)


def test_other_threads_are_said(tmp_path):
    X, y = cohort()
    compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path, verbose=0)
    for path in (tmp_path / "folds" / "a").iterdir():
        record = json.loads(path.read_text())
        write_record(path, record | {"threads": 99})
    with pytest.warns(ResultsWarning, match="99 thread"):
        compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path, verbose=0)


def test_reference_and_best_model():
    X, y = table(90)
    models = {"baseline_lab": LogisticRegression(C=1e-6), "good": LogisticRegression(), "noise": NoiseClassifier()}
    comparison = compare_models(models, X, y, cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=3), verbose=0)
    summary = comparison.summary(n_boot=100)
    assert comparison.best_model in ("good", "baseline_lab")
    assert np.isnan(summary.loc["baseline_lab", "p_value"])
    assert summary.loc["noise", "p_holm"] >= summary.loc["noise", "p_value"]
    assert summary.loc["noise", "auroc_difference"] < 0
    assert summary.loc["good", "auroc_low"] < summary.loc["good", "auroc_mean"] < summary.loc["good", "auroc_high"]
    assert comparison.summary(reference=None, n_boot=50)["p_value"].isna().all()
    with pytest.raises(ValueError, match="reference must be one of"):
        comparison.summary(reference="lab")


def test_a_comparison_shows_itself_as_the_table_of_the_command():
    X, y = table()
    models = {"<b>lab</b>": LogisticRegression(), "baseline_lab": LogisticRegression(C=0.1), "ct": Skipped("no scans")}
    comparison = compare_models(models, X, y, cv=3, verbose=0)
    head, columns, *rows = repr(comparison).splitlines()
    assert head == "ModelComparison: 45 patients, 2 models (1 skipped), 3 test folds in 1 repeat."
    for title in ("AUROC 95 % CI", "AUPRC long (chance 0.72)", "Brier", "difference from baseline_lab"):
        assert title in columns
    assert [row.split()[0] for row in rows] == list(models)
    assert f"{comparison.summary().loc['baseline_lab', 'auroc_mean']:.3f}" in rows[1]
    assert "..." not in repr(comparison)
    page = comparison._repr_html_()
    assert "&lt;b&gt;lab&lt;/b&gt;" in page
    assert page.count("<tr") == 4
    assert "ModelComparison: 45 patients" in page


def test_a_comparison_without_results_shows_itself():
    X, y = table()
    assert "skipped" in repr(compare_models({"ct": Skipped("no scans")}, X, y, cv=3, verbose=0))


def test_repeats_of_other_splitters_and_groups():
    X, y = table()
    shuffled = compare_models(
        {"a": LogisticRegression()}, X, y, cv=ShuffleSplit(3, test_size=0.6, random_state=0), verbose=0
    )
    assert shuffled.scores["repeat"].tolist() == [0, 1, 2]
    groups = np.arange(len(y)) // 3
    grouped = compare_models({"a": LogisticRegression()}, X, y, cv=GroupKFold(3), groups=groups, verbose=0)
    rows = grouped.predictions["patient_id"].astype(int).to_numpy()
    per_fold = {frozenset(groups[rows[grouped.predictions["fold"] == fold]]) for fold in range(3)}
    assert sum(len(one) for one in per_fold) == 15
    given = [(np.arange(15, 45), np.arange(15)), (np.arange(30), np.arange(30, 45))]
    assert compare_models({"a": LogisticRegression()}, X, y, cv=given, verbose=0).scores["fold"].tolist() == [0, 1]


def test_safe_folder_names():
    assert folder_name("pet_ct") == "pet_ct"
    names = ["a/b", "a_b", "A_b", "../x", ".hidden", "con taining", "ä" * 90]
    assert len({folder_name(name).lower() for name in names}) == len(names)
    assert all("/" not in folder_name(name) and not folder_name(name).startswith(".") for name in names)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"models": {}}, ValueError, "no model"),
        ({"models": [LogisticRegression()]}, TypeError, "map names"),
        ({"models": {"a": LogisticRegression}}, TypeError, "the class LogisticRegression"),
        ({"models": {"a": StandardScaler()}}, TypeError, "no predict_proba"),
        ({"models": {"": LogisticRegression()}}, ValueError, "names of models"),
        ({"y": np.zeros(45, int)}, ValueError, "all 45 patients have short PFS"),
        ({"y": np.arange(45)}, ValueError, "1 .long PFS. or 0"),
        ({"y": np.array([(False, 3.0)] * 45, dtype=[("event", bool), ("time", float)])}, ValueError, "none of the 45"),
        ({"y": [0, 1]}, ValueError, "one value per patient"),
        ({"cv": 20}, ValueError, "no more folds than the smaller class"),
        ({"cv": []}, ValueError, "cv gave no split"),
        ({"cv": [([0, 1, 2], [2, 3])]}, ValueError, "trains and tests on the same"),
        ({"cv": [([1, 2], [0, 3])]}, ValueError, "one class only in its training part"),
        ({"cv": [([0, 1, 2], [99])]}, ValueError, "row numbers from 0 to 44"),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight must have shape"),
        ({"sample_weight": -np.ones(45)}, ValueError, "not negative"),
        ({"random_state": -1}, ValueError, "random_state"),
        ({"scoring": []}, ValueError, "scoring"),
    ],
)
def test_bad_input_is_named(change, error, words):
    X, y = table()
    given = {"models": {"a": LogisticRegression()}, "X": X, "y": y, "cv": 3, "verbose": 0} | change
    with pytest.raises(error, match=words):
        compare_models(given.pop("models"), given.pop("X"), given.pop("y"), **given)


def test_duplicate_patients_are_refused():
    X, y = table()
    with pytest.raises(ValueError, match="patient P appears twice"):
        compare_models({"a": OnCohort()}, Cohort({"lab": X}, ids=["P"] * 45), y, cv=3, verbose=0)


def test_out_that_is_a_file(tmp_path):
    X, y = table()
    (tmp_path / "run").write_text("")
    with pytest.raises(NotADirectoryError, match="name another one"):
        compare_models({"a": LogisticRegression()}, X, y, cv=3, out=tmp_path / "run", verbose=0)


def test_a_failed_model_is_not_tried_again_on_every_fold(tmp_path):
    X, y = cohort()
    counter = tmp_path / "fits"
    models = {"broken": OnCohort(counter=str(counter), fail=RuntimeError("no such luck"))}
    compare_models(models, X, y, cv=5, n_jobs=1, verbose=0)
    assert fits(counter) == 1
