"""The commands that explain, on scans in files: what they write, and which model they take."""

from __future__ import annotations

import importlib.util

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from layout_helpers import principal_components
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.plotting import _embedding
from prrt_estimators.report._explain import _with_scans

pytestmark = [
    pytest.mark.usefixtures("small_forests"),
    pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.ExplanationWarning"),
    pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.CohortWarning"),
]
QUICK = ("--epochs", 1, "--size", 10, "--spacing", 30, "--device", "cpu", "--quiet")


@pytest.fixture(autouse=True)
def _quick_layout(monkeypatch):
    monkeypatch.setattr(_embedding, "umap_embedding", principal_components)


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    make_cohort_folder(folder, n_patients=14, volume_shape=10, random_state=1)
    return folder / "cohort.csv"


def test_a_comparison_explains_its_models(cohort, tmp_path):
    out = tmp_path / "results"
    # Figures and the report are tested elsewhere.
    options = ("--models", "lab,pet,pet_ct_lab", "--repeats", 1, "--folds", 2, "--jobs", 1, "--no-report", *QUICK)
    done = prrt("compare", cohort, "--out", out, "--explain", *options)
    assert done.exit_code == 0, done.output
    explained = out / "explain"
    for name in ("explain.html", "viewer.html", "shap.csv", "modalities.csv", "embedding.csv", "regions.csv"):
        assert (explained / name).stat().st_size > 100, name
    table = pd.read_csv(cohort)
    maps = sorted((explained / "maps").glob("*_pet_saliency.nii.gz"))
    assert len(maps) == 4
    row = table[table["patient_id"] == maps[0].name.split("_")[0]].iloc[0]
    np.testing.assert_array_equal(nib.load(maps[0]).affine, nib.load(cohort.parent / row["pet"]).affine)
    (explained / "notes.txt").write_text("mine")
    # Run again for another model: the comparison is there, and one kind of scan has no shares.
    other = prrt("compare", cohort, "--out", out, "--explain-model", "pet", *options)
    assert other.exit_code == 0, other.output
    assert "Maps (PET, gradient)" in (explained / "explain.html").read_text("utf-8")
    # What belonged to the first explanation is gone, what belongs to the user is not.
    assert not (explained / "modalities.csv").exists()
    assert not list((explained / "maps").glob("*_ct_saliency.nii.gz"))
    assert len(list((explained / "maps").glob("*.png"))) == 4
    assert (explained / "notes.txt").read_text() == "mine"


def test_a_saved_model_explains_other_patients(cohort, tmp_path):
    model = tmp_path / "model.prrt"
    assert prrt("fit", cohort, "--model", "pet_lab", "--out", model, *QUICK).exit_code == 0
    done = prrt("explain", model, cohort, "--out", tmp_path / "why", "--patients", 2, "--method", "gradcam", "--quiet")
    assert done.exit_code == 0, done.output
    assert "Maps (" in (tmp_path / "why" / "explain.html").read_text("utf-8")
    assert len(list((tmp_path / "why" / "maps").glob("*.png"))) == 2


@pytest.mark.parametrize("name", ["lab", "baseline_pet", "all"])
def test_only_a_model_that_is_compared_and_looks_at_scans_can_be_named(cohort, tmp_path, name):
    done = prrt(
        "compare", cohort, "--out", tmp_path / "results", "--explain-model", name, "--models", "lab,pet", *QUICK
    )
    assert done.exit_code == 2
    assert "choose from pet" in " ".join(done.output.replace("│", " ").split())
    assert not (tmp_path / "results").exists()


def test_what_is_not_installed_is_told_before_the_comparison(cohort, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("shap", "umap") else found(name))
    done = prrt("compare", cohort, "--out", tmp_path / "results", "--explain", *QUICK)
    assert done.exit_code == 2
    assert '--explain needs shap, umap; install them with: pip install "prrt-estimators[explain]"' in done.output
    assert not (tmp_path / "results").exists()


def test_of_the_models_with_most_modalities_the_best_is_explained():
    from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, PETPFSClassifier

    X = Cohort({"pet": np.zeros((2, 1, 4, 4, 4)), "ct": np.zeros((2, 1, 4, 4, 4)), "lab": np.zeros((2, 1))})
    models = {
        "lab": LabPFSClassifier(),
        "pet": PETPFSClassifier(),
        "ct_lab": FusionPFSClassifier(modalities=["ct", "lab"]),
        "full": FusionPFSClassifier(modalities=["pet", "ct", "lab"]),
        "auto": FusionPFSClassifier(),
    }
    summary = pd.DataFrame({"auroc_mean": {"lab": 0.9, "pet": 0.8, "ct_lab": 0.7, "full": 0.6, "auto": 0.5}})
    assert _with_scans(models, X, summary, None) == "full"
    assert _with_scans(models, X, None, None) == "auto"
    assert _with_scans(models, X, summary, "ct_lab") == "ct_lab"
    # With the laboratory table and CT alone, the fusion of both is the fullest there is.
    assert _with_scans(models, X.select("ct", "lab"), summary, None) == "ct_lab"
    assert _with_scans({"lab": models["lab"]}, X, summary, None) is None
    assert _with_scans({"full": models["full"]}, X, summary.drop("full"), None) == "full"
    with pytest.raises(
        ValueError, match="`scans` must name a model that looks at scans: pet, ct_lab, full, auto; got 'lab'"
    ):
        _with_scans(models, X, summary, "lab")
