"""What `fit` costs over a training loop written by hand: the same network, weights, batches and epochs, pair by pair.

Run from the root of the repository, on a machine with nothing else to do::

    python benchmarks/fit_overhead.py --out docs/performance_fit.csv

A pair is one call of ``fit`` and one run of the loop, in alternating order, in one process. The loop begins with
tensors that are ready and has no progress, no history, no checks and no skorch; ``fit`` begins with the raw cohort.
Both build the network. The losses of every epoch have to agree, or the two did not do the same work and the command
fails.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import give, print_machine
from sklearn.base import clone
from sklearn.utils import check_random_state

from prrt_estimators import FusionPFSClassifier, PETPFSClassifier, load_cohort, make_prrt_cohort
from prrt_estimators._targets import ClassTarget
from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.estimators._base import class_weights
from prrt_estimators.networks import WeightedBCE
from prrt_estimators.preprocessing import VolumePreprocessor

#: Two thirds of the 116 patients of the study: the training part of a fold.
PATIENTS = 77
SPACING = {32: (12.5, 9.5, 17.0), 48: (8.0, 7.0, 12.5)}
TARGET = 1.10


@dataclass
class Case:
    """One comparison: an estimator, what it is fitted on, and how the loop gets its tensors."""

    name: str
    estimator: Any
    X: Any
    y: np.ndarray
    read: Callable[[], dict[str, torch.Tensor]]
    is_image: bool = True


def cases(epochs: int, table_epochs: int, folder: Path) -> dict[str, Callable[[], Case]]:
    """Return what can be measured, by name, each made when it is asked for."""
    common = {"encoder": "compact", "max_epochs": epochs, "random_state": 0, "device": "cpu"}

    def arrays(kind: Any, size: int, names: tuple[str, ...]) -> Case:
        X, y = _synthetic(size)
        estimator = kind(**common) if kind is PETPFSClassifier else kind(modalities=names, **common)
        held = {name: torch.from_numpy(X[name].array) for name in names if name != "lab"}
        if "lab" in names:
            held["lab"] = _prepared_table(X["lab"])
        return Case(f"{'_'.join(names)} {size}^3 array", estimator, X.select(*names), y, lambda: held)

    def files(kind: Any, size: int, names: tuple[str, ...]) -> Case:
        table = make_cohort_folder(folder / f"cohort{size}", PATIENTS, volume_shape=size, random_state=0)
        X, y = load_cohort(table, return_X_y=True, verbose=False)
        box = {"size": size, "spacing": SPACING[size], "cache_dir": folder / "cache"}
        prepared = VolumePreprocessor(**box).fit_transform(X)  # fills the cache that `fit` reads
        for name in ("pet", "ct"):
            np.save(folder / f"{name}.npy", prepared[name].array)
        estimator = kind(**common, **box) if kind is PETPFSClassifier else kind(modalities=names, **common, **box)

        def read() -> dict[str, torch.Tensor]:
            found = {n: torch.from_numpy(np.load(folder / f"{n}.npy")) for n in names if n != "lab"}
            return found | ({"lab": _prepared_table(X["lab"])} if "lab" in names else {})

        return Case(f"{'_'.join(names)} {size}^3 NIfTI", estimator, X.select(*names), y, read)

    def table() -> Case:
        X, y = _synthetic(None)
        held = {"lab": _prepared_table(X["lab"])}
        estimator = FusionPFSClassifier(**common | {"max_epochs": table_epochs})
        return Case("lab table", estimator, X.select("lab"), y, lambda: held, is_image=False)

    everything = ("pet", "ct", "lab")
    return {
        "pet-32": lambda: arrays(PETPFSClassifier, 32, ("pet",)),
        "pet-48": lambda: arrays(PETPFSClassifier, 48, ("pet",)),
        "fusion-32": lambda: arrays(FusionPFSClassifier, 32, everything),
        "fusion-48": lambda: arrays(FusionPFSClassifier, 48, everything),
        "pet-48-nifti": lambda: files(PETPFSClassifier, 48, ("pet",)),
        "table": table,
    }


def _synthetic(size: int | None) -> tuple[Any, np.ndarray]:
    options = {"volumes": False} if size is None else {"volume_shape": size}
    return make_prrt_cohort(PATIENTS, random_state=0, return_X_y=True, **options)


def _prepared_table(frame: pd.DataFrame) -> torch.Tensor:
    from prrt_estimators.preprocessing import LabPreprocessor

    return torch.from_numpy(LabPreprocessor().fit_transform(frame).astype(np.float32))


def by_hand(case: Case) -> list[float]:
    """Train as a script would and return the mean loss of each epoch."""
    inputs, y, clf = case.read(), case.y, clone(case.estimator)
    n = len(y)
    weights = class_weights("balanced", y, np.unique(y))
    target = {name: torch.from_numpy(column) for name, column in ClassTarget().columns(y, weights).items()}
    # The network is the estimator's own; only the training is written anew.
    clf.modalities_, clf.branches_ = tuple(inputs), {}
    shapes = {name: tuple(values.shape[1:]) for name, values in inputs.items() if name != "lab"}
    torch.manual_seed(int(check_random_state(clf.random_state).randint(2**31 - 1)))
    module = clf._build(shapes, inputs["lab"].shape[1] if "lab" in inputs else 0, {})
    optimizer = torch.optim.AdamW(module.parameters(), lr=clf.lr, weight_decay=clf.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=clf.max_epochs)
    criterion = WeightedBCE()
    present = _present(case, n)
    bounds = np.linspace(0, n, -(-n // clf.batch_size) + 1).round().astype(int)
    curve = []
    for _ in range(clf.max_epochs):
        module.train()
        # torch's DataLoader draws the seed of its workers here, which keeps both generators in step.
        torch.empty((), dtype=torch.int64).random_()
        order = torch.randperm(n)
        total = 0.0
        for start, stop in itertools.pairwise(bounds.tolist()):
            rows = order[start:stop]
            optimizer.zero_grad()
            logits = module(present[rows], **{name: values[rows] for name, values in inputs.items()})
            loss = criterion(logits, {name: column[rows] for name, column in target.items()})
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        schedule.step()
        curve.append(total / n)
    return curve


def _present(case: Case, n: int) -> torch.Tensor:
    names = case.X.modalities
    present = torch.ones(n, len(names), dtype=torch.bool)
    if "lab" in names and len(names) > 1:
        present[:, names.index("lab")] = torch.from_numpy(~case.X["lab"].isna().all(axis=1).to_numpy())
    return present


def by_fit(case: Case) -> Any:
    """Train with the estimator and return it."""
    return clone(case.estimator).fit(case.X, case.y)


def timed(run: Callable[[Case], Any], case: Case) -> tuple[Any, float, float]:
    """Return what `run` gave, its seconds, and the seconds that this process had a processor."""
    gc.collect()
    start, busy = time.perf_counter(), time.process_time()
    result = run(case)
    return result, time.perf_counter() - start, time.process_time() - busy


def measure(case: Case, pairs: int) -> dict[str, Any]:
    """Run both, `pairs` times each in alternating order, and return one row of the table."""
    by_fit(clone_with_one_epoch(case))  # the first call loads kernels and files
    loops, fits, in_epochs, busy = [], [], [], []
    worst = 0.0
    for k in range(pairs):
        found = {}
        for run in (by_hand, by_fit) if k % 2 else (by_fit, by_hand):
            found[run] = timed(run, case)
        estimator = found[by_fit][0]
        loops.append(found[by_hand][1])
        fits.append(found[by_fit][1])
        busy.append(found[by_fit][2] / found[by_hand][2])
        in_epochs.append(float(sum(estimator.net_.history[:, "dur"])))
        expected, got = np.array(found[by_hand][0]), np.array(estimator.loss_curve_)
        if expected.shape != got.shape or not np.allclose(expected, got, rtol=1e-5, atol=1e-7):
            raise SystemExit(f"{case.name}: losses differ, so the two did not do the same work:\n{expected}\n{got}")
        worst = max(worst, float(np.abs(expected - got).max()))
    ratios = [fit / loop for fit, loop in zip(fits, loops, strict=True)]
    return {
        "case": case.name,
        "patients": len(case.y),
        "epochs": case.estimator.max_epochs,
        "pairs": pairs,
        "loop_s": round(statistics.median(loops), 3),
        "fit_s": round(statistics.median(fits), 3),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_low": round(min(ratios), 3),
        "ratio_high": round(max(ratios), 3),
        "ratio_processor": round(statistics.median(busy), 3),
        "fit_outside_epochs_s": round(statistics.median(np.subtract(fits, in_epochs)), 3),
        "loss_difference": float(f"{worst:.1e}"),
        "within_10_percent": statistics.median(ratios) <= TARGET if case.is_image else "no target",
    }


def clone_with_one_epoch(case: Case) -> Case:
    """Return the case with a short training."""
    short = clone(case.estimator).set_params(max_epochs=1)
    return Case(case.name, short, case.X, case.y, case.read, case.is_image)


def main() -> int:
    """Measure what was asked for; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", help="some of pet-32 pet-48 fusion-32 fusion-48 pet-48-nifti table")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=10, help="of the image models; their default is 25")
    parser.add_argument("--table-epochs", type=int, default=25)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print_machine(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        known = cases(given.epochs, given.table_epochs, Path(folder))
        unknown = set(given.cases or ()) - set(known)
        if unknown:
            parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
        rows = []
        for name in given.cases or known:
            rows.append(measure(known[name](), given.pairs))
            print(f"# {name}: fit takes {rows[-1]['ratio']:.3f} times the loop", file=sys.stderr, flush=True)
    give(pd.DataFrame(rows), given.out)
    return 0 if all(row["within_10_percent"] for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
