"""Training and inference of a network over patients; the only file that knows skorch."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PrintLog
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import DataLoader

from prrt_estimators._batches import EvenBatches, PatientDataset, Rows
from prrt_estimators._device import autocast_on
from prrt_estimators._torch_state import out_of_memory, plain_modes
from prrt_estimators.networks import FusionNet

OPTIMIZERS: Mapping[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}


def _loader(dataset: Any, batch_size: int, shuffle: bool) -> DataLoader:
    batches = EvenBatches(len(dataset), batch_size, shuffle)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=_as_is)


def _as_is(batch: Any) -> Any:
    return batch


class _Stopped(BaseException):
    """Carries an interruption past skorch, which would take it as a wish to stop training early."""


class _Enough(BaseException):
    """Carries early stopping out of the loop, apart from an interruption, which skorch signals alike."""


class PFSNet(NeuralNet):
    """skorch net whose batches come whole, whose target carries weights, and which can use bfloat16 on a GPU."""

    def __init__(
        self, *args: Any, autocast: bool = False, at_once: int | None = None, divisible: bool = True, **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        self.autocast = autocast
        self.at_once = at_once
        self.divisible = divisible

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one step's gradients; a batch that does not fit into memory goes through in parts.

        Losses are means over patients, so the parts' gradients, weighted by their patients, add up to the batch's.
        """
        inputs, target = batch
        n = len(inputs["present"])
        while True:
            at_once = n if self.at_once is None else self.at_once
            try:
                if at_once >= n:
                    return super().train_step_single(batch, **fit_params)
                return self._in_parts(inputs, target, at_once, fit_params)
            except RuntimeError as error:
                if not out_of_memory(error) or min(at_once, n) == 1 or not self.divisible:
                    raise
            # Outside the handler, whose traceback would hold on to the tensors.
            self.optimizer_.zero_grad()
            self.at_once = max(1, min(at_once, n) // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _in_parts(
        self, inputs: Mapping[str, Any], target: Mapping[str, Any], at_once: int, fit_params: Any
    ) -> dict[str, Any]:
        self._set_training(True)
        total, predictions, n = 0.0, [], len(inputs["present"])
        for start in range(0, n, at_once):
            part = slice(start, start + at_once)
            predicted = self.infer({name: value[part] for name, value in inputs.items()}, **fit_params)
            columns = {name: column[part] for name, column in target.items()}
            loss = self.get_loss(predicted, columns, X=None, training=True) * (len(predicted) / n)
            loss.backward()
            total += float(loss.detach())
            predictions.append(predicted.detach())
        return {"loss": torch.tensor(total), "y_pred": torch.cat(predictions)}

    def fit_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Train; an interruption ends the fit instead of leaving a half-trained network that looks fitted."""
        try:
            return super().fit_loop(*args, **kwargs)
        except _Enough:
            return self
        except KeyboardInterrupt as interruption:
            raise _Stopped from interruption

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        # skorch writes the trained module apart from the one that it was given, which is the same.
        return state | {"module": None} if vars(self).get("module_") is vars(self)["module"] else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if vars(self)["module"] is None and "module_" in vars(self):
            self.module = self.module_

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; early stopping of the caller's own ends the training and is not an interruption."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            stoppers = [one for _, one in self.callbacks_ if isinstance(one, EarlyStopping)]
            if any(one.misses_ >= one.patience for one in stoppers):
                raise _Enough from None
            raise

    def _set_training(self, training: bool = True) -> None:
        """Switch the mode if it changes; skorch walks all submodules for every batch."""
        if self.module_.training != training:
            super()._set_training(training)

    def get_iterator(self, dataset: Any, training: bool = False) -> DataLoader:
        """Return a loader of even batches."""
        return _loader(dataset, self.batch_size, shuffle=training)

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the module, under autocast where that was asked for."""
        with autocast_on(self.device, self.autocast):
            return super().infer(x, **fit_params)


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


