"""What a caller of `load_cohort` asked for, checked for kind."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from prrt_estimators._arguments import keyword, parameter
from prrt_estimators._modalities import IMAGING
from prrt_estimators._text import plain_text
from prrt_estimators.exceptions import Problem

AUTO = "auto"

#: Words for `target` that ask for times in place of a class.
TIMES = ("survival", "time")

#: Months in one unit of time; a year has 365.25 days and 12 months.
MONTHS = {"days": 12 / 365.25, "weeks": 84 / 365.25, "months": 1.0, "years": 12.0}


#: Days and weeks of a year without a leap day.
_YEAR = {"days": 365.0, "weeks": 52.0}
_ROUNDING = 0.01  # months: what two decimals and a year of 365 days take away from whole months


def to_months(time: np.ndarray, unit: str) -> np.ndarray:
    """Return times in months; 365 days, 52 weeks and 11.99 months, a year from date to date, are 12.

    Examples
    --------
    >>> to_months(np.array([365.0, 366.0, 182.0, 364.0]), "days").round(2), to_months(np.array([52.0, 26.0]), "weeks")
    (array([12.  , 12.02,  6.  , 11.96]), array([12.,  6.]))
    """
    months = np.asarray(time, dtype=np.float64) * MONTHS[unit]
    whole = np.ceil(months)
    if unit in _YEAR:
        least = whole * _YEAR[unit] / 12
        reached = time >= (np.floor(least) if unit == "days" else least)
    else:
        reached = months >= whole - _ROUNDING
    return np.where(reached & (whole > months), whole, months)


@dataclass(frozen=True)
class Options:
    """Arguments of `load_cohort` that say what the columns are and how the target is made."""

    scans: str | Mapping[str, str | None] | None = AUTO
    lab: str | Sequence[str] | None = AUTO
    mask: str | Sequence[str] | Mapping[str, str] | None = AUTO
    patient_id: str | None = AUTO
    time: str | None = AUTO
    event: str | tuple[str, Any] | None = AUTO
    target: str | tuple[str, Any] | None = AUTO
    time_unit: str = AUTO
    horizon: float = 12.0
    censored: str = "drop"
    allow_after_therapy: Sequence[str] = ()
    sheet: int | str = 0
    root: str | os.PathLike[str] | None = None
    group: str | None = None
    centre: str | None = None
    as_times: str = ""  # the word by which times were asked for
    blocks: str | Mapping[str, Sequence[str]] | None = AUTO
    event_codes: frozenset[str] | None = None
    target_codes: frozenset[str] | None = None
    competing: str | tuple[str, Any] | None = None
    competing_as: str = "event"
    competing_codes: frozenset[str] | None = None

    def _take_codes(self) -> None:
        """Split the pairs of a column and the values that mean progression or long PFS."""
        for name in ("event", "target", "competing"):
            pair = getattr(self, name)
            if isinstance(pair, (tuple, list)):
                column, codes = _coded(name, pair)
                object.__setattr__(self, name, column)
                object.__setattr__(self, f"{name}_codes", codes)

    def __post_init__(self) -> None:
        self._take_codes()
        if self.scans not in (AUTO, None) and not isinstance(self.scans, Mapping):
            raise TypeError(
                f"{parameter('scans')} must be 'auto', None or a mapping modality -> column; got {self.scans!r}. Pass e.g. "
                f"{{{IMAGING[0]!r}: 'scan_file'}}."
            )
        for name, column in self.scans.items() if isinstance(self.scans, Mapping) else ():
            if name not in IMAGING:
                raise ValueError(
                    f"{parameter('scans')} names {name!r}, which is not a scan; the scans are {', '.join(IMAGING)}."
                )
            if column is not None and not isinstance(column, str):
                raise TypeError(
                    f"{parameter('scans')} must map to column names, 'auto' or None; got {column!r} for {name!r}."
                )
        for name in ("patient_id", "time", "event", "target", "group", "centre", "competing"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{parameter(name)} must be a column name, 'auto' or None; got {value!r}.")
        for name in ("lab", "allow_after_therapy"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) or _is_name_list(value)):
                raise TypeError(f"{parameter(name)} must be column names; got {value!r}. Pass e.g. ['cga', 'ggt'].")
        if self.blocks not in (AUTO, None) and not (
            isinstance(self.blocks, Mapping) and all(_is_name_list(names) for names in self.blocks.values())
        ):
            raise TypeError(
                f"{parameter('blocks')} must be 'auto', None or a mapping name -> columns; got {self.blocks!r}. Pass e.g. "
                "{'radiomics': ['morph_volume', 'stat_mean']}."
            )
        if self.mask is not None and not isinstance(self.mask, (str, Mapping)) and not _is_name_list(self.mask):
            raise TypeError(
                f"{parameter('mask')} must be a column name, several, or a dict name -> column; got {self.mask!r}."
            )
        if isinstance(self.horizon, bool) or not isinstance(self.horizon, numbers.Real):
            raise TypeError(
                f"{parameter('horizon')} must be a positive number of months; got {self.horizon!r}. Pass e.g. 12."
            )
        if self.time_unit not in (AUTO, *MONTHS):
            raise ValueError(
                f"{parameter('time_unit')} must be 'auto' or one of {', '.join(MONTHS)}; got {self.time_unit!r}."
            )
        if self.competing_as not in ("event", "censored"):
            raise ValueError(f"{parameter('competing_as')} must be 'event' or 'censored'; got {self.competing_as!r}.")
        if self.censored not in ("drop", "weight"):
            raise ValueError(f"{parameter('censored')} must be 'drop' or 'weight'; got {self.censored!r}.")

    def scan(self, modality: str) -> str | None:
        """Return the column of a scan, "auto" if it is to be found, None if there is to be none."""
        return self.scans.get(modality, AUTO) if isinstance(self.scans, Mapping) else self.scans

    @property
    def folder(self) -> Path | None:
        """`root` as a path."""
        return None if self.root is None else Path(self.root)

    @property
    def allowed(self) -> tuple[str, ...]:
        """`allow_after_therapy` as a tuple."""
        return as_names(self.allow_after_therapy)

    def resolved(self) -> Options:
        """Return the options with `target` a column or None, where it asks for times."""
        return replace(self, target=None, as_times=str(self.target)) if self.target in TIMES else self

    def problems(self) -> list[Problem]:
        """Return what is wrong with the values, to be listed with the table's problems."""
        found = []
        if not (math.isfinite(self.horizon) and self.horizon > 0):
            what = f"{parameter('horizon')} must be a positive number of months; got {self.horizon:g}"
            found.append(Problem(what, f"pass e.g. {keyword('horizon', 12)}"))
        if self.folder is not None and not self.folder.is_dir():
            found.append(
                Problem(f"{parameter('root')} is not a folder", f"correct {keyword('root')}", file=str(self.folder))
            )
        return found


class ModelColumns(list):
    """Names of the columns that a model was fitted on, which are taken as they are."""


def code_of(cell: Any) -> str:
    """Return a cell as codes are compared: 1, 1.0 and "1" are one.

    Examples
    --------
    >>> code_of(1.0), code_of(" Ja "), code_of(True)
    ('1', 'ja', 'true')
    """
    return (plain_text(cell) if isinstance(cell, str) else str(cell)).lower().removesuffix(".0")


def _coded(name: str, value: Sequence[Any]) -> tuple[str, frozenset[str]]:
    if len(value) != 2 or not isinstance(value[0], str):
        raise TypeError(
            f"{parameter(name)} must be a column name or a pair (column, code); got {value!r}. Pass e.g. "
            f"{keyword(name, ('status', 2))}."
        )
    codes = value[1] if isinstance(value[1], (list, tuple, set, frozenset)) else [value[1]]
    return value[0], frozenset(map(code_of, codes))


def as_names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _is_name_list(value: Any) -> bool:
    return (
        not isinstance(value, (Mapping, str)) and hasattr(value, "__iter__") and all(isinstance(v, str) for v in value)
    )
