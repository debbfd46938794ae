"""From cells as written to typed columns, with every cell that cannot be read told."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from prrt_estimators._analytes import find_analyte, name_tokens
from prrt_estimators._arguments import keyword
from prrt_estimators._values import Numbers, is_error_cell, read_numbers
from prrt_estimators.datasets._column_vocabulary import NUMERIC
from prrt_estimators.datasets._identities import IDENTITY, Identities, first_identity
from prrt_estimators.datasets._tables import empty_cells
from prrt_estimators.exceptions import Problem

MIN_LEVELS = 5  # fewer patients than this may well all differ


@dataclass
class LabTable:
    """The predictors of a table, typed, and what became of each column."""

    frame: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)
    log: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def number_problems(read: Numbers, cells: pd.Series, ids: np.ndarray, column: str) -> list[Problem]:
    """Return one problem for each cell whose number is in doubt."""
    problems = []
    for k in np.flatnonzero(read.text):
        what = f"holds the text {quote(cells.iloc[k])}, expected a number"
        problems.append(Problem(what, "write a number, or leave the cell empty", patient=ids[k], column=column))
    for k in np.flatnonzero(read.ambiguous):
        cell = str(cells.iloc[k])
        mark = "," if "," in cell else "."
        what = f"{quote(cell)} could mean {cell.replace(mark, '')} or {cell.replace(mark, '.', 1)}"
        remedy = "write it without a thousands separator and with a decimal point"
        if mark == ".":
            what += ": points of this table may separate thousands"
            remedy = f"write {cell.replace(mark, '')}, or {cell}0 if it is a fraction"
        problems.append(Problem(what, remedy, patient=ids[k], column=column))
    for k in np.flatnonzero(np.isinf(read.values)):
        what = "holds an infinite value, expected a number"
        problems.append(Problem(what, "write a number, or leave the cell empty", patient=ids[k], column=column))
    return problems


def error_problems(cells: pd.Series, ids: np.ndarray, column: str) -> list[Problem]:
    """Return one problem for each cell that holds a spreadsheet's error or a formula without a value."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return []
    problems = []
    for k in [k for k, cell in enumerate(cells) if is_error_cell(cell)]:
        formula = str(cells.iloc[k]).upper().startswith("#FORMULA")
        what = "holds a formula without a value" if formula else f"holds the error {quote(cells.iloc[k])}"
        remedy = (
            "open and save the file in a spreadsheet program, which calculates it, or write the value"
            if formula
            else "correct the formula, or leave the cell empty"
        )
        problems.append(Problem(what, remedy, patient=ids[k], column=column))
    return problems


def quote(cell: object) -> str:
    """Return a cell for a message, cut to a readable length."""
    text = f"{cell:g}" if isinstance(cell, float) else str(cell)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def read_labs(
    frame: pd.DataFrame,
    columns: list[str],
    named: set[str],
    ids: np.ndarray,
    training: bool,
    commas: bool = False,
    who: Identities | None = None,
) -> LabTable:
    """Return the predictor columns as float64 where they hold numbers, as str (NaN for empty) where they hold words.

    Parameters
    ----------
    frame : DataFrame of shape (n, k)
    columns : list of str
        The predictors.
    named : set of str
        Those that the caller named; an identifier-like one is refused, where a guessed one is left out.
    ids : ndarray of str, shape (n,)
    training : bool
        Whether the table has outcomes. New patients keep every column, constant and empty ones too: the model
        that predicts for them expects it.
    commas : bool, default=False
        Whether the table has decimal commas.
    who : Identities, default=None
        Persons, institutions and identifiers of the whole table, which no category may hold.
    """
    table = LabTable(pd.DataFrame(index=range(len(frame))))
    typed: dict[str, np.ndarray] = {}
    for name in columns:
        cells = frame[name]
        read = read_numbers(cells, commas)
        empty = read.empty
        filled = int((~empty).sum())
        errors = error_problems(cells, ids, name)
        if errors:
            table.problems += errors
        elif read.text.sum() * 2 >= max(filled, 1):
            empty = empty_cells(cells, levels=True)
            values: np.ndarray = np.array(
                [np.nan if e else str(c).strip() for c, e in zip(cells, empty, strict=True)], dtype=object
            )
            problem = _word_problem(name, cells, values, read, empty, ids, training, name in named, table)
            if problem is not None:
                table.problems.append(problem)
            elif name not in table.log and (problem := _identity_problem(name, values, ids, who)) is not None:
                table.problems.append(problem)
                continue
        else:
            values = read.values
            table.problems += number_problems(read, cells, ids, name)
            if read.limited.any():
                table.notes[name] = f"{int(read.limited.sum())} cells at a limit of detection"
        if name in table.log or errors:
            continue
        levels = pd.unique(values[~empty])
        if training and len(levels) < 2 and len(frame) > 1:
            table.log[name] = (
                ("constant", f"holds one value only ({quote(levels[0])}): tells nothing")
                if len(levels)
                else ("empty", "no cell is filled in")
            )
            continue
        typed[name] = values
    table.frame = pd.DataFrame(typed, index=pd.RangeIndex(len(frame)))
    return table


def read_block(
    frame: pd.DataFrame, columns: list[str], ids: np.ndarray, training: bool, commas: bool = False
) -> LabTable:
    """Return the columns of a block of numbers, where text is a problem and not a category."""
    table = read_labs(frame, columns, set(columns), ids, training, commas)
    words = [name for name in table.frame if table.frame[name].dtype == object and table.frame[name].notna().any()]
    for name in words:
        first = int(np.flatnonzero(table.frame[name].notna())[0])
        what = f"holds the text {quote(table.frame[name].iloc[first])}, expected the numbers of a block"
        table.problems.append(
            Problem(what, "write numbers, or leave it out of blocks=", patient=ids[first], column=str(name))
        )
    table.frame = table.frame.drop(columns=words)
    return table


def _identity_problem(name: str, values: np.ndarray, ids: np.ndarray, who: Identities | None) -> Problem | None:
    """Return that a category says who somebody is; categories stand in models, results and reports."""
    found = first_identity(values, who or Identities())
    if found is None:
        return None
    k, kind = found
    of = "" if kind == "a date" else " that another column of the table holds"
    remedy = f"write it without, or leave the column out of {keyword('lab')}"
    if of:
        remedy += "; a table of pseudonyms needs no columns of persons"
    return Problem(f"holds {kind}{of}", remedy, patient=ids[k], column=name, code=IDENTITY)


def _word_problem(
    name: str,
    cells: pd.Series,
    values: np.ndarray,
    read: Numbers,
    empty: np.ndarray,
    ids: np.ndarray,
    training: bool,
    named: bool,
    table: LabTable,
) -> Problem | None:
    """Return what is wrong with a column of words, or log that it is left out."""
    if find_analyte(name) is not None or NUMERIC.search(" ".join(name_tokens(name))):
        first = int(np.flatnonzero(read.text)[0])
        what = f"holds the text {quote(cells.iloc[first])} (and text in {int(read.text.sum())} cells), expected numbers"
        return Problem(what, "write plain numbers, with the unit in the header", patient=ids[first], column=name)
    filled = values[~empty]
    levels = len(set(filled))
    if training and levels == len(filled) >= MIN_LEVELS:
        if named:
            what = f"has as many values as patients ({levels}), like an identifier"
            return Problem(what, f"group the values into a few, or leave it out of {keyword('lab')}", column=name)
        table.log[name] = ("identifier", f"as many values as patients ({levels}): identifies, does not predict")
    return None
