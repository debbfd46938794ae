"""The frames of a DICOM SEG: which segment, where, and which pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from prrt_estimators._dataset import ShortRepr
from prrt_estimators._extras import quiet_pydicom
from prrt_estimators._io import is_fault
from prrt_estimators.contours._objects import items, number, numbers, text
from prrt_estimators.exceptions import ContourError, MissingDependencyError

#: Transfer syntaxes that store pixels as they are.
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
#: What compressed pixels may grow to: so many bytes, or so many times what is stored.
MAX_DECODED, MAX_DECODED_TIMES = 256 << 20, 200
_REMEDY = "export the segmentation again"


@dataclass(frozen=True, eq=False, repr=False)
class Frame(ShortRepr):
    """The pixels of one segment in one plane, kept as their box.

    Attributes
    ----------
    segment : int
    corner : ndarray of shape (3,)
        LPS millimetres of the first pixel of the whole frame.
    edges : ndarray of shape (2, 3)
        LPS millimetres from column to column and from row to row.
    size, start : tuple of 2 ints
        Columns and rows of the whole frame; first column and row of the box.
    mask : ndarray of bool, shape (columns, rows)
    """

    segment: int
    corner: np.ndarray
    edges: np.ndarray
    size: tuple[int, int]
    start: tuple[int, int]
    mask: np.ndarray


def read_frames(dataset: Any) -> tuple[list[Frame], int]:
    """Return the frames of a SEG, and how many voxels above 0 were left out as less than half.

    Raises
    ------
    ContourError
        If a frame does not say where it lies or which segment it holds, or pixels are missing.
    MissingDependencyError
        If a decoder for compressed pixels is not installed.
    """
    columns, rows = number(dataset, "Columns"), number(dataset, "Rows")
    if not columns or not rows:
        raise ContourError("has no Rows or Columns", _REMEDY)
    size = (int(columns), int(rows))
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    count = int(number(dataset, "NumberOfFrames") or len(groups) or 1)
    if not dataset.get("PixelData") and not groups:
        return [], 0
    shared = items(dataset, "SharedFunctionalGroupsSequence")
    if groups and len(groups) != count:
        raise ContourError(f"holds {count} frames and describes {len(groups)}", _REMEDY)
    numbered = [number(one, "SegmentNumber") for one in items(dataset, "SegmentSequence")]
    only = None if len(numbered) != 1 else int(numbered[0] or 1)
    is_map = text(dataset, "SegmentationType").upper() == "LABELMAP" or text(dataset, "SOPClassUID").endswith(".66.7")
    most = _full(dataset)
    frames: list[Frame] = []
    cut = 0
    for index, values in enumerate(_pixels(dataset, count, size)):
        places = [*(groups[index : index + 1]), *shared, dataset]
        corner, edges = _place(places)
        if is_map:
            pairs = [(int(value), values == value) for value in np.unique(values) if value > 0]
        else:
            inside = values > 0 if most is None else values * 2.0 >= most
            cut += 0 if most is None else int(np.count_nonzero((values > 0) & ~inside))
            pairs = [(_segment(places, only), inside)]
        for segment, inside in pairs:
            start, box = _boxed(inside.T)
            frames.append(Frame(segment, corner, edges, size, start, box))
    return frames, cut


def _full(dataset: Any) -> float | None:
    """Return the value that stands for the whole voxel in a fractional segmentation, None in another."""
    if text(dataset, "SegmentationType").upper() != "FRACTIONAL":
        return None
    bits = int(number(dataset, "BitsStored") or number(dataset, "BitsAllocated") or 8)
    return number(dataset, "MaximumFractionalValue") or float(2**bits - 1)


def _segment(places: list[Any], only: int | None) -> int:
    for place in places:
        for item in items(place, "SegmentIdentificationSequence"):
            found = number(item, "ReferencedSegmentNumber")
            if found is not None:
                return int(found)
    if only is None:
        raise ContourError("has frames that do not say which segment they hold", _REMEDY)
    return only


def _place(places: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    corner = _first(places, "PlanePositionSequence", "ImagePositionPatient", 3)
    directions = _first(places, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacing = _first(places, "PixelMeasuresSequence", "PixelSpacing", 2)
    if corner is None or directions is None or spacing is None or min(spacing) <= 0:
        raise ContourError("has frames whose place in the patient is unknown", _REMEDY)
    across, down = np.array(directions[:3]), np.array(directions[3:])
    lengths = np.linalg.norm(across), np.linalg.norm(down)
    if min(lengths) < 0.9 or abs(across @ down) > 0.01:
        raise ContourError("has frames whose directions are not perpendicular unit vectors", _REMEDY)
    return np.array(corner), np.array([across / lengths[0] * spacing[1], down / lengths[1] * spacing[0]])


def _first(places: list[Any], sequence: str, keyword: str, count: int) -> list[float] | None:
    """Return numbers from the nearest of several places: the frame's own, those of all frames, the object's."""
    for place in places:
        for item in (*items(place, sequence), place):
            found = numbers(item, keyword, count)
            if found is not None:
                return found
    return None


def _boxed(mask: np.ndarray) -> tuple[tuple[int, int], np.ndarray]:
    columns, rows = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(columns):
        return (0, 0), np.zeros((1, 1), dtype=bool)
    box = mask[columns[0] : columns[-1] + 1, rows[0] : rows[-1] + 1]
    return (int(columns[0]), int(rows[0])), box.copy()


def _pixels(dataset: Any, count: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Give the stored values of one frame after the other, shape (rows, columns)."""
    columns, rows = size
    syntax = str(getattr(dataset.file_meta, "TransferSyntaxUID", _UNCOMPRESSED[0]))
    if syntax not in _UNCOMPRESSED:
        yield from _decoded(dataset, count, size)
        return
    content = dataset.get("PixelData") or b""
    bits = int(number(dataset, "BitsAllocated") or 1)
    if bits == 1:
        yield from _unpacked(content, count, rows, columns)
        return
    if bits not in (8, 16):
        raise ContourError(f"stores {bits} bits per pixel, expected 1, 8 or 16", _REMEDY)
    length = rows * columns * bits // 8
    if len(content) < count * length:
        raise ContourError("holds fewer pixels than it announces", _REMEDY)
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    for index in range(count):
        yield np.frombuffer(content, kind, rows * columns, index * length).reshape(rows, columns)


