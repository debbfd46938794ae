"""Where and how precisely torch computes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from prrt_estimators._arguments import keyword, parameter
from prrt_estimators._torch_state import out_of_memory, plain_modes


def resolve_device(device: str) -> torch.device:
    """Return the torch device for ``"auto"`` (a GPU where there is one) or a torch device name.

    Raises
    ------
    ValueError
        If the device does not exist here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"{parameter('device')} must be 'auto' or a torch device such as 'cpu'; got {device!r}."
        ) from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"{parameter('device')}={device!r}, but torch finds no CUDA GPU here. Pass {keyword('device', 'auto')}."
        )
    return chosen


def autocast_on(device: Any, enabled: bool) -> contextlib.AbstractContextManager:
    """Return a context in which torch computes in bfloat16, if that is enabled."""
    if not enabled:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def use_autocast(precision: str, device: torch.device) -> bool:
    """Return whether to run in bfloat16: on a GPU that has it, unless float32 is asked for.

    On a CPU the gradients of small 3D convolutions are wrong under bfloat16 (torch 2.13), so it is never used there.
    """
    if precision == "float32" or device.type != "cuda":
        return False
    return bool(torch.cuda.is_bf16_supported())


def run_once(
    module: nn.Module,
    run: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    volume: np.ndarray,
    device: torch.device | None,
    *,
    bfloat16: bool = False,
) -> list[np.ndarray]:
    """Run a part of a module over one volume.

    Parameters
    ----------
    module : Module
        Moved to the device and left there.
    run : callable
        From a volume of shape (1, 1, D, H, W) to tensors.
    volume : ndarray of shape (D, H, W)
    device : torch.device or None
        The CPU if None, or if the device has not enough memory for it.
    bfloat16 : bool, default=False
        Whether to compute in bfloat16; in single precision every machine gives the same.

    Returns
    -------
    list of ndarray of float32
        Without the batch axis.
    """
    for chosen in dict.fromkeys([device or torch.device("cpu"), torch.device("cpu")]):
        try:
            module.to(chosen)
            for layer in module.modules():
                if isinstance(layer, nn.Conv3d):  # channels last: up to four times as fast on a CPU
                    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last_3d)
            with plain_modes(), torch.inference_mode(), autocast_on(chosen, bfloat16):
                batch = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))[None, None].to(chosen)
                return [result[0].float().cpu().numpy() for result in run(batch)]
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            reason = error
    raise MemoryError(
        f"a volume of {' x '.join(map(str, volume.shape))} voxels does not fit the memory of this machine for "
        f"{type(module).__name__}; run on a larger one, or choose weights with a smaller network."
    ) from reason
