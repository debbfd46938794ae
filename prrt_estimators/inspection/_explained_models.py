"""What the explanations share: cells of a laboratory table, the model inside, and a model for every fold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_consistent_length

from prrt_estimators._classes import check_same_order
from prrt_estimators._modalities import IMAGING
from prrt_estimators._targets import target_of
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import FieldOfViewWarning
from prrt_estimators.preprocessing import VolumePreprocessor


def as_data(X: Any) -> Any:
    """Return X as a `Cohort`, a DataFrame or a 2-D array, as estimators take it.

    Raises
    ------
    TypeError
        If X is none of these.
    ValueError
        If it is a table without two dimensions, or holds no patient.
    """
    if issparse(X):
        raise TypeError("X is a sparse matrix; pass a Cohort, a DataFrame or a dense array.")
    data = as_cohort(X) if isinstance(X, Mapping) else X if isinstance(X, pd.DataFrame) else np.asarray(X)
    if isinstance(data, np.ndarray) and data.ndim != 2:
        raise TypeError(
            f"X must be a Cohort, a mapping of modalities or a table of shape (n, k); got {type(X).__name__} with "
            f"{data.ndim} dimension(s). Scans go into a mapping such as {{'pet': array}}."
        )
    if not len(data):
        raise ValueError("X holds no patient; pass at least one.")
    return data


def as_patients(X: Any) -> Cohort:
    """Return X as a `Cohort`; a plain table counts as the laboratory table."""
    return as_cohort(as_data(X))


def ids_of(X: Any) -> np.ndarray:
    """Return the patients' ids: those of a Cohort, the index of a DataFrame, else row numbers."""
    if isinstance(X, Cohort):
        return X.ids
    index = X.index if isinstance(X, pd.DataFrame) else range(len(X))
    return np.array([str(one) for one in index], dtype=object)


def take_rows(X: Any, rows: Any) -> Any:
    """Return some patients of a Cohort, DataFrame or array."""
    return X[np.asarray(rows)] if isinstance(X, Cohort) else _safe_indexing(X, rows)


# Laboratory tables ------------------------------------------------------------------------------------------------


def table_of(X: Any) -> Any:
    """Return the laboratory table, a DataFrame or an array; None if a Cohort has none."""
    return X.get("lab") if isinstance(X, Cohort) else X


def column_names(table: Any) -> list[str]:
    """Return the names of columns as text; ``x0``, ``x1``, ... where a table has none."""
    if isinstance(table, np.ndarray) or isinstance(table.columns, pd.RangeIndex):
        return [f"x{k}" for k in range(table.shape[1])]
    return [str(name) for name in table.columns]


def take_cells(table: Any, rows: np.ndarray) -> Any:
    """Return the table whose cell (i, j) is cell (``rows[i, j]``, j) of `table`; every column keeps its dtype."""
    if isinstance(table, np.ndarray):
        return table[rows, np.arange(table.shape[1])]
    cells = pd.DataFrame({j: table.iloc[:, j].array.take(rows[:, j]) for j in range(table.shape[1])})
    cells.columns = table.columns
    return cells


def stacked(above: Any, below: Any) -> Any:
    """Return the rows of two tables, one above the other, without numbering or kinds in the way.

    Raises
    ------
    ValueError
        If their columns differ.
    """
    if column_names(above) != column_names(below):
        raise ValueError(
            f"`background` has the columns {', '.join(column_names(below))}; X has {', '.join(column_names(above))}. "
            "Pass patients of the same table."
        )
    if isinstance(above, np.ndarray) and isinstance(below, np.ndarray):
        return np.concatenate([above, below])
    above, below = pd.DataFrame(above), pd.DataFrame(below)
    columns = {}
    for j in range(above.shape[1]):
        parts = [above.iloc[:, j], below.iloc[:, j]]
        # An empty column is of another kind than the same column with text in it.
        if parts[0].dtype != parts[1].dtype:
            parts = [part.astype(object) for part in parts]
        columns[j] = pd.concat(parts, ignore_index=True)
    result = pd.DataFrame(columns)
    result.columns = above.columns
    return result


def with_table(X: Any, table: Any) -> Any:
    """Return X with another laboratory table for the same patients."""
    if not isinstance(X, Cohort):
        return table
    return Cohort({**X, "lab": table}, ids=X.ids, masks=X.masks, survival=X.survival, blocks=X.blocks)


def has_values(table: Any) -> np.ndarray:
    """Return which patients have at least one laboratory value, shape (n,)."""
    return np.any(np.asarray(pd.notna(table)), axis=1)


