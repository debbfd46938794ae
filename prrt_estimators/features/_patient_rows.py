"""A table of numbers of patients, one row each, with the problems of all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from prrt_estimators.exceptions import CohortError, Problem


def patient_rows(
    measure: Callable[[int], np.ndarray],
    n: int,
    columns: Iterable[str],
    *,
    n_jobs: int | None = None,
    prefer: Literal["threads"] | None = None,
) -> pd.DataFrame:
    """Return what `measure` gives for the rows 0 to n - 1; it may raise a CohortError, whose problems are joined.

    Examples
    --------
    >>> patient_rows(lambda row: np.array([row, row**2]), 2, ["x", "y"])["y"].tolist()
    [0, 1]
    """
    rows = Parallel(n_jobs=n_jobs, prefer=prefer)(delayed(_tried)(measure, row) for row in range(n))
    problems = [problem for found in rows if isinstance(found, list) for problem in found]
    if problems:
        raise CohortError(problems)
    return pd.DataFrame(np.reshape(rows, (n, -1)), columns=list(columns))


def _tried(measure: Callable[[int], np.ndarray], row: int) -> np.ndarray | list[Problem]:
    try:
        return measure(row)
    except CohortError as error:
        return list(error.problems)
