"""The ten numbers of lesions, liver and muscle that a model of PFS is built on.

All are measured on the working grid (voxels of about 11 mm), where lesions hold few voxels: volumes are sums of shares,
not counts of voxels, and lesions are local maxima of uptake, so that lesions which touch count apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from prrt_estimators.features._networks import ORGANS, SITES

#: Names of the ten numbers, in the order of the columns.
PROGNOSTIC = (
    "log_avid_volume",
    "ct_pet_mismatch",
    "log_peak_mean",
    "log_peak_spread",
    "lesion_suv_spread",
    "log_suv_p10",
    "uptake_cv",
    "lesion_hu_z",
    "liver_hu",
    "muscle_hu",
)
#: The three parts of ``ct_pet_mismatch``, and the densities that ``lesion_hu_z`` is made of: z-scores against phantoms.
REFERENCED = ("volume_ratio", "volume_only", "number_only", *(f"hu_{site}" for site in SITES))

#: Share above which a voxel counts as tumour for its uptake, and for its density.
_UPTAKE_SHARE, _DENSITY_SHARE = 0.3, 0.3
#: Power of the logarithm of a lesion's size by which partial volume lowers its peak; chosen on phantoms.
_PARTIAL_VOLUME = 0.15
_MAX_WEIGHT = 10.0


@dataclass(frozen=True)
class Tumour:
    """Tumour on the working grid, whatever its delineation.

    Parameters
    ----------
    pet, ct : ndarray of shape (d, h, w) or None
        SUVbw and HU.
    on_pet, on_ct : ndarray of shape (3, d, h, w) or None
        Share of each voxel that tumour fills, by site.
    either : ndarray of shape (d, h, w) or None
        Share that tumour fills on any scan.
    log_suv, per_voxel : ndarray of shape (d, h, w) or None
        Logarithm of the SUV of the lesion that a voxel belongs to; lesions per voxel.
    tissue : ndarray of shape (5, d, h, w)
        Share of liver, spleen, kidney, bladder, muscle.
    voxel_ml : float
    """

    pet: np.ndarray | None
    ct: np.ndarray | None
    on_pet: np.ndarray | None
    on_ct: np.ndarray | None
    either: np.ndarray | None
    log_suv: np.ndarray | None
    per_voxel: np.ndarray | None
    tissue: np.ndarray
    voxel_ml: float


def prognostic_numbers(tumour: Tumour, reference: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Return the ten numbers of one patient; NaN where a scan is missing or nothing can be measured.

    Parameters
    ----------
    tumour : Tumour
    reference : mapping of str to pair of floats
        Mean and standard deviation over phantoms of what `REFERENCED` names, never of the cohort at hand.
    """
    parts = mismatch_parts(tumour)
    density = lesion_densities(tumour)
    peaks = _peaks(tumour)
    return {
        "log_avid_volume": np.nan if tumour.on_pet is None else _log_ml(tumour.on_pet, tumour.voxel_ml, 0.5),
        "ct_pet_mismatch": sum((parts[k] - reference[k][0]) / reference[k][1] for k in REFERENCED[:3]),
        "log_peak_mean": peaks[0],
        "log_peak_spread": peaks[1],
        "lesion_suv_spread": _suv_spread(tumour),
        "log_suv_p10": _low_uptake(tumour),
        "uptake_cv": _uptake_cv(tumour),
        "lesion_hu_z": _density_z(density, reference),
        "liver_hu": liver_hu(tumour),
        "muscle_hu": muscle_hu(tumour),
    }


def referenced_numbers(tumour: Tumour) -> dict[str, float]:
    """Return what z-scores are taken of: `REFERENCED` of one phantom."""
    density = lesion_densities(tumour)
    return {**mismatch_parts(tumour), **{f"hu_{site}": density[site][0] for site in SITES}}


def mismatch_parts(tumour: Tumour) -> dict[str, float]:
    """Return three measures of tumour on CT against tumour on PET, each larger the more tumour only CT shows.

    ``volume_ratio``: logarithm of the volume on CT over that on PET. ``volume_only``: logarithm of the volume that only
    CT shows over that which only PET shows, one voxel of breathing allowed for. ``number_only``: the same for numbers of
    lesions.
    """
    if tumour.on_pet is None or tumour.on_ct is None:
        return dict.fromkeys(REFERENCED[:3], np.nan)
    ml = tumour.voxel_ml
    pet, ct = tumour.on_pet.max(0), tumour.on_ct.max(0)
    near_pet, near_ct = _widest(pet), _widest(ct)
    only_ct, only_pet = tumour.on_ct * (1 - near_pet), tumour.on_pet * (1 - near_ct)
    smooth_pet, smooth_ct = ndimage.gaussian_filter(pet, 0.7), ndimage.gaussian_filter(ct, 0.7)
    top_pet = (_widest(smooth_pet) == smooth_pet) & (smooth_pet > 0.12)
    top_ct = (_widest(smooth_ct) == smooth_ct) & (smooth_ct > 0.12)
    return {
        "volume_ratio": _log_ml(tumour.on_ct, ml, 0.5) - _log_ml(tumour.on_pet, ml, 0.5),
        "volume_only": _log_ml(only_ct, ml, 3.0) - _log_ml(only_pet, ml, 3.0),
        "number_only": float(
            np.log((top_ct & (near_pet < 0.3)).sum() + 1) - np.log((top_pet & (near_ct < 0.3)).sum() + 1)
        ),
    }


