"""Corrected lesions kept beside a cohort: the mask before with its digest, and the one that counts now."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from prrt_estimators._io import atomic_write, file_digest
from prrt_estimators.cohort import Cohort
from prrt_estimators.contours._exchange import Correction, changes_table, lesion_mask_name, pet_file, read_corrections
from prrt_estimators.contours._lesion_numbers import lesion_rows
from prrt_estimators.contours._write import write_labels
from prrt_estimators.exceptions import CohortError, Problem

FOLDER, RECORD = "lesions_corrected", "corrections.json"


def keep_corrections(
    folder: str | os.PathLike[str], corrections: Mapping[str, Correction], before: Mapping[str, str | None]
) -> dict[str, str]:
    """Write corrected lesions into the folder of a cohort; return the cells of the table, by patient.

    What was found stays where it is; a copy with its digest lies beside the corrected mask, and a second correction keeps the
    first copy.

    Parameters
    ----------
    folder : path
        Where the table of the cohort lies.
    corrections : mapping of patient to Correction
    before : mapping of patient to path or None
        The masks that the table names now.
    """
    place = Path(folder) / FOLDER
    record = read_record(folder)
    cells = {}
    for patient, correction in sorted(corrections.items()):
        stem = correction.found.name
        write_labels(place / stem, correction.labels, correction.affine)
        entry = record.get(patient, {})
        if "found_sha256" not in entry:
            (place / "found").mkdir(parents=True, exist_ok=True)
            with atomic_write(place / "found" / stem) as temporary:
                shutil.copyfile(correction.found, temporary)
            path = before.get(patient)
            entry["found"] = f"found/{stem}"
            entry["found_sha256"] = file_digest(path) if path is not None and os.path.isfile(path) else ""
        entry |= {
            "file": stem,
            "sha256": file_digest(place / stem),
            "changes": [
                {name: value for name, value in change.items() if name != "patient_id"} for change in correction.changes
            ],
        }
        record[patient] = entry
        cells[patient] = f"{FOLDER}/{stem}"
    with atomic_write(place / RECORD) as temporary:
        temporary.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n", "utf-8")
    return cells


def read_record(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what was corrected in a cohort, by patient; {} where nothing was."""
    try:
        found = json.loads((Path(folder) / FOLDER / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def corrected_file(folder: str | os.PathLike[str], patient: str, found: Path | None) -> str | None:
    """Return the corrected mask of a patient, below the folder; None where the mask that it corrects is another one.

    Parameters
    ----------
    folder : path
    patient : str
    found : Path or None
        The mask as it is found now.
    """
    entry = read_record(folder).get(patient)
    if entry is None:
        return None
    digest = file_digest(found) if found is not None and found.is_file() else ""
    file = Path(folder) / FOLDER / entry["file"]
    if digest != entry["found_sha256"] or not file.is_file() or file_digest(file) != entry["sha256"]:
        return None
    return f"{FOLDER}/{entry['file']}"


def count_corrected(X: Cohort) -> tuple[int, int]:
    """Return how many patients have lesions that were corrected by hand, and how many have a mask at all.

    Parameters
    ----------
    X : Cohort

    Returns
    -------
    tuple of 2 ints

    Examples
    --------
    >>> count_corrected(Cohort({"lab": [[1.0], [2.0]]}, masks={"lesion": ["a.nii.gz", None]}))
    (0, 1)
    """
    corrected, given = set[int](), set[int]()
    records: dict[Path, dict[str, Any]] = {}
    for volumes in X.masks.values():
        rows = [int(row) for row in np.flatnonzero(volumes.present)]
        given.update(rows)
        if volumes.paths is None:
            continue
        for row in rows:
            path = Path(str(volumes.paths[row]))
            if path.parent.name == FOLDER:
                known = records.setdefault(path.parent, read_record(path.parent.parent))
                if any(entry.get("file") == path.name for entry in known.values()):
                    corrected.add(row)
    return len(corrected), len(given)


def apply_corrections(
    X: Cohort, table: str | os.PathLike[str], folder: str | os.PathLike[str], patient_column: str = "patient_id"
) -> pd.DataFrame:
    """Take corrected lesions back into a cohort.

    The corrected masks and copies of those before go to ``lesions_corrected`` beside the table, whose column of masks then
    names them; ``lesions.csv`` there is updated.

    Parameters
    ----------
    X : Cohort
        Of the table.
    table : path
        A CSV file.
    folder : path
        Written by `export_lesions` and edited.
    patient_column : str, default="patient_id"
        Column of the table with the patients.

    Returns
    -------
    DataFrame
        One row per lesion that was added, removed or changed: patient_id, change, lesion, volume_before_ml,
        volume_after_ml.

    Raises
    ------
    CohortError
        With everything that is wrong with the files, or if the table is not CSV; nothing is changed then.

    Examples
    --------
    >>> apply_corrections(X, "cohort.csv", "to_correct")  # doctest: +SKIP
    """
    path = Path(table)
    if path.suffix.lower() != ".csv":
        what = f"only a CSV table can be given the corrected lesions; got {path.name}"
        raise CohortError([Problem(what, "save the table as CSV")])
    corrections = read_corrections(X, folder)
    if corrections:
        column = lesion_mask_name(X) if X.masks else "lesion_mask"
        volumes = X.masks.get(column)
        paths: Any = [None] * len(X) if volumes is None else volumes.paths
        before = {str(patient): paths[row] for row, patient in enumerate(X.ids)}
        cells = keep_corrections(path.parent, corrections, before)
        _write_cells(path, patient_column, _mask_column(path, column), cells)
        _update_lesions(X, path.parent / "lesions.csv", corrections)
    return changes_table(list(corrections.values()))


def _mask_column(table: Path, name: str) -> str:
    """Return the column of a table that is known by the name of a mask."""
    frame, _ = _read_cells(table)
    return name if name in frame else next((str(one) for one in frame if str(one).strip() == name), "lesion_mask")


def _read_cells(table: Path) -> tuple[pd.DataFrame, str]:
    text = table.read_text("utf-8-sig")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    return pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False), separator


def _write_cells(table: Path, patient_column: str, mask_column: str, cells: Mapping[str, str]) -> None:
    frame, separator = _read_cells(table)
    if mask_column not in frame:
        frame[mask_column] = ""
    patients = frame[patient_column].str.strip()
    for patient, cell in cells.items():
        frame.loc[patients == patient, mask_column] = cell
    with atomic_write(table) as temporary:
        frame.to_csv(temporary, sep=separator, index=False, lineterminator="\n")


def _update_lesions(X: Cohort, path: Path, corrections: Mapping[str, Correction]) -> None:
    """Put the rows of corrected lesions in place of those before, where the cohort has a table of lesions."""
    if not path.is_file():
        return
    frame = pd.read_csv(path, dtype={"patient_id": str})
    rows = list(map(str, X.ids))
    for patient, correction in corrections.items():
        pet = pet_file(X, rows.index(patient))
        frame = corrected_rows(
            frame, patient, correction.labels, correction.affine, None if pet is None else nib.load(pet)
        )
    with atomic_write(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def corrected_rows(frame: pd.DataFrame, patient: str, labels: np.ndarray, affine: np.ndarray, pet: Any) -> pd.DataFrame:
    """Return a table of lesions with those of a patient as they are after the correction."""
    own = frame[frame["patient_id"] == patient]
    drawn_on = own["drawn_on"].iloc[0] if len(own) and "drawn_on" in own else ""
    rows = [
        {"patient_id": patient, "drawn_on": drawn_on, "source": "corrected by hand", **row}
        for row in lesion_rows(labels, affine, pet)
    ]
    new = pd.DataFrame(rows, columns=frame.columns) if rows else frame.iloc[:0]
    kept = frame[frame["patient_id"] != patient]
    whole = new if kept.empty else kept if new.empty else pd.concat([kept, new])
    return whole.sort_values(["patient_id", "lesion"], kind="stable", ignore_index=True)
