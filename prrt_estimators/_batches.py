"""Patients as batches of network inputs."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from prrt_estimators._sizes import limit_from_environment

#: Volumes up to this many bytes are held in memory while training, unless `MEMORY_LIMIT` says otherwise; larger sets are read
#: batch by batch.
HELD_IN_MEMORY = 2 * 1024**3
#: Environment variable with another limit, such as 500MB.
MEMORY_LIMIT = "PRRT_MEMORY_LIMIT"


class ImagingInput(Protocol):
    """What a network takes of one imaging modality of a cohort: volumes, or what was computed from them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one patient: (1, D, H, W) for volumes."""
        ...

    def load(self, row: int) -> np.ndarray:
        """Return the input of one patient who has the modality; broadcasts to `shape`."""
        ...


class PatientDataset(Dataset):
    """Patients as network inputs, gathered a batch at a time.

    Parameters
    ----------
    volumes : mapping of str to ImagingInput
        Of each imaging modality that some patient may have.
    table : ndarray of float32, shape (n, k), or None
        Prepared laboratory values.
    present : ndarray of bool, shape (n, M)
    modalities : sequence of str
        In the order of the columns of `present`.
    shapes : mapping of str to tuple of ints
        Of one patient: (1, D, H, W) for volumes, another for what was computed from them.
    target : mapping of str to ndarray of float32, shape (n,), default=None
        Named columns of what is learnt, see `Target`.
    hold : bool, default=False
        Read all volumes at once into memory, if they fit in what `MEMORY_LIMIT` or `HELD_IN_MEMORY` allows.
    """

    def __init__(
        self,
        volumes: Mapping[str, ImagingInput],
        table: np.ndarray | None,
        present: np.ndarray,
        modalities: Sequence[str],
        shapes: Mapping[str, tuple[int, ...]],
        target: Mapping[str, np.ndarray] | None = None,
        *,
        hold: bool = False,
    ):
        self.volumes = dict(volumes)
        self.shapes = dict(shapes)
        self.modalities = tuple(modalities)
        self.present = torch.from_numpy(np.ascontiguousarray(present))
        self.table = None if table is None else torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32))
        self.target = {name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in (target or {}).items()}
        size = sum(4 * math.prod(shape) * len(present) for shape in self.shapes.values())
        self.held: dict[str, torch.Tensor] = {}
        if hold and size <= limit_from_environment(MEMORY_LIMIT, HELD_IN_MEMORY):
            everyone = list(range(len(present)))
            self.held = {name: self._gather(name, everyone) for name in self.shapes}

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, row: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        return self.__getitems__([row])

    def __getitems__(self, rows: list[int]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Return the inputs and targets of a whole batch: torch's loader asks for all its rows at once."""
        inputs: dict[str, torch.Tensor] = {"present": self.present[rows]}
        for name in self.shapes:
            inputs[name] = self.held[name][rows] if name in self.held else self._gather(name, rows)
        if self.table is not None:
            inputs["lab"] = self.table[rows]
        return inputs, {name: column[rows] for name, column in self.target.items()}

    def inputs(self, rows: np.ndarray, at_once: int = 8) -> Iterator[dict[str, torch.Tensor]]:
        """Yield the inputs of patients, some at a time, in their order."""
        for start in range(0, len(rows), at_once):
            yield self.__getitems__([int(row) for row in rows[start : start + at_once]])[0]

    @contextlib.contextmanager
    def on(self, device: torch.device) -> Iterator[None]:
        """Keep the patients on a GPU while training, if all volumes are held and take at most half of its free memory.

        Else each step would wait for its batch to be gathered and copied.
        """
        before = self.held, self.table, self.target
        size = sum(volumes.nbytes for volumes in self.held.values())
        if len(self.held) == len(self.shapes) and size < _free(device) // 2:
            self.held = {name: volumes.to(device) for name, volumes in self.held.items()}
            self.table = None if self.table is None else self.table.to(device)
            self.target = {name: column.to(device) for name, column in self.target.items()}
        try:
            yield
        finally:
            self.held, self.table, self.target = before

    def _gather(self, name: str, rows: Sequence[int]) -> torch.Tensor:
        k = self.modalities.index(name)
        batch = torch.zeros(len(rows), *self.shapes[name], dtype=torch.float32, device="cpu")
        for place, row in enumerate(rows):
            if self.present[row, k]:
                batch[place] = torch.from_numpy(np.array(self.volumes[name].load(row), dtype=np.float32))
        return batch


def _free(device: torch.device) -> int:
    """Return the free bytes of a GPU; 0 for a device that shares the memory of the machine."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


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
