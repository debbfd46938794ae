"""An image estimator at its defaults on a public benchmark of shapes. Writes docs/adrenal.csv.

    python benchmarks/adrenal.py --data ../shared/data/adrenal/adrenalmnist3d_64_trainval.npz

AdrenalMNIST3D (MedMNIST, CC BY 4.0): segmented adrenal glands of 64 x 64 x 64 voxels, normal or with a mass, 1188 to train on and
98 to validate on. The official test part is not touched. Seconds are those of processor time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from prrt_estimators import CTPFSClassifier
from prrt_estimators._io import atomic_write

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> None:
    """Train on the training part, score on the validation part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=None, help="other than the default, for trying")
    parser.add_argument("--encoder", default="auto", help="other than the default, for comparing")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--docs", type=Path, default=DOCS)
    options = parser.parse_args()
    with np.load(options.data, allow_pickle=False) as parts:
        data = {name: parts[name] for name in parts.files}
    X, X_val = (data[f"{part}_images"].astype(np.float32)[:, None] for part in ("train", "val"))
    y, y_val = (data[f"{part}_labels"].ravel() for part in ("train", "val"))
    changed = {} if options.epochs is None else {"max_epochs": options.epochs}
    rows = []
    for seed in range(options.seeds):
        wall, processor = time.perf_counter(), time.process_time()
        model = CTPFSClassifier(encoder=options.encoder, random_state=seed, **changed).fit(X, y)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        mass = model.predict_proba(X_val)[:, 1]
        auroc, auprc = roc_auc_score(y_val, mass), average_precision_score(y_val, mass)
        rows.append((seed, model.n_epochs_, auroc, auprc, processor, wall, torch.get_num_threads()))
        print(rows[-1], flush=True)
    columns = ["seed", "epochs", "auroc", "auprc", "processor_seconds", "seconds", "threads"]
    table = pd.DataFrame(rows, columns=columns).round({"auroc": 3, "auprc": 3, "processor_seconds": 0, "seconds": 0})
    if options.epochs is None and options.encoder == "auto":
        with atomic_write(options.docs / "adrenal.csv") as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
