"""Columns that hold the outcome under another name: found by their values, warned of, never left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

#: No value that is known before therapy separates the classes like this; below these numbers of patients chance may.
_SEPARATES, _MIN_PATIENTS, _MIN_PER_CLASS = 0.98, 40, 5


def copies_of_outcome(table: pd.DataFrame, y: np.ndarray) -> list[str]:
    """Return a sentence for each column whose values alone separate long from short PFS nearly perfectly.

    Parameters
    ----------
    table : DataFrame of shape (n, k)
        Predictors.
    y : ndarray of shape (n,)
        1 = long PFS, 0 = short PFS, NaN or less than 0 where it is unknown.

    Examples
    --------
    >>> y = np.tile([0, 1, 1], 20)
    >>> len(copies_of_outcome(pd.DataFrame({"albumin": 40.0 + y, "age": np.arange(60.0)}), y))
    1
    """
    told = []
    for name, column in table.items():
        scores = column.to_numpy() if pd.api.types.is_numeric_dtype(column.dtype) else _shares_of_levels(column, y)
        known = np.isfinite(scores.astype(float)) & np.isin(y, (0, 1))
        long = y[known] == 1
        if len(long) < _MIN_PATIENTS or min(long.sum(), (~long).sum()) < _MIN_PER_CLASS:
            continue
        auroc = _auroc(scores[known].astype(float), long)
        if max(auroc, 1 - auroc) >= _SEPARATES:
            told.append(
                f"column {str(name)!r} alone separates long from short PFS with an AUROC of {max(auroc, 1 - auroc):.2f}, as no value "
                "that is known before therapy does: it may hold the outcome, or what was found at follow-up. Check when it was taken, "
                "and leave it out if that was after therapy began."
            )
    return told


def _auroc(scores: np.ndarray, long: np.ndarray) -> float:
    above = rankdata(scores)[long].sum() - long.sum() * (long.sum() + 1) / 2
    return float(above / (long.sum() * (~long).sum()))


def _shares_of_levels(column: pd.Series, y: np.ndarray) -> np.ndarray:
    """Return the share of long PFS among the patients of the same level; NaN for levels of one patient, which tell nothing."""
    outcome = pd.Series(np.where(np.isin(y, (0, 1)), y, np.nan), index=column.index, dtype=float)
    levels = outcome.groupby(column.astype(str).where(column.notna()))
    return levels.transform("mean").where(levels.transform("count") > 1).to_numpy()
