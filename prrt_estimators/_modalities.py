"""The modalities: what each is called, its unit, and what its intensities mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prrt_estimators._registry import Registry


@dataclass(frozen=True)
class Modality:
    """One kind of data about a patient: a scan, or the table of laboratory values.

    Parameters
    ----------
    name : str
        Key in a `Cohort`, e.g. ``"pet"``.
    title : str
        Short name for figures, e.g. ``"PET"``.
    text : str, default=""
        Name inside a sentence; the title if empty.
    unit : str, default=""
        Unit of the intensities.
    short_unit : str, default=""
        The same for the axis of a figure; `unit` if empty.
    scan : bool, default=True
        Whether it is one volume per patient; otherwise it is a table.
    columns : str, default=""
        Regular expression that finds the words for it in the name of a column of files, in lower case.
    window : pair of floats or None, default=None
        Intensities that become 0 and 1 in the networks.
    shown : pair of floats or None, default=None
        Intensities that are drawn black and white; from 0 to a high quantile of the scan if None.
    projected : pair of floats or None, default=None
        The same in a maximum intensity projection; `shown` if None.
    outside : float, default=0.0
        What lies outside the scan.
    body : float, default=0.0
        Intensity above which a voxel belongs to the body.
    uptake : bool, default=False
        Whether high values are uptake of a tracer: drawn dark on white, and summarised.
    whole : bool, default=False
        Whether intensities are whole numbers that are never below `outside`, such as HU.
    dicom : str, default=""
        Modality (0008,0060) of the series that an ingest reads; empty if there is no rule for reading them.

    Examples
    --------
    >>> MODALITIES["ct"].unit, MODALITIES["ct"].window
    ('HU', (-160.0, 240.0))
    """

    name: str
    title: str
    text: str = ""
    unit: str = ""
    short_unit: str = ""
    scan: bool = True
    columns: str = ""
    window: tuple[float, float] | None = None
    shown: tuple[float, float] | None = None
    projected: tuple[float, float] | None = None
    outside: float = 0.0
    body: float = 0.0
    uptake: bool = False
    whole: bool = False
    dicom: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*", self.name):
            raise ValueError(f"`name` of a modality must be lower-case letters and digits; got {self.name!r}.")
        object.__setattr__(self, "text", self.text or self.title)
        object.__setattr__(self, "short_unit", self.short_unit or self.unit)
        object.__setattr__(self, "projected", self.projected or self.shown)

    def named_in(self, words: str) -> bool:
        """Return whether words of a column's name, in lower case, name this modality."""
        return bool(self.columns) and re.search(self.columns, words) is not None


#: What is written before or behind the name of a scan without a blank: "petpath", "CTvol2", "lowdosect".
_WRITTEN_ON = (
    r"(ct|mr|vol\w*|path|file|files|nii|nifti|suv|img|image|scan|bild|datei|pfad|series|serie|native?|baseline)?\d*"
)
_WRITTEN_BEFORE = (
    r"(path|file|nii|nifti|img|image|scan|bild|datei|pfad|baseline|native?|planning|planungs|whole ?body)?"
)

#: Every modality; scans are listed and joined before tables.
MODALITIES: Registry[Modality] = Registry(
    "modality",
    Modality(
        "pet",
        "PET",
        unit="SUVbw",
        short_unit="SUV",
        columns=r"\b(sr pet|suv|suvbw|dotatate|dotatoc|dotanoc|fdg|sstr)\b"
        rf"|\b{_WRITTEN_BEFORE}(sr|sstr|fdg|net|ga|ga68|cu64|psma|dotatate|dotatoc|dotanoc)?pet{_WRITTEN_ON}\b",
        window=(0.0, 20.0),
        body=0.2,
        uptake=True,
        dicom="PT",
    ),
    Modality(
        "ct",
        "CT",
        unit="HU",
        columns=r"\b(hu|computed tomography|computertomograph\w*)\b"
        rf"|\b{_WRITTEN_BEFORE}(ce|ld|low ?dose|pet|spect|cb|portal|venous|venoes|arterial|arteriell)?ct{_WRITTEN_ON}\b",
        window=(-160.0, 240.0),
        shown=(-160.0, 240.0),
        projected=(0.0, 900.0),
        outside=-1024.0,
        body=-500.0,
        whole=True,
        dicom="CT",
    ),
    Modality("lab", "Labs", text="laboratory values", scan=False),
)
#: The modalities of the study, for what is about one of them: tracer uptake, organs on CT.
PET, CT = MODALITIES["pet"], MODALITIES["ct"]


class _Names(Sequence):
    """Names of some modalities, as the registry has them at the moment."""

    def __init__(self, belongs: Callable[[Modality], bool]):
        self._belongs = belongs

    def _names(self) -> list[str]:
        return [name for name, one in MODALITIES.items() if self._belongs(one)]

    def __len__(self) -> int:
        return len(self._names())

    def __getitem__(self, key: Any) -> Any:
        names = self._names()[key]
        return tuple(names) if isinstance(key, slice) else names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._names() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self._names()))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return modalities in the order in which they are listed and joined: scans, then tables.

    Examples
    --------
    >>> in_order(["lab", "ct", "pet"])
    ('pet', 'ct', 'lab')
    """
    present = set(names)
    return tuple(sorted((name for name in MODALITIES if name in present), key=lambda name: not MODALITIES[name].scan))


def anatomy_first(names: Iterable[str]) -> list[str]:
    """Return scans in order, those that show anatomy before those that show uptake: what tells body from air best.

    Examples
    --------
    >>> anatomy_first(["pet", "ct"])
    ['ct', 'pet']
    """
    present = set(names)
    return sorted((name for name in IMAGING if name in present), key=lambda name: MODALITIES[name].uptake)


def uptake_in(names: Iterable[str]) -> str | None:
    """Return the first of some modalities that shows uptake, None if none does.

    Examples
    --------
    >>> uptake_in(["ct", "pet"]), uptake_in(["ct", "lab"])
    ('pet', None)
    """
    present = set(names)
    return next((name for name in IMAGING if name in present and MODALITIES[name].uptake), None)


#: The modalities with one volume per patient, in order.
IMAGING: Sequence[str] = _Names(lambda one: one.scan)
#: Those whose DICOM series an ingest reads.
INGESTED: Sequence[str] = _Names(lambda one: bool(one.dicom))
