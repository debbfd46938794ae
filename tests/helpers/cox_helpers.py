"""Patients whose first column shortens PFS, for the tests of the Cox classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prrt_estimators.estimators import CoxPFSClassifier

HORIZON = 12.0


def patients(n=90, p=4, *, censored=0.0, seed=0):
    """Return table, months, events and class of patients whose first column shortens PFS."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"c{k}" for k in range(p)])
    months = 16 * (rng.exponential(size=n) * np.exp(-0.8 * X["c0"].to_numpy())) ** 0.8
    leave = np.where(rng.random(n) < censored, rng.uniform(HORIZON, 40, n), np.inf)
    event = months <= leave
    months = np.minimum(months, leave)
    return X, months, event, (months > HORIZON).astype(int)


def fitted(X, months, event, y, **options):
    return CoxPFSClassifier(**options).fit(X, y, time=months, event=event)
