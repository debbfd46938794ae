"""Parameters of an estimator as JSON, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from prrt_estimators import estimators
from prrt_estimators._former_parameters import present_parameters
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.networks._foreign_encoders import encoder_name
from prrt_estimators.pretrained import WEIGHTS

#: Parameters that name weights.
_WEIGHTS = ("weights", "pet_weights", "ct_weights")


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
    if (key in ("encoder", "encoder_params") and callable(value)) or (
        isinstance(value, type) and issubclass(value, nn.Module)
    ):
        return {"__encoder__": encoder_name(value)}
    if key == "callbacks":
        return None  # they watched the training; a saved model is not trained
    if isinstance(value, os.PathLike) or (file and hasattr(value, "fit")):
        # Where pretrained weights or the cache lay on the machine of training is of no use elsewhere.
        return None
    if isinstance(value, str) and file:
        # A name means the same everywhere. What a file held lies in the saved model as far as it is needed.
        return value if value in WEIGHTS else None
    if _is_ours(value):
        return {"__estimator__": {"class": type(value).__name__, "params": parameters_as_data(value)}}
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
        If it is an encoder class that is not among `encoders`, or an estimator that this version does not know.
    """
    if isinstance(value, list):
        return [from_data(item, encoders, name) for item in value]
    if not isinstance(value, dict):
        return value
    if "__tuple__" in value:
        return tuple(from_data(item, encoders, name) for item in value["__tuple__"])
    if "__dict__" in value:
        return {from_data(k, encoders, name): from_data(v, encoders, name) for k, v in value["__dict__"]}
    if "__estimator__" in value:
        return made_of(value["__estimator__"], encoders, name)
    wanted = value["__encoder__"]
    if wanted not in encoders:
        raise SavedModelError(
            f"{name} was made with an encoder class or function {wanted}; pass load_model(..., encoders={{'{wanted}': {wanted}}})."
        )
    return encoders[wanted]


def made_of(config: Mapping[str, Any], encoders: Mapping[str, Any], name: str) -> Any:
    """Return an unfitted estimator of this library, without paths: a file does not say where on this machine to write or read.

    Raises
    ------
    SavedModelError
        If this version does not know it.
    """
    check_known(config, name)
    params = present_parameters({key: from_data(value, encoders, name) for key, value in config["params"].items()})
    return getattr(estimators, config["class"])(**{key: _without_paths(key, value) for key, value in params.items()})


def check_known(config: Mapping[str, Any], name: str) -> None:
    """Refuse an estimator that this version does not know.

    Raises
    ------
    SavedModelError
    """
    if config["class"] not in estimators.__all__:
        raise SavedModelError(
            f"{name} holds a {config['class']}, which this version does not know; update prrt-estimators."
        )


def _is_ours(value: Any) -> bool:
    return not isinstance(value, type) and getattr(estimators, type(value).__name__, None) is type(value)


def _without_paths(key: str, value: Any) -> Any:
    """Return a parameter without paths."""
    if key == "cache_dir":
        return None
    if key in _WEIGHTS and isinstance(value, Mapping):
        return {name: _without_paths(key, one) for name, one in value.items()}
    if key in _WEIGHTS and isinstance(value, str) and value not in WEIGHTS:
        return None
    return value
