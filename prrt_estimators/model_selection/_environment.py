"""What a run was made with: versions and hardware, and a fixed number of threads."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from prrt_estimators.cohort import Cohort

#: Of run.json and the folds; raised with what is written, and the formats that are read.
FORMAT = 2
READABLE = (1, 2)

_PACKAGES = (
    "prrt-estimators", "scikit-learn", "torch", "monai", "skorch", "numpy", "scipy", "pandas", "joblib", "nibabel",
)  # fmt: skip
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def package_version() -> str:
    """Version of this package as installed, ``"unknown"`` from a bare source tree."""
    try:
        return importlib.metadata.version("prrt-estimators")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def versions() -> dict[str, str]:
    """Python and the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def hardware() -> dict[str, Any]:
    """Processor kind, number of CPUs and accelerator; nothing that names the machine or its user."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cpu_count": joblib.cpu_count(),
        "device": _device(),
    }


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _device() -> str:
    # A comparison of table models need not wait seconds for torch.
    torch = sys.modules.get("torch")
    if torch is None:
        return "cpu"
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    mps = getattr(torch.backends, "mps", None)
    return "mps" if mps is not None and mps.is_available() else "cpu"


def now() -> str:
    """Time of day in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def new_run(
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    *,
    data: str,
    seed: int,
    cv: str,
    splits: Sequence[Any],
    scorers: Mapping[str, Any],
    jobs: int,
    threads: int,
    counts: Mapping[str, int],
    target: Mapping[str, Any],
) -> dict[str, Any]:
    """Content of run.json before the first fold."""
    table = X["lab"] if isinstance(X, Cohort) and "lab" in X else X
    return {
        "format": FORMAT,
        "status": "running",
        "started": now(),
        "finished": None,
        "versions": versions(),
        "hardware": hardware(),
        "n_jobs": jobs,
        "threads_per_fold": threads,
        "random_state": seed,
        "data": {
            "digest": data,
            "n_patients": len(y),
            **counts,
            "modalities": list(X.modalities) if isinstance(X, Cohort) else [],
            "columns": [str(name) for name in table.columns] if isinstance(table, pd.DataFrame) else [],
            "weighted": weight is not None,
        },
        "cv": {"splitter": cv, "n_splits": len(splits), "n_repeats": splits[-1].repeat + 1},
        "scoring": list(scorers),
        "target": dict(target),
        "models": {},
    }


@contextlib.contextmanager
def fixed_threads(n_threads: int) -> Iterator[None]:
    """Let every numerical library in this process use `n_threads` threads.

    Sums over another number of threads differ in their last bits, so a fold gets the same number whichever
    process runs it and however many others run beside it.
    """
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(n_threads)))  # for libraries loaded during the fit
    torch = sys.modules.get("torch")
    torch_before = None
    if torch is not None and (torch_before := torch.get_num_threads()) != n_threads:
        torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        if torch is not None and torch.get_num_threads() != torch_before:
            torch.set_num_threads(torch_before)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
