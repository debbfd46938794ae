"""Statistics of a comparison: what differs by more than the variation due to splits and sample."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.metrics._predictions import with_score_column


class CorrectedTTest(NamedTuple):
    """Answer of :func:`corrected_t_test`."""

    mean: float
    standard_error: float
    statistic: float
    df: int
    pvalue: float
    low: float
    high: float


def corrected_t_test(
    differences: ArrayLike,
    *,
    n_train: float,
    n_test: float,
    confidence_level: float = 0.95,
    correction: float = 1.0,
) -> CorrectedTTest:
    r"""Nadeau and Bengio's corrected resampled t test of paired per-split score differences.

    Training sets of repeated K-fold cross-validation overlap, so split scores are not independent and the ordinary
    t test finds differences where there are none. The correction enlarges the variance of the mean:

    .. math:: SE^2 = \left(\frac{1}{J} + c \frac{n_{test}}{n_{train}}\right) s^2, \qquad t = \bar d / SE, \quad J - 1
              \text{ degrees of freedom}

    Parameters
    ----------
    differences : array-like of shape (J,)
        Score of one model minus score of the other on the same split, over all repeats and folds. Splits without a
        score (NaN) are left out with a `ResultsWarning`.
    n_train, n_test : float
        Patients in a training and in a test set (the mean over splits, where they differ).
    confidence_level : float, default=0.95
        Level of the interval of the mean difference.
    correction : float, default=1.0
        c: 1 is Nadeau and Bengio's; :func:`score_interval` takes more, because their test finds too much here.

    Returns
    -------
    CorrectedTTest
        ``mean``, ``standard_error``, ``statistic``, ``df``, two-sided ``pvalue``, ``low`` and ``high``.

    Raises
    ------
    ValueError
        If fewer than two splits have a score, or sizes or level are out of range.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 2003,
    doi:10.1023/A:1024068626366.

    Examples
    --------
    >>> test = corrected_t_test([0.1, 0.0, 0.2, 0.1], n_train=60, n_test=30)
    >>> round(test.mean, 3), test.df, round(test.pvalue, 3)
    (0.1, 3, 0.252)
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1:
        raise ValueError(f"`differences` must have one value per split; got shape {d.shape}. Pass a flat array.")
    if not (n_train > 0 and n_test > 0):
        raise ValueError(f"`n_train` and `n_test` must be positive numbers of patients; got {n_train} and {n_test}.")
    check_level(confidence_level)
    scored = d[~np.isnan(d)]
    if len(scored) < len(d):
        warnings.warn(
            f"{len(d) - len(scored)} of {len(d)} splits have no score and are left out of the test. "
            "Use a stratified splitter, or fewer folds.",
            ResultsWarning,
            stacklevel=2,
        )
    if len(scored) < 2:
        raise ValueError(
            f"a corrected t test needs at least two splits with a score; got {len(scored)}. Add folds or repeats."
        )
    j = len(scored)
    mean = float(scored.mean())
    error = math.sqrt((1 / j + correction * n_test / n_train) * float(scored.var(ddof=1)))
    # Without spread, models that differ by the same amount on every split: no evidence, or certainty.
    without_spread = 0.0 if mean == 0 else math.copysign(math.inf, mean)
    statistic = mean / error if error > 0 else without_spread
    margin = error * float(stats.t.ppf((1 + confidence_level) / 2, j - 1))
    return CorrectedTTest(
        mean=mean,
        standard_error=error,
        statistic=statistic,
        df=j - 1,
        pvalue=float(2 * stats.t.sf(abs(statistic), j - 1)),
        low=mean - margin,
        high=mean + margin,
    )


def holm(pvalues: ArrayLike) -> np.ndarray:
    """Adjust p values for several comparisons by Holm's step-down method.

    Parameters
    ----------
    pvalues : array-like of shape (m,)
        Unadjusted p values; NaN (a comparison that was not made) stays NaN and does not count.

    Returns
    -------
    ndarray of shape (m,)
        Adjusted p values in the same order; those below the level are significant at that family-wise error rate.

    Raises
    ------
    ValueError
        If a value is not between 0 and 1.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979,
    https://www.jstor.org/stable/4615733.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(pvalues, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p))
    if p.ndim != 1 or ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError(f"`pvalues` must be a flat array of values between 0 and 1; got {p}.")
    adjusted = np.full(p.shape, np.nan)
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def pool_repeats(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average the out-of-fold probabilities of each patient over repeats.

    Each patient is held out once a repeat, by a model that never saw the patient. The mean over repeats gives one
    probability per patient, the unit that a patient-level bootstrap or a Kaplan-Meier curve by predicted class
    needs. Models of different folds are not on exactly one scale, so the AUROC of pooled probabilities can differ
    from the mean of per-fold AUROCs: report both.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``model``, ``repeat``, ``fold``, ``patient_id``, ``y_true``, ``y_score`` and its ``kind`` (or
        ``p_long`` in their place): one row per model, repeat and patient, as in ``predictions.csv``. (Where a splitter holds a patient out several times in what it
        counts as one repeat, all of those predictions are averaged.)

    Returns
    -------
    DataFrame
        One row per model and patient: ``model``, ``patient_id``, ``y_true``, ``y_score`` (mean), ``kind``,
        ``n_predictions``.
        Models and patients stand in the order of their first appearance.

    Raises
    ------
    ValueError
        If a column is missing, a patient appears twice in one fold, or has two classes.

    Examples
    --------
    >>> predictions = pd.DataFrame({"model": "lab", "repeat": [0, 0, 1, 1], "fold": [0, 1, 0, 1],
    ...     "patient_id": ["a", "b", "b", "a"], "y_true": [1, 0, 0, 1], "p_long": [0.5, 0.25, 0.75, 1.0]})
    >>> pool_repeats(predictions)
      model patient_id  y_true  y_score    kind  n_predictions
    0   lab          a       1     0.75  p_long              2
    1   lab          b       0     0.50  p_long              2
    """
    predictions = with_score_column(predictions)
    needed = ["model", "repeat", "fold", "patient_id", "y_true", "y_score"]
    missing = [name for name in needed if name not in predictions.columns]
    if missing:
        raise ValueError(
            f"`predictions` lacks the column(s) {', '.join(missing)}; it needs {', '.join(needed)}. "
            "Pass the table of a comparison as it is in predictions.csv."
        )
    twice = predictions.duplicated(["model", "repeat", "fold", "patient_id"])
    if twice.any():
        row = predictions[twice].iloc[0]
        raise ValueError(
            f"patient {row['patient_id']}: two predictions by model {row['model']} in repeat {row['repeat']}, "
            f"fold {row['fold']}. Give patients unique ids, and do not join the predictions of two runs."
        )
    classes = predictions.groupby("patient_id", sort=False)["y_true"].nunique()
    if (classes > 1).any():
        raise ValueError(
            f"patient {classes.index[classes > 1][0]}: `y_true` holds both classes. Predictions of two cohorts or "
            "horizons seem to be mixed; keep them apart."
        )
    groups = predictions.groupby(["model", "patient_id"], sort=False, as_index=False)
    kind = {"kind": ("kind", "first")} if "kind" in predictions.columns else {}
    return groups.agg(
        y_true=("y_true", "first"), y_score=("y_score", "mean"), **kind, n_predictions=("y_score", "size")
    )


def check_level(confidence_level: float) -> None:
    """Refuse a confidence level outside 0..1."""
    if not 0 < confidence_level < 1:
        raise ValueError(f"`confidence_level` must lie between 0 and 1; got {confidence_level}. Pass e.g. 0.95.")
