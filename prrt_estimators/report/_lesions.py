"""The lesions of a cohort as files: labels on the patients' own grids, a table, and sheets to look through."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from prrt_estimators._arguments import parameter
from prrt_estimators._io import atomic_write
from prrt_estimators._modalities import CT, PET
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.features import LesionFeatures
from prrt_estimators.features._delineation import DEFINITIONS, Delineation
from prrt_estimators.features._field import Lesion
from prrt_estimators.features._images import SCANS, Image, masks_by_scan, onto_grid_of
from prrt_estimators.features._lesion_features import lesions_of_patient
from prrt_estimators.features._weights import load_finder
from prrt_estimators.plotting._lesion_sheet import LesionPanel, draw_lesion_sheets, lesion_panel

_COLUMNS = (
    "patient_id",
    "scan",
    "lesion",
    "site",
    "confidence",
    "on_other_scan",
    "volume_ml",
    "suv_max",
    "suv_peak",
    "suv_mean",
    "hu_mean",
    "x_mm",
    "y_mm",
    "z_mm",
)


def write_lesions(
    X: Any,
    folder: str | os.PathLike[str],
    *,
    lesions: str = "phantom",
    mask: Any = None,
    weights: str | os.PathLike[str] | None = None,
    spacing: Any = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the lesions of every patient: label volumes, one table of lesions, one of patients, sheets to look through.

    Parameters
    ----------
    X : Cohort or mapping
        With PET, CT or both.
    folder : path
        Made if it is not there; files of an earlier run are replaced.
    lesions : {"phantom", "mask", "suv4", "liver", "41%", "50%"}, default="phantom"
        What a lesion is, see :class:`~prrt_estimators.features.LesionFeatures`.
    mask : str or mapping, default=None
        Name of the mask, or a mapping of modality to name, for ``lesions="mask"``.
    weights : path, default=None
        Folder with the weights of another finder; the package's own if None.
    spacing : float or three floats, default=None
        Millimetres of the voxels of arrays that do not hold them.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    progress : callable, default=None
        Called with (patients done, patients in all).

    Returns
    -------
    Path
        ``folder/lesions.csv``, one row per lesion and scan: site, confidence (probability that it is a lesion, as
        measured on phantoms; empty where the finder did not delineate it), whether tumour is there on the other scan,
        volume, SUV on PET, mean HU, and the centroid in RAS+ millimetres. Beside it ``patients.csv`` with the numbers of
        `LesionFeatures`, ``overview.png`` (and ``overview_2.png``, ... for each further 24 patients), and in
        ``volumes`` the lesions as NIfTI files on the grid of the PET and of the CT, numbered as in the table.

    Raises
    ------
    MissingModalityError
        If there is neither PET nor CT.
    ValueError
        If two ids make the same file name.
    """
    X = as_cohort(X, image=PET.name)
    if not any(scan in X for scan in SCANS):
        raise MissingModalityError(
            f"lesions need {' or '.join(map(repr, SCANS))}; the data have {', '.join(X.modalities)}.", modalities=SCANS
        )
    if lesions not in DEFINITIONS:
        raise ValueError(f"{parameter('lesions')} must be one of {', '.join(DEFINITIONS)}; got {lesions!r}.")
    stems = stems_of(X)
    features = LesionFeatures(
        lesions=lesions, numbers="all", mask=mask, weights=weights, spacing=spacing, cache_dir=cache_dir
    )
    # What is wrong with any scan is said before the first file is written.
    numbers = features.fit_transform(X)
    finder = load_finder(weights)
    masks = masks_by_scan(X, mask) if lesions == "mask" else {}
    place = Path(folder)
    rows: list[dict[str, Any]] = []
    panels: list[LesionPanel] = []
    for row in range(len(X)):
        if any(scan in X and X[scan].present[row] for scan in SCANS):
            pet, ct, found = lesions_of_patient(X, row, lesions, finder, masks, spacing)
            scans = ((PET.name, pet, found.pet_labels), (CT.name, ct, found.ct_labels))
            for scan, image, labels in scans:
                if image is not None and labels is not None:
                    _write_labels(place / "volumes" / f"{stems[row]}_{scan}_lesions.nii.gz", labels, image)
            rows += _rows(str(X.ids[row]), pet, ct, found)
            panels.append(lesion_panel(str(X.ids[row]), pet, ct, found))
        if progress is not None:
            progress(row + 1, len(X))
    numbers.insert(0, "patient_id", [str(one) for one in X.ids])
    _write_table(place / "patients.csv", numbers)
    draw_lesion_sheets(panels, place)
    _write_table(place / "lesions.csv", pd.DataFrame(rows, columns=list(_COLUMNS)))
    return place / "lesions.csv"


def stems_of(X: Cohort) -> list[str]:
    """Return the beginning of the file names of each patient."""
    stems = [re.sub(r"[^\w.-]+", "_", str(one)).strip(".") or "patient" for one in X.ids]
    if len({stem.lower() for stem in stems}) < len(stems):
        raise ValueError("patient ids must make different file names; some differ only in case or in punctuation.")
    return stems


def _rows(patient: str, pet: Image | None, ct: Image | None, found: Delineation) -> list[dict[str, Any]]:
    rows = []
    for scan, image, labels, own, other, other_labels in (
        (PET.name, pet, found.pet_labels, found.pet_lesions, ct, found.ct_labels),
        (CT.name, ct, found.ct_labels, found.ct_lesions, pet, found.pet_labels),
    ):
        if image is None or labels is None:
            continue
        both: set[int] | None = None
        if other is not None and other_labels is not None:
            there = onto_grid_of(Image(other_labels.astype(np.float32), other.affine), image)
            both = set(np.unique(labels[there > 0]).tolist())
        rows += [_row(patient, scan, lesion, None if both is None else lesion.number in both) for lesion in own]
    return rows


def _row(patient: str, scan: str, lesion: Lesion, both: bool | None) -> dict[str, Any]:
    x, y, z = lesion.centre_mm
    return {
        "patient_id": patient,
        "scan": scan,
        "lesion": lesion.number,
        "site": lesion.site,
        "confidence": round(lesion.confidence, 3),
        "on_other_scan": both,
        "volume_ml": round(lesion.volume_ml, 3),
        "suv_max": round(lesion.suv_max, 3),
        "suv_peak": round(lesion.suv_peak, 3),
        "suv_mean": round(lesion.suv_mean, 3),
        "hu_mean": round(lesion.hu_mean, 1),
        "x_mm": round(x, 1),
        "y_mm": round(y, 1),
        "z_mm": round(z, 1),
    }


def _write_labels(target: Path, labels: np.ndarray, image: Image) -> None:
    one = nib.Nifti1Image(
        labels.astype(np.int16 if labels.max(initial=0) <= np.iinfo(np.int16).max else np.int32), image.affine
    )
    one.header.set_xyzt_units("mm")
    with atomic_write(target) as temporary:
        # nibabel would write the time of day into the compressed file.
        temporary.write_bytes(gzip.compress(one.to_bytes(), compresslevel=6, mtime=0))


def _write_table(target: Path, table: pd.DataFrame) -> None:
    with atomic_write(target) as temporary:
        table.to_csv(temporary, index=False)
