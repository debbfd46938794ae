"""Cross-validated scores: one estimand, one interval, one test.

The estimand is the expected score of a model trained on the training share of such a cohort. Its estimate is the mean of
the folds of all repeats. Training sets overlap and every repeat tests the same patients, so the variance of that mean is
not that of independent folds; the corrected interval enlarges it, by a factor that a simulation found to suffice
(``benchmarks/coverage.py``) and that is smaller where repeats agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from prrt_estimators._classes import check_all_in_order
from prrt_estimators.metrics import find_score
from prrt_estimators.metrics._score import chance_by_score, factor
from prrt_estimators.model_selection._fold_correction import correction_of
from prrt_estimators.model_selection._statistics import check_level, corrected_t_test, holm


class ScoreInterval(NamedTuple):
    """Answer of :func:`score_interval` and :func:`interval_of_predictions`."""

    mean: float
    low: float
    high: float
    standard_error: float
    df: int
    pvalue: float
    null: float


class PrimaryTest(NamedTuple):
    """The one comparison that was named before the run."""

    model: str
    reference: str
    score: str
    difference: float
    low: float
    high: float
    pvalue: float
    power: float


def score_interval(
    scores: ArrayLike,
    *,
    n_train: float,
    n_test: float,
    null: float = 0.0,
    repeat: ArrayLike | None = None,
    correction: float | None = None,
    confidence_level: float = 0.95,
    limits: tuple[float, float] | None = None,
) -> ScoreInterval:
    r"""Interval of the expected score, or score difference, from the folds of a repeated cross-validation.

    .. math:: \bar s \pm t_{J-1} \sqrt{\left(\frac{1}{J} + c \frac{n_{test}}{n_{train}}\right) S^2}

    with the mean and variance :math:`S^2` of the :math:`J` fold scores. With c = 1 this is Nadeau and Bengio's interval,
    which covers too rarely for the small test sets of a cohort like this one.

    Parameters
    ----------
    scores : array-like of shape (J,)
        Scores of one model, or differences of two on the same folds, over all repeats and folds. Folds without a score
        (NaN) are left out with a `ResultsWarning`.
    n_train, n_test : float
        Patients in a training and in a test set (the mean over folds, where they differ); persons, where one person has
        several rows.
    null : float, default=0.0
        Value that `pvalue` tests against: the score of chance, or 0 for a difference.
    repeat : array-like of shape (J,), default=None
        Repeat of each score. With five repeats or more, c follows from how their means vary.
    correction : float, default=None
        c. If None, at most 1.75 for three folds and 2.25 for more, and less where `repeat` shows that scores depend
        little on who is trained on: ``1 + 0.6 T`` with T the variance of the means of repeats over that of the folds
        within them, times the squared number of folds.
    confidence_level : float, default=0.95
        Of the interval.
    limits : pair of floats, default=None
        Values that the score cannot leave; the interval is cut there.

    Returns
    -------
    ScoreInterval
        ``mean``, ``low``, ``high``, ``standard_error``, ``df``, two-sided ``pvalue``, ``null``.

    Raises
    ------
    ValueError
        If fewer than two folds have a score, or sizes or level are out of range.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 2003, doi:10.1023/A:1024068626366.
    The factors are from the simulation on the page on validation.

    Examples
    --------
    >>> interval = score_interval([0.7, 0.6, 0.65, 0.75, 0.6, 0.7], n_train=80, n_test=40, null=0.5)
    >>> round(interval.mean, 3), round(interval.low, 3), round(interval.high, 3), round(interval.pvalue, 3)
    (0.667, 0.508, 0.826, 0.043)
    """
    c = correction_of(scores, repeat, n_train, n_test) if correction is None else correction
    values = np.asarray(scores, dtype=np.float64) - null
    test = corrected_t_test(values, n_train=n_train, n_test=n_test, confidence_level=confidence_level, correction=c)
    low, high = test.low + null, test.high + null
    if limits is not None:
        low, high = max(low, limits[0]), min(high, limits[1])
    return ScoreInterval(test.mean + null, low, high, test.standard_error, test.df, test.pvalue, null)


def fold_scores(
    y: ArrayLike,
    p: ArrayLike,
    repeat: ArrayLike,
    fold: ArrayLike,
    score: str = "auroc",
    *,
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Score the out-of-fold predictions of any model, fold by fold.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS; one row per prediction.
    p : array-like of shape (n,)
        What the model predicted.
    repeat, fold : array-like of shape (n,)
        Where each prediction was made.
    score : str, default="auroc"
        Name of a registered score (`SCORES`).
    sample_weight : array-like of shape (n,), default=None
        Weight of each prediction.

    Returns
    -------
    DataFrame
        One row per fold: ``repeat``, ``fold``, the score under its name, ``chance``, ``n_test``, ``n_train`` (the other
        rows of the same repeat).

    Raises
    ------
    ValueError
        If lengths differ, or the score is unknown.

    Examples
    --------
    >>> fold_scores([0, 1, 0, 1], [0.2, 0.7, 0.6, 0.4], [0, 0, 0, 0], [0, 0, 1, 1])
       repeat  fold  auroc  chance  n_test  n_train
    0       0     0    1.0     0.5       2        2
    1       0     1    0.0     0.5       2        2
    """
    found = find_score(score)
    if found is None:
        raise ValueError(f"`score` must be a registered score; got {score!r}. See prrt_estimators.metrics.SCORES.")
    check_all_in_order(y=y, p=p, repeat=repeat, fold=fold, sample_weight=sample_weight)
    columns = {"y": y, "p": p, "repeat": repeat, "fold": fold, "weight": sample_weight}
    arrays = {name: np.asarray(values) for name, values in columns.items() if values is not None}
    if len({array.shape for array in arrays.values()}) > 1 or arrays["y"].ndim != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"every argument must have one value per prediction; got shapes {shapes}.")
    table = pd.DataFrame(arrays)
    rows = []
    for (r, f), part in table.groupby(["repeat", "fold"]):
        weight = part["weight"].to_numpy() if "weight" in part else None
        given = {} if weight is None else {"sample_weight": weight}
        value = factor(score) * found.function(part["y"].to_numpy(), part["p"].to_numpy(), **given)
        chance = chance_by_score([score], part["y"], weight).get(score, np.nan)
        size = int((table["repeat"] == r).sum())
        rows.append((r, f, value, chance, len(part), size - len(part)))
    return pd.DataFrame(rows, columns=["repeat", "fold", score, "chance", "n_test", "n_train"])


