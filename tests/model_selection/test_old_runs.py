"""Results folders of the last version are read, and runs that it left unfinished are finished."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
import sklearn
from old_run_helpers import CV, models, patients, unpack
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators.model_selection import _fold as fold_module
from prrt_estimators.model_selection import compare_models, load_comparison
from prrt_estimators.model_selection._old_runs import modern_record


@pytest.mark.filterwarnings("ignore:.*finished fold.* kept")
def test_a_run_of_the_last_version_is_finished_and_no_fold_is_run_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(fold_module, "package_version", lambda: "0.1.0")
    unfinished = ("folds/baseline_lab/1-1.json", "folds/lab/0-1.json", "scores.csv", "predictions.csv", "summary.csv")
    files = unpack(tmp_path, without=unfinished)
    ran = []
    run_fold = fold_module.run_fold
    monkeypatch.setattr(
        "prrt_estimators.model_selection._execute.run_fold",
        lambda task, *data: ran.append((task.model, task.split.repeat, task.split.fold)) or run_fold(task, *data),
    )
    X, y = patients()
    comparison = compare_models(models(), X, y, cv=RepeatedStratifiedKFold(**CV), out=tmp_path, n_jobs=1, verbose=0)
    assert sorted(ran) == [("baseline_lab", 1, 1), ("lab", 0, 1)]

    old = pd.read_csv(io.StringIO(files["scores.csv"]), float_precision="round_trip")
    again = comparison.scores.assign(brier=-comparison.scores["neg_brier"])[list(old)]
    kept = ~again[["model", "repeat", "fold"]].apply(tuple, axis=1).isin(ran)
    pd.testing.assert_frame_equal(again[kept], old[kept], check_exact=True)
    # Another processor may round otherwise, another scikit-learn draws other trees. Since that version, probabilities are
    # corrected for class weights, which changes the order of no two patients.
    same_trees = json.loads(files["run.json"])["versions"]["scikit-learn"] == sklearn.__version__
    if same_trees:
        unchanged = [name for name in old if name != "brier"]
        pd.testing.assert_frame_equal(again[unchanged], old[unchanged], check_exact=False)
    before = pd.read_csv(io.StringIO(files["predictions.csv"]), float_precision="round_trip")
    for place, part in comparison.predictions.groupby(["model", "repeat", "fold"]):
        then = before.loc[part.index, "p_long"]
        if place in ran:
            assert not same_trees or part["y_score"].rank().equals(then.rank())
        else:
            np.testing.assert_array_equal(part["y_score"], then)
    assert set(comparison.predictions["kind"]) == {"p_long"}


def test_results_of_the_last_version_are_read(tmp_path):
    files = unpack(tmp_path)
    comparison = load_comparison(tmp_path)
    before = pd.read_csv(io.StringIO(files["summary.csv"]), index_col="model")
    summary = comparison.summary()
    for column in ("auroc_mean", "auroc_sd", "auprc_mean", "auprc_short_mean", "brier_mean"):
        np.testing.assert_allclose(summary[column], before[column], rtol=1e-12)
    assert comparison.predictions.columns[-2:].tolist() == ["y_score", "kind"]
    assert comparison.best_model == before["auroc_mean"].idxmax()
    assert "Brier" in repr(comparison)


def test_the_best_model_of_an_old_folder_by_brier_is_the_one_with_the_least(tmp_path):
    unpack(tmp_path)
    comparison = load_comparison(tmp_path)
    comparison.scores = comparison.scores.drop(columns=["auroc", "auprc", "auprc_short"])
    means = comparison.scores.groupby("model")["brier"].mean()
    assert comparison.best_model == means.idxmin()


@pytest.mark.filterwarnings("ignore:.*finished fold.* kept")
def test_another_model_is_run_again_in_an_old_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(fold_module, "package_version", lambda: "0.1.0")
    unpack(tmp_path)
    X, y = patients()
    changed = {"baseline_lab": models()["baseline_lab"].set_params(C=0.1)}
    kept = {"baseline_lab": models()["baseline_lab"]}
    options = {"cv": RepeatedStratifiedKFold(**CV), "out": tmp_path, "verbose": 0}
    one = compare_models(changed, X, y, **options)
    other = compare_models(kept, X, y, **options)
    assert one.scores["neg_brier"].tolist() != other.scores["neg_brier"].tolist()


def test_a_record_of_old_in_the_names_of_today():
    record = {"key": "k", "scores": {"auroc": 0.7, "brier": 0.2}, "p_long": [0.1, 0.9]}
    modern = modern_record(record, ["auroc", "neg_brier"])
    assert modern == {"key": "k", "scores": {"auroc": 0.7, "neg_brier": -0.2}, "y_score": [0.1, 0.9], "kind": "p_long"}
    # A scorer of the user's own that is called brier stays what it is.
    assert modern_record(record, ["brier"])["scores"] == {"brier": 0.2}
    assert modern_record(modern, ["auroc", "neg_brier"]) == modern
