"""One file's header, as far as sorting an export needs it: read quickly, without pixels, without a word said."""

from __future__ import annotations

import functools
import io
import logging
import math
import os
import struct
import warnings
from dataclasses import dataclass
from typing import Any

from prrt_estimators._spellings import decodings
from prrt_estimators.dicom._elements import number
from prrt_estimators.dicom._opening import MAX_DECODED, MAX_DECODED_TIMES, count_of_frames, is_file, open_inflated
from prrt_estimators.dicom._tracers import tracer_of

#: What may begin a DICOM file that lacks the preamble: group 0002 or 0008, in either byte order.
_BARE_STARTS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
_DIRECTORY_STORAGE = "1.2.840.10008.1.3.10"
#: Modalities of objects that hold contours.
CONTOURS = ("RTSTRUCT", "SEG")
_CONTOUR_STORAGE = (
    "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
)
_MODALITY = 0x00080060

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
    "manufacturer": 0x00080070,
    "units": 0x00541001,
    "contrast": 0x00180010,
    "rescale_intercept": 0x00281052,
    "rescale_slope": 0x00281053,
    "rescale_type": 0x00281054,
    "age": 0x00101010,
}
#: Elements of which one value per slice tells time points, gates or phases apart.
_TIMES = (0x00080032, 0x0008002A, 0x00541300, 0x00200100, 0x00209128, 0x00181060, 0x00209241)
_PHARMACEUTICAL = 0x00540016
_NUMBERS = {
    "n_slices": 0x00540081,
    "samples": 0x00280002,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "bits": 0x00280100,
}

