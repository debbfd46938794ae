"""Where patients lie in the feature space of a model that was trained without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_consistent_length
from threadpoolctl import threadpool_limits

from prrt_estimators._classes import check_all_in_order, long_rows, probability_of_long
from prrt_estimators._dataset import ShortRepr
from prrt_estimators._extras import require
from prrt_estimators._targets import target_of
from prrt_estimators.inspection._explained_models import as_data, check_count, fold_models, ids_of, innermost, take_rows


@dataclass(frozen=True, repr=False)
class OutOfFoldFeatures(ShortRepr):
    """Features of each patient from a model that was trained without them.

    Each fold has a model and so a feature space of its own: coordinates and distances mean something between patients
    of one fold only.

    Attributes
    ----------
    features : ndarray of shape (n, k)
        Standardised by mean and deviation of the training rows of the patient's fold.
    fold : ndarray of int, shape (n,)
        Fold in which the patient was tested.
    p_long : ndarray of shape (n,)
        Probability of long PFS from the same model.
    y : ndarray of shape (n,)
        Classes as given.
    ids : ndarray of str, shape (n,)
        Patient ids.
    """

    features: np.ndarray
    fold: np.ndarray
    p_long: np.ndarray
    y: np.ndarray
    ids: np.ndarray


def out_of_fold_features(estimator: Any, X: Any, *, y: Any, cv: Any) -> OutOfFoldFeatures:
    """Return the fused features of each patient, from a model that was trained without them.

    Parameters
    ----------
    estimator : classifier with ``transform``
        Such as `FusionPFSClassifier`, or a Pipeline that ends in it; it is cloned and need not be fitted.
    X : Cohort, mapping or table
    y : array of shape (n,)
        1 for long PFS, 0 for short.
    cv : int, splitter or iterable of (train, test)
        Every patient must be tested once: one repeat of a K-fold.

    Returns
    -------
    OutOfFoldFeatures

    Raises
    ------
    TypeError
        If the estimator has no ``transform``, or learns no classes.
    ValueError
        If a patient is not tested exactly once, or folds give different numbers of features.

    Notes
    -----
    The feature spaces of the folds' models are not brought into one: a network's features are defined up to what its
    next layer undoes, and a rotation fitted to patients that one of the two models was trained on would carry their
    classes into the space. So `umap_embedding` lays out each fold apart, and `class_separation` looks for neighbours
    within folds.

    Examples
    --------
    >>> from prrt_estimators import FusionPFSClassifier
    >>> rng = np.random.default_rng(0)
    >>> clf = FusionPFSClassifier(max_epochs=1, random_state=0)
    >>> found = out_of_fold_features(clf, rng.random((12, 3)), y=[0, 1] * 6, cv=3)
    >>> found.features.shape, np.bincount(found.fold).tolist()
    ((12, 32), [4, 4, 4])
    """
    X = as_data(X)
    if not hasattr(innermost(estimator), "transform"):
        raise TypeError(
            f"{type(innermost(estimator)).__name__} has no transform and so no feature space; pass e.g. a "
            "FusionPFSClassifier."
        )
    if not target_of(estimator).has_classes:
        raise TypeError(
            f"{type(innermost(estimator)).__name__} learns no classes, by which a feature space is coloured and measured. Its "
            "features are `transform(X)`, and `umap_embedding` lays them out."
        )
    parts, p_long = {}, np.full(len(X), np.nan)
    fold = np.full(len(X), -1)
    for one in fold_models(estimator, X, y, cv):
        held_out = take_rows(X, one.test)
        scaler = StandardScaler().fit(np.asarray(one.model.transform(take_rows(X, one.train)), dtype=np.float64))
        parts[one.number] = scaler.transform(np.asarray(one.model.transform(held_out), dtype=np.float64))
        p_long[one.test] = probability_of_long(one.model, held_out)
        fold[one.test] = one.number
    widths = {part.shape[1] for part in parts.values()}
    if len(widths) > 1:
        raise ValueError(
            f"the folds' models give {sorted(widths)} features (a column that only some training folds hold); fix the "
            "columns of the table."
        )
    features = np.empty((len(X), widths.pop()))
    for number, part in parts.items():
        features[fold == number] = part
    return OutOfFoldFeatures(
        features=features, fold=fold, p_long=p_long, y=long_rows(y).astype(np.int64), ids=ids_of(X)
    )


def umap_embedding(
    features: Any,
    *,
    fold: Any = None,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    random_state: int = 0,
) -> np.ndarray:
    """Return two coordinates a patient by UMAP, each fold apart.

    UMAP keeps neighbourhoods; distances between clusters, their sizes and the axes mean nothing. How far the classes
    lie apart is told by `class_separation` in the original space.

    Parameters
    ----------
    features : array of shape (n, k), or OutOfFoldFeatures
    fold : array of int, shape (n,), default=None
        Patients of one feature space; those of `features` if it knows them, else all are of one.
    n_neighbors : int, default=15
        Neighbours that UMAP looks at; all others of the fold if there are fewer.
    min_dist : float, default=0.1
        How close points may come.
    random_state : int, default=0
        The same number gives the same coordinates on one machine.

    Returns
    -------
    ndarray of shape (n, 2)

    Raises
    ------
    MissingDependencyError
        If umap-learn is not installed.
    ValueError
        If a fold has fewer than four patients, or a feature is not finite.

    References
    ----------
    McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection", 2018,
    doi:10.48550/arXiv.1802.03426.
    """
    table, folds = _features_and_fold(features, fold)
    check_count("n_neighbors", n_neighbors, 2)
    check_count("random_state", random_state, 0)
    numbers, counts = np.unique(folds, return_counts=True)
    if counts.min() < 4:
        raise ValueError(
            f"fold {numbers[counts.argmin()]} has {counts.min()} patients; UMAP needs at least 4 to lay out. Pass fewer folds."
        )
    umap = require("umap", "umap_embedding", "explain", package="umap-learn")
    result = np.empty((len(table), 2))
    for number, count in zip(numbers, counts, strict=True):
        # From principal components, so that the layout does not start from an eigensolver's random vector.
        reducer = umap.UMAP(
            n_neighbors=min(n_neighbors, int(count) - 1),
            min_dist=min_dist,
            init="pca",
            random_state=int(random_state),
            n_jobs=1,
        )
        # umap-learn starts threads for all of the process, which would slow down torch afterwards, and sums over
        # threads differ in their last bits.
        with threadpool_limits(limits=1):
            result[folds == number] = reducer.fit_transform(table[folds == number])
    return result


def class_separation(
    features: Any,
    y: Any = None,
    *,
    fold: Any = None,
    n_neighbors: int = 5,
    n_permutations: int = 499,
    random_state: Any = None,
) -> pd.DataFrame:
    r"""Return how far the classes lie apart in the feature space itself, beside what shuffled classes give.

    The silhouette of patient :math:`i` is :math:`(b_i - a_i) / \max(a_i, b_i)` with the mean distances to its own and
    to the other class. Neighbour agreement is the share of the `n_neighbors` nearest patients that are of its
    class. Both use Euclidean distances within a fold and are averaged over patients.

    Parameters
    ----------
    features : array of shape (n, k), or OutOfFoldFeatures
    y : array of shape (n,), default=None
        Classes; those of `features` if it knows them.
    fold : array of int, shape (n,), default=None
        Patients of one feature space; those of `features` if it knows them, else all are of one.
    n_neighbors : int, default=5
    n_permutations : int, default=499
        Shuffles of the classes within folds.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    DataFrame
        Rows ``silhouette`` and ``neighbour_agreement`` (column ``measure``); ``value``; ``chance``, the mean over
        shuffles; ``chance_low`` and ``chance_high``, their 2.5th and 97.5th percentile; ``p_value``, the share of
        shuffles, this one included, that reach the value.

    Raises
    ------
    ValueError
        If a fold holds one class only, or has too few patients for `n_neighbors`.

    References
    ----------
    Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 1987,
    doi:10.1016/0377-0427(87)90125-7.

    Examples
    --------
    >>> table = class_separation([[0.0], [1.0], [10.0], [11.0]], [0, 0, 1, 1], n_neighbors=1, random_state=0)
    >>> table.set_index("measure")["value"].round(3).to_dict()
    {'silhouette': 0.9, 'neighbour_agreement': 1.0}
    """
    table, folds = _features_and_fold(features, fold)
    if y is None and not isinstance(features, OutOfFoldFeatures):
        raise ValueError("`y` is missing: pass the classes of the patients.")
    check_all_in_order(features=features, y=y, fold=fold)
    y = np.asarray(features.y if y is None else y)
    check_consistent_length(table, y)
    check_count("n_neighbors", n_neighbors)
    check_count("n_permutations", n_permutations, 0)
    members = [np.flatnonzero(folds == number) for number in np.unique(folds)]
    for rows in members:
        if len(np.unique(y[rows])) < 2:
            raise ValueError(f"fold {folds[rows[0]]} holds one class only; pass stratified folds.")
        if len(rows) <= max(n_neighbors, len(np.unique(y[rows]))):
            raise ValueError(
                f"fold {folds[rows[0]]} has {len(rows)} patients, too few for {n_neighbors} neighbours; pass fewer."
            )
    distances = [pairwise_distances(table[rows]) for rows in members]
    nearest = [_nearest(distance, n_neighbors) for distance in distances]
    rng = check_random_state(random_state)
    value = _separation(distances, nearest, [y[rows] for rows in members])
    chance = np.array(
        [_separation(distances, nearest, [rng.permutation(y[rows]) for rows in members]) for _ in range(n_permutations)]
    ).reshape(-1, 2)
    low, high = np.percentile(chance, [2.5, 97.5], axis=0) if len(chance) else np.full((2, 2), np.nan)
    return pd.DataFrame(
        {
            "measure": ["silhouette", "neighbour_agreement"],
            "value": value,
            "chance": chance.mean(axis=0) if len(chance) else np.nan,
            "chance_low": low,
            "chance_high": high,
            # Sums that differ in the last bit are equal.
            "p_value": (1 + (chance >= value - 1e-12).sum(axis=0)) / (1 + len(chance)) if len(chance) else np.nan,
        }
    )


def _features_and_fold(features: Any, fold: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(features, OutOfFoldFeatures):
        fold = features.fold if fold is None else fold
        features = features.features
    table = check_array(features, dtype=np.float64, input_name="features")
    folds = np.zeros(len(table), dtype=int) if fold is None else np.asarray(fold)
    check_consistent_length(table, folds)
    return table, folds


def _nearest(distance: np.ndarray, n_neighbors: int) -> np.ndarray:
    others = distance.copy()
    np.fill_diagonal(others, np.inf)
    return np.argsort(others, axis=1, kind="stable")[:, :n_neighbors]


def _separation(distances: list[np.ndarray], nearest: list[np.ndarray], labels: list[np.ndarray]) -> np.ndarray:
    silhouette = [_silhouettes(distance, of) for distance, of in zip(distances, labels, strict=True)]
    agreement = [(of[near] == of[:, None]).mean(axis=1) for near, of in zip(nearest, labels, strict=True)]
    return np.array([np.concatenate(silhouette).mean(), np.concatenate(agreement).mean()])


def _silhouettes(distance: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the silhouette of each patient; scikit-learn's checks would take most of the time of many shuffles."""
    member = (labels[:, None] == np.unique(labels)).astype(float)
    size = member.sum(axis=0)
    total = distance @ member
    own_size = member @ size
    own = (total * member).sum(axis=1) / np.maximum(own_size - 1, 1)
    other = np.where(member > 0, np.inf, total / size).min(axis=1)
    widest = np.maximum(own, other)
    # Who is alone in a class, or lies where all others lie, belongs neither here nor there.
    return np.where((own_size > 1) & (widest > 0), (other - own) / np.where(widest > 0, widest, 1), 0.0)
