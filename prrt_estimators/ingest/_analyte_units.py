"""Values of analytes: units in headers, in a row of their own or in the cell, and what follows from the values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._analytes import (
    OVER_LIMIT,
    Analyte,
    find_analyte,
    name_tokens,
    over_limit_name,
    split_unit,
    unit_factor,
)
from prrt_estimators._values import is_error_cell, parse_number, read_numbers

_WITH_UNIT = re.compile(r"^((?:[<>]=?|≤|≥)?\s*[\d.,' ]*\d)\s*([^\d\s.,].*)$")
_PER_MICROLITRE = re.compile(r"/\s*[uµμ]l\b", re.I)
_MIN_TO_JUDGE = 3


def output_name(analyte: Analyte, unit: str | None = None) -> str:
    """Return the column name of an analyte in the cohort table, unit included.

    Parameters
    ----------
    analyte : Analyte
    unit : str or None, default=None
        As the header states it: multiples of the upper limit of normal stay what they are.

    Examples
    --------
    >>> from prrt_estimators._analytes import ANALYTES
    >>> [output_name(one) for one in ANALYTES[:2]], output_name(ANALYTES[0], "x ULN")
    (['cga_ug_l', 'ggt_u_l'], 'cga_over_uln')
    """
    if _relative(unit):
        return over_limit_name(analyte)
    return "_".join([analyte.name, *name_tokens(analyte.unit)])


def spelled_out(text: str) -> str:
    """Return a name or unit with ``/µl`` as words, which without its slash would be a volume.

    Examples
    --------
    >>> spelled_out("Leukozyten [/µl]")
    'Leukozyten [ per ul]'
    """
    return _PER_MICROLITRE.sub(" per ul", text)


def _relative(unit: str | None) -> bool:
    """Return whether a unit as written is multiples of the upper limit of normal."""
    return unit is not None and split_unit(f"x {unit}")[1] == OVER_LIMIT


def _factor(analyte: Analyte, unit: str, relative: bool) -> float:
    """Return the factor from a unit as written; NaN where it is not known or cannot be converted."""
    if relative:
        return 1.0 if _relative(unit) and analyte.upper_limit() is not None else float("nan")
    unit = spelled_out(unit)
    known = split_unit(f"x {unit}")
    if known[1] is None or known[0] != ("x",):
        return float("nan")
    return unit_factor(f"{analyte.name} {unit}")


def take_unit_row(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Split off a first row that holds the units of the columns.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [None, "7"], "CgA": ["ng/ml", "95"], "Hb": ["g/l", "130"]}, dtype=object)
    >>> rest, units = take_unit_row(frame)
    >>> len(rest), units
    (1, {'CgA': 'ng/ml', 'Hb': 'g/l'})
    """
    if len(frame) < 2:
        return frame, {}
    first = frame.iloc[0]
    analytes = [name for name in frame.columns if find_analyte(name) is not None and first[name] is not None]
    units = {
        name: str(first[name]).strip("[]() ")
        for name in analytes
        if isinstance(first[name], str) and split_unit(spelled_out(f"x {first[name]}"))[1] is not None and parse_number(first[name]) is None
        and not _WITH_UNIT.match(first[name])
    }  # fmt: skip
    if not units or len(units) * 2 <= len(analytes):
        return frame, {}
    return frame.iloc[1:].reset_index(drop=True), units


