"""Reading a table as it is: every cell kept as written, nothing guessed about its meaning."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._forms import are_records, plain_form
from prrt_estimators._pandas_tables import plain_frame
from prrt_estimators._sheets import read_sheet_file, remarks, table_fault
from prrt_estimators._text import plain_text
from prrt_estimators._values import EMPTY, decimal_commas, empty_words
from prrt_estimators.exceptions import Problem


@dataclass
class Table:
    """A table as read.

    Attributes
    ----------
    frame : DataFrame
        One row per patient; columns from text files hold str, empty cells are NaN.
    folder : Path or None
        Where relative paths in the table start; None for tables in memory.
    name : str or None
        File name for messages.
    problems : list of Problem
        What is wrong with the table as such.
    sheet : str or None
        Which sheet of which file was read, where there are several.
    notices : list of str
        What a spreadsheet program hides of it.
    layout : list of str
        Rows of a file that are not patients, a sentence each.
    """

    frame: pd.DataFrame
    folder: Path | None = None
    name: str | None = None
    problems: list[Problem] = field(default_factory=list)
    sheet: str | None = None
    notices: list[str] = field(default_factory=list)
    layout: list[str] = field(default_factory=list)


def read_table(source: Any, sheet: int | str = 0) -> Table:
    """Read a cohort table from a dict of columns, a list of records, a DataFrame, a text file or an Excel file.

    Raises
    ------
    TypeError
        If `source` is none of these.
    MissingDependencyError
        If an Excel file is given and openpyxl is not installed.
    """
    if not isinstance(source, (str, os.PathLike, Mapping, Iterator)):
        source = plain_form(source)
    if isinstance(source, pd.DataFrame):
        table = _from_frame(source)
    elif are_records(source):
        table = _from_frame(_of_records(source))
    elif hasattr(source, "modalities"):
        raise TypeError("`source` is a Cohort already; pass it to estimators and compare_models as it is.")
    elif isinstance(source, Mapping):
        table = _from_mapping(source)
    elif isinstance(source, (str, os.PathLike)):
        table = _from_file(Path(source), sheet)
    else:
        raise TypeError(
            "`source` must be the path of a CSV or Excel file, a DataFrame, a dict of columns, or a list of records such as "
            f"[{{'CgA': 95, 'pfs_months': 7}}, ...], one per patient; got {type(source).__name__}."
        )
    if not table.problems and not len(table.frame):
        table.problems.append(
            Problem("the table holds no patient", "give one row per patient below the header", file=table.name)
        )
    return table


def empty_cells(values: pd.Series, levels: bool = False) -> np.ndarray:
    """Return a mask of the cells that hold nothing: NaN, blanks, or a word for nothing such as ``n/a``.

    With `levels` a word that is one of the column's levels, as ``none`` beside ``carcinoid`` or ``-`` beside ``+``, is
    not nothing.
    """
    missing = values.isna().to_numpy(dtype=bool)
    if values.dtype != object and not isinstance(values.dtype, (pd.StringDtype, pd.CategoricalDtype)):
        return missing
    nothing = empty_words(values) if levels else EMPTY
    words = np.fromiter(
        (isinstance(value, str) and plain_text(value).lower() in nothing for value in values), bool, len(values)
    )
    return missing | words


def _from_mapping(source: Mapping[Any, Any]) -> Table:
    columns: dict[str, Any] = {}
    for name, values in source.items():
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise TypeError(f"column {name!r} must be a sequence with one value per patient; got {values!r}.")
        if getattr(values, "ndim", 1) > 1:
            raise TypeError(
                f"column {name!r} must have one value per patient; got shape {np.shape(values)}. For voxels in "
                "memory build Cohort({'pet': array, 'lab': table}) instead."
            )
        columns[str(name)] = list(values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        what = "columns differ in length: " + ", ".join(f"{name} {n}" for name, n in lengths.items())
        return Table(pd.DataFrame(), problems=[Problem(what, "give every column one value per patient")])
    return _from_frame(pd.DataFrame(columns))


def _of_records(records: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """Return the table of records with one patient each, whose entries are what a cell can hold."""
    for k, record in enumerate(records):
        for name, cell in record.items():
            if isinstance(cell, (Mapping, list, tuple)) or getattr(cell, "shape", ()) != ():
                raise TypeError(
                    f"record {k} holds a {type(cell).__name__} under {name!r}; a table holds paths, numbers and words. Pass "
                    "Cohort.from_records(records, return_X_y=True), which accepts images and nested values."
                )
    names = list(dict.fromkeys(str(name) for record in records for name in record))
    cells = [{str(name): cell for name, cell in record.items()} for record in records]
    return pd.DataFrame(cells, columns=names)


def _from_frame(frame: pd.DataFrame) -> Table:
    if isinstance(frame.columns, pd.MultiIndex):
        raise TypeError("`source` must have one header row; got a DataFrame with a MultiIndex of columns.")
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    frame = frame.reset_index(drop=True)
    names = [plain_text(str(name)) for name in frame.columns]
    frame, problems = _unique_columns(plain_frame(frame), names, None)
    return Table(_without_blank_rows(frame), problems=problems, notices=_misread(frame))


def _misread(frame: pd.DataFrame) -> list[str]:
    """Return a sentence on columns of which another reader may have made fractions of thousands."""
    floats = [name for name in frame.columns if pd.api.types.is_float_dtype(frame[name].dtype)]
    if not floats or not decimal_commas(frame[name] for name in frame.columns):
        return []
    thousandths = [
        name
        for name in floats
        if (values := frame[name].dropna().to_numpy(dtype=np.float64)).size
        and np.isfinite(values).all()
        and (values % 1 != 0).any()
        and np.allclose(values * 1000, np.round(values * 1000), rtol=0, atol=1e-6)
    ]
    return [
        f"column {name!r} holds fractions, and other columns text with decimal commas: what read the table may have taken "
        "4.500 for 4.5. Give load_cohort the file itself, or read it with decimal=',' and thousands='.'."
        for name in thousandths
    ]


def _from_file(path: Path, sheet: int | str) -> Table:
    if (fault := table_fault(path)) is not None:
        return Table(pd.DataFrame(), problems=[Problem(*fault, file=str(path))])
    try:
        found = read_sheet_file(path, sheet)
    except (ValueError, OSError) as error:
        what, remedy = f"cannot be read as a table: {error}", "open it in a spreadsheet program and save it again"
        return Table(pd.DataFrame(), problems=[Problem(what, remedy, file=str(path))])
    table = _from_rows(found.rows, path)
    table.sheet = f"{found.name!r} of {path.name}" if found.name is not None and found.others else None
    table.notices, table.layout = remarks(found), found.layout
    return table


def _from_rows(rows: Sequence[tuple[int, list[Any]]], path: Path) -> Table:
    """Make a table of rows whose first one that is not blank is the header."""
    numbered = [(k, row) for k, row in rows if not all(_blank(cell) for cell in row)]
    problems: list[Problem] = []
    if not numbered:
        problems.append(Problem("the table is empty", "give a header and one row per patient", file=str(path)))
        return Table(pd.DataFrame(), path.parent, path.name, problems)
    header = ["" if _blank(cell) else str(cell).strip() for cell in numbered[0][1]]
    cells = []
    for k, row in numbered[1:]:
        while len(row) > len(header) and _blank(row[-1]):
            row = row[:-1]
        if len(row) != len(header):  # which cell is missing cannot be known
            what = f"line {k} has {len(row)} cells, the header has {len(header)}"
            remedy = "quote cells that contain the separator (a decimal comma?), and write empty cells too"
            problems.append(Problem(what, remedy, file=path.name))
            continue
        cells.append([np.nan if _blank(cell) else cell for cell in row])
    frame = pd.DataFrame(cells, columns=range(len(header)), dtype=object)
    used = [k for k, name in enumerate(header) if name or not frame[k].isna().all()]
    frame, doubled = _unique_columns(frame[used], [header[k] or f"unnamed_{k + 1}" for k in used], path.name)
    return Table(frame, path.parent, path.name, problems + doubled)


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and np.isnan(cell)) or (isinstance(cell, str) and not cell.strip())


def _unique_columns(frame: pd.DataFrame, names: list[str], file: str | None) -> tuple[pd.DataFrame, list[Problem]]:
    """Keep the first column of each name, and say which names occur more than once."""
    remedy = "rename or remove one of them"
    problems = [
        Problem(f"column name occurs {count} times", remedy, column=name, file=file)
        for name, count in Counter(names).items()
        if count > 1
    ]
    first = [k for k, name in enumerate(names) if name not in names[:k]]
    frame = frame.iloc[:, first].copy()
    frame.columns = pd.Index([names[k] for k in first], dtype=object)
    return frame, problems


def _without_blank_rows(frame: pd.DataFrame) -> pd.DataFrame:
    if not frame.shape[1]:
        return frame
    blank = np.logical_and.reduce([empty_cells(frame[name]) for name in frame.columns])
    return frame[~blank].reset_index(drop=True)
