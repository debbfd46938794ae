"""A folder of results: what is kept, what is run again, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from comparison_helpers import OnCohort, RandomForestLab, cohort, fits
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import RunMismatchError
from prrt_estimators.model_selection import (
    ModelComparison,
    RunInProgressError,
    Skipped,
    compare_models,
    load_comparison,
)
from prrt_estimators.model_selection._run_store import RunStore


def test_resume_repeats_nothing_and_changes_nothing(tmp_path):
    X, y = cohort()
    counter = tmp_path / "fits"
    models = {"a": OnCohort(counter=str(counter)), "b": RandomForestLab()}
    out = tmp_path / "run"
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2)  # no seed: drawn once
    compare_models(models, X, y, cv=cv, out=out, random_state=None, verbose=0)
    before = {name: (out / name).read_bytes() for name in ("scores.csv", "predictions.csv", "summary.csv")}
    assert fits(counter) == 6
    (out / "folds" / "a" / "1-0.json").unlink()
    (out / "folds" / "b" / "0-2.json").write_text('{"key": "cut of')
    (out / "scores.csv").unlink()
    compare_models(models, X, y, cv=cv, out=out, random_state=None, verbose=0)
    assert fits(counter) == 7
    assert before == {name: (out / name).read_bytes() for name in before}


def test_a_changed_model_is_run_again_and_the_others_are_kept(tmp_path):
    X, y = cohort()
    counters = {name: tmp_path / name for name in "abc"}
    models = {name: OnCohort(counter=str(path)) for name, path in counters.items() if name != "c"}
    out = tmp_path / "run"
    compare_models(models, X, y, cv=3, out=out, verbose=0)
    models["b"].set_params(random_state=5)
    models["c"] = OnCohort(counter=str(counters["c"]))
    comparison = compare_models(models, X, y, cv=3, out=out, verbose=0)
    assert {name: fits(path) for name, path in counters.items()} == {"a": 3, "b": 6, "c": 3}
    assert comparison.status["n_finished"].tolist() == [3, 3, 3]


def test_more_repeats_go_on_from_the_first_ones(tmp_path):
    X, y = cohort()
    counter = tmp_path / "fits"
    for repeats in (2, 3):
        cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=repeats, random_state=0)
        compare_models({"a": OnCohort(counter=str(counter))}, X, y, cv=cv, out=tmp_path / "run", verbose=0)
    assert fits(counter) == 9


@pytest.mark.parametrize("change", ["value", "target", "weight", "id", "modality"])
def test_other_data_in_the_folder_are_refused(tmp_path, change):
    X, y = cohort()
    compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path, verbose=0)
    weight = None
    frame, ids = X["lab"].copy(), X.ids.copy()
    if change == "value":
        frame.iloc[3, 1] += 1e-9
    elif change == "target":
        y = y.copy()
        y[0] = 1
    elif change == "weight":
        weight = np.ones(len(y))
    elif change == "id":
        ids[0] = "Q"
    data = {"lab": frame} if change != "modality" else {"lab": frame, "pet": [None] * len(y)}
    with pytest.raises(RunMismatchError, match="new folder"):
        compare_models({"a": OnCohort()}, Cohort(data, ids=ids), y, sample_weight=weight, out=tmp_path, verbose=0)


def test_a_scan_that_changed_is_other_data(tmp_path):
    X, y = cohort()
    scans = []
    for k in range(len(y)):
        scans.append(tmp_path / f"{k}.nii.gz")
        scans[-1].write_bytes(b"scan")
    X = Cohort({"pet": scans, "lab": X["lab"]}, ids=X.ids)
    compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path / "run", verbose=0)
    compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path / "run", verbose=0)
    scans[4].write_bytes(b"another scan")
    with pytest.raises(RunMismatchError):
        compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path / "run", verbose=0)


def test_two_runs_in_one_folder(tmp_path):
    X, y = cohort()
    other = RunStore(tmp_path)
    with other.locked(), pytest.raises(RunInProgressError, match="another process"):
        compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path, verbose=0)
    compare_models({"a": OnCohort()}, X, y, cv=3, out=tmp_path, verbose=0)


def test_interruption_leaves_a_folder_that_goes_on(tmp_path, capsys):
    X, y = cohort()
    counter = tmp_path / "fits"
    out = tmp_path / "run"
    models = {"a": OnCohort(counter=str(counter)), "b": OnCohort(fail=KeyboardInterrupt())}
    with pytest.raises(KeyboardInterrupt):
        compare_models(models, X, y, cv=3, out=out)
    assert "3 folds kept in" in capsys.readouterr().err
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    with pytest.raises(FileNotFoundError, match="no finished comparison"):
        load_comparison(out)
    compare_models(models | {"b": OnCohort()}, X, y, cv=3, out=out, verbose=0)
    assert fits(counter) == 3


def test_written_results_come_back_exactly(tmp_path):
    X, y = cohort()
    weight = np.linspace(0.5, 1.5, len(y))
    models = {"a": OnCohort(), "x": Skipped("none")}
    comparison = compare_models(models, X, y, cv=3, out=tmp_path, sample_weight=weight, verbose=0)
    again = load_comparison(tmp_path)
    assert isinstance(again, ModelComparison)
    for name in ("scores", "predictions", "status", "survival"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(comparison, name), check_exact=True)
    pd.testing.assert_frame_equal(again.summary(n_boot=50), comparison.summary(n_boot=50), check_exact=True)
    assert again.survival["time"].tolist() == X.survival["time"].tolist()
    row = comparison.summary(n_boot=50).loc["a"]
    assert row["auroc_low"] < row["auroc_mean"] < row["auroc_high"]  # of weighted scores
    assert np.isnan(row["auroc_ensemble"])  # patients cannot be drawn without their weights
