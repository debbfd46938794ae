"""Private elements in which makers write how values become SUV or activity: one row per element."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from prrt_estimators.dicom._elements import as_number, private, text
from prrt_estimators.dicom._suv_kinds import SUVKind
from prrt_estimators.exceptions import SUVError


@dataclass(frozen=True)
class VendorFactor:
    """One private element with a factor.

    Parameters
    ----------
    maker : str
        As messages name it.
    group : int
    creator : str
        Of the private block; "" takes any block of the group.
    element : int
        Within the block.
    target : SUVKind
        What the values are then: rescaled counts become SUVbw (`COUNTS_TO_SUV`) or Bq/mL (`COUNTS_TO_ACTIVITY`) when
        multiplied by it; stored values are SUVbw times it (`STORED_SUV`).
    tag : str
        Name of the factor in records.
    brands : tuple of str, default=()
        With which ``Manufacturer`` (0008,0070) begins in upper case, if not with `maker`.
    """

    maker: str
    group: int
    creator: str
    element: int
    target: SUVKind
    tag: str
    brands: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The element as messages name it."""
        return f"({self.group:04X},10{self.element:02X})"

    def made(self, manufacturer: str) -> bool:
        """Return whether a manufacturer is the maker."""
        return manufacturer.upper().startswith(self.brands or self.maker.upper())


#: Factors that are known, those of one target in the order in which they are looked for.
VENDOR_FACTORS: tuple[VendorFactor, ...] = (
    VendorFactor(
        "Philips",
        0x7053,
        "Philips PET Private Group",
        0x09,
        SUVKind.COUNTS_TO_ACTIVITY,
        "PhilipsActivityConcentrationScaleFactor",
    ),
    VendorFactor("Philips", 0x7053, "Philips PET Private Group", 0x00, SUVKind.COUNTS_TO_SUV, "PhilipsSUVScaleFactor"),
    VendorFactor("Canon", 0x7065, "", 0x2D, SUVKind.STORED_SUV, "CanonSUV", brands=("CANON", "TOSHIBA")),
)
_BODY_WEIGHT = re.compile(r"SUV[\s_-]*(?:BW)?\s*(?:\(?\s*X\s*(\d+)\s*\)?)?$")


def factors_to(target: SUVKind) -> list[VendorFactor]:
    """Return the rows of one target."""
    return [row for row in VENDOR_FACTORS if row.target is target]


def maker_is_known(manufacturer: str, *, counts: bool) -> bool:
    """Return whether a factor is known for counts of a manufacturer's scanners, or for stored values in no unit.

    Examples
    --------
    >>> maker_is_known("Philips Medical Systems", counts=True), maker_is_known("SIEMENS", counts=True)
    (True, False)
    """
    return any(row.made(manufacturer) and counts == (row.target is not SUVKind.STORED_SUV) for row in VENDOR_FACTORS)


def number_of(row: VendorFactor, header: Any) -> float:
    """Return the factor of one slice, 0 where it is missing or no number."""
    try:
        return as_number(private(header, row.group, row.creator, row.element)) or 0.0
    except (ValueError, TypeError):
        return 0.0


def stored_scale(row: VendorFactor, header: Any) -> float | None:
    """Return how many stored units one SUVbw is, None where the header has no such element.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> header = Dataset()
    >>> header.add_new((0x7065, 0x0010), "LO", "TOSHIBA_MEC_PET")
    >>> header.add_new((0x7065, 0x102D), "LO", "SUVbw(X100)")
    >>> stored_scale(VENDOR_FACTORS[-1], header)
    100.0
    """
    written = _written(row, header)
    if not written:
        return None
    maker = row.made(text(header, "Manufacturer"))
    if "SUV" not in written.upper() and not maker:
        return None
    found = _BODY_WEIGHT.match(written.upper().strip())
    if found:
        return float(found[1] or 100)
    if maker and re.fullmatch(r"100(?:\.0*)?", written):
        return 100.0
    raise SUVError(
        f"the {row.maker} element {row.place} tells another kind of SUV than SUVbw x 100. Export the series in Bq/mL."
    )


def _written(row: VendorFactor, header: Any) -> str:
    """Return an element as text, from whichever block of its group it lies in."""
    try:
        group = header.group_dataset(row.group)
        places = [element.tag for element in group if element.tag.element >= 0x1000]
        values = [header[tag].value for tag in places if tag.element & 0xFF == row.element]
    except (AttributeError, KeyError, ValueError, TypeError, NotImplementedError):
        return ""
    texts = [value.decode("ascii", "replace") if isinstance(value, bytes) else str(value) for value in values]
    return next((word.strip(" \0") for word in texts if word.strip(" \0")), "")