def read_analyte(
    cells: pd.Series, analyte: Analyte, unit: str | None, commas: bool = False
) -> tuple[list[float | None], dict[Any, str], int, str]:
    """Return values in the analyte's unit, doubtful cells by index, cells at a limit, and what is wrong with all.

    Parameters
    ----------
    cells : Series
    analyte : Analyte
    unit : str or None
        As the header states it; ``"?"`` for one that is not known. Multiples of the upper limit of normal are not
        converted, nor is any cell among them.
    commas : bool, default=False
        Whether the table writes decimal commas.

    Examples
    --------
    >>> from prrt_estimators._analytes import find_analyte
    >>> cells = pd.Series(["88,4", "<20", "1,2 mg/dl", "1,234", "5 furlongs"], dtype=object)
    >>> values, doubts, limits, problem = read_analyte(cells, find_analyte("Kreatinin"), "umol/L")
    >>> [None if v is None else round(v, 3) for v in values], limits, problem
    ([1.0, 0.113, 1.2, None, None], 1, '')
    >>> doubts
    {3: 'a number that can be read in two ways', 4: 'a unit that is not known'}
    """
    relative = _relative(unit)
    factor = 1.0 if unit is None else _factor(analyte, unit, relative)
    if factor != factor:
        return [], {}, 0, "the unit is not known or cannot be converted"
    values: list[float | None] = []
    doubts: dict[Any, str] = {}
    bare, factors, texts = [], [], []
    for cell in cells:
        own = factor
        if isinstance(cell, str):
            cell = cell.removesuffix("%").rstrip() if unit == "%" else cell
            within = _WITH_UNIT.match(cell)
            if within and parse_number(cell) is None:
                cell, own = within[1], _factor(analyte, within[2], relative)
        factors.append(own)
        texts.append(cell)
    read = read_numbers(pd.Series(texts, dtype=object), commas)
    limits = 0
    for k, key in enumerate(cells.index):
        number, own = float(read.values[k]), factors[k]
        doubt = ""
        if is_error_cell(texts[k]):
            doubt = "a spreadsheet's error, or a formula without a value"
        elif read.text[k]:
            doubt = "text where a number is expected"
        elif own != own:
            doubt = "a unit that is not known"
        elif read.ambiguous[k]:
            doubt = "a number that can be read in two ways"
        elif number < 0 or np.isinf(number):
            doubt = "a number that cannot be"
        elif not relative and analyte.lln_male is not None and number * own < analyte.lln_male / 100:
            doubt = "a number too small for its unit"
        if doubt or number != number:
            if doubt:
                doubts[key] = doubt
            values.append(None)
            continue
        limits += int(read.limited[k])
        values.append(float(f"{number * own:.6g}"))
        if unit is None and own is factor:
            bare.append(number)
    return values, doubts, limits, _mistaken_unit(bare, analyte)


def _mistaken_unit(bare: list[float], analyte: Analyte) -> str:
    """Say so where no unit is stated and the values fit another unit far better: nobody has a creatinine of 80 mg/dL."""
    if len(bare) < _MIN_TO_JUDGE or analyte.upper_limit() is None:
        return ""
    median = float(np.median(bare))
    if _fits(median, analyte):
        return ""
    for unit, factor in analyte.conversions.items():
        if factor != 1.0 and _fits(median * factor, analyte):
            return f"no unit is stated, and the values are not in {analyte.unit} but look like {unit}; state the unit"
    return ""


def _fits(median: float, analyte: Analyte) -> bool:
    upper = analyte.upper_limit() or np.inf
    lower = upper / 10 if analyte.lln_male is None else analyte.lln_male
    return lower / 5 <= median <= upper * 5


def derive(frame: pd.DataFrame, panel: Mapping[str, Analyte]) -> Iterator[tuple[str, list[float | None], str]]:
    """Give ratios of the analytes that are there: De Ritis, neutrophils/lymphocytes, CRP/albumin, value/ULN.

    A value/ULN that the table holds already stays, as its laboratory knows its own limits.

    Examples
    --------
    >>> from prrt_estimators._analytes import ANALYTES
    >>> table = pd.DataFrame({"ast_u_l": [70.0], "alt_u_l": [35.0], "sex": ["F"]})
    >>> {name: values[0] for name, values, _ in derive(table, {one.name: one for one in ANALYTES})}
    {'de_ritis_ratio': 2.0, 'ast_over_uln': 2.0, 'alt_over_uln': 1.0}
    """
    column = {name: output_name(one) for name, one in panel.items()}
    for name, above, below, why in (
        ("de_ritis_ratio", "ast", "alt", "AST / ALT"),
        ("neutrophil_lymphocyte_ratio", "neutrophils", "lymphocytes", "neutrophils / lymphocytes"),
        ("crp_albumin_ratio", "crp", "albumin", "CRP / albumin"),
    ):
        if column[above] in frame and column[below] in frame and name not in frame:
            yield name, _divide(frame[column[above]], frame[column[below]]), why
    sexes = [{"M": "male", "F": "female"}.get(sex) for sex in frame["sex"]] if "sex" in frame else [None] * len(frame)
    for analyte in panel.values():
        name = over_limit_name(analyte)
        known = column[analyte.name] in frame and name not in frame
        if known and analyte.uln_male is not None and analyte.log and analyte.unit != "/nL":
            limits = pd.Series([analyte.upper_limit(sex) for sex in sexes], index=frame.index)
            yield name, _divide(frame[column[analyte.name]], limits), f"{analyte.title} / ULN"


def _divide(above: pd.Series, below: pd.Series) -> list[float | None]:
    ratio = pd.to_numeric(above) / pd.to_numeric(below).where(lambda values: values > 0)
    return [None if value != value else float(f"{value:.6g}") for value in ratio]
