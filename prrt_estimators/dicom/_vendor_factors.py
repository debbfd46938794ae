"""The private element in which Canon (Toshiba) says that stored values are SUV already."""

from __future__ import annotations

import re
from typing import Any

from prrt_estimators.dicom._elements import text
from prrt_estimators.exceptions import SUVError

LABEL = "the Canon element (7065,102D)"
_GROUP, _ELEMENT = 0x7065, 0x2D
_MAKERS = ("CANON", "TOSHIBA")
_BODY_WEIGHT = re.compile(r"SUV[\s_-]*(?:BW)?\s*(?:\(?\s*X\s*(\d+)\s*\)?)?$")


def canon_stored(header: Any) -> float | None:
    """Return how many stored units one SUVbw is, None where the header has no such element.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> header = Dataset()
    >>> header.add_new((0x7065, 0x0010), "LO", "TOSHIBA_MEC_PET")
    >>> header.add_new((0x7065, 0x102D), "LO", "SUVbw(X100)")
    >>> canon_stored(header)
    100.0
    """
    written = _written(header)
    if not written:
        return None
    maker = text(header, "Manufacturer").upper().startswith(_MAKERS)
    if "SUV" not in written.upper() and not maker:
        return None
    found = _BODY_WEIGHT.match(written.upper().strip())
    if found:
        return float(found[1] or 100)
    if maker and re.fullmatch(r"100(?:\.0*)?", written):
        return 100.0
    raise SUVError(f"{LABEL} tells another kind of SUV than SUVbw x 100. Export the series in Bq/mL.")


def _written(header: Any) -> str:
    """Return the element as text, from whichever block of the group it lies in."""
    try:
        group = header.group_dataset(_GROUP)
        places = [element.tag for element in group if element.tag.element >= 0x1000]
        values = [header[tag].value for tag in places if tag.element & 0xFF == _ELEMENT]
    except (AttributeError, KeyError, ValueError, TypeError, NotImplementedError):
        return ""
    texts = [value.decode("ascii", "replace") if isinstance(value, bytes) else str(value) for value in values]
    return next((word.strip(" \0") for word in texts if word.strip(" \0")), "")
