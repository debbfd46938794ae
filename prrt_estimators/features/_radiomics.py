"""`RadiomicsFeatures`: features of the Image Biomarker Standardisation Initiative in a patient's lesions."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._modalities import CT, PET
from prrt_estimators._validation import KeepsPaths, as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import CohortError, MissingDependencyError, MissingModalityError, Problem
from prrt_estimators.features._images import (
    SCANS,
    Image,
    mask_key,
    masks_by_scan,
    on_voxels_of,
    onto_grid_of,
    read_image,
    read_lesions,
    scan_key,
)
from prrt_estimators.features._patient_rows import patient_rows
from prrt_estimators.features._shared_lesions import core_labels, shares_on
from prrt_estimators.preprocessing._cache import VolumeCache

#: Width of a grey level of textures: 0.5 SUVbw and 25 HU.
BIN_WIDTHS = {PET.name: 0.5, CT.name: 25.0}
#: Raised whenever the same scans and masks would give other numbers than before.
_VERSION = 1
#: Columns before this one describe the image.
_FIRST = "morph_volume"
#: How MIRP marks the width of grey levels in a name; it is a parameter here.
_WIDTH_MARK = re.compile(r"_fbs_w[0-9.]+$")


class RadiomicsFeatures(KeepsPaths, TransformerMixin, BaseEstimator):
    """Radiomics features of a patient's lesions, as the Image Biomarker Standardisation Initiative (IBSI) defines them.

    All lesions of a patient are one region per scan. In it MIRP [1]_, whose features were compared with the reference
    values of the IBSI [2]_, measures 177 numbers per scan: shape, intensity, intensity-volume histogram and textures in 3D
    of grey levels of fixed width. They are computed once per patient and kept on disk; nothing is learnt from the cohort
    but which scans it has.

    Parameters
    ----------
    mask : str or mapping, default=None
        Name of the mask in ``X.masks``, or a mapping of modality to name. None takes the only mask for both scans, or
        those whose names hold ``pet`` and ``ct``. A mask that was drawn on another grid counts where a voxel is half lesion
        or more; a lesion that fills no voxel by half keeps those with the greatest share.
    bin_width : mapping, default=None
        Width of a grey level by scan, e.g. ``{"pet": 0.25}``; 0.5 SUVbw and 25 HU where it names none.
    resample : float or three floats, default=None
        Millimetres of the voxels that the features are measured on. None keeps those of the scan; texture is comparable
        between scans of one size of voxel only.
    spacing : float or three floats, default=None
        Millimetres of the voxels of arrays that do not hold them.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    n_jobs : int, default=None
        Processes; None means 1 unless in a joblib context.

    Attributes
    ----------
    scans_ : tuple of str
        Scans of the cohort that have a mask.
    n_features_out_ : int

    Notes
    -----
    NaN where a scan or a mask is missing, or the mask holds no lesion, and for single features that the region is too
    small for. With a hundred patients and several hundred columns, choose or shrink inside the folds: put this transformer
    and the choice into one pipeline. It needs the extra ``radiomics``.

    References
    ----------
    .. [1] Zwanenburg and Löck 2024, doi 10.21105/joss.06413
    .. [2] Zwanenburg et al. 2020, doi 10.1148/radiol.2020191145

    Examples
    --------
    >>> from prrt_estimators import Cohort
    >>> X = Cohort(dict(pet=["anna/pet.nii.gz"]), masks={"lesion": ["anna/lesions.nii.gz"]})
    >>> RadiomicsFeatures().fit_transform(X).shape  # doctest: +SKIP
    (1, 177)
    """

    def __init__(
        self,
        *,
        mask: str | Mapping[str, str] | None = None,
        bin_width: Mapping[str, float] | None = None,
        resample: Any = None,
        spacing: Any = None,
        cache_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
    ):
        self.mask = mask
        self.bin_width = bin_width
        self.resample = resample
        self.spacing = spacing
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> RadiomicsFeatures:
        """Note which scans the cohort has.

        Parameters
        ----------
        X : Cohort or mapping
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        MissingDependencyError
            If MIRP is not installed.
        MissingModalityError
            If there is neither PET nor CT.
        ValueError
            If it is not clear which mask to take, or a parameter is out of range.
        """
        self._settings()
        X = _cohort(X)
        masks = masks_by_scan(X, self.mask)
        self.scans_ = tuple(scan for scan in SCANS if scan in X and scan in masks)
        if not self.scans_:
            raise ValueError(
                f"`mask` names no mask of a scan of this cohort: scans {', '.join(X.modalities)}, masks "
                f"{', '.join(f'{scan}: {name}' for scan, name in masks.items())}."
            )
        self.n_features_out_ = len(self.scans_) * len(feature_names())
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the features of each patient.

        Parameters
        ----------
        X : Cohort or mapping

        Returns
        -------
        DataFrame of shape (n, k)

        Raises
        ------
        CohortError
            With every scan and mask that cannot be used.
        ValueError
            If it is not clear which mask to take.
        """
        check_is_fitted(self, "scans_")
        settings = self._settings()
        X = _cohort(X)
        masks = masks_by_scan(X, self.mask)
        measure = partial(
            _row, X, scans=self.scans_, masks=masks, settings=settings, spacing=self.spacing, cache_dir=self.cache_dir
        )
        return patient_rows(measure, len(X), self.get_feature_names_out(), n_jobs=self.n_jobs)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns: scan, family and feature, as MIRP abbreviates those of the IBSI."""
        check_is_fitted(self, "scans_")
        return np.array([f"{scan}_{name}" for scan in self.scans_ for name in feature_names()], dtype=object)

    def _settings(self) -> dict[str, Any]:
        """Return what besides the patient decides the numbers, checked."""
        given = dict(self.bin_width or {})
        for scan, width in given.items():
            if scan not in SCANS or not (np.isfinite(width) and width > 0):
                raise ValueError(
                    f"`bin_width` must map {' or '.join(map(repr, SCANS))} to a positive number; got {scan!r}: {width!r}. "
                    "Pass e.g. {'pet': 0.5, 'ct': 25}."
                )
        size = None
        if self.resample is not None:
            size = np.broadcast_to(np.asarray(self.resample, dtype=float), 3).tolist()
            if not (np.isfinite(size).all() and min(size) > 0):
                raise ValueError(f"`resample` must be positive millimetres; got {self.resample!r}. Pass e.g. 4.")
        return {"widths": BIN_WIDTHS | given, "resample": size, "mirp": mirp_version()}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        return tags


def mirp_version() -> str:
    """Return the version of MIRP.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        return version("mirp")
    except PackageNotFoundError:
        raise MissingDependencyError(
            'RadiomicsFeatures needs MIRP, which is not installed. Run: pip install "prrt-estimators[radiomics]"'
        ) from None


