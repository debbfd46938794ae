"""Groups of predicted risk out of fold: cut points come from the other folds of the same repeat."""

from __future__ import annotations

import numpy as np
import pandas as pd


def risk_groups(predictions: pd.DataFrame, n_groups: int = 2) -> pd.DataFrame:
    """Divide patients into groups of predicted risk, cut at quantiles of the other folds of each repeat.

    Parameters
    ----------
    predictions : DataFrame
        Of one model: ``repeat``, ``fold``, ``patient_id``, ``y_score``.
    n_groups : int, default=2
        Groups of about equal size.

    Returns
    -------
    DataFrame
        ``patient_id`` and ``group``, 0 for the lowest probability of long PFS, the rounded mean over repeats.

    Raises
    ------
    ValueError
        If `n_groups` is below 2.

    Examples
    --------
    >>> found = pd.DataFrame({"repeat": 0, "fold": [0, 0, 1, 1], "patient_id": list("abcd"),
    ...                       "y_score": [0.2, 0.6, 0.3, 0.7]})
    >>> risk_groups(found)["group"].tolist()
    [0, 1, 0, 1]
    """
    if n_groups < 2:
        raise ValueError(f"`n_groups` must be at least 2; got {n_groups}.")
    shares = np.arange(1, n_groups) / n_groups
    parts = []
    for _, whole in predictions.groupby("repeat"):
        for fold, own in whole.groupby("fold"):
            others = whole.loc[whole["fold"] != fold, "y_score"]
            cuts = np.quantile(others if len(others) else own["y_score"], shares)
            group = np.searchsorted(cuts, own["y_score"].to_numpy(), side="right")
            parts.append(pd.DataFrame({"patient_id": own["patient_id"].to_numpy(), "group": group}))
    every = pd.concat(parts).groupby("patient_id", sort=False)["group"].mean()
    return (every + 1e-9).round().astype(int).reset_index()
