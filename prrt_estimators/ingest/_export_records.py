"""What is known of an export: its series, its patients, and where they are kept."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from prrt_estimators.dicom._tracers import Tracer
from prrt_estimators.ingest._spilled import Spilled


@dataclass
class Series:
    """The images of one series of one patient, localisers apart from the rest.

    Attributes
    ----------
    texts : dict of str to str
        Tags of the first file.
    files : list of str
        Below the folder that was walked.
    slices : int
        Files, or frames where files hold several.
    orientations, sizes : set
        Directions of the image plane; rows, columns and pixel spacing.
    low, high : float
        Least and greatest height of an image position, in mm towards the head.
    start : datetime or None
        The earliest acquisition.
    truncated, copies, missing : int
        Files that end early; byte-identical copies left out; files that a DICOMDIR lists and that are not there.
    without_intercept : int
        Files that lack RescaleIntercept.
    positions, moments : array
        Of every single-slice image: millimetres along the normal, and a number that tells its time point from others.
    cut : array
        Where the images lie that end early, which are not among the files; NaN where that is not told.
    """

    texts: dict[str, str]
    localiser: bool
    files: list[str] = field(default_factory=list)
    slices: int = 0
    orientations: set[tuple[float, ...]] = field(default_factory=set)
    sizes: set[tuple[object, ...]] = field(default_factory=set)
    low: float = float("inf")
    high: float = float("-inf")
    start: datetime.datetime | None = None
    truncated: int = 0
    copies: int = 0
    missing: int = 0
    without_intercept: int = 0
    positions: array[float] = field(default_factory=lambda: array("d"), repr=False)
    moments: array[int] = field(default_factory=lambda: array("q"), repr=False)
    cut: array[float] = field(default_factory=lambda: array("d"), repr=False)

    @property
    def tracer(self) -> Tracer:
        """What a PET shows, as the first file tells it."""
        texts = self.texts
        return Tracer(texts.get("tracer", ""), texts.get("target", ""), texts.get("nuclide", ""))

    @property
    def uid(self) -> str:
        """SeriesInstanceUID."""
        return self.texts["series_uid"]

    @property
    def modality(self) -> str:
        """Modality, e.g. ``"PT"``."""
        return self.texts["modality"]

    @property
    def folders(self) -> set[str]:
        """Folders that hold files of the series."""
        return {str(PurePosixPath(file).parent) for file in self.files}

    def group(self, key: str) -> tuple[object, ...]:
        """Return what tells the series from every other of the export; `key` is the patient."""
        return (key, self.texts["study_uid"], self.uid, self.modality, self.localiser)


@dataclass
class Person:
    """A patient as the images know them.

    Attributes
    ----------
    key : str
        The identifier that tables are joined by.
    series : list of Series
    people : set of (name, date of birth, sex)
        As the images have them; more than one may be more than one person.
    identity : dict of str to set of str
        What tells who it is, by field of the header.
    damaged : list of (kind, path)
        Files that could not be read among the images of this patient alone.
    listed_only : int
        Images that a DICOMDIR lists of series that are not there.
    """

    key: str
    series: list[Series] = field(default_factory=list)
    people: set[tuple[str, str, str]] = field(default_factory=set)
    identity: dict[str, set[str]] = field(default_factory=dict)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    listed_only: int = 0


def spilled_persons() -> Spilled[Person]:
    """Return an empty mapping of patients, which holds none of them in memory.

    Examples
    --------
    >>> found = spilled_persons()
    >>> found["7"] = Person("7", people={("Doe", "", "F")})
    >>> found["7"]
    Person(key='7', series=[], people={('Doe', '', 'F')}, identity={}, damaged=[], listed_only=0)
    """
    return Spilled(_of_person, _person)


def _of_person(person: Person) -> dict[str, Any]:
    told = vars(person) | {"series": [_of_series(series) for series in person.series], "people": [*person.people]}
    return told | {"identity": {name: [*texts] for name, texts in person.identity.items()}}


def _of_series(series: Series) -> dict[str, Any]:
    start = None if series.start is None else series.start.isoformat()
    several = {name: [*getattr(series, name)] for name in ("orientations", "sizes", "positions", "moments", "cut")}
    return vars(series) | several | {"start": start}


def _person(told: dict[str, Any]) -> Person:
    return Person(
        told["key"],
        [_series(one) for one in told["series"]],
        {tuple(one) for one in told["people"]},
        {name: set(texts) for name, texts in told["identity"].items()},
        [tuple(one) for one in told["damaged"]],
        told["listed_only"],
    )


def _series(told: dict[str, Any]) -> Series:
    told["orientations"] = {tuple(one) for one in told["orientations"]}
    told["sizes"] = {(rows, columns, tuple(spacing)) for rows, columns, spacing in told["sizes"]}
    for name, kind in (("positions", "d"), ("moments", "q"), ("cut", "d")):
        told[name] = array(kind, told[name])
    if told["start"] is not None:
        told["start"] = datetime.datetime.fromisoformat(told["start"])
    return Series(**told)


@dataclass
class Inventory:
    """Everything found in an export.

    Attributes
    ----------
    root : str
    patients : mapping of str to Person
        By identifier as written; ``""`` holds images without one. Each is read from disk when it is asked for.
    n_files, n_other : int
        Files seen, and those among them that are not DICOM.
    others : list of str
        The first of those, to say what an export is that holds nothing else.
    loose : list of (kind, path)
        Damaged or unreadable files and folders that belong to no patient that could be told.
    """

    root: str
    patients: Spilled[Person] = field(default_factory=spilled_persons)
    n_files: int = 0
    n_other: int = 0
    others: list[str] = field(default_factory=list)
    loose: list[tuple[str, str]] = field(default_factory=list)


class People(Mapping[str, Person]):
    """Patients by canonical identifier, each joined of those under its spellings when it is asked for.

    Parameters
    ----------
    patients : mapping of str to Person
    spellings : mapping of str to list of str
        The identifiers as written, by canonical identifier.
    """

    def __init__(self, patients: Mapping[str, Person], spellings: Mapping[str, list[str]]):
        self._patients, self._spellings = patients, spellings
        self._last: Person | None = None

    def __getitem__(self, name: str) -> Person:
        if self._last is None or self._last.key != name:
            self._last = joined(name, [self._patients[key] for key in self._spellings[name]])
        return self._last

    def __iter__(self) -> Iterator[str]:
        return iter(self._spellings)

    def __len__(self) -> int:
        return len(self._spellings)


def joined(name: str, persons: list[Person]) -> Person:
    """Return one patient of several spellings of an identifier."""
    whole = Person(name)
    for person in persons:
        whole.series += person.series
        whole.people |= person.people
        whole.damaged += person.damaged
        whole.listed_only += person.listed_only
        for name_of_field, texts in person.identity.items():
            whole.identity.setdefault(name_of_field, set()).update(texts)
    return whole
