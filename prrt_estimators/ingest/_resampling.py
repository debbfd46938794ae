"""Bringing a volume onto another grid, and writing it without a word about anybody."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from prrt_estimators._io import atomic_write

#: What lies outside a scan: nothing taken up, air.
OUTSIDE = {"pet": 0.0, "ct": -1024.0}


def resample(image: nib.Nifti1Image, affine: np.ndarray, shape: tuple[int, ...], kind: str) -> nib.Nifti1Image:
    """Bring a volume onto a grid by linear interpolation between voxel centres.

    Where the grid is coarser than the volume, a Gaussian of standard deviation (ratio - 1) / 2 voxels is applied first,
    so that what lies between its voxels is averaged and not skipped. Outside the volume PET is 0 SUV and CT -1024 HU.

    Parameters
    ----------
    image : Nifti1Image
    affine : ndarray of shape (4, 4)
    shape : tuple of 3 ints
    kind : {"pet", "ct"}

    Returns
    -------
    Nifti1Image
        float32 SUVbw for PET, int16 HU for CT.
    """
    data = np.asarray(image.dataobj, dtype=np.float32)
    step = np.linalg.inv(image.affine) @ affine
    sigma = np.maximum((np.linalg.norm(step[:3, :3], axis=1) - 1) / 2, 0.0)
    if (sigma > 0.25).any():
        data = ndimage.gaussian_filter(data, sigma, mode="nearest")
    moved = ndimage.affine_transform(
        data, step[:3, :3], offset=step[:3, 3], output_shape=shape, order=1, mode="constant", cval=OUTSIDE[kind],
        output=np.float32,
    )  # fmt: skip
    if kind == "ct":
        limits = np.iinfo(np.int16)
        moved = np.clip(np.rint(moved), limits.min, limits.max).astype(np.int16)
    return nib.Nifti1Image(moved, affine)


def common_grid(image: nib.Nifti1Image, spacing: tuple[float, float, float]) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Return affine and shape of a grid along Right, Anterior, Superior that holds a volume and shares its middle.

    Examples
    --------
    >>> image = nib.Nifti1Image(np.zeros((10, 10, 5)), np.diag([2.0, 2, 4, 1]))
    >>> affine, shape = common_grid(image, (4.0, 4.0, 4.0))
    >>> shape, affine[:3, 3].tolist()  # voxel edges from -1 to 19 mm, and -2 to 18 mm
    ((5, 5, 5), [1.0, 1.0, 0.0])
    """
    ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in image.shape])).reshape(3, -1)
    corners = image.affine[:3, :3] @ ends + image.affine[:3, 3:]
    low, high = corners.min(axis=1), corners.max(axis=1)
    size = np.maximum(np.ceil((high - low) / spacing - 1e-3), 2).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (low + high) / 2 - (size - 1) / 2 * np.asarray(spacing)
    return affine, (int(size[0]), int(size[1]), int(size[2]))


def save(image: nib.Nifti1Image, path: Path) -> None:
    """Write voxels and affine as ``.nii.gz``: no description, no file name, no time; the same volume, the same bytes."""
    plain = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine)
    plain.header.set_xyzt_units("mm")
    plain.set_sform(image.affine, code=1)
    plain.set_qform(image.affine, code=1)
    with (
        atomic_write(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=3, mtime=0) as packed,
    ):
        plain.to_stream(packed)
