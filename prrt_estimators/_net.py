"""Training and inference of a network over patients; the only file that knows skorch."""

from __future__ import annotations

import contextlib
import copy
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PrintLog
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import DataLoader, Dataset

from prrt_estimators.modules import FusionNet, WeightedBCE

OPTIMIZERS: Mapping[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}
#: Volumes up to this many bytes are held in memory while training; larger sets are read batch by batch.
HELD_IN_MEMORY = 2 * 1024**3


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
        raise ValueError(f"`device` must be 'auto' or a torch device such as 'cpu'; got {device!r}.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"`device`={device!r}, but torch finds no CUDA GPU here. Pass device='auto' or 'cpu'.")
    return chosen


class PatientDataset(Dataset):
    """Patients as network inputs, gathered a batch at a time.

    Parameters
    ----------
    volumes : mapping of str to (reader, present)
        For each imaging modality a function row -> array (D, H, W) and a bool array of shape (n,).
    table : ndarray of float32, shape (n, k), or None
        Prepared laboratory values.
    present : ndarray of bool, shape (n, M)
    shapes : mapping of str to tuple of 3 ints
    target : ndarray of float32, shape (n, 2), or None
        Class and weight.
    hold : bool, default=False
        Read all volumes at once into memory, if they fit in `HELD_IN_MEMORY`.
    """

    def __init__(
        self,
        volumes: Mapping[str, Callable[[int], np.ndarray]],
        table: np.ndarray | None,
        present: np.ndarray,
        modalities: Sequence[str],
        shapes: Mapping[str, tuple[int, ...]],
        target: np.ndarray | None = None,
        *,
        hold: bool = False,
    ):
        self.read = dict(volumes)
        self.shapes = dict(shapes)
        self.modalities = tuple(modalities)
        self.present = torch.from_numpy(np.ascontiguousarray(present))
        self.table = None if table is None else torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32))
        self.target = torch.zeros(len(present), 2) if target is None else torch.from_numpy(target)
        size = sum(4 * math.prod(shape) * len(present) for shape in self.shapes.values())
        self.held: dict[str, torch.Tensor] = {}
        if hold and size <= HELD_IN_MEMORY:
            everyone = list(range(len(present)))
            self.held = {name: self._gather(name, everyone) for name in self.read}

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, row: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        return self.__getitems__([row])

    def __getitems__(self, rows: list[int]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the inputs and targets of a whole batch: torch's loader asks for all its rows at once."""
        inputs: dict[str, torch.Tensor] = {"present": self.present[rows]}
        for name in self.read:
            inputs[name] = self.held[name][rows] if name in self.held else self._gather(name, rows)
        if self.table is not None:
            inputs["lab"] = self.table[rows]
        return inputs, self.target[rows]

    def _gather(self, name: str, rows: Sequence[int]) -> torch.Tensor:
        k = self.modalities.index(name)
        batch = torch.zeros(len(rows), 1, *self.shapes[name])
        for place, row in enumerate(rows):
            if self.present[row, k]:
                batch[place, 0] = torch.from_numpy(np.array(self.read[name](row), dtype=np.float32))
        return batch


class EvenBatches:
    """Batches of nearly equal size in a new random order each epoch, none of them a single patient.

    A last batch of one would break batch normalisation and give that patient the weight of a whole batch.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool):
        self.n, self.shuffle = n, shuffle
        count = math.ceil(n / batch_size)
        if shuffle and count > 1:
            # With a batch size of 1 the caller asked for single patients; else none must come about.
            count = min(count, max(n // 2, 1)) if batch_size > 1 else count
        self.bounds = np.linspace(0, n, count + 1).round().astype(int)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.n) if self.shuffle else torch.arange(self.n)
        for start, stop in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            yield order[start:stop].tolist()


def _loader(dataset: Any, batch_size: int, shuffle: bool) -> DataLoader:
    batches = EvenBatches(len(dataset), batch_size, shuffle)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=_as_is)


def _as_is(batch: Any) -> Any:
    return batch


class Rows(Dataset):
    """Some patients of a dataset."""

    def __init__(self, dataset: PatientDataset, rows: np.ndarray):
        self.dataset, self.rows = dataset, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Any:
        return self.__getitems__([row])

    def __getitems__(self, rows: list[int]) -> Any:
        """Return a whole batch."""
        return self.dataset.__getitems__([int(self.rows[row]) for row in rows])


class _Stopped(BaseException):
    """Carries an interruption past skorch, which would take it as a wish to stop training early."""


class _Enough(BaseException):
    """Carries early stopping out of the loop, apart from an interruption, which skorch signals alike."""


class _StopEarly(EarlyStopping):
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        try:
            super().on_epoch_end(net, **kwargs)
        except KeyboardInterrupt:
            if self.misses_ < self.patience:
                raise
            raise _Enough from None


class PFSNet(NeuralNet):
    """skorch net whose batches come whole, whose target carries weights, and which can use bfloat16 on a GPU."""

    def __init__(self, *args: Any, autocast: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.autocast = autocast

    def fit_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Train; an interruption ends the fit instead of leaving a half-trained network that looks fitted."""
        try:
            return super().fit_loop(*args, **kwargs)
        except _Enough:
            return self
        except KeyboardInterrupt as interruption:
            raise _Stopped from interruption

    def _set_training(self, training: bool = True) -> None:
        """Switch the mode if it changes; skorch walks all submodules for every batch."""
        if self.module_.training != training:
            super()._set_training(training)

    def get_iterator(self, dataset: Any, training: bool = False) -> DataLoader:
        """Return a loader of even batches."""
        return _loader(dataset, self.batch_size, shuffle=training)

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the module, under autocast where that was asked for."""
        with _autocast(self.device, self.autocast):
            return super().infer(x, **fit_params)


def _autocast(device: Any, enabled: bool) -> contextlib.AbstractContextManager:
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


class _ProgressBar(Callback):
    """One bar over the epochs of a fit, on a terminal only, so that log files stay readable."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self.bar_ = Progress(console=console, transient=True) if console.is_terminal else None
        if self.bar_ is not None:
            self.bar_.start()
            self.task_ = self.bar_.add_task("training", total=net.max_epochs)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.bar_ is not None:
            self.bar_.update(self.task_, advance=1, description=f"loss {net.history[-1, 'train_loss']:.3f}")

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.bar_ is not None:
            self.bar_.stop()
        self.bar_ = None


def train(
    module: FusionNet,
    dataset: PatientDataset,
    *,
    max_epochs: int,
    lr: float,
    batch_size: int,
    optimizer: str,
    weight_decay: float,
    lr_schedule: str | None,
    validation_rows: np.ndarray | None,
    patience: int,
    device: torch.device,
    autocast: bool,
    verbose: int,
) -> PFSNet:
    """Train a module and return its skorch net, on the CPU and without optimiser state.

    Parameters
    ----------
    module : FusionNet
        Trained in place; a module of the caller's own, not shared.
    dataset : PatientDataset
        Training patients with targets.
    validation_rows : ndarray of int or None
        Rows of `dataset` kept from training, on whose loss training stops early; the best epoch is kept.
    patience : int
        Epochs without improvement before stopping.

    Returns
    -------
    PFSNet
    """
    callbacks: list[tuple[str, Callback]] = []
    training: Any = dataset
    split = None
    if validation_rows is not None:
        rest = np.setdiff1d(np.arange(len(dataset)), validation_rows)
        training, split = Rows(dataset, rest), predefined_split(Rows(dataset, validation_rows))
        callbacks.append(("stop", _StopEarly(patience=patience, load_best=True, sink=_silent)))
    if lr_schedule == "cosine":
        policy = torch.optim.lr_scheduler.CosineAnnealingLR
        callbacks.append(("schedule", LRScheduler(policy=policy, T_max=max_epochs)))
    if verbose == 1:
        callbacks.append(("bar", _ProgressBar()))
    # One kernel for all weights: a third of a step's time on a small network is the optimiser's loop over them.
    options: dict[str, Any] = {"optimizer__weight_decay": weight_decay, "optimizer__fused": device.type != "mps"}
    if optimizer == "sgd":
        options |= {"optimizer__momentum": 0.9}
    net = PFSNet(
        module,
        criterion=WeightedBCE,
        optimizer=OPTIMIZERS[optimizer],
        lr=lr,
        max_epochs=max_epochs,
        batch_size=batch_size,
        train_split=split,
        callbacks=callbacks,
        callbacks__print_log=PrintLog(sink=_stderr) if verbose > 1 else None,
        verbose=int(verbose > 1),
        device=str(device),
        autocast=autocast,
        **options,
    )
    try:
        net.fit(training, y=None)
    except _Stopped:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if "out of memory" in str(error).lower():
            raise MemoryError(
                f"the device ran out of memory with batch_size={batch_size}. Pass a smaller batch_size or size, or "
                "device='cpu'."
            ) from error
        raise
    finally:
        _rest(net, module)
    return net


def wrap(module: FusionNet, *, batch_size: int) -> PFSNet:
    """Return the net of a module that is trained already."""
    net = PFSNet(module, criterion=WeightedBCE, batch_size=batch_size, train_split=None, verbose=0, device="cpu")
    net.initialize()
    net.optimizer_ = None
    return net


def _rest(net: PFSNet, module: nn.Module) -> None:
    """Leave nothing on the GPU: a search keeps every fitted clone."""
    module.to("cpu")
    net.set_params(device="cpu") if net.initialized_ else None
    net.optimizer_ = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _silent(*_: Any) -> None:
    return None


def _stderr(text: str) -> None:
    print(text, file=sys.stderr)


def infer(
    net: PFSNet, dataset: PatientDataset, method: str, *, batch_size: int, device: torch.device, autocast: bool
) -> np.ndarray:
    """Run a method of the trained module over patients in order, without gradients.

    Parameters
    ----------
    method : {"forward", "fuse"}

    Returns
    -------
    ndarray of float64, shape (n,) or (n, features)
    """
    module = net.module_
    module.eval()
    if not module.encoders:
        # Single precision makes the last digits of a patient depend on who else is in the batch; a table is cheap
        # enough for double.
        module = copy.deepcopy(module).double()
    module.to(device)
    try:
        parts = []
        with torch.inference_mode(), _autocast(device, autocast):
            # Not through a DataLoader, which draws from torch's global generator even when it does not shuffle.
            for rows in EvenBatches(len(dataset), batch_size, shuffle=False):
                inputs, _ = dataset.__getitems__(rows)
                moved = {name: value.to(device) for name, value in inputs.items()}
                if not module.encoders:
                    moved["lab"] = moved["lab"].double()
                parts.append(getattr(module, method)(**moved).double().cpu().numpy())
        return np.concatenate(parts)
    finally:
        module.to("cpu")
