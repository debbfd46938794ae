"""Models fitted again: on fewer patients, on drawn patients, on permuted outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators._classes import check_same_order, probability_of_long
from prrt_estimators._fit_times import fit_times
from prrt_estimators._targets import ClassTarget
from prrt_estimators.cohort import Cohort
from prrt_estimators.evaluation._decisions import interval_of_folds
from prrt_estimators.metrics import find_score
from prrt_estimators.metrics._score import factor
from prrt_estimators.model_selection._fold import seeded, take_rows


class PermutationTest(NamedTuple):
    """Answer of :func:`permutation_test`.

    Attributes
    ----------
    score : float
        Mean of the folds.
    permuted : ndarray of shape (n_permutations,)
        The same of each permutation.
    pvalue : float
        One-sided.
    """

    score: float
    permuted: np.ndarray
    pvalue: float

    def __repr__(self) -> str:
        return f"PermutationTest(score={self.score:.3f}, {len(self.permuted)} permutations, pvalue={self.pvalue:.3g})"


def _score_of(name: str) -> Any:
    score = find_score(name)
    if score is None or "class" not in score.available:
        raise ValueError(
            f"`score` must be a registered score of classes; got {name!r}. See prrt_estimators.metrics.SCORES."
        )
    return score


def _input(X: Any, y: Any) -> tuple[Any, np.ndarray]:
    check_same_order(X, y, ("X", "y"))
    X = Cohort(X) if isinstance(X, Mapping) and not isinstance(X, Cohort) else X
    return X, ClassTarget().check_coded(y, len(X))


def _fitted(model: Any, X: Any, y: np.ndarray, rows: np.ndarray, seed: int, *, with_times: bool = True) -> Any:
    one, part = seeded(model, seed), take_rows(X, rows)
    return one.fit(part, y[rows], **(fit_times(one, part, y[rows]) if with_times else {}))


def learning_curve_table(
    model: Any,
    X: Any,
    y: Any,
    *,
    shares: Iterable[float] = (0.25, 0.5, 0.75, 1.0),
    cv: Any = None,
    score: str = "auroc",
    random_state: int = 0,
) -> pd.DataFrame:
    """Score a model that learns from growing shares of the training patients, always on the same test folds.

    A curve that still rises at the end says that more patients would help; one that is flat that they would not.

    Parameters
    ----------
    model : classifier
    X : Cohort, mapping, DataFrame or array of shape (n, ...)
        Patients.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    shares : iterable of float, default=(0.25, 0.5, 0.75, 1.0)
        Shares of the training patients, above 0 and at most 1, drawn within each class.
    cv : splitter, default=None
        ``RepeatedStratifiedKFold(n_splits=3, n_repeats=5)`` if None.
    score : str, default="auroc"
        Name of a registered score.
    random_state : int, default=0
        Seed of splits, draws and models.

    Returns
    -------
    DataFrame
        ``share``, ``n_train`` (mean), ``mean``, ``low``, ``high``: the corrected interval. The intervals of two shares are
        not independent.

    Raises
    ------
    ValueError
        If a share is out of range or the score unknown.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(90, 4)), np.tile([0, 1, 1], 30)
    >>> X[:, 0] += y
    >>> table = learning_curve_table(LogisticRegression(), X, y, shares=(0.5, 1.0))
    >>> table["n_train"].tolist()
    [30.0, 60.0]
    """
    found, asked = _score_of(score), [float(one) for one in shares]
    if not asked or not all(0 < one <= 1 for one in asked):
        raise ValueError(f"`shares` must lie above 0 and be at most 1; got {asked}.")
    X, coded = _input(X, y)
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=5, random_state=random_state) if cv is None else cv
    splits, rows = list(cv.split(np.zeros((len(coded), 1)), coded)), []
    for share in asked:
        values, sizes = [], []
        for number, (train, test) in enumerate(splits):
            rng = np.random.default_rng([random_state, number])
            part = np.concatenate([_some(rng.permutation(train[coded[train] == code]), share) for code in (0, 1)])
            one = _fitted(model, X, coded, np.sort(part), number)
            values.append(found.function(coded[test], probability_of_long(one, take_rows(X, test))))
            sizes.append((len(part), len(test), len(train)))
        n_train, n_test, whole = np.mean(sizes, axis=0)
        interval = interval_of_folds(np.asarray(values, float), {"n_train": whole, "n_test": n_test}, limits=None)
        rows.append((share, n_train, *interval))
    return pd.DataFrame(rows, columns=["share", "n_train", "mean", "low", "high"])


def _some(rows: np.ndarray, share: float) -> np.ndarray:
    return rows[: max(1, round(share * len(rows)))]


def prediction_stability(predictions: pd.DataFrame) -> pd.DataFrame:
    """How far a patient's out-of-fold probability moves from repeat to repeat, when a model learns from other patients.

    Parameters
    ----------
    predictions : DataFrame
        ``model``, ``repeat``, ``patient_id``, ``y_score``, as in ``predictions.csv``; several repeats.

    Returns
    -------
    DataFrame
        ``model``, ``patient_id``, ``mean``, ``sd``, ``low`` and ``high`` (least and greatest), ``n``.

    Examples
    --------
    >>> found = pd.DataFrame({"model": "lab", "repeat": [0, 1], "patient_id": "P1", "y_score": [0.4, 0.8]})
    >>> prediction_stability(found)[["mean", "low", "high", "n"]].round(2).to_dict("records")
    [{'mean': 0.6, 'low': 0.4, 'high': 0.8, 'n': 2}]
    """
    grouped = predictions.groupby(["model", "patient_id"], sort=False)["y_score"]
    table = grouped.agg(mean="mean", sd="std", low="min", high="max", n="size")
    return table.reset_index()


def refit_stability(model: Any, X: Any, y: Any, *, n_refits: int = 50, random_state: int = 0) -> pd.DataFrame:
    """How far a patient's probability moves when the model is fitted to bootstrap samples of the patients.

    Parameters
    ----------
    model : classifier
    X : Cohort, mapping, DataFrame or array of shape (n, ...)
        Patients.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    n_refits : int, default=50
        Bootstrap samples, drawn within each class.
    random_state : int, default=0
        Seed.

    Returns
    -------
    DataFrame
        One row per patient: ``p_long`` of the model fitted to all, ``low`` and ``high`` (2.5 % and 97.5 % quantile over the
        refits) and ``mape``, the mean absolute difference of the refits from ``p_long``.

    References
    ----------
    Riley and Collins, "Stability of clinical prediction models developed using statistical or machine learning methods",
    Biometrical Journal 2023, doi:10.1002/bimj.202200302.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = np.random.default_rng(0).normal(size=(60, 2)), np.tile([0, 1, 1], 20)
    >>> refit_stability(LogisticRegression(), X, y, n_refits=5).shape
    (60, 4)
    """
    if n_refits < 2:
        raise ValueError(f"`n_refits` must be at least 2; got {n_refits}.")
    X, coded = _input(X, y)
    own = probability_of_long(_fitted(model, X, coded, np.arange(len(coded)), random_state), X)
    rng, drawn = np.random.default_rng(random_state), []
    for number in range(n_refits):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(coded == code), int((coded == code).sum())) for code in (0, 1)]
        )
        drawn.append(probability_of_long(_fitted(model, X, coded, np.sort(rows), random_state + number), X))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return pd.DataFrame({"p_long": own, "low": low, "high": high, "mape": np.abs(np.asarray(drawn) - own).mean(axis=0)})


def permutation_test(
    model: Any,
    X: Any,
    y: Any,
    *,
    n_permutations: int = 200,
    cv: Any = None,
    score: str = "auroc",
    random_state: int = 0,
) -> PermutationTest:
    """Test whether a model learns anything: fit and score it again on permuted outcomes.

    Everything that is learnt from the outcome is learnt anew for every permutation. Times to progression are not handed
    over, for a permuted class would contradict them.

    Parameters
    ----------
    model : classifier
    X : Cohort, mapping, DataFrame or array of shape (n, ...)
        Patients.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    n_permutations : int, default=200
        Permutations; the smallest p value is ``1 / (n_permutations + 1)``.
    cv : splitter, default=None
        ``RepeatedStratifiedKFold(n_splits=3, n_repeats=1)`` if None; every permutation is split alike.
    score : str, default="auroc"
        Name of a registered score.
    random_state : int, default=0
        Seed of splits, permutations and models.

    Returns
    -------
    PermutationTest
        ``score`` (mean of the folds), ``permuted`` (the same of each permutation) and ``pvalue``, one-sided:
        ``(1 + number of permutations at least as good) / (1 + n_permutations)``.

    References
    ----------
    Ojala and Garriga, "Permutation tests for studying classifier performance", JMLR 2010.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(60, 2)), np.tile([0, 1, 1], 20)
    >>> X[:, 0] += 2 * y
    >>> permutation_test(LogisticRegression(), X, y, n_permutations=19).pvalue
    0.05
    """
    found, sign = _score_of(score), factor(score)
    X, coded = _input(X, y)
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=1, random_state=random_state) if cv is None else cv

    def value(outcome: np.ndarray) -> float:
        values = []
        for number, (train, test) in enumerate(cv.split(np.zeros((len(outcome), 1)), outcome)):
            one = _fitted(model, X, outcome, train, number, with_times=False)
            values.append(sign * found.function(outcome[test], probability_of_long(one, take_rows(X, test))))
        return float(np.nanmean(values))

    rng = np.random.default_rng(random_state)
    own = value(coded)
    permuted = np.array([value(rng.permutation(coded)) for _ in range(n_permutations)])
    return PermutationTest(own, permuted, float((1 + (permuted >= own - 1e-12).sum()) / (1 + n_permutations)))
