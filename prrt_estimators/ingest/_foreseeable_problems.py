"""What reading a series will stumble on, as far as the index of an export tells it."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from prrt_estimators.dicom._geometry import GRID_TOLERANCE, GRID_TOLERANCE_MM, SAME_PLACE_MM
from prrt_estimators.dicom._vendor_factors import maker_is_known
from prrt_estimators.ingest._export_records import Series

_SUV_UNITS = ("BQML", "GML", "CM2ML")


def places(series: Series) -> int:
    """Return at how many places a series has an image: two images at one place count once.

    Where images do not tell their places in plain tags, as in multi-frame objects, the frames are counted.
    """
    return len(_groups(series.positions)) if len(series.positions) else series.slices


def trouble(series: Series) -> str:
    """Return why reading a series will be refused; empty where nothing is foreseen."""
    several = _time_points(series)
    if several > 1:
        return f"{several} images of different times at one place"
    gap = uneven(series.positions)
    if gap:
        return gap
    if series.modality == "CT":
        count = series.without_intercept
        return f"{count} images without RescaleIntercept" if count else ""
    units = series.texts.get("units", "").upper().strip()
    maker = series.texts.get("manufacturer", "")
    stored = maker_is_known(maker, counts=False)
    if (
        units
        and units not in _SUV_UNITS
        and not stored
        and not (units == "CNTS" and maker_is_known(maker, counts=True))
    ):
        return f"values in {_plain(units)}"
    if units == "BQML" and series.texts.get("dose") in ("0", "?") and not stored:
        return "no dose"
    return ""


def uneven(positions: Sequence[float]) -> str:
    """Return how places of slices stray from a regular grid; empty where they lie on one.

    Examples
    --------
    >>> uneven([0.0, 3.0, 6.0]), uneven([0.0, 3.0, 9.0, 12.0]), uneven([0.0, 3.0, 7.0, 10.0])
    ('', '1 slices missing', 'slices at unequal distances')
    """
    there = [group[0] for group in _groups(positions)]
    gaps = [second - first for first, second in itertools.pairwise(there)]
    if not gaps:
        return ""
    usual = statistics.median(gaps)
    allowed = max(GRID_TOLERANCE_MM, GRID_TOLERANCE * usual)
    if all(abs(gap - usual) <= allowed for gap in gaps):
        return ""
    multiples = [round(gap / usual) for gap in gaps]
    whole = all(abs(gap - count * usual) <= allowed and count >= 1 for gap, count in zip(gaps, multiples, strict=True))
    return f"{sum(multiples) - len(gaps)} slices missing" if whole else "slices at unequal distances"


def is_whole(series: Series) -> bool:
    """Tell whether nothing is missing between the ends of a series, nor, where a PET counts its slices, at them."""
    if len(series.positions) < 2 or uneven(series.positions):
        return False
    return int(series.texts.get("n_slices") or 0) <= places(series)


def is_covered(position: float, series: Series) -> bool:
    """Tell whether a whole image lies where one is that ends early."""
    return any(abs(position - other) < SAME_PLACE_MM for other in series.positions)


def _groups(positions: Sequence[float]) -> list[list[float]]:
    groups: list[list[float]] = []
    for position in sorted(positions):
        if groups and position - groups[-1][-1] < SAME_PLACE_MM:
            groups[-1].append(position)
        else:
            groups.append([position])
    return groups


def _time_points(series: Series) -> int:
    """Return the most time points at one place."""
    most, last = 1, None
    moments: set[int] = set()
    for position, moment in sorted(zip(series.positions, series.moments, strict=True)):
        if last is None or position - last >= SAME_PLACE_MM:
            moments = set()
        moments.add(moment)
        last, most = position, max(most, len(moments))
    return most


def _plain(units: str) -> str:
    """Return a unit of the standard; what else stands there may be any text."""
    return units if units in ("CPS", "CNTS", "PROPCNTS", "PROPCPS", "NONE", "PCNT", "1CM") else "a unit without SUV"
