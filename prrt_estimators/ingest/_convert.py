"""One patient from files of the scanner to volumes of the cohort; whatever goes wrong stays with that patient."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib

from prrt_estimators._arguments import OR_PASS, spelt
from prrt_estimators._io import atomic_write, is_fault, make_folder
from prrt_estimators._modalities import CT, INGESTED, PET
from prrt_estimators.dicom._opening import read_dataset
from prrt_estimators.exceptions import MissingDependencyError, ScannerFileError
from prrt_estimators.ingest._contour_plan import ContourTask
from prrt_estimators.ingest._deface import head_plane, remove_above
from prrt_estimators.ingest._headers import quiet
from prrt_estimators.ingest._identity_search import IdentitySearch
from prrt_estimators.ingest._joined_series import join
from prrt_estimators.ingest._lesion_files import LESIONS, lesion_image, lesion_record, read_lesions
from prrt_estimators.ingest._privacy import Finding, check_file
from prrt_estimators.ingest._provenance import grid_record, suv_record, tags_of
from prrt_estimators.ingest._quality_sheets import save_strip, strip
from prrt_estimators.ingest._volume_files import save

RECORD, STRIP = "record.json", "quality.png"
SCANS = {name: f"{name}.nii.gz" for name in INGESTED}
_DIFFERENT_WEIGHT = 0.15
#: A disk that is full, or the user's share of it: no fault of one patient's files.
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Task:
    """What is to be done for one patient.

    Attributes
    ----------
    patient : str
        Pseudonym.
    folder : str
        Where the patient's files go.
    root : str
        The export.
    files : dict of str to list of str
        Of the chosen series, below `root`: the lists of the inventory themselves, so that no path is kept twice.
    stamp : str
        Keyed digest of the files and of everything that decides what is made of them.
    identity_digest : str
        Keyed digest of what the outputs were searched for.
    require : tuple of str
        Modalities without which the patient cannot be used.
    others, parts : dict of str to list of list of str
        Files of the series that are tried, one after the other, where the first cannot be read; of those that show other
        parts of the body.
    """

    patient: str
    folder: str
    root: str
    files: dict[str, list[str]]
    stamp: str
    identity_digest: str
    require: tuple[str, ...] = tuple(INGESTED)
    weight_kg: float | None = None
    deface: bool = False
    others: dict[str, list[list[str]]] = field(default_factory=dict)
    parts: dict[str, list[list[str]]] = field(default_factory=dict)
    contours: ContourTask = field(default_factory=ContourTask)

    def paths(self, files: list[str]) -> list[str]:
        """Return the whole paths of the files of a series."""
        return [os.path.join(self.root, file) for file in files]


@dataclass
class Converted:
    """What became of a patient.

    Attributes
    ----------
    record : dict
        What is kept with the patient's files; empty if there are none.
    stage, reason : str
        Why the patient is left out; empty otherwise.
    """

    patient: str
    record: dict[str, Any] = field(default_factory=dict)
    stage: str = ""
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    kept: bool = False


def _in_an_export(name: str, value: Any) -> str | None:
    """Return how messages name an argument of `read_pet` to a user who has a table in its place."""
    if value is not OR_PASS:
        return None
    return ", or give the table a column with it" if name == "weight_kg" else ""


def convert(task: Task, identity: IdentitySearch) -> Converted:
    """Convert a patient, unless that was done before from the same files in the same way.

    Returns
    -------
    Converted
        Never an exception but for an interruption: the reason is in the result.
    """
    quiet()
    with spelt(_in_an_export), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            result = _finished(task, identity)
            if result is None:
                result = _convert(task, identity)
        except _LeftOut as error:
            result = Converted(task.patient, stage=error.stage, reason=identity.clean(error.reason))
        except MissingDependencyError as error:
            result = Converted(task.patient, stage="reading", reason=identity.clean(str(error)))
        except OSError as error:
            if error.errno in _FULL:
                raise OSError(
                    error.errno,
                    f"no space is left in {Path(task.folder).parent}. Free some and run the same again; finished "
                    "patients are kept",
                ) from None
            result = Converted(task.patient, stage="reading", reason=f"unexpected {type(error).__name__}")
        except BaseException as error:
            if not is_fault(error):
                raise
            # An unforeseen fault of one patient's files must not cost the others, and its words may quote a name.
            result = Converted(task.patient, stage="reading", reason=f"unexpected {type(error).__name__}")
    if not result.kept:
        told = [str(one.message) for one in heard if issubclass(one.category, UserWarning) and _ours(one)]
        result.notes += [identity.clean(text).rstrip(".") for text in dict.fromkeys(told)]
        if result.record:
            result.record["notes"] = result.notes
            _write_record(task, result.record)
    return result


class _LeftOut(Exception):
    def __init__(self, stage: str, reason: str):
        super().__init__(reason)
        self.stage, self.reason = stage, reason


def _ours(warning: warnings.WarningMessage) -> bool:
    return warning.category.__module__.startswith("prrt_estimators")


def _finished(task: Task, identity: IdentitySearch) -> Converted | None:
    """Return what an earlier run made, if its files are all there and unchanged."""
    folder = Path(task.folder)
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        if record["stamp"] != task.stamp or any(_digest(folder / name) != one for name, one in record["files"].items()):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    result = Converted(task.patient, record, notes=list(record.get("notes", [])), kept=True)
    if record.get("searched_for") != task.identity_digest:
        result.findings = _search(folder, list(record["files"]), identity)
        if not result.findings:
            record["searched_for"] = task.identity_digest
            _write_record(task, record)
    return result


def _convert(task: Task, identity: IdentitySearch) -> Converted:
    result = Converted(task.patient)
    images: dict[str, Any] = {}
    record: dict[str, Any] = {"stamp": task.stamp, "grid": "native"}
    for kind in SCANS:
        if not task.files.get(kind):
            continue
        try:
            images[kind], record[kind] = _first_readable(kind, task, identity, result)
        except ScannerFileError as error:
            text = _without_files(str(error), task)
            if kind in task.require:
                raise _LeftOut("reading", f"{kind.upper()}: {text.rstrip('.')}") from None
            result.notes.append(identity.clean(f"{kind.upper()} left out: {text}".rstrip(".")))
    if not images:
        raise _LeftOut("reading", "no scan could be read")
    drawn = read_lesions(task.root, task.contours, images, record)
    height = _deface(images, result) if task.deface else float("inf")
    lesions = lesion_image(drawn, height)
    if drawn is not None:
        record["contours"] = lesion_record(drawn, lesions, images.get(PET.name))
        result.notes += [identity.clean(note) for note in drawn.notes]
    suv_max = float(images[PET.name].dataobj.max()) if PET.name in images else None
    folder = Path(task.folder)
    make_folder(folder)
    # Without its record a patient counts as unfinished, so the old one goes first and the new one comes last.
    (folder / RECORD).unlink(missing_ok=True)
    for kind, name in SCANS.items():
        if kind in images:
            save(images[kind], folder / name)
            record[kind]["grid"] = grid_record(images[kind])
        else:
            (folder / name).unlink(missing_ok=True)
    if lesions is None:
        (folder / LESIONS).unlink(missing_ok=True)
    else:
        save(lesions, folder / LESIONS)
    if suv_max is not None:
        record[PET.name]["suv_max"] = round(suv_max, 2)
    save_strip(strip(images.get(PET.name), images.get(CT.name), lesions), folder / STRIP)
    names = [*(SCANS[kind] for kind in images), *([] if lesions is None else [LESIONS]), STRIP]
    record["files"] = {name: _digest(folder / name) for name in names}
    result.findings = _search(folder, names, identity)
    record["searched_for"] = "" if result.findings else task.identity_digest
    result.record = record
    return result


def _first_readable(
    kind: str, task: Task, identity: IdentitySearch, result: Converted
) -> tuple[nib.Nifti1Image, dict[str, Any]]:
    """Read the first series that can be read, with its other parts; the error of the first where none can."""
    tried = [task.files[kind], *task.others.get(kind, [])]
    first: ScannerFileError | None = None
    for place, files in enumerate(tried):
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                image, record = _read(kind, files, task, identity, result)
        except ScannerFileError as error:
            first = first or error
            continue
        for one in heard:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        record["series_tried"] = place + 1
        if first is not None:
            text = _without_files(str(first), task).rstrip(".")
            result.notes.append(
                identity.clean(f"{kind.upper()} series {place + 1} by the rules is taken, the first: {text}")
            )
        else:
            image = _joined(kind, image, record, task, identity, result)
        return image, record
    assert first is not None
    raise first


def _joined(
    kind: str, image: nib.Nifti1Image, record: dict[str, Any], task: Task, identity: IdentitySearch, result: Converted
) -> nib.Nifti1Image:
    """Join a volume with its other parts, or say why they are left out."""
    parts = task.parts.get(kind, [])
    if not parts:
        return image
    try:
        others = [_read(kind, files, task, identity, result)[0] for files in parts]
        whole = join([image, *others])
    except ScannerFileError as error:
        text = _without_files(str(error), task).rstrip(".")
        result.notes.append(
            identity.clean(
                f"{len(parts)} other {kind.upper()} series of the same hour show more of the body, not joined: {text}"
            )
        )
        return image
    record["series_joined"] = len(parts) + 1
    record["n_files"] += sum(map(len, parts))
    result.notes.append(f"{kind.upper()} joined of {len(parts) + 1} series")
    return whole


def _read(
    kind: str, named: list[str], task: Task, identity: IdentitySearch, result: Converted
) -> tuple[nib.Nifti1Image, dict[str, Any]]:
    from prrt_estimators.dicom import read_ct, read_pet

    files = task.paths(named)
    header = read_dataset(files[0], pixels=False)
    record: dict[str, Any] = {"n_files": len(files), "tags": tags_of(header, identity)}
    if kind == CT.name:
        return read_ct(files), record
    weight = _positive(header, "PatientWeight")
    if weight is None and task.weight_kg is not None:
        image = read_pet(files, weight_kg=task.weight_kg)
        result.notes.append("weight taken from the table: the images have none")
    else:
        image = read_pet(files)
        if weight and task.weight_kg and abs(weight / task.weight_kg - 1) > _DIFFERENT_WEIGHT:
            result.notes.append(f"weight in the images is {weight / task.weight_kg:.2f} times that in the table")
    record["suv"] = suv_record(image.extra["suv"])
    return image, record


def _positive(header: Any, keyword: str) -> float | None:
    try:
        value = float(header.get(keyword) or 0)
    except (TypeError, ValueError):
        return None
    return value if value > 0 else None


def _without_files(text: str, task: Task) -> str:
    """Take names of files out of a message: they may be those of persons."""
    for kind, files in task.files.items():
        for series in (files, *task.others.get(kind, []), *task.parts.get(kind, [])):
            for file in task.paths(series):
                for part in (file, Path(file).name):
                    text = text.replace(part, "a file")
    return text


def _deface(images: dict[str, Any], result: Converted) -> float:
    """Remove the head from scans; return the height in mm above which it lay."""
    if CT.name not in images:
        raise _LeftOut("CT", "the head can only be removed where there is a CT to find it by")
    try:
        height = head_plane(images[CT.name])
    except ScannerFileError as error:
        raise _LeftOut("reading", str(error).rstrip(".")) from None
    for kind in images:
        images[kind] = remove_above(images[kind], height, kind)
    result.notes.append("the scan ends below the head" if height == float("inf") else "head removed")
    return height


def _search(folder: Path, names: list[str], identity: IdentitySearch) -> list[Finding]:
    return [found for name in names for found in check_file(folder / name, f"patients/{folder.name}/{name}", identity)]


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_record(task: Task, record: dict[str, Any]) -> None:
    with atomic_write(Path(task.folder) / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")
