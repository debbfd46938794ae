"""From any folder layout to patients and series: every header read once, in parallel, nothing kept but what sorts."""

from __future__ import annotations

import datetime
import filecmp
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

from prrt_estimators._captured_warnings import closing
from prrt_estimators.ingest._dicomdir import read_directory
from prrt_estimators.ingest._export_records import Inventory, Person, Series
from prrt_estimators.ingest._headers import CONTOURS, Header, floats, quiet, read_header
from prrt_estimators.ingest._spilled import Spilled, SpilledTexts

_BATCH = 64
_MAX_OTHERS = 1000
#: Patients whose series stay in memory while files are read; files of one patient mostly lie together.
_MAX_OPEN = 16
#: Below this many files, starting processes costs more than they save.
_MIN_FOR_PROCESSES = 1000
_IDENTIFYING = (
    "patient_id", "patient_name", "birth_date", "accession", "other_ids", "other_names", "birth_name", "mother",
    "address", "telephone", "referrer", "performer", "reader", "operator", "study_uid", "series_uid", "frame_uid",
    "study_date", "series_date", "acquisition_date", "institution", "institution_address", "department", "station",
    "serial", "study_id", "procedure_id", "admission_id", "ward", "names_decoded",
)  # fmt: skip


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
    paths = SpilledTexts(_files(root, None if skip is None else os.path.realpath(skip), closed))
    found.n_files = len(paths)
    opened = _Opened(found.patients)
    bad = [("folder", path) for path in closed]
    directories = []
    with closing(_read_all(root, paths, found.n_files, n_jobs)) as answers:
        for done, (path, read) in enumerate(answers, 1):
            if isinstance(read, Header):
                _add(found.root, read, opened.at(key_of(read.texts, path, id_from)))
            elif read == "directory":
                directories.append(path)
            elif read == "other" or (read == "empty" and not _looks_like_image(path)):
                found.n_other += 1
                if len(found.others) < _MAX_OTHERS:
                    found.others.append(path)
            else:
                bad.append((read, path))
            if progress is not None and (done % _BATCH == 0 or done == found.n_files):
                progress(done, found.n_files)
    opened.put_away()
    if bad:
        _attribute(found, bad)
    present = paths.folded() if directories else paths
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


@dataclass
class _Open:
    """A patient whose files are being read.

    Attributes
    ----------
    person : Person
    groups : dict of tuple to int
        Places of series in the list of the patient.
    seen : list of dict of int to str
        The first file of each SOPInstanceUID, by series.
    """

    person: Person
    groups: dict[tuple[object, ...], int] = field(default_factory=dict)
    seen: list[dict[int, str]] = field(default_factory=list)


class _Opened:
    """The patients whose files were read last; the others lie on disk."""

    def __init__(self, patients: Spilled[Person]):
        self._patients = patients
        self._seen: Spilled[list[dict[int, str]]] = Spilled(
            lambda seen: [[*one.items()] for one in seen], lambda told: [dict(one) for one in told]
        )
        self._here: OrderedDict[str, _Open] = OrderedDict()

    def at(self, key: str) -> _Open:
        if key not in self._here:
            self._here[key] = self._known(key)
            self.put_away(_MAX_OPEN)
        self._here.move_to_end(key)
        return self._here[key]

    def _known(self, key: str) -> _Open:
        if key not in self._patients:
            return _Open(Person(key))
        person = self._patients[key]
        return _Open(person, {one.group(key): k for k, one in enumerate(person.series)}, self._seen[key])

    def put_away(self, but: int = 0) -> None:
        while len(self._here) > but:
            key, one = self._here.popitem(last=False)
            self._patients[key], self._seen[key] = one.person, one.seen


def _read_all(
    root: str, paths: SpilledTexts, n_paths: int, n_jobs: int
) -> Generator[tuple[str, Header | str], None, None]:
    rest = iter(paths)
    batches = iter(lambda: list(islice(rest, _BATCH)), [])
    answers: Generator[list[tuple[str, Header | str]], None, None]
    if n_jobs == 1 or n_paths < _MIN_FOR_PROCESSES:
        answers = (_read_batch(root, batch) for batch in batches)
    else:
        from joblib import Parallel, delayed

        # Whatever joblib context is active: names and dates of birth stay on this machine.
        answers = Parallel(n_jobs=n_jobs, backend="loky", return_as="generator")(
            delayed(_read_batch)(root, b) for b in batches
        )
    with closing(answers):
        for answer in answers:
            yield from answer


def _read_batch(root: str, paths: list[str]) -> list[tuple[str, Header | str]]:
    quiet()
    return [(path, read_header(root, path)) for path in paths]


def _looks_like_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in ("", ".dcm", ".dicom", ".ima", ".img")


def key_of(texts: dict[str, str], path: str, id_from: str) -> str:
    """Return the identifier of the patient that a file is of."""
    if id_from == "folder":
        parts = PurePosixPath(path).parts
        return parts[0] if len(parts) > 1 else ""
    return texts[id_from].strip()


def _add(root: str, header: Header, opened: _Open) -> None:
    texts, person = header.texts, opened.person
    if texts["modality"] not in CONTOURS:
        # Contours of somebody else are left out by themselves; they cost nobody the images.
        # A name that cannot be decoded is no other name.
        name = "" if texts.get("name_unread") else texts["patient_name"]
        person.people.add((name, texts["birth_date"], texts["sex"]))
    _remember(person, {name: texts.get(name, "") for name in _IDENTIFYING})
    localiser = "LOCALIZER" in texts["image_type"].upper()
    series = Series(texts, localiser)
    place = opened.groups.setdefault(series.group(person.key), len(person.series))
    if place == len(person.series):
        person.series.append(series)
        opened.seen.append({})
    series = person.series[place]
    if _is_copy(root, header, opened.seen[place]):
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
    wanted = {str(folder) for _, path in bad for folder in PurePosixPath(path).parents}
    owners: dict[str, set[str]] = {}
    for key, person in found.patients.items():
        for series in person.series:
            for folder in series.folders:
                for above in (folder, *map(str, PurePosixPath(folder).parents)):
                    if above in wanted:
                        owners.setdefault(above, set()).add(key)
    for kind, path in bad:
        folder = str(PurePosixPath(path).parent)
        while folder not in owners and folder != ".":
            folder = str(PurePosixPath(folder).parent)
        around = owners.get(folder, set())
        if len(around) == 1:
            (key,) = around
            person = found.patients[key]
            person.damaged.append((kind, path))
            found.patients[key] = person
        else:
            found.loose.append((kind, path))


def _compare(found: Inventory, path: str, present: SpilledTexts, id_from: str) -> None:
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
        person = found.patients.get(key) or Person(key)
        told = {"patient_id": entry.patient_id, "patient_name": entry.patient_name, "series_uid": entry.series_uid}
        _remember(person, told)
        known = [series for series in person.series if series.uid == entry.series_uid and not series.localiser]
        for series in known:
            series.missing += 1
        person.listed_only += not known
        found.patients[key] = person
