"""The benchmarks' own promise: `fit` does exactly what the loop by hand does. No times are asserted."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from prrt_estimators import FusionPFSClassifier, PETPFSClassifier, make_prrt_cohort

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Return a function that imports a benchmark by name."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("names", [("pet",), ("pet", "ct", "lab")])
def test_fit_and_loop_have_the_same_losses(benchmark, names):
    fit_overhead = benchmark("fit_overhead")
    X, y = make_prrt_cohort(13, volume_shape=16, random_state=1, return_X_y=True)
    X = X.select(*names)
    options = {"encoder": "compact", "max_epochs": 3, "batch_size": 4, "random_state": 0, "device": "cpu"}
    estimator = PETPFSClassifier(**options) if names == ("pet",) else FusionPFSClassifier(modalities=names, **options)
    held = {name: torch.from_numpy(X[name].array) for name in names if name != "lab"}
    if "lab" in names:
        held["lab"] = fit_overhead._prepared_table(X["lab"])
    case = fit_overhead.Case("tiny", estimator, X, y, lambda: held)
    with torch.random.fork_rng():
        expected = fit_overhead.by_hand(case)
    np.testing.assert_allclose(fit_overhead.by_fit(case).loss_curve_, expected, rtol=1e-6)
    # Another seed has other losses: the comparison could fail.
    case.estimator.set_params(random_state=1)
    assert not np.allclose(fit_overhead.by_fit(case).loss_curve_, expected, rtol=1e-3)


def test_second_preparation_opens_nothing(benchmark, tmp_path):
    table = benchmark("cache").measure(tmp_path, patients=4, pet=12, ct=16)
    assert table["openings"].tolist() == [8, 0, 0, 0]


def test_the_page_of_maps_is_what_the_benchmark_wrote(benchmark):
    saliency = benchmark("saliency")
    page = (saliency.DOCS / "saliency.md").read_text("utf-8")
    table, checks = (pd.read_csv(saliency.DOCS / name) for name in ("saliency.csv", "saliency_sanity.csv"))
    assert saliency.with_tables(page, table, checks) == page
    table.loc[0, "ratio"] += 1
    assert saliency.with_tables(page, table, checks) != page


def test_planted_lesions_are_where_the_masks_say_and_decide(benchmark):
    X, y = benchmark("saliency").planted(8, (24, 20, 28), 0)
    planted = X.masks["planted"].array > 0
    assert [bool(one.any()) for one in planted] == [label == 0 for label in y]
    assert (X["pet"].array[planted] > 10).all()
    assert not (planted & (X.masks["lesions without bearing"].array > 0)).any()


def test_coverage_of_many_cohorts_at_once(benchmark):
    coverage = benchmark("coverage")
    row = coverage.run(coverage.Situation("logistic", 0.5, 116, 3, 100))
    assert 0.46 < row["expected AUROC"] < 0.54
    assert row["covers AUROC with c = 1"] <= row["covers AUROC"]
    assert row["covers AUROC"] >= 92
    assert row["finds a difference"] <= 12
    assert row["any of ten better"] <= 10
    page = (FOLDER.parent / "docs" / "guide" / "validation.md").read_text("utf-8")
    table = pd.read_csv(FOLDER.parent / "docs" / "coverage.csv", keep_default_na=False, dtype=str)
    assert coverage.with_table(page, table) == page
    # A model of one cohort by scikit-learn has the same probabilities.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), np.tile([0, 1], 20)
    train = np.arange(40) < 30
    expected = LogisticRegression(tol=1e-8).fit(X[train], y[train]).predict_proba(X)[:, 1]
    np.testing.assert_allclose(coverage.logistic(X[None], y, train[None].astype(float))[0, 0], expected, atol=1e-4)


@pytest.mark.parametrize("name", ["pbc", "synthetic", "sts"])
def test_the_page_of_survival_models_shows_the_tables_as_they_are(name):
    page = (FOLDER.parent / "docs" / "guide" / "times.md").read_text("utf-8")
    table = pd.read_csv(FOLDER.parent / "docs" / f"survival_models_{name}.csv", keep_default_na=False, dtype=str)
    for row in [list(table.columns), *table.to_numpy().tolist()]:
        assert f"| {' | '.join(row)} |" in page


def test_the_benchmark_of_a_gpu_runs_without_one(benchmark):
    rows = benchmark("gpu").training(12, 4, 2, 2, 0, torch.device("cpu"))
    assert [row[0] for row in rows] == ["fit (auto)", "fit (float32)", "MONAI CacheDataset"]
    assert all(row[1] > 0 and np.isnan(row[2]) for row in rows)


def test_the_benchmark_of_memory_ingests_patients_of_whom_no_two_are_alike(benchmark, tmp_path):
    memory = benchmark("memory_ingest")
    memory.write_small_export(tmp_path, 3)
    headers = [pydicom.dcmread(path) for path in sorted((tmp_path / "dicom").rglob("*.dcm"))]
    assert len(headers) == 3 * 2 * 4
    assert len({one.SOPInstanceUID for one in headers}) == len({one.PixelData for one in headers}) == len(headers)
    for keyword in ("PatientID", "PatientName", "AccessionNumber", "PatientBirthDate", "StudyDate", "StudyInstanceUID"):
        assert len({one[keyword].value for one in headers}) == 3
    found = memory.child(tmp_path, 1)
    assert min(found.values()) > 0
    assert found["peak_MB"] > 50
    assert len(pd.read_csv(tmp_path / "cohort" / "cohort.csv")) == 3


def test_the_benchmark_of_memory_measures_a_process_of_its_own(benchmark, tmp_path):
    memory = benchmark("memory")
    table = memory.write_cohort(tmp_path / "cohort", 6, 8)
    words = ["check", str(table), "--cache-dir", str(tmp_path / "cache")]
    peak, seconds, per_patient = memory.child(words, "10MB")
    assert 50 < peak < 20_000
    assert per_patient == pytest.approx(1000 * seconds / 6, abs=20)
