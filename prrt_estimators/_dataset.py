"""What loaders and readers return: results that show themselves in a few lines."""

from __future__ import annotations

from dataclasses import fields
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


class ShortRepr:
    """Base of dataclasses with ``repr=False`` whose text names arrays and tables in place of printing every value.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(repr=False)
    ... class Scan(ShortRepr):
    ...     voxels: np.ndarray
    ...     unit: str
    >>> Scan(np.zeros((64, 64)), "HU")
    Scan(voxels: ndarray of shape (64, 64), unit: 'HU')
    """

    def __repr__(self) -> str:
        shown = [f"{one.name}: {_short(getattr(self, one.name))}" for one in fields(self) if one.repr]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"


def _short(value: Any) -> str:
    if isinstance(value, (np.ndarray, pd.DataFrame, pd.Series)):
        return f"{type(value).__name__} of shape {value.shape}"
    if isinstance(value, (dict, list, tuple)):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__ if not isinstance(value, (str, int, float, bool, type(None))) else repr(value)[:60]
