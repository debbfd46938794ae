"""Maps are the derivatives they claim to be, of the model as it is, for each patient alone."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from saliency_helpers import fusion_model, pet_model, planted
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, PETPFSClassifier
from prrt_estimators.exceptions import ExplanationWarning, MissingDependencyError, MissingModalityError
from prrt_estimators.inspection import SaliencyMaps, saliency

METHODS = ["gradient", "smoothgrad", "integrated_gradients", "gradcam"]


def logit(model, X):
    p = model.predict_proba(X)[:, 1]
    return np.log(p / (1 - p))


def changed(X, name, row, voxel, by):
    array = X[name].array.copy()
    array[(row, 0, *voxel)] += by
    return Cohort(dict(X) | {name: array}, ids=X.ids)


def moved(X, name, by):
    return Cohort(dict(X) | {name: X[name].array + by.astype(np.float32)}, ids=X.ids)


@pytest.mark.parametrize("name", ["pet", "ct"])
def test_gradient_is_the_slope_of_the_logit_in_suv_and_hu(name):
    model, X, _ = fusion_model()
    X = X[:2]
    gradient = saliency(model, X)[name]
    # All voxels that stay within the window move at once, uphill, so that the difference has digits to spare.
    low, high, most = {"pet": (0.1, 19.0, 0.01), "ct": (-100.0, 200.0, 0.4)}[name]
    within = (X[name].array > low) & (X[name].array < high)
    step = most * within * gradient / np.abs(gradient).max()
    up, down = (logit(model, moved(X, name, by * step)) for by in (1, -1))
    np.testing.assert_allclose((up - down) / 2, (gradient * step).sum(axis=(1, 2, 3, 4)), rtol=0.05)


def test_gradient_is_that_of_the_module():
    model, X, _ = fusion_model()
    module = model.net_.module_.eval()
    volumes = {name: torch.tensor(X[name].array, requires_grad=True) for name in ("pet", "ct")}
    lab = torch.tensor(np.asarray(model.preprocessor_.transform(X["lab"]), dtype=np.float32))
    logits = module(present=torch.ones(len(X), 3, dtype=torch.bool), lab=lab, **volumes)
    expected = torch.autograd.grad(logits.sum(), list(volumes.values()))
    maps = saliency(model, X)
    assert list(maps) == ["pet", "ct"]
    for name, values in zip(("pet", "ct"), expected, strict=True):
        np.testing.assert_allclose(maps[name], values.numpy(), atol=1e-5 * values.abs().max())
    p = model.predict_proba(X)[:, 1].reshape(-1, 1, 1, 1, 1)
    of_probability = saliency(model, X, target="probability")
    np.testing.assert_allclose(of_probability["pet"], maps["pet"] * p * (1 - p), atol=1e-5 * abs(maps["pet"]).max())


def test_beyond_its_window_the_model_sees_no_difference():
    model, X, _ = pet_model()
    bright = changed(X[:2], "pet", 0, (5, 5, 5), 100.0)
    assert saliency(model, X[:2])["pet"][0, 0, 5, 5, 5] != 0
    assert saliency(model, bright)["pet"][0, 0, 5, 5, 5] == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_patient_s_map_does_not_depend_on_the_others(method):
    model, X, _ = fusion_model()
    options = {"method": method, "n_samples": 3, "n_steps": 16, "random_state": 0}
    everyone, reverse = saliency(model, X[:3], **options), saliency(model, X[[2, 0]], **options)
    for name in ("pet", "ct"):
        assert everyone[name].shape == (3, 1, 16, 16, 16)
        assert everyone[name].dtype == np.float32
        assert np.ptp(everyone[name]) > 0
        np.testing.assert_array_equal(everyone[name][[2, 0]], reverse[name])


def test_the_model_is_left_as_it_was():
    model, X, _ = fusion_model()
    before, state = model.predict_proba(X), {k: v.clone() for k, v in model.net_.module_.state_dict().items()}
    for method in METHODS:
        saliency(model, X[:1], method=method, n_samples=2, n_steps=4, baseline="blurred")
    module = model.net_.module_
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert all(weight.requires_grad for weight in module.parameters())
    assert not any(part._forward_hooks or part._backward_hooks for part in module.modules())
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_smoothgrad_is_the_mean_gradient_around():
    model, X, _ = pet_model()
    plain = saliency(model, X[:2])["pet"]
    hardly = saliency(model, X[:2], method="smoothgrad", noise=1e-6, n_samples=2, random_state=0)["pet"]
    np.testing.assert_allclose(hardly, plain, atol=2e-3 * np.abs(plain).max())
    options = {"method": "smoothgrad", "n_samples": 4}
    one, same, other = (saliency(model, X[:1], random_state=seed, **options)["pet"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    state = torch.random.get_rng_state()
    saliency(model, X[:1], **options)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_integrated_gradients_are_complete():
    """The sum over PET and CT is the change from the baseline: to 0.02 of the logit or 2 % here."""
    model, X, _ = fusion_model()
    X = X[:5]
    bones = X["ct"].array.copy()
    bones[::2, 0, :, :2], bones[::2, 0, :, 12:] = -1000, 900  # beyond the window, where the path must not go
    X = Cohort(dict(X) | {"ct": bones})
    maps = saliency(model, X, method="integrated_gradients", baseline=X[2:], n_steps=32)
    mean = {name: np.clip(X[name].array[2:], *window).mean(axis=0, keepdims=True) for name, window in _WINDOWS.items()}
    start = Cohort({name: np.repeat(mean[name], len(X), axis=0) for name in mean} | {"lab": X["lab"]})
    change = logit(model, X) - logit(model, start)
    total = sum(maps[name].sum(axis=(1, 2, 3, 4)) for name in ("pet", "ct"))
    np.testing.assert_allclose(total, change, rtol=0.02, atol=0.02)
    np.testing.assert_allclose(maps.completeness_error, abs(total - change), atol=1e-3)


_WINDOWS = {"pet": (0.0, 20.0), "ct": (-160.0, 240.0)}


def test_integrated_gradients_of_a_trained_model_are_complete():
    model, X, _ = pet_model()
    maps = saliency(model, X[:10], method="integrated_gradients")
    assert maps.completeness_error.max() < 0.1
    with pytest.warns(ExplanationWarning, match="Pass more n_steps than 1"):
        worse = saliency(model, X[:10], method="integrated_gradients", n_steps=1)
    assert worse.completeness_error.mean() > 10 * maps.completeness_error.mean()


def test_gradcam_agrees_with_monai():
    from monai.visualize import GradCAM

    class Single(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, pet):
            return self.module(present=torch.ones(len(pet), 1, dtype=torch.bool), pet=pet)[:, None]

    X, y = planted(8)
    X = X.select("pet")
    model = PETPFSClassifier(max_epochs=1, device="cpu", random_state=0).fit(X, y)
    ours = saliency(model, X[:3], method="gradcam")["pet"]
    wrapped = Single(model.net_.module_.eval())
    # 16 voxels: the stem leaves 4, the first stage keeps them, the second has 2.
    theirs = GradCAM(nn_module=wrapped, target_layers="module.encoders.pet.network.layer1", postprocessing=lambda x: x)
    coarse = theirs.compute_map(torch.tensor(X["pet"].array[:3]), class_idx=0).detach().numpy()
    assert ours.min() < 0 < ours.max()
    # At the centres of the coarse voxels nothing is interpolated but their neighbours' difference.
    centres = (ours[..., 1::4, :, :] + ours[..., 2::4, :, :]) / 2
    centres = (centres[..., 1::4, :] + centres[..., 2::4, :]) / 2
    centres = (centres[..., 1::4] + centres[..., 2::4]) / 2
    assert np.corrcoef(np.maximum(centres, 0).ravel(), coarse.ravel())[0, 1] > 0.98
    assert np.maximum(centres, 0).max() == pytest.approx(coarse.max(), rel=0.3)


@pytest.mark.parametrize("method", METHODS)
def test_a_patient_without_a_scan_has_no_map_of_it(method):
    model, X, _ = fusion_model()
    pet = X["pet"].array.copy()
    pet[1] = np.nan
    part = Cohort({"pet": pet, "ct": X["ct"], "lab": X["lab"]})[:3]
    maps = saliency(model, part, method=method, n_samples=2, n_steps=4)
    assert np.isnan(maps["pet"][1]).all()
    assert np.isfinite(maps["pet"][[0, 2]]).all()
    assert np.isfinite(maps["ct"]).all()
    assert maps.present("pet").tolist() == [True, False, True]
    without_labs = saliency(model, X[:2].select("ct"), method=method, n_samples=2, n_steps=4)
    assert list(without_labs) == ["ct"]


def test_maps_of_folds_are_averaged():
    model, X, y = pet_model()
    other = clone(model).set_params(max_epochs=1, random_state=3).fit(X, y)
    both = saliency([model, other], X[:2])
    np.testing.assert_allclose(
        both["pet"], (saliency(model, X[:2])["pet"] + saliency(other, X[:2])["pet"]) / 2, atol=1e-9
    )
    np.testing.assert_allclose(
        both.probability, (model.predict_proba(X[:2])[:, 1] + other.predict_proba(X[:2])[:, 1]) / 2
    )
    assert both.n_models == 2
    fused, *_ = fusion_model()
    with pytest.raises(ValueError, match="same volumes"):
        saliency([model, fused], Cohort(dict(planted(2)[0])))


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.42, 0.61), "0.42 to 0.61.*includes 0.5"),
        ((0.5, 0.7), "includes 0.5"),
        ((0.2, 0.4), "lies below 0.5"),
        ((np.nan, np.nan), "not known"),
        (pd.Series({"auroc_low": 0.3, "auroc_high": 0.6}), "includes 0.5"),
    ],
)
def test_maps_of_a_model_no_better_than_chance_say_so(interval, words):
    model, X, _ = pet_model()
    with pytest.warns(ExplanationWarning, match=words):
        maps = saliency(model, X[:1], auroc_interval=interval)
    assert maps.caution


def test_maps_of_a_model_better_than_chance_carry_no_caution():
    model, X, _ = pet_model()
    assert saliency(model, X[:1], auroc_interval=(0.55, 0.9)).caution == ""


def test_what_has_no_volumes_has_no_maps():
    lab, labels = planted(12)
    only = FusionPFSClassifier(modalities=["lab"], max_epochs=1).fit(lab, labels)
    with pytest.raises(MissingModalityError, match="need PET or CT"):
        saliency(only, lab)
    with pytest.raises(TypeError, match="got LabPFSClassifier"):
        saliency(LabPFSClassifier().fit(lab, labels), lab)
    with pytest.raises(NotFittedError):
        saliency(PETPFSClassifier(), lab)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "lime"}, ValueError, "`method` must be one of gradient"),
        ({"target": "loss"}, ValueError, "`target`"),
        ({"n_samples": 0}, ValueError, "`n_samples`"),
        ({"n_steps": 2.5}, ValueError, "`n_steps`"),
        ({"noise": 0}, ValueError, "`noise`"),
        ({"baseline": "white"}, ValueError, "`baseline`"),
        ({"auroc_interval": (0.9, 0.2)}, ValueError, "lower limit first"),
        ({"auroc_interval": "0.5"}, TypeError, "auroc_low"),
    ],
)
def test_parameters_are_checked(options, error, words):
    model, X, _ = pet_model()
    with pytest.raises(error, match=words):
        saliency(model, X[:1], **options)
    with pytest.raises(ValueError, match="empty"):
        saliency([], X)


def test_without_captum_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    monkeypatch.setitem(sys.modules, "captum", None)
    model, X, _ = pet_model()
    with pytest.raises(MissingDependencyError, match=r"pip install .prrt-estimators\[explain\]"):
        saliency(model, X[:1])


def test_patients_are_found_by_row_and_by_id():
    values = np.zeros((3, 1, 4, 4, 4))
    where = {"volumes": {"pet": values}, "affines": {"pet": np.tile(np.eye(4), (3, 1, 1))}}
    maps = SaliencyMaps(
        {"pet": values}, ids=["a", "b", "b"], probability=np.ones(3), method="gradient", target="logit", **where
    )
    assert maps.row("a") == 0
    assert maps.row(-1) == 2
    for wrong in ("b", "c", 3):
        with pytest.raises(ValueError, match="`patient`"):
            maps.row(wrong)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_maps_of_networks_that_turn_the_scan_are_turned_back(axes):
    """Encoders with pretrained weights may take the axes in another order; Grad-CAM comes out in that order."""
    from prrt_estimators.inspection._inputs import open_inputs
    from prrt_estimators.networks._encoders import InputForm

    model, X, _ = pet_model()
    inputs = open_inputs(model, X[:1])
    form = InputForm(axes=axes)
    inputs.encoder("pet").form = form
    volumes = torch.rand(1, 1, 3, 4, 5)
    assert torch.equal(inputs.from_network_axes("pet", form(volumes)), volumes)
