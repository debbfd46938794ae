"""Reading numbers as laboratories write them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

EMPTY = frozenset({"", "-", "--", "n/a", "na", "nan", "none", "null", "nd", "n.d.", "missing", "unknown", "?", "<na>"})

_NUMBER = re.compile(r"^(?P<limit>[<>]=?|≤|≥)?\s*(?P<digits>[+-]?[\d.,\s']*\d[.,]?(?:[eE][+-]?\d+)?)$")
_THOUSANDS = re.compile(r"^[+-]?\d{1,3}([.,' ])\d{3}(\1\d{3})*$")


def parse_number(value: object) -> float | None:
    """Return the number that a cell holds, NaN for an empty cell, None for text.

    A value below a limit of detection (``"<20"``) counts as half the limit, one above a limit (``"> 5000"``) as
    the limit. A single comma is a decimal comma; where a point and a comma occur, the last one is decimal.

    Examples
    --------
    >>> [parse_number(v) for v in ("3,5", "<20", "> 5000", "1.234,5", "", "high")]
    [3.5, 10.0, 5000.0, 1234.5, nan, None]
    """
    if value is None or value is pd.NA:
        return np.nan
    if isinstance(value, (bool, np.bool_, int, float, np.integer, np.floating)):
        return float(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.lower() in EMPTY:
        return np.nan
    match = _NUMBER.match(text)
    if match is None:
        return None
    digits = re.sub(r"[\s']", "", match["digits"])
    point, comma = digits.rfind("."), digits.rfind(",")
    if comma > point:
        digits = digits.replace(".", "").replace(",", ".")
    elif point > comma >= 0:
        digits = digits.replace(",", "")
    try:
        number = float(digits)
    except ValueError:
        return None
    return number / 2 if (match["limit"] or "").startswith(("<", "≤")) else number


def is_ambiguous_number(value: object) -> bool:
    """Tell whether a cell such as ``"1,234"`` or text ``"1.234.567"`` could mean two numbers.

    Examples
    --------
    >>> [is_ambiguous_number(v) for v in ("1,234", "1,23", "12,5", 1.234)]
    [True, False, False, False]
    """
    if not isinstance(value, str):
        return False
    match = _THOUSANDS.match(value.strip().lstrip("<>=≤≥ "))
    return match is not None and match[1] == ","


def parse_column(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a column (NaN where there is none) and a mask of the cells that hold text."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(values), dtype=bool)
    parsed = [parse_number(value) for value in values]
    text = np.array([number is None for number in parsed], dtype=bool)
    return np.array([np.nan if number is None else number for number in parsed], dtype=np.float64), text
