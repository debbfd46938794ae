"""The network of the study: one branch per modality, joined, then fully connected layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from prrt_estimators.networks._augment import RandomAugment
from prrt_estimators.networks._encoders import Encoder, Features, LastStage

FUSIONS = ("concat", "gated")


class FusionNet(nn.Module):
    r"""One branch per modality, an embedding each, one logit.

    With embeddings :math:`h_m` (a learned token :math:`t_m` where a patient lacks modality m),

    .. math:: \operatorname{logit} P(\text{long PFS}) = f([h_1, \dots, h_M])

    for ``"concat"``, and :math:`f(\sum_m a_m h_m)` with :math:`a = \operatorname{softmax}(W [h_1, \dots, h_M])` for
    ``"gated"``; f is one hidden layer with dropout.

    Parameters
    ----------
    encoders : mapping of str to Encoder, LastStage or Features
        Imaging branches; the latter two take what was computed from the volumes before.
    windows : mapping of str to (low, high) or None
        Intensities that become 0 and 1.
    lab_features : int, default=0
        Columns of the prepared laboratory table; 0 for no laboratory branch.
    embedding, hidden : int, default=32
        Width of an embedding and of the hidden layer.
    dropout : float, default=0.2
    fusion : {"concat", "gated"}, default="concat"
    modality_dropout : float, default=0.1
        Probability that a modality of a patient is withheld in a training step; never all of them.
    augment : RandomAugment or None, default=None
        Random changes of the windowed volumes in training.
    outputs : int, default=1
        Numbers per patient: one logit, or one per interval of a hazard.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder | LastStage | Features],
        windows: Mapping[str, tuple[float, float] | None],
        *,
        lab_features: int = 0,
        embedding: int = 32,
        hidden: int = 32,
        dropout: float = 0.2,
        fusion: str = "concat",
        modality_dropout: float = 0.1,
        augment: RandomAugment | None = None,
        outputs: int = 1,
    ):
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.windows = dict(windows)
        self.volumes = tuple(name for name, encoder in encoders.items() if isinstance(encoder, Encoder))
        self.modalities = (*self.encoders, *(["lab"] if lab_features else []))
        self.augment = augment
        self.fusion = fusion
        self.modality_dropout = modality_dropout if len(self.modalities) > 1 else 0.0
        widths = {name: encoder.out_features for name, encoder in encoders.items()}
        if lab_features:
            widths["lab"] = lab_features
        self.embeddings = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(width, embedding), nn.LayerNorm(embedding), nn.GELU())
                for name, width in widths.items()
            }
        )
        self.tokens = nn.ParameterDict({name: nn.Parameter(torch.zeros(embedding)) for name in self.modalities})
        joined = embedding * len(self.modalities)
        self.gate = nn.Linear(joined, len(self.modalities)) if fusion == "gated" else None
        self.fused_features = embedding if fusion == "gated" else joined
        self.head = nn.Sequential(
            nn.Linear(self.fused_features, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, outputs)
        )

    def forward(self, present: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Return logits of long PFS, shape (n,); several outputs have the shape (n, outputs).

        Parameters
        ----------
        present : bool tensor of shape (n, M)
            Which modalities each patient has, in the order of `modalities`.
        **inputs : tensors
            SUVbw and HU of shape (n, 1, D, H, W) or what was computed from them, laboratory table of shape (n, k).
        """
        found = self.head(self.fuse(present, **inputs))
        return found.squeeze(1) if found.shape[1] == 1 else found

    def learn_scales(self, patients: Iterable[Mapping[str, torch.Tensor]]) -> None:
        """Give encoders that standardise the mean and standard deviation of the windowed voxels of these patients.

        Parameters
        ----------
        patients : iterable of mappings
            Batches as `forward` takes them.
        """
        names = [name for name in self.volumes if self.encoders[name].standardised]
        totals = {name: np.zeros(3) for name in names}  # voxels, their sum and the sum of their squares
        for batch in patients if names else ():
            for name in names:
                has = batch["present"][:, self.modalities.index(name)]
                voxels = self._windowed(name, batch[name][has]).double()
                totals[name] += voxels.numel(), float(voxels.sum()), float(voxels.square().sum())
        for name, (count, total, squares) in totals.items():
            if count:
                mean = total / count
                encoder: Any = self.encoders[name]
                encoder.learn_scale(mean, math.sqrt(max(squares / count - mean**2, 0.0)))

    def fuse(self, present: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the fused features of shape (n, fused_features)."""
        if self.training and self.modality_dropout > 0:
            present = present & ~self._withheld(present)
        volumes = {name: self._windowed(name, inputs[name]) for name in self.volumes}
        if self.training and self.augment is not None and volumes:
            volumes = self._augmented(volumes)
        parts = []
        for k, name in enumerate(self.modalities):
            embed = self._embed_volumes if name in self.encoders else self._embed_table
            parts.append(embed(name, volumes.get(name, inputs[name]), present[:, k]))
        joined = torch.cat(parts, dim=1)
        if self.gate is None:
            return joined
        weights = self.gate(joined).softmax(dim=1)
        return (torch.stack(parts, dim=1) * weights.unsqueeze(2)).sum(dim=1)

    def _windowed(self, name: str, volume: torch.Tensor) -> torch.Tensor:
        window = self.windows.get(name)
        volume = volume.to(torch.float32)
        if window is None:
            return volume
        low, high = window
        return (volume.clamp(low, high) - low) / (high - low)

    def _augmented(self, volumes: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Change volumes; those on one grid move together."""
        assert self.augment is not None
        grids: dict[tuple[int, ...], dict[str, torch.Tensor]] = {}
        for name, volume in volumes.items():
            grids.setdefault(tuple(volume.shape[2:]), {})[name] = volume
        scales = {name: self.encoders[name].scale for name in volumes}
        return {name: volume for together in grids.values() for name, volume in self.augment(together, scales).items()}

    def _embed_volumes(self, name: str, volume: torch.Tensor, has: torch.Tensor) -> torch.Tensor:
        if bool(has.all()):
            return self.embeddings[name](self._encode(name, volume))
        embedded = self._token(name, len(volume))
        if bool(has.any()):
            found = self.embeddings[name](self._encode(name, volume[has]))
            embedded = embedded.to(found.dtype).index_copy(0, has.nonzero().squeeze(1), found)
        return embedded

    def _embed_table(self, name: str, table: torch.Tensor, has: torch.Tensor) -> torch.Tensor:
        embedded = self.embeddings[name](table)
        return torch.where(has.unsqueeze(1), embedded, self._token(name, len(table)).to(embedded.dtype))

    def _encode(self, name: str, volume: torch.Tensor) -> torch.Tensor:
        encoder = self.encoders[name]
        if self.training and len(volume) == 1 and encoder.normalises_batch:
            # One volume has no batch statistics; the running ones serve for this step.
            encoder.eval()
            features = encoder(volume)
            encoder.train()
            return features
        return encoder(volume)

    def _token(self, name: str, n: int) -> torch.Tensor:
        return self.tokens[name].unsqueeze(0).expand(n, -1)

    def _withheld(self, present: torch.Tensor) -> torch.Tensor:
        """Draw which present modalities to withhold, leaving every patient at least one."""
        drop = torch.rand(present.shape, device=present.device) < self.modality_dropout
        left = present & ~drop
        return drop & left.any(dim=1, keepdim=True)


class WeightedBCE(nn.Module):
    """Binary cross-entropy of logits, each patient with a weight."""

    #: Whether the loss is a mean over patients, so that a batch may go through in parts.
    per_patient = True

    def forward(self, logits: torch.Tensor, target: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the weighted mean loss.

        Parameters
        ----------
        logits : tensor of shape (n,)
        target : mapping of str to tensor of shape (n,)
            ``class`` (0 or 1) and ``weight``.
        """
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), target["class"], reduction="none")
        return (loss * target["weight"]).mean()
