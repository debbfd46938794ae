"""Fitted models in one file that holds data only: JSON, safetensors and skops, under one digest."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import skops.io
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from prrt_estimators import __version__, estimators
from prrt_estimators._io import atomic_write
from prrt_estimators.estimators._base import BasePFSClassifier
from prrt_estimators.estimators._deep import DeepPFSClassifier
from prrt_estimators.estimators._saved_branches import (
    describe_branch,
    embedded_weights,
    needs_own_file,
    restore_branch,
)
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.modules import WEIGHTS

#: First bytes of a file; the digest of all that follows comes next.
MAGIC = b"prrt-model 1 "
_FITTED = ("modalities_", "n_features_in_", "n_epochs_", "loss_curve_", "_n_features_out", "markers_")
#: Types beyond those that skops trusts itself that a part may hold.
_TRUSTED = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "prrt_estimators.preprocessing._labs.LabPreprocessor",
    "prrt_estimators.preprocessing._labs.PositiveLog",
    "prrt_estimators.preprocessing._markers.LiteratureMarkers",
)


def save_model(estimator: BasePFSClassifier, path: str | os.PathLike[str]) -> Path:
    """Write a fitted estimator of this library into one file.

    Parameters
    ----------
    estimator : fitted estimator
        Any public classifier of `prrt_estimators.estimators`.
    path : path
        By custom with the ending ``.prrt``. Replaced at once when the new file is whole.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If the estimator is not one of this library, or holds a parameter that is not data.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Notes
    -----
    The file holds no patient data: weights, medians, scales, category names and column names only. A
    `random_state` that is a generator is saved as None. Pretrained weights that are still needed to predict are named
    if they are published ones, and lie in the file if they are not.
    """
    from sklearn.utils.validation import check_is_fitted

    name = type(estimator).__name__
    if getattr(estimators, name, None) is not type(estimator):
        raise TypeError(f"save_model takes a classifier of prrt_estimators; got {name}. Use joblib for others.")
    check_is_fitted(estimator)
    parts: dict[str, bytes] = {}
    for attribute in ("preprocessor_", "model_", "finder_"):
        if hasattr(estimator, attribute):
            parts[f"{attribute}.skops"] = skops.io.dumps(getattr(estimator, attribute))
    config: dict[str, Any] = {
        "class": name,
        "params": {key: _as_data(key, value) for key, value in estimator.get_params(deep=False).items()},
        "classes": {"dtype": estimator.classes_.dtype.str, "values": estimator.classes_.tolist()},
        "fitted": {key: getattr(estimator, key) for key in _FITTED if hasattr(estimator, key)},
        "versions": {
            "prrt_estimators": __version__,
            "sklearn": sklearn.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    if hasattr(estimator, "feature_names_in_"):
        config["feature_names_in"] = [str(column) for column in estimator.feature_names_in_]
    if isinstance(estimator, DeepPFSClassifier):
        module = estimator.net_.module_
        config["branches"] = {}
        for key, branch in estimator.branches_.items():
            config["branches"][key] = describe_branch(branch)
            if needs_own_file(branch):
                parts[f"branch_{key}.safetensors"] = embedded_weights(branch)
        config["shapes"] = {key: list(shape) for key, shape in estimator.shapes_.items()}
        parts["weights.safetensors"] = save_tensors({k: v.contiguous() for k, v in module.state_dict().items()})
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in {"model.json": json.dumps(config, indent=1).encode(), **parts}.items():
            archive.writestr(zipfile.ZipInfo(part, (2000, 1, 1, 0, 0, 0)), content)
    payload = body.getvalue()
    target = Path(path)
    with atomic_write(target) as temporary:
        temporary.write_bytes(MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
    return target


def load_model(path: str | os.PathLike[str], *, encoders: Mapping[str, type[nn.Module]] | None = None) -> Any:
    """Read an estimator that `save_model` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : path
    encoders : mapping of str to Module class, default=None
        Encoders of your own that the model was made with, by class name.

    Returns
    -------
    fitted estimator
        With the same predictions, to the bit on the same machine and versions.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SavedModelError
        If a byte of the file was changed, it is cut short, it is no such file, or it needs something not given.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no saved model {file}.")
    raw = file.read_bytes()
    head, _, payload = raw.partition(b"\n")
    if not head.startswith(MAGIC[:11]):
        raise SavedModelError(f"{file.name} is no model saved by prrt_estimators; pass a file of save_model.")
    if not head.startswith(MAGIC):
        raise SavedModelError(f"{file.name} is of a newer format; update prrt-estimators to read it.")
    if head != MAGIC + hashlib.sha256(payload).hexdigest().encode():
        raise SavedModelError(f"{file.name} was changed or cut short since it was saved; fetch it again.")
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts.pop("model.json"))
    if config["class"] not in estimators.__all__:
        raise SavedModelError(f"{file.name} holds a {config['class']}, which this version does not know; update it.")
    params = {key: _from_data(value, encoders or {}, file.name) for key, value in config["params"].items()}
    estimator = getattr(estimators, config["class"])(**params)
    for key, value in config["fitted"].items():
        setattr(estimator, key, tuple(value) if key == "modalities_" else value)
    estimator.classes_ = np.array(config["classes"]["values"], dtype=config["classes"]["dtype"])
    if "feature_names_in" in config:
        estimator.feature_names_in_ = np.array(config["feature_names_in"], dtype=object)
    for part, content in parts.items():
        if part.endswith(".skops"):
            setattr(estimator, part.removesuffix(".skops"), _load_part(content, file.name))
    if "weights.safetensors" in parts:
        estimator.shapes_ = {key: tuple(shape) for key, shape in config["shapes"].items()}
        estimator.pretrainers_ = {}
        estimator.branches_ = {
            key: restore_branch(key, entry, parts.get(f"branch_{key}.safetensors"), encoders or {}, file.name)
            for key, entry in config["branches"].items()
        }
        tensors = load_tensors(parts["weights.safetensors"])
        estimator._restore(tensors)
    return estimator


