"""Tables that models may learn from: looked at once, where the user hands them over. Only here do models meet the loader's rules."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._forms import as_array
from prrt_estimators.datasets._predictors import LOADED, check_predictors, is_marked
from prrt_estimators.exceptions import CohortWarning

#: Fewer patients than this may be told apart by chance.
_MIN_PER_CLASS = 10


def check_learnable(table: Any) -> None:
    """Refuse a table of which a column cannot be a predictor, see `check_predictors`."""
    check_predictors(table)


def warn_of_copies(table: Any, y: Any) -> None:
    """Warn of columns of two values that are the classes under other names.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     warn_of_copies(pd.DataFrame({"label": ["yes", "no"] * 12, "age": range(24)}), [1, 0] * 12)
    >>> len(told)
    1
    """
    if hasattr(table, "modalities") and hasattr(table, "ids"):
        table = table.get("lab")
    labels = np.asarray(as_array(y))
    if (
        not isinstance(table, pd.DataFrame)
        or labels.shape != (len(table),)
        or labels.dtype.names
        or not len(table)
        or is_marked(table)
    ):
        return
    for k in _columns_of_two_values(table):
        cells = table.iloc[:, k]
        known = cells.notna().to_numpy()
        pairs = pd.DataFrame({"value": cells.astype(str)[known].to_numpy(), "label": labels[known].astype(str)})
        counts = pairs.value_counts()
        if len(counts) == pairs["value"].nunique() == pairs["label"].nunique() == 2 and counts.min() >= _MIN_PER_CLASS:
            warnings.warn(
                f"column {str(table.columns[k])!r} has one value for every patient of one class and another for every patient of "
                "the other: it may be the outcome. Leave it out if it is.",
                CohortWarning,
                stacklevel=4,
            )


def _columns_of_two_values(table: pd.DataFrame) -> list[int]:
    """Return the places of columns that may hold two values; numbers are looked at all together, as there may be thousands."""
    numeric = np.array([pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes], dtype=bool)
    numbers = np.flatnonzero(numeric)
    values = table.iloc[:, numbers].to_numpy(dtype=np.float64, na_value=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
        two = (np.isnan(values) | (values == np.nanmin(values, axis=0)) | (values == np.nanmax(values, axis=0))).all(
            axis=0
        )
    return sorted([*numbers[two].tolist(), *np.flatnonzero(~numeric).tolist()])


def as_learnable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the mark that its columns were looked at, under names that were made of theirs."""
    table.attrs.update(LOADED)
    return table
