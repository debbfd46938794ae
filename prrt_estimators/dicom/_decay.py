"""When the activity was measured and when it was injected, from the elements in which scanners write it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from prrt_estimators.dicom._datetimes import (
    NO_DAY,
    acquired,
    at,
    local_moment,
    read_moment,
    series_start,
    state_of,
)
from prrt_estimators.dicom._elements import label, number, private, text
from prrt_estimators.dicom._injection import told_injection
from prrt_estimators.exceptions import SUVError

_DAY = timedelta(days=1)
#: Dates this far apart cannot belong to one examination: one of them was changed when the files were made anonymous.
_OTHER_DATES = timedelta(days=2)
#: A first acquisition this long after the series time is remarked on: one of them belongs to another scan, or to a copy.
_LATE_ACQUISITION = timedelta(hours=2)
#: Scan starts worked out from the slices of one series that differ by more than this are remarked on.
_SAME_START_S = 30.0


class NegativeUptake(SUVError):
    """The injection lies after the scan."""


@dataclass(frozen=True)
class Moment:
    """A point in time and where it comes from.

    Attributes
    ----------
    when : datetime
    source : str
        The elements that tell it.
    remarks : tuple of str
        What is odd about it.
    measured_from : datetime or None
        When the measurement began, where that is not `when`.
    """

    when: datetime
    source: str
    remarks: tuple[str, ...] = ()
    measured_from: datetime | None = None


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


def average_moment(header: Any, half_life: float) -> datetime:
    """Return the moment that the values of a slice belong to when they are not decay-corrected.

    The frame reference time of an enhanced object (0018,9151), else acquisition time + average time of the frame.
    """
    written = local_moment(header, "FrameReferenceDateTime")
    if written is not None:
        return written
    began = acquired(header)
    if began is None:
        raise SUVError(
            f"{label('AcquisitionTime')} is {state_of(header, 'AcquisitionTime')}, and with DecayCorrection NONE each slice "
            "belongs to its own time. "
            "Export the series with its times."
        )
    return began + timedelta(seconds=average_time(half_life, _frame_duration(header)))


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
    series = min((moment for header in headers if (moment := series_start(header)) is not None), default=None)
    enhanced = [m for header in headers if (m := local_moment(header, "DecayCorrectionDateTime")) is not None]
    if enhanced:
        return Moment(min(enhanced), "decay correction time (0018,9701)", measured_from=earliest)
    written = _written_by_maker(headers)
    if written is not None:
        return _on_scan_day(written, earliest or series)
    if series is not None and (earliest is None or earliest >= series):
        return Moment(series, "series time", _late_acquisition(series, earliest))
    if earliest is None:
        raise SUVError(
            f"{_both(headers[0], 'SeriesTime', 'AcquisitionTime')}, so the time from injection to scan is unknown. Export "
            "the series with its times."
        )
    found = [_back_computed(headers[index], start, half_life) for start, index in known]
    remarks = []
    if text(headers[0], "Manufacturer").upper().startswith("GE"):
        remarks.append(
            f"the scan start is worked out from {label('FrameReferenceTime')}, which GE may count to the start of the "
            f"frame: SUV may be too high by {100 * _half_frame_error(headers[known[0][1]], half_life):.1f} %"
        )
    spread = (max(found) - min(found)).total_seconds()
    if spread > _SAME_START_S:
        remarks.append(
            f"the scan starts worked out from the slices differ by {spread:.0f} s; that of the first slice is used"
        )
    return Moment(found[0], "acquisition time + average time - frame reference time", tuple(remarks))


def injection(header: Any, item: Any, reference: datetime, half_life: float | None) -> Moment:
    """Return when the radiopharmaceutical was injected.

    Parameters
    ----------
    header : pydicom dataset
        Of a slice; it may tell the offset from UTC.
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
        If both start times are missing, unreadable or 000000, if they contradict each other, or the injection does not lie
        before the scan.
    """
    told = told_injection(header, item)
    time, keyword = told.time, told.keyword
    life = timedelta(seconds=half_life or 0)
    remarks = told.remarks
    if told.day is not None and time is not None:
        when = at(told.day, time)
        before = reference - when
        if -_OTHER_DATES < before <= max(_OTHER_DATES, 5 * life):
            return _before_the_scan(Moment(when, keyword, remarks), reference)
        if not told.placeholder:
            remarks = (
                *remarks,
                f"the dates of injection and scan lie {abs(before).days} days apart; the time of day of {label(keyword)} "
                "is used on the day of the scan",
            )
    if time is None:
        raise SUVError(
            f"{_both(item, 'RadiopharmaceuticalStartDateTime', 'RadiopharmaceuticalStartTime')}, so the dose cannot be "
            "decayed to the scan. Add the time of injection to the header."
        )
    if life > _DAY:
        # A date wrong by whole days would still give a believable SUV.
        raise SUVError(
            f"{label(keyword)} gives no date that fits the scan, and with a half-life of {life / _DAY:.1f} days the "
            f"injection may lie days before it. Add {label('RadiopharmaceuticalStartDateTime')} to the header."
        )
    when = at(reference.date(), time)
    if when > reference:
        late = when - reference
        when -= _DAY
        # An injection of the evening before is believed for as long as its activity can be imaged.
        if reference - when > max(timedelta(hours=6), 2 * life):
            raise _after_the_scan(late)
    return _before_the_scan(Moment(when, keyword, remarks), reference)


def _before_the_scan(injected: Moment, reference: datetime) -> Moment:
    if injected.when > reference:
        raise _after_the_scan(injected.when - reference)
    return injected


def _both(header: Any, first: str, second: str) -> str:
    """Say why neither of two elements gives a time."""
    one, two = state_of(header, first), state_of(header, second)
    if one == two:
        return f"{label(first)} and {label(second)} are both {one}"
    return f"{label(first)} is {one} and {label(second)} is {two}"


def _frame_duration(header: Any) -> float:
    """Return the duration of a frame in s."""
    duration = number(header, "ActualFrameDuration", SUVError)
    if duration is None or duration <= 0:
        raise SUVError(
            f"{label('ActualFrameDuration')} is missing or not positive, so the average time of the frame is unknown. "
            "Correct the header."
        )
    return duration / 1000


def _late_acquisition(series: datetime, earliest: datetime | None) -> tuple[str, ...]:
    if earliest is None or earliest - series <= _LATE_ACQUISITION:
        return ()
    hours = (earliest - series).total_seconds() / 3600
    return (f"the first acquisition lies {hours:.1f} h after {label('SeriesTime')}, to which the dose is decayed",)


def _half_frame_error(header: Any, half_life: float) -> float:
    return math.expm1(math.log(2) / half_life * average_time(half_life, _frame_duration(header)))


class VendorStart(NamedTuple):
    """A private element in which a maker writes the start of the scan, to which values are decay corrected.

    Parameters
    ----------
    source : str
        What messages and records call it.
    group : int
    creator : str
        Text that reserves the block of the element.
    element : int
        Last two hexadecimal digits of the element.
    """

    source: str
    group: int
    creator: str
    element: int


#: In the order in which they are looked for.
VENDOR_STARTS: tuple[VendorStart, ...] = (
    VendorStart("GE scan time (0009,100D)", 0x0009, "GEMS_PETD_01", 0x0D),
    VendorStart("Siemens decay correction time (0071,1022)", 0x0071, "SIEMENS MED PT", 0x22),
)


def _written_by_maker(headers: Sequence[Any]) -> Moment | None:
    """Return the earliest scan start that the maker wrote into an element of its own."""
    for rule in VENDOR_STARTS:
        found = []
        for header in headers:
            value = private(header, rule.group, rule.creator, rule.element)
            value = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
            day, time, _ = read_moment(value.strip(" \0"))
            if day is not None and time:
                found.append(at(day, time))
        if found:
            return Moment(min(found), rule.source)
    return None


def _on_scan_day(start: Moment, acquisition: datetime | None) -> Moment:
    """Move a private time whose date was not shifted with the others to the day of the acquisition."""
    if acquisition is None or acquisition.date() == NO_DAY or abs(start.when - acquisition) <= _DAY:
        return start
    days = round((acquisition - start.when) / _DAY)
    remark = f"the {start.source} lies {abs(days)} days from the acquisition; its time of day is used"
    return Moment(start.when + days * _DAY, start.source, (remark,))


def _back_computed(header: Any, began: datetime, half_life: float) -> datetime:
    reference = number(header, "FrameReferenceTime", SUVError)
    if reference is None:
        raise SUVError(
            f"an acquisition is earlier than {label('SeriesTime')} and {label('FrameReferenceTime')} is missing, so the "
            "start of the scan is unknown. Export the original series."
        )
    return began + timedelta(seconds=average_time(half_life, _frame_duration(header)) - reference / 1000)


def _after_the_scan(late: timedelta) -> NegativeUptake:
    return NegativeUptake(
        f"the injection lies {late.total_seconds() / 60:.0f} min after the start of the scan: the uptake time is "
        "negative. Correct the time of injection, and the clocks it was read from."
    )