# Models -----------------------------------------------------------------------------------------------------------


def innermost(estimator: Any) -> Any:
    """Return the model itself: the best of a search, the last step of a pipeline."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, (GridSearchCV, RandomizedSearchCV)):
            estimator = estimator.estimator
        elif isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        else:
            return estimator


def modalities_used(estimator: Any, X: Cohort) -> tuple[str, ...]:
    """Return the modalities that a fitted estimator looks at: what it says, else all that X has."""
    return tuple(getattr(innermost(estimator), "modalities_", X.modalities))


def in_boxes(estimator: Any, X: Cohort) -> Cohort:
    """Return X with scans in files as the boxes that the estimator cuts from them, as arrays.

    The boxes of a patient's scans are laid around the first of them. Where one is replaced or withheld, the others must
    stay as they were, so all are brought into their boxes first. A scan that a pretrained branch takes on a grid of its own
    has no such box and stays a file.
    """
    model = innermost(estimator)
    parameters = model.get_params() if hasattr(model, "get_params") else {}
    branches = getattr(model, "branches_", {})
    boxed = [
        name
        for name in IMAGING
        if name in modalities_used(estimator, X)
        and name in X
        and X[name].paths is not None
        and getattr(branches.get(name), "in_box", True)
    ]
    # The first scan in a file is what the boxes of the others are laid around.
    filed = [name for name in IMAGING if name in X and X[name].paths is not None]
    tied = any(name in boxed for name in filed[1:])
    if not tied or not {"size", "spacing"} <= set(parameters):
        return X
    options = {name: parameters[name] for name in ("size", "spacing", "cache_dir") if name in parameters}
    with warnings.catch_warnings():
        # Padding was told of when the model was trained; explaining it changes nothing.
        warnings.simplefilter("ignore", FieldOfViewWarning)
        boxes = VolumePreprocessor(**options).transform(X.select(*IMAGING))
    data = {**X, **{name: boxes[name] for name in boxed}}
    return Cohort(data, ids=X.ids, masks=X.masks, survival=X.survival, blocks=X.blocks)


@dataclass(frozen=True)
class FoldModel:
    """A model that was fitted on the training rows of one split."""

    number: int
    train: np.ndarray
    test: np.ndarray
    model: Any


class FittedFolds:
    """The models of all folds, fitted once; stands where `cv` is asked for, so that explanations share them.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fold.
    X : Cohort or table
    y : array of shape (n,)
    cv : int, splitter or iterable of (train, test)
        Every patient must be tested once.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, cv: Any):
        self.folds = list(fold_models(estimator, X, y, cv))


def splits_of(X: Any, y: Any, cv: Any, *, each_once: bool, target: Any = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (training rows, test rows) of every split.

    Raises
    ------
    ValueError
        If lengths differ, or `each_once` and some patient is not tested exactly once.
    """
    if y is None:
        raise ValueError("`y` is None; with `cv` a model is fitted for each fold, which needs the classes, or times.")
    check_same_order(X, y, ("X", "y"))
    strata = y if target is None else target.for_folds(y)[1]
    check_consistent_length(X, strata)
    splits = list(check_cv(cv, strata, classifier=True).split(X, strata))
    tested = np.bincount(np.concatenate([test for _, test in splits]), minlength=len(X))
    if each_once and (tested != 1).any():
        raise ValueError(
            f"`cv` must test every patient exactly once; it tests some {tested.min()} and some {tested.max()} times. "
            "Pass e.g. StratifiedKFold(3, shuffle=True, random_state=0)."
        )
    return splits


def fold_models(estimator: Any, X: Any, y: Any, cv: Any) -> Iterator[FoldModel]:
    """Yield a clone fitted on the training rows of each fold; every patient is tested once."""
    if isinstance(cv, FittedFolds):
        yield from cv.folds
        return
    target = target_of(estimator)
    splits = splits_of(X, y, cv, each_once=True, target=target)
    y = target.for_folds(y)[0]
    for number, (train, test) in enumerate(splits):
        model = clone(estimator).fit(take_rows(X, train), y[train])
        yield FoldModel(number, train, test, model)


def on_scale(probability: np.ndarray, output: str) -> np.ndarray:
    """Return probabilities, or their logits; 0 and 1 count as one in a million from there."""
    if output == "probability":
        return probability
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


# Parameters -------------------------------------------------------------------------------------------------------


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a whole number; got {value!r} of type {type(value).__name__}.")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}; got {value}.")
    return int(value)


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return a value that is one of the choices."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}.")
    return str(value)
