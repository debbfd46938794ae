"""What a threshold makes of probabilities: sensitivity, specificity and predictive values."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from prrt_estimators.metrics._check import check_target_and_probability

#: Scores of a decision, in the order of tables.
DECISION_SCORES = ("sensitivity", "specificity", "ppv", "npv")

RULES = ("youden", "prevalence", "sensitivity", "specificity")


def decision_scores(
    y_true: ArrayLike, p_long: ArrayLike, threshold: float, *, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Sensitivity, specificity and predictive values of calling a patient long from a threshold on.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    threshold : float
        A patient with ``p_long >= threshold`` is called long.
    confidence_level : float, default=0.95
        Of Wilson's intervals, which are those of independent patients and one model.

    Returns
    -------
    DataFrame indexed by score
        ``sensitivity`` (share of long PFS called long), ``specificity`` (share of short PFS called short), ``ppv`` and
        ``npv`` (share of those called long, or short, who are): ``value``, ``low``, ``high``, ``hits``, ``n``. NaN
        where nobody counts.

    Raises
    ------
    ValueError
        If labels are not 0/1, probabilities leave 0..1, or lengths differ.

    Examples
    --------
    >>> decision_scores([0, 0, 1, 1, 1], [0.2, 0.7, 0.4, 0.8, 0.9], 0.5)["value"].round(2).to_dict()
    {'sensitivity': 0.67, 'specificity': 0.5, 'ppv': 0.67, 'npv': 0.5}
    """
    y, p = check_target_and_probability(y_true, p_long)
    called = p >= threshold
    counts = {
        "sensitivity": (called & (y == 1), y == 1),
        "specificity": (~called & (y == 0), y == 0),
        "ppv": (called & (y == 1), called),
        "npv": (~called & (y == 0), ~called),
    }
    rows = []
    for name, (hit, among) in counts.items():
        hits, n = int(hit.sum()), int(among.sum())
        if n == 0:
            rows.append((name, np.nan, np.nan, np.nan, hits, n))
            continue
        low, high = binomtest(hits, n).proportion_ci(confidence_level, method="wilson")
        rows.append((name, hits / n, low, high, hits, n))
    return pd.DataFrame(rows, columns=["score", "value", "low", "high", "hits", "n"]).set_index("score")


def choose_threshold(y_true: ArrayLike, p_long: ArrayLike, rule: str = "youden", *, at_least: float = 0.9) -> float:
    """Choose a threshold of the probability of long PFS, on patients who are not those it is tested on.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    p_long : array-like of shape (n,)
        Predicted probability of long PFS.
    rule : {"youden", "prevalence", "sensitivity", "specificity"}, default="youden"
        "youden" makes sensitivity + specificity greatest, "prevalence" is the share of long PFS, "sensitivity" and
        "specificity" take the threshold that reaches `at_least` and has most of the other.
    at_least : float, default=0.9
        For the last two.

    Returns
    -------
    float
        Midway between two probabilities that occur.

    Raises
    ------
    ValueError
        If the rule is unknown, labels are not 0/1, or one class is absent.

    Examples
    --------
    >>> choose_threshold([0, 0, 1, 1], [0.1, 0.3, 0.5, 0.9])
    0.4
    """
    y, p = check_target_and_probability(y_true, p_long)
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {', '.join(RULES)}; got {rule!r}.")
    if len(np.unique(y)) < 2:
        raise ValueError("a threshold is chosen on patients of both classes; got one class. Use more patients.")
    if rule == "prevalence":
        return float(y.mean())
    values = np.unique(p)
    cuts = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0]]) if len(values) > 1 else np.array([0.0, 1.0])
    called = p[np.newaxis, :] >= cuts[:, np.newaxis]
    sensitivity, specificity = called[:, y == 1].mean(axis=1), (~called)[:, y == 0].mean(axis=1)
    if rule == "youden":
        return float(cuts[np.argmax(sensitivity + specificity)])
    wanted, other = (sensitivity, specificity) if rule == "sensitivity" else (specificity, sensitivity)
    reached = np.flatnonzero(wanted >= at_least - 1e-12)
    if not len(reached):
        return float(cuts[np.argmax(wanted)])
    return float(cuts[reached[np.argmax(other[reached])]])
