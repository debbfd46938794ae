"""What stands around the patients in a clinic's sheet: a separator line, titles, a row of units, means below the table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prrt_estimators._analytes import find_analyte, name_tokens, split_unit, unit_factor
from prrt_estimators._values import is_word_for_nothing, parse_number

Row = tuple[int, list[Any]]

#: First line by which Excel is told the separator.
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?\s*', re.I)
#: What a row below the patients summarises, as the words of its first cell.
_SUMMARIES = frozenset(
    {
        "mittelwert", "mittelwerte", "durchschnitt", "mean", "means", "average", "median", "standardabweichung", "minimum", "maximum",
        "summe", "gesamt", "gesamtsumme", "insgesamt", "total", "totals", "anzahl", "quartil", "quartile", "spannweite", "range",
        "varianz", "variance", "grand total", "std dev", "standard deviation",
    }
)  # fmt: skip
#: The same in short; these may also be the initials or the first name of a patient.
_ABBREVIATED = frozenset({"mittel", "mw", "sd", "std", "stdev", "stabw", "min", "max", "sum", "count", "iqr"})
#: Words that may stand beside them.
_BESIDE = frozenset({"n", "der", "aller", "of", "the", "all"})
#: First cell of a row of units.
_UNIT_WORDS = frozenset({"einheit", "einheiten", "unit", "units"})
#: A number, a limit beside it too, and what follows it in a cell.
_NUMBER_AND_WORDS = re.compile(r"((?:[<>]=?|≤|≥)?\s*[\d.,' ]*\d)\s*([^\d\s.,<>].*)")
_TITLE_ROWS = 10
_MAX_TITLE_CELLS = 2
_PER_MICROLITRE = re.compile(r"/\s*[uµμ]l\b", re.I)


def separator_line(text: str) -> tuple[str | None, str]:
    """Return the separator that the first line of a text file names, and the rest; None if it names none.

    Examples
    --------
    >>> separator_line("sep=;\\nid;pfs\\n"), separator_line("id;pfs\\n")
    ((';', 'id;pfs\\n'), (None, 'id;pfs\\n'))
    """
    first, end, rest = text.partition("\n")
    found = _SEPARATOR_LINE.fullmatch(first.rstrip("\r"))
    return (found[1], rest) if found and end else (None, text)


def patients_only(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the header and the rows of patients, and a sentence on each row that is not one.

    Units that stand in a row below the header are written into the header.

    Parameters
    ----------
    rows : sequence of (int, list)
        Number of a row in the file, and its cells.

    Examples
    --------
    >>> rows = [(1, ["Register", None, None]), (2, ["id", "CgA", "Hb"]), (3, [None, "ng/ml", "g/l"]),
    ...         (4, ["7", "95", "130"]), (5, ["Mittelwert", "95", "130"])]
    >>> found, told = patients_only(rows)
    >>> found
    [(2, ['id', 'CgA [ng/ml]', 'Hb [g/l]']), (4, ['7', '95', '130'])]
    >>> told
    ['row 1 is a title and not read.', 'row 3 holds the units of the columns.', 'row 5 is not a patient (Mittelwert) and not read.']
    """
    rows, told = [(number, list(cells)) for number, cells in rows if any(map(_filled, cells))], []
    filled = [sum(map(_filled, cells)) for _, cells in rows[:_TITLE_ROWS]]
    widest = max(filled, default=0)
    while len(rows) > 1 and filled and filled[0] <= _MAX_TITLE_CELLS and 2 * filled[0] < widest:
        told.append(f"row {rows[0][0]} is a title and not read.")
        rows, filled = rows[1:], filled[1:]
    if len(rows) > 2 and _is_units(rows[0][1], rows[1][1]):
        number, units = rows.pop(1)
        rows[0] = (
            rows[0][0],
            [_with_unit(name, unit) for name, unit in zip(rows[0][1], _padded(units, rows[0][1]), strict=True)],
        )
        told.append(f"row {number} holds the units of the columns.")
    last: list[str] = []
    while len(rows) - len(last) > 2 and (word := _summary(rows[-1 - len(last)][1])) is not None:
        last.append(word)
    # Max is a first name, too.
    if any(word.lower() != "max" for word in last):
        told += [
            f"row {number} is not a patient ({word}) and not read."
            for (number, _), word in zip(rows[-len(last) :], last[::-1], strict=True)
        ]
        rows = rows[: -len(last)]
    return rows, told + _take_units_from_cells(rows) + _words_for_nothing(rows)


def _words_for_nothing(rows: list[Row]) -> list[str]:
    """Return a sentence on each column in which words stand for absent values."""
    told = []
    for column, name in enumerate(rows[0][1] if rows else ()):
        cells = [cells[column] for _, cells in rows[1:] if column < len(cells)]
        words = [cell.strip() for cell in cells if is_word_for_nothing(cell)]
        if words and _filled(name):
            listed = ", ".join(map(repr, sorted(set(words))))
            told.append(f"column {str(name)!r}: {len(words)} cells hold {listed} and count as not known.")
    return told


