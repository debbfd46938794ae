"""`make_cohort_folder`: a synthetic cohort on disk, rendered patient by patient."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from prrt_estimators.cohort import Cohort
from prrt_estimators.phantoms._cohort import absent, check_options, lab_without, tables
from prrt_estimators.phantoms._dicom import write_dicom
from prrt_estimators.phantoms._factors import draw_patient
from prrt_estimators.phantoms._nifti import write_nifti
from prrt_estimators.phantoms._phantom import lesion_tables
from prrt_estimators.phantoms._studies import rendered


def make_cohort_folder(
    out: str | os.PathLike[str],
    n_patients: int = 116,
    format: Literal["nifti", "dicom"] = "nifti",
    *,
    volume_shape: int | tuple[int, int, int] = (48, 48, 48),
    ct_shape: int | tuple[int, int, int] | None = None,
    spacing: float | tuple[float, float, float] | None = None,
    signal: float = 1.0,
    censoring: float = 0.0,
    n_centres: int = 1,
    missing_labs: float = 0.05,
    missing_modalities: float = 0.0,
    random_state: int = 0,
) -> Path:
    """Make a synthetic cohort in a folder, with the scans of one patient in memory at a time.

    The files are those of `write_nifti_cohort` or `write_dicom_cohort` for the same parameters of `make_prrt_cohort`.

    Parameters
    ----------
    out : path
        New or empty folder. It appears when all is written; an interrupted run leaves nothing.
    n_patients : int, default=116
        Number of patients.
    format : {"nifti", "dicom"}, default="nifti"
        NIfTI with ``cohort.csv``, or DICOM series with ``clinical.xlsx``.
    volume_shape : int or tuple of int, default=(48, 48, 48)
        Voxels of PET and mask towards Right, Anterior and Superior.
    ct_shape : int or tuple of int, default=None
        Voxels of the CT over the same field; those of the PET by default.
    spacing, signal, censoring, n_centres, missing_labs, missing_modalities :
        As in `make_prrt_cohort`.
    random_state : int, default=0
        The same number gives the same bytes.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    FileExistsError
        If the folder holds anything.
    MissingDependencyError
        If `format` is ``"dicom"`` and pydicom or openpyxl is not installed.
    TypeError, ValueError
        If a parameter is of the wrong kind or out of range.
    """
    if format not in ("nifti", "dicom"):
        raise ValueError(f'`format` must be "nifti" or "dicom"; got {format!r}.')
    common = (signal, censoring, n_centres, missing_labs, missing_modalities)
    shape, voxel = check_options(n_patients, volume_shape, spacing, *common)
    ct_voxels = None if ct_shape is None else check_options(n_patients, ct_shape, spacing, *common)[0]
    patients = [draw_patient(int(random_state), k, int(n_centres)) for k in range(n_patients)]
    bunch = tables(patients, float(signal), float(censoring), int(n_centres), float(missing_labs))
    bunch.truth.lesions = lesion_tables(patients)
    lacks = absent(patients, float(missing_modalities))
    ids = [patient.id for patient in patients]
    bunch.X = Cohort({"lab": lab_without(bunch.lab, lacks)}, ids=ids)
    studies = rendered(patients, lacks.tolist(), shape, voxel, ct_voxels)
    write: Any = write_nifti if format == "nifti" else write_dicom
    return write(bunch, studies, out)
