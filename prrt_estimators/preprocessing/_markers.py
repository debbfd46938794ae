"""Published laboratory markers of outcome after PRRT, relative to the limits of normal."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._analytes import analyte_columns, limit_factor, over_limit, unit_factor
from prrt_estimators._forms import plain_form
from prrt_estimators._pandas_tables import check_column_names
from prrt_estimators._sex import read_sex, says_sex
from prrt_estimators._validation import as_cohort
from prrt_estimators._values import decimal_commas, read_numbers
from prrt_estimators.exceptions import MarkersMissingWarning

#: Sexes that limits are told for; others have the mean.
_LIMITED = {"male": "male", "female": "female"}


class LiteratureMarkers(TransformerMixin, BaseEstimator):
    """Chromogranin A / ULN, De Ritis ratio (AST/ALT) and creatinine / ULN, as far as a table holds them.

    Columns are recognised by name and their unit, where the name has one, is converted. The upper limit of normal
    (ULN) is that of the patient's sex if there is a column of it, else the mean of both. Where the table holds a value
    only as a multiple of its limit (``cga_over_uln``), that is the marker. The De Ritis ratio needs AST and ALT
    themselves, whose limits differ between laboratories.

    Attributes
    ----------
    markers_ : list of str
        Which of ``"cga_uln"``, ``"de_ritis"``, ``"creatinine_uln"`` the table gives.
    left_out_ : dict of str to str
        Markers that columns of the table nearly give, and why they do not.

    References
    ----------
    Chen et al. 2022 (CgA, creatinine over ULN); Ruhwedel et al. 2021 (De Ritis ratio, CgA).

    Examples
    --------
    >>> table = pd.DataFrame({"CgA [ug/l]": [300.0], "AST": [40.0], "ALT": [20.0], "age": [60]})
    >>> LiteratureMarkers().fit_transform(table).to_dict("list")
    {'cga_uln': [3.0], 'de_ritis': [2.0]}
    """

    def fit(self, X: Any, y: Any = None) -> LiteratureMarkers:
        """Find the columns.

        Parameters
        ----------
        X : DataFrame of shape (n, k), or Cohort with ``"lab"``
        y : ignored

        Returns
        -------
        self
        """
        table = self._named(X)
        self.columns_: dict[str, str] = {
            analyte: name
            for analyte, name in analyte_columns(table.columns).items()
            if analyte in ("cga", "ast", "alt", "creatinine")
        }
        relative = [self.columns_[one] for one in ("ast", "alt") if over_limit(self.columns_.get(one, ""))]
        self.left_out_: dict[str, str] = {}
        if relative and {"ast", "alt"} <= set(self.columns_):
            self.left_out_["de_ritis"] = (
                f"{' and '.join(relative)} are multiples of the upper limit of normal; AST / ALT needs the values themselves"
            )
        for marker, why in self.left_out_.items():
            warnings.warn(f"the marker {marker!r} is left out: {why}.", MarkersMissingWarning, stacklevel=2)
        self.n_features_in_ = table.shape[1]
        self.feature_names_in_ = np.asarray(table.columns, dtype=object)
        sexes = [name for name in table.columns if says_sex(name)]
        self.commas_ = decimal_commas(table.iloc[:, k] for k in range(table.shape[1]))
        self.sex_column_ = sexes[0] if sexes else None
        known = self.columns_
        self.markers_ = [
            marker
            for marker, needed in (
                ("cga_uln", {"cga"}),
                ("de_ritis", {"ast", "alt"}),
                ("creatinine_uln", {"creatinine"}),
            )
            if needed <= set(known) and marker not in self.left_out_
        ]
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the markers; missing where a value is.

        Parameters
        ----------
        X : DataFrame of shape (n, k), or Cohort with ``"lab"``

        Returns
        -------
        DataFrame of shape (n, n_markers)
        """
        check_is_fitted(self)
        table = self._named(X)
        columns = {}
        for marker in self.markers_:
            if marker == "de_ritis":
                alt = self._values(table, "alt")
                columns[marker] = self._values(table, "ast") / np.where(alt > 0, alt, np.nan)
            else:
                columns[marker] = self._over_limit(table, marker.removesuffix("_uln"))
        return pd.DataFrame(columns, index=table.index)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the markers."""
        check_is_fitted(self)
        return np.array(self.markers_, dtype=object)

    @staticmethod
    def _named(X: Any) -> pd.DataFrame:
        X = plain_form(X)
        table = X if isinstance(X, pd.DataFrame) else as_cohort(X)["lab"]
        check_column_names(table)
        return table.set_axis([str(name) for name in table.columns], axis=1)

    def _values(self, table: pd.DataFrame, analyte: str) -> np.ndarray:
        return self._numbers(table, analyte) * unit_factor(self.columns_[analyte])

    def _numbers(self, table: pd.DataFrame, analyte: str) -> np.ndarray:
        name = self.columns_[analyte]
        commas = getattr(self, "commas_", False) or decimal_commas(table.iloc[:, k] for k in range(table.shape[1]))
        read = read_numbers(table[name], commas)
        if read.ambiguous.any():
            cell = table[name].to_numpy()[read.ambiguous][0]
            raise ValueError(
                f"column {name!r} holds {cell!r}, which could mean two numbers. Write it without a thousands separator."
            )
        return read.values

    def _over_limit(self, table: pd.DataFrame, name: str) -> np.ndarray:
        sexes = [None] * len(table) if self.sex_column_ is None else table[self.sex_column_].tolist()
        factors = [limit_factor(self.columns_[name], _LIMITED.get(read_sex(sex) or "")) for sex in sexes]
        return self._numbers(table, name) * np.array(factors, dtype=float)
