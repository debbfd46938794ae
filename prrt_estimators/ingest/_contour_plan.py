"""Which contour objects go to a patient, decided before one is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from prrt_estimators._arguments import parameter
from prrt_estimators._modalities import INGESTED
from prrt_estimators.ingest._contour_choice import ContourWishes
from prrt_estimators.ingest._export_records import Person
from prrt_estimators.ingest._headers import CONTOURS
from prrt_estimators.ingest._person_matching import contradiction
from prrt_estimators.ingest._series_selection import Choice

_OBSERVERS = ("first", "last", "all")
#: What shows that an object is of another person; names are written in many ways.
_ANOTHER_PERSON = ("dates of birth differ", "sexes differ")


@dataclass(frozen=True)
class ContourTask:
    """The contour objects of a patient.

    Attributes
    ----------
    files : tuple of str
        Below the root of the export.
    places : dict of str to list of (series, frame of reference)
        Identifiers of the series that are tried one after the other, the first with its other parts.
    named, foreign : frozenset of str
        Files that the user names (None: any), and those that are of another person.
    """

    files: tuple[str, ...] = ()
    places: Mapping[str, list[tuple[frozenset[str], str]]] = field(default_factory=dict)
    named: frozenset[str] | None = None
    foreign: frozenset[str] = frozenset()
    wishes: ContourWishes = field(default_factory=ContourWishes)

    @property
    def settings(self) -> list[object]:
        """What besides the files decides what is made of them."""
        asked = self.wishes
        named = None if self.named is None else sorted(self.named)
        places = [[kind, [[sorted(series), frame] for series, frame in tried]] for kind, tried in self.places.items()]
        return [places, named, sorted(self.foreign), asked.observers, asked.lesions, asked.not_lesions]


def check_wishes(observers: str, lesions: str | None, not_lesions: str | None) -> ContourWishes:
    """Return what the user asks for, checked.

    Raises
    ------
    ValueError
        If the observers are unknown, or an expression cannot be read.
    """
    if observers not in _OBSERVERS:
        raise ValueError(
            f"{parameter('contours')} must be one of {', '.join(map(repr, _OBSERVERS))}; got {observers!r}."
        )
    for name, pattern in (("lesions", lesions), ("not_lesions", not_lesions)):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{parameter(name)} must be a regular expression; got {pattern!r} ({error}).") from None
    return ContourWishes(observers, lesions, not_lesions)  # type: ignore[arg-type]


def contour_task(person: Person | None, choice: Choice, named: str | None, wishes: ContourWishes) -> ContourTask:
    """Return the contour objects of a patient, damaged ones too, so that each is accounted for."""
    if person is None:
        return ContourTask()
    drawn = [series for series in person.series if series.modality in CONTOURS]
    damaged = [path for kind, path in person.damaged if kind == "contours"]
    files = tuple(sorted({*damaged, *(file for series in drawn for file in series.files)}))
    wanted = None if named is None else named.strip().strip("/")
    chosen = [
        series
        for series in drawn
        if wanted in (series.uid, series.texts["series_number"]) or wanted in series.folders or wanted in series.files
    ]
    foreign = [
        file
        for series in drawn
        if contradiction({*person.people, _who(series.texts)}) in _ANOTHER_PERSON
        for file in series.files
    ]
    return ContourTask(
        files=files,
        places={kind: _places(choice, kind) for kind in INGESTED if getattr(choice, kind) is not None},
        named=None if wanted is None else frozenset(file for series in chosen for file in series.files),
        foreign=frozenset(foreign),
        wishes=wishes,
    )


def _places(choice: Choice, kind: str) -> list[tuple[frozenset[str], str]]:
    first, parts = getattr(choice, kind), getattr(choice, f"{kind}_parts")
    tried = [[first, *parts], *([series] for series in getattr(choice, f"{kind}_others"))]
    return [(frozenset(one.uid for one in several), several[0].texts["frame_uid"]) for several in tried]


def _who(texts: Mapping[str, str]) -> tuple[str, str, str]:
    return texts["patient_name"], texts["birth_date"], texts["sex"]
