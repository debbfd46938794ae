"""What the registry says of published weights is true of the networks it names."""

from __future__ import annotations

import re

import pytest
import torch

from prrt_estimators.networks import ENCODERS, Encoder, InputForm, build_network
from prrt_estimators.networks._named_encoders import encoder_spec
from prrt_estimators.pretrained import WEIGHTS, PretrainedWeights

NAMES = ("merlin", "astra", "medicalnet-10", "medicalnet-18", "medicalnet-34", "medicalnet-50")


def test_the_names():
    assert tuple(WEIGHTS) == NAMES


@pytest.mark.parametrize("spec", WEIGHTS.values(), ids=lambda spec: spec.name)
def test_an_entry_says_all_that_it_takes_to_use_it(spec):
    assert spec.encoder in ENCODERS
    assert set(spec.modalities) <= {"pet", "ct"}
    assert spec.digests
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in spec.digests)
    assert spec.digest in spec.digests
    assert spec.licence
    assert spec.citation
    assert spec.megabytes > 1
    by_hub = (spec.repository, spec.revision, spec.filename)
    assert all(by_hub) != bool(spec.package)
    assert (spec.size is None) == (spec.spacing is None)


@pytest.mark.parametrize("spec", {spec.encoder: spec for spec in WEIGHTS.values()}.values(), ids=lambda spec: spec.name)
def test_the_network_gives_as_many_features_as_the_entry_says(spec):
    # On torch's meta device shapes are worked out and nothing is computed.
    with torch.device("meta"):
        network = build_network(spec.encoder, spec.encoder_params)
        encoder = Encoder(
            network, (48, 48, 48), form=encoder_spec(spec.encoder).form, out_features=spec.out_features
        ).eval()
        assert encoder(torch.empty(2, 1, 48, 48, 48)).shape == (2, spec.out_features)


def test_merlin_s_network_is_an_inflated_resnet_152_with_torchvision_s_names():
    with torch.device("meta"):
        state = build_network("inflated_resnet152", None).state_dict()
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes["conv1.weight"] == (64, 3, 3, 7, 7)
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1, 1)
    assert shapes["layer3.35.conv2.weight"] == (256, 256, 3, 3, 3)
    assert shapes["layer4.2.bn3.running_var"] == (2048,)
    blocks = {key.split(".conv1")[0] for key in shapes if re.fullmatch(r"layer\d\.\d+\.conv1\.weight", key)}
    counts = [sum(block.startswith(f"layer{k}.") for block in blocks) for k in (1, 2, 3, 4)]
    assert counts == [3, 8, 36, 3]
    assert not any(key.startswith("fc") or key.endswith("conv1.bias") for key in shapes)


def test_merlin_and_astra_expect_ras_moved_to_zxy_three_times_in_one_window():
    for name in ("merlin", "astra"):
        spec = WEIGHTS[name]
        assert (spec.size, spec.spacing, spec.window) == ((224, 224, 160), (1.5, 1.5, 3.0), (-1000.0, 1000.0))
        assert spec.modalities == ("ct",)
    volume = torch.arange(2 * 3 * 4.0).reshape(1, 1, 2, 3, 4)
    moved = encoder_spec("inflated_resnet152").form(volume)
    assert moved.shape == (1, 3, 4, 2, 3)
    for channel in range(3):
        assert torch.equal(moved[0, channel], volume[0, 0].permute(2, 0, 1))
        assert moved[0, channel, 3, 1, 2] == volume[0, 0, 1, 2, 3]


def test_standardising_brings_each_volume_of_a_batch_to_mean_0_and_sd_1():
    volumes = torch.stack([torch.rand(1, 4, 4, 4) * 3 + 1, torch.rand(1, 4, 4, 4), torch.full((1, 4, 4, 4), 0.5)])
    found = InputForm(standardise=True)(volumes)
    torch.testing.assert_close(found.mean(dim=(1, 2, 3, 4)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:2].std(dim=(1, 2, 3, 4)), torch.ones(2), atol=1e-5, rtol=0)
    assert (found[2] == 0).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "the estimator's box, the estimator's window"),
        (
            {"size": (8, 9, 10), "spacing": (1.5, 1.5, 3.0), "window": (-100.0, 200.0)},
            "8 x 9 x 10 voxels of 1.5 x 1.5 x 3 mm, -100 to 200 HU as 0 to 1",
        ),
        ({"standardise": True}, "the estimator's box, the estimator's window, then mean 0 and SD 1"),
    ],
)
def test_what_is_expected_in_words(changes, words):
    spec = PretrainedWeights("x", "t", "compact", 128, ("ct",), {"0" * 64: ""}, "MIT", "c", 1, **changes)
    assert spec.expects == words
