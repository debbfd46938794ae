"""`BodyComposition`: muscle, fat and liver on CT, where the field of view holds them."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import CT
from prrt_estimators._validation import ScanTransformer, as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.features._delineation import delineate
from prrt_estimators.features._field import label_lesions
from prrt_estimators.features._images import SCANS, read_image, scan_key
from prrt_estimators.features._lesion_finder import Findings, find
from prrt_estimators.features._networks import ORGANS
from prrt_estimators.features._patient_rows import patient_rows
from prrt_estimators.features._prognostic import liver_hu, muscle_hu
from prrt_estimators.features._weights import load_finder, manifest_digest
from prrt_estimators.preprocessing._cache import VolumeCache

_VERSION = 1
_COLUMNS = ("muscle_area_cm2", "muscle_hu", "fat_area_cm2", "muscle_to_fat", "liver_ml", "liver_hu")
#: HU of fat and of muscle on CT, as body composition is measured at L3.
_FAT_HU, _MUSCLE_HU = (-190.0, -30.0), (-29.0, 150.0)
#: Thickness of the slab, and height of its middle above the lower end of the kidneys, about L3.
_SLAB_MM, _ABOVE_MM = 44.0, 20.0
#: Smaller organs are not held by the field of view.
_MIN_KIDNEY_ML, _MIN_LIVER_ML = 60.0, 300.0


class BodyComposition(ScanTransformer):
    """Muscle, fat and liver on CT, where the field of view holds them.

    The networks of the lesion finder name muscle, liver and kidneys; fat is what lies in -190 to -30 HU. Areas are
    means over a slab of 44 mm about 20 mm above the lower end of the kidneys, at about the third lumbar vertebra, where
    body composition is measured [1]_. Nothing is learnt from the cohort.

    ================ ========================================================================================
    column           meaning
    ================ ========================================================================================
    muscle_area_cm2  area of muscle of -29 to 150 HU in the slab, cm2
    muscle_hu        median HU of muscle from -20 to 130 HU in the field of view
    fat_area_cm2     area of fat in the slab, under the skin and inside, cm2
    muscle_to_fat    ratio of the two areas
    liver_ml         volume of the liver, tumour included, mL
    liver_hu         median HU of the liver away from tumour
    ================ ========================================================================================

    Parameters
    ----------
    weights : path, default=None
        Folder with the weights of another finder; the package's own if None.
    spacing : float or three floats, default=None
        Millimetres of the voxels of arrays that do not hold them.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    n_jobs : int, default=None
        Threads; None means 1 unless in a joblib context.

    Notes
    -----
    NaN without CT; areas are NaN where the kidneys or the slab leave the field of view, the liver's volume where it
    reaches the first or last slice. Voxels of 11 mm blur thin muscles: areas compare patients, they do not replace a
    segmentation at full resolution.

    References
    ----------
    .. [1] Mourtzakis et al. 2008, doi 10.1139/H08-075

    Examples
    --------
    >>> from prrt_estimators import make_prrt_cohort
    >>> X, y = make_prrt_cohort(1, volume_shape=(40, 30, 54), random_state=0, return_X_y=True)
    >>> BodyComposition().fit_transform(X).shape
    (1, 6)
    """

    def __init__(
        self,
        *,
        weights: str | os.PathLike[str] | None = None,
        spacing: Any = None,
        cache_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
    ):
        self.weights = weights
        self.spacing = spacing
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the numbers of each patient.

        Parameters
        ----------
        X : Cohort or mapping

        Returns
        -------
        DataFrame of shape (n, 6)

        Raises
        ------
        MissingModalityError
            If there is no CT at all.
        CohortError
            With every scan that cannot be used.
        """
        X = as_cohort(X, image=CT.name)
        if CT.name not in X:
            raise MissingModalityError.of("BodyComposition", [CT.name], X.modalities)
        cache = VolumeCache(self.cache_dir)
        digest = manifest_digest(self.weights)
        measure = partial(self._row, X, cache=cache, digest=digest)
        return patient_rows(measure, len(X), _COLUMNS, n_jobs=self.n_jobs, prefer="threads")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns."""
        return np.array(_COLUMNS, dtype=object)

    def _row(self, X: Cohort, row: int, cache: VolumeCache, digest: str) -> np.ndarray:
        scans = {scan: scan_key(X, row, scan, cache, self.spacing) for scan in SCANS}
        if scans[CT.name] is None:
            return np.full(len(_COLUMNS), np.nan)
        file = cache.feature_file("body", _VERSION, digest, scans)
        try:
            return np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            weights = load_finder(self.weights)
            pet, ct = (read_image(X, row, scan, self.spacing) for scan in SCANS)
            findings = find(pet, ct, weights)
            tumour = delineate("phantom", pet, ct, findings, weights.confidence).tumour
            numbers = body_numbers(findings) | {"muscle_hu": muscle_hu(tumour), "liver_hu": liver_hu(tumour)}
            values = np.array([numbers[name] for name in _COLUMNS])
            cache.put(file, values)
            return values


def body_numbers(findings: Findings) -> dict[str, float]:
    """Return areas of muscle and fat about L3, and the volume of the liver."""
    numbers = dict.fromkeys(("muscle_area_cm2", "fat_area_cm2", "muscle_to_fat", "liver_ml"), np.nan)
    if findings.ct is None:
        return numbers
    ml = findings.voxel_ml
    liver = _with_tumour(findings)
    touches = liver[..., [0, -1]].sum() * ml > 5.0
    if liver.sum() * ml >= _MIN_LIVER_ML and not touches:
        numbers["liver_ml"] = float(liver.sum() * ml)
    kidney = _largest_parts(findings.tissue[ORGANS.index("kidney")] > 0.5, ml)
    if kidney.sum() * ml < _MIN_KIDNEY_ML:
        return numbers
    height = findings.box.spacing[2]
    lowest = int(np.flatnonzero(kidney.any(axis=(0, 1)))[0])
    if lowest == 0:
        return numbers
    half = max(round(_SLAB_MM / height / 2), 1)
    middle = lowest + round(_ABOVE_MM / height)
    if middle - half < 0 or middle + half > kidney.shape[2]:
        return numbers
    slab = (slice(None), slice(None), slice(middle - half, middle + half))
    ct = findings.ct[slab]
    pixel_cm2 = findings.box.spacing[0] * findings.box.spacing[1] / 100.0
    muscle = findings.tissue[ORGANS.index("muscle")][slab] * ((ct >= _MUSCLE_HU[0]) & (ct <= _MUSCLE_HU[1]))
    fat = (ct >= _FAT_HU[0]) & (ct <= _FAT_HU[1])
    numbers["muscle_area_cm2"] = float(muscle.sum() * pixel_cm2 / (2 * half))
    numbers["fat_area_cm2"] = float(fat.sum() * pixel_cm2 / (2 * half))
    if numbers["fat_area_cm2"] > 0:
        numbers["muscle_to_fat"] = numbers["muscle_area_cm2"] / numbers["fat_area_cm2"]
    return numbers


def _largest_parts(kidney: np.ndarray, voxel_ml: float) -> np.ndarray:
    """Return the two largest connected parts, without those that are too small to be a kidney."""
    labels = label_lesions(kidney, voxel_ml, _MIN_KIDNEY_ML / 2)
    return (labels > 0) & (labels <= 2)


def _with_tumour(findings: Findings) -> np.ndarray:
    liver = findings.tissue[ORGANS.index("liver")]
    parts = [part[0] for part in (findings.on_pet, findings.on_ct) if part is not None]
    return np.max([liver, *parts], axis=0) if parts else liver
