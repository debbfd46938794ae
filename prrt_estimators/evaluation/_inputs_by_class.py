"""Missing values and characteristics of scans by class: what a model could learn in place of the patients."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from scipy import stats

from prrt_estimators._classes import as_target, check_same_order
from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators.cohort import Cohort

COLUMNS = ["input", "what", "short", "long", "p_value"]


def inputs_by_class(X: Any, y: Any) -> pd.DataFrame:
    """Compare missing inputs and the grids of scans between short and long PFS.

    A difference is a warning: a model may predict from who was measured, or from which scanner, and not from the disease.

    Parameters
    ----------
    X : Cohort or DataFrame
        Patients. Of files only the headers are read.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.

    Returns
    -------
    DataFrame
        ``input``, ``what`` ("missing", "slice thickness (mm)", "voxel width (mm)", "slices"), ``short`` and ``long`` as text, and
        ``p_value`` (Fisher's exact test, Mann-Whitney test), descriptive and not adjusted. Inputs that nobody lacks are
        left out.

    Examples
    --------
    >>> table = pd.DataFrame({"CgA": [90.0, None, 80.0, 70.0], "age": [60, 61, 62, 63]})
    >>> inputs_by_class(table, [0, 0, 1, 1])[["input", "short", "long"]].to_dict("records")
    [{'input': 'CgA', 'short': '1 of 2', 'long': '0 of 2'}]
    """
    check_same_order(X, y, ("X", "y"))
    long = as_target(y) == 1
    rows: list[tuple[Any, ...]] = []
    table = X["lab"] if isinstance(X, Cohort) and "lab" in X else X
    if isinstance(table, pd.DataFrame):
        for name in table.columns:
            rows += _missing(str(name), table[name].isna().to_numpy(), long)
    if isinstance(X, Cohort):
        for name in (one for one in X.modalities if one in IMAGING):
            title = MODALITIES[name].title
            rows += _missing(title, ~np.asarray(X[name].present), long)
            for what, values in _grids(X[name]).items():
                rows += _numbers(title, what, values, long)
    return pd.DataFrame(rows, columns=COLUMNS)


def _missing(name: str, missing: np.ndarray, long: np.ndarray) -> list[tuple[Any, ...]]:
    if not missing.any():
        return []
    counts = [[int((missing & side).sum()), int((~missing & side).sum())] for side in (~long, long)]
    short, of_long = (f"{one} of {one + rest}" for one, rest in counts)
    return [(name, "missing", short, of_long, float(stats.fisher_exact(counts).pvalue))]


def _numbers(name: str, what: str, values: np.ndarray, long: np.ndarray) -> list[tuple[Any, ...]]:
    sides = [values[np.isfinite(values) & side] for side in (~long, long)]
    if min(len(one) for one in sides) == 0:
        return []
    short, of_long = (_quartiles(one) for one in sides)
    alike = np.ptp(np.concatenate(sides)) == 0
    p = np.nan if alike else float(stats.mannwhitneyu(*sides).pvalue)
    return [(name, what, short, of_long, p)]


def _quartiles(values: np.ndarray) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def _grids(volumes: Any) -> dict[str, np.ndarray]:
    """Return slice thickness, voxel width and number of slices from the headers; {} for arrays."""
    if volumes.paths is None:
        return {}
    found = np.full((len(volumes.paths), 3), np.nan)
    for row, path in enumerate(volumes.paths):
        if path is None:
            continue
        try:
            header: Any = nib.load(path).header
            zooms, shape = header.get_zooms(), header.get_data_shape()
            found[row] = zooms[2], zooms[0], shape[2]
        except Exception:  # whatever is wrong with a file is reported where it is read
            continue
    return {"slice thickness (mm)": found[:, 0], "voxel width (mm)": found[:, 1], "slices": found[:, 2]}
