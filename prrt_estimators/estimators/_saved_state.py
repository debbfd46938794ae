"""What an estimator keeps in a file: every attribute that `fit` learnt, and none that it does not know how to write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from prrt_estimators.exceptions import SavedModelError

#: Names that end in an underscore, and what is learnt for the inside alone.
_LEARNT = re.compile(r"[a-z][a-z0-9_]*[a-z0-9]_|_n_features_out|_class_of_one")
#: Kinds of numpy arrays that are written: truth values, whole numbers, floats, texts.
_KINDS = "biufUO"


@dataclass
class SavedState:
    """The learnt part of an estimator.

    Parameters
    ----------
    data : dict, default={}
        What JSON can hold; becomes part of ``model.json``.
    objects : dict of str to estimator, default={}
        Fitted scikit-learn objects by attribute.
    files : dict of str to bytes, default={}
        Further parts by name.
    encoders : mapping of str to Module class, default={}
        Of the caller's own, in reading.
    name : str, default=""
        Of the file that is read, for messages.
    models : dict of str to estimator, default={}
        Fitted estimators of this library inside, in their order.
    """

    data: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    encoders: Mapping[str, type] = field(default_factory=dict)
    name: str = ""
    models: dict[str, Any] = field(default_factory=dict)

    def add(self, learnt: Mapping[str, Any]) -> None:
        """Add learnt values by attribute.

        Raises
        ------
        TypeError
            If one is of a kind that cannot be written.
        """
        for name, value in learnt.items():
            if name == "classes_":
                self.data["classes"] = {"dtype": value.dtype.str, "values": value.tolist()}
            elif name == "feature_names_in_":
                self.data["feature_names_in"] = [str(column) for column in value]
            elif name == "modalities_":
                self.data["fitted"][name] = list(value)
            elif isinstance(value, BaseEstimator):
                self.objects[name] = value
            else:
                self.data["fitted"][name] = _as_data(name, value)

    def learnt(self) -> dict[str, Any]:
        """Return what `add` took, apart from classes and names of columns."""
        return {name: _from_data(value) for name, value in self.data["fitted"].items()} | self.objects


def learnt_attributes(estimator: Any) -> dict[str, Any]:
    """Return what `fit` left on an estimator, by scikit-learn's rule: names that end in an underscore."""
    return {name: value for name, value in vars(estimator).items() if _LEARNT.fullmatch(name)}


class SavesStateMixin:
    """Gives an estimator its saved state; one with a network or files of its own adds to it."""

    #: Attributes that a subclass writes itself.
    _saved_apart: ClassVar[tuple[str, ...]] = ()

    def _validate_params(self) -> None:
        """Check the parameters, and forget an earlier fit: one that is interrupted must not leave a mixture of both."""
        super()._validate_params()  # type: ignore[misc]  # scikit-learn's
        # A subclass may have counted the columns of the new table before it calls this fit; they do not say that it is fitted.
        for name in learnt_attributes(self).keys() - {"n_features_in_", "feature_names_in_"}:
            delattr(self, name)

    @property
    def _reads(self) -> tuple[str, ...]:
        """The modalities that a fitted estimator looks at."""
        own = getattr(self, "_image", None)
        return tuple(getattr(self, "modalities_", (own,) if own else ("lab",)))

    @property
    def _table_columns(self) -> list[str] | None:
        """The columns of the table that it was fitted on; None where it does not say."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]

    def _saved_state(self) -> SavedState:
        """Return everything learnt.

        Raises
        ------
        TypeError
            If an attribute is of a kind that cannot be written.
        """
        return state_of(self, apart=self._saved_apart)

    def _restore(self, state: SavedState) -> None:
        """Take over what `_saved_state` returned."""
        restore_state(self, state)


def state_of(estimator: Any, apart: tuple[str, ...] = ()) -> SavedState:
    """Return everything that an estimator or transformer learnt, less the attributes `apart`.

    Raises
    ------
    TypeError
        If an attribute is of a kind that cannot be written.
    """
    state = SavedState(data={"fitted": {}})
    state.add({name: value for name, value in learnt_attributes(estimator).items() if name not in apart})
    return state


def restore_state(estimator: Any, state: SavedState) -> None:
    """Give an estimator or transformer what `state_of` returned.

    Raises
    ------
    SavedModelError
        If it holds what no fit learns.
    """
    for name, value in state.learnt().items():
        if not _LEARNT.fullmatch(name):
            raise SavedModelError(f"{state.name} holds {name!r}, which no fit learns; do not trust where it is from.")
        setattr(estimator, name, tuple(value) if name == "modalities_" else value)
    if "classes" in state.data:
        classes = state.data["classes"]
        estimator.classes_ = np.array(classes["values"], dtype=classes["dtype"])
    if "feature_names_in" in state.data:
        estimator.feature_names_in_ = np.array(state.data["feature_names_in"], dtype=object)


def _as_data(name: str, value: Any) -> Any:
    """Return a learnt value as JSON data, with a mark for what JSON has no word for."""
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        return {"__array__": {"dtype": value.dtype.str, "values": _as_data(name, value.tolist())}}
    if isinstance(value, pd.DataFrame):
        columns = [
            [str(column), str(value[column].dtype), _as_data(name, value[column].tolist())] for column in value.columns
        ]
        return {"__table__": columns}
    if isinstance(value, tuple):
        return {"__tuple__": [_as_data(name, item) for item in value]}
    if isinstance(value, list):
        return [_as_data(name, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"__dict__": [[key, _as_data(name, item)] for key, item in value.items()]}
    raise TypeError(
        f"what was learnt as {name!r} holds a {type(value).__name__}, which cannot be saved as data. joblib writes such a "
        "model for your own use."
    )


def _from_data(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_data(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        array = value["__array__"]
        return np.array(_from_data(array["values"]), dtype=array["dtype"])
    if "__table__" in value:
        return pd.DataFrame(
            {name: pd.Series(_from_data(items), dtype=np.dtype(dtype)) for name, dtype, items in value["__table__"]}
        )
    if "__tuple__" in value:
        return tuple(_from_data(item) for item in value["__tuple__"])
    return {key: _from_data(item) for key, item in value["__dict__"]}