@contextlib.contextmanager
def progress_bar(
    text: str, verbose: int, progress: Callable[[int, int], None] | None = None
) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function that takes (done, total): the caller's own, else a bar where there is a terminal to show it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if progress is not None or not verbose or not console.is_terminal:
        yield progress
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(text)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def train(
    module: Any,
    dataset: PatientDataset,
    *,
    criterion: Any,
    criterion_options: Mapping[str, Any] | None = None,
    max_epochs: int,
    lr: float,
    batch_size: int,
    slower: Mapping[str, float],
    optimizer: str,
    weight_decay: float,
    validation_rows: np.ndarray | None,
    patience: int,
    device: torch.device,
    autocast: bool,
    verbose: int,
    callbacks: Sequence[Any] = (),
) -> PFSNet:
    """Train a module and return its skorch net, on the CPU and without optimiser state.

    Parameters
    ----------
    module : FusionNet or ContrastNet
        Trained in place; a module of the caller's own, not shared.
    dataset : PatientDataset
        Training patients with targets.
    criterion : Module class
        Loss of what the module gives and the columns of the target; with ``per_patient`` if it is a mean over patients.
    criterion_options : mapping, default=None
        Its arguments.
    slower : mapping of str to float
        Patterns of parameter names, and the part of `lr` that they learn with.
    validation_rows : ndarray of int or None
        Rows of `dataset` kept from training, on whose loss training stops early; the best epoch is kept.
    patience : int
        Epochs without improvement before stopping.
    callbacks : sequence of skorch callbacks, default=()
        The caller's own, called after those of the training.

    Returns
    -------
    PFSNet
    """
    own: list[Any] = []
    training: Any = dataset
    split = None
    if validation_rows is not None:
        rest = np.setdiff1d(np.arange(len(dataset)), validation_rows)
        training, split = Rows(dataset, rest), predefined_split(Rows(dataset, validation_rows))
        own.append(("stop", EarlyStopping(patience=patience, load_best=True, sink=_silent)))
    policy = torch.optim.lr_scheduler.CosineAnnealingLR
    own.append(("schedule", LRScheduler(policy=policy, T_max=max_epochs)))
    if verbose == 1:
        own.append(("bar", _ProgressBar()))
    # One kernel for all weights: a third of a step's time on a small network is the optimiser's loop over them.
    options: dict[str, Any] = {f"criterion__{key}": value for key, value in (criterion_options or {}).items()}
    options |= {"optimizer__weight_decay": weight_decay, "optimizer__fused": device.type != "mps"}
    if slower:
        options["optimizer__param_groups"] = [(pattern, {"lr": lr * part}) for pattern, part in slower.items()]
    if optimizer == "sgd":
        options |= {"optimizer__momentum": 0.9}
    net = PFSNet(
        module,
        criterion=criterion,
        optimizer=OPTIMIZERS[optimizer],
        lr=lr,
        max_epochs=max_epochs,
        batch_size=batch_size,
        train_split=split,
        callbacks=[*own, *checked_callbacks(callbacks)],
        callbacks__print_log=PrintLog(sink=_stderr) if verbose > 1 else None,
        verbose=int(verbose > 1),
        device=str(device),
        autocast=autocast,
        divisible=criterion.per_patient,
        **options,
    )
    try:
        with dataset.on(device):
            net.fit(training, y=None)
    except _Stopped:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if out_of_memory(error):
            raise MemoryError(
                "the device ran out of memory even with one patient at a time. Pass a smaller size, a smaller encoder, "
                "finetune='last' or 'frozen' for pretrained weights, or device='cpu'."
                if net.divisible
                else "the device ran out of memory. Pass a smaller batch_size, a smaller size, a smaller encoder, or "
                "device='cpu'."
            ) from error
        raise
    finally:
        _rest(net, module, callbacks)
    losses = np.array(net.history[:, "train_loss"], dtype=float)
    if not np.isfinite(losses).all():
        raise ValueError(
            f"training diverged: the loss of epoch {1 + int(np.argmin(np.isfinite(losses)))} is not a number. Pass a "
            f"smaller lr (here {lr:g})."
        )
    return net


def wrap(module: FusionNet, *, criterion: Any, batch_size: int) -> PFSNet:
    """Return the net of a module that is trained already."""
    net = PFSNet(module, criterion=criterion, batch_size=batch_size, train_split=None, verbose=0, device="cpu")
    net.initialize()
    net.optimizer_ = None
    return net


def checked_callbacks(callbacks: Sequence[Any] | None) -> list[Any]:
    """Return callbacks of skorch, or pairs of name and callback, as a list.

    Raises
    ------
    TypeError
        If one is something else.
    """
    found = [] if callbacks is None else list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for one in found:
        held = one[1] if isinstance(one, tuple) and len(one) == 2 else one
        if not (isinstance(held, Callback) or (isinstance(held, type) and issubclass(held, Callback))):
            raise TypeError(
                f"`callbacks` must hold callbacks of skorch, such as skorch.callbacks.EpochScoring, or pairs (name, callback); got "
                f"{type(held).__name__}."
            )
    return found


def _rest(net: PFSNet, module: nn.Module, callbacks: Sequence[Any]) -> None:
    """Leave nothing on the GPU, and neither the optimiser nor patients: a search keeps every fitted clone."""
    module.to("cpu")
    net.set_params(device="cpu") if net.initialized_ else None
    net.optimizer_, net.train_split = None, None
    # Schedules hold the optimiser, early stopping the best weights; those of the caller stay.
    kept = checked_callbacks(callbacks)
    held = [one[1] if isinstance(one, tuple) else one for one in kept]
    net.callbacks = kept or None
    net.callbacks_ = [pair for pair in getattr(net, "callbacks_", []) if any(pair[1] is one for one in held)]
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
        with plain_modes(), torch.inference_mode(), autocast_on(device, autocast):
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
