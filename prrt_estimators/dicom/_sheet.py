"""A clinical table as it is: CSV or Excel, every cell kept as written."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._values import EMPTY
from prrt_estimators.exceptions import MissingDependencyError

_SEPARATORS = ";\t,|"


def read_sheet(source: str | os.PathLike[str] | pd.DataFrame, sheet: int | str = 0) -> pd.DataFrame:
    """Read a table; cells are str, numbers, dates or None for empty, headers are unique and not empty.

    Raises
    ------
    FileNotFoundError, ValueError
        If the table cannot be read or holds no row. Messages name the file only.
    MissingDependencyError
        If an Excel file is given and openpyxl is not installed.
    """
    if isinstance(source, pd.DataFrame):
        rows: list[list[Any]] = [list(source.columns), *map(list, source.itertuples(index=False, name=None))]
        name = "the table"
    else:
        path = Path(source)
        name = path.name
        if not path.is_file():
            raise FileNotFoundError(f"the clinical table {path} does not exist. Name a CSV or Excel file.")
        rows = _excel_rows(path, sheet) if path.suffix.lower() in (".xlsx", ".xlsm") else _text_rows(path)
    cells = [[_clean(cell) for cell in row] for row in rows]
    cells = [row for row in cells if any(cell is not None for cell in row)]
    cells = _from_header(cells)
    if len(cells) < 2:
        raise ValueError(f"{name} holds no patient. Give a header and one row a patient.")
    width = len(cells[0])
    if any(any(cell is not None for cell in row[width:]) for row in cells[1:]):
        raise ValueError(f"{name} has rows with more cells than its header. Quote cells that hold the separator.")
    body = [[*row[:width], *[None] * (width - len(row))] for row in cells[1:]]
    headers = [f"unnamed_{k + 1}" if cell is None else str(cell) for k, cell in enumerate(cells[0])]
    doubled = sorted({header for header in headers if headers.count(header) > 1})
    if doubled:
        raise ValueError(f"{name} has {len(doubled)} column name(s) twice. Rename or remove one of each.")
    frame = pd.DataFrame(body, columns=pd.Index(headers, dtype=object), dtype=object)
    return frame.where(frame.notna(), None)


def _from_header(cells: list[list[Any]]) -> list[list[Any]]:
    """Leave out titles above the header: rows with less than half the cells of the fullest of the first ten."""
    filled = [sum(cell is not None for cell in row) for row in cells[:10]]
    start = next((k for k, count in enumerate(filled) if 2 * count >= max(filled)), 0)
    return cells[start:]


def _clean(cell: Any) -> Any:
    if isinstance(cell, str):
        text = " ".join(cell.split())
        return None if text.lower() in EMPTY else text
    if cell is None or cell is pd.NaT or (isinstance(cell, (float, np.floating)) and np.isnan(cell)):
        return None
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime()
    if isinstance(cell, (np.bool_, np.integer, np.floating)):
        return cell.item()
    return cell


def _excel_rows(path: Path, sheet: int | str) -> list[list[Any]]:
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingDependencyError(
            f"reading {path.name} needs openpyxl: pip install 'prrt-estimators[excel]', or save the sheet as CSV."
        ) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        # The parser's own words may quote the file.
        raise ValueError(f"{path.name} cannot be read as Excel ({type(error).__name__}). Save it again.") from None
    try:
        names = book.sheetnames
        if isinstance(sheet, int) and not 0 <= sheet < len(names):
            raise ValueError(
                f"{path.name} has {len(names)} sheet(s); `sheet` must be 0 to {len(names) - 1}; got {sheet}."
            )
        if isinstance(sheet, str) and sheet not in names:
            raise ValueError(f"{path.name} has no sheet of the name that is given. Pass its number instead.")
        return [
            list(row) for row in book[names[sheet] if isinstance(sheet, int) else sheet].iter_rows(values_only=True)
        ]
    finally:
        book.close()


def _text_rows(path: Path) -> list[list[Any]]:
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
    head = [line for line in text[:65536].splitlines() if line.strip()][:20]

    def fit(separator: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(head, delimiter=separator)]
        return (sum(w == widths[0] for w in widths) / len(widths), widths[0]) if widths and widths[0] > 1 else (0.0, 0)

    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=fit)))
    except csv.Error:
        raise ValueError(f"{path.name} cannot be read as a table. Save it as CSV or .xlsx again.") from None
