"""What the figures of explanations share: names of columns for print, points side by side, colours of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from prrt_estimators._analytes import find_analyte, split_unit
from prrt_estimators._values import parse_column

_UNIT_LABELS = {
    "ug/L": "µg/L",
    "umol/L": "µmol/L",
    "ukat/L": "µkat/L",
    "/uL": "/µL",
    "x ULN": "× ULN",
    "mL/min/1.73 m2": "mL/min/1.73 m²",
}


#: Area of a point in square points.
POINT = 16.0


def handle(label: str, *, marker: str = "o", color: str = "0.35", gap: bool = False) -> Line2D:
    """Return the entry of a legend for points."""
    face = "none" if gap else color
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=4, markerfacecolor=face, markeredgecolor=color, label=label
    )


def column_labels(columns: Sequence[Any]) -> dict[str, str]:
    """Return names for print: the panel's title of an analyte, else the name with its underscores opened.

    Columns that would look alike keep their own names.

    Examples
    --------
    >>> column_labels(["chromogranin_a_ug_l", "lung_metastasis", "eGFR"])
    {'chromogranin_a_ug_l': 'Chromogranin A', 'lung_metastasis': 'Lung metastasis', 'eGFR': 'eGFR'}
    """
    names = [str(name) for name in columns]
    labels = {name: _label(name) for name in names}
    seen = list(labels.values())
    return {name: label if seen.count(label) == 1 else name for name, label in labels.items()}


def column_unit(column: str) -> str:
    """Return the unit that a column's name states, for print; "" if it states none.

    Examples
    --------
    >>> column_unit("chromogranin_a_ug_l"), column_unit("age")
    ('µg/L', '')
    """
    unit = split_unit(column)[1]
    return "" if unit is None else _UNIT_LABELS.get(unit, unit)


def is_logarithmic(column: str, values: np.ndarray) -> bool:
    """Return whether an analyte is read on a logarithmic axis, and its values allow one."""
    analyte = find_analyte(column)
    known = values[np.isfinite(values)]
    return analyte is not None and analyte.log and bool(len(known)) and bool((known > 0).all())


def numbers_of(values: pd.Series) -> np.ndarray | None:
    """Return the numbers of a column, NaN where empty; None if it holds categories."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return None
    numbers, text = parse_column(values)
    return None if text.any() else numbers


def plain_logarithmic(axis: Axis) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, 1, 2 and 5 of a decade where there is room."""
    low, high = sorted(axis.get_view_interval())
    subs = (1.0, 2.0, 5.0) if high / max(low, 1e-12) < 100 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def swarm(values: np.ndarray, *, span: float, width: float = 0.8, bins: int = 60) -> np.ndarray:
    """Return offsets that set points of nearly equal value side by side, shape (n,).

    Parameters
    ----------
    values : ndarray of shape (n,)
    span : float
        Length of the axis that the values lie on.
    width : float, default=0.8
        Greatest distance between two offsets.
    bins : int, default=60
        Points that find room one after the other along the axis.
    """
    offsets = np.zeros(len(values))
    if span <= 0:
        span = 1.0
    bin_of = np.floor((values - np.nanmin(values)) / span * bins)
    most = max((np.sum(bin_of == one) for one in np.unique(bin_of)), default=1)
    step = min(width / max(most - 1, 1), 0.12)
    for one in np.unique(bin_of):
        rows = np.flatnonzero(bin_of == one)
        # From the middle outwards, by turns above and below, so that a swarm is symmetric.
        place = np.arange(len(rows))
        offsets[rows] = np.where(place % 2, 1, -1) * ((place + 1) // 2) * step
    return offsets


def value_colours() -> Colormap:
    """Return colours from low (dark) to high (light, but not lost on white paper), fit for all kinds of vision."""
    colours = mpl.colormaps["cividis"](np.linspace(0.0, 0.88, 128))
    return LinearSegmentedColormap.from_list("values", colours)


def _label(name: str) -> str:
    analyte = find_analyte(name)
    text = analyte.title if analyte is not None else name.replace("_", " ").strip()
    return text[:1].upper() + text[1:] if text[:2].islower() else text
