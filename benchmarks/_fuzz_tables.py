"""Damaged tables for `fuzz.py`, and what their cells say to another reader."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _fuzz_harm import Kind, harm_file, harmed

from prrt_estimators import load_cohort

_CELLS = [
    "", "-", "n/a", "1,5", "1.234", "12 34", "1e400", "NaN", "inf", "#DIV/0!", "=1+1", "\x1b[2J", "0x10", "<20", "> 5.000",
    "5\u200b", "１２", "2020-01-06", "yes", "?", "9" * 400, "'", '"', "\0", "Müller",
]  # fmt: skip
_PLAIN = re.compile(r"-?\d{1,6}(\.\d{1,2})?")


def _table(n: int = 24) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "patient_id": [f"P{k:03d}" for k in range(n)],
            "CgA [ug/l]": np.round(rng.lognormal(5, 1, n), 1),
            "AST [U/l]": rng.integers(12, 80, n),
            "ALT [U/l]": rng.integers(12, 80, n),
            "age": rng.integers(40, 80, n),
            "pfs_months": np.round(rng.exponential(18, n) + 1, 1),
            "progressed": rng.integers(0, 2, n),
        }
    )


def make_tables(folder: Path) -> list[Path]:
    """Write one table as CSV with commas and with semicolons, and as Excel."""
    table = _table()
    table.to_csv(folder / "comma.csv", index=False)
    table.to_csv(folder / "semicolon.csv", index=False, sep=";")
    table.to_excel(folder / "sheet.xlsx", index=False)
    return [folder / "comma.csv", folder / "semicolon.csv", folder / "sheet.xlsx"]


def harm_table(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Exchange cells and lines, damage bytes, or damage a part inside the archive of an Excel file."""
    if source.suffix == ".xlsx":
        if rng.random() < 0.3:
            harm_file(rng, source, target)
            return
        with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as after:
            names = before.namelist()
            chosen = names[int(rng.integers(0, len(names)))] if rng.random() < 0.4 else "xl/worksheets/sheet1.xml"
            for name in names:
                content = before.read(name)
                after.writestr(name, harmed(rng, content) if name == chosen else content)
        return
    if rng.random() < 0.3:
        harm_file(rng, source, target)
        return
    separator = ";" if "semicolon" in source.name else ","
    rows = [line.split(separator) for line in source.read_text().splitlines()]
    for _ in range(rng.integers(1, 4)):
        row, column = int(rng.integers(0, len(rows))), int(rng.integers(0, 7))
        match int(rng.integers(0, 6)):
            case 0:
                rows.insert(row, list(rows[row]))
            case 1:
                rows.pop(row) if len(rows) > 3 else None
            case 2:
                rows[row] = rows[row][:column]
            case _:
                if column < len(rows[row]):
                    rows[row][column] = _CELLS[rng.integers(0, len(_CELLS))]
    target.write_bytes("\n".join(separator.join(row) for row in rows).encode("utf-8", "surrogatepass"))


def check_table(damaged: Path, _: Path) -> str:
    """Compare plain numbers of the cells with what is read; what is read otherwise must have been warned of."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        bunch = load_cohort(damaged, verbose=False)
    cells = _cells(damaged)
    if cells is None:
        return "as it is"  # the other reader cannot read it
    header, rows = [str(one).strip() for one in cells[0]], cells[1:]
    if "patient_id" not in header or "lab" not in bunch.X:
        return "as it is"
    key = header.index("patient_id")
    by_id = {str(row[key]).strip(): row for row in rows if len(row) == len(header)}
    text = " ".join(str(cell) for row in rows for cell in row)
    if re.search(r"\d,\d", text) or re.search(r"\b\d{1,3}\.\d{3}\b", text):
        return "as it is"  # decimal commas: other rules, which have tests of their own
    for name in bunch.X["lab"].columns:
        if header.count(name) != 1:
            continue
        for patient, value in zip(bunch.X.ids, bunch.X["lab"][name], strict=True):
            cell = str(by_id.get(patient, [""] * len(header))[header.index(name)]).strip()
            if _PLAIN.fullmatch(cell) and isinstance(value, (int, float, np.number)) and float(value) != float(cell):
                return "wrong"
    return "as it is" if set(np.unique(bunch.y)) <= {0, 1} else "wrong"


def _cells(file: Path) -> list[list[Any]] | None:
    try:
        if file.suffix == ".csv":
            separator = ";" if "semicolon" in file.name else ","
            return [row for row in csv.reader(io.StringIO(file.read_text("utf-8-sig")), delimiter=separator) if row]
        import openpyxl

        book = openpyxl.load_workbook(file, data_only=True)
        rows = [
            ["" if cell is None else cell for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)
        ]
        return [row for row in rows if any(str(cell).strip() for cell in row)] or None
    except Exception:
        return None


TABLE = Kind("table", make_tables, harm_table, check_table)
