"""Small scanner exports to ingest, and what is needed to damage them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pydicom
from pydicom.uid import generate_uid

from prrt_estimators.datasets import make_prrt_cohort, write_dicom_cohort
from prrt_estimators.ingest._pseudonyms import canonical_id, hashed_pseudonyms

KEY = b"0123456789abcdef0123456789abcdef"
SHAPE = (10, 8, 8)
#: One month, week or day in other spellings.
DATES = [
    *(
        "06-Jan-2020",
        "6. Januar 2020",
        "01/2020",
        "20200106",
        "06.01.2020",
        "January 6, 2020",
        "2020-W02",
        "2020-01-06",
        "6.1.20",
    ),
    *(
        "06/01/2020",
        "Jan 2020",
        "6 January 2020",
        "2020/01/06",
        "06Jan2020",
        "6th January 2020",
        "06 01 2020",
        "06_01_2020",
    ),
    *("2020-006", "6 janvier 2020", "06–01–2020", "６.１.２０２０", "Januar '20"),
]


def make_export(folder: Path, n_patients: int = 4, **options):
    """Write a synthetic export; return the cohort that it was made of. The key lies beside it."""
    cohort = make_prrt_cohort(n_patients, volume_shape=SHAPE, missing_labs=0.0, random_state=5, **options)
    write_dicom_cohort(cohort, folder)
    folder.with_name(f"{folder.name}.key").write_bytes(KEY)
    return cohort


def key_of(folder: Path) -> Path:
    """Return the key file of an export."""
    return folder.with_name(f"{folder.name}.key")


def pseudonym(identifier: str) -> str:
    """Return the pseudonym of a patient under the key of the tests."""
    name = canonical_id(identifier)
    return hashed_pseudonyms([name], KEY)[name]


def files(folder: Path, patient: str, kind: str) -> list[Path]:
    """Return the files of a series, in order."""
    return sorted((folder / "dicom" / patient / kind.upper()).glob("*.dcm"))


def change(paths: list[Path], edit: Callable[[pydicom.Dataset], None]) -> None:
    """Edit headers in place."""
    for path in paths:
        dataset = pydicom.dcmread(path)
        edit(dataset)
        dataset.save_as(path)


def new_series(
    paths: list[Path], target: Path, edit: Callable[[pydicom.Dataset], None] = lambda ds: None
) -> list[Path]:
    """Copy a series as another one."""
    target.mkdir(parents=True)
    uid = generate_uid()
    made = []
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = uid
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        edit(dataset)
        dataset.save_as(target / path.name)
        made.append(target / path.name)
    return made


def clinical(folder: Path) -> pd.DataFrame:
    """Return the spreadsheet of an export."""
    return pd.read_excel(folder / "clinical.xlsx", dtype=object)


def everything_in(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, but for the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
