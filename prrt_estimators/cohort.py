"""The input of every estimator: modalities side by side, one row per patient."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._classes import check_same_order
from prrt_estimators._events import as_events
from prrt_estimators._io import absolute, existing_spelling
from prrt_estimators._modalities import IMAGING, MODALITIES, in_order
from prrt_estimators._pandas_tables import as_frame
from prrt_estimators._text import plain_text, unquoted_path
from prrt_estimators._values import lost_digits

#: Spellings of "this patient has no scan" in a list of paths.
_ABSENT = ("", "nan", "none", "na", "n/a", "<na>")


class Volumes(Sequence):
    """One imaging modality of a cohort: files that are read when a batch asks for them, or an array.

    Parameters
    ----------
    items : sequence of path or None, or array of shape (n, 1, D, H, W) or (n, D, H, W)
        Paths of NIfTI files, with None (or an empty cell) for a patient without that scan; or the voxels
        themselves, SUVbw for PET and HU for CT, all on one grid with axes towards Right, Anterior, Superior. In
        an array, a patient whose voxels are all NaN has no scan. Relative paths start in the working folder of this
        moment and are kept absolute.
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
        elif hasattr(items, "ndim") and items.ndim > 1:
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
            f"volumes must be paths (str or PathLike, None for no scan) or one array; got {type(item).__name__}. "
            "Stack arrays of one grid with numpy.stack."
        )
    path = unquoted_path(item) if isinstance(item, str) else os.fspath(item)
    if path.lower() in _ABSENT:
        return None
    path = absolute(path)
    return path if path.isascii() else existing_spelling(path)


