"""Multiples of an upper limit of normal beside the values themselves: one thing twice among the predictors."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from prrt_estimators._analytes import analyte_columns, find_analyte, over_limit
from prrt_estimators.datasets._tables import empty_cells


def repeated_ratios(frame: pd.DataFrame, predictors: Iterable[str]) -> dict[str, str]:
    """Return the columns of multiples that repeat a column of values, with the reason for leaving them out.

    Parameters
    ----------
    frame : DataFrame of shape (n, k)
    predictors : iterable of str
        Columns that are recognised as predictors.

    Examples
    --------
    >>> table = pd.DataFrame({"cga_ug_l": [90.0, None], "cga_over_uln": [0.9, 2.1], "ast_over_uln": [1.0, 1.2]})
    >>> repeated_ratios(table, table.columns)
    {'cga_over_uln': "chromogranin A over its limit; 'cga_ug_l' holds the values themselves, 1 patient has only the ratio"}
    """
    filled = {name: ~empty_cells(frame[name]) for name in predictors}
    values = analyte_columns(name for name in filled if filled[name].any() and not over_limit(name))
    reasons = {}
    for name in filter(over_limit, filled):
        analyte = find_analyte(name)
        if analyte is None or analyte.name not in values:
            continue
        column = values[analyte.name]
        alone = int((filled[name] & ~filled[column]).sum())
        reasons[name] = f"{analyte.title} over its limit; {column!r} holds the values themselves"
        if alone:
            reasons[name] += f", {alone} patient{'s have' if alone > 1 else ' has'} only the ratio"
    return reasons
