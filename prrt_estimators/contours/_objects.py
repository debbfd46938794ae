"""Opening a DICOM object whole, and reading elements of it that may be missing or malformed."""

from __future__ import annotations

import io
import os
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from prrt_estimators._extras import import_pydicom, quiet_pydicom
from prrt_estimators.exceptions import ContourError

#: Length of the header of one element, at which a whole file may end.
_HEADER_LENGTH = 8
_DEFLATED = "1.2.840.10008.1.2.1.99"
#: What a deflated object may grow to: so many bytes, or so many times the file.
MAX_INFLATED, MAX_INFLATED_TIMES = 256 << 20, 100


@dataclass(frozen=True)
class ObjectInfo:
    """What a contour object says about itself.

    Attributes
    ----------
    kind : {"RTSTRUCT", "SEG"}
    uid : str
        SOPInstanceUID.
    series_uid : str
        The series of the object itself.
    series_uids, frame_uids : tuple of str
        The series and the frames of reference that it names.
    moment : str
        Date and time as ``YYYYMMDDHHMMSS``, shorter where the object states less; for ordering only.
    texts : tuple of str
        Labels, names and descriptions, which may name persons.
    persons : tuple of str
        Names of persons.
    """

    kind: str
    uid: str
    series_uid: str
    series_uids: tuple[str, ...]
    frame_uids: tuple[str, ...]
    moment: str
    texts: tuple[str, ...]
    persons: tuple[str, ...]


class _Watched(io.BytesIO):
    """Bytes that note whether a reader asked for more than there are."""

    short = False

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if size is not None and size > 0 and len(found) < size and (found or size != _HEADER_LENGTH):
            self.short = True
        return found


def open_object(path: str | os.PathLike[str]) -> Any:
    """Return a whole DICOM object.

    Raises
    ------
    ContourError
        If the file is missing, not DICOM, damaged or cut short.
    MissingDependencyError
        If pydicom is not installed.
    """
    pydicom = import_pydicom()
    name = Path(path).name
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ContourError("is a pipe or a device, not a file", "name the file itself", name)
        content = Path(path).read_bytes()
        stream = _Watched(content)
    except OSError as error:
        raise ContourError(f"cannot be read ({error.strerror})", "correct the path or its permissions", name) from None
    try:
        with quiet_pydicom():
            _check_inflated(pydicom, content, name)
            dataset = pydicom.dcmread(stream, force=True)
            # Sequences are parsed when they are asked for; a cut one fails there.
            for _ in dataset:
                pass
    except ContourError:
        raise
    except Exception as error:
        # Whatever a damaged file makes of the parser, it is one damaged file.
        raise ContourError(f"is damaged ({type(error).__name__})", "export or copy the file again", name) from None
    if stream.short:
        raise ContourError("ends before its last element: it was cut short", "export or copy the file again", name)
    if not text(dataset, "SOPClassUID"):
        raise ContourError("is not a DICOM object", "give a DICOM RTSTRUCT or SEG", name)
    return dataset


def _check_inflated(pydicom: ModuleType, content: bytes, name: str) -> None:
    """Refuse a deflated object that unpacks to far more than its size."""
    if content[128:132] != b"DICM":
        return
    stream = io.BytesIO(content)
    stream.seek(132)
    meta = pydicom.filereader._read_file_meta_info(stream)
    if str(meta.get("TransferSyntaxUID", "")) != _DEFLATED:
        return
    limit = max(MAX_INFLATED, MAX_INFLATED_TIMES * len(content))
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacking.decompress(stream.read(), limit)
    if unpacking.unconsumed_tail:
        what = f"unpacks to more than {limit >> 20} MiB, which no segmentation of its size does"
        raise ContourError(what, "export it uncompressed", name)
    if not unpacking.eof:
        raise ContourError("ends within its deflated elements", "export or copy it again", name)


def text(item: Any, keyword: str) -> str:
    """Return an element as text, '' where it is missing or malformed."""
    try:
        value = item.get(keyword)
    except (ValueError, TypeError, NotImplementedError, AttributeError):
        return ""
    return "" if value is None else str(value).strip(" \0")


def number(item: Any, keyword: str) -> float | None:
    """Return an element as a finite number, None where there is none."""
    try:
        value = item.get(keyword)
        if value is None or value == "":
            return None
        found = float(value if not hasattr(value, "__len__") or isinstance(value, str) else value[0])
    except (ValueError, TypeError, ArithmeticError, NotImplementedError, IndexError):
        return None
    return found if abs(found) < float("inf") else None


def numbers(item: Any, keyword: str, count: int) -> list[float] | None:
    """Return an element as `count` finite numbers, None where there are no such."""
    try:
        found = [float(part) for part in item.get(keyword)]
    except (ValueError, TypeError, ArithmeticError, NotImplementedError):
        return None
    return found if len(found) == count and all(abs(part) < float("inf") for part in found) else None


def items(item: Any, keyword: str) -> list[Any]:
    """Return the items of a sequence, [] where it is missing or malformed."""
    try:
        value = item.get(keyword)
        return [] if value is None else list(value)
    except (ValueError, TypeError, NotImplementedError, AttributeError):
        return []


def moment(item: Any, *pairs: tuple[str, str]) -> str:
    """Return the first of several dates with its time, as digits."""
    for day, clock in pairs:
        digits = "".join(c for c in text(item, day) if c.isdigit())[:8]
        if len(digits) == 8:
            return digits + "".join(c for c in text(item, clock).split(".")[0] if c.isdigit())[:6]
    return ""
