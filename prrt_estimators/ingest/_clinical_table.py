"""A clinical table to one row per patient: analytes in their units, intervals for dates, nothing of the person."""

from __future__ import annotations

import datetime
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._analytes import Analyte, name_tokens
from prrt_estimators._date_forms import read_named_month
from prrt_estimators._modalities import INGESTED
from prrt_estimators._sex import read_sex
from prrt_estimators._values import decimal_commas, is_error_cell, lost_digits, read_numbers
from prrt_estimators.exceptions import CohortError, Problem
from prrt_estimators.ingest._analyte_units import derive, output_name, read_analyte, take_unit_row
from prrt_estimators.ingest._clinical_columns import (
    DATE_ROLES,
    Column,
    assign_columns,
    find_id_column,
    named_like_a_name,
)
from prrt_estimators.ingest._clinical_sheet import read_sheet
from prrt_estimators.ingest._dates import looks_like_date, outcomes, read_dates
from prrt_estimators.ingest._privacy import Identity
from prrt_estimators.ingest._pseudonyms import canonical_id, id_text
from prrt_estimators.ingest._two_sources import Told, told_of_persons

_SEXES = {"male": "M", "female": "F", "other": "O"}
#: kg; outside, a weight is a slip of the pen or in another unit.
_WEIGHTS = (10.0, 350.0)


@dataclass
class Clinical:
    """What a table says of each patient, by canonical identifier.

    Attributes
    ----------
    frame : DataFrame
        Columns that may be passed on, one row per patient, index the identifier.
    columns : DataFrame
        What was recognised as what: column, role, unit, passed_on_as, filled, limits, why.
    therapy : dict of str to date
        Start of therapy; never passed on.
    persons : Told
        Sex, age and year of birth; to be compared with the images.
    therapy_unread : set of str
        Whose start of therapy is written and not understood.
    weight : dict of str to float
        kg.
    pseudonyms : dict of str to cell
        The user's own, where a column of them was named.
    notes : dict of str to list of str
        What was not understood of a patient.
    wrong : dict of str to str
        Why a patient cannot be used.
    id_column : str
        The column that was joined by.
    written_ids : dict of str to str
        Identifiers as the table writes them.
    anonymous_rows : int
        Rows without an identifier.
    identity : Identity
        Cells of identifiers, persons and dates: what must not be found in any output.
    """

    frame: pd.DataFrame
    columns: pd.DataFrame
    therapy: dict[str, datetime.date] = field(default_factory=dict)
    persons: Told = field(default_factory=Told)
    therapy_unread: set[str] = field(default_factory=set)
    weight: dict[str, float] = field(default_factory=dict)
    pseudonyms: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[str, str] = field(default_factory=dict)
    identity: Identity = field(default_factory=Identity)
    id_column: str = ""
    written_ids: dict[str, str] = field(default_factory=dict)
    anonymous_rows: int = 0


def read_clinical(
    source: str | os.PathLike[str] | pd.DataFrame,
    known: Iterable[str],
    *,
    panel: Mapping[str, Analyte],
    id_column: str | None = None,
    named: Mapping[str, str | None] | None = None,
    keep: Sequence[str] = (),
    derived: bool = True,
    sheet: int | str = 0,
) -> Clinical:
    """Read a clinical table.

    Parameters
    ----------
    source : path or DataFrame
    known : iterable of str
        Canonical identifiers of the images, by which the identifier column is found.
    panel : mapping of str to Analyte
        Analytes with the reference limits to use.
    id_column : str, default=None
        The column with the identifiers of the images; found by its values where None.
    named : mapping of role to column, default=None
        Columns for ``pseudonym``, ``weight`` and the dates.
    keep : sequence of str, default=()
        Columns to pass on as they are.
    derived : bool, default=True
        Whether ratios are added.
    sheet : int or str, default=0
        Sheet of an Excel file.

    Returns
    -------
    Clinical

    Raises
    ------
    CohortError
        If a named column is missing or the identifier column cannot be told.
    """
    remarks: list[str] = []
    frame = read_sheet(source, sheet, remarks)
    frame, units = take_unit_row(frame)
    identifier = find_id_column(frame, set(known), id_column)
    rounded = sum(map(lost_digits, frame[identifier]))
    if rounded:
        what = f"{rounded} identifiers have more than 15 digits and were rounded when they were stored as numbers"
        raise CohortError([Problem(what, "store identifiers as text before they are typed in", column=identifier)])
    columns = assign_columns(frame, identifier, named or {}, tuple(keep))
    for name, unit in units.items():
        if columns[name].analyte is not None and columns[name].unit is None:
            columns[name].unit = unit
    found = Clinical(pd.DataFrame(), pd.DataFrame(), id_column=identifier)
    found.identity = _identifying(frame, columns)
    frame = _one_row_a_patient(frame, identifier, found)
    found.persons = told_of_persons(frame, identifier)
    report: list[dict[str, object]] = []
    _fill(frame, columns, panel, found, report)
    _read_dates(frame, columns, found, report)
    if derived:
        for name, values, why in derive(found.frame, panel):
            found.frame[name] = values
            report.append(_line("", "derived", name, values, why))
    report += [_line("", "sheet", "", None, remark) for remark in remarks]
    found.columns = pd.DataFrame(report, columns=["column", "role", "unit", "passed_on_as", "filled", "limits", "why"])
    return found


