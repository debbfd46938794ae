"""Reading single elements of a DICOM header, so that an odd one ends in a message that names the tag and no patient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prrt_estimators._io import is_fault
from prrt_estimators.exceptions import MissingDependencyError, ScannerFileError

#: What stands for the text of an element that cannot be read.
UNREADABLE = "unreadable"
#: Tags of the elements that messages name, by keyword.
TAGS = {
    "AcquisitionTime": "(0008,0032)",
    "ActualFrameDuration": "(0018,1242)",
    "BitsAllocated": "(0028,0100)",
    "Columns": "(0028,0011)",
    "CorrectedImage": "(0028,0051)",
    "DecayCorrection": "(0054,1102)",
    "FrameReferenceTime": "(0054,1300)",
    "ImageOrientationPatient": "(0020,0037)",
    "ImagePositionPatient": "(0020,0032)",
    "InstanceNumber": "(0020,0013)",
    "PatientSex": "(0010,0040)",
    "PatientSize": "(0010,1020)",
    "PatientWeight": "(0010,1030)",
    "PixelSpacing": "(0028,0030)",
    "RadionuclideHalfLife": "(0018,1075)",
    "RadionuclideTotalDose": "(0018,1074)",
    "RadiopharmaceuticalInformationSequence": "(0054,0016)",
    "RadiopharmaceuticalStartDateTime": "(0018,1078)",
    "RadiopharmaceuticalStartTime": "(0018,1072)",
    "RescaleIntercept": "(0028,1052)",
    "RescaleSlope": "(0028,1053)",
    "RescaleType": "(0028,1054)",
    "Rows": "(0028,0010)",
    "SUVType": "(0054,1006)",
    "SeriesTime": "(0008,0031)",
    "Units": "(0054,1001)",
}


@contextmanager
def whole_series(what: str, error: type[ScannerFileError] = ScannerFileError) -> Iterator[None]:
    """Turn whatever a damaged file makes of a parser or decoder into an error by name."""
    try:
        yield
    except (ScannerFileError, MissingDependencyError, Warning):
        raise
    except MemoryError:
        raise error(f"{what} needs more memory than there is. Read it on a larger machine.") from None
    except BaseException as fault:
        if not is_fault(fault):
            raise
        raise error(f"{what} cannot be read ({type(fault).__name__}). Export or copy it again.") from None


def label(keyword: str) -> str:
    """Return keyword and tag, as in ``PatientWeight (0010,1030)``."""
    return f"{keyword} {TAGS[keyword]}" if keyword in TAGS else keyword


def instance(header: Any, position: int | None = None) -> str:
    """Return how a message names a slice: by its instance number, else by its place among the files read."""
    try:
        value = header.get("InstanceNumber")
        return f"instance {int(value)}"
    except (TypeError, ValueError, AttributeError, OverflowError):
        return "an instance without number" if position is None else f"image {position + 1} of those read"


def text(header: Any, keyword: str) -> str:
    """Return an element as text without surrounding blanks, '' where it is missing or empty, `UNREADABLE` where it is odd."""
    try:
        value = header.get(keyword)
    except Exception:
        # Whatever an odd element makes of the parser, it is there.
        return UNREADABLE
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    elif not isinstance(value, str) and hasattr(value, "__len__") and len(value) > 0:
        # Some writers repeat one value.
        value = value[0] if all(part == value[0] for part in value) else value
    return str(value).strip(" \0")


def texts(header: Any, keyword: str) -> list[str]:
    """Return the values of an element as upper-case words, [] where it is missing or empty."""
    try:
        value = header.get(keyword)
    except Exception:
        return [UNREADABLE]
    if value is None:
        return []
    many = [value] if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else list(value)
    words = [word.decode("ascii", "replace") if isinstance(word, bytes) else str(word) for word in many]
    return [word.strip(" \0").upper() for word in words if word.strip(" \0")]


def as_number(value: Any) -> float | None:
    """Return a value of one number, None where it is empty; a ValueError where it is something else."""
    if isinstance(value, bytes):
        value = value.decode("ascii").strip(" \0")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str) and hasattr(value, "__len__"):
        if len(value) == 0:
            return None
        if any(part != value[0] for part in value):
            raise ValueError("several values")
        value = value[0]
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def number(header: Any, keyword: str, error: type[ScannerFileError] = ScannerFileError) -> float | None:
    """Return an element of one number, None where it is missing or empty."""
    try:
        return as_number(header.get(keyword))
    except Exception:
        # Whatever an odd element makes of the parser, it is not a number.
        raise error(
            f"{label(keyword)} of {instance(header)} is not {'one' if _several(header, keyword) else 'a'} number. Correct the header."
        ) from None


def _several(header: Any, keyword: str) -> bool:
    return len(texts(header, keyword)) > 1


def numbers(header: Any, keyword: str, count: int) -> list[float]:
    """Return an element of `count` numbers, which must be there."""
    try:
        value = header.get(keyword)
        found = None if value is None or len(value) == 0 else [float(part) for part in value]
    except Exception:
        found = []
    if found is None:
        raise ScannerFileError(
            f"{label(keyword)} of {instance(header)} is missing, so its place in the patient is unknown. "
            "Export the original images, not secondary captures."
        )
    if len(found) != count or not all(map(math.isfinite, found)):
        raise ScannerFileError(f"{label(keyword)} of {instance(header)} is not {count} numbers. Correct the header.")
    return found


def private(header: Any, group: int, creator: str, element: int) -> Any:
    """Return the value of a maker's private element, None where it is missing.

    The block is found by its creator. Where the creator's own element was stripped but the values kept, the first block
    (``gg10``) is taken; where that block belongs to someone else, the value is not ours.
    """
    try:
        return header.private_block(group, creator)[element].value
    except (KeyError, AttributeError, ValueError, TypeError):
        pass
    try:
        if (group, 0x0010) in header or (group, 0x1000 + element) not in header:
            return None
        return header[group, 0x1000 + element].value
    except (KeyError, AttributeError, ValueError, TypeError):
        return None