def _take_units_from_cells(rows: list[Row]) -> list[str]:
    """Leave out units beside numbers where they are those of the header, or all the same and the header names none."""
    told = []
    for column in range(len(rows[0][1]) if rows else 0):
        name = rows[0][1][column]
        split = {k: found for k in range(1, len(rows)) if (found := _number_and_unit(rows[k][1], column)) is not None}
        if not split or not _filled(name):
            continue
        units = {unit for _, unit in split.values()}
        if (
            find_analyte(str(name)) is not None
            and split_unit(str(name))[1] is None
            and len(units) == 1
            and _unit(*units)
        ):
            rows[0][1][column] = name = _with_unit(name, *units)
        taken = {k: number for k, (number, unit) in split.items() if _same_unit(str(name), unit)}
        for k, number in taken.items():
            rows[k][1][column] = number
        if taken:
            told.append(f"column {str(name)!r}: {len(taken)} cells hold the unit beside the number.")
    return told


def _number_and_unit(cells: list[Any], column: int) -> tuple[str, str] | None:
    cell = cells[column] if column < len(cells) else None
    found = _NUMBER_AND_WORDS.fullmatch(cell.strip()) if isinstance(cell, str) else None
    return None if found is None or parse_number(cell) is not None else (found[1], found[2])


def _same_unit(name: str, unit: str) -> bool:
    """Return whether words beside a number are in the header, or mean the same as its unit."""
    words = set(name_tokens(unit))
    if words and words <= set(name_tokens(name)):
        return True
    analyte = find_analyte(name)
    if analyte is None or split_unit(name)[1] is None or not _unit(unit):
        return False
    # Not a number where a unit is not known, which equals nothing.
    return unit_factor(f"{analyte.name} {_PER_MICROLITRE.sub(' per ul', unit)}") == unit_factor(name)


def _filled(cell: Any) -> bool:
    return cell is not None and cell == cell and not (isinstance(cell, str) and not cell.strip())


def _padded(cells: list[Any], header: list[Any]) -> list[Any]:
    return [*cells, *[None] * len(header)][: len(header)]


def _is_units(header: list[Any], cells: list[Any]) -> bool:
    """Return whether a row holds units and nothing else: no number, and a unit for most of the analytes."""
    if any(map(_filled, cells[len(header) :])):
        return False
    pairs = [(str(name), cell) for name, cell in zip(header, _padded(cells, header), strict=True) if _filled(name)]
    if any(_filled(cell) and (not isinstance(cell, str) or parse_number(cell) is not None) for _, cell in pairs):
        return False
    first = pairs[0][1] if pairs else None
    if _filled(first) and not set(name_tokens(str(first))) <= _UNIT_WORDS:
        return False
    analytes = [cell for name, cell in pairs if find_analyte(name) is not None and _filled(cell)]
    known = [cell for cell in analytes if _unit(cell)]
    return bool(known) and 2 * len(known) > len(analytes)


def _unit(cell: str) -> bool:
    words, unit = split_unit(f"x {_PER_MICROLITRE.sub(' per ul', cell)}")
    return unit is not None and words == ("x",)


def _with_unit(name: Any, unit: Any) -> Any:
    """Return a header with its unit, unless it states one."""
    if not _filled(name) or not _filled(unit):
        return name
    bare = str(unit).strip("[]() ")
    if not bare or set(name_tokens(bare)) <= {*name_tokens(str(name)), *_UNIT_WORDS}:
        return name
    return f"{name} [{bare}]"


def _summary(cells: list[Any]) -> str | None:
    """Return the word that makes a row a summary: its first cell, which is where a patient's identifier would stand."""
    first = next((cell for cell in cells if _filled(cell)), None)
    return first.strip() if isinstance(first, str) and sums_up(first, abbreviated=True) else None


def sums_up(text: str, *, abbreviated: bool = False) -> bool:
    """Return whether the first cell of a row says that the row sums up patients.

    Parameters
    ----------
    text : str
    abbreviated : bool, default=False
        Whether abbreviations count, too, which may be a patient's initials: only below the last patient of a sheet.

    Examples
    --------
    >>> [sums_up(text) for text in ("Mittelwert:", "Grand total", "Max", "TOTAL-001", "P1")]
    [True, True, False, False, False]
    >>> [sums_up(text, abbreviated=True) for text in ("Max", "MW (n = 12)", "Quartil 3", "TOTAL-001")]
    [True, True, True, False]
    """
    words = name_tokens(text)
    if " ".join(words) in _SUMMARIES:
        return True
    known = _SUMMARIES | _ABBREVIATED
    if not abbreviated or not words or words[0] not in known:
        return False
    # A trial may be called so: TOTAL-001 is a patient.
    numbered = "n" in words or words[0].startswith("quartil")
    return all(word in known | _BESIDE or (numbered and word.isdigit()) for word in words)