def interval_of_predictions(
    y: ArrayLike,
    p: ArrayLike,
    repeat: ArrayLike,
    fold: ArrayLike,
    score: str = "auroc",
    *,
    p_other: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    correction: float | None = None,
    confidence_level: float = 0.95,
) -> ScoreInterval:
    """Interval and test of a cross-validated score, or of the difference of two models, from their predictions.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS; one row per prediction.
    p : array-like of shape (n,)
        What the model predicted.
    repeat, fold : array-like of shape (n,)
        Where each prediction was made.
    score : str, default="auroc"
        Name of a registered score (`SCORES`).
    p_other : array-like of shape (n,), default=None
        Predictions of another model for the same rows: the interval is of the score of `p` less that of `p_other`, and
        the test against no difference. Without it the test is against chance.
    sample_weight : array-like of shape (n,), default=None
        Weight of each prediction.
    correction : float, default=None
        As for :func:`score_interval`.
    confidence_level : float, default=0.95
        Of the interval.

    Returns
    -------
    ScoreInterval

    Raises
    ------
    ValueError
        If lengths differ, the score is unknown, or fewer than two folds have a score.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, repeat = np.tile([0, 1, 1], 30), np.repeat([0, 1, 2], 30)
    >>> fold, p = np.tile(np.repeat([0, 1, 2], 10), 3), 0.3 * y + rng.uniform(size=90)
    >>> interval = interval_of_predictions(y, p, repeat, fold)
    >>> interval.low < interval.mean < interval.high, interval.null
    (True, 0.5)
    """
    check_all_in_order(p=p, p_other=p_other)
    table = fold_scores(y, p, repeat, fold, score, sample_weight=sample_weight)
    values, null = table[score].to_numpy(dtype=float), float(table["chance"].mean())
    found = find_score(score)
    limits = None if found is None else found.limits
    if p_other is not None:
        other = fold_scores(y, p_other, repeat, fold, score, sample_weight=sample_weight)
        values, null, limits = values - other[score].to_numpy(dtype=float), 0.0, None
    return score_interval(
        values,
        n_train=float(table["n_train"].mean()),
        n_test=float(table["n_test"].mean()),
        null=null,
        repeat=table["repeat"],
        correction=correction,
        confidence_level=confidence_level,
        limits=limits,
    )


