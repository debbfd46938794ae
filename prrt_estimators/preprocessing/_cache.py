"""Prepared volumes on disk: read by every fold, model and worker, never stale, never half-written."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prrt_estimators._io import absolute, atomic_write, default_cache_dir
from prrt_estimators._modalities import MODALITIES
from prrt_estimators._sizes import parse_bytes
from prrt_estimators.preprocessing._boxes import Box
from prrt_estimators.preprocessing._scans import Scan, file_stamp, remarks_on_values, remarks_on_window
from prrt_estimators.preprocessing._summaries import suv_summary

#: Raised whenever the same file and box would give other voxels than before, or none because the file is now refused.
VERSION = 3

_VOXELS = ("boxes/*/*.npy", "features/*/*.npy")


@dataclass(frozen=True)
class ScanRecord:
    """What is known of a file without opening it again.

    Parameters
    ----------
    digest : str
        SHA-256 of the content.
    shape : tuple of 3 ints
    affine : tuple of 16 floats
    summary : dict
        Numbers taken from the native voxels (see `suv_summary`); empty for CT.
    remarks : tuple of str
        What is not believable in its values and was taken all the same.
    """

    digest: str
    shape: tuple[int, ...]
    affine: tuple[float, ...]
    summary: dict
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, scan: Scan, modality: str) -> ScanRecord:
        """Return what is to be known of a scan that was read."""
        summary = suv_summary(scan.data, scan.affine) if MODALITIES[modality].uptake else {}
        affine = tuple(scan.affine.ravel().tolist())
        remarks = remarks_on_values(scan.data, modality) or remarks_on_window(scan.data, modality)
        return cls(scan.digest, scan.data.shape, affine, summary, tuple(remarks))

    @property
    def matrix(self) -> np.ndarray:
        """The affine as an array of shape (4, 4)."""
        return np.array(self.affine).reshape(4, 4)


class VolumeCache:
    """Boxes keyed by file content and parameters.

    A first table maps a file's path and stamp (size, times, inode) to the digest of its content, so that an
    unchanged file is never opened again; a second holds the voxels by digest, modality and box. Both are written
    with an atomic rename: two runs that prepare one file at once write the same bytes one after the other. Neither
    holds a path or a name. Each entry ends with a digest of itself: one that was damaged since counts as not there
    and is made again.

    Parameters
    ----------
    folder : path, default=None
        `default_cache_dir` if None.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None):
        self.folder = Path(absolute(folder)) if folder is not None else default_cache_dir()

    def record(self, path: str) -> ScanRecord | None:
        """Return what is known of `path` as it is now, None if it is new, changed or gone."""
        try:
            text, _, digest = self._record_file(path).read_text("utf-8").rpartition("\n")
            if digest != hashlib.sha256(text.encode()).hexdigest():
                return None
            stored = json.loads(text)
            if stored["version"] != VERSION or stored["stamp"] != list(file_stamp(path)):
                return None
            return ScanRecord(
                stored["digest"],
                tuple(stored["shape"]),
                tuple(stored["affine"]),
                stored["summary"],
                tuple(stored["remarks"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put_record(self, path: str, stamp: tuple[int, ...], record: ScanRecord) -> None:
        """Remember what was found in `path`."""
        text = json.dumps({"version": VERSION, "stamp": list(stamp), **asdict(record)})
        with self._writing(self._record_file(path)) as temporary:
            temporary.write_text(f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}", "utf-8")

    def box_file(self, digest: str, modality: str, box: Box) -> Path:
        """Return where the voxels of this content in this box lie, or will lie."""
        key = json.dumps([VERSION, digest, modality, box.centre, box.size, box.spacing])
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / "boxes" / name[:2] / f"{name}.npy"

    def put(self, file: Path, values: np.ndarray) -> None:
        """Write the voxels of a box, or features."""
        content = io.BytesIO()
        np.save(content, values, allow_pickle=False)
        with self._writing(file) as temporary, open(temporary, "wb") as handle:
            handle.write(content.getbuffer())
            handle.write(hashlib.sha256(content.getbuffer()).digest())

    def get(self, file: Path) -> np.ndarray | None:
        """Return what `put` wrote, mapped from the file; None if it is not there or was damaged since.

        A file that was found whole once is not gone through again in this process unless it changes.
        """
        try:
            if not _is_whole(os.fspath(file), file_stamp(file)):
                return None
            return np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None

    def feature_file(self, *key: Any) -> Path:
        """Return where something computed from a scan lies, or will lie; `key` holds all that it depends on."""
        name = hashlib.sha256(json.dumps([VERSION, *key]).encode()).hexdigest()
        return self.folder / "features" / name[:2] / f"{name}.npy"

    def _record_file(self, path: str) -> Path:
        name = hashlib.sha256(os.path.realpath(path).encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / "files" / name[:2] / f"{name}.json"

    @contextlib.contextmanager
    def _writing(self, file: Path) -> Iterator[Path]:
        try:
            with atomic_write(file) as temporary:
                yield temporary
        except OSError as error:
            raise OSError(
                f"the volume cache {self.folder} cannot be written ({error.strerror}); "
                "set cache_dir, or PRRT_CACHE_DIR, to a folder with space."
            ) from error


@functools.lru_cache(maxsize=100_000)
def _is_whole(file: str, _stamp: tuple[int, ...]) -> bool:
    content = Path(file).read_bytes()
    return len(content) > 32 and hashlib.sha256(content[:-32]).digest() == content[-32:]


def cache_info(cache_dir: str | os.PathLike[str] | None = None) -> dict[str, int | str]:
    """Return the folder, and the number of prepared volumes and features of volumes with their bytes.

    Parameters
    ----------
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    """
    folder = VolumeCache(cache_dir).folder
    entries = list(_entries(folder))
    kinds = Counter(file.relative_to(folder).parts[0] for _, _, file in entries)
    return {
        "folder": str(folder),
        "volumes": kinds["boxes"],
        "features": kinds["features"],
        "bytes": sum(size for _, size, _ in entries),
    }


def clear_cache(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Delete prepared volumes and features (they are made again when needed) and return how many there were.

    Pretrained weights that were fetched stay.

    Parameters
    ----------
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    """
    folder = VolumeCache(cache_dir).folder
    removed = 0
    # Only what this class writes is removed: the folder may be one that the user also uses otherwise.
    for pattern in (*_VOXELS, "files/*/*.json"):
        for file in folder.glob(pattern):
            file.unlink(missing_ok=True)
            removed += not pattern.startswith("files")
    return removed


def prune_cache(
    cache_dir: str | os.PathLike[str] | None = None, *, max_size: str | int | None = None, max_days: float | None = None
) -> int:
    """Delete prepared volumes and features that have not been used for a long time, and return how many.

    They are made again when needed. Pretrained weights that were fetched are kept.

    Parameters
    ----------
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    max_size : str or int, default=None
        Size to keep, such as "20GB"; the entries used last are kept.
    max_days : float, default=None
        Entries that were last used longer ago are deleted (last written, if the file system does not record use).

    Raises
    ------
    ValueError
        If neither is given, or one of them is not an amount.
    """
    if max_size is None and max_days is None:
        raise ValueError("prune_cache needs `max_size` or `max_days`; clear_cache deletes everything.")
    if max_days is not None and not max_days >= 0:
        raise ValueError(f"`max_days` must be at least 0; got {max_days!r}.")
    room = math.inf if max_size is None else parse_bytes(max_size, "`max_size`")
    oldest = -math.inf if max_days is None else time.time() - max_days * 86400
    removed = 0
    for used, size, file in sorted(_entries(VolumeCache(cache_dir).folder), key=lambda entry: -entry[0]):
        room -= size
        if used < oldest or room < 0:
            file.unlink(missing_ok=True)
            removed += 1
    return removed


def _entries(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield last use, size and file of each prepared volume and feature; another run may delete one meanwhile."""
    for pattern in _VOXELS:
        for file in folder.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                found = file.stat()
                yield max(found.st_atime, found.st_mtime), found.st_size, file
