"""DICOM dates and times, as datetimes of the place where the scanner stood."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from prrt_estimators.dicom._elements import text

#: Day of headers whose dates were all removed; only differences count.
NO_DAY = date(1900, 1, 1)
FIRST_DAY = date(1970, 1, 2)
#: Dates, also with the separators of older standards, and with a time behind them where a system put both together.
_DATE = re.compile(r"(\d{4})([.-]?)(\d{2})\2(\d{2})(?:[T ].*)?$")
_TIME = re.compile(r"(?:\d{4}-?\d{2}-?\d{2}[T ]?)?(\d{2}):?(\d{2})?:?(\d{2}(?:[.,]\d*)?)?$")
#: A time of an odd number of digits lost its leading zero when a program took it for a number.
_LOST_ZERO = re.compile(r"(?:\d|\d{3}|\d{5})(?:\.\d*)?$|\d:\d{2}(?::\d{2}(?:\.\d*)?)?$")
_MOMENT = re.compile(
    r"(\d{8}|\d{4}-\d{2}-\d{2})[T ]?(\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d*)?)?)?)?\s*([+-]\d{2}:?\d{2}|Z)?$"
)
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})$")
#: Elements whose own offset from UTC counts as the scanner's where the header tells none.
_OWN_OFFSETS = ("DecayCorrectionDateTime", "FrameReferenceDateTime", "AcquisitionDateTime")


def at(day: date, time: timedelta) -> datetime:
    """Return the moment so long after midnight of a day."""
    return datetime(day.year, day.month, day.day) + time


def read_date(value: str) -> date | None:
    """Return a DICOM date, None where the text is none.

    Examples
    --------
    >>> read_date("20240229"), read_date("20230229")
    (datetime.date(2024, 2, 29), None)
    """
    match = _DATE.match(value)
    try:
        return date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        return None


def read_time(value: str) -> timedelta | None:
    """Return a DICOM time as the time since midnight, None where the text is none.

    Examples
    --------
    >>> read_time("0915"), read_time("09:15:30.5")
    (datetime.timedelta(seconds=33300), datetime.timedelta(seconds=33330, microseconds=500000))

    A leading zero that was lost is put back:

    >>> str(read_time("90000"))
    '9:00:00'
    """
    match = _TIME.match(f"0{value}" if _LOST_ZERO.match(value) else value)
    if not match:
        return None
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in match.groups())
    if hours >= 24 or minutes >= 60 or seconds > 60:
        return None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def read_moment(value: str) -> tuple[date | None, timedelta | None, timedelta | None]:
    """Return day, time and offset from UTC of a DICOM date and time, each None where it is not told.

    Examples
    --------
    >>> day, time, offset = read_moment("20240105103000+0100")
    >>> str(day), str(time), str(offset)
    ('2024-01-05', '10:30:00', '1:00:00')
    >>> read_moment("2024-01-05T10:30:00+01:00") == (day, time, offset)
    True
    """
    match = _MOMENT.match(value)
    if not match:
        return None, None, None
    return read_date(match[1]), read_time(match[2]) if match[2] else None, read_offset(match[3] or "")


def read_offset(value: str) -> timedelta | None:
    """Return an offset from UTC, None where the text is none."""
    if value == "Z":
        return timedelta(0)
    match = _OFFSET.match(value)
    if not match:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -offset if match[1] == "-" else offset


def told_time(header: Any, keyword: str) -> timedelta | None:
    """Return a time, None where it is missing, cannot be read or is 000000, which programs write in place of a time."""
    return read_time(text(header, keyword)) or None


def state_of(header: Any, keyword: str) -> str:
    """Say in a word why an element gives no time: "missing", "not readable as a time" or "000000"."""
    written = text(header, keyword)
    if not written:
        return "missing"
    time = read_moment(written)[1] if keyword.endswith("DateTime") else read_time(written)
    return "not readable as a time" if time is None else "000000"


def local_moment(header: Any, keyword: str, item: Any = None) -> datetime | None:
    """Return a date and time as the scanner's clocks showed it, None where day or time is not told or is 000000.

    Parameters
    ----------
    header : pydicom dataset
        Of a slice, which may tell the scanner's offset from UTC.
    keyword : str
    item : pydicom dataset, default=None
        Of a sequence, where the element lies in one.

    Returns
    -------
    datetime or None
    """
    day, time, offset = read_moment(text(header if item is None else item, keyword))
    if day is None or not time:
        return None
    moment = at(day, time)
    if offset is not None:
        here = offset_here(header)
        if here is not None:
            moment += here - offset
    return moment


def series_start(header: Any) -> datetime | None:
    """Return the series time, None where it is not told."""
    time = told_time(header, "SeriesTime")
    if time is None:
        return None
    days = [read_date(text(header, keyword)) for keyword in ("SeriesDate", "StudyDate", "AcquisitionDate")]
    told = [day for day in days if day is not None]
    # A day before there was any PET stands in place of one that was removed.
    return at(next((day for day in told if day >= FIRST_DAY), told[0] if told else NO_DAY), time)


def acquired(header: Any) -> datetime | None:
    """Return when the acquisition of a slice began, None where it is not told."""
    time = told_time(header, "AcquisitionTime")
    if time is None:
        return local_moment(header, "AcquisitionDateTime")
    day = read_date(text(header, "AcquisitionDate"))
    if day is not None:
        return at(day, time)
    series = series_start(header)
    if series is None:
        return at(NO_DAY, time)
    # Without a date of its own a slice belongs to the day on which it lies nearer to the series.
    moment = at(series.date(), time)
    if series - moment > timedelta(hours=12):
        return moment + timedelta(days=1)
    return moment


def offset_here(header: Any) -> timedelta | None:
    """Return the scanner's offset from UTC, None where the header does not tell it."""
    here = read_offset(text(header, "TimezoneOffsetFromUTC"))
    for keyword in _OWN_OFFSETS:
        if here is not None:
            break
        here = read_moment(text(header, keyword))[2]
    return here
