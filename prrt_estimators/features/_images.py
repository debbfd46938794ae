"""Scans of one patient on their own grids, and on the grid that the finder works on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from prrt_estimators._io import file_digest
from prrt_estimators._modalities import CT, MODALITIES, PET
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.contours import Mask, read_mask
from prrt_estimators.exceptions import CohortError, ContourError, Problem
from prrt_estimators.features._networks import SPACING_MM
from prrt_estimators.preprocessing._boxes import Box, centre_of, field_of_view, into_box
from prrt_estimators.preprocessing._cache import ScanRecord, VolumeCache
from prrt_estimators.preprocessing._scans import read_scan
from prrt_estimators.preprocessing._summaries import suv_summary
from prrt_estimators.preprocessing._volumes import check_array

#: Scans that lesions and organs are measured on.
SCANS = (PET.name, CT.name)
#: Voxels within these factors of the training's size are taken as they are.
_CLOSE = (0.88, 1.14)


@dataclass(frozen=True)
class Image:
    """Voxels and where they lie.

    Parameters
    ----------
    data : ndarray of float32, shape (d, h, w)
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    """

    data: np.ndarray
    affine: np.ndarray

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) / 1000.0)

    @property
    def spacing(self) -> np.ndarray:
        """Millimetres between voxels along each axis of the array."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def read_image(X: Cohort, row: int, modality: str, spacing: Any = None) -> Image | None:
    """Return the scan of one patient, None if there is none.

    Parameters
    ----------
    X : Cohort
    row : int
    modality : str
    spacing : float or three floats, default=None
        Millimetres of the voxels of an array that does not hold them.

    Raises
    ------
    CohortError
        If a file or an array cannot be used.
    ValueError
        If the spacing of an array is not known.
    """
    if modality not in X or not X[modality].present[row]:
        return None
    volumes = X[modality]
    if volumes.array is None:
        scan = read_scan(volumes.paths[row], modality, str(X.ids[row]))
        return Image(scan.data, scan.affine)
    try:
        check_array(volumes.array[row, 0], modality)
    except ValueError as error:
        raise CohortError([Problem(str(error), "mend the array", patient=str(X.ids[row]), column=modality)]) from None
    return Image(volumes.array[row, 0], array_affine(volumes, row, modality, spacing))


def array_affine(volumes: Volumes, row: int, name: str, spacing: Any = None) -> np.ndarray:
    """Return the affine of one patient's voxels in an array: axes along Right, Anterior, Superior."""
    if volumes.spacing is not None:
        size = volumes.spacing[row]
    elif spacing is not None:
        size = np.broadcast_to(np.asarray(spacing, dtype=float), 3)
    else:
        raise ValueError(
            f"lesions are measured in millimetres, but the array of {name!r} does not hold the size of its voxels. "
            "Pass Volumes(array, spacing=(r, a, s)) in mm, or `spacing`."
        )
    return np.diag([*np.asarray(size, dtype=float).tolist(), 1.0])


def scan_key(X: Cohort, row: int, name: str, cache: VolumeCache, spacing: Any = None) -> Any:
    """Return what identifies the content of a scan, without opening a file that is known; None for no scan."""
    if name not in X or not X[name].present[row]:
        return None
    volumes = X[name]
    if volumes.array is not None:
        data = np.ascontiguousarray(volumes.array[row])
        affine = array_affine(volumes, row, name, spacing)
        return [hashlib.sha256(data.tobytes()).hexdigest(), list(data.shape), affine.ravel().tolist()]
    record = cache.record(volumes.paths[row])
    if record is None:
        scan = read_scan(volumes.paths[row], name, str(X.ids[row]))
        summary = suv_summary(scan.data, scan.affine) if MODALITIES[name].uptake else {}
        record = ScanRecord(scan.digest, scan.data.shape, tuple(scan.affine.ravel().tolist()), summary)
        cache.put_record(volumes.paths[row], scan.stat, record)
    return record.digest


def mask_key(volumes: Volumes, row: int) -> Any:
    """Return what identifies the content of a mask."""
    if not volumes.present[row]:
        return None
    if volumes.array is not None:
        data = np.ascontiguousarray(volumes.array[row])
        return [hashlib.sha256(data.tobytes()).hexdigest(), list(data.shape)]
    path = volumes.paths[row]  # type: ignore[index]
    return file_digest(path) if os.path.isfile(path) else str(path)


def working_box(image: Image) -> Box:
    """Return the grid that the finder works on: the scan's own where its voxels are about as large, else 11 mm.

    It covers the scan's field of view.
    """
    affine = image.affine
    diagonal = np.diag(affine)[:3]
    straight = (
        np.allclose(affine[:3, :3], np.diag(diagonal), atol=1e-3 * np.abs(diagonal).max()) and (diagonal > 0).all()
    )
    centre = centre_of(image.data.shape, affine)
    if straight and (diagonal > _CLOSE[0] * SPACING_MM).all() and (diagonal < _CLOSE[1] * SPACING_MM).all():
        return Box(centre, image.data.shape, tuple(diagonal.tolist()))
    low, high = field_of_view(image.data.shape, affine)
    size = np.maximum(np.ceil((high - low) / SPACING_MM - 0.2).astype(int), 1)
    return Box(centre, tuple(size.tolist()), (SPACING_MM,) * 3)


def onto_box(image: Image, box: Box, modality: str) -> np.ndarray:
    """Return a scan on the working grid, averaged where that is coarser; as it is where both grids are the same."""
    if image.data.shape == box.size and np.allclose(image.affine, box.affine, atol=2e-3):
        return np.asarray(image.data, dtype=np.float32)
    return into_box(np.asarray(image.data, dtype=np.float32), image.affine, box, modality).astype(np.float32)


