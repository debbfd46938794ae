"""Tables that models may learn from: looked at once, where the user hands them over."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._forms import as_array
from prrt_estimators.datasets._predictors import LOADED, check_predictors
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
    if not isinstance(table, pd.DataFrame) or labels.shape != (len(table),) or labels.dtype.names:
        return
    for k, name in enumerate(table.columns):
        cells = table.iloc[:, k]
        known = cells.notna().to_numpy()
        pairs = pd.DataFrame({"value": cells.astype(str)[known].to_numpy(), "label": labels[known].astype(str)})
        counts = pairs.value_counts()
        if len(counts) == pairs["value"].nunique() == pairs["label"].nunique() == 2 and counts.min() >= _MIN_PER_CLASS:
            warnings.warn(
                f"column {str(name)!r} has one value for every patient of one class and another for every patient of the other: "
                "it may be the outcome. Leave it out if it is.",
                CohortWarning,
                stacklevel=4,
            )


def as_learnable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the mark that its columns were looked at, under names that were made of theirs."""
    table.attrs.update(LOADED)
    return table
