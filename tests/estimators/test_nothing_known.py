"""Numbers that are none, and patients of whom nothing is known: told or refused, never a probability in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from safetensors.torch import save_file

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
)
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier, PublishedScoreClassifier
from prrt_estimators.exceptions import CohortError, CohortWarning, NothingKnownWarning, PretrainedWeightsError
from prrt_estimators.networks import build_encoder

RNG = np.random.default_rng(0)
N = 12
Y = np.arange(N) % 2
IDS = [f"P{k}" for k in range(N)]
PET = RNG.gamma(2, 1, (N, 1, 8, 8, 8)).astype(np.float32)
LAB = pd.DataFrame({"CgA": RNG.lognormal(5, 1, N), "AST": RNG.normal(30, 3, N), "ALT": RNG.normal(30, 3, N)})
QUICK = {"size": 8, "max_epochs": 1, "random_state": 0, "device": "cpu"}


def without(rows, *modalities):
    pet, lab = PET.copy(), LAB.copy()
    if "pet" in modalities:
        pet[rows] = np.nan
    if "lab" in modalities:
        lab.iloc[rows] = np.nan
    return Cohort({"pet": pet, "lab": lab}, ids=IDS)


MODELS = {
    "fusion": (FusionPFSClassifier(**QUICK), ("pet", "lab")),
    "pet": (PETPFSClassifier(**QUICK), ("pet",)),
    "pet baseline": (PETBaselineClassifier(size=8), ("pet",)),
    "lab": (LabPFSClassifier(n_estimators=5, random_state=0), ("lab",)),
    "lab baseline": (LabBaselineClassifier(), ("lab",)),
    "fusion of labs alone": (FusionPFSClassifier(**QUICK, modalities=("lab",)), ("lab",)),
    "blocks": (BlockFusionPFSClassifier(blocks=["labs"]), ("lab",)),
    "late blocks": (BlockFusionPFSClassifier(blocks=["labs"], fusion="late", cv=2), ("lab",)),
    "published score": (PublishedScoreClassifier(name="cga_200"), ("lab",)),
}


@pytest.mark.parametrize("name", MODELS)
def test_patients_of_whom_nothing_is_known_are_named(name):
    model, looked_at = MODELS[name]
    model = model.fit(without([]), Y)
    with pytest.warns(CohortWarning, match="patient P2, P7: nothing that .* looks at is known"):
        model.predict_proba(without([2, 7], *looked_at))
    if len(looked_at) > 1:
        for one in looked_at:  # without a word: warnings are errors here
            model.predict_proba(without([2, 7], one))


@pytest.mark.parametrize("kind", ["table", "array"])
@pytest.mark.parametrize(
    "model",
    [CoxPFSClassifier(), FusionPFSClassifier(**QUICK), BlockFusionPFSClassifier()],
    ids=lambda one: type(one).__name__,
)
def test_an_empty_row_of_a_plain_table_is_named(model, kind):
    table, gaps = (
        (LAB, without([4], "lab")["lab"])
        if kind == "table"
        else (LAB.to_numpy(), without([4], "lab")["lab"].to_numpy())
    )
    model.fit(table, Y)
    with pytest.warns(NothingKnownWarning, match="patient 4: nothing"):
        model.predict_proba(gaps)


def test_a_plain_table_names_rows():
    model = LabPFSClassifier(n_estimators=5, random_state=0).fit(LAB.to_numpy(), Y)
    table = LAB.to_numpy()
    table[[0, 3, 4, 5, 9]] = np.nan
    with pytest.warns(CohortWarning, match="patient 0, 3, 4 and 2 more: nothing"):
        model.predict_proba(table)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("name", ["pet", "pet baseline", "fusion"])
def test_infinite_suv_is_refused_with_the_patient(value, name):
    model, _ = MODELS[name]
    pet = PET.astype(np.float64)
    pet[4, 0, 3, 3, 3] = value
    with np.errstate(over="ignore"):
        X = Cohort({"pet": pet, "lab": LAB}, ids=IDS)
    with pytest.raises(CohortError, match=r"patient P4, pet: 1 of 512 voxels are NaN or infinite"):
        model.fit(X, Y)


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("name", MODELS)
def test_weights_that_are_no_weights_are_refused(weight, name):
    model, _ = MODELS[name]
    weights = np.ones(N)
    weights[3] = weight
    for trusting in (False, True):
        with (
            sklearn.config_context(assume_finite=trusting),
            pytest.raises(ValueError, match=r"(?i)nan|infinity|negative"),
        ):
            model.fit(without([]), Y, sample_weight=weights)


@pytest.mark.parametrize("weights", [{0: np.nan, 1: 1.0}, {0: 1.0, 1: np.inf}, {0: -1.0, 1: 1.0}, {0: 0.0, 1: 0.0}])
def test_class_weights_that_are_no_weights_are_refused(weights):
    for model in (LabPFSClassifier(class_weight=weights), PETPFSClassifier(**QUICK, class_weight=weights)):
        with pytest.raises(ValueError, match="`class_weight` must hold finite weights"):
            model.fit(without([]), Y)


def test_training_that_diverges_ends_with_an_error():
    model = PETPFSClassifier(**QUICK | {"max_epochs": 30}, lr=1e30, optimizer="sgd")
    with pytest.raises(ValueError, match=r"training diverged: .* Pass a smaller lr"):
        model.fit(PET, Y)
    assert not hasattr(model, "net_")


def test_a_network_that_gives_no_number_says_so():
    model = PETPFSClassifier(**QUICK).fit(PET, Y)
    with torch.no_grad():
        next(model.net_.module_.head.parameters()).fill_(np.inf)
    with pytest.raises(ValueError, match=r"gives no number for 12 of 12 patients \(first: "):
        model.predict_proba(Cohort({"pet": PET}, ids=IDS))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pretrained_weights_that_are_no_numbers_are_refused(value, tmp_path):
    state = build_encoder("compact", None, (8, 8, 8)).network.state_dict()
    state = {key: one.clone().contiguous() for key, one in state.items()}
    next(one for one in state.values() if one.ndim == 5)[0, 0, 0, 0, 0] = value
    save_file(state, tmp_path / "w.safetensors")
    model = CTPFSClassifier(weights=str(tmp_path / "w.safetensors"), **QUICK)
    with pytest.raises(PretrainedWeightsError, match="NaN or infinite"):
        model.fit(RNG.normal(0, 100, (N, 1, 8, 8, 8)), Y)


@pytest.mark.parametrize("harm", [lambda c: c[:-40] + bytes(40), lambda c: c[:-1], lambda c: c + b"0"])
def test_weights_in_the_cache_that_were_damaged_are_not_used(harm):
    from pathlib import Path

    from prrt_estimators.estimators import CTPretrainer

    X = RNG.normal(0, 100, (6, 1, 8, 8, 8))
    pretrainer = CTPretrainer(size=8, max_epochs=1, random_state=0, device="cpu").fit(X)
    file = Path(pretrainer.weights_)
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(PretrainedWeightsError, match="was damaged since it was written"):
        pretrainer.transform(X[:2])
