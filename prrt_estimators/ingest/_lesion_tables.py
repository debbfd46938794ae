"""Lesions and contours of a whole cohort as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import pandas as pd

from prrt_estimators.contours import read_mask
from prrt_estimators.contours._corrected_lesions import FOLDER, corrected_rows

LESION_COLUMNS = ["patient_id", "lesion", "drawn_on", "source", "voxels", "volume_ml", "suv_mean", "suv_max"]
_COUNTED = {"objects": "contour objects", "structures": "structures", "contours": "contours"}
STATES = {
    "lesions": "patients with lesions",
    "zero": "patients of whom the contours say that there is no lesion",
    "none": "patients with contour objects, none of a lesion of these scans",
}


def lesions_table(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per lesion: patient_id, lesion, drawn_on, source, voxels, volume_ml, suv_mean, suv_max.

    Parameters
    ----------
    records : mapping of pseudonym to the record of the patient's contours
    """
    rows = [
        {"patient_id": patient, "drawn_on": record["drawn_on"], "source": record["source"], **row}
        for patient in sorted(records)
        for record in (records[patient],)
        for row in record.get("lesions", [])
    ]
    return pd.DataFrame(rows, columns=LESION_COLUMNS)


def with_corrections(table: pd.DataFrame, out: Path, masks: Mapping[str, str | None]) -> pd.DataFrame:
    """Return the lesions with those that were corrected by hand in place of those that were drawn.

    Parameters
    ----------
    table : DataFrame
    out : Path
        The folder of the cohort.
    masks : mapping of pseudonym to path or None
        The masks of the cohort, below `out`.
    """
    for patient, path in sorted(masks.items()):
        if path is not None and path.startswith(f"{FOLDER}/"):
            mask = read_mask(out / path)
            pet = out / "patients" / patient / "pet.nii.gz"
            image = nib.load(pet) if pet.is_file() else None
            table = corrected_rows(table, patient, mask.labels, mask.affine, image)
    return table


def contour_counts(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return what became of contours in the whole cohort: what, fate, count.

    Examples
    --------
    >>> record = {"state": "zero", "objects": {"taken": 1}, "structures": {"organ": 2}}
    >>> contour_counts({"P1": record}).values.tolist()[1:]
    [['contour objects', 'taken', 1], ['structures', 'organ', 2]]
    """
    states, fates = Counter[str](), {name: Counter[str]() for name in _COUNTED}
    for record in records.values():
        states[record["state"]] += 1
        for name, found in fates.items():
            found.update(record.get(name, {}))
    rows = [("patients", words, states[state]) for state, words in STATES.items() if states[state]]
    for name, what in _COUNTED.items():
        ordered = sorted(fates[name].items(), key=lambda one: (one[0] != "taken", one))
        rows += [(what, fate, count) for fate, count in ordered]
    return pd.DataFrame(rows, columns=["what", "fate", "count"])


def lesion_caption(record: Mapping[str, Any] | None) -> list[str]:
    """Return what stands beside the images of a patient."""
    if record is None:
        return []
    left = sum(record["objects"].values()) - record["objects"].get("taken", 0)
    beside = [f"   {left} contour object(s) left out"] if left else []
    if record["state"] == "lesions":
        rows = record["lesions"]
        volume = sum(row["volume_ml"] for row in rows)
        return [f"{len(rows)} lesions, {volume:.1f} mL, {record['source']} on {record['drawn_on'].upper()}", *beside]
    return ["contours: no lesion" if record["state"] == "zero" else "no contour of a lesion", *beside]
