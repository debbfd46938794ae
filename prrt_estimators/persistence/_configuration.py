"""Parameters of an estimator as JSON, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.networks._foreign_encoders import encoder_name
from prrt_estimators.pretrained import WEIGHTS


def parameters_as_data(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator as JSON data, without a path of the machine here.

    Raises
    ------
    TypeError
        If one is not data.
    """
    kinds = getattr(estimator, "_parameter_constraints", {})
    return {
        key: as_data(key, value, file=any(kind is os.PathLike for kind in kinds.get(key, ())))
        for key, value in estimator.get_params(deep=False).items()
    }


def as_data(key: str, value: Any, *, file: bool = False) -> Any:
    """Return a parameter as JSON data, with a mark for what JSON has no word for.

    Parameters
    ----------
    key : str
        Its name, for messages.
    value : object
    file : bool, default=False
        Whether the parameter takes a path, so that a text is one unless published weights are called so.

    Raises
    ------
    TypeError
        If it is not data.
    """
    if (key == "encoder" and callable(value)) or (isinstance(value, type) and issubclass(value, nn.Module)):
        return {"__encoder__": encoder_name(value)}
    if key == "callbacks":
        return None  # they watched the training; a saved model is not trained
    if isinstance(value, os.PathLike) or (file and hasattr(value, "fit")):
        # Where pretrained weights or the cache lay on the machine of training is of no use elsewhere.
        return None
    if isinstance(value, str) and file:
        # A name means the same everywhere. What a file held lies in the saved model as far as it is needed.
        return value if value in WEIGHTS else None
    if isinstance(value, np.random.RandomState):
        return None
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    if isinstance(value, np.ndarray):
        return as_data(key, value.tolist(), file=file)
    if isinstance(value, tuple):
        return {"__tuple__": [as_data(key, item, file=file) for item in value]}
    if isinstance(value, list):
        return [as_data(key, item, file=file) for item in value]
    if isinstance(value, Mapping):
        return {"__dict__": [[as_data(key, k), as_data(key, v, file=file)] for k, v in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"the parameter {key!r} holds a {type(value).__name__}, which cannot be saved as data.")


def from_data(value: Any, encoders: Mapping[str, Any], name: str) -> Any:
    """Return the parameter that `as_data` wrote.

    Raises
    ------
    SavedModelError
        If it is an encoder class that is not among `encoders`.
    """
    if isinstance(value, list):
        return [from_data(item, encoders, name) for item in value]
    if not isinstance(value, dict):
        return value
    if "__tuple__" in value:
        return tuple(from_data(item, encoders, name) for item in value["__tuple__"])
    if "__dict__" in value:
        return {from_data(k, encoders, name): from_data(v, encoders, name) for k, v in value["__dict__"]}
    wanted = value["__encoder__"]
    if wanted not in encoders:
        raise SavedModelError(
            f"{name} was made with an encoder class or function {wanted}; pass load_model(..., encoders={{'{wanted}': {wanted}}})."
        )
    return encoders[wanted]
