"""Lesions of one grid on the voxels of another: how much of each voxel lies in each lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from prrt_estimators._dataset import ShortRepr

#: Points per edge of a voxel by which turned grids are compared.
_POINTS = 5
#: Directions whose cosines with the axes of a grid differ from 0 and 1 by less than this run along them.
_ALONG = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class Shares(ShortRepr):
    """One lesion on the voxels of a scan.

    Attributes
    ----------
    label : int
    start : tuple of 3 ints
        First voxel of the box.
    share : ndarray of float
        Part of each voxel of the box that is lesion; the sum is the lesion's volume in voxels of the scan.
    core : ndarray of bool
        Voxels that are half lesion or more; where there is none, those with the greatest share.
    """

    label: int
    start: tuple[int, int, int]
    share: np.ndarray
    core: np.ndarray

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the box lies on the grid of the scan."""
        a, b, c = (slice(low, low + size) for low, size in zip(self.start, self.share.shape, strict=True))
        return a, b, c


def lesion_shares(
    labels: np.ndarray, label_affine: np.ndarray, affine: np.ndarray, shape: tuple[int, ...]
) -> list[Shares]:
    """Return each lesion on the voxels of a scan that has another grid.

    A mask stays on the grid on which it was drawn: brought to larger voxels by a rule of at least one half, small lesions
    vanish. Volume is that of the mask; the mean over a scan is weighted with shares; its maximum is looked for in `core`.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
    label_affine, affine : ndarray of shape (4, 4)
        Voxel indices of the labels and of the scan to RAS+ millimetres.
    shape : tuple of 3 ints
        Of the scan.

    Returns
    -------
    list of Shares
        In the order of the labels; lesions beyond the scan are left out.

    Examples
    --------
    >>> labels = np.zeros((4, 2, 2), dtype=np.uint16)
    >>> labels[1:3] = 1
    >>> coarse = np.diag([2.0, 2, 2, 1])
    >>> coarse[:3, 3] = 0.5
    >>> lesion_shares(labels, np.eye(4), coarse, (2, 1, 1))[0].share.ravel().tolist()
    [0.5, 0.5]
    """
    step = np.linalg.inv(affine) @ label_affine
    lengths = np.linalg.norm(step[:3, :3], axis=0)
    straight = (np.abs(step[:3, :3]) > _ALONG * lengths).sum() == 3
    found = []
    for value, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), 1):
        if box is None:
            continue
        mask = labels[box] == value
        start = np.array([part.start for part in box])
        placed = _along(mask, start, step, shape) if straight else _turned(mask, start, step, shape)
        if placed is None:
            continue
        low, share = placed
        core = share >= 0.5 - 1e-9
        if not core.any():
            core = share >= share.max() - 1e-9
        a, b, c = low.tolist()
        found.append(Shares(value, (a, b, c), share, core))
    return found


def _along(
    mask: np.ndarray, start: np.ndarray, step: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return shares where the axes of both grids run alike: lengths that overlap, axis by axis."""
    axes = np.abs(step[:3, :3]).argmax(axis=1)
    share = mask.transpose(axes).astype(np.float64)
    low = np.zeros(3, dtype=int)
    for axis, own in enumerate(axes):
        width = step[axis, own]
        edges = step[axis, 3] + width * (start[own] - 0.5 + np.arange(mask.shape[own] + 1))
        first = max(int(np.floor(edges.min() + 0.5)), 0)
        last = min(int(np.ceil(edges.max() + 0.5)), shape[axis])
        if last <= first:
            return None
        centres = np.arange(first, last)[:, None]
        begin, end = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
        overlap = np.clip(np.minimum(end, centres + 0.5) - np.maximum(begin, centres - 0.5), 0, None)
        share = np.moveaxis(np.tensordot(overlap, share, (1, axis)), 0, axis)
        low[axis] = first
    return _trimmed(low, share)


def _turned(
    mask: np.ndarray, start: np.ndarray, step: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return shares where a grid is turned against the other: points within the voxels of the mask."""
    offsets = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    inner = np.array(np.meshgrid(offsets, offsets, offsets, indexing="ij")).reshape(3, -1).T
    voxels = np.argwhere(mask) + start
    ends = np.array(np.meshgrid(*[(s - 0.5, s + n - 0.5) for s, n in zip(start, mask.shape, strict=True)])).reshape(
        3, -1
    )
    corners = step[:3, :3] @ ends + step[:3, 3:]
    low = np.maximum(np.floor(corners.min(axis=1)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=1)).astype(int) + 1, shape[:3])
    if (high <= low).any():
        return None
    share = np.zeros(high - low)
    weight = abs(np.linalg.det(step[:3, :3])) / len(inner)
    for point in inner:
        place = np.rint((voxels + point) @ step[:3, :3].T + step[:3, 3]).astype(int) - low
        inside = ((place >= 0) & (place < share.shape)).all(axis=1)
        np.add.at(share, tuple(place[inside].T), weight)
    return _trimmed(low, np.minimum(share, 1.0))


def _trimmed(low: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    if share.max(initial=0.0) <= 1e-9:
        return None
    places = np.argwhere(share > 1e-9)
    first, last = places.min(axis=0), places.max(axis=0) + 1
    return low + first, share[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
