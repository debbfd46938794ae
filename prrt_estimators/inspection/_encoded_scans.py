"""One patient's scans, encoded once, while laboratory values change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from prrt_estimators._modalities import IMAGING
from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators._deep import DeepPFSEstimator
from prrt_estimators.inspection._explained_output import ExplainedOutput


class _Known(nn.Module):
    """Stands where an encoder would, and gives the features of the one patient who is looked at."""

    def __init__(self, features: torch.Tensor):
        super().__init__()
        self.features, self.out_features, self.normalises_batch = features, features.shape[1], False

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        return self.features.expand(len(volumes), -1)


def with_scans_held(estimator: Any, one: Any, output: ExplainedOutput) -> Callable[[Any], np.ndarray] | None:
    """Return a function from tables to what is explained, for the scans of one patient.

    Scans pass their encoders once instead of with every row of a table: only what follows them is computed again.

    Parameters
    ----------
    estimator : fitted estimator
    one : Cohort
        A single patient.
    output : ExplainedOutput

    Returns
    -------
    callable or None
        None where the estimator does not look at scans and a table with a network of this library.
    """
    if not isinstance(estimator, DeepPFSEstimator) or not isinstance(one, Cohort) or "lab" not in estimator.modalities_:
        return None
    scans = [name for name in estimator.modalities_ if name in IMAGING]
    if not scans:
        return None
    dataset = estimator._dataset(one, estimator.preprocessor_.transform(estimator._table(one, one)))
    inputs, _ = dataset.__getitems__([0])
    module: Any = copy.deepcopy(estimator.net_.module_).cpu().eval()
    with torch.inference_mode():
        for name in scans:
            volume = module._windowed(name, inputs[name]) if name in module.volumes else inputs[name]
            module.encoders[name] = _Known(module.encoders[name](volume))
    module.volumes = ()
    lab = list(estimator.modalities_).index("lab")

    def predict(table: Any) -> np.ndarray:
        rows = Cohort({"lab": table})
        values = estimator.preprocessor_.transform(estimator._table(rows, rows))
        present = inputs["present"].expand(len(rows), -1).clone()
        present[:, lab] = torch.from_numpy(~rows["lab"].isna().all(axis=1).to_numpy())
        dummies = {name: torch.zeros(len(rows), 1) for name in scans}
        with torch.inference_mode():
            logits = module(present=present, lab=torch.from_numpy(np.asarray(values, dtype=np.float32)), **dummies)
            return output.of_logits(estimator, logits)

    return predict
