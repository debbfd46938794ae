"""An image estimator at its defaults on a public benchmark of shapes. Writes docs/adrenal.csv.

    python benchmarks/adrenal.py --data ../shared/data/adrenal/adrenalmnist3d_64_trainval.npz
    python benchmarks/adrenal.py --data ... --folds 3 --seeds 3 --voxels 32

AdrenalMNIST3D (MedMNIST, CC BY 4.0): segmented adrenal glands of 64 x 64 x 64 voxels, normal or with a mass, 1188 to train on and
98 to validate on. The official test part is not touched. The estimator takes arrays on their own grid, so they are also averaged to
32 x 32 x 32 voxels for it, which takes less time. Seconds are those of processor time.

The second form cross-validates inside the training part and never looks at the validation part: settings are chosen there. It writes
docs/adrenal_folds.csv.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from prrt_estimators import CTPFSClassifier
from prrt_estimators._io import atomic_write

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Along each axis: as published, and half of it.
VOXELS = [64, 32]


def read_part(path: Path, part: str, voxels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the volumes of a part, averaged to a number of voxels along each axis, and their classes."""
    with np.load(path, allow_pickle=False) as data:
        X, y = data[f"{part}_images"].astype(np.float32)[:, None], data[f"{part}_labels"].ravel()
    return torch.nn.functional.adaptive_avg_pool3d(torch.from_numpy(X), voxels).numpy(), y


def trained(model: Any, X: np.ndarray, y: np.ndarray) -> tuple[Any, float, float]:
    """Return the fitted model, the seconds of wall time and those of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    model.fit(X, y)
    return model, time.perf_counter() - wall, time.process_time() - processor


def validate(X: Any, y: Any, X_val: Any, y_val: Any, seeds: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Train on the training part with each seed, and score the validation part."""
    rows = []
    for seed in range(seeds):
        model, wall, processor = trained(CTPFSClassifier(random_state=seed, **settings), X, y)
        mass = model.predict_proba(X_val)[:, 1]
        auroc, auprc = roc_auc_score(y_val, mass), average_precision_score(y_val, mass)
        rows.append((X.shape[-1], seed, model.n_epochs_, auroc, auprc, processor, wall, torch.get_num_threads()))
        print(rows[-1], flush=True)
    columns = ["voxels", "seed", "epochs", "auroc", "auprc", "processor_seconds", "seconds", "threads"]
    return pd.DataFrame(rows, columns=columns).round({"auroc": 3, "auprc": 3, "processor_seconds": 0, "seconds": 0})


def cross_validate(X: Any, y: Any, folds: int, seeds: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return, for each fold of the training part, the mean AUROC of a model and that of the mean of the seeds' probabilities."""
    rows = []
    for fold, (train, test) in enumerate(StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y)):
        found, seconds = [], 0.0
        for seed in range(seeds):
            model, _, processor = trained(CTPFSClassifier(random_state=seed, **settings), X[train], y[train])
            found.append(model.predict_proba(X[test])[:, 1])
            seconds += processor
            print(fold, seed, roc_auc_score(y[test], found[-1]), round(processor), flush=True)
        single = np.mean([roc_auc_score(y[test], mass) for mass in found])
        rows.append((X.shape[-1], fold, seeds, single, roc_auc_score(y[test], np.mean(found, axis=0)), seconds / seeds))
    columns = ["voxels", "fold", "models", "auroc", "auroc_of_mean", "processor_seconds"]
    return pd.DataFrame(rows, columns=columns).round({"auroc": 3, "auroc_of_mean": 3, "processor_seconds": 0})


def main() -> None:
    """Train on the training part, score on the validation part or on folds of the training part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=None, help="other than the default, for trying")
    parser.add_argument("--encoder", default="auto", help="other than the default, for comparing")
    parser.add_argument("--voxels", type=int, nargs="+", default=VOXELS, help="along each axis, by averaging")
    parser.add_argument("--folds", type=int, default=None, help="cross-validate in the training part instead")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--docs", type=Path, default=DOCS)
    options = parser.parse_args()
    settings: dict[str, Any] = {"encoder": options.encoder}
    settings |= {} if options.epochs is None else {"max_epochs": options.epochs}
    tables = []
    for voxels in options.voxels:
        X, y = read_part(options.data, "train", voxels)
        if options.folds is None:
            tables.append(validate(X, y, *read_part(options.data, "val", voxels), options.seeds, settings))
        else:
            tables.append(cross_validate(X, y, options.folds, options.seeds, settings))
    table = pd.concat(tables)
    if options.epochs is None and options.encoder == "auto" and (options.folds or options.voxels == VOXELS):
        with atomic_write(options.docs / ("adrenal_folds.csv" if options.folds else "adrenal.csv")) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
