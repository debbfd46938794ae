"""Made-up inputs whose predictions lie in the file, so that loading can see that a model still says the same.

Other versions of scikit-learn, torch or MONAI may read a file without complaint and compute something else. No patient
enters the inputs: they are multiples of the medians that the model holds anyway, and waves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import Pipeline

from prrt_estimators import _batches, _net
from prrt_estimators._classes import probability_of_long
from prrt_estimators.estimators import (
    BlockFusionPFSClassifier,
    BlockFusionPFSSurvival,
    LateFusionPFSSurvival,
)
from prrt_estimators.estimators._deep import DeepPFSEstimator
from prrt_estimators.persistence._sklearn_parts import text_levels

#: Raised whenever the inputs change, so that stored predictions of others are not compared.
RECIPE = 1

#: Probabilities that differ by more are another model's; processors differ by a ten-thousandth of it.
TOLERANCE = 1e-4

_ROWS = 4
_FACTORS = (1.0, 0.5, 3.0, math.nan, 1.5, 0.1)
#: Larger networks and volumes would make saving and loading wait.
_MAX_VOXELS, _MAX_WEIGHTS = 96**3, 5_000_000


def predict_probe(estimator: Any) -> dict[str, Any] | None:
    """Return the probabilities of long PFS for the made-up patients, of survival models what rises and falls with them; None
    where that would take long.

    Parameters
    ----------
    estimator : fitted estimator

    Returns
    -------
    dict or None
        ``recipe`` and ``p_long``.
    """
    if isinstance(estimator, LateFusionPFSSurvival):
        inside = [predict_probe(model) for model in estimator.models_.values()]
        known = [one for one in inside if one is not None]
        if len(known) < len(inside):
            return None
        return {"recipe": RECIPE, "p_long": [p for one in known for p in one["p_long"]]}
    if isinstance(estimator, DeepPFSEstimator):
        logits = _network(estimator)
        if logits is None:
            return None
        p_long = 1 / (1 + np.exp(-logits.ravel()))
    elif isinstance(estimator, BlockFusionPFSSurvival):
        risk = estimator._score(
            {
                name: pd.DataFrame(_around(model.scaler_.median_), columns=estimator.columns_[name])
                for name, model in estimator.own_.items()
            }
        )
        p_long = 1 / (1 + np.exp(risk))
    elif hasattr(estimator, "preprocessor_"):
        table = _table(estimator.preprocessor_)
        if hasattr(estimator, "_prepared_risk"):
            p_long = 1 / (1 + np.exp(estimator._prepared_risk(estimator.preprocessor_.transform(table))))
        elif hasattr(estimator, "model_"):
            p_long = estimator.model_.predict_proba(estimator.preprocessor_.transform(table))[:, 1]
        elif hasattr(estimator, "predict_proba"):
            p_long = probability_of_long(estimator, table)
        else:
            p_long = 1 / (1 + np.exp(estimator.predict(table)))
    elif isinstance(estimator, BlockFusionPFSClassifier):
        p_long = estimator._long(
            {
                name: pd.DataFrame(_around(model.scaler_.median_), columns=estimator.columns_[name])
                for name, model in estimator.own_.items()
            }
        )
    elif isinstance(getattr(estimator, "model_", None), Pipeline):
        imputer = estimator.model_[0]
        columns = _around(np.asarray(imputer.statistics_, dtype=float))
        names = getattr(estimator.model_, "feature_names_in_", None)
        p_long = estimator.model_.predict_proba(columns if names is None else pd.DataFrame(columns, columns=names))[
            :, 1
        ]
    else:
        return None
    return {"recipe": RECIPE, "p_long": [float(p) for p in p_long]}


def probe_difference(estimator: Any, stored: Mapping[str, Any] | None) -> float | None:
    """Return the greatest difference from stored predictions; None if there is nothing to compare.

    Raises
    ------
    Exception
        Whatever it is that keeps the estimator from predicting with the versions here.
    """
    found = None if stored is None else predict_probe(estimator)
    if stored is None or found is None or stored.get("recipe") != RECIPE:
        return None
    if len(found["p_long"]) != len(stored["p_long"]):
        return None
    difference = np.abs(np.subtract(found["p_long"], stored["p_long"])).max()
    return float("inf") if np.isnan(difference) else float(difference)


def _around(medians: np.ndarray) -> np.ndarray:
    """Return rows of multiples of medians, each column at another multiple, some missing."""
    place = np.add.outer(np.arange(_ROWS), np.arange(len(medians))) % len(_FACTORS)
    return np.array(_FACTORS)[place] * np.where(np.isfinite(medians), medians, 1.0)


def _table(preprocessor: Any) -> Any:
    """Return a table as the preprocessor takes it."""
    numeric, logged = list(preprocessor.numeric_), list(preprocessor.logged_)
    steps = preprocessor.transformer_.named_transformers_
    medians: dict[Any, float] = {}
    if logged:
        medians |= dict(zip(logged, np.exp(steps["log"]["impute"].statistics_), strict=True))
    plain = [name for name in numeric if name not in logged]
    if plain:
        medians |= dict(zip(plain, steps["plain"]["impute"].statistics_, strict=True))
    values = _around(np.array([medians[name] for name in numeric], dtype=float))
    columns: dict[Any, Any] = {name: values[:, k] for k, name in enumerate(numeric)}
    for k, (name, levels) in enumerate(text_levels(preprocessor).items()):
        columns[name] = np.array([levels[(row + k) % len(levels)] for row in range(_ROWS)], dtype=object)
    if not hasattr(preprocessor, "feature_names_in_"):
        order = [f"x{k}" for k in range(preprocessor.n_features_in_)]
        return pd.DataFrame(columns)[order].to_numpy()
    return pd.DataFrame(columns)[list(preprocessor.feature_names_in_)]


@dataclass(frozen=True)
class _Waves:
    """Scans of made-up patients: a wave over the window, of another length for each of them."""

    shape: tuple[int, ...]
    window: tuple[float, float]

    def load(self, row: int) -> np.ndarray:
        low, high = self.window
        phase = 0.37 * np.arange(math.prod(self.shape)) * (row + 1)
        return (low + (high - low) * (0.5 + 0.5 * np.sin(phase))).reshape(self.shape).astype(np.float32)


def _network(estimator: DeepPFSEstimator) -> np.ndarray | None:
    """Return logits; the network takes what its branches would have computed."""
    module = estimator.net_.module_
    shapes: Mapping[str, tuple[int, ...]] = estimator.shapes_
    voxels = sum(math.prod(shape) for shape in shapes.values())
    if voxels > _MAX_VOXELS or sum(p.numel() for p in module.parameters()) > _MAX_WEIGHTS:
        return None
    names = estimator.modalities_
    present = np.ones((_ROWS, len(names)), dtype=bool)
    if len(names) > 1:
        # Each modality is missing once, as far as the rows go; the first patient is complete.
        for row in range(1, _ROWS):
            present[row, (row - 1) % len(names)] = False
    table = None
    if "lab" in names:
        table = estimator.preprocessor_.transform(_table(estimator.preprocessor_))

    volumes = {name: _Waves(shape, module.windows.get(name) or (-1.0, 1.0)) for name, shape in shapes.items()}
    dataset = _batches.PatientDataset(volumes, table, present, names, shapes)
    return _net.infer(estimator.net_, dataset, "forward", batch_size=_ROWS, device=torch.device("cpu"), autocast=False)
