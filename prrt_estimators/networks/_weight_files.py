"""Reading pretrained weights from a file, strictly and without executing anything in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from prrt_estimators.exceptions import PretrainedWeightsError

#: Key of the metadata that this library's own weight files carry.
NOTE = "prrt_pretrained"


def load_weights(network: nn.Module, path: str | os.PathLike[str], *, parameter: str = "weights") -> None:
    """Load a state dict into a network; every key must fit.

    Parameters
    ----------
    network : Module
        Changed in place.
    path : path
        ``.safetensors``, or a file of ``torch.save(module.state_dict())`` (read with ``weights_only=True``).
    parameter : str, default="weights"
        Name of the caller's parameter, for the message.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PretrainedWeightsError
        If the file is damaged or does not fit; the message lists missing and extra keys.
    """
    fill(network, read_state(path, parameter=parameter), name=Path(path).name, parameter=parameter)


def read_state(
    path: str | os.PathLike[str], *, prefix: str = "", heads: Sequence[str] = (), parameter: str = "weights"
) -> dict[str, torch.Tensor]:
    """Read the tensors of a weight file.

    Parameters
    ----------
    path : path
    prefix : str, default=""
        Only keys that begin so, without it.
    heads : sequence of str, default=()
        Keys that begin so (after the prefix) are left out.
    parameter : str, default="weights"
        Name of the caller's parameter, for the message.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PretrainedWeightsError
        If the file is damaged or no state dict.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"`{parameter}`: the file {file} does not exist. Pass the path of a state dict.")
    state = _read(file, parameter)
    if "state_dict" in state and isinstance(state["state_dict"], dict):
        state = state["state_dict"]
    if prefix:
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # DataParallel, which MedicalNet was trained with, puts this before every key.
    state = {str(key).removeprefix("module."): value for key, value in state.items()}
    return {key: value for key, value in state.items() if not key.startswith(tuple(heads))}


def fill(network: nn.Module, state: Mapping[str, Any], *, name: str, parameter: str = "weights") -> None:
    """Load tensors into a network, which may lie on torch's meta device; every key must fit.

    Parameters
    ----------
    network : Module
        Changed in place.
    state : mapping of str to tensor
    name : str
        Of the file, for the message.
    parameter : str, default="weights"
        Name of the caller's parameter, for the message.

    Raises
    ------
    PretrainedWeightsError
        If a key is missing, extra or of another shape; the message lists them.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in state]
    extra = [key for key in state if key not in own]
    shapes = [
        f"{key}: file {tuple(getattr(state[key], 'shape', ()))}, network {tuple(own[key].shape)}"
        for key in own
        if key in state and getattr(state[key], "shape", None) != own[key].shape
    ]
    if missing or extra or shapes:
        parts = [
            f"{len(items)} {label}: {', '.join(items[:8])}{', ...' if len(items) > 8 else ''}"
            for label, items in (("missing", missing), ("extra", extra), ("of another shape", shapes))
            if items
        ]
        raise PretrainedWeightsError(
            f"`{parameter}`: {name} does not fit {type(network).__name__} ({'; '.join(parts)}). Choose the encoder "
            "the weights were made with."
        )
    wrong = [key for key, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if wrong:
        raise PretrainedWeightsError(
            f"`{parameter}`: {name} holds numbers that are NaN or infinite ({', '.join(wrong[:3])}), so it can compute "
            "nothing. Make or fetch the file again.",
            kind="damaged",
        )
    # Published files hold half precision; the network computes in single.
    ready = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    network.load_state_dict(ready, assign=any(value.is_meta for value in own.values()))


def read_note(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return what a weight file of this library says of itself; None for any other file."""
    file = Path(path)
    if file.suffix != ".safetensors" or not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as content:
            text = (content.metadata() or {}).get(NOTE)
        return None if text is None else dict(json.loads(text))
    except (SafetensorError, OSError, ValueError):
        return None  # reading its tensors will say what is wrong


def _read(file: Path, parameter: str) -> dict[str, Any]:
    try:
        if file.suffix == ".safetensors":
            # What safetensors gives lies in the mapped file and would change with it.
            return {key: value.clone() for key, value in load_file(file).items()}
        state = torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except OSError as error:
        raise PretrainedWeightsError(
            f"`{parameter}`: {file.name} cannot be read ({error.strerror or error}). Check its permissions and the disk.",
            kind="damaged",
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise PretrainedWeightsError(
            f"`{parameter}`: {file.name} is damaged or no weight file. Fetch it again.", kind="damaged"
        ) from error
    except Exception as error:  # torch.load raises pickle.UnpicklingError, of a module that is not imported here
        with open(file, "rb") as handle:
            is_pickle = handle.read(2) in (b"PK", b"\x80\x02")
        if not is_pickle:
            raise PretrainedWeightsError(
                f"`{parameter}`: {file.name} is damaged or no weight file. Fetch it again.", kind="damaged"
            ) from error
        raise PretrainedWeightsError(
            f"`{parameter}`: {file.name} holds more than tensors, which is not read for safety. Save "
            "module.state_dict() as .safetensors."
        ) from error
    if not isinstance(state, dict):
        raise PretrainedWeightsError(f"`{parameter}`: {file.name} holds {type(state).__name__}, not a state dict.")
    return state
