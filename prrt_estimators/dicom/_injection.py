"""When the radiopharmaceutical was injected, from two elements that may lack, repeat or contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from prrt_estimators.dicom._datetimes import at, offset_here, read_moment, state_of, told_time
from prrt_estimators.dicom._elements import label, text
from prrt_estimators.exceptions import SUVError

_MOMENT, _TIME = "RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime"
_DAY = timedelta(days=1)
#: Two ways to write one time differ by less.
_SAME = timedelta(seconds=60)
#: Clocks of the world differ from UTC by whole quarters of an hour, from -12 to +14 hours.
_QUARTER, _WEST, _EAST = timedelta(minutes=15), timedelta(hours=-12), timedelta(hours=14)


@dataclass(frozen=True)
class ToldInjection:
    """What the header tells of the injection, by the scanner's clock.

    Attributes
    ----------
    day : date or None
    time : timedelta or None
        Since midnight.
    keyword : str
        The element that the time is from.
    remarks : tuple of str
    placeholder : bool
        Whether the date stands beside 000000, as programs write it that remove dates.
    """

    day: date | None
    time: timedelta | None
    keyword: str
    remarks: tuple[str, ...] = ()
    placeholder: bool = False


def told_injection(header: Any, item: Any) -> ToldInjection:
    """Return day and time of the injection.

    Parameters
    ----------
    header : pydicom dataset
        Of a slice, which may tell the scanner's offset from UTC.
    item : pydicom dataset
        Of the radiopharmaceutical information sequence.

    Raises
    ------
    SUVError
        If date-time and time contradict each other, or a date-time is in UTC and the scanner's offset is not known.
    """
    clock = told_time(item, _TIME)
    day, time, offset = read_moment(text(item, _MOMENT))
    if not time:
        unreadable = text(item, _MOMENT) and day is None
        unread = (f"{label(_MOMENT)} is {state_of(item, _MOMENT)}; {label(_TIME)} is used",) if unreadable else ()
        return ToldInjection(day, clock, _TIME, unread if clock is not None else (), placeholder=True)
    remarks: tuple[str, ...] = ()
    if day is not None and offset is not None:
        here = offset_here(header)
        shift = here - offset if here is not None else None
        if shift is None and clock is not None:
            shift = _shift(time, clock, offset)
        elif shift is None:
            shift, remarks = _own_offset(offset)
        if shift is not None:
            local = at(day, time) + shift
            day, time = local.date(), local - at(local.date(), timedelta(0))
    if clock is not None and not _same(time, clock):
        raise SUVError(
            f"{label(_MOMENT)} and {label(_TIME)} contradict each other: they lie {_apart(time, clock)} apart. Correct the "
            "one that is wrong, or remove it."
        )
    return ToldInjection(day, time, _MOMENT, remarks)


def _shift(time: timedelta, clock: timedelta, offset: timedelta) -> timedelta | None:
    """Return what brings a time with an offset to the scanner's clock, where the other element shows that clock."""
    if _same(time, clock):
        return timedelta(0)
    for days in (-1, 0, 1):
        shift = clock - time + days * _DAY
        quarters = round(shift / _QUARTER)
        if abs(shift - quarters * _QUARTER) < timedelta(seconds=1) and _WEST <= offset + quarters * _QUARTER <= _EAST:
            return quarters * _QUARTER
    return None


def _own_offset(offset: timedelta) -> tuple[timedelta, tuple[str, ...]]:
    """Take a date-time for local, where it alone has an offset; one in UTC may be of any place."""
    if not offset:
        raise SUVError(
            f"{label(_MOMENT)} is in UTC and nothing tells the scanner's offset from it. Add TimezoneOffsetFromUTC "
            f"(0008,0201) or {label(_TIME)} to the header."
        )
    return timedelta(0), (
        f"{label(_MOMENT)} has an offset from UTC and no other time has one; it is taken as the scanner's",
    )


def _same(one: timedelta, other: timedelta) -> bool:
    apart = abs(one - other)
    return min(apart, _DAY - apart) < _SAME


def _apart(one: timedelta, other: timedelta) -> str:
    apart = abs(one - other)
    return f"{min(apart, _DAY - apart).total_seconds() / 60:.0f} min"