def intervals_of_scores(
    scores: pd.DataFrame,
    *,
    n_train: float,
    n_test: float,
    score: str = "auroc",
    chance: float | None = None,
    reference: str | None = None,
    primary: Sequence[str] | None = None,
    correction: float | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Intervals and tests of a table of fold scores, of any models.

    Parameters
    ----------
    scores : DataFrame
        Columns ``model``, ``repeat``, ``fold`` and `score`, as in ``scores.csv``.
    n_train, n_test : float
        Patients in a training and in a test set.
    score : str, default="auroc"
        Column.
    chance : float, default=None
        Score of chance; without it there is no test against it.
    reference : str, default=None
        Model that the others are tested against.
    primary : pair of str, default=None
        The one comparison that was named before: it is tested alone, and does not count in Holm's adjustment of the rest.
    correction : float, default=None
        As for :func:`score_interval`.
    confidence_level : float, default=0.95
        Of the intervals.

    Returns
    -------
    DataFrame indexed by model
        ``mean``, ``low``, ``high``; ``p_chance`` and ``p_chance_holm``; ``difference`` from the reference with
        ``difference_low``, ``difference_high``, ``p_value`` and ``p_holm``. NaN where fewer than two folds have a score.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["a"] * 3 + ["b"] * 3, "repeat": 0, "fold": [0, 1, 2] * 2,
    ...                        "auroc": [0.7, 0.8, 0.75, 0.5, 0.55, 0.45]})
    >>> table = intervals_of_scores(scores, n_train=60, n_test=30, chance=0.5, reference="b")
    >>> table.loc["a", ["mean", "difference"]].astype(float).round(2).tolist()
    [0.75, 0.25]
    """
    missing = [name for name in ("model", "repeat", "fold", score) if name not in scores.columns]
    if missing:
        raise ValueError(f"`scores` lacks the column(s) {', '.join(missing)}. Pass the table of scores.csv.")
    check_level(confidence_level)
    wide = scores.pivot(index=["repeat", "fold"], columns="model", values=score)
    wide = wide[list(dict.fromkeys(scores["model"]))]
    found = find_score(score)
    options = {
        "n_train": n_train, "n_test": n_test, "correction": correction, "confidence_level": confidence_level,
    }  # fmt: skip
    table = pd.DataFrame(np.nan, index=wide.columns, columns=list(COLUMNS))
    table["mean"] = wide.mean()
    for model in wide.columns:
        own = wide[model].dropna()
        if len(own) > 1:
            limits = None if found is None else found.limits
            one = score_interval(own, null=chance or 0.0, repeat=repeats(own), limits=limits, **options)  # type: ignore[arg-type]
            table.loc[model, ["low", "high"]] = one.low, one.high
            table.loc[model, "p_chance"] = np.nan if chance is None else one.pvalue
        if reference is None or model == reference or reference not in wide:
            continue
        apart = (wide[model] - wide[reference]).dropna()
        if len(apart) > 1:
            two = score_interval(apart, repeat=repeats(apart), **options)  # type: ignore[arg-type]
            table.loc[model, ["difference", "difference_low", "difference_high"]] = two.mean, two.low, two.high
            table.loc[model, "p_value"] = two.pvalue
    table["p_chance_holm"] = holm(table["p_chance"].to_numpy(dtype=float))
    rest = table["p_value"].copy()
    alone = [name for name in primary or () if name != reference] if reference in (primary or ()) else []
    rest[[name for name in alone if name in rest.index]] = np.nan
    table["p_holm"] = holm(rest.to_numpy(dtype=float))
    table["p_holm"] = table["p_holm"].where(rest.notna(), table["p_value"])
    return table


#: Of :func:`intervals_of_scores`.
COLUMNS = (
    "mean", "low", "high", "p_chance", "p_chance_holm",
    "difference", "difference_low", "difference_high", "p_value", "p_holm",
)  # fmt: skip


def repeats(folds: pd.Series) -> np.ndarray:
    """Return the repeat of each fold of a column of fold scores."""
    return folds.index.get_level_values("repeat").to_numpy()


def power_of(difference: float, standard_error: float, df: int, alpha: float = 0.05) -> float:
    """Return how probable it is that a true difference is found, given the standard error of its estimate.

    Parameters
    ----------
    difference : float
        True difference of the scores.
    standard_error : float
        Corrected, as :func:`score_interval` returns it.
    df : int
        Degrees of freedom.
    alpha : float, default=0.05
        Level of the two-sided test.

    Returns
    -------
    float

    Examples
    --------
    >>> round(power_of(0.1, 0.06, 29), 2), round(power_of(0.0, 0.06, 29), 2)
    (0.36, 0.05)
    """
    if not standard_error > 0:
        return 1.0 if difference else alpha
    critical, shift = stats.t.ppf(1 - alpha / 2, df), difference / standard_error
    return float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))


def primary_test(
    scores: pd.DataFrame, model: str, reference: str, score: str, *, n_train: float, n_test: float
) -> PrimaryTest:
    """Test one pair of models of a table of fold scores."""
    nan = float("nan")
    wide = scores.pivot(index=["repeat", "fold"], columns="model", values=score)
    if not {model, reference} <= set(wide.columns):
        return PrimaryTest(model, reference, score, nan, nan, nan, nan, nan)
    apart = (wide[model] - wide[reference]).dropna()
    if len(apart) < 2:
        return PrimaryTest(model, reference, score, nan, nan, nan, nan, nan)
    found = score_interval(apart, n_train=n_train, n_test=n_test, repeat=repeats(apart))
    power = power_of(0.1, found.standard_error, found.df)
    return PrimaryTest(model, reference, score, found.mean, found.low, found.high, found.pvalue, power)
