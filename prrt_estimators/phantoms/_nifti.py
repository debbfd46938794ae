"""A synthetic cohort as NIfTI files and a CSV table."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from sklearn.utils import Bunch

from prrt_estimators._modalities import CT, PET
from prrt_estimators.phantoms._studies import Study, clinical_table, studies_of, whole_folder, write_truth


def write_nifti_cohort(bunch: Bunch, folder: str | os.PathLike[str]) -> Path:
    """Write a cohort of `make_prrt_cohort` as NIfTI files and ``cohort.csv``.

    Parameters
    ----------
    bunch : Bunch
        From ``make_prrt_cohort(..., volumes=True)``.
    folder : path
        New or empty folder. It appears when all is written.

    Returns
    -------
    Path
        ``folder/cohort.csv`` with the columns patient_id, pet, ct, lesion_mask (paths relative to the table, empty
        for a scan that the patient lacks), sex, age, one column per analyte with its unit in the name, centre where
        there are several, pfs_months and progressed. ``folder/truth`` holds what `bunch.truth` knows.

    Raises
    ------
    FileExistsError
        If the folder holds anything.
    ValueError
        If the cohort holds no volumes.

    Notes
    -----
    The same cohort gives the same bytes. Centres store their voxels in different orientations.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> from prrt_estimators.datasets import make_prrt_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cohort = make_prrt_cohort(2, volume_shape=8, random_state=0)
    ...     table = pd.read_csv(write_nifti_cohort(cohort, folder + "/demo"))
    >>> print(*table.columns[:5])
    patient_id pet ct lesion_mask sex
    """
    return write_nifti(bunch, studies_of(bunch), folder)


def write_nifti(bunch: Bunch, studies: Iterable[Study], folder: str | os.PathLike[str]) -> Path:
    """Write the studies as they come, then the table and the truth."""
    with whole_folder(folder) as place:
        images = place / "images"
        images.mkdir()
        paths: dict[str, list[str]] = {PET.name: [], CT.name: [], "lesion_mask": []}
        for study in studies:
            for kind, voxels, affine, dtype in (
                (PET.name, study.pet, study.affine, np.float32),
                (CT.name, study.ct, study.ct_affine, np.int16),
                ("lesion_mask", study.lesion, study.affine, np.uint8),
            ):
                if voxels is None:
                    paths[kind].append("")
                    continue
                name = f"{study.patient_id}_{kind}.nii.gz"
                _save(images / name, voxels.astype(dtype), affine, study.orientation)
                paths[kind].append(f"images/{name}")
        table = clinical_table(bunch)
        for position, (kind, values) in enumerate(paths.items(), 1):
            table.insert(position, kind, values)
        table.to_csv(place / "cohort.csv", index=False)
        write_truth(bunch, place / "truth")
    return Path(folder) / "cohort.csv"


def _save(path: Path, voxels: np.ndarray, affine: np.ndarray, orientation: str) -> None:
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("mm")
    stored = image.as_reoriented(ornt_transform(io_orientation(affine), axcodes2ornt(orientation)))
    # nibabel would write the time of day into the gzip header.
    path.write_bytes(gzip.compress(stored.to_bytes(), compresslevel=3, mtime=0))
