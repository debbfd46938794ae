"""Scores of accuracy that scikit-learn lacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from prrt_estimators.metrics._check import check_target_and_probability, check_weight, holds_both_classes


def scaled_brier_score(y_true: ArrayLike, p_long: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Brier score relative to predicting the prevalence for everybody.

    .. math:: 1 - \frac{\sum_i w_i (p_i - y_i)^2}{\sum_i w_i (\bar y - y_i)^2}

    1 is perfect, 0 is no better than the prevalence, negative values are worse.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    sample_weight : array-like of shape (n,), default=None
        Weight of each patient.

    Returns
    -------
    float
        At most 1; NaN with an ``UndefinedMetricWarning`` if there is one class only.

    Raises
    ------
    ValueError
        If labels are not 0/1, probabilities leave 0..1, or lengths differ.

    References
    ----------
    Steyerberg et al., "Assessing the performance of prediction models", Epidemiology 2010,
    doi:10.1097/EDE.0b013e3181c30fb2.

    Examples
    --------
    >>> scaled_brier_score([0, 0, 1, 1], [0.0, 0.5, 0.5, 1.0])
    0.5
    """
    y, p = check_target_and_probability(y_true, p_long)
    if not holds_both_classes(y, "The scaled Brier score"):
        return float("nan")
    weights = check_weight(sample_weight, y_true)
    prevalence = np.average(y.astype(np.float64), weights=weights)
    reference = np.average((y - prevalence) ** 2, weights=weights)
    return float(1 - np.average((y - p) ** 2, weights=weights) / reference)
