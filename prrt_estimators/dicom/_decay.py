"""When the activity was measured and when it was injected, from the elements in which scanners write it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from prrt_estimators.dicom._elements import label, number, private, text
from prrt_estimators.exceptions import SUVError

_DAY = timedelta(days=1)
_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})$")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2}(?:\.\d*)?)?$")
_MOMENT = re.compile(r"(\d{8})(\d{2}(?:\d{2}(?:\d{2}(?:\.\d*)?)?)?)?(?:[+-]\d{4})?$")
#: Day of headers whose dates were all removed; only differences count.
_NO_DAY = date(1900, 1, 1)
#: Dates this far apart cannot belong to one examination: one of them was changed when the files were made anonymous.
_OTHER_DATES = timedelta(days=2)
#: Scan starts of the slices of one series that differ by more than this are remarked on.
_SAME_START_S = 30.0


class NegativeUptake(SUVError):
    """The injection lies after the scan."""


@dataclass(frozen=True)
class Moment:
    """A point in time, the elements it came from, and what is odd about it."""

    when: datetime
    source: str
    remarks: tuple[str, ...] = ()


def average_time(half_life: float, duration: float) -> float:
    """Return the time within a frame at which the decaying activity equals its average over the frame.

    .. math:: t_{avg} = \\frac{1}{\\lambda} \\ln \\frac{\\lambda T}{1 - e^{-\\lambda T}},
              \\qquad \\lambda = \\frac{\\ln 2}{T_{1/2}}

    It lies a little before the middle of the frame (DICOM PS3.3 C.8.9.4.1.5).

    Parameters
    ----------
    half_life : float
        Of the nuclide in s.
    duration : float
        Of the frame in s.

    Returns
    -------
    float
        Seconds after the start of the frame.

    Examples
    --------
    >>> round(average_time(half_life=6586.2, duration=120.0), 3)
    59.937
    """
    decayed = math.log(2) / half_life * duration
    if decayed < 1e-8:
        return duration / 2
    return math.log(decayed / -math.expm1(-decayed)) * half_life / math.log(2)


def read_date(value: str) -> date | None:
    """Return a DICOM date, None where the text is none."""
    match = _DATE.match(value)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def read_time(value: str) -> timedelta | None:
    """Return a DICOM time as the time since midnight, None where the text is none."""
    match = _TIME.match(value)
    if not match:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if hours >= 24 or minutes >= 60 or seconds > 60:
        return None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def read_moment(value: str) -> tuple[date | None, timedelta | None]:
    """Return day and time of a DICOM date and time; the offset from UTC is left out, as all times here are local."""
    match = _MOMENT.match(value)
    if not match:
        return None, None
    return read_date(match.group(1)), read_time(match.group(2)) if match.group(2) else None


def acquired(header: Any) -> datetime | None:
    """Return when the acquisition of a slice began, None where it is not told."""
    time = read_time(text(header, "AcquisitionTime"))
    day = read_date(text(header, "AcquisitionDate"))
    if time is None:
        day, time = read_moment(text(header, "AcquisitionDateTime"))
        if time is None:
            return None
    if day is not None:
        return _at(day, time)
    series = _series(header)
    if series is None:
        return _at(_NO_DAY, time)
    when = _at(series.date(), time)
    # Without a date of its own a slice belongs to the day on which it lies nearer to the series.
    return when + _DAY if series - when > _DAY / 2 else when


def scan_start(headers: Sequence[Any], half_life: float) -> Moment:
    """Return the moment to which a series with ``DecayCorrection`` START is corrected.

    In this order: the decay correction time of an enhanced object (0018,9701); the private time of GE (0009,100D) or
    Siemens (0071,1022); the series time, if no acquisition is earlier; else, of the slice acquired first, acquisition
    time + average time of the frame - frame reference time.

    Parameters
    ----------
    headers : sequence of pydicom datasets
    half_life : float
        Of the nuclide in s.

    Returns
    -------
    Moment

    Raises
    ------
    SUVError
        If the headers tell no start.
    """
    starts = [acquired(header) for header in headers]
    known = sorted((start, index) for index, start in enumerate(starts) if start is not None)
    earliest = known[0][0] if known else None
    series = min((moment for header in headers if (moment := _series(header)) is not None), default=None)
    written = _written(headers)
    if written is not None:
        return _on_scan_day(written, earliest or series)
    if series is not None and (earliest is None or earliest >= series):
        return Moment(series, "series time")
    if earliest is None:
        raise SUVError(
            f"{label('SeriesTime')} and {label('AcquisitionTime')} are both missing, so the time from injection to scan "
            "is unknown. Export the series with its times."
        )
    found = [(_back_computed(headers[index], start, half_life), start) for start, index in known]
    first, began = found[0]
    remarks = []
    if first > began + timedelta(seconds=1):
        late = (first - began).total_seconds()
        remarks.append(
            f"the scan start worked out from {label('FrameReferenceTime')} lies {late:.0f} s after the acquisition "
            "began; the maker may count from the start of the frame"
        )
    spread = (max(start for start, _ in found) - min(start for start, _ in found)).total_seconds()
    if spread > _SAME_START_S:
        remarks.append(
            f"the scan starts worked out from the slices differ by {spread:.0f} s; that of the first slice is used"
        )
    return Moment(first, "acquisition time + average time - frame reference time", tuple(remarks))


def injection(item: Any, reference: datetime, half_life: float | None) -> Moment:
    """Return when the radiopharmaceutical was injected.

    Parameters
    ----------
    item : pydicom dataset
        Of the radiopharmaceutical information sequence.
    reference : datetime
        Scan start, on whose day a time without date falls, or on the day before where it would be later.
    half_life : float or None
        Of the nuclide in s.

    Returns
    -------
    Moment

    Raises
    ------
    SUVError
        If both start times are missing, or the injection lies after the scan.
    """
    day, time = read_moment(text(item, "RadiopharmaceuticalStartDateTime"))
    source = "RadiopharmaceuticalStartDateTime"
    if time is None:
        time = read_time(text(item, "RadiopharmaceuticalStartTime"))
        source = "RadiopharmaceuticalStartTime"
    if time is None:
        raise SUVError(
            f"{label('RadiopharmaceuticalStartDateTime')} and {label('RadiopharmaceuticalStartTime')} are both missing, "
            "so the dose cannot be decayed to the scan. Add the time of injection to the header."
        )
    remarks: tuple[str, ...] = ()
    if day is not None:
        when = _at(day, time)
        before = reference - when
        if -_OTHER_DATES < before <= max(_OTHER_DATES, 5 * timedelta(seconds=half_life or 0)):
            if before < timedelta(0):
                raise _after_the_scan(-before)
            return Moment(when, source)
        remarks = (
            f"the dates of injection and scan lie {abs(before).days} days apart; the time of day of "
            f"{label(source)} is used on the day of the scan",
        )
    when = _at(reference.date(), time)
    if when > reference:
        late = when - reference
        when -= _DAY
        # An injection of the evening before is believed for as long as its activity can be imaged.
        if reference - when > max(timedelta(hours=6), 2 * timedelta(seconds=half_life or 0)):
            raise _after_the_scan(late)
    elif day is None and half_life is not None and half_life > _DAY.total_seconds():
        remarks = (
            f"{label(source)} holds no date, and with a half-life of {half_life / 3600:.0f} h the injection may lie days "
            "before the scan; the day of the scan is taken",
        )
    return Moment(when, source, remarks)


def frame_duration(header: Any) -> float:
    """Return the duration of a frame in s."""
    duration = number(header, "ActualFrameDuration", SUVError)
    if duration is None or duration <= 0:
        raise SUVError(
            f"{label('ActualFrameDuration')} is missing or not positive, so the average time of the frame is unknown. "
            "Correct the header."
        )
    return duration / 1000


def _at(day: date, time: timedelta) -> datetime:
    return datetime(day.year, day.month, day.day) + time


def _series(header: Any) -> datetime | None:
    time = read_time(text(header, "SeriesTime"))
    if time is None:
        return None
    day = read_date(text(header, "SeriesDate")) or read_date(text(header, "StudyDate"))
    return _at(day or read_date(text(header, "AcquisitionDate")) or _NO_DAY, time)


def _written(headers: Sequence[Any]) -> Moment | None:
    """Return the earliest scan start that the maker wrote as such."""
    for source, read in (
        ("decay correction time (0018,9701)", lambda header: header.get("DecayCorrectionDateTime")),
        ("GE scan time (0009,100D)", lambda header: private(header, 0x0009, "GEMS_PETD_01", 0x0D)),
        ("Siemens decay correction time (0071,1022)", lambda header: private(header, 0x0071, "SIEMENS MED PT", 0x22)),
    ):
        found = []
        for header in headers:
            value = read(header)
            value = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
            day, time = read_moment(value.strip(" \0"))
            if day is not None and time is not None:
                found.append(_at(day, time))
        if found:
            return Moment(min(found), source)
    return None


def _on_scan_day(start: Moment, acquisition: datetime | None) -> Moment:
    """Move a private time whose date was not shifted with the others to the day of the acquisition."""
    if acquisition is None or abs(start.when - acquisition) <= _OTHER_DATES / 2:
        return start
    if acquisition.date() == _NO_DAY:
        return start
    days = round((acquisition - start.when) / _DAY)
    remark = f"the {start.source} lies {abs(days)} days from the acquisition; its time of day is used"
    return Moment(start.when + days * _DAY, start.source, (*start.remarks, remark))


def _back_computed(header: Any, began: datetime, half_life: float) -> datetime:
    reference = number(header, "FrameReferenceTime", SUVError)
    if reference is None:
        raise SUVError(
            f"an acquisition is earlier than {label('SeriesTime')} and {label('FrameReferenceTime')} is missing, so the "
            "start of the scan is unknown. Export the original series."
        )
    return began + timedelta(seconds=average_time(half_life, frame_duration(header)) - reference / 1000)


def _after_the_scan(late: timedelta) -> NegativeUptake:
    return NegativeUptake(
        f"the injection lies {late.total_seconds() / 60:.0f} min after the start of the scan: the uptake time is "
        "negative. Correct the time of injection, and the clocks it was read from."
    )
