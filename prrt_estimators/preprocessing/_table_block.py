"""Columns of a cohort that are a block of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._validation import as_cohort
from prrt_estimators._values import parse_column
from prrt_estimators.exceptions import MissingModalityError


class TableBlock(TransformerMixin, BaseEstimator):
    """Columns of a cohort's tables as one block of numbers, such as radiomics features.

    Parameters
    ----------
    columns : str or sequence of str
        Name of a block of the cohort (``X.blocks``), or the names of columns of its blocks and of its laboratory table.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
    n_features_in_ : int

    Raises
    ------
    MissingModalityError
        If a cohort has no block of this name.
    ValueError
        If a column is missing, or holds text or an infinity.

    Examples
    --------
    >>> from prrt_estimators import Cohort
    >>> X = Cohort({"lab": pd.DataFrame({"CgA": [90.0, 70.0]})}, blocks={"radiomics": pd.DataFrame({"stat_mean": [4.0, 5.0]})})
    >>> TableBlock("radiomics").fit_transform(X)["stat_mean"].tolist()
    [4.0, 5.0]
    """

    def __init__(self, columns: str | Sequence[str]):
        self.columns = columns

    def fit(self, X: Any, y: Any = None) -> TableBlock:
        """Keep the names of the columns.

        Parameters
        ----------
        X : Cohort or DataFrame
        y : ignored

        Returns
        -------
        self
        """
        table = self._table(X)
        self.feature_names_in_ = np.asarray([str(name) for name in table.columns], dtype=object)
        self.n_features_in_ = table.shape[1]
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the columns as float64, NaN where a cell is empty.

        Parameters
        ----------
        X : Cohort or DataFrame

        Returns
        -------
        DataFrame of shape (n, n_features)
        """
        check_is_fitted(self)
        table = self._table(X)
        missing = [name for name in self.feature_names_in_ if name not in table.columns]
        if missing:
            raise ValueError(f"columns of training are missing: {', '.join(missing[:5])}; pass the same table.")
        return pd.DataFrame({name: _numbers(table[name]) for name in self.feature_names_in_}, index=range(len(table)))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns."""
        check_is_fitted(self)
        return self.feature_names_in_

    def _table(self, X: Any) -> pd.DataFrame:
        cohort = as_cohort(X)
        if isinstance(self.columns, str):
            if self.columns not in cohort.blocks:
                has = ", ".join(cohort.blocks) or "none"
                raise MissingModalityError(f"this cohort has no block {self.columns!r}; it has {has}.")
            return cohort.blocks[self.columns]
        tables = [*cohort.blocks.values(), *([cohort["lab"]] if "lab" in cohort else [])]
        found = {str(name): table[name] for table in reversed(tables) for name in table.columns}
        missing = [name for name in self.columns if name not in found]
        if missing:
            raise ValueError(
                f"no table of the cohort has the columns {', '.join(missing[:5])}; correct the block's names."
            )
        return pd.DataFrame({name: found[name].to_numpy() for name in self.columns})


def _numbers(cells: pd.Series) -> np.ndarray:
    values, text = parse_column(cells)
    if text.any() or np.isinf(values).any():
        what = "text" if text.any() else "an infinity"
        raise ValueError(
            f"column {cells.name!r} of a block holds {what}; write numbers, and leave unknown values empty."
        )
    return values
