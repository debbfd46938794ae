"""The score of the columns of all blocks together, joined with those of the blocks' own models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from prrt_estimators._validation import as_cohort
from prrt_estimators.estimators._blocks import (
    NAMES,
    absent,
    block_table,
    joined,
    keep_in,
    usable_blocks,
    wanted_blocks,
)
from prrt_estimators.exceptions import MissingModalityError


class JointBlocksMixin:
    """Fits one linear model to all columns and one to those of each block; a subclass gives `_model` and `_linear`."""

    _image: ClassVar[Any]
    _cohort: Any
    blocks: Any
    cache_dir: Any
    own_share: float
    blocks_: dict[str, Any]
    left_out_: dict[str, str]
    columns_: dict[str, list[Any]]
    own_: dict[str, Any]
    joint_: Any
    share_: tuple[float, float]
    coef_: np.ndarray
    feature_names_in_: np.ndarray

    def _model(self) -> Any:
        """Return a model of one table, not fitted."""
        raise NotImplementedError  # pragma: no cover - both kinds define it

    @staticmethod
    def _linear(model: Any, table: pd.DataFrame) -> np.ndarray:
        """Return the score of each patient by a fitted model."""
        raise NotImplementedError  # pragma: no cover - both kinds define it

    def prepare(self, X: Any, progress: Callable[[int, int], None] | None = None, n_jobs: int | None = None) -> Self:
        """Check the scans of X and compute what is learnt from no cohort, so that folds find it in the cache.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
        progress : callable, default=None
            Called with (patients done, patients in all).
        n_jobs : int, default=None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        CohortError
            With everything that is wrong with any scan.
        """
        cohort = as_cohort(X, image=self._image)
        wanted = wanted_blocks(self, cohort)
        scans = {name: one for name, one in wanted.items() if name != NAMES.labs and name not in cohort.blocks}
        if progress is not None:
            progress(0, len(cohort))
        usable_blocks(scans, cohort)
        if progress is not None:
            progress(len(cohort), len(cohort))
        return self

    def _plain_table(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """Return a table given without a cohort, its cells checked as a laboratory table's are."""
        from prrt_estimators.preprocessing import LabPreprocessor

        if reset:
            self.input_ = LabPreprocessor().fit(X)
            self.n_features_in_ = self.input_.n_features_in_
        if not hasattr(self, "input_"):  # fitted on a cohort: as_cohort takes the table for its laboratory values
            return X
        table = self.input_._table(X, reset=False)
        self.input_.transform(X)  # refuses an infinity, or text among numbers
        return table

    def _tables(self, X: Any) -> dict[str, pd.DataFrame]:
        cohort = self._cohort(X)
        cohort = as_cohort(self._plain_table(X, reset=False) if cohort is None else cohort, image=self._image)
        columns = {name: self.columns_[name] for name in self.blocks_}
        if not isinstance(self.blocks, Mapping):
            for one in self.blocks_.values():
                keep_in(one, self.cache_dir)  # where to look may be said after the fit, as for other models
        return {name: block_table(one, cohort, columns[name]) for name, one in self.blocks_.items()}

    def _usable(self, wanted: Mapping[str, Any], cohort: Any) -> dict[str, pd.DataFrame]:
        """Keep the blocks that this cohort has, and return their tables."""
        self.blocks_, tables, self.left_out_ = usable_blocks(wanted, cohort)
        if not self.blocks_:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.left_out_.items())
            raise MissingModalityError(f"{type(self).__name__} has no block to learn from ({reasons}).")
        return tables

    def _fit_joint(
        self, tables: Mapping[str, pd.DataFrame], fit: Callable[[Any, pd.DataFrame], Any], weights: np.ndarray
    ) -> None:
        self.columns_ = {name: list(table.columns) for name, table in tables.items()}
        everything = joined(tables)
        self.joint_ = fit(self._model(), everything)
        self.own_ = {
            name: fit(clone(self.joint_) if len(tables) == 1 else self._model(), table)
            for name, table in tables.items()
        }
        joint, own = self._linear(self.joint_, everything), self._own_scores(tables)
        # Standardised and added; then scaled to spread as the joint model's score, which is shrunk as it should be.
        spreads = [max(_spread(one, weights), 1e-12) for one in (joint, own)]
        total = joint / spreads[0] + self.own_share * own / spreads[1]
        scale = _spread(joint, weights) / max(_spread(total, weights), 1e-12)
        self.share_ = (scale / spreads[0], self.own_share * scale / spreads[1])
        self.coef_, self.feature_names_in_ = self.joint_.coef_, self.joint_.feature_names_in_

    def _own_scores(self, tables: Mapping[str, pd.DataFrame]) -> Any:
        return np.sum([self._linear(self.own_[name], table) for name, table in tables.items()], axis=0)

    def _score(self, tables: Mapping[str, pd.DataFrame]) -> np.ndarray:
        return self.share_[0] * self._linear(self.joint_, joined(tables)) + self.share_[1] * self._own_scores(tables)

    def _parts(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """Return what each block adds to the score of each patient; NaN where a patient lacks the block."""
        columns = np.nan_to_num(self.joint_.scaler_.transform(joined(tables).to_numpy()))
        start, parts = 0, {}
        for name, table in tables.items():
            stop = start + table.shape[1]
            part = columns[:, start:stop] @ self.coef_[start:stop] * self.share_[0]
            part += self._linear(self.own_[name], table) * self.share_[1]
            parts[name] = np.where(absent(table), np.nan, part)
            start = stop
        return pd.DataFrame(parts, index=next(iter(tables.values())).index)


def _spread(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)))
