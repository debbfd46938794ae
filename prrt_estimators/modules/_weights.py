"""Reading pretrained weights from a file, strictly and without executing anything in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn


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
    ValueError
        If the file is damaged or does not fit; the message lists missing and extra keys.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"`{parameter}`: there is no file {file}. Pass the path of a state dict.")
    state = _read(file, parameter)
    own = network.state_dict()
    if "state_dict" in state and isinstance(state["state_dict"], dict):
        state = state["state_dict"]
    # DataParallel, which MedicalNet was trained with, puts this before every key.
    state = {str(key).removeprefix("module."): value for key, value in state.items()}
    missing = [key for key in own if key not in state]
    extra = [key for key in state if key not in own]
    shapes = [
        f"{key}: file {tuple(state[key].shape)}, network {tuple(own[key].shape)}"
        for key in own
        if key in state and getattr(state[key], "shape", None) != own[key].shape
    ]
    if missing or extra or shapes:
        parts = [
            f"{len(items)} {label}: {', '.join(items[:8])}{', ...' if len(items) > 8 else ''}"
            for label, items in (("missing", missing), ("extra", extra), ("of another shape", shapes))
            if items
        ]
        raise ValueError(
            f"`{parameter}`: {file.name} does not fit {type(network).__name__} ({'; '.join(parts)}). Choose the encoder "
            "the weights were made with."
        )
    network.load_state_dict(state)


def _read(file: Path, parameter: str) -> dict[str, Any]:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"`{parameter}`: {file.name} is damaged or no weight file. Fetch it again.") from error
    except Exception as error:  # torch.load raises pickle.UnpicklingError, of a module that is not imported here
        raise ValueError(
            f"`{parameter}`: {file.name} holds more than tensors, which is not read for safety. Save "
            "module.state_dict() as .safetensors."
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"`{parameter}`: {file.name} holds {type(state).__name__}, not a state dict.")
    return state
