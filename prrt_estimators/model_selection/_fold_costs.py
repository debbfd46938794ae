"""What a fold of a model is expected to take before one was measured: for the time that is left, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from prrt_estimators._modalities import IMAGING

#: Seconds of one processor, as `benchmarks/fit_overhead.py` measures them: per patient and epoch, and per voxel of a scan.
_PER_PATIENT, _PER_VOXEL = 2e-4, 9.5e-8
#: Seconds of a model of numbers, and of each tree of a forest.
_TABLE, _PER_TREE = 0.3, 1.2e-3
_EPOCHS = "max_epochs"


class FoldCost(NamedTuple):
    """Expected seconds of a fold, and whether a network is trained in it."""

    seconds: float
    network: bool


def expected_cost(model: Any, n_patients: int, modalities: Collection[str]) -> FoldCost:
    """Return what one fold of a model is expected to take.

    Parameters
    ----------
    model : estimator
        Its parameters, and those of the estimators inside, say how much is trained.
    n_patients : int
        Patients of the cohort.
    modalities : collection of str
        What the patients have, for models that take all of it.
    """
    params = model.get_params(deep=True) if hasattr(model, "get_params") else {}
    seconds, network = _TABLE, False
    for name, value in params.items():
        if name.split("__")[-1] == "n_estimators" and isinstance(value, int):
            seconds += _PER_TREE * value
        if name.split("__")[-1] == _EPOCHS and isinstance(value, int):
            owner = name[: -len(_EPOCHS)]
            size = params.get(f"{owner}size")
            per_epoch = _PER_PATIENT
            if size is not None:
                voxels = float(np.prod(np.broadcast_to(size, 3)))
                per_epoch += _PER_VOXEL * voxels * _scans(params.get(f"{owner}modalities", IMAGING[:1]), modalities)
            seconds, network = seconds + n_patients * value * per_epoch, True
    return FoldCost(seconds, network)


def _scans(named: Any, present: Collection[str]) -> int:
    """Return how many scans a network reads, by its parameter."""
    names = [named] if named in IMAGING else present if isinstance(named, str) or named is None else named
    return sum(name in IMAGING for name in names)