def lesion_densities(tumour: Tumour) -> dict[str, tuple[float, float]]:
    """Return HU of tumour on CT by site (in the liver: relative to the liver) and the weight of what was seen."""
    found = dict.fromkeys(SITES, (np.nan, 0.0))
    if tumour.on_ct is None or tumour.ct is None:
        return found
    liver = liver_hu(tumour)
    for share, site in zip(tumour.on_ct, SITES, strict=True):
        weight = np.where(share > _DENSITY_SHARE, share**2, 0)
        if weight.sum() > 1:
            hu = float((tumour.ct * weight).sum() / weight.sum())
            found[site] = (hu - liver if site == "liver" else hu, float(weight.sum()))
    return found


def _density_z(density: Mapping[str, tuple[float, float]], reference: Mapping[str, tuple[float, float]]) -> float:
    scores, weights = [], []
    for site, (hu, weight) in density.items():
        if np.isfinite(hu) and weight > 0:
            mean, sd = reference[f"hu_{site}"]
            scores.append(np.clip((hu - mean) / sd, -3, 3))
            weights.append(min(weight, _MAX_WEIGHT))
    return float(np.average(scores, weights=weights)) if scores else np.nan


def liver_hu(tumour: Tumour) -> float:
    """Return the median HU of the liver away from tumour; NaN where the field of view holds no liver."""
    if tumour.ct is None:
        return np.nan
    liver = tumour.tissue[ORGANS.index("liver")] > 0.7
    shares = [_widest(part.max(0)) for part in (tumour.on_pet, tumour.on_ct) if part is not None]
    healthy = liver & (np.max(shares, axis=0) < 0.15) if shares else liver
    if healthy.sum() < 10 and tumour.on_ct is not None:
        healthy = liver & (tumour.on_ct.max(0) < 0.3)
    return float(np.median(tumour.ct[healthy])) if healthy.any() else np.nan


def muscle_hu(tumour: Tumour) -> float:
    """Return the median HU of muscle, without fat and bone; NaN where there is hardly any in the field of view."""
    if tumour.ct is None:
        return np.nan
    muscle = tumour.tissue[ORGANS.index("muscle")] > 0.6
    lean = muscle & (tumour.ct > -20) & (tumour.ct < 130)
    return float(np.median(tumour.ct[lean])) if muscle.sum() > 10 and lean.any() else np.nan


def _peaks(tumour: Tumour) -> tuple[float, float]:
    """Return mean of the log SUVs of the peaks, and log of their spread set right for partial volume.

    A small lesion's peak is lowered by partial volume: 0.15 of the logarithm of its size is taken off, and each peak
    weighs as much as the finder is sure of it.
    """
    if tumour.on_pet is None or tumour.pet is None:
        return np.nan, np.nan
    share = tumour.on_pet.max(0)
    top = np.argwhere((_widest(tumour.pet) == tumour.pet) & (share > _UPTAKE_SHARE))
    if not len(top):
        return np.nan, np.nan
    where = tuple(top.T)
    value = np.log(tumour.pet[where] + 0.1)
    if len(top) < 2:
        return float(value.mean()), np.nan
    size = ndimage.uniform_filter(share, 3, mode="constant")[where] * 27
    value_of_size = value - _PARTIAL_VOLUME * np.log(size + 0.5)
    return float(value.mean()), float(np.log(_spread(value_of_size, share[where] ** 2) + 0.1))


def _suv_spread(tumour: Tumour) -> float:
    if tumour.log_suv is None or tumour.per_voxel is None or tumour.per_voxel.sum() <= 1e-6:
        return np.nan
    return _spread(tumour.log_suv, tumour.per_voxel)


def _low_uptake(tumour: Tumour) -> float:
    """Return the 10th percentile over the tumour's volume of the logarithm of the lesions' SUV."""
    if tumour.log_suv is None or tumour.on_pet is None:
        return np.nan
    share = tumour.on_pet.max(0)
    inside = share > _UPTAKE_SHARE
    if not inside.any():
        return np.nan
    order = np.argsort(tumour.log_suv[inside])
    volume = np.cumsum(share[inside][order])
    return float(tumour.log_suv[inside][order][np.searchsorted(volume, 0.1 * volume[-1])])


def _uptake_cv(tumour: Tumour) -> float:
    """Return SD over mean of the SUV in tumour that any scan shows."""
    if tumour.pet is None or tumour.either is None:
        return np.nan
    inside = tumour.either > 0.4
    if not inside.any():
        return np.nan
    return float(tumour.pet[inside].std() / max(float(tumour.pet[inside].mean()), 0.05))


def _spread(values: np.ndarray, weights: np.ndarray) -> float:
    total = weights.sum()
    mean = (values * weights).sum() / total
    return float(np.sqrt((weights * (values - mean) ** 2).sum() / total))


def _log_ml(share: np.ndarray, voxel_ml: float, offset: float) -> float:
    return float(np.log(share.sum() * voxel_ml + offset))


def _widest(share: np.ndarray) -> np.ndarray:
    return ndimage.maximum_filter(share, size=3)
