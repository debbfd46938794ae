"""Running the two networks over the scans of one patient."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from prrt_estimators._modalities import CT, PET
from prrt_estimators.features._images import Image, onto_box, working_box
from prrt_estimators.features._networks import NO_CT, PATCH, SITES, network_input
from prrt_estimators.features._weights import FinderWeights
from prrt_estimators.preprocessing._boxes import Box

#: Voxels along one axis that a single patch may leave out at the edges of the body: skin and the air beside it.
_RIM = (8, 4, 0)
_PATCHES_AT_ONCE = 4


@dataclass(frozen=True)
class Findings:
    """What the finder says of each voxel of the working grid.

    Parameters
    ----------
    box : Box
        The working grid.
    pet, ct : ndarray of shape (d, h, w) or None
        The scans on it, SUVbw and HU.
    on_pet : ndarray of shape (3, d, h, w) or None
        Share of each voxel that tumour fills on PET, in liver, bone and other soft tissue.
    on_ct : ndarray of shape (3, d, h, w) or None
        The same on CT, by the network that never sees the PET.
    on_ct_with_pet : ndarray of shape (3, d, h, w) or None
        The same on CT, by the network that sees both.
    tissue : ndarray of shape (5, d, h, w)
        Share that is liver, spleen, kidney, bladder, muscle.
    log_suv : ndarray of shape (d, h, w) or None
        Logarithm of the SUV of the lesion that a voxel belongs to, free of partial volume.
    per_voxel : ndarray of shape (d, h, w) or None
        Lesions per voxel on PET.
    """

    box: Box
    pet: np.ndarray | None
    ct: np.ndarray | None
    on_pet: np.ndarray | None
    on_ct: np.ndarray | None
    on_ct_with_pet: np.ndarray | None
    tissue: np.ndarray
    log_suv: np.ndarray | None
    per_voxel: np.ndarray | None

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(np.prod(self.box.spacing) / 1000.0)


def find(pet: Image | None, ct: Image | None, weights: FinderWeights) -> Findings:
    """Run the networks over the scans of one patient; one of the scans may be missing.

    Parameters
    ----------
    pet, ct : Image or None
        In SUVbw and HU; the grid of the PET counts where there is one.
    weights : FinderWeights
    """
    reference = pet if pet is not None else ct
    if reference is None:
        raise ValueError("a patient without PET and CT has no lesions to find.")
    box = working_box(reference)
    p = onto_box(pet, box, PET.name) if pet is not None else None
    c = onto_box(ct, box, CT.name) if ct is not None else None
    x = network_input(
        (np.zeros(box.size) if p is None else p)[None], (np.full(box.size, NO_CT) if c is None else c)[None]
    )[0]
    body = _body(p, c)
    on_pet = on_ct = together = log_suv = per_voxel = tissue = None
    if p is not None:
        out = _answers(weights.pet if c is None else weights.pet_ct, x, body, _activate_pet_ct)
        n = len(SITES)
        on_pet, together, tissue, log_suv, per_voxel = out[:n], out[n : 2 * n], out[2 * n : -2], out[-2], out[-1]
    if c is not None:
        out = _answers(weights.ct, x[1:], body, torch.sigmoid)
        on_ct = out[: len(SITES)]
        tissue = out[len(SITES) :] if tissue is None else tissue
    if c is None:
        together = None
    assert tissue is not None
    return Findings(box, p, c, on_pet, on_ct, together, tissue, log_suv, per_voxel)


def _activate_pet_ct(z: torch.Tensor) -> torch.Tensor:
    return torch.cat([z[:, :11].sigmoid(), z[:, 11:12], nn.functional.softplus(z[:, 12:])], 1)


def _body(pet: np.ndarray | None, ct: np.ndarray | None) -> tuple[slice, slice, slice]:
    """Return the part of the grid that holds the patient."""
    inside = ct > -400 if ct is not None else np.asarray(pet) > 0.2
    if not inside.any():
        return tuple(slice(0, n) for n in inside.shape)  # type: ignore[return-value]
    parts = []
    for axis in range(3):
        filled = np.flatnonzero(inside.any(axis=tuple(k for k in range(3) if k != axis)))
        parts.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(parts)  # type: ignore[return-value]


def patch_starts(low: int, high: int, size: int, patch: int, rim: int) -> list[int]:
    """Return the first voxels of the patches along one axis; negative where the field is padded.

    Parameters
    ----------
    low, high : int
        The body lies in ``[low, high)``.
    size : int
        Voxels of the field.
    patch : int
        Voxels of a patch.
    rim : int
        Voxels of the body that one patch may leave out, half on each side.
    """
    length = high - low
    if length <= patch + rim:
        middle = low + (length - patch) // 2
        # Within the field where that is possible: padding is only for fields smaller than a patch.
        return [min(max(middle, 0), size - patch) if size >= patch else 0]
    count = int(np.ceil((length - patch) / (0.6 * patch))) + 1
    return np.round(np.linspace(low, high - patch, count)).astype(int).tolist()


def _answers(
    networks: Sequence[nn.Module],
    x: torch.Tensor,
    body: tuple[slice, slice, slice],
    activate: Callable[[torch.Tensor], torch.Tensor],
) -> np.ndarray:
    """Return the activated outputs, averaged over patches and networks; 0 where no patch lies."""
    shape = tuple(x.shape[1:])
    padded = [max(n, p) for n, p in zip(shape, PATCH, strict=True)]
    if tuple(padded) != shape:
        # Air and no uptake are 0 in all channels.
        wide = torch.zeros(x.shape[0], *padded)
        wide[:, : shape[0], : shape[1], : shape[2]] = x
        x = wide
    axes = [
        patch_starts(part.start, part.stop, n, p, rim)
        for part, n, p, rim in zip(body, padded, PATCH, _RIM, strict=True)
    ]
    boxes = [tuple(slice(a, a + p) for a, p in zip(start, PATCH, strict=True)) for start in itertools.product(*axes)]
    total: torch.Tensor | None = None
    count = torch.zeros(x.shape[1:])
    with torch.no_grad():
        for start in range(0, len(boxes), _PATCHES_AT_ONCE):
            some = boxes[start : start + _PATCHES_AT_ONCE]
            parts = torch.stack([x[(slice(None), *box)] for box in some])
            if len(some) == 1:
                parts = parts.expand(2, -1, -1, -1, -1)  # torch takes five times as long for a batch of one
            parts = parts.contiguous(memory_format=torch.channels_last_3d)
            for network in networks:
                for box, answer in zip(some, activate(network(parts)), strict=False):
                    if total is None:
                        total = torch.zeros(answer.shape[0], *x.shape[1:])
                    total[(slice(None), *box)] += answer
                    count[box] += 1
    assert total is not None
    result = (total / count.clamp(min=1)).numpy()
    return result[:, : shape[0], : shape[1], : shape[2]]
