"""Records with one patient each, and tables of paths, as the parts of a cohort: by the names of their entries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._forms import is_image
from prrt_estimators._modalities import IMAGING

#: Names of entries, in lower case, by what they hold.
_IDS = ("id", "ids", "patient_id", "patientid", "patient", "subject", "subject_id", "case_id")
_LABELS = ("label", "labels", "target", "y", "class")
_MASK_WORDS = ("mask", "seg", "lesion", "gtv")
#: What MONAI's loaders add.
_IGNORED = ("_meta_dict", "_transforms")
_FILES = (".nii", ".nii.gz", ".nrrd", ".dcm")


@dataclass
class Parts:
    """What a cohort is made of.

    Parameters
    ----------
    data : dict
        Modality to values.
    masks : dict
    ids : list or None
    survival : structured array or None
    label : ndarray or None
    """

    data: dict[str, Any] = field(default_factory=dict)
    masks: dict[str, Any] = field(default_factory=dict)
    ids: list[Any] | None = None
    survival: np.ndarray | None = None
    label: np.ndarray | None = None


def parts_of_records(records: Sequence[Mapping[str, Any]]) -> Parts:
    """Return the parts of a cohort in a list of mappings, one per patient.

    Raises
    ------
    TypeError
        If there is no record, or one is not a mapping.
    ValueError
        See `parts_of_columns`.
    """
    listed = list(records) if isinstance(records, Iterable) else [records]
    wrong = [type(one).__name__ for one in listed if not isinstance(one, Mapping)]
    if wrong or not listed:
        what = f"got one of type {wrong[0]}" if wrong else "got none"
        raise TypeError(
            f"records are a list of mappings such as {{'pet': path, 'ct': path, 'label': 1}}, one per patient; {what}."
        )
    names = list(dict.fromkeys(name for one in listed for name in one))
    return parts_of_columns({name: [one.get(name) for one in listed] for name in names})


def parts_of_columns(columns: Mapping[Any, Any], index: pd.Index | None = None) -> Parts:
    """Return the parts of a cohort in columns with one value per patient.

    Parameters
    ----------
    columns : mapping of str to sequence
    index : Index, default=None
        Of the table that the columns are of.

    Raises
    ------
    ValueError
        If a column holds files and its name does not say of what, or two columns are the same part.
    """
    found = Parts()
    lab: dict[Any, Any] = {}
    nested: list[pd.DataFrame] = []
    outcome: dict[str, Any] = {}
    taken: dict[str, Any] = {}
    for name, values in columns.items():
        key = str(name).strip().lower()
        part = _part(key, values)
        if part in taken:
            raise ValueError(f"{taken[part]!r} and {name!r} both give the {part} of a patient. Keep one.")
        if part in (*IMAGING, "id", "label", "time", "event"):
            taken[part] = name
        if part in IMAGING:
            found.data[part] = _listed(values)
        elif part == "id":
            found.ids = _listed(values)
        elif part == "label":
            found.label = np.array(_listed(values))
        elif part == "mask":
            found.masks[str(name)] = _listed(values)
        elif part in ("time", "event"):
            outcome[part] = _listed(values)
        elif part == "nested":
            nested.append(pd.DataFrame([dict(one) if isinstance(one, Mapping) else {} for one in values], index=index))
        elif part == "lab":
            lab[name] = values
    if found.ids is None and index is not None and not isinstance(index, pd.RangeIndex):
        found.ids = list(index)
    if lab or nested:
        own = pd.DataFrame(lab, index=index) if lab else pd.DataFrame(index=nested[0].index)
        found.data["lab"] = pd.concat([*nested, own], axis=1) if nested else own
    if len(outcome) == 2:
        found.survival = np.empty(len(outcome["time"]), dtype=[("event", object), ("time", np.float64)])
        found.survival["event"], found.survival["time"] = outcome["event"], outcome["time"]
    return found


def table_of(data: Mapping[str, Any], masks: Mapping[str, Any], survival: Any, ids: Sequence[str]) -> pd.DataFrame:
    """Return the parts of a cohort as the table that `parts_of_columns` reads.

    Raises
    ------
    TypeError
        If scans or masks are arrays, which have no place in a cell.
    """
    columns: dict[Any, Any] = {}
    named = {name: f"{name}{'' if any(word in name.lower() for word in _MASK_WORDS) else '_mask'}" for name in masks}
    scans = {name: data[name] for name in data if name in IMAGING} | {named[name]: masks[name] for name in masks}
    for name, volumes in scans.items():
        if volumes.paths is None:
            raise TypeError(
                f"{name!r} is an array, which has no place in a table. Choose modalities with X.select('lab')."
            )
        columns[name] = volumes.paths
    if survival is not None:
        columns |= {"time": survival["time"], "event": survival["event"]}
    table = pd.DataFrame(columns, index=pd.Index(ids, name="id"))
    return pd.concat([table, data["lab"].set_axis(table.index)], axis=1) if "lab" in data else table


def _part(key: str, values: Any) -> str:
    """Return what an entry is of a patient."""
    if key in IMAGING:
        return key
    if key.endswith(_IGNORED):
        return "ignored"
    first = next((one for one in values if not _is_missing(one)), None)
    if key == "lab" and isinstance(first, Mapping):
        return "nested"
    if key in _IDS:
        return "id"
    held = first is not None and (_is_file(first) or is_image(first) or np.ndim(first) >= 3)
    if held and (key in _LABELS or any(word in key for word in _MASK_WORDS)):
        return "mask"
    if held:
        raise ValueError(
            f"{key!r} holds files or images, and its name does not say of what. Name scans {' or '.join(map(repr, IMAGING))}, and "
            "masks with the word 'mask'; or use load_cohort(pandas.DataFrame(records)), which finds out what each column is."
        )
    if key in _LABELS:
        return "label"
    return key if key in ("time", "event") else "lab"


def _is_missing(value: Any) -> bool:
    # The records of a table have NaN where a patient has nothing.
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _is_file(value: Any) -> bool:
    return isinstance(value, os.PathLike) or (isinstance(value, str) and value.lower().endswith(_FILES))


def _listed(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, pd.Series) else list(values)
