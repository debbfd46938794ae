"""The input of every estimator: modalities side by side, one row per patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._classes import check_same_order
from prrt_estimators._cohort_html import NotebookViews
from prrt_estimators._events import as_events
from prrt_estimators._forms import are_records, as_array, by_lower_name, plain_form
from prrt_estimators._joining import joined_ids, joined_tables, joined_volumes
from prrt_estimators._modalities import IMAGING, MODALITIES, in_order
from prrt_estimators._pandas_tables import as_frame, check_column_names
from prrt_estimators._patient_records import Parts, parts_of_columns, parts_of_records, table_of
from prrt_estimators._text import plain_text
from prrt_estimators._values import lost_digits
from prrt_estimators._volumes import Volumes

__all__ = ["Cohort", "Volumes"]


class Cohort(NotebookViews, Mapping):
    """Patients with their PET, CT and laboratory values, indexable like an array of patients.

    scikit-learn counts the keys of a plain dict as samples; a `Cohort` counts patients, so splitters, searches
    and pipelines take it as they take an array. As a mapping it gives the modalities.

    Parameters
    ----------
    data : mapping
        Any of the scans ``pet`` and ``ct`` (paths, images, an array of shape (n, 1, D, H, W), or `Volumes`) and ``lab`` (a
        DataFrame of shape (n, k), a 2-D array, a mapping of columns, or one of values for one patient), in upper or lower case.
    ids : sequence of str, default=None
        Pseudonymous patient ids, for messages and result tables; never seen by a model. Row numbers by default.
    masks : mapping of str to paths or arrays, default=None
        Tumour or organ masks on any grid, for regional questions; never seen by a model.
    survival : structured array of shape (n,), default=None
        Fields ``event`` (progression seen: bool, 0/1 or yes/no) and ``time`` (months); for Kaplan-Meier curves, never an input.
    blocks : mapping of str to DataFrame, default=None
        Tables of numbers by name, such as radiomics, apart from laboratory values; `BlockFusionPFSClassifier` learns from them.

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
    >>> X, X.shape
    (Cohort(3 patients: pet=2 scans, lab=3 columns), (3,))
    >>> X[[True, False, True]]["pet"].paths.tolist()
    ['/data/p0.nii.gz', '/data/p2.nii.gz']
    """

    ids: np.ndarray
    masks: dict[str, Volumes]
    survival: np.ndarray | None
    blocks: dict[str, pd.DataFrame]

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        ids: Iterable[Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        survival: np.ndarray | None = None,
        blocks: Mapping[str, Any] | None = None,
    ):
        if isinstance(data, Cohort):
            ids = data.ids if ids is None else ids
            blocks = data.blocks if blocks is None else blocks
            masks = data.masks if masks is None else masks
            survival = data.survival if survival is None else survival
            data = data._data
        if isinstance(data, pd.DataFrame):
            raise TypeError(
                "a Cohort is made of a mapping modality -> values; for a table with one row per patient use "
                "load_cohort(table), which finds out what each column is, or Cohort.from_frame(table), which goes by their names."
            )
        if not isinstance(data, Mapping):
            raise TypeError(
                f"a Cohort is made of a mapping with some of the keys {tuple(MODALITIES)}; got {type(data).__name__}."
            )
        data = by_lower_name(data)
        unknown = [key for key in data if key not in MODALITIES]
        if unknown or not data:
            raise ValueError(
                f"a Cohort needs at least one of the modalities {tuple(MODALITIES)}, and no other keys; got {list(data)}. Pass "
                "laboratory values as {'lab': table}, and a list of records with outcome, ids or masks to Cohort.from_records."
            )
        self._data: dict[str, Any] = {
            name: Volumes(data[name]) if name in IMAGING else _as_table(data[name]) for name in in_order(data)
        }
        lengths = {name: len(values) for name, values in self._data.items()}
        self._n = next(iter(lengths.values()))
        self.masks = {name: Volumes(values) for name, values in (masks or {}).items()}
        self.ids = _as_ids(range(self._n) if ids is None else ids)
        self.survival = None if survival is None else _as_survival(survival)
        self.blocks = {name: _as_table(table) for name, table in (blocks or {}).items()}
        lengths |= {f"block {name}": len(table) for name, table in self.blocks.items()}
        lengths |= {f"mask {name}": len(values) for name, values in self.masks.items()}
        lengths["ids"] = len(self.ids)
        if self.survival is not None:
            lengths["survival"] = len(self.survival)
        if len(set(lengths.values())) > 1:
            raise ValueError(f"every part of a Cohort needs one row per patient; got lengths {lengths}.")
        if ids is not None and "lab" in self._data:
            check_same_order(pd.Series(self.ids, self.ids), self._data["lab"], ("ids", "'lab'"))
        known = pd.Series(self.ids, self.ids) if ids is not None else self._data.get("lab")
        for name, table in self.blocks.items():
            check_same_order(known, table, ("the patients", f"block {name!r}"))

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]], *, return_X_y: bool = False) -> Any:
        """Return the patients of a list of mappings, as MONAI's datasets take it.

        Parameters
        ----------
        records : sequence of mapping
            One per patient. ``pet`` and ``ct`` are paths or images; ``id``, ``patient_id`` or ``subject`` the id; ``label``,
            ``target`` or ``y`` the outcome, or a mask if it is a file; ``time`` and ``event`` the survival; ``lab`` a mapping of
            laboratory values; files with "mask", "seg", "lesion" or "gtv" in their names masks; every other entry is a
            laboratory value. Names in any case; what MONAI's loaders add is ignored.
        return_X_y : bool, default=False
            Return ``(X, y)``.

        Returns
        -------
        Cohort or tuple (Cohort, ndarray)

        Raises
        ------
        TypeError
            If there is no record, or one is not a mapping.
        ValueError
            If an entry holds files and its name does not say of what, or labels are asked for and missing.

        Examples
        --------
        >>> records = [{"id": "A", "pet": "/data/a.nii.gz", "CgA": 95, "label": 1}, {"id": "B", "pet": None, "CgA": 800, "label": 0}]
        >>> X, y = Cohort.from_records(records, return_X_y=True)
        >>> X, y.tolist()
        (Cohort(2 patients: pet=1 scans, lab=1 columns), [1, 0])
        """
        return cls._of_parts(parts_of_records(records), return_X_y)

    @classmethod
    def from_frame(cls, frame: Any, *, return_X_y: bool = False) -> Any:
        """Return the patients of a table with one row each, by the names of its columns.

        `load_cohort` finds out what each column is, whatever its name, and makes the class of time and event.

        Parameters
        ----------
        frame : DataFrame, polars or pyarrow table
            Columns as the entries of `from_records`. Without a column of ids, the index holds them if it is not a count.
        return_X_y : bool, default=False
            Return ``(X, y)``.

        Returns
        -------
        Cohort or tuple (Cohort, ndarray)

        Raises
        ------
        TypeError
            If `frame` is not a table.
        ValueError
            As for `from_records`.

        Examples
        --------
        >>> frame = pd.DataFrame({"patient_id": ["A", "B"], "CgA": [95, 800], "albumin": [41.0, None]})
        >>> Cohort.from_frame(frame).ids.tolist()
        ['A', 'B']
        """
        frame = as_frame(frame)
        if not isinstance(frame, pd.DataFrame):
            more = " Pass it to Cohort.from_records." if are_records(frame) else ""
            raise TypeError(f"`frame` must be a table with one row per patient; got {type(frame).__name__}.{more}")
        return cls._of_parts(parts_of_columns({name: frame[name] for name in frame.columns}, frame.index), return_X_y)

    @classmethod
    def concat(cls, cohorts: Iterable[Cohort]) -> Cohort:
        """Return the patients of several cohorts, one below the other.

        Patients of a cohort without some modality, mask, block or column have none. Survival is kept where every cohort has it.

        Parameters
        ----------
        cohorts : iterable of Cohort

        Returns
        -------
        Cohort

        Raises
        ------
        TypeError
            If one is not a Cohort, or scans are files in one and arrays in another.
        ValueError
            If there is none, an id is in two of them, or arrays have several grids.

        Examples
        --------
        >>> first = Cohort({"lab": pd.DataFrame({"CgA": [95.0]})}, ids=["A"])
        >>> second = Cohort({"lab": pd.DataFrame({"CgA": [800.0], "albumin": [41.0]})}, ids=["B"])
        >>> Cohort.concat([first, second])
        Cohort(2 patients: lab=2 columns)
        """
        parts = list(cohorts)
        if wrong := [type(one).__name__ for one in parts if not isinstance(one, Cohort)]:
            raise TypeError(f"`cohorts` must hold Cohorts; got {wrong[0]}.")
        if not parts:
            raise ValueError("`cohorts` is empty; give at least one Cohort.")
        sizes = [len(one) for one in parts]
        data: dict[str, Any] = {}
        for name in dict.fromkeys(name for one in parts for name in one):
            held = [one.get(name) for one in parts]
            data[name] = joined_volumes(held, sizes, name) if name in IMAGING else joined_tables(held, sizes)
        names = dict.fromkeys(name for one in parts for name in one.masks)
        masks = {name: joined_volumes([one.masks.get(name) for one in parts], sizes, name) for name in names}
        outcomes = [one.survival for one in parts if one.survival is not None]
        survival = np.concatenate(outcomes) if len(outcomes) == len(parts) else None
        named = dict.fromkeys(name for one in parts for name in one.blocks)
        blocks = {name: joined_tables([one.blocks.get(name) for one in parts], sizes) for name in named}
        return cls(data, ids=joined_ids([one.ids for one in parts]), masks=masks, survival=survival, blocks=blocks)

    @classmethod
    def _of_parts(cls, parts: Parts, return_X_y: bool) -> Any:
        X = cls(parts.data, ids=parts.ids, masks=parts.masks, survival=parts.survival)
        if not return_X_y:
            return X
        if parts.label is None or pd.isna(parts.label).any():
            raise ValueError("every patient needs an outcome named 'label', 'target' or 'y'; some or all have none.")
        return X, parts.label

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
        part.blocks = {name: table.iloc[rows] for name, table in self.blocks.items()}
        return part

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({"blocks": {}} | state)  # those pickled by the last version have none

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
            blocks=self.blocks,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per patient, which `from_frame` reads: paths, laboratory values, time and event.

        Blocks are left out. Scans that are arrays in memory have no path and raise a TypeError.

        Examples
        --------
        >>> Cohort({"lab": pd.DataFrame({"CgA": [95]})}, ids=["A"]).to_frame().to_dict()
        {'CgA': {'A': 95}}
        """
        return table_of(self._data, self.masks, self.survival, self.ids.tolist())

    def __eq__(self, other: object) -> bool:
        # Mapping compares item by item, which is ambiguous for arrays and tables.
        return self is other

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(
            f"a Cohort of {', '.join(self._data)} is not one array. Pass it to estimators of this library, or take one "
            "modality: np.asarray(X['lab']), X['pet'].array. scikit-learn's bagging, boosting and permutation_importance make "
            "an array of X: they take tables; for scans there are permutation_importance and modality_shapley of "
            "prrt_estimators.inspection, and VotingClassifier joins several models."
        )

    def __sizeof__(self) -> int:
        # What holds voxels in memory must not look like 56 bytes to those who send it to workers.
        parts = [*self._data.values(), *self.masks.values(), *self.blocks.values()]
        held = sum(
            int(part.memory_usage(deep=True).sum()) if isinstance(part, pd.DataFrame) else part.__sizeof__()
            for part in parts
        )
        return object.__sizeof__(self) + held + int(self.ids.nbytes)

    def __repr__(self) -> str:
        parts = [
            f"{name}={len(values.columns)} columns"
            if isinstance(values, pd.DataFrame)
            else f"{name}={int(values.present.sum())} scans"
            for name, values in self._data.items()
        ] + [f"block {name}={table.shape[1]} columns" for name, table in self.blocks.items()]
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
    values = plain_form(values)
    if are_records(values):
        values = pd.DataFrame(list(values))
    if isinstance(values, pd.DataFrame):
        check_column_names(values)
        return values
    if isinstance(values, pd.Series):
        # A row of a table has the names of its columns; a column has a name of its own.
        row = not isinstance(values.name, str) and pd.api.types.is_string_dtype(values.index)
        return values.to_frame().T.infer_objects() if row and len(values) else values.to_frame()
    if isinstance(values, Mapping):  # columns, or the values of one patient
        cells = dict(values)
        return pd.DataFrame(cells if any(np.ndim(cell) for cell in cells.values()) else [cells])
    array = np.asarray(as_array(values))
    if array.ndim != 2:
        raise ValueError(
            f"'lab' must be a table of shape (n_patients, n_columns); got shape {array.shape}. For one patient pass [values] or a "
            "mapping such as {'CgA': 95}, for one value per patient {'CgA': values}."
        )
    return pd.DataFrame(array)


def _as_survival(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.names is None or not {"event", "time"} <= set(values.dtype.names):
        raise TypeError("survival must be a structured array with fields 'event' (bool) and 'time' (months).")
    result = np.empty(len(values), dtype=[("event", bool), ("time", np.float64)])
    result["event"], result["time"] = as_events(values["event"], "survival['event']"), values["time"]
    return result
