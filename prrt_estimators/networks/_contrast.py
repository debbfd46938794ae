"""Learning from scans without outcomes: two views of a patient must look alike, and unlike other patients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from prrt_estimators.networks._augment import RandomAugment
from prrt_estimators.networks._encoders import Encoder


class ContrastNet(nn.Module):
    """An encoder and a small projection, which is thrown away after pretraining.

    Parameters
    ----------
    modality : str
    encoder : Encoder
    window : pair of floats or None
        Intensities that become 0 and 1.
    projection : int, default=64
        Length of the vectors that are compared.
    masked : float, default=0.3
        Part of a view's blocks that is blanked out.
    """

    def __init__(
        self,
        modality: str,
        encoder: Encoder,
        window: tuple[float, float] | None,
        *,
        projection: int = 64,
        masked: float = 0.3,
    ):
        super().__init__()
        self.encoders = nn.ModuleDict({modality: encoder})
        self.modality, self.window, self.masked = modality, window, masked
        self.augment = RandomAugment(shift=0.1, gain=0.2, noise=0.05, rotation=15.0, zoom=0.15)
        width = encoder.out_features
        self.projection = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, projection))

    def forward(self, present: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the projections of two views, shape (n, 2, projection)."""
        volumes = inputs[self.modality].to(torch.float32)
        if self.window is not None:
            low, high = self.window
            volumes = (volumes.clamp(low, high) - low) / (high - low)
        views = [self._view(volumes) for _ in range(2)]
        features = self.encoders[self.modality](torch.cat(views))
        return torch.stack(self.projection(features).chunk(2), dim=1)

    def _view(self, volumes: torch.Tensor) -> torch.Tensor:
        changed = self.augment({self.modality: volumes})[self.modality]
        blocks = torch.rand(len(changed), 1, *(max(1, size // 8) for size in changed.shape[2:]), device=changed.device)
        seen = F.interpolate((blocks >= self.masked).float(), size=changed.shape[2:], mode="nearest")
        return changed * seen


class PairLoss(nn.Module):
    """Contrastive loss (NT-Xent) of two views of each patient of a batch.

    Parameters
    ----------
    temperature : float, default=0.2

    References
    ----------
    Chen et al. 2020, A simple framework for contrastive learning of visual representations, arXiv:2002.05709; computed
    by MONAI.
    """

    #: Patients are compared within their batch, which can then not be cut.
    per_patient = False

    def __init__(self, temperature: float = 0.2):
        super().__init__()
        from monai.losses import ContrastiveLoss  # imported on demand, as it takes seconds

        self.loss = ContrastiveLoss(temperature=temperature)

    def forward(self, views: torch.Tensor, target: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the mean loss of projections of shape (n, 2, projection); the target is not used."""
        return self.loss(views[:, 0].float(), views[:, 1].float())
