"""One sheet of an Excel file: its cells as they are meant, and what Excel hides or strikes through."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from prrt_estimators._text import plain_cell
from prrt_estimators._values import MAX_DIGITS
from prrt_estimators.exceptions import MissingDependencyError

#: Bytes that the parts of a workbook may unpack to, and cells that a table may have once gaps are filled in.
MAX_UNPACKED = 48_000_000
MAX_CELLS = 4_000_000

#: Words that a number format adds to what is shown, and commas after its last digit, each of which divides by 1000.
_ADDED = re.compile(r'"([^"]*)"|\\(.)')
_SCALED = re.compile(r"[0#?](,+)(?![0#?,])")
_PARTS = re.compile(r"\.(xml|rels)$", re.I)
_FORMULA_PART = re.compile(r"worksheets/[^/]+\.xml$", re.I)


@dataclass
class Sheet:
    """Rows of a sheet or text file that hold anything.

    Attributes
    ----------
    rows : list of (int, list)
        The number of a row in the file, and its cells from the first to the last column that is used.
    name : str or None
        The sheet that was read; None for text files.
    others : list of str
        Names of the other sheets with cells.
    hidden, struck : list of int
        Numbers of rows that Excel hides or filters away, and of rows with a cell that is struck through.
    hidden_columns : list of str
        Letters of columns that Excel hides.
    merged : list of str
        Ranges of cells that Excel shows as one over several rows, such as ``B2:B3``.
    scaled : list of str
        Letters of columns whose numbers Excel shows divided by a thousand or more.
    added : dict of str to str
        Letter of a column to the words that Excel shows beside its numbers and that no cell above them has.
    layout : list of str
        Sentences on rows that are not patients: titles, units, means.
    """

    rows: list[tuple[int, list[Any]]]
    name: str | None = None
    others: list[str] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    struck: list[int] = field(default_factory=list)
    hidden_columns: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    scaled: list[str] = field(default_factory=list)
    added: dict[str, str] = field(default_factory=dict)
    layout: list[str] = field(default_factory=list)


def read_excel(path: str | os.PathLike[str], sheet: int | str = 0) -> Sheet:
    """Read a sheet of an Excel file (.xlsx, .xlsm).

    A percentage is the number that Excel shows (15 for 15 %). An error such as ``#DIV/0!`` is kept as its text, and a
    formula without a value is ``#FORMULA!``: neither is an empty cell.

    Parameters
    ----------
    path : path
    sheet : int or str, default=0
        Number among the visible sheets of cells, from 0, or the name of any. A hidden sheet is read by name only.

    Raises
    ------
    MissingDependencyError
        If openpyxl is not installed.
    ValueError
        If the file is damaged or too large, or there is no such sheet. Messages do not quote the file.
    """
    path = Path(path)
    try:
        import openpyxl
    except ImportError as error:
        raise MissingDependencyError(
            f"reading {path.name} needs openpyxl: pip install 'prrt-estimators[excel]', or save the sheet as CSV."
        ) from error
    try:
        with path.open("rb") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that tables do not need
            has_formula = _check_size(handle, path.name)
            book = openpyxl.load_workbook(handle, data_only=True, keep_links=False)
            chosen = _choose(book, sheet, path.name)
            formulas = openpyxl.load_workbook(handle, keep_links=False)[chosen.title] if has_formula else None
        return _rows_of(book, chosen, formulas, path.name)
    except (_WrongTable, FileNotFoundError, PermissionError):
        raise
    except MemoryError:
        raise ValueError(f"{path.name} does not fit into memory. Save the sheet alone, as CSV.") from None
    except Exception as error:
        # A damaged file fails in any way that its readers did not think of; their words may quote it.
        raise ValueError(
            f"{path.name} cannot be read as Excel ({type(error).__name__}). Open it in a spreadsheet program and save "
            "it again."
        ) from None


class _WrongTable(ValueError):
    """A file that can be read, but is not a table that can be used."""


def _check_size(handle: BinaryIO, file: str) -> bool:
    """Refuse a file that unpacks to too much; tell whether any sheet has a formula."""
    with zipfile.ZipFile(handle) as archive:
        parts = [part for part in archive.infolist() if _PARTS.search(part.filename)]
        size = sum(part.file_size for part in parts)
        if size > MAX_UNPACKED:
            raise _WrongTable(
                f"{file} unpacks to {size / 1e6:.0f} MB, more than the {MAX_UNPACKED / 1e6:.0f} MB of a table. Save "
                "the sheet alone, as CSV."
            )
        return any(_FORMULA_PART.search(part.filename) and b"<f" in archive.read(part) for part in parts)


def _choose(book: Any, sheet: int | str, file: str) -> Any:
    cells = list(book.worksheets)  # a sheet that is one chart has no cells
    visible = [one for one in cells if one.sheet_state == "visible"]
    if isinstance(sheet, str):
        found = [one for one in cells if one.title == sheet]
    else:
        found = visible[sheet : sheet + 1] if sheet >= 0 else []
    if not found:
        names = ", ".join(repr(one.title) for one in visible) or "no visible sheet with cells"
        raise _WrongTable(f"{file}: no sheet {sheet!r}; the file has {names}")
    return found[0]


def _rows_of(book: Any, chosen: Any, formulas: Any, file: str) -> Sheet:
    values: dict[int, dict[int, Any]] = {}
    struck: set[int] = set()
    for (row, column), cell in chosen._cells.items():
        value = _value(cell, formulas)
        if value is None or value == "":
            continue
        values.setdefault(row, {})[column] = value
        if cell.has_style and cell.font is not None and cell.font.strike:
            struck.add(row)
    used = sorted({column for cells in values.values() for column in cells})
    if len(used) * len(values) > MAX_CELLS:
        raise _WrongTable(
            f"{file}: the sheet {chosen.title!r} has cells in {len(values)} rows and {len(used)} columns, more than the "
            f"{MAX_CELLS} cells of a table. Delete what lies beside the table, or save it as CSV."
        )
    hidden = {row for row, about in chosen.row_dimensions.items() if about.hidden}
    scaled, added = _shown_otherwise(chosen, values)
    return Sheet(
        rows=[(row, [values[row].get(column) for column in used]) for row in sorted(values)],
        name=chosen.title,
        others=[one.title for one in book.worksheets if one is not chosen],
        hidden=sorted(hidden & set(values)),
        struck=sorted(struck),
        hidden_columns=_hidden_columns(chosen, used),
        merged=_merged(chosen, values),
        scaled=scaled,
        added=added,
    )


def _value(cell: Any, formulas: Any) -> Any:
    value = cell.value
    if value is None:
        # Excel writes the kind of a formula's value even if that is an empty text.
        without = formulas is not None and cell.data_type != "str"
        return "#FORMULA!" if without and _is_formula(formulas, cell) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return plain_cell(value)
    if "%" in re.sub(r'"[^"]*"|\\.', "", str(cell.number_format)):
        return float(f"{value * 100:.12g}")
    # As a float it is known to be rounded: Excel keeps no more digits.
    return float(value) if abs(value) >= 10**MAX_DIGITS else value


def _shown_otherwise(chosen: Any, values: dict[int, dict[int, Any]]) -> tuple[list[str], dict[str, str]]:
    """Return the columns whose number formats show other numbers, and words that are in no cell."""
    from openpyxl.utils import get_column_letter

    scaled: set[int] = set()
    added: dict[int, str] = {}
    texts: dict[int, str] = {}
    for row in sorted(values):
        for column, value in values[row].items():
            cell = chosen._cells[row, column]
            if isinstance(value, str):
                texts[column] = texts.get(column, "") + " " + value.casefold()
            elif isinstance(value, (int, float)) and cell.has_style:
                positive = str(cell.number_format).split(";")[0]
                words = "".join(a or b for a, b in _ADDED.findall(positive)).strip()
                if any(sign.isalpha() for sign in words) and column in texts and words.casefold() not in texts[column]:
                    added.setdefault(column, words)
                if _SCALED.search(_ADDED.sub("", positive)):
                    scaled.add(column)
    letter = get_column_letter
    return [letter(one) for one in sorted(scaled)], {letter(one): added[one] for one in sorted(added)}


def _is_formula(formulas: Any, cell: Any) -> bool:
    other = formulas._cells.get((cell.row, cell.column))
    return other is not None and other.data_type == "f"


def _hidden_columns(chosen: Any, used: list[int]) -> list[str]:
    from openpyxl.utils import get_column_letter

    hidden = set()
    for about in chosen.column_dimensions.values():
        if about.hidden:
            first, last = about.min or 0, about.max or about.min or 0
            hidden |= {column for column in used if first <= column <= last}
    return [get_column_letter(column) for column in sorted(hidden)]


def _merged(chosen: Any, values: dict[int, dict[int, Any]]) -> list[str]:
    """Return ranges over several rows, the first of which has the value that all of them show."""
    several = [
        one
        for one in chosen.merged_cells.ranges
        if one.max_row > one.min_row and one.min_col in values.get(one.min_row, {})
    ]
    return [one.coord for one in sorted(several, key=lambda one: (one.min_row, one.min_col))]
