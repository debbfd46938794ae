"""What every score asks of its arguments."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._classes import check_same_order


def check_target_and_probability(
    y_true: ArrayLike, p_long: ArrayLike
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return `y_true` as 0/1 integers and `p_long` as floats within 0..1, both of shape (n,)."""
    check_same_order(y_true, p_long, ("y_true", "p_long"))
    y = np.asarray(y_true)
    p = np.asarray(p_long, dtype=np.float64)
    if y.ndim != 1 or p.ndim != 1 or len(y) != len(p):
        raise ValueError(
            f"`y_true` and `p_long` must have one value per patient, the same patients in both; got shapes "
            f"{y.shape} and {p.shape}. For the output of predict_proba pass its column [:, 1]."
        )
    if len(y) == 0:
        raise ValueError("`y_true` is empty; a score needs at least one patient. Check the selection of rows.")
    if not np.isin(y, (0, 1)).all():
        found = sorted({str(value) for value in y.tolist() if value not in (0, 1)})
        raise ValueError(
            f"`y_true` must hold 1 (long PFS) and 0 (short PFS) only; got also {', '.join(found[:5])}. "
            "Turn other labels into 0/1 first, e.g. y == 'long'."
        )
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        raise ValueError(
            f"`p_long` must be probabilities of long PFS between 0 and 1; {int(wrong.sum())} of {len(p)} values "
            f"are not, the first is {p[wrong][0]} at row {int(np.flatnonzero(wrong)[0])}. "
            "Pass predict_proba(X)[:, 1], not decision_function(X)."
        )
    return y.astype(np.int64), p


def holds_both_classes(y_true: np.ndarray, name: str, stacklevel: int = 3) -> bool:
    """Tell whether `y_true` holds both classes; warn that score `name` is undefined if it does not."""
    labels = np.unique(y_true)
    if len(labels) > 1:
        return True
    warnings.warn(
        f"{name} is undefined: all {len(y_true)} patients are of class {labels[0]}. The score is NaN. "
        "Use a stratified splitter, or fewer folds.",
        UndefinedMetricWarning,
        stacklevel=stacklevel,
    )
    return False


def check_weight(sample_weight: ArrayLike | None, y_true: ArrayLike) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return weights of the patients of `y_true` that sum to 1, alike if none are given."""
    n = len(np.asarray(y_true))
    if sample_weight is None:
        return np.full(n, 1 / n)
    check_same_order(y_true, sample_weight, ("y_true", "sample_weight"))
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError(
            f"`sample_weight` must hold one weight of at least 0 for each of {n} patients, not all 0; got shape {weight.shape}."
        )
    return weight / weight.sum()
