"""Do maps point at what decides? Planted lesions, a model that learnt them, and models that did not.

    python benchmarks/saliency.py

writes docs/saliency.csv, docs/saliency_sanity.csv and the tables of docs/saliency.md.

The scans are those of a synthetic cohort without signal: organs take up the tracer, and a dozen lesions a patient are
scattered without any bearing on PFS. Patients with short PFS get two more, bright ones, and only these decide. How much
of the maps of patients whom no model was trained on lies inside is compared with the part of the volume that is inside:
for the trained model, for the same network with random weights (mean of three draws), and for one trained on shuffled
labels. Two encoders: the library's own, whose normalisation lets every voxel move all others, and two convolutions
with a mean, in which a voxel matters through its neighbourhood only.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import give, print_machine
from scipy import ndimage
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from torch import nn

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
DOCS = Path(__file__).resolve().parents[1] / "docs"
REGIONS = ("planted", "lesions without bearing", "uptake elsewhere")
#: Where the tables of the page lie.
MARKS = {name: (f"<!-- {name} -->\n", f"<!-- end of {name} -->") for name in ("places", "checks")}


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


class Plain(nn.Module):
    """Two convolutions and the mean over positions, brought to one scale; no voxel is normalised by others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv3d(1, 8, 3, padding=1), nn.Conv3d(8, 8, 3, stride=2, padding=1)
        self.scale = nn.BatchNorm1d(8)

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, 8)."""
        maps = self.second(self.first(volumes).relu()).relu()
        return self.scale(maps.flatten(2).mean(dim=2))


#: Encoder, epochs and learning rate.
ENCODERS: dict[str, tuple[Any, int, float]] = {"compact": ("compact", 25, 2e-3), "plain": (Plain, 40, 1e-2)}


def measured(model: Any, X: Cohort, y: np.ndarray, n_maps: int, seed: int) -> pd.DataFrame:
    """Return the regions of one model's maps, a row a method and region."""
    p = model.predict_proba(X)[:, 1]
    found = bootstrap_interval(y, p, n_boot=1000, random_state=0)
    has = X[y == 0][:n_maps]
    rows = []
    for method in METHODS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExplanationWarning)
            maps = saliency(model, has, method=method, auroc_interval=(found.low, found.high), random_state=seed)
        table = summarise_regions(attribution_in_regions(maps, has.masks))
        strict = summarise_regions(attribution_in_regions(maps, has.masks, within="body"))
        table.insert(6, "ratio_body", strict["ratio"])
        missed = np.nan if maps.completeness_error is None else maps.completeness_error.max()
        rows.append(table.assign(method=method, completeness_error=missed, cautioned=bool(maps.caution)))
    table = pd.concat(rows, ignore_index=True).drop(columns=["modality", "kind", "pointing_low", "pointing_high"])
    return table.assign(auroc=roc_auc_score(y, p), auroc_low=found.low, auroc_high=found.high)


def averaged(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the mean of several tables of the same rows."""
    keys = ["method", "region"]
    mean = pd.concat(tables).groupby(keys, sort=False).mean().reset_index()
    # Networks that give everyone the same answer have maps of zeros, of which there are no patients to count.
    return mean.assign(cautioned=mean["cautioned"] == 1)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=240)
    parser.add_argument("--shape", type=int, nargs=3, default=(32, 24, 40))
    parser.add_argument("--maps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--docs", type=Path, default=DOCS, help="folder of saliency.md, saliency.csv, saliency_sanity.csv"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(1)
    X, y = planted(options.patients, tuple(options.shape), options.seed)
    cut = 2 * options.patients // 3
    train, test = slice(0, cut), slice(cut, None)
    few = X[test][y[test] == 0][:6]
    tables, checks = [], []
    for name, (encoder, epochs, lr) in ENCODERS.items():
        model = PETPFSClassifier(
            encoder=encoder, max_epochs=epochs, lr=lr, window=(0.0, 40.0), device="cpu", random_state=options.seed
        )
        trained = model.fit(X[train], y[train])
        goal = shuffled_labels(y[train], np.random.RandomState(options.seed))
        models = {
            "trained": [trained],
            "random weights": [randomise_weights(trained, random_state=draw) for draw in range(3)],
            "shuffled labels": [clone(model).fit(X[train], goal)],
        }
        for kind, several in models.items():
            found = averaged([measured(one, X[test], y[test], options.maps, options.seed) for one in several])
            tables.append(found.assign(encoder=name, model=kind))
        checks += [table.assign(encoder=name) for table in sanity(trained, X[train], y[train], few, options.seed)]
    front = ["encoder", "model", "auroc", "auroc_low", "auroc_high", "method", "region", "n_patients"]
    table = pd.concat(tables, ignore_index=True).round(4)
    give(table[[*front, *table.columns.drop(front)]], options.docs / "saliency.csv")
    print()
    alike = pd.concat(checks, ignore_index=True).round(4)
    give(alike[["encoder", "method", "check", "spearman", "ssim", "n_patients"]], options.docs / "saliency_sanity.csv")
    page = options.docs / "saliency.md"
    page.write_text(with_tables(page.read_text("utf-8"), table, alike), "utf-8")


def with_tables(text: str, table: pd.DataFrame, checks: pd.DataFrame) -> str:
    """Return the page with both tables between their marks."""
    for name, rows in (("places", places(table)), ("checks", forgotten(checks))):
        start, end = MARKS[name]
        head, rest = text.split(start)
        text = head + start + "\n" + "\n".join(rows) + "\n\n" + end + rest.split(end)[1]
    return text


def places(table: pd.DataFrame) -> list[str]:
    """Return lines: a row per model and method, how many times as much as chance lies in each region."""
    rows = [f"| encoder | model | AUROC | method | {' | '.join(REGIONS)} | peak in planted |", "|---" * 8 + "|"]
    for (encoder, model, method), part in table.groupby(["encoder", "model", "method"], sort=False):
        part = part.set_index("region")
        first = part.loc["planted"]
        times = " | ".join(f"{part.loc[region, 'ratio']:.1f}" for region in REGIONS)
        rows.append(f"| {encoder} | {model} | {first['auroc']:.2f} | `{method}` | {times} | {first['pointing']:.0%} |")
    return rows


def forgotten(checks: pd.DataFrame) -> list[str]:
    """Return lines: a row an encoder and method, the rank correlation with the map of the trained network."""
    heads = ("encoder", "method", "last layers random", "all layers random", "labels shuffled", "trained again")
    rows = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for (encoder, method), part in checks.groupby(["encoder", "method"], sort=False):
        alike = part.set_index("check")["spearman"]
        weights = alike[alike.index.str.startswith("weights: ")]
        labels = [f"{alike[name]:.2f}" if name in alike else "" for name in ("labels: shuffled", "labels: true")]
        cells = [f"{encoder}", f"`{method}`", f"{weights.iloc[0]:.2f}", f"{weights.iloc[-1]:.2f}", *labels]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def sanity(trained: Any, X: Cohort, y: np.ndarray, few: Cohort, seed: int) -> list[pd.DataFrame]:
    """Return how alike the maps stay when weights are randomised layer by layer, and when labels are shuffled."""
    checks = []
    for method in METHODS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExplanationWarning)
            table = weight_randomisation(trained, few, method=method, random_state=seed)
        checks.append(table.assign(method=method, check="weights: " + table["layers"]))
    table = label_randomisation(trained, X, y, few, random_state=seed)
    return [*checks, table.assign(method="gradient", check="labels: " + table["labels"])]


if __name__ == "__main__":
    main()
