"""A comparison in MLflow, read back from a store of files."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, LabPFSClassifier
from prrt_estimators.exceptions import MissingDependencyError
from prrt_estimators.model_selection import Skipped, compare_models, log_to_mlflow

RNG = np.random.default_rng(0)
Y = np.tile([0, 1, 1], 12)
LAB = pd.DataFrame(RNG.normal(size=(36, 3)) + 2 * Y[:, None], columns=["a", "b", "c"])
X = Cohort({"lab": LAB}, ids=[f"Erika-{k}" for k in range(36)])


def compared(**options):
    linear, ridge = (LabPFSClassifier(model="logistic", C=C) for C in (1.0, 0.1))
    models = {"linear": linear, "ridge": ridge, "imaging": Skipped("no scans")}
    return compare_models(models, X, Y, cv=3, verbose=0, **options)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The address of a store of files."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_runs_of_a_comparison_are_read_back(store, tmp_path):
    import mlflow

    comparison = compared()
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "roc.png").write_bytes(b"png")
    (tmp_path / "report.html").write_text("page")
    parent = log_to_mlflow(comparison, tracking_uri=store, artefacts=[tmp_path / "report.html", tmp_path / "figures"])
    client = mlflow.MlflowClient(store)
    (experiment,) = [one for one in client.search_experiments() if one.name == "prrt-estimators"]
    whole = client.get_run(parent)
    assert whole.info.status == "FINISHED"
    assert whole.data.params["patients"] == "36"
    assert whole.data.tags["mlflow.source.name"] == "prrt_estimators"
    assert whole.data.tags["mlflow.note.content"].startswith("linear, ridge on 36 patients, 3 splits.")
    summary = comparison.summary()
    assert whole.data.metrics["linear/auroc_mean"] == pytest.approx(summary.loc["linear", "auroc_mean"])
    assert {one.path for one in client.list_artifacts(parent)} == {"report.html", "figures"}
    assert [one.path for one in client.list_artifacts(parent, "figures")] == ["figures/roc.png"]
    children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert len(children) == 6
    for child in children:
        name, fold = child.data.tags["model"], int(child.data.params["fold"])
        row = comparison.scores[(comparison.scores["model"] == name) & (comparison.scores["fold"] == fold)].iloc[0]
        assert child.data.params["C"] == ("0.1" if name == "ridge" else "1.0")
        for metric in comparison.metrics:
            assert child.data.metrics[metric] == pytest.approx(row[metric])
        assert child.data.metrics["fit_seconds"] >= 0
        curve = client.get_metric_history(child.info.run_id, "roc_tpr")
        assert all(point.timestamp >= child.info.start_time for point in curve)  # drawn over time, not in 1970
        assert [point.step for point in curve] == list(range(0, 101, 5))
        assert [point.value for point in curve] == sorted(point.value for point in curve)
        assert curve[-1].value == 1.0
    assert "Erika-7" in set(comparison.survival["patient_id"])
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"Erika" not in path.read_bytes()


def test_a_function_tracks_too():
    seen = []
    comparison = compared(tracker=seen.append)
    assert seen == [comparison]


def test_what_cannot_track_is_refused_before_anything_runs(monkeypatch):
    with pytest.raises(ValueError, match="'mlflow' or a function"):
        compared(tracker="wandb")
    with pytest.raises(TypeError, match="'mlflow' or a function"):
        compared(tracker=3)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "prrt-estimators\[mlflow\]"'):
        compared(tracker="mlflow")
