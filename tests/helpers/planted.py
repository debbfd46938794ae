"""A cohort of files and a table in which everything that may name somebody does, and the search for it in any output."""

from __future__ import annotations

import base64
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from contour_builders import LPS, segmentation, write
from ingest_helpers import DATES

from prrt_estimators.contours import write_seg_nrrd
from prrt_estimators.datasets import make_cohort_folder

NAME, IDENTIFIER, PLACE, SERIAL = "Okonkwo", "KX-774411", "Sonnenhang", "SN48213"
STRANGER = "Lindqvist"  # whom no cell names
SECRETS = [NAME, "Adaeze", STRANGER, IDENTIFIER, "774411", PLACE, SERIAL, *DATES]
_DRAWN = np.zeros((8, 8, 8), dtype=np.uint8)
_DRAWN[3:5, 3:5, 3] = 1
_DATA_URI = re.compile(rb"data:[\w/+.-]+;base64,([A-Za-z0-9+/=]+)")
_PDF_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.S)
_PNG = b"\x89PNG\r\n\x1a\n"


def planted_cohort(folder: Path, n_patients: int) -> tuple[Path, Path]:
    """Write a cohort; return its table as CSV and as Excel. Only the pseudonyms name nobody."""
    table = Path(make_cohort_folder(folder / "cohort", n_patients, volume_shape=(8, 8, 8), random_state=0))
    frame = pd.read_csv(table)
    table.unlink()
    for name in ("pet", "ct"):
        frame[name] = [str(_plant(table.parent, path, k)) for k, path in enumerate(frame[name])]
    plants = (_plant, _plant_seg, _plant_nrrd)
    frame["lesion_mask"] = [str(plants[k % 3](table.parent, path, k)) for k, path in enumerate(frame["lesion_mask"])]
    rows = range(n_patients)
    frame["Name"] = [f"{NAME}, Adaeze {k}" for k in rows]
    frame["Geburtsdatum"] = "06.01.2020"
    frame["Fallnummer"] = [f"{IDENTIFIER}{k}" for k in rows]
    frame["Institution"] = [f"Klinikum {PLACE}" if k % 2 else "Nord" for k in rows]
    frame["Scanner serial"] = [SERIAL if k % 2 else "SN999" for k in rows]
    frame["Kommentar"] = [f"{NAME} {IDENTIFIER} {PLACE} {SERIAL} {DATES[k % len(DATES)]}" for k in rows]
    for header in (
        f"NSE {NAME} [ug/l]",
        f"GGT Dr. {STRANGER}",
        f"Patient {STRANGER} CRP",
        f"AST {PLACE}",
        f"LDH {IDENTIFIER}3",
    ):
        frame[header] = np.arange(n_patients) * 1.5
    for number, day in enumerate(DATES):
        frame[f"Freitext {number}"] = [day if k % 2 else "unauff." for k in rows]
        frame[f"Ki-67 am {day} [%]"] = np.arange(n_patients) * 1.5
        frame[f"Ki-67 {day}"] = np.arange(n_patients) * 1.5
    csv, excel = (table.with_name(f"{NAME}_06.01.2020{end}") for end in (".csv", ".xlsx"))
    frame.to_csv(csv, index=False)
    with pd.ExcelWriter(excel) as book:
        frame.to_excel(book, sheet_name=f"{NAME} 2020-01-06", index=False)
    return csv, excel


def _plant(root: Path, path: str, k: int) -> Path:
    """Fill the header, extensions, gzip name, file name and folder of a scan; return its new place."""
    source, day = root / path, DATES[k % len(DATES)]
    image = nib.load(source)
    named = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine, image.header)
    named.header["descrip"] = f"{NAME} {IDENTIFIER} {PLACE} {SERIAL} 06.01.2020".encode()
    named.header["aux_file"], named.header["intent_name"] = f"{NAME} {SERIAL}".encode(), IDENTIFIER.encode()
    named.header["db_name"], named.header["data_type"] = IDENTIFIER.encode(), b"Adaeze"
    for code in ("comment", 44):
        named.header.extensions.append(nib.nifti1.Nifti1Extension(code, f"{NAME} {PLACE} {day}".encode()))
    target = source.parent / f"Klinikum {PLACE}" / f"{NAME}_{IDENTIFIER}_{SERIAL}_20200106_{source.name}"
    target.parent.mkdir(exist_ok=True)
    with open(target, "wb") as raw, gzip.GzipFile(f"{NAME}_20200106.nii", "wb", fileobj=raw) as packed:
        packed.write(named.to_bytes())
    source.unlink()
    return target.relative_to(root)


