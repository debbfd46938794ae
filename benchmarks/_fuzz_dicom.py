"""Damaged series and exports for `fuzz.py`, and what their files say to another reader."""

from __future__ import annotations

import functools
import io
import math
import re
import shutil
import tarfile
import warnings
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from _fuzz_harm import Kind, harmed
from _fuzz_scans import SHARED
from _fuzz_tables import harm_table
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue

from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.dicom import read_ct, read_pet
from prrt_estimators.ingest import ingest

#: What is put in place of an element.
_VALUES = [
    b"", b"0 ", b"-1", b"1 ", b"2 ", b"9" * 400, "²".encode(), b"1e400 ", b"nan ", b"inf ", b"1,5 ", b"1\\2 ", b"1\\1\\1 ",
    b"\\\\", b"20200230", b"20200102", b"000000", b"090000", b"9000", b"2020-01-02T09:00:00 ", b"19000101000000",
    b"20210514130500+0900 ", b"NONE", b"ADMIN ", b"START ", b"CNTS", b"GML ", b"PROPCPS ", b"PT", b"CT", b"HFP ", b"US",
    b"\xff\xff", b"\0\0", b"\x08\0", b"\x20\0", b"\x01\0", b"\xfc\0\0\0", b"\x1b[2J", b"=1+1", bytes(300),
]  # fmt: skip
_KEY = bytes(range(32))


