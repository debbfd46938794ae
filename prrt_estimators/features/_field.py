"""The field's own numbers of lesions on PET, one definition each, on the scan's own grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import pdist

from prrt_estimators.contours import Shares
from prrt_estimators.features._images import Image
from prrt_estimators.features._networks import SITES

#: Names and units, in the order of the columns.
FIELD_UNITS = {
    "lesion_volume_ml": "mL",
    "total_uptake_suv_ml": "SUV mL",
    "suv_max": "SUVbw",
    "suv_peak": "SUVbw",
    "suv_mean": "SUVbw",
    "suv_mean_lowest": "SUVbw",
    "suv_dispersion": "",
    "n_lesions": "",
    "largest_lesion_ml": "mL",
    "dmax_mm": "mm",
    "liver_share": "",
    "bone_share": "",
    "node_share": "",
    "lesion_hu_mean": "HU",
    "lesion_hu_sd": "HU",
}
FIELD = tuple(FIELD_UNITS)
#: Voxels that touch by a face, an edge or a corner are of one lesion.
TOUCHING = np.ones((3, 3, 3), dtype=int)
_PEAK_ML = 1.0


@dataclass(frozen=True)
class Lesion:
    """One lesion on one scan.

    Parameters
    ----------
    number : int
        Value in the label volume, from 1.
    site : str
        "liver", "bone" or "node" (all other soft tissue).
    centre_mm : tuple of 3 floats
        RAS+ millimetres of its centroid.
    volume_ml : float
    suv_max, suv_peak, suv_mean : float
        NaN for a lesion on CT.
    hu_mean : float
        NaN without CT.
    confidence : float
        Probability that it is a lesion, as measured on phantoms; NaN where it was not the finder that delineated it.
    """

    number: int
    site: str
    centre_mm: tuple[float, float, float]
    volume_ml: float
    suv_max: float
    suv_peak: float
    suv_mean: float
    hu_mean: float
    confidence: float


def label_lesions(mask: np.ndarray, voxel_ml: float, min_ml: float = 0.0) -> np.ndarray:
    """Return connected lesions numbered from 1, the largest first, without those under `min_ml`."""
    labels, n = ndimage.label(mask, TOUCHING)
    if not n:
        return labels.astype(np.int16)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:] * voxel_ml
    order = np.argsort(-sizes, kind="stable")
    kept = [k for k in order if sizes[k] >= min_ml]
    # A mask of noise has more parts than int16 counts.
    rank = np.zeros(n + 1, dtype=np.int16 if len(kept) <= np.iinfo(np.int16).max else np.int32)
    rank[np.array(kept, dtype=int) + 1] = np.arange(1, len(kept) + 1)
    return rank[labels]


def numbers_in(labels: np.ndarray) -> np.ndarray:
    """Return the numbers of the lesions of a label volume; one may be missing that lies outside this grid."""
    values = np.unique(labels)
    return values[values > 0]


def per_lesion(function: Callable[..., Any], values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return a function of `scipy.ndimage` over the voxels of each lesion, which are few among all."""
    inside = labels > 0
    return np.array(function(values[inside], labels[inside], numbers_in(labels[inside])), dtype=float)


def peak_map(image: Image, around: np.ndarray) -> np.ndarray:
    """Return the mean SUV in a sphere of 1 mL about each voxel, right where `around` is True.

    Voxels count with the part of them that lies in the sphere, so that voxels larger than it give their own value.
    """
    values = np.zeros(image.data.shape, dtype=np.float32)
    if not around.any():
        return values
    kernel = _sphere(image.affine)
    reach = [k // 2 for k in kernel.shape]
    filled = np.argwhere(around)
    low = np.maximum(filled.min(0) - reach, 0)
    high = np.minimum(filled.max(0) + reach + 1, image.data.shape)
    part = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    data = np.asarray(image.data[part], dtype=np.float32)
    values[part] = ndimage.convolve(data, kernel, mode="nearest")
    return values


def _sphere(affine: np.ndarray, parts: int = 5) -> np.ndarray:
    radius = (3 * _PEAK_ML * 1000 / (4 * np.pi)) ** (1 / 3)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    reach = np.ceil(radius / spacing - 0.5).clip(0).astype(int)
    offsets = (np.arange(parts) + 0.5) / parts - 0.5
    fine = [(np.arange(-r, r + 1)[:, None] + offsets).ravel() for r in reach]
    points = np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1) @ affine[:3, :3].T
    inside = (np.linalg.norm(points, axis=-1) <= radius).astype(float)
    shape = [2 * r + 1 for r in reach]
    share = inside.reshape(shape[0], parts, shape[1], parts, shape[2], parts).mean(axis=(1, 3, 5))
    return share / share.sum()