#: How many numbers a text must hold, where it holds any.
_COUNTS = {"position": 3, "orientation": 6, "pixel_spacing": 2, "rescale_slope": 1, "rescale_intercept": 1}

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
    "institution": 0x00080080,
    "institution_address": 0x00080081,
    "department": 0x00081040,
    "station": 0x00081010,
    "serial": 0x00181000,
    "study_id": 0x00200010,
    "procedure_id": 0x00401001,
    "admission_id": 0x00380010,
    "ward": 0x00380300,
}
#: Names whose bytes may be of another character set than the file says.
_NAMES = ("patient_name", "other_names", "birth_name", "mother", "referrer", "performer", "reader", "operator")
_CHARACTER_SET = 0x00080005
_TAGS = [_CHARACTER_SET, _PHARMACEUTICAL, *_TIMES, *_TEXTS.values(), *_NUMBERS.values(), *_PEOPLE.values()]
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
    slices : int
        Frames of a multi-frame object, else 1.
    times : tuple of str
        What tells time points apart.
    """

    path: str
    texts: dict[str, str]
    rows: int = 0
    columns: int = 0
    truncated: bool = False
    slices: int = 1
    times: tuple[str, ...] = ()


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
    Header or {"other", "empty", "damaged", "unreadable", "directory", "special", "contours"}
        "other" is not DICOM at all, "directory" a DICOMDIR, "special" a pipe, socket or device, "contours" a damaged object
        with contours.
    """
    full = os.path.join(root, path)
    try:
        if not is_file(full):
            return "special"
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
            if marked:
                handle = open_inflated(handle, size)
            dataset = read_partial(handle, at_pixels, specific_tags=_TAGS, force=True)
            meta = dataset.file_meta
            if str(meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY_STORAGE:
                return "directory"
            raw = {int(tag): dataset.get_item(tag) for tag in dataset.keys()}  # noqa: SIM118 - a Dataset iterates values
            header = _header(raw, path)
            header.slices = count_of_frames(header.texts["n_frames"])
            header.texts.update(_injected(dataset, header.texts["modality"]))
            syntax = meta.get("TransferSyntaxUID")
            plain = syntax is None or not (syntax.is_compressed or syntax.is_deflated)
            if isinstance(handle, io.BytesIO):
                size = handle.getbuffer().nbytes
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            # Whatever a damaged file makes of the parser, it is one damaged file.
            return _damaged(handle, marked)
    if not (header.texts["sop_class"] and header.texts["series_uid"] and header.texts["modality"]):
        return _damaged(handle, marked)
    if header.texts["modality"] in ("PT", "CT") and not _countable(header.texts):
        return "damaged"
    pixels = header.rows * header.columns * _number(raw, "samples", 1) * _number(raw, "bits", 8) * header.slices // 8
    # Not even reaching the pixels, or too few of them, or more than any compression brings into the file.
    most = size - (begin[0] if begin else 0) if plain else max(MAX_DECODED, MAX_DECODED_TIMES * size)
    cut = not begin or most < pixels
    header.truncated = cut and header.texts["modality"] in ("PT", "CT")
    return header


def _countable(texts: dict[str, str]) -> bool:
    """Tell whether what must be numbers are numbers, so that one odd file does not spoil a series."""
    return all(not texts[name] or len(floats(texts[name])) == count for name, count in _COUNTS.items())


def floats(text: str) -> list[float]:
    """Return the numbers of a text, [] where one is none or is not finite."""
    try:
        found = [float(part) for part in text.split("\\")] if text else []
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []


def _damaged(handle: Any, marked: bool) -> str:
    """Return what a file is that cannot be parsed to its end; contours are not part of a series of images."""
    from pydicom.filereader import read_partial

    if not marked:
        return "other"
    try:
        handle.seek(0)
        start = read_partial(handle, lambda tag, _vr, _length: int(tag) > _MODALITY, specific_tags=[_MODALITY])
        kind = str(start.file_meta.get("MediaStorageSOPClassUID", ""))
        modality = str(start.get("Modality", ""))
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return "damaged"
    return "contours" if modality in CONTOURS or kind in _CONTOUR_STORAGE else "damaged"


def _header(raw: dict[int, Any], path: str) -> Header:
    charset = _plain(raw.get(_CHARACTER_SET))
    texts = {name: _plain(raw.get(tag)) for name, tag in _TEXTS.items()}
    for name, tag in _PEOPLE.items():
        element = raw.get(tag)
        value = b"" if element is None else element.value
        texts[name] = _decode(value, charset) if isinstance(value, bytes) else "" if value is None else str(value)
    odd = [raw[tag].value for name in _NAMES if (tag := _PEOPLE[name]) in raw]
    texts["names_decoded"] = "^".join(
        sorted({one for value in odd if isinstance(value, bytes) for one in _all_decodings(value)})
    )
    written = raw.get(_PEOPLE["patient_name"])
    unread = written is not None and isinstance(written.value, bytes) and not _is_readable(written.value, charset)
    texts["name_unread"] = "1" if unread else ""
    texts["n_slices"] = str(_number(raw, "n_slices", 0))
    times = tuple(_plain(raw.get(tag)) for tag in _TIMES)
    return Header(path, texts, _number(raw, "rows", 0), _number(raw, "columns", 0), times=times)


def _injected(dataset: Any, modality: str) -> dict[str, str]:
    """Return what a PET shows, and the dose: ``"0"`` where none is told, ``"?"`` where it cannot be read."""
    if modality != "PT":
        return {}
    element = dataset.get_item(_PHARMACEUTICAL) if _PHARMACEUTICAL in dataset else None
    if element is not None and isinstance(element.value, bytes):
        # The slices of a series hold the same bytes.
        return dict(_injected_of_bytes(element.value, element.is_implicit_VR, element.is_little_endian))
    return _injected_of(dataset)


@functools.lru_cache(maxsize=256)
def _injected_of_bytes(value: bytes, implicit: bool, little: bool) -> tuple[tuple[str, str], ...]:
    from pydicom import Dataset
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag = Tag(_PHARMACEUTICAL)
    dataset = Dataset({tag: RawDataElement(tag, "SQ", len(value), value, 0, implicit, little)})
    return tuple(_injected_of(dataset).items())


def _injected_of(dataset: Any) -> dict[str, str]:
    try:
        items = dataset[_PHARMACEUTICAL].value if _PHARMACEUTICAL in dataset else []
        found = tracer_of(items[0]) if len(items) else None
        dose = number(items[0], "RadionuclideTotalDose") if len(items) else None
    except Exception:
        # A sequence that cannot be parsed is the reader's to refuse.
        return {"dose": "?"}
    told = {} if found is None else {"tracer": found.name, "target": found.target, "nuclide": found.nuclide}
    return {**told, "dose": f"{dose or 0:g}"}


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
def _all_decodings(value: bytes) -> frozenset[str]:
    return frozenset(decodings(value))


@functools.lru_cache(maxsize=4096)
def _decode(value: bytes, charset: str) -> str:
    from pydicom.charset import convert_encodings, decode_bytes

    encodings = convert_encodings(charset.split("\\") if charset else None)
    delimiters: Any = {"\\", "^", "="}
    return decode_bytes(value, encodings, delimiters).rstrip("\0").strip()


@functools.lru_cache(maxsize=4096)
def _is_readable(value: bytes, charset: str) -> bool:
    """Tell whether a file's own character set can decode a name; where it states none, letters are compared as they are."""
    from pydicom.charset import python_encoding

    terms = [term.strip() for term in charset.split("\\")] if charset else []
    if value.isascii() or not terms:
        return True
    if not all(term in python_encoding for term in terms):
        return False
    if len(terms) > 1:
        return True
    try:
        value.decode(python_encoding[terms[0]])
    except UnicodeDecodeError:
        return False
    return True
