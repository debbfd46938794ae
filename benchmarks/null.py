"""Does cross-validation find anything where nothing is? Tables of many synthetic cohorts without signal.

    python benchmarks/null.py

One cohort of 116 patients without signal can look as if it had some: its AUROC scatters by about 0.07. Over many
cohorts the mean must be 0.5. About a minute on one core.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

from prrt_estimators import LabBaselineClassifier, LabPFSClassifier, make_prrt_cohort
from prrt_estimators.exceptions import MarkersMissingWarning


def main() -> None:
    """Print mean, its 95 % interval and the scatter of single cohorts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=24)
    options = parser.parse_args()
    warnings.simplefilter("ignore", MarkersMissingWarning)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    models = {"lab": LabPFSClassifier(n_estimators=60, random_state=0), "baseline_lab": LabBaselineClassifier()}
    scores: dict[str, list[float]] = {name: [] for name in models}
    for k in range(options.cohorts):
        data = make_prrt_cohort(116, signal=0.0, volumes=False, random_state=100 + k)
        for name, model in models.items():
            scores[name].append(cross_val_score(model, data.X, data.y, cv=cv, scoring="roc_auc").mean())
    for name, values in scores.items():
        spread = np.std(values, ddof=1)
        half = 1.96 * spread / np.sqrt(len(values))
        print(
            f"{name}: mean AUROC {np.mean(values):.3f} ({np.mean(values) - half:.3f} to {np.mean(values) + half:.3f}) over "
            f"{len(values)} cohorts, SD of one {spread:.3f}, {min(values):.2f} to {max(values):.2f}"
        )


if __name__ == "__main__":
    main()
