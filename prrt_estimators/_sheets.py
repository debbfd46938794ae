"""The one reader of table files: CSV in its dialects and Excel, every cell as written."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from pathlib import Path

from prrt_estimators._excel import MAX_CELLS, Sheet, read_excel
from prrt_estimators._sheet_layout import patients_only, separator_line
from prrt_estimators._text import plain_text, unquoted_cell

EXCEL = (".xlsx", ".xlsm")
TEXT = (".csv", ".tsv", ".txt", ".tab")

#: What is wrong with a path that is to be a table, and the remedy.
Fault = tuple[str, str]

_SEPARATORS = (";", "\t", ",", "|")
_LISTED = 8  # rows that a remark spells out


def table_fault(path: Path) -> Fault | None:
    """Return what is wrong with the path of a table and what to do about it; None if it can be tried."""
    if path.is_dir():
        return "is a folder, expected a CSV or Excel file", "give the table itself"
    if not path.is_file():
        return "file does not exist", "correct the path of the table"
    if path.suffix.lower() not in TEXT + EXCEL:
        return f"cannot read tables of type {path.suffix.lower() or 'unknown'!r}", "save it as CSV or as .xlsx"
    return None


def read_sheet_file(path: str | os.PathLike[str], sheet: int | str = 0) -> Sheet:
    """Read the rows of a CSV or Excel file; text is brought to one spelling, empty cells are None.

    Titles above the header and means below the patients are left out, and units in a row of their own go into the header.

    Raises
    ------
    ValueError
        If the file cannot be read as a table, is too large, or lacks the sheet.
    MissingDependencyError
        If an Excel file is given and openpyxl is not installed.
    OSError
        If the file cannot be opened.
    """
    path = Path(path)
    found = read_excel(path, sheet) if path.suffix.lower() in EXCEL else Sheet(_text_rows(path))
    found.rows = [
        (k, [unquoted_cell(cell) if isinstance(cell, str) else cell for cell in cells]) for k, cells in found.rows
    ]
    found.rows, found.layout = patients_only(found.rows)
    return found


def remarks(sheet: Sheet) -> list[str]:
    """Return sentences on what a reader of the sheet on the screen does not see or sees as deleted."""
    told = []
    for rows, what in ((sheet.hidden, "hidden or filtered away"), (sheet.struck, "struck through, whole or in part")):
        if rows:
            listed = ", ".join(map(str, rows[:_LISTED])) + (", ..." if len(rows) > _LISTED else "")
            told.append(
                f"sheet {sheet.name!r}: {len(rows)} {'row is' if len(rows) == 1 else 'rows are'} {what} in Excel and "
                f"read like the others (row {listed}). Delete what is not meant to be read."
            )
    if sheet.hidden_columns:
        told.append(
            f"sheet {sheet.name!r}: column {', '.join(sheet.hidden_columns[:_LISTED])} is hidden in Excel and read like "
            "the others. Delete what is not meant to be read."
        )
    if sheet.merged:
        told.append(
            f"sheet {sheet.name!r}: {', '.join(sheet.merged[:_LISTED])} is merged over several rows, so that only the first "
            "row has its value. Write the value into each row."
        )
    if sheet.scaled:
        told.append(
            f"sheet {sheet.name!r}: the number format of column {', '.join(sheet.scaled[:_LISTED])} shows thousands, e.g. 12 for "
            "12000. The whole numbers are read, so the unit of the header must be theirs."
        )
    if sheet.added:
        listed = ", ".join(f"{words!r} in column {letter}" for letter, words in list(sheet.added.items())[:_LISTED])
        told.append(
            f"sheet {sheet.name!r}: a number format adds {listed}, which is in no cell and is not read. Write the unit into "
            "the header."
        )
    return told


def _text_rows(path: Path) -> list[tuple[int, list]]:
    content = path.read_bytes()
    if b"\0" in content[:4096] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{path.name} is not a text file. Save the table as CSV or as .xlsx")
    separator, text = separator_line(decode(content))
    first = 1 if separator is None else 2
    delimiter = separator or sniff_separator(text)
    try:
        rows = [
            (number, [plain_text(cell) or None for cell in row])
            for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), first)
        ]
    except csv.Error as error:
        raise ValueError(f"{path.name} cannot be read as a table ({error}). Save it as CSV or .xlsx again") from None
    if len(rows) * max((len(row) for _, row in rows), default=0) > 25 * MAX_CELLS:
        raise ValueError(f"{path.name} has too many cells for a table of patients. Leave out what is not needed")
    return rows


def decode(content: bytes) -> str:
    """Return the text of a file: UTF-16 or UTF-8 where it is, else the usual code page of Windows."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def sniff_separator(text: str) -> str:
    """Return the separator that splits the most of the first lines into equally many cells, and into the most cells.

    Lines of a title above the table are split otherwise, or not at all.

    Examples
    --------
    >>> sniff_separator("id;pfs\\n1;3,5\\n2;4,5\\n"), sniff_separator("id,pfs\\n1,3.5\\n")
    (';', ',')
    >>> sniff_separator("Patients, 2024\\nid;CgA\\n1;3,5\\n2;4,5\\n")
    ';'
    """
    best, score = ",", (0.0, 0)
    head = [line for line in text[:65536].splitlines() if line.strip()][:20]
    for separator in _SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(head, delimiter=separator)]
        except csv.Error:
            continue
        counts = Counter(width for width in widths if width > 1)
        if counts:
            width, lines = max(counts.items(), key=lambda item: (item[1], item[0]))
            if (lines / len(widths), width) > score:
                best, score = separator, (lines / len(widths), width)
    return best
