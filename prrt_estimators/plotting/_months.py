"""The axis of months that all figures over time share."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

_STEPS = (0.1, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 36, 60, 120)


def month_ticks(last: float, intervals: int = 10) -> np.ndarray:
    """Return ticks from 0 to `last` or beyond, in at most `intervals` steps that divide or make up years.

    Examples
    --------
    >>> month_ticks(40).tolist(), month_ticks(40, intervals=4).tolist()
    ([0.0, 6.0, 12.0, 18.0, 24.0, 30.0, 36.0, 42.0], [0.0, 12.0, 24.0, 36.0, 48.0])
    """
    step = next((step for step in _STEPS if last <= intervals * step), 120 * math.ceil(last / intervals / 120))
    return np.arange(0, np.ceil(last / step) * step + step / 2, step, dtype=np.float64)


def set_months(ax: Axes, last: float) -> None:
    """Let the axis of times run from 0 to the first whole step of months that is not before `last`."""
    ticks = month_ticks(max(last, 0.1))
    ax.set(xlim=(0, ticks[-1]), xlabel="Time (months)")
    ax.set_xticks(ticks)
