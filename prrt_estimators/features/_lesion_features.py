"""`LesionFeatures`: numbers of a patient's lesions, liver and muscle, as a table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import PET
from prrt_estimators._validation import ScanTransformer, as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.features._delineation import DEFINITIONS, Delineation, delineate
from prrt_estimators.features._field import FIELD, field_numbers
from prrt_estimators.features._images import SCANS, Image, mask_key, masks_by_scan, read_image, read_lesions, scan_key
from prrt_estimators.features._lesion_finder import find
from prrt_estimators.features._patient_rows import patient_rows
from prrt_estimators.features._prognostic import PROGNOSTIC, prognostic_numbers
from prrt_estimators.features._weights import FinderWeights, load_finder, manifest_digest
from prrt_estimators.preprocessing._cache import VolumeCache

#: Raised whenever the same scans would give other numbers than before; that of given masks apart.
_VERSION, _MASK_VERSION = 1, 2
_NUMBERS = {"prognostic": PROGNOSTIC, "field": FIELD, "all": (*PROGNOSTIC, *FIELD)}
#: Numbers of patients seen by this process, by what they depend on: a fold asks for the same patients again.
_KNOWN: dict[str, np.ndarray] = {}
_MAX_KNOWN = 20_000


class LesionFeatures(ScanTransformer):
    """Numbers of a patient's lesions, liver and muscle on PET and CT.

    Lesions come from a finder that was trained on phantoms and never saw a patient, from given masks, or from
    thresholds of uptake. Nothing is learnt from the cohort: z-scores are taken against phantoms, so that every fold
    of a cross-validation gets the same numbers. They are computed once per patient and kept on disk.

    ``numbers="prognostic"`` gives the ten that a model of PFS is built on, measured on voxels of about 11 mm:

    ==================== ======================================================================================
    column               meaning
    ==================== ======================================================================================
    log_avid_volume      log(volume of tumour on PET in mL + 0.5), the volume as a sum of shares
    ct_pet_mismatch      tumour that only CT shows against tumour that only PET shows: sum of three z-scores
                         (log ratio of the volumes; log ratio of the volumes seen by one scan only; of the numbers)
    log_peak_mean        mean over local maxima of uptake in tumour of log(SUVbw + 0.1)
    log_peak_spread      log(SD of these, less 0.15 log(size) for partial volume, weighted by share, + 0.1)
    lesion_suv_spread    SD over lesions of their log SUV as the network reads it, free of partial volume
    log_suv_p10          10th percentile over the tumour's volume of that log SUV
    uptake_cv            SD over mean of the SUVbw in tumour on PET or CT
    lesion_hu_z          HU of tumour on CT: z-scores by site (liver: relative to the liver), weighted
    liver_hu             median HU of liver away from tumour
    muscle_hu            median HU of muscle from -20 to 130 HU
    ==================== ======================================================================================

    ``numbers="field"`` gives what the field reports, on the PET's own grid: lesion_volume_ml (total, mL),
    total_uptake_suv_ml (SUVmean times volume), suv_max, suv_peak (highest mean in a sphere of 1 mL about a voxel of
    tumour [1]_), suv_mean, suv_mean_lowest (of the lesion with the lowest SUVmean), suv_dispersion (SD over mean of the
    lesions' SUVmean), n_lesions, largest_lesion_ml, dmax_mm (greatest distance between the centroids of two lesions
    [2]_), liver_share, bone_share, node_share (of the volume; node is all other soft tissue), lesion_hu_mean and
    lesion_hu_sd (over voxels of tumour on CT).

    Parameters
    ----------
    lesions : {"phantom", "mask", "suv4", "liver", "41%", "50%"}, default="phantom"
        What a lesion is. "phantom": what the finder sees, on PET and on CT apart. "mask": the cohort's masks, of any
        tool; every value above 0 is tumour. "suv4": SUVbw of at least 4. "liver": at least 1.5 times the mean of the
        healthy liver + 2 SD [1]_. "41%" and "50%": each lesion of "suv4" at this part of its own maximum [3]_. The last
        four leave out spleen, kidneys and bladder, and voxels of the liver under the "liver" threshold, all as the
        finder sees them; lesions under 0.5 mL are dropped.
    numbers : {"prognostic", "field", "all"}, default="prognostic"
        Which columns.
    mask : str or mapping, default=None
        For ``lesions="mask"``: name of the mask in ``X.masks``, or a mapping of modality to name. None takes the only
        mask for both scans, or those whose names hold ``pet`` and ``ct``.
    weights : path, default=None
        Folder with the weights of another finder (``finder.json`` and what it names); the package's own if None.
    spacing : float or three floats, default=None
        Millimetres of the voxels of arrays that do not hold them.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    n_jobs : int, default=None
        Threads; None means 1 unless in a joblib context.

    Notes
    -----
    NaN where a scan is missing or nothing can be measured: without PET or CT the numbers that need it, without lesions
    the numbers that describe them (their volume, number, uptake and distance are then 0), without liver or muscle in
    the field of view their HU. A patient without a mask has no numbers of lesions.

    References
    ----------
    .. [1] Wahl et al. 2009, PERCIST 1.0, doi 10.2967/jnumed.108.057307
    .. [2] Cottereau et al. 2020, doi 10.2967/jnumed.119.229880
    .. [3] Boellaard et al. 2015, EANM guidelines 2.0, doi 10.1007/s00259-014-2961-x

    Examples
    --------
    >>> from prrt_estimators import make_prrt_cohort
    >>> X, y = make_prrt_cohort(2, volume_shape=(40, 30, 54), random_state=0, return_X_y=True)
    >>> table = LesionFeatures().fit_transform(X)
    >>> table.shape
    (2, 10)
    """

    def __init__(
        self,
        *,
        lesions: str = "phantom",
        numbers: str = "prognostic",
        mask: str | Mapping[str, str] | None = None,
        weights: str | os.PathLike[str] | None = None,
        spacing: Any = None,
        cache_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
    ):
        self.lesions = lesions
        self.numbers = numbers
        self.mask = mask
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
        DataFrame of shape (n, k)

        Raises
        ------
        MissingModalityError
            If there is neither PET nor CT.
        CohortError
            With every scan that cannot be used.
        ValueError
            If masks are asked for and it is not clear which.
        """
        self._check()
        X = as_cohort(X, image=PET.name)
        if not any(scan in X for scan in SCANS):
            raise MissingModalityError.of("LesionFeatures", SCANS, X.modalities, either=True)
        masks = masks_by_scan(X, self.mask) if self.lesions == "mask" else {}
        cache = VolumeCache(self.cache_dir)
        digest = manifest_digest(self.weights)
        measured = partial(self._row, X, masks=masks, cache=cache, digest=digest)
        every = patient_rows(measured, len(X), _NUMBERS["all"], n_jobs=self.n_jobs, prefer="threads")
        return every[list(self.get_feature_names_out())]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns."""
        return np.array(_NUMBERS[self.numbers], dtype=object)

    def _check(self) -> None:
        for name, allowed in (("lesions", DEFINITIONS), ("numbers", tuple(_NUMBERS))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"`{name}` must be one of {', '.join(allowed)}; got {getattr(self, name)!r}.")

    def _row(self, X: Cohort, row: int, masks: Mapping[str, str], cache: VolumeCache, digest: str) -> np.ndarray:
        scans = {scan: scan_key(X, row, scan, cache, self.spacing) for scan in SCANS}
        if not any(scans.values()):
            return np.full(len(_NUMBERS["all"]), np.nan)
        given = {scan: mask_key(X.masks[name], row) for scan, name in masks.items()}
        version = _MASK_VERSION if self.lesions == "mask" else _VERSION
        key: list[Any] = ["lesions", version, digest, self.lesions, scans, given]
        known = json.dumps(key)
        if known in _KNOWN:
            return _KNOWN[known]
        file = cache.feature_file(*key)
        try:
            numbers = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            numbers = measure(X, row, self.lesions, load_finder(self.weights), masks, self.spacing)
            cache.put(file, numbers)
        if len(_KNOWN) >= _MAX_KNOWN:
            _KNOWN.clear()
        _KNOWN[known] = numbers
        return numbers


def lesions_of_patient(
    X: Cohort,
    row: int,
    lesions: str = "phantom",
    weights: FinderWeights | None = None,
    masks: Mapping[str, str] | None = None,
    spacing: Any = None,
) -> tuple[Image | None, Image | None, Delineation]:
    """Return PET, CT and the lesions of one patient, who has at least one of the scans."""
    weights = load_finder() if weights is None else weights
    pet, ct = (read_image(X, row, scan, spacing) for scan in SCANS)
    given = {
        scan: read_lesions(X, row, name, pet if pet is not None else ct, spacing)
        for scan, name in (masks or {}).items()
    }
    findings = find(pet, ct, weights)
    return pet, ct, delineate(lesions, pet, ct, findings, weights.confidence, given)


def measure(
    X: Cohort, row: int, lesions: str, weights: FinderWeights, masks: Mapping[str, str], spacing: Any
) -> np.ndarray:
    """Return all numbers of one patient, in the order of the columns."""
    pet, ct, found = lesions_of_patient(X, row, lesions, weights, masks, spacing)
    numbers = prognostic_numbers(found.tumour, weights.reference)
    tumour_hu = None if ct is None or found.ct_labels is None else ct.data[found.ct_labels > 0]
    numbers |= field_numbers(found.pet_labels, found.pet_lesions, pet, tumour_hu, found.pet_shares)
    return np.array([numbers[name] for name in _NUMBERS["all"]], dtype=np.float64)
