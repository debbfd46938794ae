"""How the inputs of new patients differ from those of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._values import parse_column
from prrt_estimators.cohort import Cohort

COLUMNS = ["column", "missing_here", "missing_training", "median_here", "median_training", "smd", "outside"]


def input_drift(X: Any, training: Any) -> pd.DataFrame:
    """Compare the columns of two tables.

    Parameters
    ----------
    X : Cohort or DataFrame
        New patients.
    training : Cohort, DataFrame or None
        The patients that a model was fitted on.

    Returns
    -------
    DataFrame
        One row per column of numbers that both have: ``missing_here`` and ``missing_training`` (shares),
        ``median_here`` and ``median_training``, ``smd`` (difference of means by the pooled standard deviation) and
        ``outside``, the share of new values beyond the smallest and the greatest of training; the greatest absolute
        difference first. Without numbers in both it is empty.

    Examples
    --------
    >>> here, there = pd.DataFrame({"CgA": [90.0, 400.0]}), pd.DataFrame({"CgA": [80.0, 120.0, 100.0]})
    >>> input_drift(here, there)[["column", "median_here", "outside"]].to_dict("records")
    [{'column': 'CgA', 'median_here': 245.0, 'outside': 0.5}]
    """
    here, there = _numbers(X), _numbers(training)
    rows = []
    for name, new in here.items():
        if name not in there:
            continue
        old = there[name]
        known_new, known_old = new[np.isfinite(new)], old[np.isfinite(old)]
        middle = [float(np.median(one)) if len(one) else np.nan for one in (known_new, known_old)]
        outside = np.nan
        if len(known_new) and len(known_old):
            outside = float(((known_new < known_old.min()) | (known_new > known_old.max())).mean())
        missing = [float(1 - np.isfinite(one).mean()) for one in (new, old)]
        rows.append((name, *missing, *middle, _smd(known_new, known_old), outside))
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = table["smd"].abs().sort_values(ascending=False, na_position="last", kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _numbers(X: Any) -> dict[str, np.ndarray]:
    table = X["lab"] if isinstance(X, Cohort) and "lab" in X else X
    if not isinstance(table, pd.DataFrame):
        return {}
    found = {}
    for name in table.columns:
        values, text = parse_column(table[name])
        if not np.asarray(text).any():
            found[str(name)] = np.asarray(values, dtype=float)
    return found


def _smd(new: np.ndarray, old: np.ndarray) -> float:
    if min(len(new), len(old)) < 2:
        return float("nan")
    spread = float(np.sqrt((new.var(ddof=1) + old.var(ddof=1)) / 2))
    apart = float(new.mean() - old.mean())
    return apart / spread if spread > 0 else (0.0 if apart == 0 else float("nan"))
