"""The study's networks on the cohorts of benchmarks/hundred_patients.py, for its table.

    python benchmarks/hundred_patients_networks.py --out results-hundred --cohorts 4

Networks take minutes per cohort, so that each is cross-validated threefold once, on as many cohorts as you have time for. Boxes
are those of the estimators' defaults in size (384 mm), in 32 voxels instead of 48 per side, since the cohorts are rendered at
11 mm. The pretrained CT branch was trained on other synthetic patients. If the run is interrupted, rerun the command to resume.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
import torch
from hundred_patients import COLUMNS, OTHERS, score
from hundred_patients_features import SHAPE, SMALL
from safetensors.torch import save_file
from sklearn.model_selection import StratifiedKFold

from prrt_estimators import CTPFSClassifier, make_prrt_cohort, paper_models
from prrt_estimators._io import atomic_write

SIZE, SPACING = 32, 12.0
#: The most important first; the forest on labs is in the main table.
NETWORKS = ("pet_ct_lab", "pet_ct_lab_pretrained", "pet", "ct", "pet_ct", "pet_lab", "ct_lab")


def pretrained_ct(file: Path) -> Path:
    """Train a CT encoder on 300 synthetic patients of another seed, unless it is there."""
    if not file.exists():
        X, y = make_prrt_cohort(300, volume_shape=SHAPE, random_state=99, return_X_y=True)
        model = CTPFSClassifier(
            encoder="compact", max_epochs=15, size=SIZE, spacing=SPACING, device="cpu", random_state=0
        ).fit(X, y)
        with atomic_write(file) as temporary:
            save_file(model.net_.module_.encoders["ct"].network.state_dict(), temporary)
    return file


def main() -> None:
    """Run the cohorts and networks that are not finished."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-hundred"))
    parser.add_argument("--cohorts", type=int, default=4)
    parser.add_argument("--models", default=",".join(NETWORKS))
    options = parser.parse_args()
    (options.out / OTHERS).mkdir(parents=True, exist_ok=True)
    weights = pretrained_ct(options.out / "ct_encoder.safetensors")
    models = paper_models(
        include=options.models.split(","), weights={"ct": weights}, size=SIZE, spacing=SPACING, device="cpu",
        random_state=0, cache_dir=options.out / "cache",
    )  # fmt: skip
    for seed in SMALL[: options.cohorts]:
        target = {name: options.out / OTHERS / f"{name}_{seed}.csv" for name in models}
        if all(file.exists() for file in target.values()):
            continue
        cohort = make_prrt_cohort(116, volume_shape=SHAPE, random_state=seed)
        folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(cohort.y, cohort.y))
        for name in (one for one in options.models.split(",") if not target[one].exists()):
            begun = time.process_time()
            found = score(models[name], cohort.X, cohort.y, folds)
            row = ("n = 116", seed, len(cohort.y), f"study: {name} (1 x 3-fold)", *found)
            with atomic_write(target[name]) as temporary:
                pd.DataFrame([row], columns=COLUMNS).round(5).to_csv(temporary, index=False)
            seconds = time.process_time() - begun
            print(f"{name}, {seed}: {found[0]:.3f}, {seconds:.0f} CPU seconds, torch {torch.__version__}", flush=True)


if __name__ == "__main__":
    main()
