"""Decision curves: is acting on the model better than treating all or none?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from prrt_estimators.metrics._check import check_target_and_probability, check_weight


def net_benefit(
    y_true: ArrayLike, p_long: ArrayLike, thresholds: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> pd.DataFrame:
    r"""Net benefit of treating the patients whose probability of long PFS reaches a threshold.

    .. math:: \mathrm{NB}(t) = \frac{TP(t)}{n} - \frac{FP(t)}{n} \cdot \frac{t}{1 - t}

    A patient is treated if ``p_long >= t``; true positives are treated patients with long PFS. The threshold
    stands for how many treatments without long benefit one accepts for one with it.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    thresholds : array-like of shape (m,) or float
        Probabilities from 0 (included) to 1 (excluded).
    sample_weight : array-like of shape (n,), default=None
        Weight of each patient.

    Returns
    -------
    DataFrame
        One row a threshold, in the order given: ``threshold``, ``model``, ``treat_all``, ``treat_none`` (always
        0).

    Raises
    ------
    ValueError
        If labels are not 0/1, probabilities leave 0..1, lengths differ, or a threshold is out of range.

    References
    ----------
    Vickers and Elkin, "Decision curve analysis", Medical Decision Making 2006, doi:10.1177/0272989X06295361.

    Examples
    --------
    >>> net_benefit([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], [0.5])
       threshold  model  treat_all  treat_none
    0        0.5    0.0        0.0         0.0
    """
    y, p = check_target_and_probability(y_true, p_long)
    t = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if t.ndim != 1 or not ((t >= 0) & (t < 1)).all():
        raise ValueError(
            "`thresholds` must be one-dimensional, each at least 0 and below 1 (at 1 the odds are infinite); "
            f"got {np.array2string(t, threshold=5)}. Pass e.g. numpy.linspace(0.05, 0.95, 19)."
        )
    treated = p[np.newaxis, :] >= t[:, np.newaxis]
    odds = t / (1 - t)
    weight = check_weight(sample_weight, y_true)
    true_positive = (treated & (y == 1)) @ weight
    false_positive = (treated & (y == 0)) @ weight
    share = float(weight @ y)
    return pd.DataFrame(
        {
            "threshold": t,
            "model": true_positive - false_positive * odds,
            "treat_all": share - (1 - share) * odds,
            "treat_none": np.zeros_like(t),
        }
    )
