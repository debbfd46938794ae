"""Dates, which are read to become intervals and are never passed on."""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from prrt_estimators._date_forms import day_of_number, has_date, read_named_month

_LONGEST_DATE = 24
_ISO = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?$")
_PACKED = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_LOCAL = re.compile(r"^(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4}|\d{2})(?:[T ].*)?$")


def looks_like_date(cell: Any) -> bool:
    """Tell whether a cell holds a date, as the spreadsheet's own or as text.

    Examples
    --------
    >>> [looks_like_date(cell) for cell in ("12.03.2019", "2019-03-12", "3,5", 43000)]
    [True, True, False, False]
    """
    if isinstance(cell, (datetime.date, datetime.datetime)):
        return True
    if not isinstance(cell, str):
        return False
    # A date is what the cell is there for where little else stands in it.
    return bool(_ISO.match(cell) or _LOCAL.match(cell)) or (len(cell) <= _LONGEST_DATE and has_date(cell))


def read_dates(cells: pd.Series) -> list[datetime.date | None]:
    """Return the date in each cell, None where there is none that is certain.

    Points mean day first. With ``/`` or ``-`` the order follows from a cell of the column that allows one order only;
    in a column where every cell allows both, those that differ are not read.

    Examples
    --------
    >>> [str(d) for d in read_dates(pd.Series(["12.03.2019", "2019-03-12", "03/04/2019", "n/a"], dtype=object))]
    ['2019-03-12', '2019-03-12', 'None', 'None']
    >>> [str(d) for d in read_dates(pd.Series(["03/04/2019", "03/25/2019"], dtype=object))]
    ['2019-03-04', '2019-03-25']
    """
    slashed = [m for cell in cells if isinstance(cell, str) and (m := _LOCAL.match(cell)) and m[2] != "."]
    day_first = any(int(m[1]) > 12 for m in slashed)
    month_first = any(int(m[3]) > 12 for m in slashed)
    order = "day" if day_first and not month_first else "month" if month_first and not day_first else ""
    return [_date(cell, order) for cell in cells]


def _date(cell: Any, order: str) -> datetime.date | None:
    if isinstance(cell, datetime.datetime):
        return cell.date()
    if isinstance(cell, datetime.date):
        return cell
    text = str(cell) if isinstance(cell, (str, int)) and not isinstance(cell, bool) else ""
    named = read_named_month(text) if len(text) <= _LONGEST_DATE else None
    if named is not None:
        return named
    found = _ISO.match(text) or _PACKED.match(text)
    if found:
        return _real(int(found[1]), int(found[2]), int(found[3]))
    found = _LOCAL.match(text)
    if not found:
        return day_of_number(cell)
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    if len(found[4]) == 2:
        year += 2000 if year < 70 else 1900
    if found[2] == "." or order == "day" or first == second:
        return _real(year, second, first)
    return _real(year, first, second) if order == "month" else None


def months_between(begin: datetime.date, end: datetime.date) -> float:
    """Return whole months from date to date and the part of the next one, so that a year is 12 in every year.

    Examples
    --------
    >>> from datetime import date
    >>> months_between(date(2019, 3, 1), date(2020, 3, 1)), months_between(date(2020, 1, 31), date(2020, 2, 29))
    (12.0, 1.0)
    """
    whole = (end.year - begin.year) * 12 + end.month - begin.month
    whole -= _months_later(begin, whole) > end
    last, following = _months_later(begin, whole), _months_later(begin, whole + 1)
    return round(whole + (end - last).days / (following - last).days, 2)


def _months_later(day: datetime.date, months: int) -> datetime.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(day.day, last))


def _real(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day) if 1900 <= year <= 2100 else None
    except ValueError:
        return None


@dataclass
class Outcomes:
    """Months from the start of therapy, whether progression or death was seen, and what is in doubt.

    Attributes
    ----------
    months, event : dict of str to float, bool
        By patient; absent where the dates do not say.
    notes : dict of str to str
        Why there is no outcome.
    wrong : dict of str to str
        Dates that cannot be: the patient is left out.
    """

    months: dict[str, float] = field(default_factory=dict)
    event: dict[str, bool] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def outcomes(
    start: Mapping[str, datetime.date],
    progression: Mapping[str, datetime.date],
    last_contact: Mapping[str, datetime.date],
    death: Mapping[str, datetime.date],
    patients: list[str],
    today: datetime.date | None = None,
) -> Outcomes:
    """Turn dates into time and event: the earlier of progression and death, else censored at the last contact.

    Dates that contradict each other, or lie in the future, leave the patient out: progression or the last contact after
    death, and anything before the start of therapy.

    Examples
    --------
    >>> from datetime import date
    >>> start = {name: date(2020, 1, 1) for name in "abc"}
    >>> found = outcomes(start, {"a": date(2020, 7, 1)}, {"b": date(2021, 1, 1)}, {}, list("abc"))
    >>> found.months, found.event, found.notes
    ({'a': 6.0, 'b': 12.0}, {'a': True, 'b': False}, {'c': 'no date of progression or last contact'})
    """
    found = Outcomes()
    named = {
        "the start of therapy": start, "progression": progression, "the last contact": last_contact, "death": death
    }  # fmt: skip
    today = today or datetime.date.today()
    for name in patients:
        dates = {what: days[name] for what, days in named.items() if name in days}
        doubt = _contradiction(dates, today)
        if doubt:
            found.wrong[name] = doubt
            continue
        begin = start.get(name)
        if begin is None:
            found.notes[name] = "no date of the start of therapy"
            continue
        ends = [day for days in (progression, death) if (day := days.get(name)) is not None]
        end = min(ends) if ends else last_contact.get(name)
        if end is None:
            found.notes[name] = "no date of progression or last contact"
        elif end < begin:
            kind = "progression or death" if ends else "the last contact"
            found.wrong[name] = f"{kind} is {(begin - end).days} days before the start of therapy"
        else:
            found.months[name] = months_between(begin, end)
            found.event[name] = bool(ends)
    return found


def _contradiction(dates: Mapping[str, datetime.date], today: datetime.date) -> str:
    """Return what cannot be of one patient's dates; empty if nothing."""
    future = [what for what, day in dates.items() if day > today]
    if future:
        return f"{future[0]} is {(dates[future[0]] - today).days} days in the future"
    death = dates.get("death")
    for what in ("progression", "the last contact"):
        if death is not None and what in dates and dates[what] > death:
            return f"{what} is {(dates[what] - death).days} days after death"
    return ""
