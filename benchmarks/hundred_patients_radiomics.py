"""Forests on radiomics features of the given masks, on the cohorts of benchmarks/hundred_patients.py, for its table.

    pip install mirp
    python benchmarks/hundred_patients_radiomics.py --out results-hundred

The features are those of MIRP (Zwanenburg 2024, doi:10.21105/joss.06413) in the true mask of what the tracer shows, on PET, and of
what CT shows, on CT: about 180 per scan, at the settings of its documentation. On them and on the laboratory values learn a random
forest, from the class, and a survival forest, from the time. If the run is interrupted, rerun the command to resume.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from hundred_patients import COLUMNS, OTHERS, Stored, score
from hundred_patients_features import SETTINGS, SHAPE, SMALL, ct_masks
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators import Cohort, make_prrt_cohort
from prrt_estimators._io import atomic_write
from prrt_estimators.features._images import read_image
from prrt_estimators.preprocessing import LabPreprocessor

#: Grey levels of textures: 0.5 SUV and 25 HU, as MIRP's documentation does.
BINS = {"pet": 0.5, "ct": 25.0}
TREES = 500


class ForestOnFeatures(ClassifierMixin, BaseEstimator):
    """A forest on stored features, with the laboratory values or without; a survival forest where it is given times."""

    def __init__(self, table: pd.DataFrame, labs: bool = True, survival: bool = False):
        self.table = table
        self.labs = labs
        self.survival = survival

    def fit(self, X: Cohort, y: np.ndarray, time: Any = None, event: Any = None) -> ForestOnFeatures:
        """Learn imputation and forest from the training patients."""
        self.classes_ = np.unique(y)
        self.lab_ = LabPreprocessor().fit(X["lab"])
        self.fill_ = SimpleImputer(keep_empty_features=True).fit(Stored(self.table).transform(X))
        if self.survival:
            from sksurv.ensemble import RandomSurvivalForest
            from sksurv.util import Surv

            self.forest_ = RandomSurvivalForest(TREES, min_samples_leaf=5, max_features="sqrt", random_state=0)
            self.forest_.fit(self._columns(X), Surv.from_arrays(event.astype(bool), time))
        else:
            self.forest_ = RandomForestClassifier(TREES, min_samples_leaf=3, random_state=0).fit(self._columns(X), y)
        return self

    def predict_proba(self, X: Cohort) -> np.ndarray:
        """Return the probabilities of short and long PFS; those of a survival forest at 12 months."""
        columns = self._columns(X)
        if not self.survival:
            return self.forest_.predict_proba(columns)
        long = np.array([float(curve(12.0)) for curve in self.forest_.predict_survival_function(columns)])
        return np.column_stack([1 - long, long])

    def _columns(self, X: Cohort) -> np.ndarray:
        found = self.fill_.transform(Stored(self.table).transform(X))
        return np.hstack([found, self.lab_.transform(X["lab"])]) if self.labs else found


def features(cohort: Any, seed: int) -> pd.DataFrame:
    """Return the features of every patient, columns named by scan."""
    setting = next(one for one in SETTINGS if one.name == "n116")
    masks = {"pet": cohort.truth.pet_signal, "ct": ct_masks(setting, seed) > 0}
    rows = []
    for row in range(len(cohort.y)):
        rows.append(
            {name: value for scan in BINS for name, value in scan_features(cohort.X, row, scan, masks[scan][row])}
        )
    table = pd.DataFrame(rows).select_dtypes("number")
    return table.set_axis(pd.Index(cohort.X.ids, name="patient_id"))


def scan_features(X: Cohort, row: int, scan: str, mask: np.ndarray) -> list[tuple[str, float]]:
    """Return the features of one mask; none where it is empty."""
    from mirp import extract_features

    if not mask.any():
        return []
    image = read_image(X, row, scan)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files = {name: f"{folder}/{name}.nii.gz" for name in ("image", "mask")}
        nib.save(nib.Nifti1Image(image.data, image.affine), files["image"])
        nib.save(nib.Nifti1Image(mask.astype(np.int16), image.affine), files["mask"])
        found = extract_features(
            **files, image_modality=scan, base_discretisation_method="fixed_bin_size",
            base_discretisation_bin_width=BINS[scan], num_cpus=1,
        )[0]  # fmt: skip
    own = found.loc[:, "morph_volume":].select_dtypes("number").iloc[0]
    return [(f"{scan}_{name}", float(value)) for name, value in own.items()]


def main() -> None:
    """Run the cohorts that are not finished."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-hundred"))
    parser.add_argument("--cohorts", type=int, default=len(SMALL))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # MIRP writes a line per image
    for name in ("features", OTHERS):
        (options.out / name).mkdir(parents=True, exist_ok=True)
    for seed in SMALL[: options.cohorts]:
        target, stored = (
            options.out / OTHERS / f"radiomics_{seed}.csv",
            options.out / "features" / f"radiomics_{seed}.csv",
        )
        if target.exists():
            continue
        begun = time.process_time()
        cohort = make_prrt_cohort(116, volume_shape=SHAPE, volumes=not stored.exists(), random_state=seed)
        if not stored.exists():
            with atomic_write(stored) as temporary:
                features(cohort, seed).to_csv(temporary)
        table = pd.read_csv(stored, index_col="patient_id", dtype={"patient_id": str})
        X = Cohort({"lab": cohort.X["lab"]}, ids=cohort.X.ids, survival=cohort.X.survival)
        folds = list(RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0).split(cohort.y, cohort.y))
        models = {
            "forest on radiomics of given masks": ForestOnFeatures(table, labs=False),
            "forest on radiomics of given masks + labs": ForestOnFeatures(table),
            "survival forest on radiomics of given masks + labs": ForestOnFeatures(table, survival=True),
        }
        rows = [("n = 116", seed, len(cohort.y), name, *score(one, X, cohort.y, folds)) for name, one in models.items()]
        with atomic_write(target) as temporary:
            pd.DataFrame(rows, columns=COLUMNS).round(5).to_csv(temporary, index=False)
        scores = ", ".join(f"{row[4]:.3f}" for row in rows)
        print(f"{seed}: {scores}, {time.process_time() - begun:.0f} CPU seconds", flush=True)


if __name__ == "__main__":
    main()
