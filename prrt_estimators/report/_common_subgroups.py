"""Subgroups that every cohort can be divided into: sex, age, centre, completeness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators._sex import says_sex
from prrt_estimators._values import parse_column

_AGE = ("age", "alter")


def common_subgroups(data: Any) -> dict[str, np.ndarray]:
    """Return labels by variable, as far as the cohort has them.

    Parameters
    ----------
    data : Bunch
        From `load_cohort`: ``X`` and ``centre``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from prrt_estimators import Cohort
    >>> table = pd.DataFrame({"sex": ["f", "m", "f"], "age": [50, 60, 70], "CgA": [1.0, None, 3.0]})
    >>> found = common_subgroups(SimpleNamespace(X=Cohort({"lab": table}), centre=None))
    >>> {name: labels.tolist() for name, labels in found.items()}
    {'sex': ['f', 'm', 'f'], 'age': ['below 60', '60 and above', '60 and above'], 'values': ['complete', 'some missing', 'complete']}
    """
    found: dict[str, np.ndarray] = {}
    X = data.X
    if "lab" in X:
        table = X["lab"]
        for name in table.columns:
            word = str(name).lower().split("[")[0].split("(")[0].strip().split("_")[0].split(" ")[0]
            if says_sex(name) and "sex" not in found and table[name].nunique() < 5:
                found["sex"] = table[name].astype(object).to_numpy()
            elif word in _AGE and "age" not in found:
                numbers, text = parse_column(table[name])
                known = numbers[np.isfinite(numbers)]
                if len(known) and not text.any():
                    middle = float(np.median(known))
                    labels = np.where(numbers < middle, f"below {middle:g}", f"{middle:g} and above").astype(object)
                    labels[~np.isfinite(numbers)] = "unknown"
                    found["age"] = labels
    if data.centre is not None:
        found["centre"] = np.asarray(data.centre)
    if "lab" in X and X["lab"].isna().any(axis=None):
        found["values"] = np.where(X["lab"].isna().any(axis=1), "some missing", "complete")
    scans = [name for name in X.modalities if name in IMAGING and not np.all(X[name].present)]
    for name in scans:
        found[MODALITIES[name].title] = np.where(X[name].present, "there", "missing")
    return {name: labels for name, labels in found.items() if len(pd.unique(labels)) > 1}
