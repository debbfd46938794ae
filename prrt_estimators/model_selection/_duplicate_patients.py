"""One person under two ids: the same scan or the same row of values, found by digest before anything is trained."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators.cohort import IMAGING, Cohort
from prrt_estimators.exceptions import CohortError, Problem

#: Numbers that two rows must share; fewer agree by chance.
_MIN_VALUES = 5
_MIN_BYTES = 1024  # a smaller file is not a scan


def check_twins(X: Any, ids: Sequence[str], groups: Any = None) -> None:
    """Refuse patients who are the same by their scans or their values, unless they are in one group.

    Parameters
    ----------
    X : Cohort or DataFrame
        Arrays without names are not looked at.
    ids : sequence of str
        Of the rows.
    groups : array-like of shape (n,), default=None
        Persons.

    Raises
    ------
    CohortError
        With every pair.
    """
    problems = twin_problems(X, ids, groups)
    if problems:
        raise CohortError(problems)


def twin_problems(X: Any, ids: Sequence[str], groups: Any = None) -> list[Problem]:
    """Return a problem for every set of patients that `check_twins` refuses."""
    group = np.arange(len(ids)) if groups is None else np.asarray(groups)
    problems = []
    for what, column, rows in find_twins(X):
        if len(set(group[list(rows)].tolist())) == 1:
            continue
        names = " and ".join(str(ids[row]) for row in rows)
        problems.append(
            Problem(
                f"patients {names} have the same {what}: one person, or one file, under several ids would be trained on and "
                "tested",
                "correct the table, keep one of the rows, or give them the same group (groups=, --group)",
                patient=str(ids[rows[0]]),
                column=column,
            )
        )
    return problems


def find_twins(X: Any) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return what is the same, its column, and the rows that share it.

    Examples
    --------
    >>> frame = pd.DataFrame(np.random.default_rng(0).normal(size=(4, 5)))
    >>> frame.iloc[3] = frame.iloc[1]
    >>> find_twins(frame)
    [('row of values', 'lab', (1, 3))]
    """
    found: list[tuple[str, str, tuple[int, ...]]] = []
    if isinstance(X, Cohort):
        for name in X.modalities:
            if name not in IMAGING:
                continue
            volumes = X[name]
            same = _same_arrays(volumes.array) if volumes.paths is None else _same_files(volumes.paths)
            found += [(f"{name.upper()} scan", name, rows) for rows in same]
    table = X["lab"] if isinstance(X, Cohort) and "lab" in X else X
    if isinstance(table, pd.DataFrame):
        found += [("row of values", "lab", rows) for rows in _same_rows(table)]
    return found


def _same_rows(table: pd.DataFrame) -> list[tuple[int, ...]]:
    numbers = table.select_dtypes("number")
    # A column that is the same for most tells nobody apart.
    telling = [position for position in range(numbers.shape[1]) if _tells_apart(numbers.iloc[:, position])]
    values = numbers.iloc[:, telling].to_numpy(dtype=float)
    if values.shape[1] < _MIN_VALUES:
        return []
    keys: dict[bytes, list[int]] = defaultdict(list)
    for row, numbers_of_row in enumerate(values):
        if np.isfinite(numbers_of_row).sum() >= _MIN_VALUES:
            keys[numbers_of_row.tobytes()].append(row)
    return _several(keys.values())


def _tells_apart(column: pd.Series) -> bool:
    known = column.dropna()
    return len(known) > 0 and known.nunique() > len(known) / 4


def _same_arrays(array: np.ndarray) -> list[tuple[int, ...]]:
    keys: dict[bytes, list[int]] = defaultdict(list)
    for row, volume in enumerate(array):
        values = np.asarray(volume)
        # A volume of one value stands for a missing one.
        if values.size > 1 and np.nanmin(values) < np.nanmax(values):
            keys[hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()].append(row)
    return _several(keys.values())


def _same_files(paths: Sequence[str | None]) -> list[tuple[int, ...]]:
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, path in enumerate(paths):
        if path is not None and os.path.isfile(path) and os.path.getsize(path) >= _MIN_BYTES:
            by_size[os.path.getsize(path)].append(row)
    keys: dict[bytes, list[int]] = defaultdict(list)
    for rows in by_size.values():
        if len(rows) > 1:  # only files of the same size are read
            for row in rows:
                keys[_digest(str(paths[row]))].append(row)
    return _several(keys.values())


def _digest(path: str) -> bytes:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _several(rows: Iterable[list[int]]) -> list[tuple[int, ...]]:
    return sorted(tuple(group) for group in rows if len(group) > 1)
