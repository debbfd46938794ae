"""How well a GPU is used: throughput and utilisation of training, and the time of the study's comparison.

Run from the root of the repository, on a machine with a GPU and nothing else to do::

    python benchmarks/gpu.py --out docs/performance_gpu.csv

For each box, `fit` trains a CT network with augmentation; beside it the same network is trained as MONAI's tutorials do, with
`CacheDataset`, random transforms per patient on the processor, and a `DataLoader` with workers. Volumes per second are those of all
epochs but the first. Utilisation is what the driver reports, sampled five times per second. ``--study`` times the eight
configurations of the study and its two baselines, 3 x 10-fold at 48 voxels per side, ``--jobs`` folds at a time on the one GPU. Without
a GPU everything runs on the processor and utilisation is empty.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _common import give, print_machine
from monai.data import CacheDataset
from monai.transforms import Compose, RandAffined, RandScaleIntensityd, RandShiftIntensityd
from sklearn.model_selection import RepeatedStratifiedKFold
from torch.utils.data import DataLoader

from prrt_estimators import CTPFSClassifier, compare_models, make_prrt_cohort, paper_models
from prrt_estimators._device import resolve_device


def main() -> int:
    """Measure; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[96, 128])
    parser.add_argument("--patients", type=int, default=77, help="the training part of a fold of the study")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=8, help="of MONAI's DataLoader")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--study", action="store_true", help="also time the study's eight configurations, 3 x 10-fold")
    parser.add_argument("--study-size", type=int, default=48)
    parser.add_argument("--study-epochs", type=int, default=25, help="their default; less is for trying")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1, help="folds of the study at a time")
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    given = parser.parse_args()
    print_machine(torch.get_num_threads())
    device = resolve_device(given.device)
    print(torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU", f"torch {torch.__version__}\n")
    rows = [
        (f"{size}^3", *row)
        for size in given.sizes
        for row in training(size, given.patients, given.epochs, given.batch_size, given.workers, device)
    ]
    if given.study:
        rows.append(
            (
                f"study {given.repeats} x 3-fold at {given.study_size}^3 ({given.jobs} at a time)",
                *study(given.study_size, given.repeats, given.study_epochs, given.jobs, device),
            )
        )
    columns = ["case", "by", "volumes_per_second", "utilisation_percent", "seconds"]
    give(
        pd.DataFrame(rows, columns=columns).round({"volumes_per_second": 1, "utilisation_percent": 0, "seconds": 1}),
        given.out,
    )
    return 0


def training(
    size: int, patients: int, epochs: int, batch_size: int, workers: int, device: torch.device
) -> list[tuple[str, float, float, float]]:
    """Return who trained, volumes per second, utilisation and seconds, of `fit` and of MONAI's way."""
    rng = np.random.default_rng(0)
    X, y = rng.uniform(-160, 240, (patients, 1, size, size, size)).astype(np.float32), np.arange(patients) % 2
    options = {
        "encoder": "compact",
        "augment": "affine",
        "batch_size": batch_size,
        "device": str(device),
        "random_state": 0,
    }
    rows = []
    for precision in ("auto", "float32"):
        model = CTPFSClassifier(precision=precision, **options)
        model.set_params(max_epochs=1).fit(X[:batch_size], y[:batch_size])  # loads kernels
        begun = time.perf_counter()
        with utilisation(device) as busy:
            model.set_params(max_epochs=epochs).fit(X, y)
        seconds = time.perf_counter() - begun
        rows.append((f"fit ({precision})", rate(patients, model.net_.history[:, "dur"]), mean(busy), seconds))
    network = copy.deepcopy(model.net_.module_).to(device)
    begun = time.perf_counter()
    with utilisation(device) as busy:
        durations = as_monai(network, X, y, epochs, batch_size, workers, device)
    rows.append(("MONAI CacheDataset", rate(patients, durations), mean(busy), time.perf_counter() - begun))
    return rows


def as_monai(
    network: torch.nn.Module,
    X: np.ndarray,
    y: np.ndarray,
    epochs: int,
    batch_size: int,
    workers: int,
    device: torch.device,
) -> list[float]:
    """Train as MONAI's tutorials do and return the seconds of each epoch."""
    random = [
        RandAffined(["image"], prob=1.0, rotate_range=0.1, scale_range=0.1, translate_range=2, padding_mode="border"),
        RandScaleIntensityd(["image"], factors=0.1, prob=1.0),
        RandShiftIntensityd(["image"], offsets=0.1, prob=1.0),
    ]
    patients = [{"image": scan, "label": float(label)} for scan, label in zip(X, y, strict=True)]
    dataset = CacheDataset(patients, Compose(random), cache_rate=1.0, progress=False)
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01)
    criterion = torch.nn.BCEWithLogitsLoss()
    durations = []
    network.train()
    for _ in range(epochs):
        begun = time.perf_counter()
        for batch in loader:
            scans = torch.as_tensor(batch["image"]).to(device)
            present = torch.ones(len(scans), 1, dtype=torch.bool, device=device)
            optimizer.zero_grad()
            loss = criterion(network(present, ct=scans).flatten(), batch["label"].float().to(device))
            loss.backward()
            optimizer.step()
        loss.item()  # waits for the device
        durations.append(time.perf_counter() - begun)
    return durations


def study(size: int, repeats: int, epochs: int, jobs: int, device: torch.device) -> tuple[str, float, float, float]:
    """Return how long the configurations of the study take without pretrained weights."""
    X, y = make_prrt_cohort(116, volume_shape=size, random_state=0, return_X_y=True)
    models = paper_models(size=size, max_epochs=epochs, device=str(device), random_state=0)
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=repeats, random_state=0)
    begun = time.perf_counter()
    with utilisation(device) as busy:
        compare_models(models, X, y, cv=cv, n_jobs=jobs, verbose=0)
    return "compare_models", float("nan"), mean(busy), time.perf_counter() - begun


@contextlib.contextmanager
def utilisation(device: torch.device) -> Iterator[list[float]]:
    """Yield a list that fills with the per cent of time in which the GPU was busy."""
    found: list[float] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.2):
            found.append(float(torch.cuda.utilization(device)))

    thread = threading.Thread(target=sample, daemon=True)
    if device.type == "cuda":
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


def rate(patients: int, durations: list[float]) -> float:
    """Return volumes per second of all epochs but the first, or of the only one."""
    return patients / float(np.mean(durations[1:] or durations))


def mean(values: list[float]) -> float:
    """Return the mean, NaN of nothing."""
    return float(np.mean(values)) if values else float("nan")


if __name__ == "__main__":
    sys.exit(main())
