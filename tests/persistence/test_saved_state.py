"""An estimator owns its saved state: every attribute that `fit` leaves comes back, or saving says what cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.base
import torch

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    CTPretrainer,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
    estimators,
    load_model,
    save_model,
)
from prrt_estimators.estimators import (
    BlockFusionPFSClassifier,
    BlockFusionPFSSurvival,
    CoxPFSClassifier,
    CoxPFSSurvival,
    CTPFSSurvival,
    FusionPFSSurvival,
    LabBaselineSurvival,
    LabPFSSurvival,
    LateFusionPFSSurvival,
    PETPFSSurvival,
    PublishedScoreClassifier,
)
from prrt_estimators.estimators._saved_state import learnt_attributes
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.persistence import _save
from prrt_estimators.pretrained._branches import PretrainedBranch
from prrt_estimators.pretrained._saved_branches import describe_branch

N = 12
Y = np.array([0, 1] * 6)
MONTHS = np.linspace(3.0, 9.0, N) + 12 * Y
SMALL = {"block_inplanes": [8, 16, 16, 16]}
QUICK = {"max_epochs": 1, "random_state": 0, "device": "cpu", "encoder_params": SMALL}
PRETRAINER = CTPretrainer(max_epochs=1, random_state=0, encoder_params=SMALL)
MODELS = [
    LabPFSClassifier(n_estimators=3, random_state=0),
    LabPFSClassifier(model="logistic"),
    LabBaselineClassifier(),
    PETBaselineClassifier(),
    PETPFSClassifier(**QUICK),
    CTPFSClassifier(weights=PRETRAINER, finetune="last", **(QUICK | {"encoder_params": None})),
    FusionPFSClassifier(weights={"ct": PRETRAINER}, encoder_params={"pet": SMALL}, max_epochs=1, random_state=0),
    PRETRAINER,
    CoxPFSClassifier(prior="published"),
    BlockFusionPFSClassifier(prior="published", blocks=("labs",)),
    PublishedScoreClassifier(name="cga_200"),
    CoxPFSSurvival(prior="published"),
    LabPFSSurvival(),
    LabPFSSurvival(model="forest", n_estimators=3, random_state=0),
    LabBaselineSurvival(),
    BlockFusionPFSSurvival(blocks=("labs",)),
    PETPFSSurvival(**QUICK),
    CTPFSSurvival(head="cox", **QUICK),
    FusionPFSSurvival(max_epochs=1, random_state=0, encoder_params=SMALL),
    LateFusionPFSSurvival(
        estimators={
            "lab": LabPFSSurvival(model="forest", n_estimators=3),
            "pet": PETPFSSurvival(**QUICK),
            "markers": LabBaselineSurvival(),
        },
        cv=2,
        random_state=0,
    ),
]
#: Not saved, with the reason: a fitted pretrainer has done its work; what it made is a branch.
APART = {"pretrainers_"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, N), "AST": rng.random(N), "ALT": rng.random(N) * 50})
    return Cohort({"pet": rng.random((N, 1, 8, 8, 8)), "ct": rng.normal(0, 100, (N, 1, 8, 8, 8)), "lab": lab})


def plain(value):
    """Return anything that a fit leaves as numbers, texts, lists and dicts."""
    if isinstance(value, PretrainedBranch):
        # The weights lie in another file than they were read from, without its note, so they are compared themselves.
        weights = {key: tensor.numpy().tolist() for key, tensor in value.source.state().items()}
        return describe_branch(value) | {"digest": weights}
    if hasattr(value, "module_"):
        return {key: tensor.numpy().tolist() for key, tensor in value.module_.state_dict().items()}
    if isinstance(value, pd.DataFrame):
        return [str(value.dtypes.to_dict()), value.to_dict("list")]
    if isinstance(value, np.ndarray):
        return [value.dtype.kind, value.shape, plain(value.tolist())]
    if isinstance(value, (np.generic, torch.Tensor)):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(plain, value)]
    if isinstance(value, np.random.RandomState) or callable(value):
        return repr(type(value))
    if hasattr(value, "__getstate__") and type(value).__module__.startswith(("sklearn", "prrt")):
        return [
            type(value).__name__,
            plain(
                dict(value.__getstate__() if hasattr(value, "nodes") or not hasattr(value, "__dict__") else vars(value))
            ),
        ]
    return value


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{type(model).__name__} {getattr(model, 'model', '')}")
def test_every_learnt_attribute_comes_back(model, X, tmp_path):
    if isinstance(model, CoxPFSClassifier):
        fitted = sklearn.base.clone(model).fit(X["lab"], Y, time=MONTHS)
    elif hasattr(model, "predict_survival_function"):
        times = {"event": np.ones(N), "time": MONTHS}
        fitted = sklearn.base.clone(model).fit(X, times)
    else:
        fitted = sklearn.base.clone(model).fit(X, Y)
    assert_same(fitted, load_model(save_model(fitted, tmp_path / "model.prrt")))


def assert_same(fitted, loaded):
    before, back = learnt_attributes(fitted), learnt_attributes(loaded)
    assert len(before) > 1
    assert back.keys() == before.keys()
    for name in before.keys() - APART:
        if name == "models_":
            assert list(back[name]) == list(before[name])
            for one in before[name]:
                assert_same(before[name][one], back[name][one])
            continue
        if name == "weights_" and not isinstance(before[name], dict):
            assert Path(back[name]).read_bytes() == Path(before[name]).read_bytes()
            continue
        assert type(back[name]) is type(before[name]), name
        np.testing.assert_equal(plain(back[name]), plain(before[name]), err_msg=name)


def test_every_public_estimator_is_tried():
    public = {name for name in estimators.__all__ if isinstance(getattr(estimators, name), type)}
    assert {type(model).__name__ for model in MODELS} == public


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, (2, 3.5)], "b": None},
        np.array([[1.5, np.nan]]),
        np.array(["x", "y"], dtype=object),
        np.float64("nan"),
        pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan], "t": ["a", "b"], "b": [True, False]}),
        pd.DataFrame({"n": []}),
    ],
    ids=str,
)
def test_what_a_later_estimator_learns_is_kept_without_a_list(value, X, tmp_path):
    fitted = LabPFSClassifier(model="logistic").fit(X, Y)
    fitted.later_ = value
    back = load_model(save_model(fitted, tmp_path / "model.prrt")).later_
    np.testing.assert_equal(plain(back), plain(value))


def test_what_cannot_be_written_is_refused_before_a_file_is_there(X, tmp_path):
    fitted = LabPFSClassifier(model="logistic").fit(X, Y)
    fitted.later_ = object()
    with pytest.raises(TypeError, match="learnt as 'later_' holds a object"):
        save_model(fitted, tmp_path / "model.prrt")
    assert not list(tmp_path.glob("model*"))


def test_a_file_cannot_set_what_no_fit_learns(X, tmp_path, monkeypatch):
    fitted = LabPFSClassifier(model="logistic").fit(X, Y)
    monkeypatch.setattr(_save, "_json", lambda data, write=_save._json: write(data | {"fitted": {"predict": 1}}))
    path = save_model(fitted, tmp_path / "model.prrt")
    with pytest.raises(SavedModelError, match="holds 'predict', which no fit learns"):
        load_model(path)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"cache_dir": "cache"}, None),
        ({"weights": {"ct": "own.safetensors", "pet": "medicalnet-10"}}, {"ct": None, "pet": "medicalnet-10"}),
        ({"weights": Path("own.pt")}, None),
        ({"log": ["CgA [ug/L]"]}, ["CgA [ug/L]"]),
    ],
)
def test_paths_of_this_machine_do_not_enter_a_file(options, kept):
    from prrt_estimators.persistence._configuration import from_data, parameters_as_data

    (name,) = options
    data = parameters_as_data(FusionPFSClassifier(**options))[name]
    assert from_data(data, {}, "") == kept
