"""A 2D network on maximum-intensity projections: what it sees, and that it is an encoder like others."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from prrt_estimators import CTPFSClassifier, FusionPFSClassifier, PETPFSClassifier, load_model, save_model
from prrt_estimators.estimators import PETPFSSurvival
from prrt_estimators.inspection import saliency
from prrt_estimators.networks import ENCODERS, ProjectionEncoder, build_encoder

SMALL = {"backbone": "narrow_resnet10", "backbone_params": {"block_inplanes": [4, 4, 8, 8]}}
FEW = {"max_epochs": 2, "batch_size": 4, "size": 16, "random_state": 0, "device": "cpu"}
RNG = np.random.default_rng(0)
X = {"pet": RNG.random((8, 1, 16, 16, 16)).astype(np.float32)}
Y = np.array([0, 1] * 4)


class Flat(nn.Module):
    """A 2D network that returns its images, so that they can be compared."""

    def forward(self, images):
        return images.flatten(1)


class Coloured(nn.Module):
    def __init__(self, features=3):
        super().__init__()
        self.conv = nn.Conv2d(3, features, 3)

    def forward(self, images):
        return self.conv(images)


def test_images_are_the_maxima_upright_from_the_head_down():
    volume = RNG.random((3, 4, 5)).astype(np.float32)
    encoder = ProjectionEncoder(Flat, axes=("coronal", "sagittal", "axial"))
    seen = encoder(torch.from_numpy(volume)[None, None])[0].numpy()
    expected = [volume.max(1).T[::-1], volume.max(0).T[::-1], volume.max(2).T[::-1]]
    np.testing.assert_array_equal(seen, np.concatenate([image.ravel() for image in expected]))


def test_the_depth_along_the_line_of_sight_does_not_matter():
    volume = torch.from_numpy(X["pet"][:1])
    order = torch.from_numpy(RNG.permutation(16))
    encoder = ProjectionEncoder(axes="coronal").eval()
    with torch.no_grad():
        torch.testing.assert_close(encoder(volume[:, :, :, order]), encoder(volume))
        assert not torch.allclose(encoder(volume[:, :, order]), encoder(volume))


def test_mean_and_concatenation_of_the_same_features():
    torch.manual_seed(0)
    side_by_side = ProjectionEncoder(**SMALL).eval()
    mean = ProjectionEncoder(**SMALL, join="mean").eval()
    mean.load_state_dict(side_by_side.state_dict())
    volume = torch.from_numpy(X["pet"][:2])
    with torch.no_grad():
        long = side_by_side(volume)
        torch.testing.assert_close(mean(volume), (long[:, :8] + long[:, 8:]) / 2)


@pytest.mark.parametrize(
    ("params", "features"),
    [
        ({"backbone": "compact", "axes": ["axial"]}, 128),
        ({"backbone": "DenseNet169", "backbone_params": {"init_features": 8, "growth_rate": 4, "block_config": (1, 1, 1, 1)}}, 128),
        ({"backbone": Coloured, "channels": 3, "join": "mean"}, 3),
        ({"backbone": functools.partial(Coloured, features=5), "channels": 3}, 10),
    ],
)  # fmt: skip
def test_backbones_by_name_and_by_class(params, features):
    assert build_encoder("projections", params, (32, 32, 40)).out_features == features


def test_group_normalisation_stays_group_normalisation_in_2d():
    assert not build_encoder("projections", {"backbone": "compact"}, (16, 16, 16)).normalises_batch


def test_every_estimator_with_a_network_takes_it(tmp_path):
    fitted = PETPFSClassifier(encoder="projections", encoder_params=SMALL, **FEW).fit(X, Y)
    expected = fitted.predict_proba(X)
    assert len(np.unique(expected[:, 1])) > 1
    np.testing.assert_array_equal(clone(fitted).fit(X, Y).predict_proba(X), expected)
    np.testing.assert_array_equal(load_model(save_model(fitted, tmp_path / "model.prrt")).predict_proba(X), expected)

    data = X | {"lab": RNG.random((8, 2)), "ct": X["pet"] * 100}
    fusion = FusionPFSClassifier(
        encoder={"pet": "projections", "ct": "narrow_resnet10"}, encoder_params={"pet": SMALL, "ct": {"block_inplanes": [8] * 4}}, **FEW
    ).fit(data, Y)  # fmt: skip
    assert isinstance(fusion.net_.module_.encoders["pet"].network, ProjectionEncoder)
    assert not isinstance(fusion.net_.module_.encoders["ct"].network, ProjectionEncoder)
    times = {"event": Y.astype(bool), "time": np.arange(8) + 1.0}
    survival = PETPFSSurvival(encoder="projections", encoder_params=SMALL, **FEW).fit(X, times)
    assert np.isfinite(survival.predict(X)).all()


def test_a_search_chooses_among_planes():
    grid = {"encoder_params": [SMALL | {"axes": planes} for planes in (("coronal",), ("coronal", "axial"))]}
    model = PETPFSClassifier(encoder="projections", **(FEW | {"max_epochs": 1}))
    search = GridSearchCV(model, grid, cv=2, scoring="roc_auc").fit(X["pet"], Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_map_lights_the_brightest_voxel_of_each_line_only():
    model = PETPFSClassifier(encoder="projections", encoder_params=SMALL | {"axes": ["coronal"]}, **FEW).fit(X, Y)
    found = saliency(model, {"pet": X["pet"][:1]}, method="gradient")
    seen = found["pet"][0, 0] != 0
    assert 0 < seen.sum() <= 16 * 16
    assert (seen <= (X["pet"][0, 0] == X["pet"][0, 0].max(axis=1, keepdims=True))).all()
    with pytest.raises(ValueError, match=r"has none\. Pass method"):
        saliency(model, {"pet": X["pet"][:1]}, method="gradcam")


def test_pretrained_weights_of_a_file(tmp_path):
    torch.manual_seed(3)
    donor = ProjectionEncoder(**SMALL)
    save_file(donor.state_dict(), tmp_path / "flat.safetensors")
    options = {"encoder": "projections", "encoder_params": SMALL, "weights": tmp_path / "flat.safetensors"} | FEW
    for finetune in ("frozen", "last", "full"):
        model = CTPFSClassifier(finetune=finetune, **options).fit(X["pet"] * 100, Y)
        assert model.predict_proba(X["pet"] * 100).shape == (8, 2)


def test_a_backbone_of_the_users_own_is_passed_again_to_load(tmp_path):
    params = {"backbone": Coloured, "channels": 3}
    fitted = PETPFSClassifier(encoder="projections", encoder_params=params, **FEW).fit(X, Y)
    path = save_model(fitted, tmp_path / "model.prrt")
    with pytest.raises(ValueError, match=r"encoders=\{'Coloured': Coloured\}"):
        load_model(path)
    again = load_model(path, encoders={"Coloured": Coloured})
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"axes": ()}, ValueError, "one or more different planes of 'sagittal', 'coronal', 'axial'"),
        ({"axes": ("coronal", "coronal")}, ValueError, "different planes"),
        ({"axes": "oblique"}, ValueError, "got 'oblique'"),
        ({"join": "max"}, ValueError, "'concat', 'mean'; got 'max'"),
        ({"channels": 0}, ValueError, "positive whole number; got 0"),
        ({"backbone": "projections"}, ValueError, "not 'projections' itself"),
        ({"backbone": "NoNet"}, ValueError, "network of MONAI"),
        ({"backbone": "inflated_resnet152"}, ValueError, "length 2"),
        ({"backbone": Coloured, "backbone_params": {"depth": 3}}, TypeError, "do not fit 'Coloured'"),
    ],
)
def test_refusals(params, error, words):
    with pytest.raises(error, match=words):
        ENCODERS["projections"].build(**params)


def test_a_network_for_other_images_is_named_with_the_shape_it_got():
    with pytest.raises(ValueError, match=r"ProjectionEncoder cannot take volumes of shape \(1, 16, 16, 16\)"):
        build_encoder("projections", {"backbone": Coloured}, (16, 16, 16))