def mask_onto_box(mask: Image, box: Box) -> np.ndarray:
    """Return the share of each voxel of the working grid that a mask fills."""
    return onto_box(Image((mask.data > 0.5).astype(np.float32), mask.affine), box, PET.name)


def from_box(values: np.ndarray, box: Box, image: Image) -> np.ndarray:
    """Return values of the working grid at the voxels of a scan, linearly interpolated, 0 outside.

    `values` has shape (d, h, w) or (channels, d, h, w).
    """
    if image.data.shape == box.size and np.allclose(image.affine, box.affine, atol=2e-3):
        return values
    if values.ndim == 4:
        return np.stack([from_box(channel, box, image) for channel in values])
    step = np.linalg.inv(box.affine) @ image.affine
    return ndimage.affine_transform(
        values, step[:3, :3], offset=step[:3, 3], output_shape=image.data.shape, order=1, mode="constant", cval=0.0
    )


def same_grid(first: Image, second: Image) -> bool:
    """Return whether two volumes have the same voxels."""
    return first.data.shape == second.data.shape and bool(np.allclose(first.affine, second.affine, atol=2e-3))


def on_voxels_of(mask: Image, image: Image) -> bool:
    """Return whether the voxels of a mask are voxels of a scan, in whatever order and extent."""
    if same_grid(mask, image):
        return True
    step = np.linalg.inv(image.affine) @ mask.affine
    whole = np.rint(step)
    size = np.array([*mask.data.shape, 1.0])
    regular = (np.abs(whole[:3, :3]).sum(axis=0) == 1).all() and (np.abs(whole[:3, :3]).sum(axis=1) == 1).all()
    return bool(regular and (np.abs(step - whole)[:3] * size).max() < 0.01)


def onto_grid_of(labels: Image, image: Image) -> np.ndarray:
    """Return labels at the voxels of a scan, nearest neighbour."""
    values = np.rint(labels.data).astype(np.int32)
    if same_grid(labels, image):
        return values
    step = np.linalg.inv(labels.affine) @ image.affine
    return ndimage.affine_transform(
        values, step[:3, :3], offset=step[:3, 3], output_shape=image.data.shape, order=0, mode="constant"
    )


def masks_by_scan(X: Cohort, mask: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return the name of the mask that belongs to each scan.

    Parameters
    ----------
    X : Cohort
    mask : str, mapping or None
        One name for both scans, or a mapping of modality to name. None takes the only mask, or the two whose names
        hold ``pet`` and ``ct``.

    Raises
    ------
    ValueError
        If there is no mask, or it is not clear which belongs to which scan.
    """
    names = list(X.masks)
    if isinstance(mask, Mapping):
        chosen = {scan: str(name) for scan, name in mask.items()}
        unknown = [scan for scan in chosen if scan not in SCANS]
        if unknown or not chosen:
            raise ValueError(f"`mask` must map {' and '.join(map(repr, SCANS))} to names of masks; got {mask!r}.")
    elif mask is not None:
        chosen = dict.fromkeys(SCANS, str(mask))
    elif len(names) == 1:
        chosen = dict.fromkeys(SCANS, names[0])
    else:
        chosen = {}
        for scan in SCANS:
            fitting = [name for name in names if scan in name.lower()]
            if len(fitting) == 1:
                chosen[scan] = fitting[0]
        if not chosen:
            raise ValueError(
                f"lesions='mask' needs masks of lesions; this cohort has {', '.join(names) or 'none'}. Pass the name as "
                f"`mask`, or {{{', '.join(f'{scan!r}: name' for scan in SCANS)}}}."
            )
    missing = [name for name in chosen.values() if name not in names]
    if missing:
        raise ValueError(f"`mask`: there is no mask {missing[0]!r}; this cohort has {', '.join(names) or 'none'}.")
    return chosen


def read_lesions(X: Cohort, row: int, name: str, like: Image | None, spacing: Any = None) -> Image | None:
    """Return a patient's mask as lesions numbered from 1; None if the patient has none.

    Several labels are several lesions; one label alone is split into parts that touch. An array lies on the grid of
    `like`.
    """
    volumes = X.masks[name]
    if not volumes.present[row]:
        return None
    if volumes.array is None:
        path = str(volumes.paths[row])  # type: ignore[index]
        try:
            mask = read_mask(path)
        except ContourError as error:
            problem = Problem(error.what, error.remedy, patient=str(X.ids[row]), column=name, file=path)
            raise CohortError([problem]) from error
    else:
        data = volumes.array[row, 0]
        known = volumes.spacing is None and like is not None and data.shape == like.data.shape
        affine = like.affine if known else array_affine(volumes, row, name, spacing)  # type: ignore[union-attr]
        data = np.where(np.isnan(data), 0, data)
        low, high = float(data.min(initial=0)), float(data.max(initial=0))
        if low < -1e-3 or high > np.iinfo(np.uint16).max:
            what = f"the mask holds values from {low:g} to {high:g}"
            remedy = "give whole numbers from 0 as labels, or fractions from 0 to 1"
            raise CohortError([Problem(what, remedy, patient=str(X.ids[row]), column=name)])
        whole = np.rint(data)
        labels = whole if np.abs(data - whole).max(initial=0) < 1e-3 else data >= 0.5
        mask = Mask(labels.astype(np.uint16), affine)
    return Image(mask.lesions().astype(np.float32), mask.affine)
