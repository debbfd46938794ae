"""Values that can be read but cannot be: warned of, never changed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from prrt_estimators._analytes import find_analyte, name_tokens, split_unit
from prrt_estimators.datasets._codings import without_coding
from prrt_estimators.datasets._words import guess_name

_LONGEST = 360.0  # months
_NAMED = 3  # patients that a warning spells out
#: Activities of clotting factors and lung volumes are given in per cent of the normal, which may be passed.
_OF_NORMAL = re.compile(r"quick|prothrombin|thromboplastin|\btpz\b|fa[ck]tor|antithrombin|\bfev|\bfvc")


def plausible_range(name: str) -> tuple[float, float] | None:
    """Return the least and the greatest value that a column of this name can hold, None where the name tells none.

    Examples
    --------
    >>> [plausible_range(name) for name in ("age", "Ki-67 (%)", "GGT [U/l]", "lymphocytes_%", "krenning")]
    [(0.0, 120.0), (0.0, 100.0), (0.0, inf), (0.0, 100.0), None]
    """
    said = guess_name(name)
    title = said.reason if said is not None and said.role == "lab" else ""
    if title == "age":
        return 0.0, 120.0
    text = " ".join(name_tokens(without_coding(name)))
    if title == "Ki-67" or (split_unit(without_coding(name))[1] == "%" and not _OF_NORMAL.search(text)):
        return 0.0, 100.0
    return (0.0, np.inf) if title == "body size" or find_analyte(name) is not None else None


def implausible_labs(lab: pd.DataFrame, ids: np.ndarray) -> list[str]:
    """Return a sentence for each predictor with values outside its range."""
    told = []
    for name in lab.columns:
        limits = plausible_range(name)
        if limits is None or lab[name].dtype != np.float64:
            continue
        low, high = limits
        values = lab[name].to_numpy()
        odd = np.flatnonzero(((values < low) | (values > high)) & np.isfinite(values))
        if len(odd):
            expected = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more"
            told.append(_sentence(name, values, odd, ids, expected))
    return told


def implausible_times(time: np.ndarray, ids: np.ndarray, column: str) -> list[str]:
    """Return a sentence if times, in months, are longer than any follow-up."""
    odd = np.flatnonzero((time > _LONGEST) & np.isfinite(time))
    return [_sentence(column, time, odd, ids, f"at most {_LONGEST:g} months")] if len(odd) else []


def _sentence(column: str, values: np.ndarray, odd: np.ndarray, ids: np.ndarray, expected: str) -> str:
    named = ", ".join(f"{values[k]:g} (patient {ids[k]})" for k in odd[:_NAMED])
    more = f" and {len(odd) - _NAMED} more patients" if len(odd) > _NAMED else ""
    return f"column {column!r} holds {named}{more}, expected {expected}: correct what is a slip; nothing was changed."
