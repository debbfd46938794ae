"""What a DICOMDIR lists."""

from __future__ import annotations

import warnings
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One image that a DICOMDIR lists: its path below the folder of the DICOMDIR, and whose it is."""

    path: str
    patient_id: str
    patient_name: str
    series_uid: str


def read_directory(path: str) -> list[Entry] | None:
    """Return the images that a DICOMDIR lists, None if it cannot be read."""
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            records = dcmread(path).DirectoryRecordSequence
            return _entries(records)
        except Exception:
            # One damaged listing: the images are found without it.
            return None


def _entries(records: object) -> list[Entry]:
    """Records follow each other patient, study, series, image."""
    entries = []
    patient_id = patient_name = series_uid = ""
    for record in records:  # type: ignore[attr-defined]
        kind = str(record.get("DirectoryRecordType", ""))
        if kind == "PATIENT":
            patient_id, patient_name = str(record.get("PatientID", "")), str(record.get("PatientName", ""))
        elif kind == "SERIES":
            series_uid = str(record.get("SeriesInstanceUID", ""))
        elif kind == "IMAGE":
            file = record.get("ReferencedFileID") or ""
            parts = [file] if isinstance(file, str) else list(file)
            if any(parts):
                entries.append(Entry("/".join(map(str, parts)), patient_id, patient_name, series_uid))
    return entries
