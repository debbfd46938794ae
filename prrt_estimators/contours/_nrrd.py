"""Segmentations of 3D Slicer (.seg.nrrd): layers, segments by name and value, an extent of their own."""

from __future__ import annotations

import bz2
import math
import os
import re
import stat
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from prrt_estimators._extras import require
from prrt_estimators.contours._regions import Region, Structures
from prrt_estimators.exceptions import ContourError

#: Signs that bring the axes of a named space to Right, Anterior, Superior.
_SPACES = {
    "left-posterior-superior": (-1.0, -1.0, 1.0), "lps": (-1.0, -1.0, 1.0),
    "right-anterior-superior": (1.0, 1.0, 1.0), "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0), "las": (-1.0, 1.0, 1.0),
}  # fmt: skip
#: Bytes of a voxel, by words of its type.
_WIDTHS = {r"char|int8|uint8": 1, r"short|int16": 2, r"long ?long|int64|double": 8, r"int|float": 4}
#: What compressed voxels may claim: so many bytes, or so many times the file.
MAX_UNPACKED, MAX_UNPACKED_TIMES = 256 << 20, 200
_REMEDY = "save the segmentation again as .seg.nrrd or as a NIfTI label map"


def import_nrrd() -> Any:
    """Return pynrrd, or report how to install it."""
    return require("nrrd", "reading .seg.nrrd files", "contours", package="pynrrd")


def read_nrrd(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray, list[dict[str, str]]]:
    """Return voxels of shape (layers, i, j, k), the affine to RAS+ millimetres and the segments that the header names.

    Raises
    ------
    ContourError
        If the file is damaged, or does not say where it lies in the patient.
    MissingDependencyError
        If pynrrd is not installed.
    """
    nrrd = import_nrrd()
    name = Path(path).name
    try:
        _check_claims(nrrd, path, name)
        data, header = nrrd.read(os.fspath(path), index_order="F")
    except ContourError:
        raise
    except OSError as error:
        raise ContourError(
            f"cannot be read ({error.strerror or type(error).__name__})", "correct the path", name
        ) from None
    except Exception as error:
        # Whatever a damaged file makes of the parser, it is one damaged file.
        raise ContourError(f"is damaged ({type(error).__name__})", _REMEDY, name) from None
    directions = np.asarray(header.get("space directions", []), dtype=np.float64)
    signs = _SPACES.get(str(header.get("space", "")).lower())
    if signs is None or directions.ndim != 2 or directions.shape != (data.ndim, 3) or "space origin" not in header:
        raise ContourError("does not say where it lies in the patient", _REMEDY, name)
    spatial = np.isfinite(directions).all(axis=1) & (np.abs(directions).sum(axis=1) > 0)
    if spatial.sum() != 3 or data.ndim > 4:
        raise ContourError(f"has {int(spatial.sum())} axes in space, expected 3", _REMEDY, name)
    lists = np.flatnonzero(~spatial)
    layers = np.moveaxis(data, lists[0], 0) if len(lists) else data[None]
    affine = np.eye(4)
    affine[:3, :3] = np.diag(signs) @ directions[spatial].T
    affine[:3, 3] = np.array(signs) * np.asarray(header["space origin"], dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ContourError("does not say where it lies in the patient", _REMEDY, name)
    return layers, affine, _segments(header)


def _check_claims(nrrd: ModuleType, path: str | os.PathLike[str], name: str) -> None:
    """Refuse a file that claims, or unpacks to, more than one of its size holds, and one whose voxels lie elsewhere."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ContourError("is a pipe or a device, not a file", "name the file itself", name)
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        header = nrrd.read_header(file)
        if any(key in header for key in ("data file", "datafile")):
            raise ContourError("names another file in which its voxels lie", "save it as one file", name)
        kind = next((wide for word, wide in _WIDTHS.items() if re.search(word, str(header.get("type", "")))), 8)
        claimed = math.prod(max(int(side), 0) for side in header.get("sizes", ())) * kind
        encoding = str(header.get("encoding", "raw")).lower()
        packed = encoding.startswith(("gz", "bz"))
        if claimed > (max(MAX_UNPACKED, MAX_UNPACKED_TIMES * size) if packed else size * kind):
            what = f"claims {claimed >> 20} MiB of voxels in a file of {max(size >> 10, 1)} KiB"
            raise ContourError(what, _REMEDY, name)
        if not packed:
            return
        unpacking: Any = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding.startswith("gz") else bz2.BZ2Decompressor()
        unpacked, waiting = 0, file.read(1 << 20)
        while waiting and not unpacking.eof:
            unpacked += len(unpacking.decompress(waiting, 1 << 20))
            if unpacked > claimed:
                raise ContourError("unpacks to more voxels than it claims", _REMEDY, name)
            waiting = getattr(unpacking, "unconsumed_tail", b"") or (
                file.read(1 << 20) if getattr(unpacking, "needs_input", True) else b""
            )


def _segments(header: Any) -> list[dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for key, value in header.items():
        part = re.fullmatch(r"Segment(\d+)_(\w+)", str(key))
        if part:
            found.setdefault(int(part[1]), {})[part[2]] = str(value)
    return [found[k] for k in sorted(found)]


def nrrd_structures(
    layers: np.ndarray, affine: np.ndarray, segments: list[dict[str, str]], name: str | None = None
) -> Structures:
    """Return the segments of a .seg.nrrd; values that no segment names are segments without a name.

    Raises
    ------
    ContourError
        If a segment names a layer that is not there, or the values are not labels.
    """
    if not np.isfinite(layers).all() or (layers != np.rint(layers)).any() or (layers < 0).any():
        raise ContourError("holds values that are not labels", _REMEDY, name)
    regions = []
    named = set()
    for number, segment in enumerate(segments, 1):
        try:
            value, layer = int(segment.get("LabelValue", 1)), int(segment.get("Layer", 0))
            if not 0 <= layer < len(layers):
                raise ValueError
        except ValueError:
            raise ContourError(f"segment {number} names a value or a layer that is not there", _REMEDY, name) from None
        named.add((layer, value))
        regions.append(_region(segment.get("Name", ""), number, layers[layer] == value))
    for layer, values in enumerate(layers):
        others = sorted({int(value) for value in np.unique(values)} - {value for at, value in named if at == layer})
        regions += [_region("", value, values == value) for value in others if value > 0]
    a, b, c = layers.shape[1:]
    return Structures(affine, (int(a), int(b), int(c)), tuple(regions))


def _region(name: str, number: int, mask: np.ndarray) -> Region:
    if not mask.any():
        return Region(name, number, "")
    ends = [np.flatnonzero(mask.any(axis=tuple(o for o in range(3) if o != axis)))[[0, -1]] for axis in range(3)]
    box = tuple(slice(low, high + 1) for low, high in ends)
    a, b, c = (int(low) for low, _ in ends)
    return Region(name, number, "", (a, b, c), mask[box].copy())