def _load_part(content: bytes, name: str) -> Any:
    unknown = [kind for kind in skops.io.get_untrusted_types(data=content) if kind not in _TRUSTED]
    if unknown:
        raise SavedModelError(f"{name} holds objects of types that are not trusted: {', '.join(unknown)}.")
    return skops.io.loads(content, trusted=list(_TRUSTED))


def _as_data(key: str, value: Any) -> Any:
    """Return a parameter as JSON data, with a mark for what JSON has no word for."""
    if isinstance(value, type) and issubclass(value, nn.Module):
        return {"__encoder__": value.__name__}
    if isinstance(value, os.PathLike):
        # Where pretrained weights or the cache lay on the machine of training is of no use elsewhere.
        return None
    if key == "cache_dir":
        return None
    if key in ("pet_weights", "ct_weights", "weights"):
        # A name means the same everywhere. What a file held lies in the saved model as far as it is needed.
        return value if isinstance(value, str) and value in WEIGHTS else None
    if isinstance(value, np.random.RandomState):
        return None
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    if isinstance(value, np.ndarray):
        return _as_data(key, value.tolist())
    if isinstance(value, tuple):
        return {"__tuple__": [_as_data(key, item) for item in value]}
    if isinstance(value, list):
        return [_as_data(key, item) for item in value]
    if isinstance(value, dict):
        return {"__dict__": [[_as_data(key, k), _as_data(key, v)] for k, v in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"the parameter {key!r} holds a {type(value).__name__}, which cannot be saved as data.")


def _from_data(value: Any, encoders: Mapping[str, type[nn.Module]], name: str) -> Any:
    if isinstance(value, list):
        return [_from_data(item, encoders, name) for item in value]
    if not isinstance(value, dict):
        return value
    if "__tuple__" in value:
        return tuple(_from_data(item, encoders, name) for item in value["__tuple__"])
    if "__dict__" in value:
        return {_from_data(k, encoders, name): _from_data(v, encoders, name) for k, v in value["__dict__"]}
    wanted = value["__encoder__"]
    if wanted not in encoders:
        raise SavedModelError(
            f"{name} was made with an encoder class {wanted}; pass load_model(..., encoders={{'{wanted}': {wanted}}})."
        )
    return encoders[wanted]


__all__ = ["load_model", "save_model"]
