"""Encoders of other hands: every form fits, is cloned, drawn anew, saved and loaded."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from prrt_estimators import PETPFSClassifier
from prrt_estimators.networks import build_encoder, build_network
from prrt_estimators.persistence import load_model, save_model

RNG = np.random.default_rng(0)
X = {"pet": RNG.random((6, 1, 16, 16, 16)).astype(np.float32)}
Y = np.array([0, 1] * 3)


class Net(nn.Module):
    """Two convolutions."""

    def __init__(self, channels=4, features=6):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv3d(1, channels, 3, stride=2), nn.ReLU(), nn.Conv3d(channels, features, 3))

    def forward(self, volumes):
        return self.layers(volumes)


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, volumes):
        return self.scale * volumes


def make_net(features=6):
    return Net(features=features)


def no_net():
    return 3


FORMS = {
    "class": (Net, {"features": 6}),
    "partial": (functools.partial(Net, features=6), None),
    "function": (make_net, {"features": 6}),
    "module": (Net(features=6), None),
}


def fitted(encoder, params, **options):
    settings = {"size": 16, "max_epochs": 2, "random_state": 0} | options
    return PETPFSClassifier(encoder=encoder, encoder_params=params, **settings).fit(X, Y)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_network(form, tmp_path):
    encoder, params = FORMS[form]
    expected = fitted(Net, {"features": 6}).predict_proba(X)
    model = fitted(encoder, params)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)
    path = save_model(model, tmp_path / "model.prrt")
    name = "make_net" if form == "function" else "Net"
    np.testing.assert_array_equal(load_model(path, encoders={name: encoder}).predict_proba(X), expected)
    with pytest.raises(ValueError, match=f"encoders={{'{name}': {name}}}"):
        load_model(path)


def test_by_modality():
    from prrt_estimators import FusionPFSClassifier

    data = X | {"lab": RNG.random((6, 2))}
    model = FusionPFSClassifier(
        encoder={"pet": functools.partial(Net, features=3)}, size=16, max_epochs=1, random_state=0
    )
    assert model.fit(data, Y).predict_proba(data).shape == (6, 2)


def test_a_module_is_never_shared_or_changed():
    module = Net()
    before = [weights.detach().clone() for weights in module.parameters()]
    first = fitted(module, None).predict_proba(X)
    with torch.no_grad():
        for weights in module.parameters():
            weights.fill_(7.0)
    np.testing.assert_array_equal(fitted(module, None).predict_proba(X), first)
    assert all((weights == 7).all() for weights in module.parameters())
    assert len(before) == 4


def test_networks_of_monai_by_name():
    encoder = build_encoder(
        "DenseNet169", {"init_features": 8, "growth_rate": 4, "block_config": (1, 1, 1, 1)}, (32, 32, 32)
    )
    assert encoder.out_features == 64
    assert type(encoder.network).__name__ == "DenseNet169"
    assert sum(p.numel() for p in build_network("SEResNet50", None).parameters()) > 1e6


@pytest.mark.parametrize(
    ("encoder", "params", "error", "words"),
    [
        ("NoNet", None, ValueError, "network of MONAI"),
        ("resnet101", None, ValueError, "network of MONAI"),  # a function of MONAI that may download
        ("SEResNet50", {"pretrained": True}, ValueError, "random weights"),
        (dict, None, TypeError, "nn.Module class"),
        (no_net, None, TypeError, "returned a int"),
        (Bare(), None, TypeError, r"part Bare holds weights.*pass the class"),
        (Net(), {"features": 3}, TypeError, "takes no arguments"),
        (3, None, TypeError, r"functools\.partial"),
        (Net, {"depth": 3}, TypeError, "do not fit 'Net'"),
    ],
)
def test_refusals(encoder, params, error, words):
    with pytest.raises(error, match=words):
        build_network(encoder, params)
