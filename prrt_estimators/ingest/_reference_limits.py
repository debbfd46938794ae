"""Reference limits in a file that people edit."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from prrt_estimators._analytes import ANALYTES, Analyte, find_analyte, split_unit, unit_factor
from prrt_estimators._io import atomic_write
from prrt_estimators._values import decimal_commas, read_numbers
from prrt_estimators.exceptions import CohortError, Problem
from prrt_estimators.ingest._clinical_sheet import read_sheet

_LIMITS = ("uln_male", "uln_female", "lln_male", "lln_female")


def read_limits(source: str | os.PathLike[str] | None) -> dict[str, Analyte]:
    """Return the panel with the reference limits of a file in place of the usual ones.

    Parameters
    ----------
    source : path or None
        Table with the columns analyte, unit and some of uln_male, uln_female, lln_male, lln_female. Analytes that it
        does not name keep their limits.

    Raises
    ------
    CohortError
        With every row that names no analyte, a unit that cannot be converted or no number.
    """
    panel = {analyte.name: analyte for analyte in ANALYTES}
    if source is None:
        return panel
    frame = read_sheet(source)
    if "analyte" not in frame or not set(_LIMITS) & set(frame.columns):
        remedy = f"give the columns analyte, unit, {', '.join(_LIMITS)}"
        raise CohortError([Problem("is not a table of reference limits", remedy, file=Path(source).name)])
    problems = []
    commas = decimal_commas(frame[name] for name in frame)
    limits = {name: read_numbers(frame[name], commas) for name in _LIMITS if name in frame}
    for k, row in enumerate(frame.to_dict("records"), 1):
        analyte = find_analyte(str(row["analyte"]))
        if analyte is None:
            problems.append(Problem(f"row {k} names no analyte of the panel", f"use one of {', '.join(panel)}"))
            continue
        unit = str(row.get("unit") or "").strip()
        factor = unit_factor(f"{analyte.name} {unit}")
        if unit not in ("", analyte.unit) and split_unit(f"{analyte.name} {unit}")[1] is None:
            factor = float("nan")  # not a unit that is known: the number must not be taken for one of the panel's
        written = [name for name in limits if row.get(name) is not None]
        numbers = {name: float(limits[name].values[k - 1]) for name in written}
        if factor != factor or any(limits[name].text[k - 1] or limits[name].ambiguous[k - 1] for name in written):
            what = f"row {k} ({analyte.name}): the unit cannot be converted to {analyte.unit}, or a limit is not a certain number"
            problems.append(Problem(what, "correct the row"))
            continue
        changed: dict[str, Any] = {name: number * factor for name, number in numbers.items()}
        panel[analyte.name] = dataclasses.replace(panel[analyte.name], **changed)
    if problems:
        raise CohortError(problems)
    return panel


def write_limits(panel: Mapping[str, Analyte], path: Path) -> None:
    """Write the limits that were used, as a table to edit."""
    rows = [
        {"analyte": one.name, "unit": one.unit, **{name: getattr(one, name) for name in _LIMITS}}
        for one in panel.values()
    ]
    with atomic_write(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n")
