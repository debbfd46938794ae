"""One scan in several series, such as head to thigh and legs: found, and joined where their grids allow."""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np

from prrt_estimators.exceptions import ScannerFileError
from prrt_estimators.ingest._export_records import Series
from prrt_estimators.ingest._foreseeable_problems import trouble
from prrt_estimators.ingest._kernels import kernel_kind

#: A part shows at least this share of its own length that the others do not show.
_NEW = 0.3
_HOURS = 2.0
#: Grids fit where they are apart by whole voxels to within this share of one.
_OFF_GRID = 0.05


def other_parts(best: Series, found: Sequence[Series]) -> list[Series]:
    """Return the series that show other parts of the body than the best one, taken at the same hour.

    Parameters
    ----------
    best : Series
    found : sequence of Series
        Usable ones in the same frame of reference.

    Returns
    -------
    list of Series
        Each shows something that `best` and those before it do not show.
    """
    shown = [(best.low, best.high)]
    parts = []
    for series in sorted(found, key=lambda one: one.low - one.high):
        if series is best or trouble(series) or not _alike(series, best):
            continue
        length = series.high - series.low
        new = length - sum(max(0.0, min(series.high, high) - max(series.low, low)) for low, high in shown)
        if length > 0 and new >= _NEW * length:
            parts.append(series)
            shown.append((series.low, series.high))
    return parts


def _alike(series: Series, best: Series) -> bool:
    if series.start is None or best.start is None:
        return False
    if abs((series.start - best.start).total_seconds()) > _HOURS * 3600:
        return False
    kernels = (kernel_kind(series.texts["kernel"]), kernel_kind(best.texts["kernel"]))
    return series.tracer == best.tracer and kernels[0] == kernels[1]


def join(images: Sequence[nib.Nifti1Image]) -> nib.Nifti1Image:
    """Return one volume of parts that lie above each other; where two show the same, the first is taken.

    Parameters
    ----------
    images : sequence of Nifti1Image
        RAS+, of one grid.

    Raises
    ------
    ScannerFileError
        If their grids do not fit, or slices between them are missing.

    Examples
    --------
    >>> low, high = np.eye(4), np.eye(4)
    >>> high[2, 3] = 3.0
    >>> parts = [nib.Nifti1Image(np.full((2, 2, 4), k), a) for k, a in ((1.0, low), (2.0, high))]
    >>> join(parts).get_fdata()[0, 0].tolist()
    [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    """
    first = images[0]
    offsets = [_offset(first, image) for image in images]
    low = min(offsets)
    count = max(offset + image.shape[2] for offset, image in zip(offsets, images, strict=True)) - low
    whole: np.ndarray = np.zeros((*first.shape[:2], count), first.get_data_dtype(), order="F")
    filled = np.zeros(count, bool)
    for offset, image in zip(offsets, images, strict=True):
        here = np.arange(image.shape[2]) + offset - low
        new = ~filled[here]
        whole[:, :, here[new]] = np.asanyarray(image.dataobj)[:, :, new]
        filled[here] = True
    if not filled.all():
        missing = int((~filled).sum())
        raise ScannerFileError(f"{missing} slices between them are missing.")
    affine = first.affine.copy()
    affine[:3, 3] += low * affine[:3, 2]
    return nib.Nifti1Image(whole, affine)


def _offset(first: nib.Nifti1Image, image: nib.Nifti1Image) -> int:
    """Return how many slices above the first a volume begins."""
    relative = np.linalg.inv(first.affine) @ image.affine
    shift = relative[:3, 3]
    whole = int(np.round(shift[2]))
    if image.shape[:2] != first.shape[:2] or np.abs(relative[:3, :3] - np.eye(3)).max() > 1e-3:
        raise ScannerFileError("their grids differ in size, spacing or direction.")
    if np.abs(shift - [0, 0, whole]).max() > _OFF_GRID:
        raise ScannerFileError("their grids are shifted against each other.")
    return whole
