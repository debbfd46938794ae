"""Reading numbers as laboratories write them."""

from __future__ import annotations

import decimal
import numbers
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._text import plain_text

EMPTY = frozenset(
    {
        "", "-", "--", "–", "—", "n/a", "na", "nan", "none", "null", "nd", "n.d.", "missing", "unknown", "?", "<na>", "n.a.",
        "n. d.", "n. a.", "n.b.", "n. b.", "k.a.", "k. a.", "k.a", "n.v.", "n. v.", "keine angabe", "keine angaben", "nicht bestimmt",
        "nicht gemessen", "nicht vorhanden", "nicht verfügbar", "unbekannt", "fehlt", "fehlend", "not done", "not available",
        "not measured",
    }
)  # fmt: skip

#: Of these, what programs write rather than people.
_OF_PROGRAMS = frozenset(
    {"", "-", "--", "–", "—", "n/a", "na", "nan", "none", "null", "nd", "?", "<na>", "missing", "unknown"}
)


def is_word_for_nothing(cell: Any) -> bool:
    """Return whether a cell holds words by which people say that there is no value.

    Examples
    --------
    >>> [is_word_for_nothing(cell) for cell in ("n.b.", "k. A.", "NA", None, 5)]
    [True, True, False, False, False]
    """
    word = plain_text(cell).strip().lower() if isinstance(cell, str) else ""
    return word in EMPTY and word not in _OF_PROGRAMS


_LIMIT = r"(?P<limit>[<>]=?|≤|≥)?\s*"
_PLAIN = re.compile(
    _LIMIT + r"(?P<digits>[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?P<power>[eE][+-]?[0-9]+)?)", re.ASCII
)
#: Groups of exactly three digits after a first one that does not begin with 0.
_GROUPED = re.compile(
    _LIMIT + r"(?P<digits>[+-]?[1-9][0-9]{0,2}(?P<mark>[.,'’ ])[0-9]{3}(?:(?P=mark)[0-9]{3})*(?P<rest>[.,][0-9]+)?)",
    re.ASCII,
)
_UNIT = re.compile(r"\s*(?:%|[^\W\d_][^\d.,]*)$")
_ERROR = re.compile(
    r"#(DIV/0!|N/A|NV|NAME\?|NULL!|NUM!|ZAHL!|REF!|BEZUG!|VALUE!|WERT!|SPILL!|ÜBERLAUF!|CALC!|KALK!|FIELD!|FELD!|"
    r"BLOCKED!|CONNECT!|BUSY!|UNKNOWN!|GETTING_DATA|FORMULA!)",
    re.I,
)


_HUNDREDS = 100


@dataclass(frozen=True)
class _Number:
    """A number as written: its value, which sign is decimal in it (``""`` where that is not certain)."""

    value: float
    decimal: str = ""
    #: What it is if its one point or comma separates thousands; None where it cannot.
    thousands: float | None = None
    limited: bool = False


def _read(text: str) -> _Number | None:
    """Return the number that a text is, None where it is none."""
    text = text.replace("−", "-")
    grouped = _GROUPED.fullmatch(text)
    if grouped is not None:
        mark, rest = grouped["mark"], grouped["rest"] or ""
        sure = mark not in ".," or bool(rest) or grouped["digits"].count(mark) > 1
        if sure and rest[:1] != mark:
            whole = grouped["digits"].removesuffix(rest).replace(mark, "")
            point = rest[:1] or {".": ",", ",": "."}.get(mark, "")
            return _Number(_limited(float(whole + rest.replace(",", ".")), grouped["limit"]), point, None, _is(grouped))
        if mark == " " or mark in "'’":
            return None
    plain = _PLAIN.fullmatch(text)
    if plain is None:
        return None
    value = _limited(float(plain["digits"].replace(",", ".")), plain["limit"])
    point = "," if "," in plain["digits"] else "." if "." in plain["digits"] else ""
    if grouped is not None:  # "1.234" or "1,234"
        return _Number(value, "", _limited(float(re.sub("[.,]", "", grouped["digits"])), grouped["limit"]), _is(plain))
    return _Number(value, point, None, _is(plain))


