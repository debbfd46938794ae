"""From time and event to long or short PFS, and to weights that make up for censoring."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from prrt_estimators._arguments import keyword, parameter
from prrt_estimators._events import NO, YES
from prrt_estimators._text import plain_text
from prrt_estimators._values import read_numbers
from prrt_estimators.datasets._cells import number_problems, quote
from prrt_estimators.datasets._column_vocabulary import class_of_one
from prrt_estimators.datasets._competing import cause_problems, join_causes, read_competing
from prrt_estimators.datasets._options import Options, code_of, to_months
from prrt_estimators.datasets._roles import Roles
from prrt_estimators.datasets._tables import empty_cells
from prrt_estimators.exceptions import Problem

_LONG, _SHORT = frozenset(["long", "lang"]), frozenset(["short", "kurz"])
_SLIPS = 10  # more bad cells than this are another coding, not slips of the pen
_MAX_MEDIAN = 120.0  # months; a cohort's median PFS beyond ten years is a time in another unit


@dataclass
class Outcome:
    """What happened to each patient of the table, and who can be learnt from.

    Attributes
    ----------
    y : ndarray of float, shape (n,), or None
        1 long, 0 short, NaN unknown.
    time, event : ndarray of shape (n,), or None
        Months and whether progression was seen.
    weight : ndarray of shape (n,), or None
        Inverse-probability-of-censoring weights; 0 for a patient whose class is unknown.
    reasons : ndarray of str or None, shape (n,)
        Why a patient is left out.
    """

    y: np.ndarray | None
    time: np.ndarray | None
    event: np.ndarray | None
    weight: np.ndarray | None
    reasons: np.ndarray
    n_censored: int = 0
    cause: np.ndarray | None = None  # 0 censored, 1 progression, 2 death without progression
    written: np.ndarray | None = None  # the times in the unit of the table
    problems: list[Problem] = field(default_factory=list)


def read_outcome(frame: pd.DataFrame, roles: Roles, options: Options, ids: np.ndarray) -> Outcome:
    """Return the class of each patient, from a ready class column or from time, event and horizon."""
    outcome = Outcome(None, None, None, None, np.full(len(frame), None, dtype=object))
    if roles.time is not None:
        _read_times(frame, roles, ids, outcome, options)
    outcome.problems += cause_problems(options, roles.time is not None)
    if options.as_times:
        _take_times(frame, roles, options, outcome)
        return outcome
    if roles.target is not None:
        outcome.y = read_class(frame[roles.target], roles.target, ids, outcome.problems, options.target_codes)
        missing = empty_cells(frame[roles.target])
        outcome.reasons[missing] = f"no PFS class in column {roles.target!r}"
        if options.censored == "weight":
            remedy = (
                f"pass {keyword('target', None)} and name {keyword('time')} and {keyword('event')}, or use "
                f"{keyword('censored', 'drop')}"
            )
            what = f"{keyword('censored', 'weight')} needs times and events, not a ready class"
            outcome.problems.append(Problem(what, remedy, column=roles.target))
    elif outcome.time is not None and outcome.event is not None:
        _classify(outcome, outcome.time, outcome.event, options, roles.time or "")
    return outcome


def classify(time: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """Return 1 for progression-free beyond the horizon, 0 for progression up to it, NaN for censored before.

    Examples
    --------
    >>> classify(np.array([12.0, 12.0, 12.1, 5.0]), np.array([True, False, True, False]), 12.0)
    array([ 0.,  1.,  1., nan])
    """
    y = np.where(time > horizon, 1.0, np.where(event, 0.0, np.where(time < horizon, np.nan, 1.0)))
    return np.where(np.isnan(time), np.nan, y)


def censoring_weights(time: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    r"""Return inverse-probability-of-censoring weights for the class at a horizon.

    A patient whose class is known counts :math:`1 / G(\min(t, h)-)`, where :math:`G(u-)` is the Kaplan-Meier
    probability of not being censored before `u`; a patient censored before the horizon counts 0. The left limit
    makes the weights sum to the number of patients, and the weighted share of long PFS equal the Kaplan-Meier
    estimate :math:`S(h)`, ties included. Where nobody is censored exactly at `min(t, h)` it is :math:`G(\min(t, h))`.

    Parameters
    ----------
    time : ndarray of shape (n,)
        Months.
    event : ndarray of bool, shape (n,)
        Whether progression was seen; censoring at a time comes after the progressions at that time.
    horizon : float
        Months.

    Returns
    -------
    ndarray of shape (n,)

    References
    ----------
    Graf E et al. Assessment and comparison of prognostic classification schemes for survival data.
    Statistics in Medicine 1999. https://doi.org/10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5

    Examples
    --------
    >>> censoring_weights(np.array([3.0, 6.0, 9.0, 20.0]), np.array([True, False, True, True]), 12.0)
    array([1. , 0. , 1.5, 1.5])
    """
    # lifelines' fit to inverted events takes progressions tied with a censoring as still at risk, which biases G.
    moments = np.unique(time[~event])
    ordered, progressed = np.sort(time), np.sort(time[event])
    at_risk = len(time) - np.searchsorted(ordered, moments, "left")
    at_risk -= np.searchsorted(progressed, moments, "right") - np.searchsorted(progressed, moments, "left")
    lost = np.unique(time[~event], return_counts=True)[1]
    stay = np.concatenate([[1.0], np.cumprod(1.0 - lost / np.maximum(at_risk, 1))])
    before = stay[np.searchsorted(moments, np.minimum(time, horizon), "left")]
    known = ~np.isnan(classify(time, event, horizon))
    return np.divide(1.0, before, out=np.zeros(len(time)), where=known)


def _take_times(frame: pd.DataFrame, roles: Roles, options: Options, outcome: Outcome) -> None:
    """Keep everybody whose time is known, and say what stands in the way of learning from times."""
    word = options.as_times
    if word in frame.columns and word != roles.time:
        what = f"there is a column {word!r}, and target={word!r} asks for times"
        outcome.problems.append(Problem(what, "rename the column", column=word))
    if options.censored == "weight":
        what = f"censored='weight' is for classes; target={word!r} learns from censored patients as they are"
        outcome.problems.append(Problem(what, "leave it out"))
    if outcome.time is None or outcome.event is None:
        what, remedy = f"target={word!r} needs a column of times", "name it, e.g. time='pfs_months', event='progressed'"
        outcome.problems.append(Problem(what, remedy))
        return
    outcome.reasons[np.isnan(outcome.time)] = f"no time in column {roles.time!r}"
    timed = ~np.isnan(outcome.time)
    if timed.any() and not outcome.problems and not outcome.event[timed].any():
        what = f"nobody progressed among {int(timed.sum())} patients: there is nothing to learn from"
        outcome.problems.append(Problem(what, "check the event column and its coding", column=roles.event or ""))


def _classify(outcome: Outcome, time: np.ndarray, event: np.ndarray, options: Options, column: str) -> None:
    outcome.y = classify(time, event, options.horizon)
    untimed = np.isnan(time)
    censored = np.isnan(outcome.y) & ~untimed
    outcome.reasons[untimed] = f"no time in column {column!r}"
    outcome.reasons[censored] = f"censored before {options.horizon:g} months: class unknown"
    outcome.n_censored = int(censored.sum())
    if options.censored == "weight":
        outcome.weight = np.zeros(len(time))
        outcome.weight[~untimed] = censoring_weights(time[~untimed], event[~untimed], options.horizon)


def _read_times(frame: pd.DataFrame, roles: Roles, ids: np.ndarray, outcome: Outcome, options: Options) -> None:
    column = roles.time or ""
    cells = frame[column]
    read = read_numbers(cells, roles.commas)
    outcome.problems += number_problems(read, cells, ids, column)
    time = to_months(read.values, roles.time_unit or "months")
    for k in np.flatnonzero(time < 0):
        what = f"time is negative ({read.values[k]:g})"
        outcome.problems.append(Problem(what, "correct the time", patient=ids[k], column=column))
    for k in np.flatnonzero(read.limited):
        what = f"{quote(cells.iloc[k])} is a limit, expected a time"
        remedy = "write the time of the last follow-up, and 0 in the event column"
        outcome.problems.append(Problem(what, remedy, patient=ids[k], column=column))
    filled = time[np.isfinite(time)]
    if roles.time_unit is None and len(filled) and np.median(filled) > _MAX_MEDIAN:
        what = f"the median time is {np.median(filled):g}, too long for months"
        remedy = f"name the unit, e.g. {keyword('time_unit', 'days')}"
        outcome.problems.append(Problem(what, remedy, column=column))
    if roles.target is None and len(filled) > 2 and set(filled) <= {0.0, 1.0}:
        what = "holds only 0 and 1, like a class, not a time"
        outcome.problems.append(
            Problem(
                what, f"pass {keyword('time', None)}, {keyword('target', column)} if 1 means long PFS", column=column
            )
        )
    outcome.time, outcome.written = time, read.values
    problems = outcome.problems
    died = read_competing(frame, roles, options, problems, functools.partial(_deaths, roles, options, ids, problems))
    same = died if options.competing == roles.event else None
    outcome.event = _read_event(frame, roles, ids, outcome, ~read.empty, options.event_codes, same)
    if died is not None:
        outcome.cause = join_causes(outcome.event, died, roles, options, ids, problems)
        outcome.event = outcome.cause > 0


def _deaths(
    roles: Roles,
    options: Options,
    ids: np.ndarray,
    problems: list[Problem],
    cells: pd.Series,
    yes: frozenset[str],
    no: frozenset[str],
) -> np.ndarray:
    column, codes = str(options.competing), options.competing_codes
    known = _binary(cells, yes, no) if codes is None else _by_code(cells, codes, column, "competing", problems)
    if column != roles.event:  # else the reader of events reports what cannot be read
        bad = np.isnan(known) & (~empty_cells(cells) | _asks(cells))
        remedy = "write 1 for death without progression and 0 for every other patient, or name its code, e.g. "
        remedy += str(keyword("competing", (column, 2)))
        problems += _unread(cells, bad, ids, column, "expected 0 or 1", remedy)
    return known


def _read_event(
    frame: pd.DataFrame,
    roles: Roles,
    ids: np.ndarray,
    outcome: Outcome,
    timed: np.ndarray,
    codes: frozenset[str] | None,
    died: np.ndarray | None,
) -> np.ndarray:
    if roles.event is None:
        return np.ones(len(frame), dtype=bool)
    cells = frame[roles.event]
    known = _binary(cells, YES, NO) if codes is None else _by_code(cells, codes, roles.event, "event", outcome.problems)
    if died is not None:  # its code of death says that there was no progression
        known = np.where(np.isnan(known) & died, 0.0, known)
    empty = empty_cells(cells) & np.isnan(known) & ~_asks(cells)
    remedy = "write 1 for progression seen and 0 for censored at the time given"
    if died is None:
        remedy += f"; name a code of death without progression, e.g. {keyword('competing', (roles.event, 2))}"
    outcome.problems += _unread(cells, np.isnan(known) & ~empty, ids, roles.event, "expected 0 or 1", remedy)
    outcome.problems += [
        Problem("is empty, expected 0 or 1", remedy, patient=ids[k], column=roles.event)
        for k in np.flatnonzero(empty & timed)
    ]
    return known == 1.0


def read_class(
    cells: pd.Series, column: str, ids: np.ndarray, problems: list[Problem], codes: frozenset[str] | None
) -> np.ndarray:
    """Return 1 for long and 0 for short PFS as a class column has it, NaN where it is empty or not certain."""
    if codes is not None:
        return _by_code(cells, codes, column, "target", problems)
    one = class_of_one(column)
    if one is None:
        return _read_class_words(cells, column, problems)
    yes, no = (YES | _SHORT, NO | _LONG) if one == "short" else (YES | _LONG, NO | _SHORT)
    known = _binary(cells, yes, no)
    bad = np.isnan(known) & ~empty_cells(cells)
    problems += _unread(cells, bad, ids, column, "expected 0/1 or short/long", "write 1 or long for long PFS")
    return 1.0 - known if one == "short" else known


def _read_class_words(cells: pd.Series, column: str, problems: list[Problem]) -> np.ndarray:
    """Read a class column of which only the words short and long are certain."""
    known = _binary(cells, _LONG, _SHORT)
    if (np.isnan(known) & ~empty_cells(cells)).any():
        what = "might be the PFS class, but what its values mean is not certain from its name"
        remedy = (
            f"pass the value that means long PFS, e.g. {keyword('target', (column, 1))}, or write short and long in its "
            "cells"
        )
        problems.append(Problem(what, remedy, column=column))
    return known


def _by_code(
    cells: pd.Series, codes: frozenset[str], column: str, argument: str, problems: list[Problem]
) -> np.ndarray:
    """Return 1 where a cell holds one of the codes, 0 where it holds another value, NaN where it is empty."""
    empty = empty_cells(cells) | _asks(cells)
    hit = np.array([code_of(cell) in codes for cell in cells], dtype=bool)
    if not (hit & ~empty).any():
        found = ", ".join(quote(value) for value in list(dict.fromkeys(cells[~empty]))[:5])
        what = (
            f"holds none of the values of {parameter(argument)} ({', '.join(sorted(codes))}), but {found or 'nothing'}"
        )
        problems.append(Problem(what, f"correct {keyword(argument)}", column=column, argument=argument))
    return np.where(empty, np.nan, hit.astype(np.float64))


def _asks(cells: pd.Series) -> np.ndarray:
    """Return which cells say that something is not known, which is not to be empty."""
    return np.array(
        [isinstance(cell, str) and plain_text(cell).lower() in ("?", "unknown") for cell in cells], dtype=bool
    )


def _unread(
    cells: pd.Series, bad: np.ndarray, ids: np.ndarray, column: str, expected: str, remedy: str
) -> list[Problem]:
    """Return a problem for each bad cell, or one for the column where the coding as a whole is another one."""
    rows = np.flatnonzero(bad)
    if len(rows) <= _SLIPS:
        return [
            Problem(f"holds {quote(cells.iloc[k])}, {expected}", remedy, patient=ids[k], column=column) for k in rows
        ]
    values = ", ".join(quote(value) for value in list(dict.fromkeys(cells.iloc[rows]))[:5])
    what = f"holds {values} ({len(rows)} patients, this one first), {expected}"
    return [Problem(what, remedy, patient=ids[rows[0]], column=column)]


def _binary(cells: pd.Series, yes: frozenset[str], no: frozenset[str]) -> np.ndarray:
    """Return 1, 0 or NaN for each cell; a word for no means no even where it is one for an empty cell elsewhere."""
    empty = cells.isna().to_numpy(dtype=bool)
    result = np.full(len(cells), np.nan)
    for k, cell in enumerate(cells):
        if empty[k]:
            continue
        word = plain_text(cell).lower() if isinstance(cell, str) else str(cell).lower()
        word = word.removesuffix(".0")
        result[k] = 1.0 if word in yes else 0.0 if word in no else np.nan
    return result