class Cohort(Mapping):
    """Patients with their PET, CT and laboratory values, indexable like an array of patients.

    scikit-learn counts the keys of a plain dict as samples; a `Cohort` counts patients, so splitters, searches
    and pipelines take it as they take an array. As a mapping it gives the modalities.

    Parameters
    ----------
    data : mapping
        Any of the scans ``"pet"`` and ``"ct"`` (paths, an array of shape (n, 1, D, H, W), or `Volumes`) and ``"lab"`` (a
        DataFrame of shape (n, k), or a 2-D array).
    ids : sequence of str, default=None
        Pseudonymous patient ids, for messages and result tables; never seen by a model. Row numbers by default.
    masks : mapping of str to paths or arrays, default=None
        Tumour or organ masks on any grid, for regional questions; never seen by a model.
    survival : structured array of shape (n,), default=None
        Fields ``event`` (progression seen: bool, 0/1 or yes/no) and ``time`` (months); for Kaplan-Meier curves, never an input.

    Raises
    ------
    TypeError
        If `data` is not a mapping, or a modality is of the wrong kind.
    ValueError
        If a modality is unknown or lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> X = Cohort({"pet": ["/data/p0.nii.gz", None, "/data/p2.nii.gz"], "lab": np.eye(3)})
    >>> len(X), X.shape, X.modalities
    (3, (3,), ('pet', 'lab'))
    >>> X[[True, False, True]]["pet"].paths.tolist()
    ['/data/p0.nii.gz', '/data/p2.nii.gz']
    """

    ids: np.ndarray
    masks: dict[str, Volumes]
    survival: np.ndarray | None

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        ids: Iterable[Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        survival: np.ndarray | None = None,
    ):
        if isinstance(data, Cohort):
            ids = data.ids if ids is None else ids
            masks = data.masks if masks is None else masks
            survival = data.survival if survival is None else survival
            data = data._data
        if isinstance(data, pd.DataFrame):
            raise TypeError(
                "a Cohort is made of a mapping modality -> values; for a table with one row per patient use "
                "load_cohort(table), which finds out what each column is."
            )
        if not isinstance(data, Mapping):
            raise TypeError(
                f"a Cohort is made of a mapping with some of the keys {tuple(MODALITIES)}; got {type(data).__name__}."
            )
        unknown = [key for key in data if key not in MODALITIES]
        if unknown or not data:
            raise ValueError(f"a Cohort needs at least one of the modalities {tuple(MODALITIES)}; got {list(data)}.")
        self._data: dict[str, Any] = {
            name: Volumes(data[name]) if name in IMAGING else _as_table(data[name]) for name in in_order(data)
        }
        lengths = {name: len(values) for name, values in self._data.items()}
        self._n = next(iter(lengths.values()))
        self.masks = {name: Volumes(values) for name, values in (masks or {}).items()}
        self.ids = _as_ids(range(self._n) if ids is None else ids)
        self.survival = None if survival is None else _as_survival(survival)
        lengths |= {f"mask {name}": len(values) for name, values in self.masks.items()}
        lengths["ids"] = len(self.ids)
        if self.survival is not None:
            lengths["survival"] = len(self.survival)
        if len(set(lengths.values())) > 1:
            raise ValueError(f"every part of a Cohort needs one row per patient; got lengths {lengths}.")
        if ids is not None and "lab" in self._data:
            check_same_order(pd.Series(self.ids, self.ids), self._data["lab"], ("ids", "'lab'"))

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities held, in the order pet, ct, lab."""
        return tuple(self._data)

    @property
    def shape(self) -> tuple[int]:
        """``(n,)``: patients, as scikit-learn counts them."""
        return (self._n,)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __getitem__(self, key: Any) -> Any:
        """Return a modality for a name, the `Cohort` of some patients for anything that indexes an array."""
        if isinstance(key, str):
            if key not in self._data:
                raise KeyError(f"this cohort has no {key!r}; it has {', '.join(self._data)}.")
            return self._data[key]
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:  # scikit-learn's X[rows, ...]
            key = key[0]
        if isinstance(key, (int, np.integer)):
            key = [key]
        rows = np.arange(self._n)[np.asarray(key) if isinstance(key, list) and key else key]
        if rows.ndim != 1:
            raise IndexError(f"patients are counted along one axis; got an index of {rows.ndim} dimensions.")
        part = object.__new__(Cohort)
        part._data = {
            name: values.iloc[rows] if isinstance(values, pd.DataFrame) else values[rows]
            for name, values in self._data.items()
        }
        part._n = len(rows)
        part.ids = self.ids[rows]
        part.masks = {name: values[rows] for name, values in self.masks.items()}
        part.survival = None if self.survival is None else self.survival[rows]
        return part

    def select(self, *modalities: str) -> Cohort:
        """Return the same patients with only these modalities."""
        missing = [name for name in modalities if name not in self._data]
        if missing:
            raise KeyError(f"this cohort has no {', '.join(missing)}; it has {', '.join(self._data)}.")
        return Cohort(
            {name: self._data[name] for name in modalities},
            ids=self.ids,
            masks=self.masks,
            survival=self.survival,
        )

    def __eq__(self, other: object) -> bool:
        # Mapping compares item by item, which is ambiguous for arrays and tables.
        return self is other

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(
            f"a Cohort of {', '.join(self._data)} is not one array. Pass it to estimators of this library, or take one "
            "modality: np.asarray(X['lab']), X['pet'].array."
        )

    def __sizeof__(self) -> int:
        # What holds voxels in memory must not look like 56 bytes to those who send it to workers.
        parts = [*self._data.values(), *self.masks.values()]
        held = sum(
            int(part.memory_usage(deep=True).sum()) if isinstance(part, pd.DataFrame) else part.__sizeof__()
            for part in parts
        )
        return object.__sizeof__(self) + held + int(self.ids.nbytes)

    def _repr_html_(self) -> str:
        from prrt_estimators._cohort_html import cohort_html

        return cohort_html(self)

    def __repr__(self) -> str:
        parts = [
            f"{name}={len(values.columns)} columns"
            if isinstance(values, pd.DataFrame)
            else f"{name}={int(values.present.sum())} scans"
            for name, values in self._data.items()
        ]
        return f"Cohort({self._n} patients: {', '.join(parts)})"


def _as_ids(ids: Iterable[Any]) -> np.ndarray:
    ids = list(ids)
    rounded = [one for one in ids if lost_digits(one)]
    if rounded:
        raise ValueError(
            f"`ids` holds {rounded[0]:.6g}, a number of more than 15 digits that was rounded when it was stored. Pass ids "
            "as text, read as text."
        )
    return np.array([plain_text(str(one)) for one in ids] + [None], dtype=object)[:-1]


def _as_table(values: Any) -> pd.DataFrame:
    values = as_frame(values)
    if isinstance(values, pd.DataFrame):
        return values
    if isinstance(values, pd.Series):
        return values.to_frame()
    array = np.asarray(values)
    if array.ndim != 2:
        raise ValueError(f"'lab' must be a table of shape (n_patients, n_columns); got shape {array.shape}.")
    return pd.DataFrame(array)


def _as_survival(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.names is None or not {"event", "time"} <= set(values.dtype.names):
        raise TypeError("survival must be a structured array with fields 'event' (bool) and 'time' (months).")
    result = np.empty(len(values), dtype=[("event", bool), ("time", np.float64)])
    result["event"], result["time"] = as_events(values["event"], "survival['event']"), values["time"]
    return result