def lesions_of(
    labels: np.ndarray,
    image: Image,
    site: np.ndarray,
    *,
    pet: np.ndarray | None,
    hu: np.ndarray | None,
    confidence: np.ndarray | None = None,
) -> list[Lesion]:
    """Return the lesions of a label volume.

    Parameters
    ----------
    labels : ndarray of int, shape (d, h, w)
    image : Image
        The grid that the labels lie on.
    site : ndarray of int
        Index into `SITES` of each lesion, in the order of their numbers.
    pet, hu : ndarray of shape (d, h, w) or None
        SUVbw and HU on that grid.
    confidence : ndarray of float, default=None
    """
    index = numbers_in(labels)
    n = len(index)
    if not n:
        return []
    centres = np.array(ndimage.center_of_mass(np.ones(labels.shape, np.uint8), labels, index)).reshape(n, 3)
    world = centres @ image.affine[:3, :3].T + image.affine[:3, 3]
    volume = np.bincount(labels.ravel())[index] * image.voxel_ml
    missing = np.full(n, np.nan)
    if pet is None:
        top = peak = mean = missing
    else:
        inside = labels > 0
        top = per_lesion(ndimage.maximum, pet, labels)
        peak = per_lesion(ndimage.maximum, peak_map(Image(pet, image.affine), inside), labels)
        mean = per_lesion(ndimage.mean, pet, labels)
    density = missing if hu is None else per_lesion(ndimage.mean, hu, labels)
    sure = missing if confidence is None else confidence
    return [
        Lesion(
            int(index[k]),
            SITES[int(site[k])],
            tuple(np.round(world[k], 2).tolist()),
            float(volume[k]),
            float(top[k]),
            float(peak[k]),
            float(mean[k]),
            float(density[k]),
            float(sure[k]),
        )
        for k in range(n)
    ]


def field_numbers(
    labels: np.ndarray | None,
    lesions: list[Lesion],
    pet: Image | None,
    hu_in_tumour: np.ndarray | None,
    shares: list[Shares] | None = None,
) -> dict[str, float]:
    """Return the field's own numbers of one patient.

    Parameters
    ----------
    labels : ndarray of int or None
        Lesions on the PET's grid; None without PET.
    lesions : list of Lesion
        Those of `labels`.
    pet : Image or None
    hu_in_tumour : ndarray or None
        HU of the voxels of tumour on CT; None without CT.
    shares : list of Shares, default=None
        Of lesions that were drawn on another grid than the PET's.
    """
    numbers = dict.fromkeys(FIELD, np.nan)
    if hu_in_tumour is not None and hu_in_tumour.size:
        numbers["lesion_hu_mean"] = float(hu_in_tumour.mean())
        numbers["lesion_hu_sd"] = float(hu_in_tumour.std())
    if labels is None or pet is None:
        return numbers
    volumes = np.array([lesion.volume_ml for lesion in lesions])
    numbers["n_lesions"] = float(len(lesions))
    numbers["lesion_volume_ml"] = float(volumes.sum())
    numbers["largest_lesion_ml"] = float(volumes.max(initial=0.0))
    numbers["total_uptake_suv_ml"] = 0.0
    numbers["dmax_mm"] = 0.0
    if not lesions:
        return numbers
    means = np.array([lesion.suv_mean for lesion in lesions])
    if shares is None:
        suv = pet.data[labels > 0]
        numbers["total_uptake_suv_ml"] = float(suv.sum(dtype=np.float64) * pet.voxel_ml)
        numbers["suv_max"] = float(suv.max())
        numbers["suv_mean"] = float(suv.mean(dtype=np.float64))
    else:
        weights = np.array([one.share.sum() for one in shares])
        numbers["total_uptake_suv_ml"] = float(means @ volumes)
        numbers["suv_max"] = max(lesion.suv_max for lesion in lesions)
        numbers["suv_mean"] = float(np.average(means, weights=weights))
    numbers["suv_peak"] = max(lesion.suv_peak for lesion in lesions)
    numbers["suv_mean_lowest"] = float(means.min())
    numbers["suv_dispersion"] = float(means.std() / means.mean()) if means.mean() > 0 else np.nan
    if len(lesions) > 1:
        numbers["dmax_mm"] = float(pdist(np.array([lesion.centre_mm for lesion in lesions])).max())
    for site in SITES:
        numbers[f"{site}_share"] = float(
            volumes[[lesion.site == site for lesion in lesions]].sum() / max(volumes.sum(), 1e-12)
        )
    return numbers
