"""A forest inside an estimator, and the columns of the user's table that its features come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from prrt_estimators.estimators import LabPFSClassifier
from prrt_estimators.estimators._base import check_one_is_long
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.inspection._explained_models import innermost, table_of
from prrt_estimators.preprocessing._labs import prepared_from

FORESTS = (RandomForestClassifier, ExtraTreesClassifier)


@dataclass(frozen=True)
class ForestInside:
    """A fitted forest with what lies before it.

    Attributes
    ----------
    forest : RandomForestClassifier or ExtraTreesClassifier
    prepare : callable
        From X to the array that the forest takes.
    read : callable
        From X to the DataFrame of the columns that importance is reported for.
    sources : list of str
        Their names.
    owner : ndarray of int
        For each feature of the forest the position of its column in `sources`.
    """

    forest: Any
    prepare: Callable[[Any], np.ndarray]
    read: Callable[[Any], pd.DataFrame]
    sources: list[str]
    owner: np.ndarray

    def by_source(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of values over the features of each column, along the last axis."""
        result = np.zeros((*values.shape[:-1], len(self.sources)))
        for feature, source in enumerate(self.owner):
            result[..., source] += values[..., feature]
        return result


def has_forest(estimator: Any) -> bool:
    """Return whether `forest_inside` would find one."""
    model = innermost(estimator)
    return isinstance(model, FORESTS) or (isinstance(model, LabPFSClassifier) and model.model == "random_forest")


def forest_inside(estimator: Any) -> ForestInside:
    """Return the fitted forest of an estimator.

    Raises
    ------
    TypeError
        If there is none.
    """
    if not has_forest(estimator):
        raise TypeError(
            f"{type(innermost(estimator)).__name__} holds no forest; pass LabPFSClassifier(model='random_forest'), a "
            "scikit-learn forest, or a Pipeline that ends in one. grouped_permutation_importance takes any classifier."
        )
    if hasattr(estimator, "best_estimator_"):
        return forest_inside(estimator.best_estimator_)
    check_is_fitted(estimator)
    if isinstance(estimator, Pipeline):
        return _behind(estimator[:-1], estimator[-1]) if len(estimator) > 1 else forest_inside(estimator[-1])
    if isinstance(estimator, LabPFSClassifier):
        check_one_is_long(estimator)
        prepared = estimator.preprocessor_
        sources, owner = prepared_from(prepared)
        return ForestInside(
            estimator.model_, lambda X: prepared.transform(_table(X)), partial(_named, sources), sources, owner
        )
    given = getattr(estimator, "feature_names_in_", None)
    sources = [f"x{k}" for k in range(estimator.n_features_in_)] if given is None else [str(name) for name in given]
    return ForestInside(
        estimator, lambda X: np.asarray(_table(X)), partial(_named, sources), sources, np.arange(len(sources))
    )


def _behind(before: Pipeline, last: Any) -> ForestInside:
    """Return the forest of a pipeline's last step, behind its other steps."""
    inside = forest_inside(last)
    sources = inside.sources
    # The array that a transformer gives has lost the names that it can still tell.
    if not hasattr(innermost(last), "feature_names_in_") and hasattr(before, "get_feature_names_out"):
        sources = [str(name) for name in before.get_feature_names_out()]
    return ForestInside(
        inside.forest,
        lambda X: inside.prepare(before.transform(X)),
        lambda X: inside.read(before.transform(X)).set_axis(sources, axis=1),
        sources,
        inside.owner,
    )


def _table(X: Any) -> Any:
    table = table_of(X)
    if table is None:
        raise MissingModalityError(
            f"the forest needs 'lab'; the data have {', '.join(X.modalities)}.", modalities=["lab"]
        )
    return table


def _named(sources: list[str], X: Any) -> pd.DataFrame:
    return pd.DataFrame(_table(X), copy=True).set_axis(sources, axis=1)
