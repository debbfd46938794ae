"""The configurations of the study by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sklearn.base import clone

from prrt_estimators.estimators import (
    CTPFSClassifier,
    CTPretrainer,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
)
from prrt_estimators.model_selection import BASELINES, CONFIGURATIONS, Skipped, paper_models

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
    assert paper_models()["pet_ct_lab"].get_params() == fusion | {"modalities": ("pet", "ct", "lab")}


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
        with pytest.raises(ValueError, match=r"models must be some of recommended, .* lab, pet"):
            paper_models(include=wrong)
