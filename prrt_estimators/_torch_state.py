"""What of torch all threads and libraries of a process share: used here as it is expected, and left as it was found.

Its generator and its default type belong to the process, its modes (no gradients, inference, autocast, default device) to
a thread. A fit between two fits of other threads, or inside such a mode, gives the numbers that it gives alone.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

import torch

#: Held while something that belongs to the process is changed. Nothing that waits for other threads happens inside.
_PROCESS = threading.RLock()


def _one_thread() -> None:
    # The threads of the parent do not exist in a forked child, which would wait for them for ever.
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread)


@contextlib.contextmanager
def plain_modes(*, gradients: bool = False) -> Iterator[None]:
    """Compute outside of the modes that the caller may have switched on, on the CPU unless told otherwise.

    Parameters
    ----------
    gradients : bool, default=False
        Whether gradients are needed.
    """
    with contextlib.ExitStack() as stack:
        if torch.is_inference_mode_enabled() and gradients:
            stack.enter_context(torch.inference_mode(False))
        if gradients:
            stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda", "mps"):
            with contextlib.suppress(RuntimeError):  # an accelerator that this torch does not know
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextlib.contextmanager
def single_precision() -> Iterator[None]:
    """Make tensors of the type that networks here are of, whatever the caller's default is; one thread at a time."""
    # What torch loads at its first steps adds filters of warnings, which are set back too.
    with _PROCESS, warnings.catch_warnings():
        before = torch.get_default_dtype()
        if before != torch.float32:
            torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            if before != torch.float32:
                torch.set_default_dtype(before)


@contextlib.contextmanager
def drawing(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw from generators that begin at `seed`, and set them back afterwards; one thread at a time.

    Parameters
    ----------
    seed : int
    device : torch.device, default=None
        Whose generator is needed beside that of the CPU.
    """
    kind = "cpu" if device is None else device.type
    with _PROCESS, contextlib.ExitStack() as stack:
        # Only what is set back is set: a fit on the CPU leaves the generators of a GPU alone.
        stack.enter_context(torch.random.fork_rng(devices=range(torch.cuda.device_count()) if kind == "cuda" else []))
        torch.default_generator.manual_seed(seed)
        if kind == "cuda":
            torch.cuda.manual_seed_all(seed)
        elif kind == "mps":
            stack.callback(torch.mps.set_rng_state, torch.mps.get_rng_state())
            torch.mps.manual_seed(seed)
        yield


@contextlib.contextmanager
def training(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Build and train a network, drawing from `seed`, as if nothing else were going on."""
    with plain_modes(gradients=True), single_precision(), drawing(seed, device):
        yield


def out_of_memory(error: BaseException) -> bool:
    """Return whether torch ran out of memory.

    A GPU raises `torch.OutOfMemoryError`. The allocator of the CPU raises a plain RuntimeError without any attribute, so
    that its wording is all there is: the one place of this library that reads a message.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