def _unpacked(content: bytes, count: int, rows: int, columns: int) -> Iterator[np.ndarray]:
    """Give the frames of packed bits: one stream, or, as some writers do, each frame from a new byte on."""
    whole, padded = -(-rows * columns * count // 8), -(-rows * columns // 8) * count
    if len(content) < whole:
        raise ContourError("holds fewer pixels than it announces", _REMEDY)
    each = padded // count * 8 if whole + whole % 2 < padded <= len(content) else rows * columns
    for index in range(count):
        first = index * each
        part = np.frombuffer(content, np.uint8, -(-(first + rows * columns) // 8) - first // 8, first // 8)
        bits = np.unpackbits(part, bitorder="little")[first % 8 :]
        yield bits[: rows * columns].reshape(rows, columns)


def _decoded(dataset: Any, count: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
    claimed = count * size[0] * size[1]
    if claimed > max(MAX_DECODED, MAX_DECODED_TIMES * len(dataset.PixelData)):
        raise ContourError(f"announces {claimed >> 20} MiB of pixels in {len(dataset.PixelData)} bytes", _REMEDY)
    try:
        with quiet_pydicom():
            values = np.asarray(dataset.pixel_array)
    except (RuntimeError, ImportError, NotImplementedError):
        raise MissingDependencyError(
            "the pixels are compressed and no decoder for them is installed; install one with: "
            'pip install "prrt-estimators[dicom-compressed]"'
        ) from None
    except BaseException as error:
        if not is_fault(error):
            raise
        raise ContourError(f"holds compressed pixels that are damaged ({type(error).__name__})", _REMEDY) from None
    if values.size != count * size[0] * size[1]:
        raise ContourError("holds fewer pixels than it announces", _REMEDY)
    yield from values.reshape(count, size[1], size[0])
