"""Prepared volumes on disk: read by every fold, model and worker, never stale, never half-written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prrt_estimators._io import atomic_write, default_cache_dir
from prrt_estimators.preprocessing._boxes import Box
from prrt_estimators.preprocessing._scans import file_stamp

#: Raised whenever the same file and box would give other voxels than before, or none because the file is now refused.
VERSION = 2


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
        Numbers taken from the native voxels (see `pet_summary`); empty for CT.
    """

    digest: str
    shape: tuple[int, ...]
    affine: tuple[float, ...]
    summary: dict

    @property
    def matrix(self) -> np.ndarray:
        """The affine as an array of shape (4, 4)."""
        return np.array(self.affine).reshape(4, 4)


class VolumeCache:
    """Boxes keyed by file content and parameters.

    A first table maps a file's path and stamp (size, times, inode) to the digest of its content, so that an
    unchanged file is never opened again; a second holds the voxels by digest, modality and box. Both are written
    with an atomic rename: two runs that prepare one file at once write the same bytes one after the other. Neither
    holds a path or a name.

    Parameters
    ----------
    folder : path, default=None
        `default_cache_dir` if None.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None):
        self.folder = Path(folder) if folder is not None else default_cache_dir()

    def record(self, path: str) -> ScanRecord | None:
        """Return what is known of `path` as it is now, None if it is new, changed or gone."""
        try:
            stored = json.loads(self._record_file(path).read_text("utf-8"))
            if stored["version"] != VERSION or stored["stamp"] != list(file_stamp(path)):
                return None
            return ScanRecord(stored["digest"], tuple(stored["shape"]), tuple(stored["affine"]), stored["summary"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put_record(self, path: str, stamp: tuple[int, ...], record: ScanRecord) -> None:
        """Remember what was found in `path`."""
        text = json.dumps({"version": VERSION, "stamp": list(stamp), **asdict(record)})
        with self._writing(self._record_file(path)) as temporary:
            temporary.write_text(text, "utf-8")

    def box_file(self, digest: str, modality: str, box: Box) -> Path:
        """Return where the voxels of this content in this box lie, or will lie."""
        key = json.dumps([VERSION, digest, modality, box.centre, box.size, box.spacing])
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / "boxes" / name[:2] / f"{name}.npy"

    def put(self, file: Path, values: np.ndarray) -> None:
        """Write the voxels of a box, or features."""
        with self._writing(file) as temporary, open(temporary, "wb") as handle:
            np.save(handle, values, allow_pickle=False)

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


def cache_info(cache_dir: str | os.PathLike[str] | None = None) -> dict[str, int | str]:
    """Return the folder, and the number of prepared volumes and features of volumes with their bytes.

    Parameters
    ----------
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    """
    folder = VolumeCache(cache_dir).folder
    sizes = {kind: [file.stat().st_size for file in folder.glob(f"{kind}/*/*.npy")] for kind in ("boxes", "features")}
    return {
        "folder": str(folder),
        "volumes": len(sizes["boxes"]),
        "features": len(sizes["features"]),
        "bytes": sum(map(sum, sizes.values())),
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
    for pattern in ("boxes/*/*.npy", "features/*/*.npy", "files/*/*.json"):
        for file in folder.glob(pattern):
            file.unlink(missing_ok=True)
            removed += not pattern.startswith("files")
    return removed
