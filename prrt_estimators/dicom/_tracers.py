"""What a PET shows: the radiopharmaceutical and its nuclide, from codes, names and half-life."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from prrt_estimators.dicom._elements import number, text
from prrt_estimators.dicom._nuclides import NUCLIDES, Nuclide, nuclide_of_code, nuclides_in, nuclides_lasting
from prrt_estimators.exceptions import ScannerFileError

SSTR = "SSTR"


@dataclass(frozen=True)
class Radiopharmaceutical:
    """A radiopharmaceutical that headers name.

    Attributes
    ----------
    name : str
    target : str
        What it binds to or shows; ``"SSTR"`` for the somatostatin receptor.
    pattern : str
        How texts name it.
    codes : tuple of str
        Of DICOM's context group 4021.
    nuclide : str
        The one that it always has; empty where there are several.
    """

    name: str
    target: str
    pattern: str
    codes: tuple[str, ...] = ()
    nuclide: str = ""


#: The first whose pattern fits a text is taken, so what holds another's letters comes before it.
RADIOPHARMACEUTICALS = (
    Radiopharmaceutical(
        "PSMA", "PSMA", r"psma|piflufolastat|dcfpyl|gozetotide|illuccix|locametz", ("126759", "126758")
    ),
    Radiopharmaceutical("FAPI", "FAP", r"fapi|fap-2286"),
    Radiopharmaceutical("Exendin", "GLP-1", r"exend[ia]n"),
    Radiopharmaceutical("Pentixafor", "CXCR4", r"pentixa"),
    Radiopharmaceutical("HYNIC-TOC", SSTR, r"tektrotyd|hynic-?\s*\[?(?:tyr3\]?-?)?(?:toc|octreotid)"),
    Radiopharmaceutical("Pentetreotide", SSTR, r"octreoscan|pentetreotid"),
    Radiopharmaceutical("DOTATATE", SSTR, r"tate\b|octreotate|netspot|detectnet|oxodotreotide", ("724025002",)),
    Radiopharmaceutical("DOTATOC", SSTR, r"toc\b|edotreotide|somakit|octreotid", ("C2713594",)),
    Radiopharmaceutical("DOTANOC", SSTR, r"noc\b"),
    Radiopharmaceutical("JR11", SSTR, r"jr-?11|satoreotide"),
    Radiopharmaceutical("LM3", SSTR, r"\blm-?3\b|dota-?lm3|nodaga-?lm3"),
    Radiopharmaceutical("DOTA peptide", SSTR, r"dota-?\s*(?:peptid\w*)?$|dota\b|somatostatin"),
    Radiopharmaceutical("FDOPA", "amino acids", r"dopa", ("C-E0241", "5811000122108"), "F-18"),
    Radiopharmaceutical("FET", "amino acids", r"\bf?fet\b|fluor\w*ethyl-?\w*tyrosin", ("C-B07E0", "424708001"), "F-18"),
    Radiopharmaceutical("Methionine", "amino acids", r"methionin", ("C-B103E", "129510001"), "C-11"),
    Radiopharmaceutical("Choline", "membranes", r"cholin", ("126703", "C-E0273", "456992002")),
    Radiopharmaceutical("NaF", "bone", r"sodium ?fluorid|\bnaf\b|natriumfluorid", ("C-B1032", "129501009"), "F-18"),
    Radiopharmaceutical("FLT", "proliferation", r"\bf?flt\b|fluorothymidin"),
    Radiopharmaceutical("FES", "oestrogen receptor", r"\bfes\b|fluor[\w ./-]{0,12}?o?estradiol|cerianna"),
    Radiopharmaceutical("MIBG", "noradrenaline", r"m[if]bg|iobenguan|fluorobenzylguanidin"),
    Radiopharmaceutical(
        "FDG", "glucose", r"fdg|desoxy ?glu[ck]ose|deoxy ?glu[ck]ose|\bglu[ck]ose", ("C-B1031", "35321007"), "F-18"
    ),
)
_BY_CODE = {code: one for one in RADIOPHARMACEUTICALS for code in one.codes}
_PATTERNS = tuple((re.compile(one.pattern, re.I), one) for one in RADIOPHARMACEUTICALS)
#: Tracers that are taken before others, as `ingest` and the command have them by default: every one for the
#: somatostatin receptor, then what has the nuclides of the usual ones and names no radiopharmaceutical.
DEFAULT_TRACERS = (SSTR, "Ga-68", "Cu-64")


@dataclass(frozen=True)
class Tracer:
    """What was injected, as far as a header tells it.

    Attributes
    ----------
    name, target : str
        Of the radiopharmaceutical; empty where none that is known is named.
    nuclide : str
        Such as ``"Ga-68"``; empty where it is not told.
    coded, written : tuple of Nuclide
        Nuclides that codes name, and those that other texts name.
    """

    name: str = ""
    target: str = ""
    nuclide: str = ""
    coded: tuple[Nuclide, ...] = ()
    written: tuple[Nuclide, ...] = ()

    @property
    def label(self) -> str:
        """In words, such as ``"Ga-68 DOTATATE"``."""
        if not self.nuclide and not self.name:
            return "tracer not stated"
        return f"{self.nuclide or 'nuclide not stated'}{f' {self.name}' if self.name else ', tracer not stated'}"

    def rank(self, wanted: Iterable[str]) -> int | None:
        """Return the place in a list of tracers, None for one that is not in it.

        An entry is a name, a target, a label, or a nuclide; the last only stands for images that name no
        radiopharmaceutical.

        Examples
        --------
        >>> [Tracer("DOTATOC", "SSTR", "Ga-68").rank(list_) for list_ in (["SSTR"], ["Ga-68"], ["FDG", "ga-68 dotatoc"])]
        [0, None, 1]
        """
        own = {self.name, self.target, self.label, "" if self.name else self.nuclide} - {""}
        known = {word.casefold() for word in own}
        return next((place for place, word in enumerate(wanted) if word.strip().casefold() in known), None)


def tracer_of(item: Any) -> Tracer:
    """Return what an item of the radiopharmaceutical information sequence names.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> item = Dataset()
    >>> item.Radiopharmaceutical, item.RadionuclideHalfLife = "DOTATATE", 4062.6
    >>> tracer_of(item).label
    'Ga-68 DOTATATE'
    """
    nuclides, drugs = _codes(item, "RadionuclideCodeSequence"), _codes(item, "RadiopharmaceuticalCodeSequence")
    coded: dict[Nuclide, None] = {}
    for code, meaning in nuclides:
        for one in ({known} if (known := nuclide_of_code(code)) else set()) | nuclides_in(meaning):
            coded[one] = None
    names = [*(meaning for _, meaning in drugs), text(item, "Radiopharmaceutical")]
    drug = next((_BY_CODE[code.upper()] for code, _ in drugs if code.upper() in _BY_CODE), None)
    drug = drug or next((found for name in names if (found := radiopharmaceutical_in(name)) is not None), None)
    written = dict.fromkeys(sorted({one for name in names for one in nuclides_in(name)}, key=lambda one: one.name))
    if not written and drug is not None and drug.nuclide:
        written = dict.fromkeys(one for one in NUCLIDES if one.name == drug.nuclide)
    return Tracer(
        drug.name if drug else "",
        drug.target if drug else "",
        _nuclide(item, [*coded, *written]),
        tuple(coded),
        tuple(written),
    )


def radiopharmaceutical_in(name: str) -> Radiopharmaceutical | None:
    """Return the radiopharmaceutical that a text names.

    Examples
    --------
    >>> [radiopharmaceutical_in(name).name for name in ("FDG -- fluorodeoxyglucose", "DOTA-TATE", "68Ga-PSMA-11", "HA-DOTATATE")]
    ['FDG', 'DOTATATE', 'PSMA', 'DOTATATE']
    """
    return next((one for pattern, one in _PATTERNS if pattern.search(name)), None)


def _codes(item: Any, keyword: str) -> list[tuple[str, str]]:
    try:
        codes = list(item.get(keyword) or [])
    except (TypeError, ValueError, NotImplementedError):
        return []
    return [(text(one, "CodeValue") or text(one, "LongCodeValue"), text(one, "CodeMeaning")) for one in codes]


def _nuclide(item: Any, named: list[Nuclide]) -> str:
    """Return the nuclide; where several are named, the one of that half-life; where none is, the one that has it."""
    try:
        half_life = number(item, "RadionuclideHalfLife")
    except ScannerFileError:
        half_life = None
    fitting = [one for one in named if half_life and one.lasts(half_life)]
    if fitting or named:
        return (fitting or named)[0].name
    lasting = nuclides_lasting(half_life) if half_life and half_life > 0 else []
    return lasting[0].name if lasting else ""
