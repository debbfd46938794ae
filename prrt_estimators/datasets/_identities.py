"""Names of persons, identifiers, institutions and dates in the headers and the categories of a table."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from prrt_estimators._analytes import name_tokens
from prrt_estimators._date_forms import has_date, without_dates
from prrt_estimators._spellings import fold, names_in, places_in, signs_of
from prrt_estimators.datasets._column_vocabulary import file_kind, guess_name
from prrt_estimators.datasets._person_columns import says_person
from prrt_estimators.exceptions import Problem

_STAFF = re.compile(
    r"\b(arzt|aerztin|hausarzt|physician|doctor|referrer|referring|zuweiser(in)?|ueberweiser|operator|untersucher(in)?|"
    r"befunder(in)?|radiologe|radiologin|surgeon|operateur|angehoerige[rn]?|relatives?|kontaktperson|ansprechpartner|reader)\b"
)
_PLACES = re.compile(
    r"\b(institut\w*|klinik|klinikum|clinic|hospital|krankenhaus|einrichtung|praxis|adresse|address|strasse|street|wohnort|"
    r"geburtsort|city|stadt|ort)\b"
)
_IDENTIFIERS = re.compile(
    r"\b(mrn|piz|ssn|(behandlungs)?fall ?(nummer|nr)|(aufnahme|kis|orbis) ?(nummer|nr|id)|accession|versicherten\w*|insurance|telefon|phone|e ?mail|serial|seriennummer|"
    r"geraete ?(nummer|nr)|medical record|(hospital|case|study instance|other) (id|no|number))\b|\buid\b|serial( number)?$"
)
#: Words before the name of a person. `HR` and `MR` are also heart rate and magnetic resonance, so case matters there.
_TITLED = re.compile(
    r"(?<![^\W_])(?:(?i:dr|prof|herrn?|frau|patient|patientin)|Hr|Fr|Mrs?|Ms|Pat(?=\.))(?![^\W\d_])[\s_:.-]*"
    r"(?:(?i:dr|prof|med|pd|h\.c)(?:\.[\s_]*|[\s_]+))*(?P<name>[^\W\d_]{2,})"
)
_LETTERS = re.compile(r"[^\W\d_]+(?:['’‘`´ʼ′][^\W\d_]+)*")
#: Words that follow "patient", and words that headers and categories hold though somebody may be called so.
_ORDINARY_WORDS = (
    "number count group gruppe status cohort kohorte code type typ class klasse history anamnese fitness category "
    "kategorie kollektiv reported report related weight name names position self satisfaction outcome risk risiko "
    "arm score preference condition zustand info information data daten level source origin herkunft selection "
    "exposure dose dosis compliance long short lang kurz gross klein hoch tief high low yes ja nein jung alt neu "
    "links rechts left right mitte mittel kopf schwanz hals haut herz lunge lung leber liver niere kidney magen "
    "stomach brust darm ileum milz knochen bone brain hirn pankreas pancreas rektum kolon colon weiss schwarz "
    "roth rot blau gruen braun grau winter sommer morgen tag child pugh rai binet gleason krenning deauville "
    "stark schwach gut schlecht good bad best mann frau man woman male female net nec nen grad grade typical "
    "atypical other others andere keine none mixed wert value werte values max min mean"
)
_ORDINARY = frozenset(_ORDINARY_WORDS.split())
_MARK = "***"
#: Code of the problem of a name or cell that says who somebody is.
IDENTITY = "identity"


@dataclass(frozen=True)
class Identities:
    """What the cells of a table say of who somebody is, folded.

    Attributes
    ----------
    words : frozenset of str
        Words of names and places, in every spelling.
    texts : frozenset of str
        Whole identifiers.
    signs : frozenset of str
        Names in scripts that write no blanks.
    """

    words: frozenset[str] = field(default_factory=frozenset)
    texts: frozenset[str] = field(default_factory=frozenset)
    signs: frozenset[str] = field(default_factory=frozenset)

    def kind_in(self, text: str, *, header: bool = True) -> str:
        """Return what of an identity a text holds, empty for nothing.

        Examples
        --------
        >>> who = Identities(words=frozenset(["mueller", "muller"]))
        >>> who.kind_in("CgA Müller"), who.kind_in("Wert am 17.03.2021"), who.kind_in("CgA [ug/l]"), who.kind_in("Wert Dr. Noor")
        ('the name of a person', 'a date', '', 'the name of a person')
        """
        if has_date(text, spoken=False):
            return "a date"
        if (header and _titled(text)) or self._names_somebody(text):
            return "the name of a person"
        folded = fold(text)
        if any(_stands_alone(one, folded) for one in self.texts):
            return "an identifier"
        return ""

    def masked(self, header: str) -> str:
        """Return a header as reports and the screen show it: names, identifiers and dates as ``***``.

        Examples
        --------
        >>> who = Identities(words=frozenset(["mueller", "muller"]))
        >>> who.masked("CgA Müller 17.03.2021 [ug/l]"), who.masked("patient_schmidt_cga"), who.masked("Patient weight")
        ('CgA *** *** [ug/l]', 'patient_***_cga', 'Patient weight')
        """
        if header not in self._masked:
            self._masked[header] = self._without_identity(header)
        return self._masked[header]

    @functools.cached_property
    def _masked(self) -> dict[str, str]:
        """Headers as they were masked: each message of a table asks for all of them."""
        return {}

    def _without_identity(self, header: str) -> str:
        if not self.kind_in(header):
            return header
        text = without_dates(header, _MARK, spoken=False)
        for start, end in reversed(_titled(text)):
            text = text[:start] + _MARK + text[end:]
        text = _LETTERS.sub(lambda word: _MARK if self._names_somebody(word[0]) else word[0], text)
        return _MARK if self.kind_in(text) else text

    def _names_somebody(self, text: str) -> bool:
        folded = fold(text)
        if any(one in folded for one in self.signs):
            return True
        if not self.words:
            return False
        found = names_in(text) | {token for token in name_tokens(text) if len(token) > 2}
        return any(not _is_ordinary(word) for word in found & self.words)


def identities_of(frame: pd.DataFrame, persons: Iterable[str] = ()) -> Identities:
    """Return what the columns of persons, institutions and identifiers of a table hold.

    Parameters
    ----------
    frame : DataFrame
    persons : iterable of str, default=()
        Columns that hold names of persons whatever they are called.

    Examples
    --------
    >>> found = identities_of(pd.DataFrame({"Nachname": ["Böe"], "Fallnummer": ["KX-77"], "CgA": [3.0]}))
    >>> sorted(found.words), sorted(found.texts)
    (['boe', 'boee'], ['kx-77'])
    """
    persons = set(persons)
    words: set[str] = set()
    texts: set[str] = set()
    signs: set[str] = set()
    for name in frame.columns:
        called = " ".join(name_tokens(str(name)))
        if name in persons or says_person(called) or _STAFF.search(called):
            for cell in _texts(frame[name]):
                words |= names_in(cell)
                signs |= signs_of(cell)
        elif _PLACES.search(called):
            for cell in _texts(frame[name]):
                words |= places_in(cell)
        elif _IDENTIFIERS.search(called):
            folded = {fold(cell.strip()) for cell in _texts(frame[name], numbers=True)}
            # Shorter numbers occur in names of columns by chance.
            texts |= {one for one in folded if len(one) >= (6 if one.isdigit() else 4)}
    return Identities(frozenset(words), frozenset(texts), frozenset(signs))


def identity_problems(names: Iterable[str], who: Identities) -> list[Problem]:
    """Return one problem for each predictor whose name says who somebody is.

    Examples
    --------
    >>> [problem.column for problem in identity_problems(["CgA", "CgA Hr. Noor"], Identities())]
    ['CgA Hr. Noor']
    """
    return [
        Problem(
            f"the name of the column holds {kind}, and would stand in models, results and reports",
            "rename the column",
            column=name,
            code=IDENTITY,
        )
        for name in names
        if (kind := who.kind_in(str(name)))
    ]


def first_identity(values: np.ndarray, who: Identities) -> tuple[int, str] | None:
    """Return the place of the first of some categories that holds something of an identity, and what; None for none."""
    seen: dict[str, str] = {}
    for k, value in enumerate(values):
        if isinstance(value, str):
            if value not in seen:
                seen[value] = who.kind_in(value, header=False)
            if seen[value]:
                return k, seen[value]
    return None


def _texts(cells: pd.Series, numbers: bool = False) -> list[str]:
    found = cells.dropna().unique()
    return [str(cell).removesuffix(".0") for cell in found if numbers or isinstance(cell, str)]


def _titled(text: str) -> list[tuple[int, int]]:
    """Return where names after a title stand."""
    return [found.span("name") for found in _TITLED.finditer(text) if not _is_ordinary(found["name"])]


def _is_ordinary(word: str) -> bool:
    """Tell whether a word says what a column holds, so that it names nobody there."""
    folded = fold(word)
    return folded in _ORDINARY or guess_name(word) is not None or file_kind(word) is not None


def _stands_alone(needle: str, text: str) -> bool:
    start = text.find(needle)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(needle) : start + len(needle) + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        start = text.find(needle, start + 1)
    return False
