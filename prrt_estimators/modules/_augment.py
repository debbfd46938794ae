"""Random changes that a patient could have come with, drawn anew for each patient and epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from monai.networks.layers import AffineTransform
from torch import nn


class RandomAugment(nn.Module):
    """Small rotations, zooms and shifts, and a change of intensity, on the device and for the whole batch at once.

    PET and CT of a patient move together; intensities change for each on its own. Every patient of every batch draws
    its own numbers from torch's generator. Mirroring is left out: the liver is on the right.

    Parameters
    ----------
    rotation : float, default=10.0
        Greatest angle about each axis, degrees.
    zoom : float, default=0.1
        Greatest relative change of size.
    shift : float, default=0.05
        Greatest shift along each axis, as a part of the box.
    gain : float, default=0.1
        Greatest relative change of intensity (after windowing).
    """

    def __init__(self, rotation: float = 10.0, zoom: float = 0.1, shift: float = 0.05, gain: float = 0.1):
        super().__init__()
        self.rotation, self.zoom, self.shift, self.gain = rotation, zoom, shift, gain
        self.resample = AffineTransform(
            normalized=True, mode="bilinear", padding_mode="border", align_corners=False, reverse_indexing=False
        )

    def forward(self, volumes: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return changed volumes, each of shape (n, 1, D, H, W)."""
        # As channels of one tensor PET and CT share the sampling grid, which is half of the work.
        stacked = torch.cat(list(volumes.values()), dim=1)
        n, channels = stacked.shape[:2]
        moved = self.resample(stacked, self._draw(n, stacked.device))
        gains = 1 + self.gain * _uniform(n, channels, stacked.device)
        moved = moved * gains.view(n, channels, 1, 1, 1)
        return {name: moved[:, k : k + 1] for k, name in enumerate(volumes)}

    def _draw(self, n: int, device: torch.device) -> torch.Tensor:
        """Return n affine matrices of shape (n, 4, 4) in normalised coordinates."""
        angles = torch.deg2rad(self.rotation * _uniform(n, 3, device))
        theta = torch.eye(4, device=device).repeat(n, 1, 1)
        for axis in range(3):
            i, j = [k for k in range(3) if k != axis]
            turn = torch.eye(4, device=device).repeat(n, 1, 1)
            cosine, sine = angles[:, axis].cos(), angles[:, axis].sin()
            turn[:, i, i], turn[:, i, j], turn[:, j, i], turn[:, j, j] = cosine, -sine, sine, cosine
            theta = theta @ turn
        theta[:, :3, :3] *= (1 + self.zoom * _uniform(n, 1, device)).view(-1, 1, 1)
        theta[:, :3, 3] = 2 * self.shift * _uniform(n, 3, device)
        return theta


def _uniform(n: int, k: int, device: torch.device) -> torch.Tensor:
    return 2 * torch.rand(n, k, device=device) - 1