@cache
def feature_names() -> tuple[str, ...]:
    """Return the names of the features of a region, in MIRP's order."""
    values = np.arange(1.0, 28.0, dtype=np.float32).reshape(3, 3, 3)
    found = _measured(Image(values, np.eye(4)), np.ones(values.shape, dtype=bool), PET.name, 1.0, None)
    return tuple(found)


def _cohort(X: Any) -> Cohort:
    X = as_cohort(X, image=PET.name)
    if not any(scan in X for scan in SCANS):
        raise MissingModalityError.of("RadiomicsFeatures", SCANS, X.modalities, either=True)
    return X


def _row(
    X: Cohort,
    row: int,
    scans: tuple[str, ...],
    masks: Mapping[str, str],
    settings: Mapping[str, Any],
    spacing: Any,
    cache_dir: Any,
) -> np.ndarray:
    """Return the features of one patient, or raise what is wrong with any of the scans."""
    store = VolumeCache(cache_dir)
    parts, problems = [], list[Problem]()
    for scan in scans:
        try:
            parts.append(_of_scan(X, row, scan, masks.get(scan), settings, spacing, store))
        except CohortError as error:
            problems += error.problems
    if problems:
        raise CohortError(problems)
    return np.concatenate(parts)


def _of_scan(
    X: Cohort, row: int, scan: str, mask: str | None, settings: Mapping[str, Any], spacing: Any, store: VolumeCache
) -> np.ndarray:
    names = feature_names()
    nothing = np.full(len(names), np.nan)
    found = None if mask is None else scan_key(X, row, scan, store, spacing)
    drawn = None if mask is None else mask_key(X.masks[mask], row)
    if found is None or drawn is None:
        return nothing
    width = settings["widths"][scan]
    file = store.feature_file("radiomics", _VERSION, settings["mirp"], scan, width, settings["resample"], found, drawn)
    known = store.get(file)
    if known is not None and known.shape == nothing.shape:
        return np.asarray(known)
    image = read_image(X, row, scan, spacing)
    lesions = read_lesions(X, row, str(mask), image, spacing)
    assert image is not None
    assert lesions is not None
    region = region_on(lesions, image)
    if region.any():
        values = _measured(image, region, scan, width, settings["resample"])
        nothing = np.array([values.get(name, np.nan) for name in names], dtype=np.float64)
    store.put(file, nothing)
    return nothing


def region_on(lesions: Image, image: Image) -> np.ndarray:
    """Return the voxels of a scan that are lesion."""
    if on_voxels_of(lesions, image):
        return onto_grid_of(lesions, image) > 0
    return core_labels(shares_on(lesions, image), image.data.shape) > 0


def _measured(
    image: Image, region: np.ndarray, scan: str, width: float, resample: list[float] | None
) -> dict[str, float]:
    """Return the features of a region by name."""
    from mirp import extract_features

    muted = logging.root.manager.disable
    logging.disable(max(muted, logging.WARNING))
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = {name: str(Path(folder) / f"{name}.nii.gz") for name in ("image", "mask")}
            nib.save(nib.Nifti1Image(np.asarray(image.data, dtype=np.float32), image.affine), files["image"])
            nib.save(nib.Nifti1Image(region.astype(np.int16), image.affine), files["mask"])
            (table,) = extract_features(
                **files, image_modality=scan, base_discretisation_method="fixed_bin_size",
                base_discretisation_bin_width=width, new_spacing=resample, num_cpus=1,
            )  # fmt: skip
    finally:
        logging.disable(muted)
    own = table.loc[:, _FIRST:].iloc[0]
    return {_WIDTH_MARK.sub("", str(name)): _number(value) for name, value in own.items()}


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
