"""Do maps point at what decides? Planted lesions, a model that learnt them, and models that did not.

    python benchmarks/saliency.py --out docs/saliency.csv --sanity docs/saliency_sanity.csv

The scans are those of a synthetic cohort without signal: organs take up the tracer, and a dozen lesions a patient are
scattered without any bearing on PFS. Patients with short PFS get two more, bright ones, and only these decide. Half of
the patients whom the models were not trained on have them; how much of their maps lies inside is compared with the part
of the volume that is inside, for the trained model, for the same network with random weights, and for one trained on
shuffled labels.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _common import give, print_machine
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from prrt_estimators import Cohort, PETPFSClassifier, make_prrt_cohort
from prrt_estimators.cohort import Volumes
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection import (
    attribution_in_regions,
    label_randomisation,
    randomise_weights,
    saliency,
    summarise_regions,
    weight_randomisation,
)
from prrt_estimators.inspection._sanity import shuffled_labels
from prrt_estimators.model_selection import bootstrap_interval

METHODS = ("gradient", "smoothgrad", "integrated_gradients", "gradcam")


def planted(n: int, shape: tuple[int, int, int], seed: int, radius_mm: float = 28.0, suv: float = 25.0) -> Any:
    """Return (X, y): every second patient has short PFS and two bright planted lesions, in ``X.masks["planted"]``."""
    cohort = make_prrt_cohort(n, volume_shape=shape, signal=0.0, random_state=seed)
    pet, ct = cohort.X["pet"].array.copy(), cohort.X["ct"].array
    y = np.arange(n) % 2
    rng = np.random.default_rng(seed)
    masks = np.zeros_like(pet)
    places = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), axis=-1)
    for row in np.flatnonzero(y == 0):
        # Not in organs with uptake of their own, where a lesion would not show.
        free = ndimage.binary_erosion(ct[row, 0] > -200, iterations=2) & (pet[row, 0] < 4)
        for _ in range(2):
            centre = rng.permutation(np.argwhere(free))[0] + rng.uniform(-0.5, 0.5, 3)
            distance = np.linalg.norm((places - centre) * cohort.spacing[row], axis=-1)
            inside = np.clip((radius_mm - distance) / 10 + 0.5, 0, 1)
            pet[row, 0] += inside * (suv * rng.lognormal(0, 0.1) - pet[row, 0])
            masks[row, 0] = np.maximum(masks[row, 0], inside > 0.5)
    others = cohort.X.masks["lesion"].array * (masks == 0)
    X = Cohort(
        {"pet": Volumes(pet, spacing=cohort.spacing)},
        ids=cohort.X.ids,
        masks={"planted": masks, "lesions without bearing": others},
    )
    return X, y


def measured(model: Any, X: Cohort, y: np.ndarray, name: str, seed: int) -> pd.DataFrame:
    """Return the regions of one model's maps, a row a method and region."""
    p = model.predict_proba(X)[:, 1]
    found = bootstrap_interval(y, p, n_boot=1000, random_state=0)
    has = X[y == 0]
    rows = []
    for method in METHODS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExplanationWarning)
            maps = saliency(model, has, method=method, auroc_interval=(found.low, found.high), random_state=seed)
        table = summarise_regions(attribution_in_regions(maps, has.masks))
        strict = summarise_regions(attribution_in_regions(maps, has.masks, within="body"))
        table.insert(9, "ratio_body", strict["ratio"])
        missed = np.nan if maps.completeness_error is None else np.median(maps.completeness_error)
        table.insert(0, "method", method)
        rows.append(table.assign(completeness_error=missed, cautioned=bool(maps.caution)))
    table = pd.concat(rows, ignore_index=True).drop(columns=["modality", "kind"])
    for position, (column, value) in enumerate(
        {"model": name, "auroc": roc_auc_score(y, p), "auroc_low": found.low, "auroc_high": found.high}.items()
    ):
        table.insert(position, column, value)
    return table


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=270)
    parser.add_argument("--shape", type=int, nargs=3, default=(32, 24, 40))
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sanity", type=Path)
    options = parser.parse_args()
    print_machine(1)
    X, y = planted(options.patients, tuple(options.shape), options.seed)
    cut = 2 * options.patients // 3
    train, test = slice(0, cut), slice(cut, None)
    rng = np.random.RandomState(options.seed)
    model = PETPFSClassifier(
        max_epochs=options.epochs, lr=2e-3, window=(0.0, 40.0), device="cpu", random_state=options.seed
    )
    trained = model.fit(X[train], y[train])
    shuffled = PETPFSClassifier(**model.get_params()).fit(X[train], shuffled_labels(y[train], rng))
    models = {
        "trained": trained,
        "random weights": randomise_weights(trained, random_state=options.seed),
        "shuffled labels": shuffled,
    }
    tables = [measured(one, X[test], y[test], name, options.seed) for name, one in models.items()]
    give(pd.concat(tables, ignore_index=True).round(4), options.out)
    print()
    few = X[test][y[test] == 0][:6]
    checks = []
    for method in METHODS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExplanationWarning)
            table = weight_randomisation(trained, few, method=method, random_state=options.seed)
        table.insert(0, "check", "weights: " + table["layers"])
        checks.append(table.assign(method=method))
    table = label_randomisation(trained, X[train], y[train], few, random_state=options.seed)
    table.insert(0, "check", "labels: " + table["labels"])
    checks.append(table.assign(method="gradient"))
    together = pd.concat(checks, ignore_index=True)
    give(together[["method", "check", "spearman", "ssim", "n_patients"]].round(4), options.sanity)


if __name__ == "__main__":
    main()
