"""Tables of other libraries as pandas tables, names and cells kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from prrt_estimators._text import plain_cell, quoted_cell, unquoted_cell


def as_frame(table: Any) -> Any:
    """Return a polars or pyarrow table as a DataFrame; anything else as it is.

    Examples
    --------
    >>> class Table:  # as pyarrow's
    ...     column_names = ["CgA"]
    ...     def to_pydict(self):
    ...         return {"CgA": [95.0, None]}
    >>> as_frame(Table()).columns.tolist(), as_frame([1])
    (['CgA'], [1])
    """
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "to_pydict") and hasattr(table, "column_names"):  # pyarrow
        return pd.DataFrame(table.to_pydict(), columns=list(table.column_names))
    if type(table).__module__.partition(".")[0] == "polars":
        if hasattr(table, "collect"):
            table = table.collect()
        if hasattr(table, "to_dict") and hasattr(table, "columns"):
            return pd.DataFrame(table.to_dict(as_series=False), columns=list(table.columns))
    return table


def check_column_names(table: pd.DataFrame) -> None:
    """Refuse a table whose columns cannot be told apart.

    Raises
    ------
    TypeError
        If it has several header rows.
    ValueError
        If a name occurs twice, also in another spelling.

    Examples
    --------
    >>> check_column_names(pd.DataFrame([[1.0, 2.0]], columns=["AST", "AST "]))
    Traceback (most recent call last):
    ...
    ValueError: 1 column name occurs more than once: 'AST'. Rename or remove all but one.
    """
    if table.columns.nlevels > 1:
        raise TypeError("a table must have one header row; got a DataFrame with a MultiIndex of columns.")
    plain = pd.Index([plain_cell(name) for name in table.columns], dtype=object)
    repeated = plain[plain.duplicated()].unique().tolist()
    if repeated:
        told = ", ".join(map(repr, repeated[:5])) + (", ..." if len(repeated) > 5 else "")
        names = "1 column name occurs" if len(repeated) == 1 else f"{len(repeated)} column names occur"
        raise ValueError(f"{names} more than once: {told}. Rename or remove all but one.")


def check_column_order(table: pd.DataFrame, fitted: Sequence[Any]) -> None:
    """Refuse a table with the columns of training in another order, as scikit-learn does, and name the remedy.

    Raises
    ------
    ValueError
        If the names are those of training and their order is not.

    Examples
    --------
    >>> check_column_order(pd.DataFrame([[1.0, 2.0]], columns=["ALT", "AST"]), ["AST", "ALT"])
    Traceback (most recent call last):
    ...
    ValueError: The feature names should match those that were passed during fit.
    Feature names must be in the same order as they were in fit.
    Pass table[model.feature_names_in_], the columns 'AST', 'ALT'.
    """
    names, wanted = list(table.columns), list(fitted)
    if names != wanted and len(names) == len(wanted) and set(names) == set(wanted):
        shown = ", ".join(map(repr, wanted[:5])) + (", ..." if len(wanted) > 5 else "")
        raise ValueError(
            "The feature names should match those that were passed during fit.\n"
            "Feature names must be in the same order as they were in fit.\n"
            f"Pass table[model.feature_names_in_], the columns {shown}."
        )


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text is in one spelling; the table itself where there is nothing to change."""
    changed = {}
    for k in range(frame.shape[1]):
        values = frame.iloc[:, k]
        if isinstance(values.dtype, pd.CategoricalDtype):
            levels = values.cat.categories
            if any(isinstance(level, str) and plain_cell(level) != level for level in levels):
                changed[k] = values.astype(object).map(plain_cell, na_action="ignore")
        elif values.dtype == object or isinstance(values.dtype, pd.StringDtype):
            plain = values.astype(object).map(plain_cell, na_action="ignore")
            if any(isinstance(new, str) and new != old for new, old in zip(plain, values, strict=True)):
                changed[k] = plain
    if not changed:
        return frame
    columns = [changed.get(k, frame.iloc[:, k]) for k in range(frame.shape[1])]
    return pd.concat(columns, axis=1).set_axis(frame.columns, axis=1)


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts no spreadsheet program takes for formulas; `from_spreadsheets` undoes it.

    Examples
    --------
    >>> table = pd.DataFrame({"patient_id": ["=1+1", "P2"], "p": [-0.5, 1.0]})
    >>> for_spreadsheets(table)["patient_id"].tolist(), from_spreadsheets(for_spreadsheets(table)).equals(table)
    (["'=1+1", 'P2'], True)
    """
    return _mapped(table, quoted_cell)


def from_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that `for_spreadsheets` quoted as it was."""
    return _mapped(table, unquoted_cell)


def _mapped(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    names = [change(name) for name in table.columns]
    texts = [
        k
        for k, kind in enumerate(table.dtypes)
        if pd.api.types.is_object_dtype(kind) or isinstance(kind, (pd.StringDtype, pd.CategoricalDtype))
    ]
    changed = {k: table.iloc[:, k].astype(object).map(change) for k in texts}
    changed = {k: new for k, new in changed.items() if not new.equals(table.iloc[:, k].astype(object))}
    if not changed and names == list(table.columns):
        return table
    columns = [changed.get(k, table.iloc[:, k]) for k in range(table.shape[1])]
    return pd.concat(columns, axis=1).set_axis(names, axis=1)
