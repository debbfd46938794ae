"""From any folder layout to patients and series: every header read once, in parallel, nothing kept but what sorts."""

from __future__ import annotations

import datetime
import filecmp
import os
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from prrt_estimators.dicom._tracers import Tracer
from prrt_estimators.ingest._dicomdir import read_directory
from prrt_estimators.ingest._headers import CONTOURS, Header, floats, quiet, read_header

_BATCH = 64
_MAX_OTHERS = 1000
#: Below this many files, starting processes costs more than they save.
_MIN_FOR_PROCESSES = 1000
_IDENTIFYING = (
    "patient_id", "patient_name", "birth_date", "accession", "other_ids", "other_names", "birth_name", "mother",
    "address", "telephone", "referrer", "performer", "reader", "operator", "study_uid", "series_uid", "frame_uid",
    "study_date", "series_date", "acquisition_date", "institution", "institution_address", "department", "station",
    "serial", "study_id", "procedure_id", "admission_id", "ward", "names_decoded",
)  # fmt: skip


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


@dataclass
class Inventory:
    """Everything found in an export.

    Attributes
    ----------
    root : str
    patients : dict of str to Person
        By identifier as written; ``""`` holds images without one.
    n_files, n_other : int
        Files seen, and those among them that are not DICOM.
    others : list of str
        The first of those, to say what an export is that holds nothing else.
    loose : list of (kind, path)
        Damaged or unreadable files and folders that belong to no patient that could be told.
    """

    root: str
    patients: dict[str, Person] = field(default_factory=dict)
    n_files: int = 0
    n_other: int = 0
    others: list[str] = field(default_factory=list)
    loose: list[tuple[str, str]] = field(default_factory=list)


