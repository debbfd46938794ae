"""A made-up score, model, option, modality, encoder and target are registered and walk through the library: a second list anywhere fails here."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from dicom_builders import pet_header
from safetensors.torch import load_file, save_file
from sklearn import metrics
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from torch import nn
from typer.testing import CliRunner

from prrt_estimators import (
    Cohort,
    CTPretrainer,
    FusionPFSClassifier,
    compare_models,
    load_cohort,
    load_comparison,
    load_model,
    paper_models,
    save_model,
)
from prrt_estimators._modalities import MODALITIES, Modality
from prrt_estimators.cli import _model_options, app
from prrt_estimators.dicom import _decay, _vendor_factors, suv_factors
from prrt_estimators.dicom._suv_kinds import SUVKind
from prrt_estimators.estimators import LabPFSClassifier
from prrt_estimators.exceptions import SUVError
from prrt_estimators.inspection import modality_shapley, saliency
from prrt_estimators.metrics import SCORES, Score, prrt_scorers
from prrt_estimators.model_selection import MODELS, ModelSpec, bootstrap_interval, format_summary, recommended_models
from prrt_estimators.model_selection._models import make_models, named_specs
from prrt_estimators.networks import ENCODERS, EncoderSpec
from prrt_estimators.plotting import ModelComparisonDisplay, SaliencyDisplay
from prrt_estimators.report import write_report, write_viewer

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


# Modalities -----------------------------------------------------------------------------------------------------------

MR = Modality(
    "mr", "MRI", unit="a.u.", columns=r"\b(mr|mri|t1)\b", window=(0.0, 400.0), shown=(0.0, 500.0), body=20.0, whole=True
)
SMALL = {"block_inplanes": [8, 16, 16, 16]}


@pytest.fixture
def mr_table(labs, tmp_path, monkeypatch):
    """A table with a column of MR files and no other scan."""
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))
    frame, y = labs
    rng = np.random.default_rng(0)
    paths = []
    for k in range(len(y)):
        voxels = np.rint(rng.uniform(0, 200, (8, 8, 8)) + 200 * y[k]).astype(np.int16)
        nib.save(nib.Nifti1Image(voxels, np.diag([10.0, 10, 10, 1])), tmp_path / f"{k}.nii.gz")
        paths.append(f"{k}.nii.gz")
    path = tmp_path / "cohort.csv"
    ids = [f"P{k}" for k in range(len(y))]
    frame.assign(patient_id=ids, t1_file=paths, pfs_months=np.where(y, 20, 5), progressed=1).to_csv(path, index=False)
    return path


def test_a_modality_is_one_entry(mr_table, tmp_path):
    network = {"max_epochs": 1, "size": 8, "spacing": 10.0, "random_state": 0, "device": "cpu"}
    with MODALITIES.including(MR):
        data = load_cohort(mr_table, verbose=False)
        assert data.X.modalities == ("mr", "lab")
        assert dict(data.roles[["column", "role"]].to_numpy())["t1_file"] == "mr"
        named = load_cohort(mr_table, scans={"mr": "t1_file", "pet": None}, verbose=False)
        assert named.X["mr"].paths.tolist() == data.X["mr"].paths.tolist()
        assert load_cohort(mr_table, scans=None, verbose=False).X.modalities == ("lab",)

        model = FusionPFSClassifier(encoder_params={"mr": SMALL}, **network).fit(data.X, data.y)
        assert model.modalities_ == ("mr", "lab")
        assert model.net_.module_.windows == {"mr": (0.0, 400.0)}
        expected = model.predict_proba(data.X)
        other = FusionPFSClassifier(encoder_params={"mr": SMALL}, window={"mr": (0.0, 100.0)}, **network)
        assert (other.fit(data.X, data.y).predict_proba(data.X) != expected).any()
        back = load_model(save_model(model, tmp_path / "model.prrt", X=data.X, y=data.y))
        np.testing.assert_array_equal(back.predict_proba(data.X), expected)
        assert "MRI in a.u." in (tmp_path / "model.prrt.md").read_text("utf-8")

        comparison = compare_models({"mr": clone(model)}, data.X, data.y, cv=2, out=tmp_path / "run", verbose=0)
        assert comparison.status["status"].tolist() == ["ok"]
        assert "mr" in write_report(comparison, tmp_path / "run").read_text("utf-8")

        maps = saliency(model, data.X[:2], method="gradient")
        assert maps.unit("mr") == "change of the logit per a.u."
        display = SaliencyDisplay.from_maps(maps)
        assert display.figure_ is not None
        page = write_viewer(maps, tmp_path / "maps.html").read_text("utf-8")
        assert '"unit": "a.u."' in page or "a.u." in page
        shares = modality_shapley(model, data.X[:3])
        assert {"lab", "mr"} <= set(shares)
        assert shares["mr"].abs().sum() > 0
    with pytest.raises(ValueError, match="needs at least one of the modalities"):
        Cohort({"mr": ["a.nii"]})


# Encoders -------------------------------------------------------------------------------------------------------------


class TwoStages(nn.Module):
    """Two convolutions, of which the second is the last stage."""

    def __init__(self, width=4):
        super().__init__()
        self.first, self.second = nn.Conv3d(1, width, 3, padding=1), nn.Conv3d(width, width, 3, padding=1)

    def forward(self, volumes):
        return self.second(self.first(volumes))


PLAIN = EncoderSpec("plain", TwoStages, last_stage=lambda network: (network.first, network.second))


@pytest.mark.parametrize("finetune", ["frozen", "last", "full"])
def test_an_encoder_is_one_entry(labs, tmp_path, monkeypatch, finetune):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))
    frame, y = labs
    X = Cohort({"ct": np.random.default_rng(0).normal(0, 100, (36, 1, 6, 6, 6)), "lab": frame})
    weights = tmp_path / "plain.safetensors"
    torch.manual_seed(0)
    save_file(TwoStages().state_dict(), weights)
    with ENCODERS.including(PLAIN):
        model = FusionPFSClassifier(
            encoder="plain", weights={"ct": weights}, finetune=finetune, max_epochs=1, random_state=0, device="cpu"
        ).fit(X, y)
        kept = {"frozen": "vectors", "last": "maps", "full": "volumes"}[finetune]
        assert model.branches_["ct"].keeps == kept
        back = load_model(save_model(model, tmp_path / "model.prrt"))
        np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
        if finetune == "last":
            trained = model.net_.module_.encoders["ct"]
            assert not torch.equal(trained.layer4.weight, load_file(weights)["second.weight"])
        assert CTPretrainer(encoder="plain", max_epochs=1, random_state=0).fit(X).transform(X).shape == (36, 4)
    with pytest.raises(ValueError, match="`encoder` must be one of"):
        FusionPFSClassifier(encoder="plain").fit(X, y)


# Vendors --------------------------------------------------------------------------------------------------------------


def test_a_vendor_start_is_one_row(monkeypatch):
    header = pet_header(SeriesTime="113000")
    header.private_block(0x0099, "EXAMPLE PET", create=True).add_new(0x01, "DT", "20250101111000")
    assert _decay._written_by_maker([header]) is None
    rule = _decay.VendorStart("Example start of scan (0099,1001)", 0x0099, "EXAMPLE PET", 0x01)
    monkeypatch.setattr(_decay, "VENDOR_STARTS", (*_decay.VENDOR_STARTS, rule))
    found = _decay._written_by_maker([header])
    assert found is not None
    assert (found.when.strftime("%H:%M"), found.source) == ("11:10", rule.source)


@pytest.mark.parametrize(
    ("target", "factor"),
    [(SUVKind.COUNTS_TO_SUV, 0.25), (SUVKind.COUNTS_TO_ACTIVITY, 0.25 * 70000 / (368.08e6 * 2 ** (-3600 / 6586.2)))],
)
def test_a_vendor_factor_is_one_row(monkeypatch, target, factor):
    header = pet_header(Units="CNTS", Manufacturer="Example Scanners")
    header.private_block(0x0099, "EXAMPLE PET", create=True).add_new(0x01, "DS", "0.25")
    with pytest.raises(SUVError, match="none of the factors of makers"):
        suv_factors([header])
    row = _vendor_factors.VendorFactor("Example", 0x0099, "EXAMPLE PET", 0x01, target, "ExampleFactor")
    monkeypatch.setattr(_vendor_factors, "VENDOR_FACTORS", (*_vendor_factors.VENDOR_FACTORS, row))
    found = suv_factors([header])
    assert found.factors[0] == pytest.approx(factor, rel=1e-12)
    assert found.kind is target
    assert found.tags["ExampleFactor"] == 0.25
    assert _vendor_factors.maker_is_known("EXAMPLE SCANNERS", counts=True)
