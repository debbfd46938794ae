"""A table that is handed to `fit` as it is follows the rules by which `load_cohort` takes columns as predictors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._analytes import name_tokens
from prrt_estimators.datasets._cells import MIN_LEVELS
from prrt_estimators.datasets._identities import Identities, first_identity, identity_problems
from prrt_estimators.datasets._image_numbers import RADIOMICS
from prrt_estimators.datasets._roles import guess_role
from prrt_estimators.exceptions import CohortError, LeakageError, Problem

#: What `load_cohort` writes on its table of predictors, the user's own exceptions among them.
LOADED = {"prrt_estimators": "predictors"}

_FILES = ("holds files, not values", "load the table with load_cohort, which reads scans as scans")
_REFUSED = {
    "path": _FILES,
    "patient_id": (
        "identifies the patient and is never a predictor",
        "leave it out, or load the table with load_cohort",
    ),
    "identifier": ("identifies the patient and is never a predictor", "leave it out, or rename it if it is a value"),
    "date": ("holds dates, which are never predictors", "give an interval or an age in its place"),
}
#: Names of columns that tables of results have.
_RESULTS = frozenset(
    [
        "y", "y true", "y pred", "y score", "y prob", "p long", "p short", "predicted", "prediction", "predictions", "fold",
        "cv fold", "repeat", "sample weight",
    ]
)  # fmt: skip
_LEAK = "is known only after therapy and would leak the outcome"


def check_predictors(table: Any) -> None:
    """Refuse a table of which a column cannot be a predictor.

    Parameters
    ----------
    table : DataFrame, Cohort or anything else
        Checked if it is a table with names of columns, or has one, that `load_cohort` did not make.

    Raises
    ------
    LeakageError
        If a column is an outcome, or known only after therapy.
    CohortError
        If a column holds files, identifiers or dates.

    Examples
    --------
    >>> check_predictors(pd.DataFrame({"cga": [90.0], "pfs_months": [5.0]}))
    Traceback (most recent call last):
    ...
    prrt_estimators.exceptions.LeakageError: pfs_months: is known only after therapy and would leak the outcome. ...
    """
    if hasattr(table, "modalities") and hasattr(table, "ids"):
        table = table.get("lab")
    if not isinstance(table, pd.DataFrame) or isinstance(table.columns, pd.RangeIndex):
        return
    if is_marked(table):
        return
    leaks: list[Problem] = []
    problems: list[Problem] = []
    plain = _plain_numbers(table)
    for k, name in enumerate(table.columns):
        if isinstance(name, str):
            leak, found = _faults_of_numbers(name) if plain[k] else _faults(name, table.iloc[:, k])
            (leaks if leak else problems).extend(found)
    if leaks:
        raise LeakageError(leaks + problems)
    if problems:
        raise CohortError(problems)


def _plain_numbers(table: pd.DataFrame) -> np.ndarray:
    """Return which columns hold numbers, so that their names alone tell what they are; those without any are left out."""
    numeric = np.array([pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes], dtype=bool)
    return numeric & table.notna().any(axis=0).to_numpy()


@functools.lru_cache(maxsize=65536)
def _faults_of_numbers(name: str) -> tuple[bool, tuple[Problem, ...]]:
    return _faults(name, pd.Series([0.5, 1.5]))


def _faults(name: str, cells: pd.Series) -> tuple[bool, tuple[Problem, ...]]:
    """Return whether a column leaks the outcome, and what is wrong with it as a predictor; nothing for a good one."""
    role = guess_role(name, cells)
    if role in ("time", "event", "target", "after_therapy"):
        remedy = (
            "leave it out; only if it was known before therapy, load the table with load_cohort and "
            f"allow_after_therapy=[{name!r}]"
        )
        return True, (Problem(_LEAK, remedy, column=name),)
    if role == "unrecognised" and " ".join(name_tokens(name)) in _RESULTS:
        remedy = "leave it out, or rename it if it is a value that was measured"
        return True, (Problem("is an outcome or a result of a model, never a predictor", remedy, column=name),)
    if role not in ("lab", RADIOMICS, "unrecognised", "empty"):
        return False, (Problem(*_REFUSED.get(role, _FILES), column=name),)
    if _identifies(cells):
        return False, (Problem(*_REFUSED["identifier"], column=name),)
    if named := identity_problems([name], Identities()):
        return False, tuple(named)
    found = first_identity(cells.to_numpy(dtype=object), Identities())
    if found is None:
        return False, ()
    return False, (Problem(f"a cell holds {found[1]}", "write it without, or leave the column out", column=name),)


def is_marked(table: pd.DataFrame) -> bool:
    """Tell whether the columns of a table were looked at when it was loaded or made."""
    return all(table.attrs.get(key) == value for key, value in LOADED.items())


def _identifies(cells: pd.Series) -> bool:
    """Tell whether a column of words has as many as there are patients."""
    if pd.api.types.is_numeric_dtype(cells.dtype) or not all(isinstance(cell, str) for cell in cells):
        return False
    return cells.nunique() == len(cells) >= MIN_LEVELS
