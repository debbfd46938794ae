"""What a saved model remembers of the patients that it was fitted on: ranges of their values, and digests."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators._validation import as_cohort
from prrt_estimators._values import parse_column
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.persistence._container import unpack
from prrt_estimators.persistence._small_cells import MIN_CELL
from prrt_estimators.preprocessing._cache import ScanRecord, VolumeCache
from prrt_estimators.preprocessing._scans import read_scan

#: Part of a saved model that holds the record.
PART = "training.json"
#: A row with fewer known numbers can be another patient's.
_MIN_VALUES = 5
_SHOWN = 3


def training_record(estimator: Any, X: Any, salt: bytes) -> bytes | None:
    """Return the record of the patients X of a fitted estimator; None where X does not tell what its columns are.

    Ranges are rounded outwards, 41 to 83 to 40 to 85, so that they tell no patient's value, and stand on five patients at
    least. Digests are salted: they tell whether a patient whose values or scans are at hand was among those, and
    nothing else.

    Parameters
    ----------
    estimator : fitted estimator
    X : Cohort, mapping, table or None
    salt : bytes
        Of the file.
    """
    cohort = _readable(X)
    if cohort is None:
        return None
    ranges: dict[str, dict[str, list[float]]] = {}
    patients: dict[str, list[str]] = {}
    for name in estimator._reads:
        if name not in cohort:
            continue
        values, keys = _contents(estimator, cohort, name)
        known = {column: [one for one in row if math.isfinite(one)] for column, row in values.items()}
        ranges[name] = {
            column: [_outwards(min(found), -1), _outwards(max(found), 1)]
            for column, found in known.items()
            if len(found) >= MIN_CELL
        }
        patients[name] = sorted({_digest(salt, key) for key in keys if key is not None})
    return json.dumps({"salt": salt.hex(), "ranges": ranges, "patients": patients}, ensure_ascii=False).encode()


def compare_with_training(path: str | os.PathLike[str], estimator: Any, X: Any) -> list[str]:
    """Return how patients differ from those that a saved model was fitted on, one sentence each.

    A model answers for any values; what lies outside of those that it learnt from is extrapolated. And what it predicts
    for a patient that it was fitted on says nothing of new ones.

    Parameters
    ----------
    path : path
        File of `save_model`.
    estimator : fitted estimator
        What `load_model` returned for it.
    X : Cohort, mapping or DataFrame
        Patients to predict for.

    Returns
    -------
    list of str
        Empty where nothing is unlike, and for files that hold no record: those saved without `X`, or by an older version.

    Raises
    ------
    SavedModelError
        If the file was changed or is not a saved model.

    Examples
    --------
    >>> import tempfile
    >>> from prrt_estimators import LabPFSClassifier, load_model, save_model
    >>> X = pd.DataFrame({"GGT": range(20, 40), "ALP": range(60, 80)})
    >>> model = LabPFSClassifier(model="logistic").fit(X, [0, 1] * 10)
    >>> file = save_model(model, Path(tempfile.mkdtemp()) / "lab.prrt", X=X)
    >>> compare_with_training(file, load_model(file), X.assign(GGT=[900] + [25] * 19))
    ['GGT of patient 0 lies outside of that of the training patients, 20 to 40.']
    """
    content = unpack(Path(path)).get(PART)
    cohort = _readable(X)
    if content is None or cohort is None:
        return []
    record = json.loads(content)
    salt, sentences, seen = bytes.fromhex(record["salt"]), [], dict[int, list[str]]()
    for name, ranges in record["ranges"].items():
        if name not in cohort:
            continue
        values, keys = _contents(estimator, cohort, name)
        for column, (low, high) in ranges.items():
            rows = [row for row, one in enumerate(values.get(column, ())) if one < low or one > high]
            if rows:
                sentences.append(
                    f"{column} of {_named(cohort, rows)} lies outside of that of the training patients, {low:g} to {high:g}."
                )
        digests = set(record["patients"].get(name, ()))
        what = "laboratory values" if name not in IMAGING else MODALITIES[name].title
        for row, key in enumerate(keys):
            if key is not None and _digest(salt, key) in digests:
                seen.setdefault(row, []).append(what)
    if seen:
        told = " and ".join(dict.fromkeys(what for whats in seen.values() for what in whats))
        sentences.append(
            f"{_named(cohort, seen)} {'was' if len(seen) == 1 else 'were'} among the patients that the model was trained on "
            f"(by {told}): such predictions say nothing of how it does on new patients."
        )
    return sentences


def _readable(X: Any) -> Cohort | None:
    """Return X as a cohort; None for an array, which does not tell what it holds."""
    if X is None or isinstance(X, Volumes) or (getattr(X, "ndim", 2) != 2 and not isinstance(X, Cohort)):
        return None
    return as_cohort(X)


def _contents(estimator: Any, cohort: Cohort, name: str) -> tuple[dict[str, list[float]], list[Any]]:
    """Return the numbers of a modality by column, and what identifies the content of each patient's."""
    return _of_scans(estimator, cohort, name) if name in IMAGING else _of_table(estimator, cohort[name])


def _of_table(estimator: Any, table: pd.DataFrame) -> tuple[dict[str, list[float]], list[Any]]:
    wanted = estimator._table_columns or list(table.columns)
    values = {str(column): parse_column(table[column])[0].tolist() for column in table.columns if column in set(wanted)}
    keys: list[Any] = []
    for row in range(len(table)):
        known = {column: float(one[row]) for column, one in sorted(values.items()) if math.isfinite(one[row])}
        keys.append(known if len(known) >= _MIN_VALUES else None)
    return values, keys


def _of_scans(estimator: Any, cohort: Cohort, name: str) -> tuple[dict[str, list[float]], list[Any]]:
    volumes, cache = cohort[name], VolumeCache(getattr(estimator, "cache_dir", None))
    highest = [math.nan] * len(cohort)
    keys: list[Any] = [None] * len(cohort)
    for row in np.flatnonzero(volumes.present):
        if volumes.array is not None:
            voxels = np.ascontiguousarray(volumes.array[row])
            highest[row], keys[row] = float(voxels.max()), hashlib.sha256(voxels.tobytes()).hexdigest()
            continue
        record = cache.record(volumes.paths[row])
        if record is None:
            record = ScanRecord.of(read_scan(volumes.paths[row], name, str(cohort.ids[row])), name)
        highest[row], keys[row] = record.summary.get("max", math.nan), record.digest
    return ({f"SUVmax on {MODALITIES[name].title}": highest} if MODALITIES[name].uptake else {}), keys


def _digest(salt: bytes, key: Any) -> str:
    return hashlib.sha256(salt + json.dumps(key, ensure_ascii=False).encode()).hexdigest()[:16]


def _outwards(value: float, direction: int) -> float:
    """Return a number rounded down (-1) or up (1) to steps of 5 in its second digit."""
    if value == 0 or not math.isfinite(value):
        return value
    step = 5 * 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{(math.floor if direction < 0 else math.ceil)(round(value / step, 9)) * step:.6g}")


def _named(cohort: Cohort, rows: Iterable[int] | Mapping[int, Any]) -> str:
    rows = list(rows)
    names = ", ".join(str(cohort.ids[row]) for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"patient{'s' * (len(rows) > 1)} {names}{more}"
