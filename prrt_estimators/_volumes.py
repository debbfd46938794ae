"""One imaging modality of a cohort: files, images or an array."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._forms import scans_of
from prrt_estimators._io import absolute, existing_spelling
from prrt_estimators._text import unquoted_path

#: Spellings of "this patient has no scan" in a list of paths.
_ABSENT = ("", "nan", "none", "na", "n/a", "<na>")


class Volumes(Sequence):
    """One imaging modality of a cohort: files that are read when a batch asks for them, or an array.

    Parameters
    ----------
    items : sequence of path, image or None, or array of shape (n, 1, D, H, W), (n, D, H, W) or (D, H, W)
        Paths of NIfTI files, with None (or an empty cell) for a patient without that scan; images that know where they lie
        (nibabel, MONAI's MetaTensor, pairs (array, affine)), each on a grid of its own; or the voxels themselves, SUVbw for PET
        and HU for CT, all on one grid with axes towards Right, Anterior, Superior. In
        an array, a patient whose voxels are all NaN has no scan. Relative paths start in the working folder of this
        moment and are kept absolute. Images that were not read from a NIfTI file are written to a temporary folder, which
        goes when Python ends.
    spacing : array of shape (3,) or (n, 3), default=None
        Millimetres between the voxels of an array along Right, Anterior, Superior, for those who need them, such as
        pretrained weights that were made for one spacing. Files tell theirs themselves.

    Attributes
    ----------
    paths : ndarray of str or None, shape (n,), or None
        The files, as absolute paths; None when the voxels are held in memory.
    array : ndarray of shape (n, 1, D, H, W) or None
        The voxels; None when they lie in files.
    present : ndarray of bool, shape (n,)
        Which patients have this scan.
    spacing : ndarray of shape (n, 3) or None
        Millimetres between the voxels of an array, where they are known.

    Notes
    -----
    Pickling an object made of paths writes the paths, compressed, and never a voxel.

    Examples
    --------
    >>> scans = Volumes(["/data/a.nii.gz", None, "/data/c.nii.gz"])
    >>> len(scans), scans.present.tolist(), scans[[0, 2]].paths.tolist()
    (3, [True, False, True], ['/data/a.nii.gz', '/data/c.nii.gz'])
    """

    present: np.ndarray

    def __init__(self, items: Any, *, spacing: Any = None):
        self.paths: np.ndarray | None = None
        self.array: np.ndarray | None = None
        self.spacing: np.ndarray | None = None
        if isinstance(items, Volumes):
            self.paths, self.array, self.present = items.paths, items.array, items.present
            self.spacing = items.spacing
        elif hasattr(items := scans_of(items), "ndim") and items.ndim > 1:
            self.array = _as_volume_array(items)
            # One voxel tells: a scan with some NaN voxels is damaged, not absent, and is refused later.
            corner = np.isnan(self.array[:, 0, 0, 0, 0])
            self.present = ~corner
            for row in np.flatnonzero(corner):
                self.present[row] = not np.isnan(self.array[row]).all()
        else:
            self.paths = np.array([_as_path(item) for item in items] + [None], dtype=object)[:-1]
            self.present = np.array([path is not None for path in self.paths], dtype=bool)
        if spacing is not None:
            if self.array is None:
                raise ValueError("`spacing` belongs to an array; files hold their own.")
            self.spacing = _as_spacing(spacing, len(self))

    @property
    def shape(self) -> tuple[int]:
        """``(n,)``: patients, as scikit-learn counts them."""
        return (len(self),)

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, key: Any) -> Any:
        """Return one item (a path, an array of shape (1, D, H, W) or None), or the `Volumes` of several."""
        if isinstance(key, (int, np.integer)):
            if not self.present[key]:
                return None
            return self.paths[key] if self.paths is not None else self.array[key]  # type: ignore[index]
        part = object.__new__(Volumes)
        part.paths = None if self.paths is None else self.paths[key]
        part.array = None if self.array is None else self.array[key]
        part.present = self.present[key]
        part.spacing = None if self.spacing is None else self.spacing[key]
        return part

    def __getstate__(self) -> dict[str, Any]:
        if self.paths is None:
            return {"array": self.array, "present": self.present, "spacing": self.spacing}
        # Paths of a cohort differ in a few characters; a search pickles its data for each candidate.
        text = "\0".join(path or "" for path in self.paths)
        return {"paths": zlib.compress(text.encode("utf-8", "surrogateescape"), 6), "n": len(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "paths" in state:
            text = zlib.decompress(state["paths"]).decode("utf-8", "surrogateescape")
            self.__init__(text.split("\0") if state["n"] else [])  # type: ignore[misc]
        else:
            self.paths, self.array, self.present = None, state["array"], state["present"]
            self.spacing = state.get("spacing")

    def __sizeof__(self) -> int:
        parts = [part for part in (self.paths, self.array, self.present, self.spacing) if part is not None]
        text = 0 if self.paths is None else sum(len(path) for path in self.paths if path is not None)
        return object.__sizeof__(self) + sum(int(part.nbytes) for part in parts) + text

    def __repr__(self) -> str:
        kind = "files" if self.paths is not None else f"array {self.array.shape[2:]}"  # type: ignore[union-attr]
        return f"Volumes({int(self.present.sum())} of {len(self)} present, {kind})"


def _as_volume_array(items: Any) -> np.ndarray:
    array = np.asarray(items)
    if array.ndim == 4:
        array = array[:, None]
    if array.ndim != 5 or array.shape[1] != 1:
        raise ValueError(
            "volumes must be an array of shape (n_patients, 1, D, H, W) or (n_patients, D, H, W); "
            f"got shape {np.shape(items)}."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(f"volumes must hold numbers; got an array of dtype {array.dtype}.")
    return array if array.dtype == np.float32 else array.astype(np.float32)


def _as_spacing(spacing: Any, n: int) -> np.ndarray:
    values = np.asarray(spacing, dtype=np.float64)
    if values.shape not in ((), (3,), (n, 3)) or not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError(
            f"`spacing` must be positive millimetres: one number, three, or an array of shape ({n}, 3); got {spacing!r}."
        )
    return np.broadcast_to(values, (n, 3)).copy()


def _as_path(item: Any) -> str | None:
    if item is None or (isinstance(item, float) and np.isnan(item)) or item is pd.NA:
        return None
    if not isinstance(item, (str, os.PathLike)):
        raise TypeError(
            f"volumes must be paths (str or PathLike, None for no scan), images that know where they lie (nibabel, MetaTensor, "
            f"pairs (array, affine)) or one array of shape (n, 1, D, H, W); got {type(item).__name__}."
        )
    path = unquoted_path(item) if isinstance(item, str) else os.fspath(item)
    if path.lower() in _ABSENT:
        return None
    path = absolute(path)
    return path if path.isascii() else existing_spelling(path)
