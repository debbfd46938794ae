"""Maps reach through pretrained networks that ran once a patient, back to the voxels of the scan."""

from __future__ import annotations

import numpy as np
import pytest
from pretrained_helpers import array_cohort, ct, fusion, publish

from prrt_estimators import Cohort
from prrt_estimators.cohort import Volumes
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection import _inputs as inputs_module
from prrt_estimators.inspection import saliency, weight_randomisation
from prrt_estimators.pretrained import _sources


def logit(model, X):
    p = model.predict_proba(X)[:, 1]
    return np.log(p / (1 - p))


@pytest.fixture(params=[True, False], ids=["own grid", "box"])
def fitted(request, monkeypatch, tmp_path):
    """Give a way to fit a network with pretrained weights, on their own grid or in the patient's box."""
    X, y = array_cohort(8)

    def fit(**options):
        own = {} if request.param else {"size": None, "spacing": None, "window": None}
        publish(monkeypatch, tmp_path, **own)
        return ct(cache_dir=tmp_path / "cache", **options).fit(X, y), X

    return fit


@pytest.mark.parametrize("finetune", ["frozen", "last"])
def test_the_slope_reaches_back_to_the_scan(fitted, finetune):
    model, X = fitted(finetune=finetune, dropout=0.0)
    maps = saliency(model, X[:2])
    assert list(maps) == ["ct"]
    low, high = model.branches_["ct"].source.window
    for row in range(2):
        volume, gradient = maps.volumes["ct"][row, 0], maps["ct"][row, 0]
        assert np.abs(gradient).max() > 0
        # The whole network from the voxels on, asked again: uphill it rises as much as the map says.
        opened = inputs_module.open_inputs(model, X[row : row + 1])
        given = opened.patient(0)
        here = float(opened.module(**given))
        assert here == pytest.approx(float(logit(model, X[row : row + 1])[0]), abs=2e-3)
        within = (volume > low + 5) & (volume < high - 5)
        step = 0.4 * within * gradient / np.abs(gradient).max()
        moved = {sign: dict(given) | {"ct": given["ct"] + sign * given["ct"].new_tensor(step)} for sign in (1, -1)}
        rise = float(opened.module(**moved[1]) - opened.module(**moved[-1])) / 2
        assert rise == pytest.approx(float((gradient * step).sum()), rel=0.05)


def test_a_change_of_the_scan_changes_the_prediction_as_the_map_says(monkeypatch, tmp_path):
    """Through reading, resampling and the features that are computed anew: nothing of the way is left out."""
    publish(monkeypatch, tmp_path)
    X, y = array_cohort(8)
    model = ct(cache_dir=tmp_path / "cache").fit(X, y)
    maps = saliency(model, X[:3])
    low, high = model.branches_["ct"].source.window
    for row in range(3):
        one = X["ct"][row : row + 1]
        within = (one.array[0, 0] > low + 30) & (one.array[0, 0] < high - 30)
        slope = maps.to_native(row, "ct", one.array.shape[2:], np.diag([*one.spacing[0], 1.0])) * within
        uphill, downhill = (
            Volumes((one.array + sign * 20.0 * slope / np.abs(slope).max()).astype(np.float32), spacing=one.spacing)
            for sign in (1, -1)
        )
        assert logit(model, Cohort({"ct": uphill}))[0] > logit(model, Cohort({"ct": downhill}))[0]


@pytest.mark.parametrize("method", ["smoothgrad", "integrated_gradients", "gradcam"])
def test_every_method_reaches_through(fitted, method):
    model, X = fitted()
    maps = saliency(model, X[:1], method=method, n_samples=3, n_steps=64, random_state=0)
    assert np.ptp(maps["ct"]) > 0
    if method == "integrated_gradients":
        assert maps.completeness_error[0] < 0.01


def test_model_and_shared_network_stay_as_they_are(fitted):
    model, X = fitted()
    source = model.branches_["ct"].source
    before = logit(model, X), {key: value.clone() for key, value in _sources._last[1].state_dict().items()}
    saliency(model, X[:1], method="gradcam")
    weight_randomisation(model, X[:1], random_state=0)
    np.testing.assert_array_equal(logit(model, X), before[0])
    shared = _sources.shared_encoder(source, _sources._last[0][2])
    assert all((value == before[1][key]).all() for key, value in shared.state_dict().items())
    assert not any(weight.requires_grad for weight in shared.parameters())
    assert all(weight.requires_grad for weight in model.net_.module_.head.parameters())


def test_pet_and_ct_have_maps_at_once_each_on_its_grid(monkeypatch, tmp_path):
    publish(monkeypatch, tmp_path)
    X, y = array_cohort(8)
    pet = np.random.default_rng(0).random(X["ct"].array.shape).astype(np.float32)
    both = Cohort(dict(X) | {"pet": Volumes(pet, spacing=X["ct"].spacing)})
    model = fusion(cache_dir=tmp_path / "cache").fit(both, y)
    maps = saliency(model, both[:2])
    assert sorted(maps) == ["ct", "pet"]
    assert maps["pet"].shape[2:] == pet.shape[2:]
    assert maps["ct"].shape[2:] == model.branches_["ct"].source.size
    assert maps.without_place == {}


def no_memory(*_):
    raise MemoryError("one patient needs 9 GB.")


def no_file(*_):
    raise FileNotFoundError("there is no file w.pt.")


@pytest.mark.parametrize("instead", [no_memory, no_file])
def test_a_network_that_cannot_be_run_here_has_no_map_and_says_why(monkeypatch, tmp_path, instead):
    publish(monkeypatch, tmp_path)
    X, y = array_cohort(8)
    model = ct(cache_dir=tmp_path / "cache").fit(X, y)
    monkeypatch.setattr(inputs_module, "shared_encoder", instead)
    with pytest.warns(
        ExplanationWarning, match="no map of CT.*cannot be run backwards here: (one patient|there is no file)"
    ):
        maps = saliency(model, X[:1])
    assert maps == {}
    assert list(maps.without_place) == ["ct"]


def test_a_pretrained_network_takes_one_scan_at_a_time_on_a_cpu(monkeypatch, tmp_path):
    publish(monkeypatch, tmp_path)
    X, y = array_cohort(8)
    model = ct(cache_dir=tmp_path / "cache", batch_size=8).fit(X, y)
    opened = inputs_module.open_inputs(model, X[:1])
    assert opened.at_once == 1
    seen = []
    opened.module.encoders["ct"].register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    from prrt_estimators.inspection._gradients import Settings, patient_maps

    patient_maps(opened, 0, Settings("smoothgrad", 5, 0.1, 1, 0, "logit", "blurred", opened.at_once))
    assert max(seen) == 1
    assert sum(seen) >= 5
    own = ct(weights=None, finetune="full", size=12, batch_size=8).fit(X, y)
    assert inputs_module.open_inputs(own, X[:1]).at_once == 8
