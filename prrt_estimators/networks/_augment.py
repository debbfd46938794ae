"""Random changes that a patient could have come with, drawn anew for each patient and epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F


class RandomAugment(nn.Module):
    """Small shifts and changes of intensity, and turns and zooms if asked for, on the device.

    PET and CT of a patient move together; intensities change for each on its own. Every patient of every batch draws
    its own numbers from torch's generator. Mirroring is left out: the liver is on the right.

    Parameters
    ----------
    shift : float, default=0.05
        Greatest shift along each axis, as a part of the box; whole voxels, edges are repeated.
    gain : float, default=0.1
        Greatest relative change of intensity (after windowing).
    noise : float, default=0.02
        Standard deviation of added noise (after windowing).
    rotation : float, default=0.0
        Greatest angle about each axis, degrees.
    zoom : float, default=0.0
        Greatest relative change of size.
    """

    def __init__(
        self, shift: float = 0.05, gain: float = 0.1, noise: float = 0.02, rotation: float = 0.0, zoom: float = 0.0
    ):
        super().__init__()
        self.shift, self.gain, self.noise, self.rotation, self.zoom = shift, gain, noise, rotation, zoom
        # Interpolating every voxel anew costs a CPU as much as training on it, so it is done on demand only.
        self.resample = None
        if rotation or zoom:
            from monai.networks.layers import AffineTransform  # imported on demand, as it takes seconds

            self.resample = AffineTransform(
                normalized=True, mode="bilinear", padding_mode="border", align_corners=False, reverse_indexing=False
            )

    def forward(
        self, volumes: Mapping[str, torch.Tensor], scales: Mapping[str, torch.Tensor] | None = None
    ) -> dict[str, torch.Tensor]:
        """Return changed volumes, each of shape (n, 1, D, H, W); noise is in units of `scales`, 1 where none is given."""
        # As channels of one tensor PET and CT move together.
        stacked = torch.cat(list(volumes.values()), dim=1)
        n, channels = stacked.shape[:2]
        if self.resample is not None:
            stacked = self.resample(stacked, self._draw_affine(n, stacked.device))
        stacked = self._shifted(stacked)
        gains = 1 + self.gain * _uniform(n, channels, stacked.device)
        noise = self.noise * torch.randn_like(stacked)
        if scales is not None:
            noise = noise * torch.stack([scales[name] for name in volumes]).view(1, channels, 1, 1, 1)
        stacked = stacked * gains.view(n, channels, 1, 1, 1) + noise
        return {name: stacked[:, k : k + 1] for k, name in enumerate(volumes)}

    def _shifted(self, stacked: torch.Tensor) -> torch.Tensor:
        reach = [int(self.shift * size) for size in stacked.shape[2:]]
        if not any(reach):
            return stacked
        padded = F.pad(
            stacked, [r for reach_of_axis in reversed(reach) for r in (reach_of_axis, reach_of_axis)], "replicate"
        )
        starts = torch.stack([torch.randint(0, 2 * r + 1, (len(stacked),)) for r in reach], dim=1).tolist()
        d, h, w = stacked.shape[2:]
        return torch.stack([padded[k, :, i : i + d, j : j + h, m : m + w] for k, (i, j, m) in enumerate(starts)])

    def _draw_affine(self, n: int, device: torch.device) -> torch.Tensor:
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
        return theta


def _uniform(n: int, k: int, device: torch.device) -> torch.Tensor:
    return 2 * torch.rand(n, k, device=device) - 1


#: Settings by the name that the estimators take.
AUGMENTATIONS: Mapping[str, dict[str, float]] = {"light": {}, "affine": {"rotation": 10.0, "zoom": 0.1}}
