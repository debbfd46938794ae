"""Structures on a grid, and lesions made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from prrt_estimators._dataset import ShortRepr

#: Voxels that touch at a face, an edge or a corner belong together.
_TOUCHING = np.ones((3, 3, 3), dtype=bool)
MAX_LESIONS = np.iinfo(np.uint16).max


@dataclass(frozen=True, eq=False)
class Region:
    """One structure on a grid, kept as its box.

    Attributes
    ----------
    name : str
        As the object has it; it may name a person.
    number : int
        ROI or segment number.
    kind : str
        What the object says that it is, such as ``"GTV"``, ``"ORGAN"`` or ``"Lesion"``; ``""`` where it says nothing.
    start : tuple of 3 ints
        First voxel of the box.
    mask : ndarray of bool
        The box; of shape (0, 0, 0) where the structure holds no voxel.
    counts : mapping of str to int
        Contours (frames, of a segmentation) by what became of them: "used", "outside" the scan, "empty" (no voxel
        centre inside), "point", "open", "short" (fewer than three points), "across" (not parallel to the slices) and
        "malformed".
    """

    name: str
    number: int
    kind: str
    start: tuple[int, int, int] = (0, 0, 0)
    mask: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=bool), repr=False)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def voxels(self) -> int:
        """Voxels of the structure."""
        return int(np.count_nonzero(self.mask))

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the box lies on the grid."""
        a, b, c = (slice(low, low + size) for low, size in zip(self.start, self.mask.shape, strict=True))
        return a, b, c


@dataclass(frozen=True, eq=False, repr=False)
class Structures(ShortRepr):
    """Structures of one object on one grid.

    Attributes
    ----------
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    shape : tuple of 3 ints
    regions : tuple of Region
    """

    affine: np.ndarray
    shape: tuple[int, int, int]
    regions: tuple[Region, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Lesions(ShortRepr):
    """Lesions on one grid.

    Attributes
    ----------
    labels : ndarray of uint16
        0 is not a lesion.
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    sources : tuple of int
        For each lesion, which of the regions it was made of.
    shared : int
        Voxels that several lesions claimed; each is given to the smallest.
    covered : int
        Lesions that lost all their voxels to smaller ones, such as a lesion that was drawn twice.
    """

    labels: np.ndarray
    affine: np.ndarray
    sources: tuple[int, ...]
    shared: int = 0
    covered: int = 0


def lesion_labels(structures: Structures, regions: Sequence[Region] | None = None, *, split: bool = True) -> Lesions:
    """Split structures into lesions: parts that touch at a face, an edge or a corner.

    Parameters
    ----------
    structures : Structures
    regions : sequence of Region, default=None
        Those that are lesions; all by default.
    split : bool, default=True
        Whether parts of one structure that do not touch are lesions of their own. If not, each structure is one lesion.

    Returns
    -------
    Lesions
        Numbered by structure, within it from the largest. A voxel of several lesions belongs to the smallest.

    Examples
    --------
    >>> mask = np.zeros((5, 1, 1), dtype=bool)
    >>> mask[[0, 1, 4]] = True
    >>> whole = Structures(np.eye(4), (5, 1, 1), (Region("lesions", 1, "", (0, 0, 0), mask),))
    >>> lesion_labels(whole).labels.ravel().tolist()
    [1, 1, 0, 0, 2]
    >>> lesion_labels(whole, split=False).labels.ravel().tolist()
    [1, 1, 0, 0, 1]
    """
    given = structures.regions if regions is None else tuple(regions)
    parts: list[tuple[int, tuple[slice, ...], np.ndarray, int]] = []
    for index, region in enumerate(given):
        if not region.voxels:
            continue
        found = ndimage.label(region.mask, _TOUCHING)[0] if split else region.mask.astype(np.int32)
        pieces = []
        for value, box in enumerate(ndimage.find_objects(found), 1):
            mask = found[box] == value
            place = tuple(slice(s.start + o, s.stop + o) for s, o in zip(box, region.start, strict=True))
            pieces.append((index, place, mask, int(mask.sum())))
        parts += sorted(pieces, key=lambda piece: (-piece[3], [part.start for part in piece[1]]))
    labels = np.zeros(structures.shape, dtype=np.int32)
    shared = np.zeros(structures.shape, dtype=bool)
    # The smallest is painted last.
    for value in sorted(range(len(parts)), key=lambda k: (-parts[k][3], k)):
        _, place, mask, _ = parts[value]
        shared[place] |= mask & (labels[place] > 0)
        labels[place][mask] = value + 1
    left = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(parts) + 1)[1:]) if parts else np.array([], int)
    numbers = np.zeros(len(parts) + 1, dtype=np.uint16)
    numbers[left + 1] = np.arange(1, len(left) + 1)
    return Lesions(
        labels=numbers[labels],
        affine=structures.affine,
        sources=tuple(parts[k][0] for k in left),
        shared=int(shared.sum()),
        covered=len(parts) - len(left),
    )
