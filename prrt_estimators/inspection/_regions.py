"""How much of an attribution lies in lesions, how much in organs that take up the tracer anyway, and how much is chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from prrt_estimators._modalities import MODALITIES, anatomy_first, uptake_in
from prrt_estimators.cohort import Volumes
from prrt_estimators.inspection._native_grids import onto
from prrt_estimators.inspection._saliency import SaliencyMaps
from prrt_estimators.inspection._views import mask_on

#: Parts of mask names that mean normal organs, unless the name speaks of tumour, too.
_ORGANS = (
    "adrenal", "bladder", "blood", "bowel", "colon", "gland", "heart", "kidney", "liver", "organ", "pancreas",
    "physiolog", "pituitary", "prostate", "salivary", "spleen", "stomach", "thyroid", "ureter",
)  # fmt: skip
_TUMOUR = ("gtv", "lesion", "metasta", "tumor", "tumour")
#: HU above which a voxel is patient and not air or lung; SUV where there is no CT.
_ELSEWHERE = "uptake elsewhere"


def attribution_in_regions(
    maps: SaliencyMaps,
    masks: Mapping[str, Any],
    *,
    physiological: Sequence[str] | None = None,
    suv_above: float | None = 4.0,
    within: str = "box",
) -> pd.DataFrame:
    r"""Measure which share of each map lies in lesions, and which in organs with physiological uptake.

    With the map m and the share r of each voxel inside a region,

    .. math:: \text{share} = \frac{\sum_v r_v |m_v|}{\sum_v |m_v|}, \qquad
              \text{expected} = \frac{\sum_v r_v}{\sum_v 1}, \qquad \text{ratio} = \frac{\text{share}}{\text{expected}};

    the pointing game is won where the greatest value of the map lies in the region (half of its voxel or more).

    Parameters
    ----------
    maps : SaliencyMaps
        n patients, from :func:`saliency`.
    masks : mapping of str to Volumes, paths or arrays of shape (n, 1, D, H, W)
        Regions by name, ``X.masks`` for instance: files on any grid, or arrays on the grid of the scans.
    physiological : sequence of str, default=None
        Which masks are normal organs. By default those whose name speaks of one ("kidneys") and not of tumour
        ("liver_metastases"). Lesions within an organ count as lesions only.
    suv_above : float or None, default=4.0
        Uptake from this SUV on that lies in no mask becomes a region of its own, "uptake elsewhere", counted as
        physiological; None for no such region, which also needs a PET.
    within : {"box", "body"}, default="box"
        Which voxels count. "body" leaves out air, around and inside the patient (up to -500 HU, or 0.2 SUV without
        CT), where no lesion can be: the stricter comparison with chance.

    Returns
    -------
    DataFrame
        ``patient_id``, ``modality``, ``region``, ``kind`` ("lesion" or "physiological"), ``share``, ``expected``,
        ``ratio``, ``pointing`` (1.0 or 0.0), ``uptake_share`` (PET: the share that a map copying the PET would
        have) and ``voxels`` of the region. A patient without that region is left out; numbers are NaN for a map of
        zeros.

    Raises
    ------
    TypeError, ValueError
        If the maps are not of :func:`saliency`, or masks do not fit them.

    References
    ----------
    Zhang et al. 2018 (pointing game), doi 10.1007/s11263-017-1059-x.

    Examples
    --------
    >>> values = np.zeros((1, 1, 4, 4, 4))
    >>> values[0, 0, 0, 0, :2] = [3.0, 1.0]
    >>> affines, volumes = dict(pet=np.eye(4)[None]), dict(pet=np.ones((1, 1, 4, 4, 4)))
    >>> about = {"ids": ["P1"], "probability": [0.4], "method": "gradient", "target": "logit"}
    >>> maps = SaliencyMaps(dict(pet=values), affines=affines, volumes=volumes, **about)
    >>> row = attribution_in_regions(maps, {"lesion": values > 2}).iloc[0]
    >>> [float(row[name]) for name in ("share", "expected", "ratio", "pointing")]
    [0.75, 0.015625, 48.0, 1.0]
    """
    if not isinstance(maps, SaliencyMaps):
        raise TypeError(f"`maps` must come from saliency(); got {type(maps).__name__}.")
    if within not in ("box", "body"):
        raise ValueError(f"`within` must be 'box' or 'body'; got {within!r}.")
    given = {name: Volumes(values) for name, values in masks.items()}
    lengths = {name: len(values) for name, values in given.items() if len(values) != len(maps.ids)}
    if lengths:
        raise ValueError(f"`masks` must have one row for each of {len(maps.ids)} patients; got {lengths}.")
    organs = set(_organs(given) if physiological is None else physiological)
    if organs - set(given):
        raise ValueError(f"`physiological` names {sorted(organs - set(given))}; the masks are {sorted(given)}.")
    rows: list[dict[str, Any]] = []
    for name, values in maps.items():
        for row in np.flatnonzero(maps.present(name)):
            regions = _regions(maps, given, organs, name, int(row), suv_above)
            counted = np.ones(values.shape[2:]) if within == "box" else _body(maps, name, int(row))
            rows += _measured(maps, name, int(row), regions, counted)
    columns = ["patient_id", "modality", "region", "kind", "share", "expected", "ratio", "pointing", "uptake_share"]
    return pd.DataFrame(rows, columns=[*columns, "voxels"])


def summarise_regions(table: pd.DataFrame) -> pd.DataFrame:
    """Bring the regions of all patients to one row per modality and region.

    Parameters
    ----------
    table : DataFrame
        From :func:`attribution_in_regions`.

    Returns
    -------
    DataFrame
        ``modality``, ``region``, ``kind``, ``n_patients``, means over patients of ``share``, ``expected`` and
        ``uptake_share``, their ``ratio`` (mean share over mean expected), and the part of patients for whom the
        pointing game is won with Wilson's 95 % interval: ``pointing``, ``pointing_low``, ``pointing_high``. Patients
        whose map is zero everywhere are not counted.

    Examples
    --------
    >>> table = pd.DataFrame({"modality": "PET", "region": "lesion", "kind": "lesion", "share": [0.2, 0.4],
    ...                       "expected": [0.1, 0.1], "pointing": [1.0, 0.0], "uptake_share": [0.1, 0.1]})
    >>> summarise_regions(table)[["n_patients", "share", "ratio", "pointing"]].round(2).to_numpy().tolist()
    [[2.0, 0.3, 3.0, 0.5]]
    """
    rows = []
    for (modality, region, kind), part in table.groupby(["modality", "region", "kind"], sort=False):
        part = part.dropna(subset=["share"])
        won, low, high = np.nan, np.nan, np.nan
        if len(part):
            hits = binomtest(int(part["pointing"].sum()), len(part))
            won, (low, high) = hits.statistic, hits.proportion_ci(method="wilson")
        share, expected = part["share"].mean(), part["expected"].mean()
        rows.append(
            {
                "modality": modality,
                "region": region,
                "kind": kind,
                "n_patients": len(part),
                "share": share,
                "expected": expected,
                "ratio": share / expected,
                "uptake_share": part["uptake_share"].mean(),
                "pointing": won,
                "pointing_low": low,
                "pointing_high": high,
            }
        )
    return pd.DataFrame(rows)


def _organs(names: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name in names
        if any(organ in name.lower() for organ in _ORGANS) and not any(word in name.lower() for word in _TUMOUR)
    ]


def _regions(
    maps: SaliencyMaps, masks: Mapping[str, Volumes], organs: set[str], name: str, row: int, suv_above: float | None
) -> dict[tuple[str, str], np.ndarray]:
    """Return (region, kind) -> share of each voxel inside; organs without the lesions in them."""
    shape, affine = maps[name].shape[2:], maps.affines[name][row]
    found = {mask: mask_on(volumes, row, shape, affine, shape, affine) for mask, volumes in masks.items()}
    shares = {mask: values for mask, values in found.items() if values is not None}
    free = np.ones(shape)
    regions = {}
    for mask, values in shares.items():
        if mask not in organs:
            regions[mask, "lesion"] = values
            free = np.minimum(free, 1 - values)
    rest = free.copy()
    for mask in (mask for mask in shares if mask in organs):
        regions[mask, "physiological"] = np.minimum(shares[mask], free)
        rest = np.minimum(rest, 1 - shares[mask])
    uptake = uptake_in(maps)
    if suv_above is not None and uptake is not None and maps.present(uptake)[row]:
        suv = onto(maps.volumes[uptake][row, 0], maps.affines[uptake][row], shape, affine)
        regions[_ELSEWHERE, "physiological"] = (suv >= suv_above) * rest
    return regions


def _body(maps: SaliencyMaps, name: str, row: int) -> np.ndarray:
    seen = next((other for other in anatomy_first(maps) if maps.present(other)[row]), name)
    shape, affine = maps[name].shape[2:], maps.affines[name][row]
    values = onto(maps.volumes[seen][row, 0], maps.affines[seen][row], shape, affine, outside=-np.inf)
    return (values > MODALITIES[seen].body).astype(float)


def _measured(
    maps: SaliencyMaps, name: str, row: int, regions: Mapping[tuple[str, str], np.ndarray], counted: np.ndarray
) -> list[dict[str, Any]]:
    weight = np.abs(maps[name][row, 0].astype(np.float64)) * counted
    total, peak = weight.sum(), np.unravel_index(weight.argmax(), weight.shape)
    suv = maps.volumes[name][row, 0] * counted if MODALITIES[name].uptake else None
    rows = []
    for (region, kind), inside in regions.items():
        inside = inside * counted
        if not inside.any():
            continue
        expected = inside.sum() / counted.sum()
        share = (inside * weight).sum() / total if total else np.nan
        rows.append(
            {
                "patient_id": maps.ids[row],
                "modality": name,
                "region": region,
                "kind": kind,
                "share": share,
                "expected": expected,
                "ratio": share / expected,
                "pointing": float(inside[peak] >= 0.5) if total else np.nan,
                "uptake_share": np.nan if suv is None or suv.sum() <= 0 else (inside * suv).sum() / suv.sum(),
                "voxels": float(inside.sum()),
            }
        )
    return rows
