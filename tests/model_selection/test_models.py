"""The configurations of the study by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier

from prrt_estimators._model_specs import MODELS, ModelSpec, model_title
from prrt_estimators.cli._options import MODEL_GROUPS, chosen_models
from prrt_estimators.estimators import (
    CTPFSClassifier,
    CTPretrainer,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
)
from prrt_estimators.exceptions import PretrainedWeightsError
from prrt_estimators.model_selection import BASELINES, CONFIGURATIONS, Skipped, compare_models, paper_models

PAPER = ["lab", "pet", "ct", "pet_ct", "pet_lab", "ct_lab", "pet_ct_lab", "pet_ct_lab_pretrained"]


def test_eight_configurations_in_order_and_two_baselines():
    assert list(CONFIGURATIONS) == PAPER
    assert list(paper_models()) == [*PAPER, "baseline_lab", "baseline_pet"] == [*CONFIGURATIONS, *BASELINES]
    assert list(paper_models(baselines=False)) == PAPER


def test_each_is_what_its_name_says():
    models = paper_models(weights={"ct": "weights.safetensors"})
    single = {
        "lab": LabPFSClassifier,
        "pet": PETPFSClassifier,
        "ct": CTPFSClassifier,
        "baseline_lab": LabBaselineClassifier,
        "baseline_pet": PETBaselineClassifier,
    }
    for name, model in models.items():
        assert type(model) is single.get(name, FusionPFSClassifier)
        if name not in single:
            assert tuple(model.modalities) == tuple(name.removesuffix("_pretrained").split("_"))
        clone(model)
    assert models["lab"].model == "random_forest"
    # Paths are made absolute when given.
    assert models["pet_ct_lab_pretrained"].weights == {"ct": os.path.abspath("weights.safetensors")}
    assert models["pet_ct_lab"].weights is None


def test_an_unknown_name_of_weights_is_refused_before_any_estimator_is_made(monkeypatch):
    monkeypatch.setattr("prrt_estimators.model_selection._models._class_of", lambda _: pytest.fail("made"))
    for weights in ("mermaid", {"ct": "mermaid"}):
        with pytest.raises(PretrainedWeightsError) as caught:
            paper_models(weights=weights)
        assert caught.value.kind == "unknown"


def test_no_model_has_the_name_of_a_group_or_the_former_name_of_another():
    assert not set(MODEL_GROUPS) & set(MODELS)
    former = [spec.formerly for spec in MODELS.values() if spec.formerly]
    assert not set(former) & set(MODELS)
    assert len(set(former)) == len(former)
    assert chosen_models("recommended") == [spec.name for spec in MODELS.values() if spec.recommended]
    assert chosen_models("recommended_lesions_labs") == ["recommended_lesions_labs"]


def test_results_by_a_former_name_are_shown_as_those_of_the_model():
    assert model_title("recommended") == MODELS["recommended_lesions_labs"].title
    assert list(paper_models(include=["recommended"])) == ["recommended_lesions_labs"]


def test_a_renamed_model_keeps_its_seeds_and_its_finished_folds(tmp_path):
    def models(name):
        return {name: DummyClassifier(strategy="stratified"), "other": DummyClassifier()}

    X, y = np.zeros((24, 1)), np.tile([0, 1], 12)
    options = {"cv": 3, "random_state": 5, "verbose": 0}
    before = compare_models(
        models("noise_at_first"), X, y, out=tmp_path, primary=("noise_at_first", "other"), **options
    )
    spec = ModelSpec("noise", "Noise", DummyClassifier, {"strategy": "stratified"}, formerly="noise_at_first")
    with MODELS.including(spec):
        fresh = compare_models(models("noise"), X, y, **options)
        (tmp_path / "folds" / "noise_at_first" / "0-1.json").unlink()
        resumed = compare_models(models("noise"), X, y, out=tmp_path, primary=("noise", "other"), **options)
    other = compare_models(models("another"), X, y, **options)
    for found in (fresh, resumed):
        assert set(found.predictions["model"]) == {"noise", "other"}
        np.testing.assert_array_equal(found.predictions["y_score"], before.predictions["y_score"])
    assert (other.predictions["y_score"] != before.predictions["y_score"]).any()
    written = {path.name for path in (tmp_path / "folds" / "noise").glob("*.json")}
    assert written == {"0-1.json"}
    assert resumed.run["primary"] == {"models": ["noise", "other"], "named": "before"}


def test_without_weights_the_pretrained_one_is_skipped():
    model = paper_models()["pet_ct_lab_pretrained"]
    assert isinstance(model, Skipped)
    assert "weights={'ct'" in model.reason


def test_weights_and_how_much_to_train_reach_the_pretrained_one_alone():
    models = paper_models(weights={"ct": Path("w.pt")}, finetune="last")
    for name, model in models.items():
        params = model.get_params()
        expected = ({"ct": os.path.abspath("w.pt")}, "last") if name == "pet_ct_lab_pretrained" else (None, "frozen")
        assert (params.get("weights"), params.get("finetune", "frozen")) == expected, name
    assert paper_models(weights={"ct": "astra"})["pet_ct_lab_pretrained"].finetune == "frozen"
    pretrainer = CTPretrainer(max_epochs=3)
    model = paper_models(weights={"ct": pretrainer})["pet_ct_lab_pretrained"]
    assert model.weights["ct"] is pretrainer
    assert clone(model).get_params()["weights__ct__max_epochs"] == 3


def test_none_means_the_estimators_own_defaults():
    fusion = FusionPFSClassifier().get_params()
    given = {"modalities": ("pet", "ct", "lab"), "encoder": "compact"}
    assert paper_models()["pet_ct_lab"].get_params() == fusion | given


def test_what_is_given_reaches_every_model_that_has_it():
    given = {
        "max_epochs": 3,
        "size": (16, 16, 24),
        "spacing": 12.0,
        "batch_size": 4,
        "device": "cpu",
        "random_state": 5,
        "cache_dir": os.path.abspath("somewhere"),
        "verbose": 1,
    }
    for name, model in paper_models(weights={"ct": "w.pt"}, **given).items():
        params = model.get_params()
        shared = {key: value for key, value in given.items() if key in params}
        assert {key: params[key] for key in shared} == shared, name
        if name not in ("lab", "baseline_lab", "baseline_pet"):
            assert set(shared) == set(given), name
    assert paper_models(size=16)["baseline_pet"].size == 16


def test_include():
    assert list(paper_models(include=["baseline_pet", "ct_lab", "lab"])) == ["lab", "ct_lab", "baseline_pet"]
    assert list(paper_models(include=["baseline_lab"], baselines=False)) == ["baseline_lab"]
    assert list(paper_models(include="pet")) == ["pet"]
    for wrong in (["mri"], []):
        with pytest.raises(ValueError, match=r"models must be some of recommended_lesions_labs, .* lab, pet"):
            paper_models(include=wrong)
