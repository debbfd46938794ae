"""How much larger the variance of a mean of folds is than that of independent folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

#: Factor of n_test / n_train where every training set matters: with three folds, and with more (benchmarks/coverage.py).
CEILINGS = (1.75, 2.25)
#: Nadeau and Bengio's factor, enough where training sets hardly matter, and what is added per unit of `instability`.
_FLOOR, _SLOPE = 1.0, 0.6
#: Fewer repeats say too little about how their means vary.
_MIN_REPEATS = 5


def correction_for(n_train: float, n_test: float) -> float:
    """Return the largest factor of ``n_test / n_train`` in the variance of a mean of folds, by the number of folds.

    Examples
    --------
    >>> correction_for(80, 40), correction_for(96, 24)
    (1.75, 2.25)
    """
    few, more = CEILINGS
    return more if n_train >= 2.5 * n_test else few


def instability(scores: ArrayLike, repeat: ArrayLike) -> float:
    r"""Return how much the mean of a repeat depends on the division of the patients into folds.

    .. math:: T = K^2 \, \frac{\mathrm{Var}(\text{means of repeats})}{\text{mean variance of folds within repeats}}

    A model that is the same whatever it is trained on ranks the same patients in every repeat: T is near 0. A model that
    learns nothing but noise has T of about 3 with 3, 5 and 10 folds.

    Parameters
    ----------
    scores : array-like of shape (J,)
        Scores of folds; NaN is left out.
    repeat : array-like of shape (J,)
        Repeat of each.

    Returns
    -------
    float
        NaN where fewer than five repeats have at least two folds, or folds do not vary.

    Examples
    --------
    >>> instability([0.6, 0.8] * 5, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    0.0
    >>> instability([0.6, 0.8], [0, 0])
    nan
    """
    values = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(values)
    values, own = values[known], np.unique(np.asarray(repeat)[known], return_inverse=True)[1]
    size = np.bincount(own)
    mean = np.bincount(own, values) / size
    several = size > 1
    if several.sum() < _MIN_REPEATS:
        return float("nan")
    within = np.bincount(own, (values - mean[own]) ** 2)[several] / (size[several] - 1)
    if not within.mean() > 0:
        return float("nan")
    return float(size[several].mean() ** 2 * mean[several].var(ddof=1) / within.mean())


def correction_of(scores: ArrayLike, repeat: ArrayLike | None, n_train: float, n_test: float) -> float:
    """Return the factor of ``n_test / n_train`` for these folds.

    The test sets of a cohort cost every model the same; what training sets add differs, and shows in how the means of
    repeats vary. Without repeats, or with few, the largest factor is taken.

    Examples
    --------
    >>> steady = [0.6, 0.8, 0.7] * 5
    >>> correction_of(steady, [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3, 80, 40), correction_of(steady, None, 80, 40)
    (1.0, 1.75)
    """
    ceiling = correction_for(n_train, n_test)
    if repeat is None:
        return ceiling
    found = instability(scores, repeat)
    return ceiling if np.isnan(found) else min(ceiling, _FLOOR + _SLOPE * found)
