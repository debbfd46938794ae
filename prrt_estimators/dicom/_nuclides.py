"""Nuclides of nuclear medicine: how headers name them, and how long they last."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: A stated half-life may differ from the nuclide's by this share: scanners round it and print older measurements.
HALF_LIFE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Nuclide:
    """A nuclide.

    Attributes
    ----------
    symbol, element : str
        ``"Ga"`` and ``"Gallium"``.
    mass : str
        ``"68"``; ``"99m"`` of a metastable state.
    half_life_s : float
    codes : tuple of str
        SNOMED RT and SNOMED CT codes of DICOM's context groups 18 and 4020.
    """

    symbol: str
    element: str
    mass: str
    half_life_s: float
    codes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Symbol and mass number, such as ``"Ga-68"``."""
        return f"{self.symbol}-{self.mass}"

    def lasts(self, half_life_s: float) -> bool:
        """Tell whether a half-life is that of the nuclide, within 2 %."""
        return abs(half_life_s / self.half_life_s - 1) <= HALF_LIFE_TOLERANCE


NUCLIDES = (
    Nuclide("Ga", "Gallium", "68", 4062.6, ("C-131A3", "35337001")),
    Nuclide("F", "Fluorine", "18", 6586.2, ("C-111A1", "77004003")),
    Nuclide("Cu", "Copper", "64", 45720.0, ("C-127A2", "3932008")),
    Nuclide("Zr", "Zirconium", "89", 282240.0, ("C-168A4", "63360001")),
    Nuclide("C", "Carbon", "11", 1223.0, ("C-105A1", "40565003")),
    Nuclide("N", "Nitrogen", "13", 597.9, ("C-107A1", "21576001")),
    Nuclide("O", "Oxygen", "15", 122.2, ("C-B1038", "129504001")),
    Nuclide("Rb", "Rubidium", "82", 76.4, ("C-159A2", "79197006")),
    Nuclide("I", "Iodine", "124", 360800.0, ("C-114A5", "40937006")),
    Nuclide("Sc", "Scandium", "44", 14292.0, ("126600",)),
    Nuclide("Cu", "Copper", "60", 1422.0, ("C-127A4", "425364008")),
    Nuclide("Cu", "Copper", "61", 12020.0, ("C-127A1", "71425003")),
    Nuclide("Cu", "Copper", "62", 580.0, ("C-127A5", "422934004")),
    Nuclide("Ga", "Gallium", "66", 34160.0, ("C-131A1", "79477007")),
    Nuclide("Y", "Yttrium", "86", 53060.0, ("C-162A3", "10738001")),
    Nuclide("Y", "Yttrium", "90", 230600.0, ("C-162A7", "14691008")),
    Nuclide("Br", "Bromine", "76", 58320.0, ("C-113A2", "79523006")),
    Nuclide("Tb", "Terbium", "152", 63000.0),
    Nuclide("In", "Indium", "111", 242300.0),
    Nuclide("Tc", "Technetium", "99m", 21630.0),
    Nuclide("I", "Iodine", "123", 47600.0),
    Nuclide("I", "Iodine", "131", 693000.0),
    Nuclide("Lu", "Lutetium", "177", 574300.0),
)
_BY_CODE = {code: one for one in NUCLIDES for code in one.codes}
#: What may follow the symbol without a space, as in 68GaDOTATATE, 18FDG and 11CHOLINE.
_AFTER = r"(?=$|[^a-z]|dota|noda|nota|ha[^a-z]|psma|fapi|dg|dopa|choline|et[^a-z]|lt[^a-z])"


def _pattern(one: Nuclide) -> re.Pattern[str]:
    names = rf"(?:{one.element[:-1]}e?|{one.element}|{one.symbol})"
    joint = r"[\s^_()\[\]-]*"
    return re.compile(rf"(?<![0-9]){one.mass}{joint}{names}{_AFTER}|(?<![a-z]){names}{joint}{one.mass}(?![0-9])", re.I)


_PATTERNS = tuple((_pattern(one), one) for one in NUCLIDES)
#: Brands and labels that are of one nuclide and do not name it.
_BRANDS = {
    "Ga-68": r"netspot|somakit|illuccix|locametz|gozellix",
    "Cu-64": r"detectnet",
    "F-18": r"\balf\b|pylarify|piflufolastat|dcfpyl|posluma|flotufolastat|cerianna|axumin|fluciclovin",
}
_PATTERNS += tuple((re.compile(_BRANDS[one.name], re.I), one) for one in NUCLIDES if one.name in _BRANDS)


def nuclide_of_code(code: str) -> Nuclide | None:
    """Return the nuclide of a SNOMED code, None where the code is another.

    Examples
    --------
    >>> nuclide_of_code("C-131A3").name
    'Ga-68'
    """
    return _BY_CODE.get(code.strip().upper())


def nuclides_in(text: str) -> set[Nuclide]:
    """Return the nuclides that a text names, by symbol, element or brand.

    Examples
    --------
    >>> [sorted(one.name for one in nuclides_in(text)) for text in ("^68^Gallium", "[18F]FDG", "64Cu-DOTATATE", "PSMA-617")]
    [['Ga-68'], ['F-18'], ['Cu-64'], []]
    """
    return {one for pattern, one in _PATTERNS if pattern.search(text)}


def nuclides_lasting(half_life_s: float) -> list[Nuclide]:
    """Return the nuclides that have a half-life, the usual ones of PET first.

    Examples
    --------
    >>> [one.name for one in nuclides_lasting(4080.0)]
    ['Ga-68']
    """
    return [one for one in NUCLIDES if one.lasts(half_life_s)]
