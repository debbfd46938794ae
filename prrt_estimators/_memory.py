"""How many patients a network can train on at once in the memory that there is."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prrt_estimators.networks import Encoder

#: Volumes below this many voxels a batch fit anywhere; estimating would cost more than it saves.
SMALL = 2_000_000
#: Part of the free memory that activations may take.
SHARE = 0.7


def out_of_memory(error: BaseException) -> bool:
    """Return whether torch failed for want of memory."""
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text


def free_memory() -> int | None:
    """Return the bytes of main memory that are free to this process, None where that cannot be known."""
    free = []
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    except (OSError, ValueError, IndexError):
        return None
    try:
        group = Path("/sys/fs/cgroup")
        limit, used = (group / "memory.max").read_text("ascii"), (group / "memory.current").read_text("ascii")
        # Files that were read lie in memory until somebody needs it; they are in use and free at once.
        files = [
            int(line.split()[1])
            for line in (group / "memory.stat").read_text("ascii").splitlines()
            if line.startswith(("active_file ", "inactive_file "))
        ]
        free += [] if limit.strip() == "max" else [int(limit) - int(used) + sum(files)]
    except (OSError, ValueError):
        pass  # no container, or one that does not tell
    return min(free) if free else None


def activation_bytes(encoder: Encoder, shape: tuple[int, ...]) -> int:
    """Return about how many bytes training keeps for one volume: what every layer gives, in single precision."""
    total = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += 4 * output.numel()

    # On the meta device layers work out shapes and compute nothing.
    ghost = copy.deepcopy(encoder).to("meta").eval()  # batch normalisation in training refuses a single value
    for layer in ghost.modules():
        if not list(layer.children()):
            layer.register_forward_hook(count)
    with torch.no_grad():
        ghost(torch.empty(1, *shape, device="meta"))
    return total


def patients_at_once(
    module: Any, shapes: Mapping[str, tuple[int, ...]], batch_size: int, device: torch.device
) -> int | None:
    """Return how many patients of a batch to take at once on the CPU, None for all of them.

    A GPU tells when its memory is full and the batch is then split; a CPU's operating system ends the program instead,
    so that there it is worked out beforehand.

    Raises
    ------
    MemoryError
        If not even one patient fits.
    """
    volumes = {name: encoder for name, encoder in module.encoders.items() if isinstance(encoder, Encoder)}
    try:
        fits = volumes_at_once(volumes, shapes, batch_size, device)
    except MemoryError as error:
        raise MemoryError(
            f"training on {error} Pass a smaller size, a smaller encoder, or finetune='last' or 'frozen' for "
            "pretrained weights."
        ) from None
    return None if fits >= batch_size else fits


def volumes_at_once(
    encoders: Mapping[str, Encoder], shapes: Mapping[str, tuple[int, ...]], batch_size: int, device: torch.device
) -> int:
    """Return how many of `batch_size` patients can pass these encoders together, with gradients.

    Raises
    ------
    MemoryError
        If not even one patient fits.
    """
    voxels = sum(math.prod(shapes[name]) for name in encoders) * batch_size
    free = free_memory()
    if device.type != "cpu" or voxels < SMALL or free is None:
        return batch_size
    try:
        needed = sum(activation_bytes(encoder, shapes[name]) for name, encoder in encoders.items())
    except (RuntimeError, NotImplementedError):
        return batch_size  # an encoder of the user's own may do what has no shape without values
    fits = int(SHARE * free / max(needed, 1))
    if fits < 1:
        sizes = ", ".join(f"{name} {' x '.join(map(str, shapes[name][1:]))}" for name in encoders)
        raise MemoryError(
            f"one patient ({sizes} voxels) needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free."
        )
    return min(fits, batch_size)
