"""Reading a saved model."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from sklearn.exceptions import InconsistentVersionWarning
from torch import nn

from prrt_estimators import estimators
from prrt_estimators._former import present_parameters
from prrt_estimators._io import default_cache_dir, keep_by_digest
from prrt_estimators.estimators._saved_branches import restore_branch
from prrt_estimators.exceptions import (
    MissingDependencyError,
    PretrainedWeightsError,
    ResultsWarning,
    SavedModelError,
)
from prrt_estimators.persistence._configuration import from_data
from prrt_estimators.persistence._container import unpack
from prrt_estimators.persistence._parts import load_part
from prrt_estimators.persistence._probe import TOLERANCE, probe_difference
from prrt_estimators.persistence._save import FITTED, PARTS
from prrt_estimators.persistence._versions import others, remedy


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
        If a byte of the file was changed, it is cut short, it is no such file, it needs something not given, or the
        versions here cannot read it; the message says what it was saved with.
    MissingDependencyError, PretrainedWeightsError
        If published weights that predicting takes cannot be had here.

    Warns
    -----
    ResultsWarning
        If the model predicts something else here than where it was saved (made-up patients in the file tell), or if
        that cannot be known because the file is of an older format and the version of scikit-learn another.

    See Also
    --------
    save_model : Write it.
    """
    file = Path(path)
    parts = unpack(file)
    try:
        config = json.loads(parts["model.json"])
        saved = dict(config["versions"])
        if config["class"] not in estimators.__all__:
            raise SavedModelError(
                f"{file.name} holds a {config['class']}, which this version does not know; update prrt-estimators."
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unless_ours(error, f"{file.name} holds no model that can be read. Fetch it again.") from error
    try:
        with warnings.catch_warnings():
            # What scikit-learn says of another version the probe below says better.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            estimator = _restored(config, parts, dict(encoders or {}), file.name)
            # A file of the first format has nothing to compare, but that it predicts at all is seen here, not later.
            difference = probe_difference(estimator, config.get("probe", {}))
    except (MissingDependencyError, PretrainedWeightsError):
        raise
    except Exception as error:
        # A file of other versions can fail in any way that those who wrote them did not think of.
        told = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise _unless_ours(
            error, f"{file.name} cannot be read with the versions here ({told}). {remedy(saved)}"
        ) from error
    _tell(file.name, difference, saved, older="probe" not in config)
    return estimator


def read_model_card(path: str | os.PathLike[str]) -> str:
    """Return the model card that lies in a saved model, as Markdown.

    Parameters
    ----------
    path : path

    Returns
    -------
    str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SavedModelError
        If it was changed, is no saved model, or was saved before models had cards.
    """
    parts = unpack(Path(path))
    if "card.md" not in parts:
        raise SavedModelError(f"{Path(path).name} was saved before models had cards; load it and save it again.")
    return parts["card.md"].decode("utf-8")


def _restored(
    config: Mapping[str, Any], parts: Mapping[str, bytes], encoders: Mapping[str, type[nn.Module]], name: str
) -> Any:
    params = present_parameters({key: from_data(value, encoders, name) for key, value in config["params"].items()})
    estimator = getattr(estimators, config["class"])(**params)
    for key in FITTED:
        if key in config["fitted"]:
            value = config["fitted"][key]
            setattr(estimator, key, tuple(value) if key == "modalities_" else value)
    if "classes" in config:
        estimator.classes_ = np.array(config["classes"]["values"], dtype=config["classes"]["dtype"])
    if "feature_names_in" in config:
        estimator.feature_names_in_ = np.array(config["feature_names_in"], dtype=object)
    for attribute in PARTS:
        if f"{attribute}.skops" in parts:
            setattr(estimator, attribute, load_part(parts[f"{attribute}.skops"], name))
    if "weights.safetensors" in parts:
        estimator.shapes_ = {key: tuple(shape) for key, shape in config["shapes"].items()}
        estimator.pretrainers_ = {}
        estimator.branches_ = {
            key: restore_branch(key, entry, parts.get(f"branch_{key}.safetensors"), encoders, name)
            for key, entry in config["branches"].items()
        }
        tensors = load_tensors(parts["weights.safetensors"])
        _check_network(estimator, tensors, name)
        estimator._restore(tensors)
    if "pretrained.safetensors" in parts:
        folder = default_cache_dir() / "weights"
        estimator.weights_ = str(keep_by_digest(parts["pretrained.safetensors"], folder, "pretrained", ".safetensors"))
    return estimator


def _check_network(estimator: Any, tensors: Mapping[str, torch.Tensor], name: str) -> None:
    """Refuse settings that ask for another network than the weights are of, before it takes any memory."""
    encoders = [estimator._branch(key).encoder for key in estimator.shapes_]
    encoders += [branch.source.encoder for branch in estimator.branches_.values()]
    if not all(isinstance(encoder, str) for encoder in encoders):
        return  # an encoder of the caller's own need not work without memory
    table = len(estimator.preprocessor_.get_feature_names_out()) if "lab" in estimator.modalities_ else 0
    with torch.device("meta"):
        module = estimator._build(estimator.shapes_, table, {}, blank=True)
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    if expected != {key: tuple(value.shape) for key, value in tensors.items()}:
        raise SavedModelError(f"{name} holds weights of another network than it says; do not trust where it is from.")


def _unless_ours(error: BaseException, text: str) -> SavedModelError:
    return error if isinstance(error, SavedModelError) else SavedModelError(text)


def _tell(name: str, difference: float | None, saved: Mapping[str, str], *, older: bool) -> None:
    """Warn where the model is not known to predict what it did."""
    if difference is not None and difference > TOLERANCE:
        warnings.warn(
            f"{name} predicts something else here than where it was saved: probabilities of made-up patients differ by "
            f"up to {difference:.2g}. {remedy(saved)}",
            ResultsWarning,
            stacklevel=3,
        )
    elif older and "scikit-learn" in others(saved):
        then, now = others(saved)["scikit-learn"]
        warnings.warn(
            f"{name} is of an older format and was saved with scikit-learn {then}; here is {now}. Whether it predicts "
            f"the same cannot be known. Load it with {then} and save it again, and the file will tell.",
            ResultsWarning,
            stacklevel=3,
        )
