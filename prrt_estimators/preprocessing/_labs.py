"""Laboratory values and clinical columns, as they come, to numbers for a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from prrt_estimators._analytes import find_analyte
from prrt_estimators._forms import plain_form
from prrt_estimators._pandas_tables import check_column_names, check_column_order
from prrt_estimators._values import decimal_commas, is_error_cell, read_numbers
from prrt_estimators.preprocessing._categories import category_text, is_nothing, known_spellings, sex_spellings


class PositiveLog(TransformerMixin, BaseEstimator):
    """Natural logarithm of positive, right-skewed values; missing stays missing.

    Zero and negative values, which a concentration cannot take, count as half the smallest positive value seen in
    `fit` (a value rounded down to nothing).
    """

    def fit(self, X: Any, y: Any = None) -> PositiveLog:
        """Learn the smallest positive value of each column."""
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        positive = np.where(X > 0, X, np.inf).min(axis=0)
        self.floor_ = np.where(np.isfinite(positive), positive / 2, 1.0)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the logarithms, shape as given."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return np.log(np.where(X > 0, X, np.where(np.isnan(X), np.nan, self.floor_)))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the column names unchanged."""
        names = getattr(self, "feature_names_in_", input_features)
        return np.asarray([f"x{k}" for k in range(self.n_features_in_)] if names is None else names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class LabPreprocessor(TransformerMixin, BaseEstimator):
    """Impute, log-transform, scale and one-hot encode a laboratory table.

    Numeric columns are imputed with the training median (a column that had gaps in training also gives an
    indicator), analytes that rise over orders of magnitude enter as logarithms, and all are scaled to zero mean and
    unit variance. Columns of text or categories are one-hot encoded; a category not seen in training gives zeros, with a
    warning. Sexes are one category however they are written.
    Numbers may be written as laboratories write them: ``"<20"``, ``"3,5"``.

    Parameters
    ----------
    log : "auto", sequence of column names or None, default="auto"
        Columns to take the logarithm of; "auto" knows the analytes of the PRRT panel by name.
    indicators : bool, default=True
        Whether gaps give an indicator column.
    scale : bool, default=True
        Whether numeric columns are scaled.

    Attributes
    ----------
    numeric_, categorical_, logged_ : list
        Input columns by treatment.
    transformer_ : ColumnTransformer
        What does the work.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the columns have names.

    Examples
    --------
    >>> table = pd.DataFrame({"cga": ["<20", "1000", None], "sex": ["f", "m", "f"]})
    >>> LabPreprocessor(scale=False).fit_transform(table).round(1).tolist()
    [[2.3, 0.0, 1.0, 0.0], [6.9, 0.0, 0.0, 1.0], [4.6, 1.0, 1.0, 0.0]]
    """

    def __init__(self, *, log: Any = "auto", indicators: bool = True, scale: bool = True):
        self.log = log
        self.indicators = indicators
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> LabPreprocessor:
        """Learn medians, scales and categories.

        Parameters
        ----------
        X : DataFrame or array of shape (n, k)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a column mixes numbers with text, or a value is infinite.
        """
        table = self._table(X, reset=True)
        self.commas_ = decimal_commas(table[name] for name in table.columns)
        self.numeric_: list[Any] = []
        self.categorical_: list[Any] = []
        for name in table.columns:
            (self.categorical_ if _is_categorical(table[name]) else self.numeric_).append(name)
        self.spellings_ = {name: sex_spellings(name, category_text(table[name])) for name in self.categorical_}
        self.logged_ = [name for name in self.numeric_ if self._wants_log(name)]
        plain = [name for name in self.numeric_ if name not in self.logged_]
        self.transformer_ = ColumnTransformer(
            [
                ("log", self._numeric_steps(log=True), self.logged_),
                ("plain", self._numeric_steps(log=False), plain),
                # Unscaled: one gap among fifty patients would otherwise become an outlier of seven deviations.
                ("gap", MissingIndicator(error_on_new=False), self.numeric_ if self.indicators else []),
                ("category", OneHotEncoder(handle_unknown="ignore", sparse_output=False), self.categorical_),
            ],
            verbose_feature_names_out=False,
        )
        self.transformer_.fit(self._parsed(table, {}))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the table as numbers.

        Parameters
        ----------
        X : DataFrame or array of shape (n, k)

        Returns
        -------
        ndarray of float64, shape (n, n_features_out)
        """
        check_is_fitted(self)
        table = self._table(X, reset=False)
        encoder = self.transformer_.named_transformers_["category"] if self.categorical_ else None
        levels = {} if encoder is None else dict(zip(self.categorical_, encoder.categories_, strict=True))
        return np.asarray(self.transformer_.transform(self._parsed(table, levels)), dtype=np.float64)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out()

    def _numeric_steps(self, *, log: bool) -> Pipeline:
        steps: list[tuple[str, Any]] = [("log", PositiveLog())] if log else []
        steps.append(("impute", SimpleImputer(strategy="median", keep_empty_features=True)))
        if self.scale:
            steps.append(("scale", StandardScaler()))
        return Pipeline(steps)

    def _wants_log(self, name: Any) -> bool:
        if self.log is None:
            return False
        if isinstance(self.log, str):
            if self.log != "auto":
                raise ValueError(f"`log` must be 'auto', None or a list of columns; got {self.log!r}.")
            analyte = find_analyte(name) if isinstance(name, str) else None
            return analyte is not None and analyte.log
        return name in self.log

    def _table(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """Check a table as scikit-learn does, but keep text, categories and gaps."""
        X = plain_form(X)
        if isinstance(X, pd.DataFrame):
            check_column_names(X)
            if not reset and hasattr(self, "feature_names_in_"):
                check_column_order(X, self.feature_names_in_)
        if isinstance(X, pd.DataFrame) and not isinstance(X.columns, pd.RangeIndex):
            validate_data(self, X, skip_check_array=True, reset=reset)
            if X.shape[0] < 1 or X.shape[1] < 1:
                raise ValueError(
                    f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) (shape={X.shape}) while a "
                    "minimum of 1 is required by LabPreprocessor."
                )
            if any(np.iscomplexobj(X[name]) for name in X.columns):
                raise ValueError("Complex data not supported by LabPreprocessor.")
            if not reset and list(X.columns) != (fitted := self._fitted_names()):
                # Names here and numbers in training, or the reverse, which scikit-learn has warned of: by position, as in an array.
                X = X.set_axis(fitted, axis=1)
            return X.reset_index(drop=True)
        if isinstance(X, pd.DataFrame):
            X = X.to_numpy()
        text = isinstance(getattr(X, "dtype", None), np.dtypes.ObjectDType) and any(
            isinstance(cell, str) for cell in np.ravel(X)
        )
        array = validate_data(
            self,
            X,
            reset=reset,
            dtype=None if text else "numeric",
            ensure_all_finite=False if text else "allow-nan",
        )
        return pd.DataFrame(array, columns=self._fitted_names())

    def _fitted_names(self) -> list[Any]:
        """Return the names of the columns in training; x0, x1, ... where it had none."""
        return list(getattr(self, "feature_names_in_", [f"x{k}" for k in range(self.n_features_in_)]))

    def _parsed(self, table: pd.DataFrame, levels: dict[Any, Any]) -> pd.DataFrame:
        """Return numbers and category texts; `levels` are those of training, empty in training."""
        columns: dict[Any, Any] = {}
        commas = getattr(self, "commas_", False) or decimal_commas(table[name] for name in table.columns)
        for name in self.numeric_:
            read = read_numbers(table[name], commas)
            if read.text.any():
                cell = table[name].to_numpy()[read.text][0]
                raise ValueError(
                    f"column {name!r} holds numbers in training but {cell!r} here; write a number or leave it empty."
                )
            if read.ambiguous.any():
                cell = table[name].to_numpy()[read.ambiguous][0]
                raise ValueError(
                    f"column {name!r} holds {cell!r}, which could mean two numbers. Write it without a thousands separator."
                )
            if np.isinf(read.values).any():
                raise ValueError(f"Input X contains infinity in column {name!r}; leave unknown values empty.")
            columns[name] = read.values
        for name in self.categorical_:
            spellings = getattr(self, "spellings_", {}).get(name, {})
            texts = category_text(table[name], levels.get(name, ()))
            if name in levels:
                spellings = {**spellings, **known_spellings(name, texts, levels[name], spellings)}
            columns[name] = np.array([spellings.get(text, text) for text in texts], dtype=object)
        return pd.DataFrame(columns, index=table.index)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def prepared_from(preprocessor: LabPreprocessor) -> tuple[list[str], np.ndarray]:
    """Return the columns of the table and, for each prepared column, the position of the one that it comes from."""
    given = getattr(preprocessor, "feature_names_in_", None)
    names = [f"x{k}" for k in range(preprocessor.n_features_in_)] if given is None else [str(name) for name in given]
    place = {name: k for k, name in enumerate(names)}
    transformer = preprocessor.transformer_
    owner = np.full(len(preprocessor.get_feature_names_out()), -1)
    for key, part, columns in transformer.transformers_:
        if not len(columns):
            continue
        where = transformer.output_indices_[key]
        if key == "gap":
            origin = [columns[feature] for feature in part.features_]
        elif key == "category":
            origin = [name for name, values in zip(columns, part.categories_, strict=True) for _ in range(len(values))]
        else:
            origin = list(columns)
        owner[where] = [place[str(name)] for name in origin]
    return names, owner


def _is_categorical(values: pd.Series) -> bool:
    if any(is_error_cell(value) for value in values if isinstance(value, str)):
        raise ValueError(
            f"column {values.name!r} holds an error of a spreadsheet, or a formula without a value; correct it or leave the "
            "cell empty."
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        return True
    text = read_numbers(values).text
    if text.any() and not text[_filled(values)].all():
        cell = values.to_numpy()[text][0]
        raise ValueError(
            f"column {values.name!r} mixes numbers with text such as {cell!r}; write a number or leave it empty, or "
            "make it a pandas 'category' column."
        )
    return bool(text.any())


def _filled(values: pd.Series) -> np.ndarray:
    return np.array([not is_nothing(value) for value in values], dtype=bool)
