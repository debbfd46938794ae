"""The encoder that a network is trained with from scratch: volumes on the scale of the training patients."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from prrt_estimators import CTPFSClassifier, FusionPFSClassifier, load_model, paper_models, save_model
from prrt_estimators.networks import build_encoder

FEW = {"max_epochs": 2, "batch_size": 4, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def volumes():
    rng = np.random.default_rng(0)
    return rng.normal(size=(8, 1, 12, 12, 12)).astype(np.float32) + 3, np.array([0, 1] * 4)


def encoder_of(model, name="ct"):
    return model.net_.module_.encoders[name]


def test_the_scale_is_that_of_the_windowed_voxels_of_the_training_patients(volumes):
    X, y = volumes
    encoder = encoder_of(CTPFSClassifier(window=(2, 4), **FEW).fit(X, y))
    windowed = (np.clip(X.astype(np.float64), 2, 4) - 2) / 2
    assert float(encoder.mean) == pytest.approx(windowed.mean(), rel=1e-5)
    assert float(encoder.scale) == pytest.approx(windowed.std(), rel=1e-5)


def test_patients_without_weight_have_no_part_in_the_scale(volumes):
    X, y = volumes
    louder = X.copy()
    louder[-2:] *= 100
    weight = np.r_[np.ones(6), 0, 0]
    encoder = encoder_of(CTPFSClassifier(window=None, **FEW).fit(louder, y, sample_weight=weight))
    assert float(encoder.scale) == pytest.approx(X[:6].std(), rel=1e-5)


def test_missing_scans_have_no_part_in_the_scale(volumes):
    X, y = volumes
    half = np.concatenate([X[:6], np.full_like(X[6:], np.nan)])
    model = FusionPFSClassifier(window=None, **FEW).fit({"ct": half, "pet": np.abs(X)}, y)
    assert float(encoder_of(model).mean) == pytest.approx(X[:6].mean(), rel=1e-5)
    assert float(encoder_of(model, "pet").mean) == pytest.approx(np.abs(X).mean(), rel=1e-5)


def test_units_change_no_prediction(volumes):
    X, y = volumes
    probabilities = [
        CTPFSClassifier(window=None, **FEW).fit(factor * X, y).predict_proba(factor * X) for factor in (1, 2**-10)
    ]
    assert np.array_equal(*probabilities)


def test_volumes_of_one_value_are_taken(volumes):
    X, y = volumes
    model = CTPFSClassifier(window=None, **FEW).fit(np.ones_like(X), y)
    assert float(encoder_of(model).scale) == 1.0
    assert np.isfinite(model.predict_proba(X)).all()


def test_twice_the_uptake_is_another_volume_but_to_group_normalisation():
    torch.manual_seed(0)
    volume = torch.rand(1, 1, 16, 16, 16)
    difference = {}
    for name in ("narrow_resnet10", "compact"):
        encoder = build_encoder(name, None, (16, 16, 16)).eval()
        with torch.no_grad():
            one, two = encoder(volume), encoder(2 * volume)
        difference[name] = float((one - two).abs().mean() / one.abs().mean())
    assert difference["narrow_resnet10"] > 0.5
    assert difference["compact"] < 0.01


def test_the_scale_is_saved(volumes, tmp_path):
    X, y = volumes
    model = CTPFSClassifier(window=None, **FEW).fit(X, y)
    save_model(model, tmp_path / "m.prrt", X=X, y=y)
    read = load_model(tmp_path / "m.prrt")
    assert float(encoder_of(read).scale) == float(encoder_of(model).scale) != 1.0
    assert np.array_equal(read.predict_proba(X), model.predict_proba(X))


def test_auto_is_the_network_of_the_weights_where_there_are_any(volumes, tmp_path):
    X, y = volumes
    state = build_encoder("compact", None, (12, 12, 12)).network.state_dict()
    save_file(state, tmp_path / "w.safetensors")
    model = FusionPFSClassifier(weights={"ct": tmp_path / "w.safetensors"}, finetune="full", **FEW)
    model.fit({"pet": np.abs(X), "ct": X}, y)
    assert model.branches_["ct"].source.encoder == "compact"
    assert encoder_of(model, "pet").standardised
    assert not encoder_of(model).standardised


def test_the_configurations_of_the_study_keep_their_encoder():
    networks = {name: model.encoder for name, model in paper_models().items() if hasattr(model, "encoder")}
    assert len(networks) == 6
    assert set(networks.values()) == {"compact"}
