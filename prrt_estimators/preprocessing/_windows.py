"""Intensity windows: which part of the scale a model sees."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_window(window: Any, name: str) -> tuple[float, float] | None:
    """Return a window as two floats, None for none."""
    if window is None:
        return None
    try:
        low, high = (float(value) for value in window)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be a pair (low, high) or None; got {window!r}.") from None
    if not np.isfinite([low, high]).all() or low >= high:
        raise ValueError(f"`{name}` must be a pair (low, high) with low < high; got {window!r}.")
    return low, high
