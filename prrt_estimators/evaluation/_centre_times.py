"""Survival models in centres that they had not seen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._survival import as_survival, censoring_curve, kaplan_meier
from prrt_estimators.metrics import SCORES

#: Progressions in a centre below which no concordance is shown.
MIN_EVENTS = 5

COLUMNS = ["model", "centre", "n", "n_events", "uno_c", "low", "high", "observed", "predicted"]


def centre_times(
    comparison: Any, labels: np.ndarray, *, n_boot: int, confidence_level: float, random_state: int
) -> pd.DataFrame:
    """Return concordance and mean probability beyond the horizon, by model and centre; see `centre_table`."""
    patients = comparison.survival
    ids, survival = patients["patient_id"].astype(str), as_survival(patients[["event", "time"]])
    horizon, tail, rows = comparison.kind.described()["horizon"], (1 - confidence_level) / 2, []
    for model, own in comparison.predictions.groupby("model", sort=False):
        own = own.set_index(own["patient_id"].astype(str)).reindex(ids)
        risk, beyond = own["y_score"].to_numpy(dtype=float), own["p_beyond"].to_numpy(dtype=float)
        for name in np.unique(labels):
            inside = np.flatnonzero((labels == name) & np.isfinite(risk))
            found = (float("nan"),) * 3
            if survival["event"][inside].sum() >= MIN_EVENTS:
                curve = censoring_curve(survival[labels != name])  # of those whom the model was trained on
                rng = np.random.default_rng(random_state)
                drawn = [inside, *rng.choice(inside, (n_boot, len(inside)))]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UndefinedMetricWarning)
                    values = np.array([SCORES["uno_c"].function(survival[k], risk[k], train=curve) for k in drawn])
                low, high = np.nanquantile(values[1:], [tail, 1 - tail])
                found = (float(values[0]), float(low), float(high))
            observed = float(kaplan_meier(survival[inside]).at(horizon)) if len(inside) else float("nan")
            predicted = float(beyond[inside].mean()) if len(inside) else float("nan")
            n, n_events = int((labels == name).sum()), int(survival["event"][labels == name].sum())
            rows.append((model, str(name), n, n_events, *found, observed, predicted))
    return pd.DataFrame(rows, columns=COLUMNS)
