"""What loaders return: scikit-learn's Bunch that shows itself in a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch


class Dataset(Bunch):
    """A Bunch whose text names its entries in place of printing every value."""

    def __repr__(self) -> str:
        return f"Dataset({', '.join(f'{name}: {_short(value)}' for name, value in self.items())})"

    def _repr_html_(self) -> str:
        cohort = self.X._repr_html_() if "X" in self else ""
        return f"{cohort}<p>Entries: {', '.join(self)}</p>"


def _short(value: Any) -> str:
    if isinstance(value, (np.ndarray, pd.DataFrame, pd.Series)):
        return f"{type(value).__name__} of shape {value.shape}"
    if isinstance(value, (dict, list, tuple)):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__ if not isinstance(value, (str, int, float, bool, type(None))) else repr(value)[:60]
