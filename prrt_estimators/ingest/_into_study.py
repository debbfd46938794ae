"""Lesions of a cohort as DICOM objects of the original studies: inside the hospital, for its own viewers.

What is written here holds names, identifiers and dates, as the images do. It belongs to the hospital and not to the cohort.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prrt_estimators._arguments import parameter
from prrt_estimators._extras import import_pydicom
from prrt_estimators.contours import write_rtstruct, write_segmentation
from prrt_estimators.exceptions import ContourError
from prrt_estimators.ingest._export_index import walk
from prrt_estimators.ingest._export_records import Person
from prrt_estimators.ingest._person_matching import people_of
from prrt_estimators.ingest._pseudonyms import canonical_id, hashed_pseudonyms, load_key

#: Files by which the folder of a cohort, or of results, is known.
_COHORT_FILES = ("cohort.csv", "provenance.json", "flow.csv")


@dataclass(frozen=True)
class StudyObject:
    """What became of the lesions of one patient.

    Attributes
    ----------
    patient : str
        Pseudonym.
    files : tuple of Path
        Objects that were written; empty if there are none.
    reason : str
        Why there are none; empty otherwise.
    empty : bool
        Whether there is no lesion to write.
    """

    patient: str
    files: tuple[Path, ...] = ()
    reason: str = ""
    empty: bool = False


def write_into_studies(
    lesions: Mapping[str, tuple[np.ndarray, np.ndarray]],
    export: str | os.PathLike[str],
    key_file: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    rtstruct: bool = False,
    id_from: str = "patient_id",
    n_jobs: int = 1,
) -> list[StudyObject]:
    """Write lesions as DICOM SEG into the studies of an export, so that a viewer opens them on the patient's own images.

    The objects hold the identity of the patients. They stay in the hospital.

    Parameters
    ----------
    lesions : mapping of pseudonym to (labels, affine)
        As `read_mask` gives them, on the grid on which they were drawn.
    export : path
        The folder of DICOM files that the cohort was made of.
    key_file : path
        The key of the pseudonyms.
    out : path
        A folder outside of any cohort.
    rtstruct : bool, default=False
        Whether to write an RTSTRUCT, too.
    id_from : {"patient_id", "patient_name", "folder"}, default="patient_id"
        What in the images identifies a patient; that of the ingest.
    n_jobs : int, default=1
        Processes that read headers.

    Returns
    -------
    list of StudyObject
        One per patient.

    Raises
    ------
    ValueError
        If `out` lies in the folder of a cohort, or the key is none.
    FileNotFoundError
        If the export or the key does not exist.
    MissingDependencyError
        If highdicom is not installed.

    Examples
    --------
    >>> write_into_studies(lesions, "export", "pseudonym.key", "for_the_archive")  # doctest: +SKIP
    """
    root, place = Path(export).absolute(), Path(out).absolute()
    for parent in (place, *place.parents):
        if any((parent / name).is_file() for name in _COHORT_FILES):
            raise ValueError(
                f"{parameter('out')} lies in {parent}, the folder of a cohort: objects with names in it would be passed on with the data. "
                "Name a folder elsewhere."
            )
    for path, what in ((root, "the folder of DICOM files"), (Path(key_file), "the key")):
        if not path.exists():
            raise FileNotFoundError(f"{what} {path} does not exist. Correct the path.")
    import_pydicom()
    key = load_key(key_file, place)
    people, _ = people_of(walk(root, id_from=id_from, n_jobs=n_jobs, skip=place))
    by_name = {name: people[identifier] for identifier, name in hashed_pseudonyms(people, key).items()}
    told = []
    for patient, (labels, affine) in sorted(lesions.items()):
        # An export that was pseudonymised before has the names of the cohort.
        person = by_name.get(patient) or people.get(canonical_id(patient))
        if person is None:
            told.append(StudyObject(patient, reason="the patient is not in the export, or the key is another one"))
        elif not labels.any():
            told.append(StudyObject(patient, reason="no lesion to write", empty=True))
        else:
            told.append(_write(patient, person, root, place, labels, affine, rtstruct))
    return told


def _write(
    patient: str, person: Person, root: Path, out: Path, labels: np.ndarray, affine: np.ndarray, rtstruct: bool
) -> StudyObject:
    """Write the lesions into the series whose images they lie on."""
    series = [one for one in person.series if one.modality in ("PT", "CT") and not one.localiser and one.slices > 1]
    reason = "the export holds no PET or CT of this patient"
    for one in sorted(series, key=lambda one: (one.modality != "PT", -one.slices)):
        images = [root / file for file in one.files]
        target = out / patient
        try:
            write_segmentation(target / "SEG.dcm", labels, affine, images)
            files = [target / "SEG.dcm"]
            if rtstruct:
                write_rtstruct(target / "RTSTRUCT.dcm", labels, affine, images)
                files.append(target / "RTSTRUCT.dcm")
            return StudyObject(patient, tuple(files))
        except ContourError as error:
            reason = f"no series fits: {error.what}"
    return StudyObject(patient, reason=reason)