def _limited(number: float, limit: str | None) -> float:
    return number / 2 if (limit or "").startswith(("<", "≤")) else number


def _is(match: re.Match[str]) -> bool:
    return bool(match["limit"])


def parse_number(value: object) -> float | None:
    """Return the number that a cell holds, NaN for an empty cell, None for text.

    A value below a limit of detection (``"<20"``) counts as half the limit, one above a limit (``"> 5000"``) as
    the limit. A single comma is a decimal comma; where a point and a comma occur, the last one is decimal. Blanks,
    apostrophes, points and commas group exactly three digits. What a single cell cannot tell, `read_numbers` decides
    for a column.

    Examples
    --------
    >>> [parse_number(v) for v in ("3,5", "<20", "> 5000", "1.234,5", "", "high", "12 34", "12 345")]
    [3.5, 10.0, 5000.0, 1234.5, nan, None, None, 12345.0]
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return np.nan
    if isinstance(value, (bool, np.bool_, numbers.Real)):
        try:
            return float(value)
        except OverflowError:
            return -np.inf if str(value).startswith("-") else np.inf
    if isinstance(value, decimal.Decimal):
        return np.nan if value.is_nan() else float(value)
    if not isinstance(value, str):
        return None
    text = plain_text(value)
    if text.lower() in EMPTY:
        return np.nan
    number = _read(text)
    return None if number is None else number.value


def decimal_commas(columns: Iterable[pd.Series]) -> bool:
    """Tell whether a point between digits of a table may separate thousands.

    It may where any cell holds a decimal comma; and where no cell holds a certain decimal point, and the other cells of its
    column are whole numbers that reach hundreds: ``1.095`` among 365, 412 and 730.

    Examples
    --------
    >>> table = pd.DataFrame({"CgA": ["4.500", "85"], "Hb": ["13,5", "12"]})
    >>> decimal_commas(table[name] for name in table), decimal_commas([table["CgA"]])
    (True, False)
    >>> decimal_commas([pd.Series(["1.095", "365", "412"])]), decimal_commas([pd.Series(["1.095", "2", "4"])])
    (True, False)
    """
    written = [cells for cells in columns if not pd.api.types.is_numeric_dtype(cells.dtype)]
    marks = [_sure_marks(cells) for cells in written]
    if any(comma for comma, _ in marks):
        return True
    return not any(point for _, point in marks) and any(map(_grouped_among_whole, written))


def _grouped_among_whole(cells: Iterable[Any]) -> bool:
    """Tell whether a column has points with three digits behind them, beside whole numbers only, some of at least 100."""
    grouped, largest, n_whole = False, 0.0, 0
    for cell in cells:
        read = _read(_bare(cell)) if isinstance(cell, str) else None
        if read is not None and read.thousands is not None:
            grouped = grouped or "." in cell
            continue
        value = parse_number(cell) if read is None else read.value
        if value is None or not np.isfinite(value):
            continue
        if value % 1:
            return False
        largest, n_whole = max(largest, value), n_whole + 1
    return grouped and n_whole > 1 and largest >= _HUNDREDS


def _sure_marks(cells: Iterable[Any]) -> tuple[bool, bool]:
    """Tell whether a column holds a certain decimal comma, and a certain decimal point."""
    found = {number.decimal for cell in cells if isinstance(cell, str) and (number := _read(_bare(cell))) is not None}
    return "," in found, "." in found


def _bare(cell: str) -> str:
    """Return the text of a cell without a unit or percent sign behind its number."""
    text = plain_text(cell)
    return _UNIT.sub("", text) if text[:1] in "0123456789<>≤≥+-−.," else text


@dataclass
class Numbers:
    """A column read as numbers.

    Attributes
    ----------
    values : ndarray of float, shape (n,)
        NaN where a cell is empty, holds text or is in doubt.
    empty, text, ambiguous, limited : ndarray of bool, shape (n,)
        Cells that hold nothing, text, a number that could mean two, a limit of detection.
    """

    values: np.ndarray
    empty: np.ndarray
    text: np.ndarray
    ambiguous: np.ndarray
    limited: np.ndarray


def read_numbers(values: pd.Series, commas: bool = False) -> Numbers:
    """Read a column of cells as numbers; a percent sign behind a number is dropped.

    Parameters
    ----------
    values : Series
    commas : bool, default=False
        Whether the table has decimal commas in any column (`decimal_commas`). ``4.500`` is then in doubt, unless its
        own column settles it: thousands where the column has decimal commas and no decimal point.

    Examples
    --------
    >>> read_numbers(pd.Series(["3,5", "4.500", "> 5.000"])).values.tolist()
    [3.5, 4500.0, 5000.0]
    >>> read_numbers(pd.Series(["1.234", "2"]), commas=True).ambiguous.tolist()
    [True, False]
    """
    n = len(values)
    none = np.zeros(n, dtype=bool)
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype):
        floats = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return Numbers(floats, np.isnan(floats), none, none, none)
    numbers_, text, ambiguous, limited = np.full(n, np.nan), none.copy(), none.copy(), none.copy()
    comma, point = _sure_marks(values)
    for k, cell in enumerate(values):
        if not isinstance(cell, str):
            number = parse_number(cell)
            text[k] = number is None
            numbers_[k] = np.nan if number is None else number
            continue
        written = plain_text(cell).removesuffix("%").rstrip()
        if written.lower() in EMPTY:
            continue
        read = _read(written)
        text[k] = read is None
        if read is None:
            continue
        limited[k], numbers_[k] = read.limited, read.value
        if read.thousands is None:
            continue
        if "." in written and comma and not point:
            numbers_[k] = read.thousands
        else:
            ambiguous[k] = "," in written or comma or commas
            numbers_[k] = read.value
    # True among measurements is an answer in the wrong column, not the measurement 1.
    answers = np.array([isinstance(cell, (bool, np.bool_)) for cell in values], dtype=bool)
    if answers.any() and (np.isfinite(numbers_) & ~answers & ~np.isin(numbers_, (0, 1))).any():
        numbers_[answers], text[answers] = np.nan, True
    return Numbers(numbers_, np.isnan(numbers_) & ~text, text, ambiguous, limited)


def parse_column(values: pd.Series, commas: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a column (NaN where there is none) and a mask of the cells that hold text."""
    read = read_numbers(values, commas)
    return read.values, read.text


