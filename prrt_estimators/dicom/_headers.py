"""One file's header, as far as sorting an export needs it: read quickly, without pixels, without a word said."""

from __future__ import annotations

import functools
import logging
import os
import struct
import warnings
from dataclasses import dataclass
from typing import Any

#: What may begin a DICOM file that lacks the preamble: group 0002 or 0008, in either byte order.
_BARE_STARTS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
_DIRECTORY_STORAGE = "1.2.840.10008.1.3.10"

#: Tags read from every file, by the name of the record's field.
_TEXTS = {
    "sop_class": 0x00080016,
    "sop_uid": 0x00080018,
    "image_type": 0x00080008,
    "study_date": 0x00080020,
    "series_date": 0x00080021,
    "acquisition_date": 0x00080022,
    "acquisition_datetime": 0x0008002A,
    "study_time": 0x00080030,
    "series_time": 0x00080031,
    "acquisition_time": 0x00080032,
    "modality": 0x00080060,
    "kernel": 0x00181210,
    "attenuation_corrected": 0x00189759,
    "study_uid": 0x0020000D,
    "series_uid": 0x0020000E,
    "series_number": 0x00200011,
    "frame_uid": 0x00200052,
    "position": 0x00200032,
    "orientation": 0x00200037,
    "n_frames": 0x00280008,
    "pixel_spacing": 0x00280030,
    "corrected": 0x00280051,
    "series_type": 0x00541000,
}
_NUMBERS = {"samples": 0x00280002, "rows": 0x00280010, "columns": 0x00280011, "bits": 0x00280100}

#: Texts in the file's own character set; all but the description say who somebody is.
_PEOPLE = {
    "description": 0x0008103E,
    "patient_id": 0x00100020,
    "patient_name": 0x00100010,
    "birth_date": 0x00100030,
    "sex": 0x00100040,
    "accession": 0x00080050,
    "other_ids": 0x00101000,
    "other_names": 0x00101001,
    "birth_name": 0x00101005,
    "mother": 0x00101060,
    "address": 0x00101040,
    "telephone": 0x00102154,
    "referrer": 0x00080090,
    "performer": 0x00081050,
    "reader": 0x00081060,
    "operator": 0x00081070,
}
_CHARACTER_SET = 0x00080005
_TAGS = [_CHARACTER_SET, *_TEXTS.values(), *_NUMBERS.values(), *_PEOPLE.values()]
_PIXELS = frozenset([0x7FE00010, 0x7FE00008, 0x7FE00009])


@dataclass(slots=True)
class Header:
    """What one file says.

    Attributes
    ----------
    path : str
        Below the folder that is walked, with ``/``.
    texts : dict of str to str
        Fields as written, ``""`` where a tag is absent.
    rows, columns : int
    truncated : bool
        A PET or CT without pixels, or with fewer uncompressed ones than it announces.
    """

    path: str
    texts: dict[str, str]
    rows: int = 0
    columns: int = 0
    truncated: bool = False

    @property
    def slices(self) -> int:
        """Frames of a multi-frame object, else 1."""
        text = self.texts["n_frames"]
        return int(text) if text.isdigit() and int(text) > 0 else 1


def quiet() -> None:
    """Keep pydicom from logging values of tags, which may be names."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


def read_header(root: str, path: str) -> Header | str:
    """Return the header of a file, or what the file is instead.

    Parameters
    ----------
    root, path : str
        The folder that is walked and the file below it.

    Returns
    -------
    Header or {"other", "empty", "damaged", "unreadable", "directory"}
        "other" is no DICOM at all, "directory" a DICOMDIR.
    """
    full = os.path.join(root, path)
    try:
        size = os.path.getsize(full)
        with open(full, "rb") as handle:
            start = handle.read(132)
            if not size:
                return "empty"
            marked = start[128:132] == b"DICM"
            if not marked and start[:2] not in _BARE_STARTS:
                return "other"
            handle.seek(0)
            return _parse(handle, path, size, marked)
    except OSError:
        return "unreadable"


def _parse(handle: Any, path: str, size: int, marked: bool) -> Header | str:
    from pydicom.filereader import read_partial

    begin: list[int] = []

    def at_pixels(tag: Any, _vr: str | None, _length: int) -> bool:
        if int(tag) in _PIXELS:
            begin.append(handle.tell())
            return True
        return False

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = read_partial(handle, at_pixels, specific_tags=_TAGS, force=True)
            meta = dataset.file_meta
            if str(meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY_STORAGE:
                return "directory"
            raw = {int(tag): dataset.get_item(tag) for tag in dataset.keys()}  # noqa: SIM118 - a Dataset iterates values
            header = _header(raw, path)
            syntax = meta.get("TransferSyntaxUID")
            plain = syntax is None or not (syntax.is_compressed or syntax.is_deflated)
        except OSError:
            raise
        except Exception:
            # Whatever a damaged file makes of the parser, it is one damaged file.
            return "damaged" if marked else "other"
    if not (header.texts["sop_class"] and header.texts["series_uid"] and header.texts["modality"]):
        return "damaged" if marked else "other"
    pixels = header.rows * header.columns * _number(raw, "samples", 1) * _number(raw, "bits", 8) * header.slices // 8
    # Not even reaching the pixels, or too few of them.
    cut = not begin or (plain and size - begin[0] < pixels)
    header.truncated = cut and header.texts["modality"] in ("PT", "CT")
    return header


def _header(raw: dict[int, Any], path: str) -> Header:
    charset = _plain(raw.get(_CHARACTER_SET))
    texts = {name: _plain(raw.get(tag)) for name, tag in _TEXTS.items()}
    for name, tag in _PEOPLE.items():
        element = raw.get(tag)
        value = b"" if element is None else element.value
        texts[name] = _decode(value, charset) if isinstance(value, bytes) else "" if value is None else str(value)
    return Header(path, texts, _number(raw, "rows", 0), _number(raw, "columns", 0))


def _plain(element: Any) -> str:
    value = None if element is None else element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1").rstrip("\0").strip()
    return "\\".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _number(raw: dict[int, Any], name: str, default: int) -> int:
    element = raw.get(_NUMBERS[name])
    if element is None:
        return default
    value = element.value
    if isinstance(value, bytes):
        if len(value) < 2:
            return default
        return int(struct.unpack("<H" if element.is_little_endian else ">H", value[:2])[0])
    return default if value is None else int(value)


@functools.lru_cache(maxsize=4096)
def _decode(value: bytes, charset: str) -> str:
    from pydicom.charset import convert_encodings, decode_bytes

    encodings = convert_encodings(charset.split("\\") if charset else None)
    delimiters: Any = {"\\", "^", "="}
    return decode_bytes(value, encodings, delimiters).rstrip("\0").strip()
