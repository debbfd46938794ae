"""Columns of a laboratory table that rise and fall together."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from prrt_estimators._values import parse_column
from prrt_estimators.inspection._explained_models import as_data, column_names, table_of
from prrt_estimators.preprocessing import LabPreprocessor


def correlated_groups(X: Any, *, threshold: float = 0.6) -> dict[str, list[str]]:
    """Return the columns of a laboratory table in groups that rise and fall together.

    Clusters by average linkage of ``1 - |rho|`` with Spearman's rho over the patients who have both values; a column
    of categories counts by its category that is most correlated. Columns of which one takes the place of another in
    a model share their importance, so it must be asked for together.

    Parameters
    ----------
    X : Cohort or mapping with ``"lab"``, DataFrame or array of shape (n, k)
    threshold : float, default=0.6
        Least mean absolute correlation between two clusters that are joined, from 0 to 1.

    Returns
    -------
    dict of str to list of str
        Columns by name of the group, in the order of the table; a column that goes with none is a group of its own.

    Raises
    ------
    ValueError
        If `threshold` is not between 0 and 1, or there is no laboratory table.

    Examples
    --------
    >>> table = pd.DataFrame({"ast": [10, 20, 30, 40], "age": [50, 90, 20, 60], "alt": [12, 19, 33, 41]})
    >>> correlated_groups(table)
    {'ast + alt': ['ast', 'alt'], 'age': ['age']}
    """
    if not isinstance(threshold, Real) or isinstance(threshold, bool):
        raise TypeError(f"`threshold` must be a number; got {type(threshold).__name__}. Pass e.g. 0.6.")
    if not 0 <= float(threshold) <= 1:
        raise ValueError(f"`threshold` must lie between 0 and 1; got {threshold}. Pass e.g. 0.6.")
    table = table_of(as_data(X))
    if table is None:
        raise ValueError("X has no 'lab', so there are no columns to group.")
    names = column_names(table)
    if len(names) == 1:
        return {names[0]: names}
    far = 1 - _association(table)
    clusters = fcluster(
        linkage(squareform(far, checks=False), "average"), 1 - float(threshold) + 1e-9, criterion="distance"
    )
    members = [[names[j] for j in np.flatnonzero(clusters == label)] for label in dict.fromkeys(clusters.tolist())]
    return {_group_name(columns): columns for columns in members}


def _association(table: Any) -> np.ndarray:
    """Return the absolute correlation of columns, shape (k, k); the greatest where one has categories."""
    frame = pd.DataFrame(table, copy=True)
    frame.columns = pd.Index([f"x{j}" for j in range(frame.shape[1])])
    kinds = LabPreprocessor(log=None).fit(frame)
    numbers: dict[str, Any] = {}
    for name in frame.columns:
        if name in kinds.numeric_:
            numbers[f"{name}:"] = parse_column(frame[name])[0]
            continue
        text = frame[name].astype("string").str.strip()
        for category in text.dropna().unique():
            numbers[f"{name}:{category}"] = np.where(text.isna(), np.nan, (text == category).astype(float))
    encoded = pd.DataFrame(numbers)
    rho = encoded.corr(method="spearman", min_periods=3).abs().fillna(0.0).to_numpy()
    owner = np.array([int(name.partition(":")[0][1:]) for name in encoded.columns])
    result = np.eye(frame.shape[1])
    for i in range(frame.shape[1]):
        for j in range(i):
            block = rho[np.ix_(owner == i, owner == j)]
            result[i, j] = result[j, i] = min(block.max(initial=0.0), 1.0)
    return result


def _group_name(columns: list[str]) -> str:
    return " + ".join(columns) if len(columns) <= 3 else f"{columns[0]} and {len(columns) - 1} correlated"