def empty_words(cells: Iterable[Any]) -> frozenset[str]:
    """Return the words that mean nothing in a column of words: not those that are a level of it.

    Examples
    --------
    >>> "none" in empty_words(["none", "carcinoid"]), "-" in empty_words(["+", "-"]), "-" in empty_words(["a", "-"])
    (False, False, True)
    """
    words = {plain_text(cell).lower() for cell in cells if isinstance(cell, str)}
    levels: set[str] = set()
    if any(re.fullmatch(r"\++|\(\+\)|\+/[-–]|pos(itiv|itive)?\.?", word) for word in words):
        levels |= {"-", "--", "–"}
    # Not beside dates, numbers or identifiers, where it says that there is none.
    if any(word not in EMPTY and not re.search(r"\d", word) for word in words) and not any(
        re.search(r"\d[-./]\d", word) for word in words
    ):
        levels |= {"none"}
    return EMPTY - levels


def is_error_cell(cell: object) -> bool:
    """Tell whether a cell holds a spreadsheet's error, or stands for a formula without a value.

    Examples
    --------
    >>> [is_error_cell(cell) for cell in ("#DIV/0!", "#WERT!", "#1", None)]
    [True, True, False, False]
    """
    return isinstance(cell, str) and _ERROR.match(cell.strip()) is not None


#: A floating-point number keeps 15 digits of a longer one.
MAX_DIGITS = 15


def lost_digits(cell: object) -> bool:
    """Tell whether an identifier was rounded: a number with more digits than its column of floats, or Excel, can keep.

    Examples
    --------
    >>> [lost_digits(cell) for cell in (1.2345678901234568e18, 12345.0, 1234567890123456789, "1234567890123456789")]
    [True, False, False, False]
    """
    return isinstance(cell, (float, np.floating)) and bool(np.abs(cell) >= 10**MAX_DIGITS)
