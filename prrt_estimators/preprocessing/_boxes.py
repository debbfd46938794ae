"""A fixed box of voxels in the patient's own millimetres, and bringing a scan into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from prrt_estimators._modalities import MODALITIES


@dataclass(frozen=True)
class Box:
    """A regular grid along Right, Anterior, Superior.

    Parameters
    ----------
    centre : tuple of 3 floats
        RAS+ millimetres of the middle of the box.
    size : tuple of 3 ints
        Voxels along each axis.
    spacing : tuple of 3 floats
        Millimetres between voxel centres.
    """

    centre: tuple[float, float, float]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def affine(self) -> np.ndarray:
        """Voxel indices to RAS+ millimetres, shape (4, 4)."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = np.asarray(self.centre) - (np.asarray(self.size) - 1) / 2 * np.asarray(self.spacing)
        return affine


def field_of_view(shape: tuple[int, ...], affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper RAS+ corners (mm) of the axis-aligned hull of a scan's voxels."""
    ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in shape])).reshape(3, -1)
    corners = affine[:3, :3] @ ends + affine[:3, 3:]
    return corners.min(axis=1), corners.max(axis=1)


def centre_of(shape: tuple[int, ...], affine: np.ndarray) -> tuple[float, float, float]:
    """Return the RAS+ millimetres of the middle of a scan, rounded to a micrometre."""
    middle = affine[:3, :3] @ ((np.asarray(shape) - 1) / 2) + affine[:3, 3]
    return tuple(float(c) for c in np.round(middle, 3) + 0.0)  # type: ignore[return-value]


def into_box(data: np.ndarray, affine: np.ndarray, box: Box, modality: str | None = None) -> np.ndarray:
    """Resample a scan of any orientation into a box.

    Linear interpolation between voxel centres; where the box is coarser than the scan, a Gaussian of standard
    deviation (ratio - 1) / 2 voxels is applied first, so that what lies between the box's voxels is averaged and
    not skipped. Outside the scan PET is 0 SUV and CT -1024 HU, a mask 0.

    Parameters
    ----------
    data : ndarray of float32, shape (d, h, w)
    affine : ndarray of shape (4, 4)
    box : Box
    modality : str, default=None
        A scan of `MODALITIES`; None for a mask.

    Returns
    -------
    ndarray of shape `box.size`
        int16 for a modality of whole numbers such as HU, else float32.
    """
    padding = 0.0 if modality is None else MODALITIES[modality].outside
    whole = modality is not None and MODALITIES[modality].whole
    step = np.linalg.inv(affine) @ box.affine
    ratio = np.linalg.norm(step[:3, :3], axis=1)
    sigma = np.maximum((ratio - 1) / 2, 0.0)
    data, start = _needed_part(data, step, box.size, margin=np.ceil(4 * sigma).astype(int) + 2)
    if whole:
        # Scanners pad with -2000 or -3024 outside their circle: air, and not to be smeared into the patient.
        data = np.maximum(data, padding)
    if (sigma > 0.25).any():
        # Into the copy where there is one: a whole-body CT takes gigabytes.
        spare = data if whole else None
        data = ndimage.gaussian_filter(data, sigma, mode="nearest", output=spare)
    result = ndimage.affine_transform(
        data,
        step[:3, :3],
        offset=step[:3, 3] - start,
        output_shape=box.size,
        order=1,
        mode="constant",
        cval=padding,
        output=np.float32,
    )
    return as_stored_hu(result) if whole else result


def as_stored_hu(values: np.ndarray) -> np.ndarray:
    """Return HU as int16; what it cannot hold is cut off and never wraps around.

    Examples
    --------
    >>> as_stored_hu(np.array([-1023.6, 40000.0])).tolist()
    [-1024, 32767]
    """
    limits = np.iinfo(np.int16)
    return np.rint(np.clip(values, limits.min, limits.max)).astype(np.int16)


def _needed_part(
    data: np.ndarray, step: np.ndarray, size: tuple[int, int, int], margin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cut out the voxels that the box can touch, so that filtering a whole-body scan stays cheap."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in size])).reshape(3, -1)
    reach = step[:3, :3] @ ends + step[:3, 3:]
    shape = np.asarray(data.shape)
    low = np.clip(np.floor(reach.min(axis=1)).astype(int) - margin, 0, shape - 1)
    high = np.clip(np.ceil(reach.max(axis=1)).astype(int) + margin + 1, low + 1, shape)
    return data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], low.astype(float)


def overlap(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the shared part of two fields of view, as a fraction of the smaller one."""
    shared = np.minimum(first[1], second[1]) - np.maximum(first[0], second[0])
    smaller = min(np.prod(first[1] - first[0]), np.prod(second[1] - second[0]))
    return float(np.prod(np.maximum(shared, 0.0)) / smaller)
