"""Who a model was fitted on, in numbers that tell of no single patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators._survival import as_survival
from prrt_estimators._targets import TARGETS
from prrt_estimators._validation import as_cohort
from prrt_estimators._values import EMPTY, parse_column
from prrt_estimators.cohort import Volumes
from prrt_estimators.contours import count_corrected
from prrt_estimators.persistence._small_cells import MIN_CELL, SMALL, WITHHELD, suppress, with_share

#: Medians and quartiles stand on at least so many patients.
MIN_KNOWN = 10

_OTHER = "other"
_MISSING = "missing"


def describe_cohort(X: Any, y: Any, modalities: Sequence[str] | None = None, target: Any = None) -> list[str] | None:
    """Return lines of Markdown on the patients; None if none are given.

    Parameters
    ----------
    X : Cohort, mapping, table, array or None
    y : array of shape (n,) or None
    modalities : sequence of str, default=None
        What the model takes; the rest of X is not described. None describes everything.
    target : Target, default=None
        What y is; classes or times, as y looks, if None.

    Raises
    ------
    ValueError
        If they differ in length.
    """
    if X is None and y is None:
        return None
    cohort = None
    # An array of volumes does not tell which modality it is: its patients are counted.
    if X is not None and getattr(X, "ndim", 2) == 2 and not isinstance(X, Volumes):
        cohort = as_cohort(X)
    y = None if y is None else _as_array(y)
    n = len(y) if X is None else len(X) if cohort is None else len(cohort)
    if y is not None and len(y) != n:
        raise ValueError(f"X holds {n} patients and y {len(y)}; pass those that the model was fitted on.")
    if n < MIN_CELL:
        return [f"Patients: {SMALL}. Nothing else is shown of so few."]
    lines = [f"Patients: {n}." + ("" if y is None else _outcomes(y, n, target))]
    rows = []
    if cohort is not None:
        described = [name for name in cohort.modalities if modalities is None or name in modalities]
        for name in described:
            if name in IMAGING:
                rows.append((MODALITIES[name].title, "scan", _missing(n - int(np.sum(cohort[name].present)), n)))
        if "lab" in described:
            table = cohort["lab"]
            rows += [(code(name), *_column(table.iloc[:, k], n)) for k, name in enumerate(table.columns)]
    corrected = 0 if cohort is None else count_corrected(cohort)[0]
    if corrected:
        texts = suppress({"corrected": corrected, "not corrected": n - corrected})
        lines += [
            "",
            f"Lesions corrected by hand: {WITHHELD if texts is None else texts['corrected']} of {n} patients.",
        ]
    if rows:
        lines += ["", "| input | values | missing |", "|---|---|---|"]
        lines += [f"| {name} | {shown} | {missing} |" for name, shown, missing in rows]
    return lines


def _as_array(y: Any) -> np.ndarray:
    """Return y as an array; times in their one form."""
    try:
        return as_survival(y)
    except (TypeError, ValueError):
        return np.asarray(y)


def _outcomes(y: np.ndarray, n: int, target: Any) -> str:
    """Return a sentence on how many patients have each outcome, with a blank before it."""
    if target is None or y.dtype.names:
        target = TARGETS["time" if y.dtype.names else "class"]
    counts = target.counted(y)
    if counts is None:
        return ""
    texts = suppress(counts)
    if not texts:
        return " How many of each class is not shown."
    said = "; ".join(f"{name}: {with_share(texts[name], n)}" for name in counts)
    return f" {said[0].upper()}{said[1:]}."


def _missing(missing: int, n: int) -> str:
    """Return how many lack something. Who has it is the rest, and is not told beside it."""
    texts = suppress({"there": n - missing, _MISSING: missing})
    return WITHHELD if texts is None else with_share(texts[_MISSING], n)


def _column(values: pd.Series, n: int) -> tuple[str, str]:
    """Return what a column holds and how often it is empty."""
    if _is_category(values):
        return _categories(values, n)
    numbers, text = parse_column(values)
    known = numbers[~np.isnan(numbers)]
    if text.any() or len(np.unique(known)) <= 2:
        return _categories(values, n)
    missing = _missing(n - len(known), n)
    if len(known) < MIN_KNOWN:
        return "too few to show", missing
    # Rounded, because a median can be the value of one patient.
    low, middle, high = (_rounded(value) for value in np.percentile(known, [25, 50, 75]))
    return f"median {middle} (quartiles {low} to {high})", missing


def _is_category(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(values.dtype)


def _categories(values: pd.Series, n: int) -> tuple[str, str]:
    """Return the counts of categories; those of few patients are counted together and not named."""
    labels = pd.Series([_label(value) for value in values])
    found = labels[labels != ""].value_counts()
    counts = {str(label): int(count) for label, count in found.items() if count >= MIN_CELL}
    rare, empty = int(found[found < MIN_CELL].sum()), int((labels == "").sum())
    cells = {f"level {label}": count for label, count in counts.items()} | {_OTHER: rare, _MISSING: empty}
    texts = suppress(cells)
    if texts is None:
        return WITHHELD, WITHHELD
    shown = [f"{code(label)} {with_share(texts[f'level {label}'], n)}" for label in counts]
    if rare:
        shown.append(f"{_OTHER} {with_share(texts[_OTHER], n)}")
    return ", ".join(shown), with_share(texts[_MISSING], n)


def _label(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return f"{value:g}"
    text = str(value).strip()
    return "" if text.lower() in EMPTY else text


def _rounded(value: float) -> str:
    """Return a number with two digits that mean something."""
    text = f"{value:.2g}"
    return f"{float(text):.0f}" if "e+" in text else text


def code(text: Any) -> str:
    """Return text as a code span that cannot break out of a Markdown table."""
    plain = " ".join(str(text).replace("`", "'").replace("|", "/").split())
    return f"`{plain}`"