def _plant_seg(root: Path, path: str, k: int) -> Path:
    """Draw a mask as DICOM SEG whose names, texts, ids and dates name somebody; return its place."""
    source, day = root / path, DATES[k % len(DATES)]
    image = nib.load(source)
    who, label = f"{NAME}^Adaeze", f"Lesion {NAME} {day}"
    dataset = segmentation(
        {label: _DRAWN > 0, f"Niere {NAME}": _DRAWN[::-1] > 0, f"{NAME} 2": _DRAWN[:, ::-1] > 0},
        LPS @ image.affine,
        PatientName=who,
        PatientID=IDENTIFIER,
        PatientBirthDate="20200106",
    )
    dataset.InstitutionName, dataset.DeviceSerialNumber = f"Klinikum {PLACE}", SERIAL
    dataset.ContentCreatorName, dataset.SeriesDescription = who, f"{NAME} {PLACE} {day}"
    dataset.ContentLabel, dataset.ContentDescription, dataset.SeriesDate = NAME.upper(), f"{NAME} {day}", "20200106"
    segment = dataset.SegmentSequence[0]
    segment.SegmentDescription, segment.TrackingID = f"{NAME} {IDENTIFIER}", f"{IDENTIFIER} {day}"
    source.unlink()
    return write(dataset, source.with_name(f"{NAME}_{IDENTIFIER}_{k}.dcm")).relative_to(root)


def _plant_nrrd(root: Path, path: str, k: int) -> Path:
    """Draw a mask as 3D Slicer does, with comments and names that name somebody; return its place."""
    source, day = root / path, DATES[k % len(DATES)]
    image = nib.load(source)
    target = source.with_name(f"{NAME}_{SERIAL}_{k}.seg.nrrd")
    write_seg_nrrd(target, _DRAWN, image.affine)
    head, _, voxels = target.read_bytes().partition(b"\n\n")
    head = head.replace(b"Segment0_Name:=Lesion 1", f"Segment0_Name:=Lesion {NAME} {day}".encode())
    assert NAME.encode() in head
    said = (
        f"# {NAME} {IDENTIFIER} {day}",
        f"Patient:={NAME} {PLACE} {SERIAL}",
        f"Segmentation_MasterVolume:=20200106 {NAME}",
    )
    target.write_bytes("\n".join([head.decode(), *said]).encode() + b"\n\n" + voxels)
    source.unlink()
    return target.relative_to(root)


def found_in(folder: Path) -> list[tuple[str, str]]:
    """Return (file, secret) for each secret in a name or a byte below a folder, unpacked wherever something is packed."""
    found = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found |= {(name, one) for one in SECRETS if one.lower() in name.lower()}
        for inside, content, pixels in _views(name, path.read_bytes()) if path.is_file() else ():
            for encoding in ("utf-8", "latin-1", "utf-16-le"):
                text = content.decode(encoding, "ignore").lower()
                # What is packed, and pixels, hold short texts by chance.
                found |= {(inside, one) for one in SECRETS if one.lower() in text and not (pixels and len(one) < 7)}
    return sorted(found)


def _views(name: str, content: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """Yield a file and what is packed in it, and whether short texts may stand in it by chance."""
    packed = content[:2] in (b"\x1f\x8b", b"PK") or content.startswith((_PNG, b"%PDF"))
    yield name, content, packed or ".npy" in name or ".nii" in name or "safetensors" in name
    if content[:2] == b"\x1f\x8b":
        yield from _views(f"{name}!", gzip.decompress(content))
    elif content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                yield f"{name}!{entry.filename}", entry.filename.encode() + entry.comment + entry.extra, False
                yield from _views(f"{name}!{entry.filename}", archive.read(entry))
    elif content.startswith(_PNG):
        for kind, chunk in _chunks(content):
            if kind in (b"tEXt", b"iTXt", b"eXIf"):
                yield f"{name}!{kind.decode()}", chunk, False
            elif kind == b"zTXt":
                yield f"{name}!zTXt", zlib.decompress(chunk.split(b"\0", 1)[1][1:]), False
    elif content.startswith(b"%PDF"):
        for stream in _PDF_STREAM.finditer(content):
            try:
                yield f"{name}!stream", zlib.decompress(stream[1]), True
            except zlib.error:
                continue
    for uri in _DATA_URI.finditer(content):
        yield from _views(f"{name}!data", base64.b64decode(uri[1]))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_PNG)
    while place < len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        place += 12 + size
