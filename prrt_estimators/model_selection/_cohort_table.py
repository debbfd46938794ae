"""The first table of a paper: who the patients are, by class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.utils import qth_survival_time
from numpy.typing import ArrayLike
from scipy import stats

from prrt_estimators._classes import as_target, check_same_order
from prrt_estimators._values import EMPTY, parse_column

GROUPS = ("short", "long", "all")


def cohort_table(
    X: Any, y: ArrayLike, *, categorical: Iterable[str] | None = None, followup: np.ndarray | None = None
) -> pd.DataFrame:
    r"""Describe a cohort by class: medians, counts, standardised differences, descriptive p values.

    Numbers are described by median and quartiles, categories by counts and percentages of the known values. The
    standardised mean difference is

    .. math:: \frac{\bar x_{long} - \bar x_{short}}{\sqrt{(s^2_{long} + s^2_{short}) / 2}}

    for numbers and, for a level of a category, the same with proportions *q* and variances :math:`q(1 - q)`. It
    does not depend on the number of patients; above 0.1 to 0.2 in size a difference is commonly called noteworthy.
    The p values (Mann-Whitney for numbers; Fisher's exact test for 2 x 2 counts, chi-square without correction for
    larger ones) are descriptive: many are made, and none is adjusted.

    Parameters
    ----------
    X : Cohort, mapping with "lab", or DataFrame of shape (n, k)
        Laboratory and clinical values; follow-up comes from ``X.survival`` where there is one.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    categorical : iterable of str, default=None
        Columns of numbers to count instead. ``None`` counts those that take at most two values. Columns of text or
        of true/false are always counted; text such as ``"<20"`` or ``"3,5"`` is read as a number.
    followup : structured array with ``event`` and ``time``, default=None
        Of everybody, those too whose class is unknown because they were censored early (``load_cohort(...).followup``):
        the Kaplan-Meier quartiles of all are theirs. Without it they are of the patients in `X`, which are too early where
        patients were left out.

    Returns
    -------
    DataFrame
        One row per number, and a row per level for categories:

        - ``variable``, ``level`` (empty for numbers), ``kind`` ("count", "number", "category", "kaplan-meier");
        - ``role``: "cohort", "predictor" or "outcome". Outcome rows (follow-up time, events, PFS by Kaplan-Meier)
          have no difference and no p value: the classes are made from them;
        - for each group *g* of short, long, all: ``n_known_g``, ``median_g``, ``q1_g``, ``q3_g``, ``count_g``,
          ``percent_g`` (NaN where it means nothing). In the Kaplan-Meier row the quartiles are the months by which
          a quarter, a half and three quarters have progressed; infinite where the curve does not fall so low;
        - ``smd``, ``p_value``, ``test``.

    Raises
    ------
    ValueError
        If `y` is not 0/1 or of another length, or `categorical` names a column that is not there.
    TypeError
        If `X` holds no table.

    See Also
    --------
    format_cohort_table : The same for print.

    References
    ----------
    Austin, "Balance diagnostics for comparing the distribution of baseline covariates", Statistics in Medicine
    2009, doi:10.1002/sim.3697.

    Examples
    --------
    >>> lab = pd.DataFrame({"CgA": [900, "<20", 300, 80], "sex": ["m", "f", "m", None]})
    >>> table = cohort_table(lab, [0, 1, 0, 1])
    >>> table[["variable", "level", "n_known_all", "median_all", "count_all"]]
       variable level  n_known_all  median_all  count_all
    0  patients                  4         NaN        4.0
    1       CgA                  4       190.0        NaN
    2       sex     f            3         NaN        1.0
    3       sex     m            3         NaN        2.0
    """
    lab = _lab_table(X)
    check_same_order(X if hasattr(X, "ids") else lab, y, ("X", "y"))
    long = _check_target(y, len(lab))
    forced = _check_categorical(categorical, lab)
    rows = [_row("patients", "count", "cohort", long, np.ones(len(long), bool), hits=np.ones(len(long), bool))]
    for name, column in lab.items():
        rows += _describe(str(name), column, long, None if forced is None else name in forced)
    survival = getattr(X, "survival", None)
    if survival is not None:
        everybody = survival if followup is None else followup
        rows += _outcome_rows(survival["event"].astype(bool), survival["time"].astype(np.float64), long, everybody)
    return pd.DataFrame(rows)


def format_cohort_table(table: pd.DataFrame) -> pd.DataFrame:
    """Turn a cohort table into text cells for print: ``cohort_table(X, y).pipe(format_cohort_table)``.

    Parameters
    ----------
    table : DataFrame
        From :func:`cohort_table`.

    Returns
    -------
    DataFrame
        Text columns ``variable`` (named once, with what its cells show), ``level``, ``known``, one column per group
        with its number of patients, ``SMD`` (long minus short) and ``p (descriptive)``.

    Examples
    --------
    >>> lab = pd.DataFrame({"CgA": [900, 20, 300, 80], "sex": ["m", "f", "m", "f"]})
    >>> text = cohort_table(lab, [0, 1, 0, 1]).pipe(format_cohort_table)
    >>> text["short PFS (n = 2)"].tolist()
    ['2 (50 %)', '600 [450, 750]', '0 (0 %)', '2 (100 %)']
    """
    shows = {
        "number": "median [quartiles]",
        "category": "n (%)",
        "count": "n (%)",
        "kaplan-meier": "median [quartiles]",
    }
    first = ~table.duplicated(["variable", "role"])
    total = {group: int(table[f"n_known_{group}"].iloc[0]) for group in GROUPS}
    columns: dict[str, list[str]] = {
        "variable": [
            f"{name}, {shows[kind]}" if new else ""
            for name, kind, new in zip(table["variable"], table["kind"], first, strict=True)
        ],
        "level": table["level"].tolist(),
        "known": [str(int(n)) if new else "" for n, new in zip(table["n_known_all"], first, strict=True)],
    }
    titles = {"short": "short PFS", "long": "long PFS", "all": "all"}
    for group in GROUPS:
        columns[f"{titles[group]} (n = {total[group]})"] = [_cell(row, group) for _, row in table.iterrows()]
    columns["SMD"] = ["" if math.isnan(value) else f"{value:.2f}" for value in table["smd"]]
    columns["p (descriptive)"] = [
        _p_text(value) if new else "" for value, new in zip(table["p_value"], first, strict=True)
    ]
    return pd.DataFrame(columns)


def _lab_table(X: Any) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        return X
    if isinstance(X, Mapping):
        if "lab" in X:
            return pd.DataFrame(X["lab"])
        length = len(next(iter(X.values()))) if len(X) else 0
        return pd.DataFrame(index=range(length))
    raise TypeError(
        f"`X` must be a Cohort, a mapping with 'lab', or a DataFrame; got {type(X).__name__}. "
        "Turn an array into a DataFrame with named columns."
    )


def _check_target(y: ArrayLike, n: int) -> np.ndarray:
    labels = as_target(y)
    if labels.shape != (n,) or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"`y` must hold 1 (long PFS) or 0 (short PFS) for each of {n} patients; got shape {labels.shape} with "
            f"values {sorted({str(value) for value in labels.ravel().tolist()})[:5]}."
        )
    return labels.astype(bool)


def _check_categorical(categorical: Iterable[str] | None, lab: pd.DataFrame) -> set[Any] | None:
    if categorical is None:
        return None
    named = {categorical} if isinstance(categorical, str) else set(categorical)
    unknown = sorted(str(name) for name in named if name not in lab.columns)
    if unknown:
        raise ValueError(f"`categorical` names {', '.join(unknown)}; the lab columns are {list(lab.columns)}.")
    return named


def _describe(name: str, column: pd.Series, long: np.ndarray, forced: bool | None) -> list[dict[str, Any]]:
    """Return one row for a number, one a level for a category; `forced` settles what numbers are."""
    if not pd.api.types.is_bool_dtype(column.dtype):
        numbers, text = parse_column(column)
        known = ~np.isnan(numbers)
        few = known.any() and len(np.unique(numbers[known])) <= 2
        if not text.any() and not (few if forced is None else forced):
            test, p = _mann_whitney(numbers, known, long)
            row = _row(name, "number", "predictor", long, known, values=numbers)
            return [row | {"smd": _smd(numbers[known], long[known]), "p_value": p, "test": test}]
    labels = np.array([_label(value) for value in column], dtype=object)
    known = labels != ""
    levels = sorted(set(labels[known]), key=_natural)
    test, p = _count_test(labels, levels, long)
    return [
        _row(name, "category", "predictor", long, known, hits=labels == level)
        | {
            "level": level,
            "smd": _smd((labels[known] == level).astype(float), long[known], proportions=True),
            "p_value": p,
            "test": test,
        }
        for level in levels
    ]


def _outcome_rows(event: np.ndarray, time: np.ndarray, long: np.ndarray, everybody: np.ndarray) -> list[dict[str, Any]]:
    known = np.ones(len(time), dtype=bool)
    curve = _row("PFS by Kaplan-Meier (months)", "kaplan-meier", "outcome", long, known)
    for group, member in _members(long).items():
        if member.any():
            times, events = (everybody["time"], everybody["event"]) if group == "all" else (time[member], event[member])
            fitter = KaplanMeierFitter().fit(times, events)
            for key, level in (("q1", 0.75), ("median", 0.5), ("q3", 0.25)):
                curve[f"{key}_{group}"] = float(qth_survival_time(level, fitter.survival_function_))
    return [
        _row("follow-up (months)", "number", "outcome", long, known, values=time),
        _row("progression seen", "category", "outcome", long, known, hits=event) | {"level": "yes"},
        curve,
    ]


def _row(
    name: str,
    kind: str,
    role: str,
    long: np.ndarray,
    known: np.ndarray,
    *,
    values: np.ndarray | None = None,
    hits: np.ndarray | None = None,
) -> dict[str, Any]:
    row: dict[str, Any] = {"variable": name, "level": "", "kind": kind, "role": role}
    for group, member in _members(long).items():
        here = member & known
        # "patients" are shares of the cohort; levels of a category are shares of the group's known values.
        whole = len(long) if kind == "count" else int(here.sum())
        quartiles = np.full(3, np.nan)
        if values is not None and here.any():
            quartiles = np.percentile(values[here], [25, 50, 75])
        count = math.nan if hits is None else float((hits & here).sum())
        row |= {
            f"n_known_{group}": int(here.sum()),
            f"median_{group}": float(quartiles[1]),
            f"q1_{group}": float(quartiles[0]),
            f"q3_{group}": float(quartiles[2]),
            f"count_{group}": count,
            f"percent_{group}": 100 * count / whole if whole else math.nan,
        }
    return row | {"smd": math.nan, "p_value": math.nan, "test": ""}


def _members(long: np.ndarray) -> dict[str, np.ndarray]:
    return {"short": ~long, "long": long, "all": np.ones(len(long), dtype=bool)}


def _smd(values: np.ndarray, long: np.ndarray, proportions: bool = False) -> float:
    one, other = values[long], values[~long]
    ddof = 0 if proportions else 1
    if min(len(one), len(other)) <= ddof:
        return math.nan
    difference = one.mean() - other.mean()
    spread = math.sqrt((one.var(ddof=ddof) + other.var(ddof=ddof)) / 2)
    if spread == 0:
        return 0.0 if difference == 0 else math.nan
    return float(difference / spread)


def _mann_whitney(numbers: np.ndarray, known: np.ndarray, long: np.ndarray) -> tuple[str, float]:
    one, other = numbers[known & long], numbers[known & ~long]
    if min(len(one), len(other)) == 0:
        return "", math.nan
    return "Mann-Whitney", float(stats.mannwhitneyu(one, other).pvalue)


def _count_test(labels: np.ndarray, levels: list[str], long: np.ndarray) -> tuple[str, float]:
    counts = np.array([[((labels == level) & (long == side)).sum() for side in (False, True)] for level in levels])
    if len(levels) < 2 or (counts.sum(axis=0) == 0).any():
        return "", math.nan
    if len(levels) == 2:
        return "Fisher", float(stats.fisher_exact(counts).pvalue)
    answer = stats.chi2_contingency(counts, correction=False)
    return "chi-square (expected < 5)" if answer.expected_freq.min() < 5 else "chi-square", float(answer.pvalue)


def _label(value: object) -> str:
    """Return the text of a cell, "" for an empty one; 1.0 and 1 are the same level."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return f"{value:g}"
    text = str(value).strip()
    return "" if text.lower() in EMPTY else text


def _natural(label: str) -> tuple[int, float, str]:
    try:
        return 0, float(label), ""
    except ValueError:
        return 1, 0.0, label


def _cell(row: pd.Series, group: str) -> str:
    if row["kind"] in ("count", "category"):
        count, percent = row[f"count_{group}"], row[f"percent_{group}"]
        return "-" if math.isnan(percent) else f"{int(count)} ({percent:.0f} %)"
    low, middle, high = (row[f"{key}_{group}"] for key in ("q1", "median", "q3"))
    if all(math.isnan(value) for value in (low, middle, high)):
        return "-"
    size = max((abs(value) for value in (low, middle, high) if math.isfinite(value)), default=0.0)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    low, middle, high = (
        f"{value:.{digits}f}" if math.isfinite(value) else "not reached" for value in (low, middle, high)
    )
    return f"{middle} [{low}, {high}]"


def _p_text(value: float) -> str:
    if math.isnan(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