def _line(
    column: str, role: str, name: str, values: Any, why: str, unit: str = "", limits: int = 0
) -> dict[str, object]:
    filled = 0 if values is None else int(pd.Series(values).notna().sum())
    return {
        "column": column, "role": role, "unit": unit, "passed_on_as": name, "filled": filled, "limits": limits, "why": why
    }  # fmt: skip


def _identifying(frame: pd.DataFrame, columns: Mapping[str, Column]) -> Identity:
    found = Identity()
    for name, column in columns.items():
        cells = [cell for cell in frame[name] if cell is not None]
        if column.role in ("id", "path"):
            found.add_identifiers(map(id_text, cells))
        elif column.role == "person":
            if named_like_a_name(name):
                found.add_names(cell for cell in cells if isinstance(cell, str))
            found.add_identifiers(
                id_text(cell) for cell in cells if id_text(cell).isdigit() or not looks_like_date(cell)
            )
        if column.role in ("person", "date", *DATE_ROLES):
            found.add_days(day for day in read_dates(frame[name]) if day is not None)
            found.add_days(day for cell in cells if isinstance(cell, str) for day in (read_named_month(cell),) if day)
    return found


def _one_row_a_patient(frame: pd.DataFrame, identifier: str, found: Clinical) -> pd.DataFrame:
    """Index by identifier; equal rows count once, and a patient whose rows differ cannot be used."""
    filled = frame[identifier].notna()
    found.anonymous_rows = int((~filled).sum())
    frame = frame[filled]
    keys = [canonical_id(cell) for cell in frame[identifier]]
    rows: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        rows.setdefault(key, []).append(position)
        found.written_ids.setdefault(key, id_text(frame[identifier].iloc[position]))
    others = frame.drop(columns=identifier).astype(object)
    for key, places in rows.items():
        if len(places) > 1:
            several = {tuple(map(str, others.iloc[place])) for place in places}
            if len(several) == 1:
                found.notes[key].append(f"{len(places)} equal rows in the table, one used")
            else:
                found.wrong[key] = f"{len(places)} rows in the table that differ"
    unique = frame.iloc[[places[0] for places in rows.values()]].copy()
    unique.index = pd.Index(list(rows), dtype=object)
    return unique


def _fill(
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    panel: Mapping[str, Analyte],
    found: Clinical,
    report: list[dict[str, object]],
) -> None:
    made: dict[str, list[Any]] = {}
    commas = decimal_commas(frame[name] for name in frame)
    for name, column in columns.items():
        cells = frame[name]
        if column.analyte is not None:
            analyte = panel[column.analyte.name]
            values, doubts, limits, problem = read_analyte(cells, analyte, column.unit, commas)
            for key, doubt in doubts.items():
                found.notes[key].append(f"{analyte.name}: {doubt}; value left out")
            target = output_name(analyte, column.unit)
            unit = "not known" if column.unit == "?" else column.unit or f"none stated, taken as {analyte.unit}"
            if problem:
                for key in frame.index:
                    found.notes[key].append(f"{analyte.name}: {problem}; column left out")
                report.append(_line(name, "analyte", "", None, f"{analyte.title}: {problem}; left out", unit))
            elif target in made:
                report.append(_line(name, "analyte", "", None, f"{analyte.title} a second time; left out", unit))
            else:
                made[target] = values
                report.append(_line(name, "analyte", target, values, analyte.title, unit, limits))
        elif column.role in ("weight", "sex", "number", "category"):
            target, kept = _plain(name, column, cells, found, commas)
            target = target if target not in made else f"{target}_2"
            made[target] = kept
            report.append(_line(name, column.role, target, kept, column.why))
        elif column.role not in DATE_ROLES:
            if column.role == "pseudonym":
                found.pseudonyms = dict(zip(frame.index, cells, strict=True))
            report.append(_line(name, column.role, "", None, column.why))
    found.frame = pd.DataFrame(made, index=frame.index)


