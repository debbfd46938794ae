"""Lesions for 3D Slicer and ITK-SNAP, beside the volumes and tables of `write_lesions`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from prrt_estimators._modalities import CT, PET
from prrt_estimators._validation import as_cohort
from prrt_estimators.contours import export_lesions, read_mask
from prrt_estimators.report._lesions import stems_of

EDIT = "edit"


def write_lesions_to_edit(X: Any, folder: str | os.PathLike[str], *, lesions: str = "phantom") -> pd.DataFrame:
    """Write what `write_lesions` found for viewers, in a folder ``edit`` of its own, so that it can be corrected.

    Parameters
    ----------
    X : Cohort or mapping
    folder : path
        That of `write_lesions`.
    lesions : str, default="phantom"
        What `write_lesions` was asked for. Given masks ("mask") are written on the grid on which they were drawn, what a finder or a
        threshold shows on the grid of the PET, or of the CT where there is no PET.

    Returns
    -------
    DataFrame
        As of :func:`~prrt_estimators.contours.export_lesions`.

    Raises
    ------
    CohortError, ValueError
        As of :func:`~prrt_estimators.contours.export_lesions`.

    Examples
    --------
    >>> write_lesions_to_edit(X, "lesions")  # doctest: +SKIP
    """
    X = as_cohort(X, image=PET.name)
    place = Path(folder)
    if lesions == "mask":
        return export_lesions(X, place / EDIT)
    found = {}
    for stem, patient in zip(stems_of(X), map(str, X.ids), strict=True):
        for scan in (PET.name, CT.name):
            file = place / "volumes" / f"{stem}_{scan}_lesions.nii.gz"
            if file.is_file():
                mask = read_mask(file)
                found[patient] = (mask.labels, mask.affine)
                break
    return export_lesions(X, place / EDIT, found)