def walk(
    folder: str | os.PathLike[str],
    *,
    id_from: str = "patient_id",
    n_jobs: int = 1,
    skip: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inventory:
    """Read the headers of every file below a folder and group them by patient and series.

    Parameters
    ----------
    folder : path
    id_from : {"patient_id", "patient_name", "folder"}, default="patient_id"
        What tells patients apart; "folder" is the first folder below `folder`.
    n_jobs : int, default=1
        Processes.
    skip : path, default=None
        A folder that is not entered, such as that of the results.
    progress : callable, default=None
        Called with the files done and their number.

    Returns
    -------
    Inventory
    """
    root = os.path.abspath(folder)
    found = Inventory(root)
    closed: list[str] = []
    paths = sorted(_files(root, None if skip is None else os.path.realpath(skip), closed))
    found.n_files = len(paths)
    groups: dict[tuple[object, ...], Series] = {}
    seen: dict[tuple[object, ...], dict[int, str]] = {}
    bad = [("folder", path) for path in closed]
    directories = []
    for done, (path, read) in enumerate(_read_all(root, paths, n_jobs), 1):
        if isinstance(read, Header):
            _add(found, read, groups, seen, id_from)
        elif read == "directory":
            directories.append(path)
        elif read == "other" or (read == "empty" and not _looks_like_image(path)):
            found.n_other += 1
            if len(found.others) < _MAX_OTHERS:
                found.others.append(path)
        else:
            bad.append((read, path))
        if progress is not None and (done % _BATCH == 0 or done == len(paths)):
            progress(done, len(paths))
    _attribute(found, bad)
    present = {path.lower() for path in paths} if directories else set()
    for path in directories:
        _compare(found, path, present, id_from)
    return found


def _files(root: str, skip: str | None, closed: list[str]) -> Iterator[str]:
    """Give files below `root`; links to folders are followed, each folder once."""
    entered = set()

    def shut(error: OSError) -> None:
        closed.append(os.path.relpath(str(error.filename), root).replace(os.sep, "/"))

    for folder, inside, names in os.walk(root, onerror=shut, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered or real == skip:
            inside.clear()
            continue
        entered.add(real)
        inside.sort()
        start = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in names:
            if not name.startswith("."):
                yield name if start == "." else f"{start}/{name}"


def _read_all(root: str, paths: list[str], n_jobs: int) -> Iterator[tuple[str, Header | str]]:
    batches = [paths[k : k + _BATCH] for k in range(0, len(paths), _BATCH)]
    if n_jobs == 1 or len(paths) < _MIN_FOR_PROCESSES:
        answers: Iterator[list[Header | str]] = (_read_batch(root, batch) for batch in batches)
    else:
        from joblib import Parallel, delayed

        # Whatever joblib context is active: names and dates of birth stay on this machine.
        answers = Parallel(n_jobs=n_jobs, backend="loky", return_as="generator")(
            delayed(_read_batch)(root, b) for b in batches
        )
    for batch, read in zip(batches, answers, strict=True):
        yield from zip(batch, read, strict=True)


def _read_batch(root: str, paths: list[str]) -> list[Header | str]:
    quiet()
    return [read_header(root, path) for path in paths]


def _looks_like_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in ("", ".dcm", ".dicom", ".ima", ".img")


def key_of(texts: dict[str, str], path: str, id_from: str) -> str:
    """Return the identifier of the patient that a file is of."""
    if id_from == "folder":
        parts = PurePosixPath(path).parts
        return parts[0] if len(parts) > 1 else ""
    return texts[id_from].strip()


def _add(
    found: Inventory,
    header: Header,
    groups: dict[tuple[object, ...], Series],
    seen: dict[tuple[object, ...], dict[int, str]],
    id_from: str,
) -> None:
    texts = header.texts
    key = key_of(texts, header.path, id_from)
    person = found.patients.setdefault(key, Person(key))
    if texts["modality"] not in CONTOURS:
        # Contours of somebody else are left out by themselves; they cost nobody the images.
        # A name that cannot be decoded is no other name.
        name = "" if texts.get("name_unread") else texts["patient_name"]
        person.people.add((name, texts["birth_date"], texts["sex"]))
    _remember(person, {name: texts.get(name, "") for name in _IDENTIFYING})
    localiser = "LOCALIZER" in texts["image_type"].upper()
    group = (key, texts["study_uid"], texts["series_uid"], texts["modality"], localiser)
    series = groups.get(group)
    if series is None:
        series = groups[group] = Series(texts, localiser)
        person.series.append(series)
    if _is_copy(found.root, header, seen.setdefault(group, {})):
        series.copies += 1
        return
    orientation, position = floats(texts["orientation"]), floats(texts["position"])
    placed = len(position) == 3 and len(orientation) == 6
    if header.truncated:
        series.truncated += 1
        series.cut.append(_along(position, orientation) if placed else float("nan"))
        return
    series.files.append(header.path)
    series.slices += header.slices
    series.without_intercept += not texts["rescale_intercept"] and header.slices == 1
    if len(orientation) == 6:
        series.orientations.add(tuple(round(value, 2) + 0.0 for value in orientation))
    spacing = tuple(round(value, 3) for value in floats(texts["pixel_spacing"]))
    series.sizes.add((header.rows, header.columns, spacing))
    if placed:
        series.positions.append(_along(position, orientation))
        series.moments.append(hash(header.times))
    if len(position) == 3:
        series.low, series.high = min(series.low, position[2]), max(series.high, position[2])
    start = _moment(texts)
    if start is not None and (series.start is None or start < series.start):
        series.start = start


def _remember(person: Person, told: dict[str, str]) -> None:
    for name, text in told.items():
        if text:
            person.identity.setdefault(name, set()).add(text)


def _is_copy(root: str, header: Header, seen: dict[int, str]) -> bool:
    """Tell a second copy of a file; another file under the same UID stays, for the reader to refuse."""
    uid = header.texts["sop_uid"]
    first = seen.setdefault(hash(uid), header.path) if uid else header.path
    if first == header.path:
        return False
    try:
        return filecmp.cmp(os.path.join(root, first), os.path.join(root, header.path), shallow=False)
    except OSError:
        return False


def _along(position: list[float], orientation: list[float]) -> float:
    """Return the place of a slice along the normal of its plane."""
    (ax, ay, az), (bx, by, bz) = orientation[:3], orientation[3:]
    normal = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    return sum(p * n for p, n in zip(position, normal, strict=True))


def _moment(texts: dict[str, str]) -> datetime.datetime | None:
    """Return when a file was acquired, from the tag nearest to the acquisition."""
    day = texts["acquisition_date"] or texts["acquisition_datetime"][:8] or texts["series_date"] or texts["study_date"]
    clock = (
        texts["acquisition_time"] or texts["acquisition_datetime"][8:] or texts["series_time"] or texts["study_time"]
    )
    day, clock = re.sub(r"\D", "", day), re.sub(r"\D", "", clock.split(".")[0].split("+")[0])[:6]
    try:
        return datetime.datetime.strptime(day + clock.ljust(6, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _attribute(found: Inventory, bad: list[tuple[str, str]]) -> None:
    """Give each bad file to the one patient whose images lie around it, else to nobody."""
    owners: dict[str, set[str]] = {}
    for key, person in found.patients.items():
        for series in person.series:
            for folder in series.folders:
                while True:
                    owners.setdefault(folder, set()).add(key)
                    if folder in (".", ""):
                        break
                    folder = str(PurePosixPath(folder).parent)
    for kind, path in bad:
        folder = str(PurePosixPath(path).parent)
        while folder not in owners and folder != ".":
            folder = str(PurePosixPath(folder).parent)
        around = owners.get(folder, set())
        if len(around) == 1:
            found.patients[next(iter(around))].damaged.append((kind, path))
        else:
            found.loose.append((kind, path))


def _compare(found: Inventory, path: str, present: set[str], id_from: str) -> None:
    """Note what a DICOMDIR lists and the export lacks."""
    entries = read_directory(os.path.join(found.root, path))
    if entries is None:
        found.loose.append(("damaged", path))
        return
    base = PurePosixPath(path).parent
    for entry in entries:
        wanted = str(base / entry.path).lower()
        if wanted in present or f"{wanted}.dcm" in present:
            continue
        key = {"patient_id": entry.patient_id, "patient_name": entry.patient_name}.get(id_from, "").strip()
        if id_from == "folder" and len((base / entry.path).parts) > 1:
            key = (base / entry.path).parts[0]
        person = found.patients.setdefault(key, Person(key))
        told = {"patient_id": entry.patient_id, "patient_name": entry.patient_name, "series_uid": entry.series_uid}
        _remember(person, told)
        known = [series for series in person.series if series.uid == entry.series_uid and not series.localiser]
        for series in known:
            series.missing += 1
        person.listed_only += not known