def _plain(name: str, column: Column, cells: pd.Series, found: Clinical, commas: bool) -> tuple[str, list[Any]]:
    """Return the name and cells of a column that is passed on without conversion."""
    if column.role == "sex":
        known = [_SEXES.get(read_sex(cell) or "") for cell in cells]
        if any(known):
            for key, cell, sex in zip(cells.index, cells, known, strict=True):
                if cell is not None and sex is None:
                    found.notes[key].append("sex: not understood; value left out")
        # A coding of its own (1 and 2) is passed on as it is.
        return "sex", known if any(known) else [None if cell is None else str(cell) for cell in cells]
    if column.role == "category":
        for key in cells.index[[is_error_cell(cell) for cell in cells]]:
            found.notes[key].append(
                f"{_safe_name(name)}: a spreadsheet's error, or a formula without a value; left out"
            )
        return _safe_name(name), [None if cell is None or is_error_cell(cell) else str(cell) for cell in cells]
    values: list[Any] = []
    read = read_numbers(cells, commas)
    for k, (key, cell) in enumerate(zip(cells.index, cells, strict=True)):
        number = float(read.values[k])
        if is_error_cell(cell):
            what = "a spreadsheet's error, or a formula without a value"
        else:
            what = "text where the others have numbers" if read.text[k] else "a number that can be read in two ways"
        if read.text[k] or read.ambiguous[k]:
            found.notes[key].append(f"{_safe_name(name)}: {what}; value left out")
            number = np.nan
        elif column.role == "weight" and number == number:
            if _WEIGHTS[0] <= number <= _WEIGHTS[1]:
                found.weight[key] = number
            else:
                found.notes[key].append("weight: not between 10 and 350 kg; value left out")
                number = np.nan
        values.append(None if number != number else number)
    return ("weight_kg" if column.role == "weight" else _safe_name(name)), values


def _safe_name(name: str) -> str:
    # The paths of the cohort table have these names.
    return f"clinical_{name}" if name_tokens(name) in (*((kind,) for kind in INGESTED), ("patient", "id")) else name


def _read_dates(
    frame: pd.DataFrame, columns: Mapping[str, Column], found: Clinical, report: list[dict[str, object]]
) -> None:
    days: dict[str, dict[str, datetime.date]] = {role: {} for role in DATE_ROLES}
    for name, column in columns.items():
        if column.role not in DATE_ROLES:
            continue
        read = read_dates(frame[name])
        days[column.role] = {key: day for key, day in zip(frame.index, read, strict=True) if day is not None}
        report.append(_line(name, column.role, "", read, column.why))
        what = column.role.replace("_", " ")
        for key, cell, day in zip(frame.index, frame[name], read, strict=True):
            if cell is not None and day is None:
                found.notes[key].append(f"{what}: not a date, or day and month cannot be told apart")
        if column.role == "therapy_date":
            found.therapy_unread = {
                str(key)
                for key, cell, day in zip(frame.index, frame[name], read, strict=True)
                if cell is not None and day is None
            }
    found.therapy = days["therapy_date"]
    if not (days["therapy_date"] and any(days[role] for role in DATE_ROLES[1:])):
        return
    ready = [name for name in map(str, found.frame) if _is_time(name)]
    if ready:
        report.append(_line("", "derived", "", None, f"no time is computed from dates: {ready[0]} is in the table"))
        return
    result = outcomes(
        days["therapy_date"], days["progression_date"], days["last_contact_date"], days["death_date"], list(frame.index)
    )
    for key, note in result.notes.items():
        found.notes[key].append(note)
    found.wrong |= {key: why for key, why in result.wrong.items() if key not in found.wrong}
    for name, values, why in (
        ("pfs_months", result.months, "from the start of therapy to progression, death or last contact"),
        ("progressed", {key: int(seen) for key, seen in result.event.items()}, "1 = progression or death was seen"),
    ):
        found.frame[name] = [values.get(key) for key in frame.index]
        report.append(_line("", "derived", name, found.frame[name], why))


def _is_time(name: str) -> bool:
    text = "".join(name_tokens(name))
    return text.startswith(("pfs", "ttp", "timetoprog", "progressionfree", "progressionsfrei", "zeitbis"))
