"""Answers to refuse: of patients of whom nothing is known, and numbers that are none."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators.exceptions import NothingKnownWarning


def empty_rows(table: Any) -> np.ndarray:
    """Return which rows of a table hold nothing."""
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
    return np.asarray(frame.isna().to_numpy().all(axis=1))


def warn_of_nothing(nothing: Any, ids: Any, estimator: str) -> None:
    """Warn if patients have nothing that the estimator looks at, so that all of them get one and the same answer.

    Parameters
    ----------
    nothing : ndarray of bool, shape (n,)
    ids : sequence of str or None
        Row numbers if None.
    estimator : str

    Warns
    -----
    NothingKnownWarning
        With the patients.
    """
    rows = np.flatnonzero(nothing)
    if not len(rows):
        return
    names = [str(row if ids is None else ids[row]) for row in rows[:3]]
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    warnings.warn(
        f"patient {', '.join(names)}{more}: nothing that {estimator} looks at is known of them, so their probability is "
        "that of a patient of whom nothing is known. Leave them out, or use a model of what is known.",
        NothingKnownWarning,
        stacklevel=4,
    )


def check_finite(found: np.ndarray, ids: Any) -> None:
    """Refuse answers of a network that are NaN or infinite.

    Parameters
    ----------
    found : ndarray of shape (n,) or (n, features)
    ids : sequence of str or None
        Row numbers if None.

    Raises
    ------
    ValueError
        With the first patient.
    """
    wrong = np.flatnonzero(~np.isfinite(found.reshape(len(found), -1)).all(axis=1))
    if len(wrong):
        first = wrong[0] if ids is None else ids[wrong[0]]
        raise ValueError(
            f"the network gives no number for {len(wrong)} of {len(found)} patients (first: {first}). Its weights or "
            "its input are beyond what it can compute with; fit it again with a smaller lr."
        )
