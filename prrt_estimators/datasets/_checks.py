"""Files and patients: what can be told without opening a scan."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from prrt_estimators._arguments import keyword
from prrt_estimators._io import existing_spelling
from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators._sheet_layout import sums_up
from prrt_estimators._text import unquoted_path
from prrt_estimators._values import lost_digits
from prrt_estimators.datasets._cells import quote
from prrt_estimators.datasets._roles import Roles
from prrt_estimators.datasets._tables import empty_cells
from prrt_estimators.exceptions import Problem

_NIFTI = (".nii", ".nii.gz")
_MASKS = (*_NIFTI, ".nrrd", ".dcm")
_LISTED = 16  # a folder asked for more files than this is listed once instead


def read_ids(frame: pd.DataFrame, roles: Roles) -> tuple[np.ndarray, list[Problem]]:
    """Return the pseudonymous ids as str, row numbers where there is no such column, and what is wrong with them."""
    rows = np.array([f"row {k}" for k in range(1, len(frame) + 1)], dtype=object)
    if roles.patient_id is None:
        return rows, []
    cells = frame[roles.patient_id]
    empty = empty_cells(cells)
    ids = np.array([row if e else _as_id(cell) for cell, e, row in zip(cells, empty, rows, strict=True)], dtype=object)
    problems = [
        Problem("the patient has no id", "give every patient an id", patient=rows[k], column=roles.patient_id)
        for k in np.flatnonzero(empty)
    ]
    problems += [
        Problem(
            f"the row is called {ids[k]!r}: it sums up patients and is none",
            "remove the row, or give the patient another id",
            patient=rows[k],
            column=roles.patient_id,
        )
        for k in np.flatnonzero(~empty)
        if sums_up(ids[k])
    ]
    problems += [
        Problem(
            f"the id {cells.iloc[k]:.6g} has more than 15 digits and was rounded when it was stored as a number",
            "store ids as text before they are typed in or read",
            patient=rows[k],
            column=roles.patient_id,
        )
        for k in np.flatnonzero(~empty)
        if lost_digits(cells.iloc[k])
    ]
    places = defaultdict(list)
    for k in np.flatnonzero(~empty):
        places[ids[k]].append(str(k + 1))
    for patient, where in places.items():
        if len(where) > 1:
            what = f"the patient occurs in {len(where)} rows ({', '.join(where[:5])})"
            remedy = "keep one row per patient"
            problems.append(Problem(what, remedy, patient=patient, column=roles.patient_id))
    return ids, problems


def note_rows(frame: pd.DataFrame, roles: Roles) -> tuple[np.ndarray, list[Problem]]:
    """Return a mask of the rows in which only the patient id is filled, as in notes below a table."""
    others = [name for name in frame.columns if name != roles.patient_id]
    if roles.patient_id is None or not others:
        return np.zeros(len(frame), dtype=bool), []
    bare = np.logical_and.reduce([empty_cells(frame[name]) for name in others])
    if not bare.any() or bare.all():
        return np.zeros(len(frame), dtype=bool), []
    rows = [str(k + 1) for k in np.flatnonzero(bare)]
    first = quote(frame[roles.patient_id].iloc[int(np.flatnonzero(bare)[0])])
    what = f"only the id is filled in {len(rows)} rows ({', '.join(rows[:5])}; the first one reads {first})"
    return bare, [Problem(what, "remove notes below the table, or fill in the patients", column=roles.patient_id)]


def _as_id(cell: object) -> str:
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))  # a spreadsheet's 7.0
    return str(cell).strip()


def resolve_paths(cells: pd.Series, folder: Path | None) -> np.ndarray:
    """Return absolute paths (None for an empty cell); relative ones start in `folder`."""
    start = os.path.abspath(folder or ".")
    paths = np.full(len(cells), None, dtype=object)
    for k in np.flatnonzero(~empty_cells(cells)):
        text = os.fspath(cells.iloc[k]) if hasattr(cells.iloc[k], "__fspath__") else unquoted_path(str(cells.iloc[k]))
        if os.sep == "/" and "\\" in text:
            text = text.replace("\\", "/")  # a table written on Windows
        paths[k] = os.path.normpath(os.path.join(start, os.path.expanduser(text)))
    return paths


def found_paths(files: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the paths, those of missing files as the file system spells them if it has one that looks the same."""
    kinds = _kinds({path for paths in files.values() for path in paths if path is not None})
    spelled = {path: existing_spelling(path) for path, kind in kinds.items() if kind == "missing"}
    return {
        name: np.array([spelled.get(path, path) for path in paths] + [None], dtype=object)[:-1]
        for name, paths in files.items()
    }


