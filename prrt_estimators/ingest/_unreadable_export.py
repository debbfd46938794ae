"""What an export is that holds no DICOM images."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from prrt_estimators.exceptions import CohortError, Problem
from prrt_estimators.ingest._export_records import Inventory

REMEDY = "Unpack it, and name the folder of DICOM files."
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tbz", ".tar.gz", ".tar.bz2", ".tar.xz", ".iso")
_MAGIC = ((b"PK\x03\x04", "a ZIP archive"), (b"7z\xbc\xaf", "an archive"), (b"Rar!", "an archive"))


def what_it_is(path: str | os.PathLike[str]) -> str:
    """Return what a file is that people name in place of DICOM images; empty where it is something else.

    Examples
    --------
    >>> what_it_is("scans/ct.nii.gz"), what_it_is("report.pdf")
    ('a NIfTI file', '')
    """
    name = Path(path).name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return "a NIfTI file"
    try:
        with open(path, "rb") as handle:
            start = handle.read(4)
    except OSError:
        start = b""
    found = next((what for magic, what in _MAGIC if start == magic), "")
    if found and not name.endswith((".xlsx", ".docx", ".pptx", ".xlsm", ".jar")):
        return found
    return ("a ZIP archive" if name.endswith(".zip") else "an archive") if name.endswith(_ARCHIVES) else ""


def check_export(found: Inventory) -> None:
    """Refuse an export without images, and say what it holds instead.

    Raises
    ------
    CohortError
        If no image and no listing of images is in it.
    """
    if found.patients:
        return
    folder = Path(found.root).name
    if not found.n_files:
        raise CohortError([Problem(f"the export {folder} is empty", "name the folder that holds the DICOM files")])
    kinds = Counter(what for path in found.others if (what := what_it_is(os.path.join(found.root, path))))
    bad = Counter(kind for kind, _ in found.loose)
    if kinds:
        told = ", ".join(f"{count} x {what}" for what, count in kinds.most_common())
        remedy = (
            "unpack the archives"
            if any("archive" in what for what in kinds)
            else ("NIfTI files need no ingest: name them in the columns pet and ct of a table for load_cohort")
        )
        problem = Problem(f"the export {folder} holds no DICOM image, but {told}", remedy)
    elif bad:
        told = ", ".join(f"{count} {kind}" for kind, count in bad.most_common())
        problem = Problem(
            f"the export {folder} holds no DICOM image that can be read ({told} files)", "export it again"
        )
    else:
        what = f"the export {folder} holds {found.n_files} files and no DICOM image"
        problem = Problem(what, "name the folder that holds the DICOM files")
    raise CohortError([problem])