def _as_written(write: Callable[..., Any]) -> Callable[..., Any]:
    """Let pydicom write what breaks a rule of form without a word."""

    @functools.wraps(write)
    def quiet(*given: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return write(*given)

    return quiet


@_as_written
def make_series(folder: Path) -> list[Path]:
    """Write PET and CT of four slices, plain, deflated and run-length encoded, and slices of a real export where there is one."""
    patient = sorted((_two_patients(folder) / "dicom").iterdir())[0]
    made = []
    for kind in ("PET", "CT"):
        for name in ("plain", "deflated", "packed"):
            place = folder / f"{kind}-{name}"
            place.mkdir()
            for file in sorted((patient / kind).glob("*.dcm"))[:4]:
                header = pydicom.dcmread(file)
                if name == "packed":
                    header.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
                elif name == "deflated":
                    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
                header.save_as(place / file.name)
            made.append(place)
    for archive in sorted(SHARED.glob("petct_dicom/*.tar.gz"))[:1]:
        with tarfile.open(archive) as packed:
            for kind in ("PET", "CT"):
                members = [one for one in packed.getmembers() if one.isfile() and f"/{kind}/image/" in one.name]
                headers = [pydicom.dcmread(io.BytesIO(packed.extractfile(one).read())) for one in members]  # type: ignore[union-attr]
                place = folder / f"{kind}-real"
                place.mkdir()
                for k, header in enumerate(sorted(headers, key=_height)[:4]):
                    header.save_as(place / f"{k}.dcm")
                made.append(place)
    return made


def _two_patients(folder: Path) -> Path:
    export = folder.with_name("two patients")
    if not export.exists():
        make_cohort_folder(export, 2, "dicom", volume_shape=8, ct_shape=8, random_state=0)
    return export


def harm_series(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Copy a series, damage bytes or an element of one of its files, or one element of all; name the copy in the target."""
    copy = target.with_suffix(".series")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    harm_files(rng, sorted(copy.iterdir()))
    target.write_text(str(copy))


@_as_written
def harm_files(rng: np.random.Generator, files: list[Path]) -> None:
    """Damage one of the files of a series, or all of them in one way."""
    one = files[int(rng.integers(0, len(files)))]
    way = rng.random()
    if way < 0.3:
        one.write_bytes(harmed(rng, one.read_bytes()))
        return
    chosen, value, gone = rng.random(), _VALUES[int(rng.integers(0, len(_VALUES)))], rng.random() < 0.2
    for file in files if way < 0.7 else [one]:
        header = pydicom.dcmread(file)
        owners = _elements(header)
        owner, tag = owners[int(chosen * len(owners))]
        if gone:
            del owner[tag]
        else:
            raw = RawDataElement(tag, owner[tag].VR, len(value), value, 0, False, True)
            owner._dict[tag] = raw
        header.save_as(file)


def _elements(dataset: Any) -> list[tuple[Any, Any]]:
    """Return the elements of an object, those of its sequences too, pixels aside."""
    found = []
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found += _elements(item)
        if element.keyword != "PixelData":
            found.append((dataset, element.tag))
    return found


def check_series(damaged: Path, source: Path) -> str:
    """Compare what is read with the undamaged series, else with what the damaged headers say by the standard."""
    copy = Path(damaged.read_text())
    try:
        read = read_pet if "PET" in source.name else read_ct
        image = read(copy)
        wanted = read(source)
        if _same(image, wanted):
            return "as it is"
        return "as it is" if _same(image, _or_none(copy, source.name[:3] == "PET")) else "wrong"
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _same(image: Any, wanted: Any) -> bool:
    if wanted is None or image.shape != wanted.shape or not np.allclose(image.affine, wanted.affine, atol=1e-3):
        return False
    return np.allclose(np.asarray(image.dataobj), np.asarray(wanted.dataobj), rtol=1e-4, atol=1e-5)


def _or_none(folder: Path, pet: bool) -> nib.Nifti1Image | None:
    try:
        return by_the_standard(folder, pet)
    except Exception:  # what this reader cannot read, the other must have refused
        return None


def by_the_standard(folder: Path, pet: bool) -> nib.Nifti1Image | None:
    """Return a series as its headers say, None where they leave something open."""
    headers = []
    for file in sorted(folder.iterdir()):
        try:
            header = pydicom.dcmread(file, force=True)
            if {"Rows", "ImagePositionPatient", "PixelData"} <= set(header.dir()):
                headers.append(header)
        except Exception:
            return None
    headers.sort(key=_height)
    first, last = headers[0], headers[-1]
    # The scan begins once: with the earliest of its slices.
    factor = _factor(min(headers, key=lambda header: str(header.get("AcquisitionTime", "")))) if pet else 1.0
    planes = [_values(header, factor if pet else None) for header in headers]
    rows, columns = (np.array(first.ImageOrientationPatient[part], float) for part in (slice(3), slice(3, 6)))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = rows * float(first.PixelSpacing[1]), columns * float(first.PixelSpacing[0])
    origin = np.array(first.ImagePositionPatient, float)
    affine[:3, 2] = (np.array(last.ImagePositionPatient, float) - origin) / max(len(headers) - 1, 1)
    affine[:3, 3] = origin
    volume = np.stack([plane.T for plane in planes], axis=-1)
    return nib.as_closest_canonical(nib.Nifti1Image(volume.astype(np.float32), np.diag([-1, -1, 1, 1]) @ affine))


def _height(header: Any) -> float:
    rows, columns = (np.array(header.ImageOrientationPatient[part], float) for part in (slice(3), slice(3, 6)))
    return float(np.cross(rows, columns) @ np.array(header.ImagePositionPatient, float))


def _values(header: Any, factor: float | None) -> np.ndarray:
    stored = header.pixel_array.astype(np.float64)
    values = stored * _one(header.RescaleSlope) + _one(header.RescaleIntercept)
    padding = header.get("PixelPaddingValue")
    if padding is not None and not isinstance(padding, (bytes, str)):
        values[stored == padding] = -1024 if factor is None else 0
    return np.clip(np.rint(values), -1024, 32767) if factor is None else values * factor


def _one(value: Any) -> float:
    """Return a number, that of several where they are equal: some writers repeat it for each channel."""
    several = {float(part) for part in value} if isinstance(value, MultiValue) else {float(value)}
    (one,) = several
    return one


def _factor(header: Any) -> float:
    """Return what Bq/mL, or g/mL of body weight, are multiplied by."""
    if str(header.Units).strip() == "GML":
        return 1.0
    item = header.RadiopharmaceuticalInformationSequence[0]
    life = _one(item.RadionuclideHalfLife)
    begun = _moment(header, "AcquisitionDate", "AcquisitionTime")
    start = _moment(header, "SeriesDate", "SeriesTime")
    if start is None or (begun is not None and begun < start):
        if begun is None:
            return math.nan
        # The standard's reference time of a frame is its average time, counted from the start of the scan.
        decay = math.log(2) / life * _one(header.ActualFrameDuration) / 1000
        average = math.log(decay / -math.expm1(-decay)) / (math.log(2) / life)
        start = begun + timedelta(seconds=average - _one(header.FrameReferenceTime) / 1000)
    told = re.fullmatch(r"(\d{8})(\d{6})(\.\d*)?", str(item.get("RadiopharmaceuticalStartDateTime", "") or "").strip())
    clock = told[2] if told else str(item.get("RadiopharmaceuticalStartTime", "") or "")
    injected = _clock(clock)
    if injected is None:
        return math.nan
    seconds = (start - datetime.combine(start.date(), time()) - injected).total_seconds() % 86400
    decayed = 0.0 if str(header.DecayCorrection).strip() == "ADMIN" else seconds / life
    return 1000 * _one(header.PatientWeight) / _one(item.RadionuclideTotalDose) * math.exp(math.log(2) * decayed)


def _moment(header: Any, day: str, clock: str) -> datetime | None:
    after = _clock(str(header.get(clock, "") or ""))
    try:
        return None if after is None else datetime.strptime(str(header.get(day, "")), "%Y%m%d") + after
    except ValueError:
        return None


def _clock(written: str) -> timedelta | None:
    found = re.fullmatch(r"(\d\d):?(\d\d)?:?(\d\d)?(\.\d*)?", written.strip())
    if found is None:
        return None
    return timedelta(
        **{unit: int(part or 0) for unit, part in zip(("hours", "minutes", "seconds"), found.groups(), strict=False)}
    )


def make_exports(folder: Path) -> list[Path]:
    """Write an export of two patients; its series and its table are the inputs."""
    shutil.copytree(_two_patients(folder), folder / "export")
    _ingested(folder / "export", folder / "cohort")
    first = sorted((folder / "export" / "dicom").iterdir())[0]
    return [first / "PET", first / "CT", folder / "export" / "clinical.xlsx"]


def _ingested(export: Path, out: Path) -> Any:
    key = export.with_suffix(".key")
    key.write_bytes(_KEY)
    return ingest(export / "dicom", export / "clinical.xlsx", out, key_file=key, n_jobs=1, verbose=False)


def harm_export(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Copy the export and damage a series of its first patient, or its table."""
    export = next(parent for parent in source.parents if parent.name == "export")
    copy = target.with_suffix(".export")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(export, copy)
    inside = copy / source.relative_to(export)
    if inside.is_dir():
        harm_files(rng, sorted(inside.iterdir()))
    else:
        harm_table(rng, source, inside)
    target.write_text(str(copy))


def check_export(damaged: Path, source: Path) -> str:
    """Ingest the damaged export: whoever is not concerned is as before, who is converted is what the headers say."""
    copy = Path(damaged.read_text())
    out = copy.with_suffix(".cohort")
    export = next(parent for parent in source.parents if parent.name == "export")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = _ingested(copy, out)
        if result.findings:
            return "wrong"
        before = export.with_name("cohort") / "patients"
        kept = {one.name for one in (out / "patients").iterdir()} if (out / "patients").is_dir() else set()
        for patient in sorted(kept & {one.name for one in before.iterdir()}):
            if "damaged" in str(result.flow.set_index("patient_id").loc[patient, "notes"]):
                continue  # said so
            for kind in ("pet", "ct"):
                if not _as_before(out / "patients" / patient, before / patient, kind, copy):
                    return "wrong"
        # A series that is damaged costs its own patient only.
        return "as it is" if kept or source.suffix == ".xlsx" else "wrong"
    finally:
        for place in (copy, out):
            shutil.rmtree(place, ignore_errors=True)
        copy.with_suffix(".key").unlink(missing_ok=True)


def _as_before(place: Path, before: Path, kind: str, export: Path) -> bool:
    file = place / f"{kind}.nii.gz"
    if file.read_bytes() == (before / file.name).read_bytes():
        return True
    first = sorted((export / "dicom").iterdir())[0]
    return _same(nib.load(file), _or_none(first / kind.upper(), kind == "pet"))


SCANNER = (
    Kind("DICOM", make_series, harm_series, check_series),
    Kind("export", make_exports, harm_export, check_export),
)
