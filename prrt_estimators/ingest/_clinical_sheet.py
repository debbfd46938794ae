"""A clinical table as it is: CSV or Excel, every cell kept as written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._pandas_tables import as_frame
from prrt_estimators._sheets import read_sheet_file, remarks
from prrt_estimators._text import plain_text
from prrt_estimators._values import empty_words


def read_sheet(
    source: str | os.PathLike[str] | pd.DataFrame, sheet: int | str = 0, notes: list[str] | None = None
) -> pd.DataFrame:
    """Read a table; cells are str, numbers, dates or None for empty, headers are unique and not empty.

    `notes` is filled with which sheet was read and what is hidden in it.

    Raises
    ------
    FileNotFoundError, ValueError
        If the table cannot be read or holds no row. Messages name the file only.
    MissingDependencyError
        If an Excel file is given and openpyxl is not installed.
    """
    source = as_frame(source)
    if isinstance(source, pd.DataFrame):
        rows: list[list[Any]] = [list(source.columns), *map(list, source.itertuples(index=False, name=None))]
        name = "the table"
    else:
        path = Path(source)
        name = path.name
        if not path.is_file():
            raise FileNotFoundError(f"the clinical table {path} does not exist. Name a CSV or Excel file.")
        found = read_sheet_file(path, sheet)
        rows = [cells for _, cells in found.rows]
        if notes is not None:
            notes += [f"read from sheet {found.name!r}"] if found.others else []
            notes += remarks(found) + found.layout
    cells = [[_clean(cell) for cell in row] for row in rows]
    cells = [row for row in cells if any(cell is not None for cell in row)]
    cells = _from_header(cells)
    if len(cells) < 2:
        raise ValueError(f"{name} holds no patient. Give a header and one row per patient.")
    width = len(cells[0])
    if any(any(cell is not None for cell in row[width:]) for row in cells[1:]):
        raise ValueError(f"{name} has rows with more cells than its header. Quote cells that hold the separator.")
    body = [[*row[:width], *[None] * (width - len(row))] for row in cells[1:]]
    headers = [f"unnamed_{k + 1}" if cell is None else str(cell) for k, cell in enumerate(cells[0])]
    doubled = sorted({header for header in headers if headers.count(header) > 1})
    if doubled:
        raise ValueError(f"{name} has {len(doubled)} column name(s) twice. Rename or remove one of each.")
    frame = pd.DataFrame(body, columns=pd.Index(headers, dtype=object), dtype=object)
    for header in headers:
        nothing = empty_words(frame[header])
        frame[header] = pd.Series(
            [None if isinstance(cell, str) and cell.lower() in nothing else cell for cell in frame[header]],
            dtype=object,
        )
    frame = frame[frame.notna().any(axis=1)].reset_index(drop=True)
    if not len(frame):
        raise ValueError(f"{name} holds no patient. Give a header and one row per patient.")
    return frame.where(frame.notna(), None)


def _from_header(cells: list[list[Any]]) -> list[list[Any]]:
    """Leave out titles above the header: rows with less than half the cells of the fullest of the first ten."""
    filled = [sum(cell is not None for cell in row) for row in cells[:10]]
    start = next((k for k, count in enumerate(filled) if 2 * count >= max(filled)), 0)
    return cells[start:]


def _clean(cell: Any) -> Any:
    if isinstance(cell, str):
        return " ".join(plain_text(cell).split()) or None
    if cell is None or cell is pd.NaT or (isinstance(cell, (float, np.floating)) and np.isnan(cell)):
        return None
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime()
    if isinstance(cell, (np.bool_, np.integer, np.floating)):
        return cell.item()
    return cell