def file_problems(
    files: dict[str, np.ndarray], ids: np.ndarray, rooted: bool, masks: Collection[str] = ()
) -> list[Problem]:
    """Return what is wrong with the files of each column (column name -> paths), without opening any."""
    kinds = _kinds({path for paths in files.values() for path in paths if path is not None})
    remedy_missing = (
        "correct the path" if rooted else f"correct the path, or pass the folder it starts in as {keyword('root')}"
    )
    problems = []
    for column, paths in files.items():
        shared = {path for path, count in Counter(p for p in paths if p is not None).items() if count > 1}
        for patient, path in zip(ids, paths, strict=True):
            if path is None:
                continue
            where = {"patient": patient, "column": column, "file": path}
            if kinds[path] == "folder":
                what = "is a folder, expected a NIfTI file"
                problems.append(Problem(what, "give the file; convert a DICOM folder to NIfTI first", **where))
            elif column in masks and not path.lower().endswith(_MASKS):
                what = f"expected NIfTI (.nii or .nii.gz), .seg.nrrd or DICOM SEG (.dcm), got {Path(path).name!r}"
                problems.append(Problem(what, "convert the mask and correct the path", **where))
            elif column not in masks and not path.lower().endswith(_NIFTI):
                what = f"expected a NIfTI file (.nii or .nii.gz), got {Path(path).name!r}"
                problems.append(Problem(what, "convert the scan to NIfTI and correct the path", **where))
            elif kinds[path] == "missing":
                problems.append(Problem("file does not exist", remedy_missing, **where))
            if path in shared:
                what = "the same file is given for several patients"
                problems.append(Problem(what, "give each patient the file of that patient", **where))
    return problems + _same_files(files, ids)


def _same_files(files: dict[str, np.ndarray], ids: np.ndarray) -> list[Problem]:
    problems = []
    names = list(files)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            for row in np.flatnonzero((files[first] == files[second]) & (files[first] != None)):  # noqa: E711
                what = f"the same file as {second}"
                remedy = "correct one of the two paths"
                problems.append(Problem(what, remedy, patient=ids[row], column=first, file=files[first][row]))
    return problems


def _kinds(paths: Iterable[str]) -> dict[str, str]:
    """Return file, folder or missing for each path; a folder asked for many files is listed once."""
    by_folder = defaultdict(list)
    for path in paths:
        by_folder[os.path.dirname(path)].append(path)
    kinds = {}
    for folder, inside in by_folder.items():
        plain: set[str] = set()
        if len(inside) > _LISTED and os.path.isdir(folder):
            with os.scandir(folder) as entries:
                plain = {entry.name for entry in entries if entry.is_file()}
        for path in inside:
            # What a listing lacks is asked for once more: file systems differ in case and normal form.
            if os.path.basename(path) in plain or os.path.isfile(path):
                kinds[path] = "file"
            else:
                kinds[path] = "folder" if os.path.isdir(path) else "missing"
    return kinds


def modality_problems(files: dict[str, np.ndarray], lab: pd.DataFrame, ids: np.ndarray) -> list[Problem]:
    """Return a problem for each patient with no scan and no laboratory value."""
    present = np.zeros(len(ids), dtype=bool)
    for paths in files.values():
        present |= np.array([path is not None for path in paths], dtype=bool)
    present |= lab.notna().to_numpy().any(axis=1) if lab.shape[1] else False
    remedy = "give a scan or a value, or remove the row"
    what = f"has {', '.join(f'no {MODALITIES[name].title}' for name in IMAGING)} and no predictor value"
    return [Problem(what, remedy, patient=ids[k]) for k in np.flatnonzero(~present)]


def class_problems(y: np.ndarray, horizon: float, ready: bool) -> list[Problem]:
    """Return a problem if nobody is left, or all are of one class."""
    if not len(y):
        what = "no patient with a known class is left"
        return [Problem(what, f"check time and event, or choose another {keyword('horizon')}")]
    if len(np.unique(y)) > 1:
        return []
    kind = "long" if y[0] else "short"
    what = f"one class only: all {len(y)} patients with a known class have {kind} PFS"
    if not ready:
        what += f" at a horizon of {horizon:g} months"
    remedy = f"choose another {keyword('horizon')}, or add patients of the other class; check {keyword('time_unit')}"
    return [Problem(what, remedy)]
