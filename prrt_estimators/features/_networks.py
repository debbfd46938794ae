"""The two small 3D U-Nets of the lesion finder, and what they read and answer for each voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

#: Sites of a lesion, in the order of the networks' outputs.
SITES = ("liver", "bone", "node")
#: Normal tissue that the networks name, in the order of their outputs.
ORGANS = ("liver", "spleen", "kidney", "bladder", "muscle")
#: Voxels (Right, Anterior, Superior) that one pass looks at: group norm must see what it saw in training.
PATCH = (32, 24, 40)
#: Millimetres between the voxels that the networks were trained on.
SPACING_MM = 11.0
#: Value of a missing CT: air everywhere, which is 0 in all three windows.
NO_CT = -1024.0


def network_input(pet: np.ndarray, ct: np.ndarray) -> torch.Tensor:
    """Return the channels that the networks read, shape (n, 4, d, h, w).

    Logarithm of the SUV, then the CT in three windows: soft tissue, bone, and a narrow one in which a lesion of the
    liver, 20 to 70 HU from its surroundings, stands out.

    Parameters
    ----------
    pet, ct : ndarray of shape (n, d, h, w)
        SUVbw and HU.
    """
    p = torch.as_tensor(np.asarray(pet, np.float32)).clamp(0, 100)
    c = torch.as_tensor(np.asarray(ct, np.float32))
    return torch.stack(
        [
            torch.log1p(p) / 2,
            (c.clamp(-160, 240) + 160) / 400,
            c.clamp(0, 800) / 800,
            (c.clamp(20, 140) - 20) / 60,
        ],
        dim=1,
    )


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(4, outputs), nn.ReLU(inplace=True)
    )


class LesionUNet(nn.Module):
    """U-Net of four levels.

    Parameters
    ----------
    channels : int
        Of the input.
    widths : sequence of 4 ints
        Channels of the levels.
    decoder : pair of ints
        Channels after the second and after the last step up.
    bias : sequence of float
        What the last layer answers before training; its length is the number of outputs.
    """

    def __init__(self, channels: int, widths: Sequence[int], decoder: tuple[int, int], bias: Sequence[float]):
        super().__init__()
        first, second, third, fourth = widths
        self.down1 = _block(channels, first)
        self.down2 = nn.Sequential(_block(first, second, 2), _block(second, second))
        self.down3 = nn.Sequential(_block(second, third, 2), _block(third, third))
        self.down4 = nn.Sequential(_block(third, fourth, 2), _block(fourth, fourth))
        self.up3 = _block(fourth + third, third)
        self.up2 = _block(third + second, decoder[0])
        self.up1 = _block(decoder[0] + first, decoder[1])
        self.head = nn.Conv3d(decoder[1], len(bias), 1)
        with torch.no_grad():
            self.head.bias[:] = torch.tensor(bias)  # type: ignore[index]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs before any sigmoid, shape (n, outputs, d, h, w)."""
        one = self.down1(x)
        two = self.down2(one)
        three = self.down3(two)
        up = self.up3(torch.cat([_enlarge(self.down4(three), three), three], 1))
        up = self.up2(torch.cat([_enlarge(up, two), two], 1))
        return self.head(self.up1(torch.cat([_enlarge(up, one), one], 1)))


def _enlarge(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, size=like.shape[2:], mode="nearest")


def pet_ct_network() -> LesionUNet:
    """Return the untrained network of PET and CT.

    13 outputs: logit of the share of the voxel that tumour fills on PET (liver, bone, node) and on CT (liver, bone,
    node); logit of the share of each organ; logarithm of the lesion's SUV; lesions per voxel before softplus.
    """
    return LesionUNet(4, (8, 16, 32, 48), (16, 16), [-4.0] * 6 + [-2.5] * 5 + [3.0, -6.0])


def ct_network() -> LesionUNet:
    """Return the untrained network that reads CT alone.

    8 outputs: logit of the share of the voxel that tumour fills on CT (liver, bone, node), and of each organ.
    """
    return LesionUNet(3, (8, 24, 48, 64), (16, 12), [-4.0] * 3 + [-2.5] * 5)
