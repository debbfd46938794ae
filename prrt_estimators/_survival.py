"""Times to progression: one form of y, and the curves that are estimated from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._events import as_events
from prrt_estimators._pandas_tables import as_frame

#: What every survival target is inside.
SURVIVAL = np.dtype([("event", bool), ("time", np.float64)])

#: 97.5 % quantile of the normal distribution.
_NORMAL = 1.959963984540054

#: Causes that a table with a column of deaths without progression holds, in the order of its codes.
CAUSES = ("censored", "progression", "death without progression")

_FORM = (
    "a structured array with the fields `event` (progression seen) and `time` (months), as load_cohort(..., "
    "target='survival') returns it"
)


def as_survival(y: Any, *, name: str = "y", n: int | None = None) -> np.ndarray:
    """Return times to progression as a structured array with the fields ``event`` and ``time``.

    Parameters
    ----------
    y : structured array, DataFrame, mapping or pair of arrays
        With ``event`` and ``time``; of a pair (or a list of pairs), the truth values are the events, and numbers alone
        are refused, because their order is not known.
    name : str, default="y"
        For messages.
    n : int, default=None
        Patients that it must have.

    Raises
    ------
    TypeError
        If y is of another kind, such as a class for each patient.
    ValueError
        If a time is missing, negative or infinite, an event is of an unknown coding such as 1 and 2, or the number of
        patients is wrong.

    Examples
    --------
    >>> as_survival({"event": ["yes", "no"], "time": [3, 20]}).tolist()
    [(True, 3.0), (False, 20.0)]
    >>> as_survival(([True, False], [3.0, 20.0]))["time"].tolist()
    [3.0, 20.0]
    """
    event, time = _parts(as_frame(y), name)
    try:
        months = np.asarray(time, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"the times of `{name}` must be numbers of months; got {np.asarray(time).dtype}.") from None
    seen = np.asarray(event)
    if months.ndim != 1 or seen.shape != months.shape:
        raise ValueError(
            f"`{name}` must have one event and one time per patient; got shapes {seen.shape} and {months.shape}."
        )
    if n is not None and len(months) != n:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: [{n}, {len(months)}]. `{name}` must have one "
            "row per patient."
        )
    wrong = np.flatnonzero(~(np.isfinite(months) & (months >= 0)))
    if len(wrong):
        raise ValueError(
            f"the times of `{name}` must be months of at least 0 for every patient; {len(wrong)} are not, row {wrong[0]} "
            f"has {months[wrong[0]]:g}. Correct it, or leave the patient out."
        )
    result = np.empty(len(months), dtype=SURVIVAL)
    result["event"], result["time"] = as_events(seen, f"{name}['event']"), months
    return result


def is_survival(y: Any) -> bool:
    """Return whether y holds times by name: a structured array, a DataFrame or a mapping.

    Examples
    --------
    >>> is_survival({"event": [1], "time": [3.0]}), is_survival([0, 1])
    (True, False)
    """
    names = getattr(getattr(y, "dtype", None), "names", None)
    if names is None and isinstance(y, (pd.DataFrame, Mapping)):
        names = list(y)
    return len(names or ()) > 1


def _parts(y: Any, name: str) -> tuple[Any, Any]:
    """Return events and times of whatever holds both by name, or in an order that its kinds make certain."""
    if y is None:
        raise ValueError(f"requires y to be passed, but the target y is None; `{name}` must be {_FORM}.")
    if isinstance(y, (pd.DataFrame, Mapping)):
        return _by_name(y, list(y.columns if isinstance(y, pd.DataFrame) else y), name)
    fields = getattr(getattr(y, "dtype", None), "names", None)
    if fields:
        return _by_name(y, list(fields), name)
    if isinstance(y, tuple) and len(y) == 2 and all(np.ndim(part) == 1 for part in y):
        return _by_kind(y[0], y[1], name)
    rows: list[Any] = y if isinstance(y, list) else []
    if rows and all(isinstance(row, tuple) and len(row) == 2 for row in rows):
        return _by_kind([row[0] for row in rows], [row[1] for row in rows], name)
    raise TypeError(f"`{name}` must be {_FORM}; got {_kind(y)}. A class for each patient is what classifiers learn.")


def _by_name(y: Any, names: list[Any], name: str) -> tuple[Any, Any]:
    lower = [str(one).lower() for one in names]
    if lower.count("event") != 1 or lower.count("time") != 1:
        raise ValueError(
            f"`{name}` must have the fields `event` and `time`; it has {', '.join(map(str, names))}. Rename them, with "
            "the time in months."
        )
    return tuple(y[names[lower.index(one)]] for one in ("event", "time"))


def _by_kind(first: Any, second: Any, name: str) -> tuple[Any, Any]:
    """Tell events from times where one of the two holds truth values."""
    truth = [np.asarray(part).dtype == bool for part in (first, second)]
    if truth == [True, False]:
        return first, second
    if truth == [False, True]:
        return second, first
    raise TypeError(
        f"which part of `{name}` holds events and which times is not certain; got {np.asarray(first).dtype} and "
        f"{np.asarray(second).dtype}. Pass {_FORM}, or {{'event': ..., 'time': ...}}."
    )


def _kind(y: Any) -> str:
    shape, dtype = getattr(y, "shape", None), getattr(y, "dtype", None)
    return f"{type(y).__name__} of shape {shape} and dtype {dtype}" if dtype is not None else type(y).__name__


@dataclass(frozen=True)
class StepCurve:
    """A curve that is 1 at first and changes at given times.

    Parameters
    ----------
    times : ndarray of shape (m,)
        Ascending.
    values : ndarray of shape (m,)
        From each time on.
    """

    times: np.ndarray
    values: np.ndarray

    def at(self, moments: Any) -> np.ndarray:
        """Return the values at some moments, steps included."""
        return np.concatenate([[1.0], self.values])[np.searchsorted(self.times, moments, "right")]

    def before(self, moments: Any) -> np.ndarray:
        """Return the values just before some moments."""
        return np.concatenate([[1.0], self.values])[np.searchsorted(self.times, moments, "left")]

    def restricted_mean(self, horizon: float) -> float:
        """Return the area under the curve up to a horizon."""
        inside = self.times[self.times < horizon]
        edges = np.concatenate([[0.0], inside, [horizon]])
        return float(np.diff(edges) @ self.at(edges[:-1]))

    def quantile(self, level: float = 0.5) -> float:
        """Return the first time at which the curve is at most `level`; infinite if it never is."""
        reached = np.flatnonzero(self.values <= level + 1e-12)
        return float(self.times[reached[0]]) if len(reached) else float("inf")


def kaplan_meier(survival: np.ndarray) -> StepCurve:
    """Return the Kaplan-Meier estimate of being free of progression.

    Examples
    --------
    >>> kaplan_meier(as_survival(([True, False, True], [1.0, 2.0, 3.0]))).values.round(3).tolist()
    [0.667, 0.667, 0.0]
    """
    moments, at_risk, events, _ = _counts(survival)
    return StepCurve(moments, np.cumprod(1 - events / at_risk))


def censoring_curve(survival: np.ndarray) -> StepCurve:
    """Return the Kaplan-Meier estimate of not being censored; at one time, progressions come before censorings.

    Examples
    --------
    >>> censoring_curve(as_survival(([True, False, False], [1.0, 1.0, 3.0]))).values.tolist()
    [0.5, 0.0]
    """
    moments, at_risk, events, censored = _counts(survival)
    return StepCurve(moments, np.cumprod(1 - censored / np.maximum(at_risk - events, 1)))


def with_cause(survival: np.ndarray, cause: np.ndarray) -> np.ndarray:
    """Return times with a third field, which of `CAUSES` ended each."""
    result = np.empty(len(survival), dtype=[*SURVIVAL.descr, ("cause", np.int8)])
    result["event"], result["time"], result["cause"] = survival["event"], survival["time"], cause
    return result


def has_causes(survival: Any) -> bool:
    """Return whether times hold causes."""
    return "cause" in (getattr(getattr(survival, "dtype", None), "names", None) or ())


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence of one of several causes, of which only the first to happen is seen.

    Parameters
    ----------
    times : ndarray of shape (m,)
        Times of events of any cause, months, ascending.
    values, low, high : ndarray of shape (m,)
        Probability that this cause happens first and by each time, and its 95 % interval.
    n_events : int
        Patients in whom it was seen.
    """

    times: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_events: int

    def at(self, moment: float) -> tuple[float, float, float]:
        """Return incidence and interval at a time."""
        place = int(np.searchsorted(self.times, moment, "right")) - 1
        if place < 0:
            return 0.0, 0.0, 0.0
        return float(self.values[place]), float(self.low[place]), float(self.high[place])


def aalen_johansen(time: Any, cause: Any, of: int) -> Incidence:
    r"""Return the Aalen-Johansen estimate of the cumulative incidence of one cause.

    :math:`F_k(t) = \sum_{t_i \le t} S(t_{i-1}) \, d_{ki} / n_i` with the Kaplan-Meier estimate :math:`S` of being free of all
    causes, so that the incidences of all causes and :math:`S` sum to 1. Events at one time are taken together. The interval is
    that of the delta method on the scale of log(-log).

    Parameters
    ----------
    time : array-like of shape (n,)
        Months.
    cause : array-like of shape (n,)
        0 where censored, else the number of the cause.
    of : int
        The cause.

    Returns
    -------
    Incidence

    References
    ----------
    Marubini and Valsecchi, "Analysing survival data from clinical trials and observational studies", Wiley 1995, chapter 10.

    Examples
    --------
    >>> aalen_johansen([1.0, 2.0, 3.0, 4.0], [1, 2, 0, 1], of=1).values.tolist()
    [0.25, 0.25, 0.75]
    """
    months, causes = np.asarray(time, dtype=np.float64), np.asarray(cause)
    moments = np.unique(months[causes > 0])
    at_risk = np.array([(months >= moment).sum() for moment in moments], dtype=np.float64)
    every = np.array([((months == moment) & (causes > 0)).sum() for moment in moments], dtype=np.float64)
    own = np.array([((months == moment) & (causes == of)).sum() for moment in moments], dtype=np.float64)
    free = np.concatenate([[1.0], np.cumprod(1 - every / at_risk)])[:-1]
    values = np.cumsum(free * own / at_risk)
    variance = np.empty(len(moments))
    for k in range(len(moments)):
        n, d, one, s = at_risk[: k + 1], every[: k + 1], own[: k + 1], free[: k + 1]
        left = values[k] - values[: k + 1]
        # Nobody is left after the last event of all, and nothing can happen then.
        of_all = np.divide(d, n * (n - d), out=np.zeros_like(d), where=n > d)
        variance[k] = (
            (left**2 * of_all).sum() + (s**2 * one * (n - one) / n**3).sum() - 2 * (left * s * one / n**2).sum()
        )
    inside = (values > 0) & (values < 1)
    low, high = values.copy(), values.copy()
    scale = np.log(values[inside])
    margin = _NORMAL * np.sqrt(np.maximum(variance[inside], 0)) / (values[inside] * scale)
    low[inside], high[inside] = values[inside] ** np.exp(-margin), values[inside] ** np.exp(margin)
    return Incidence(moments, values, low, high, int((causes == of).sum()))


def _counts(survival: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct times, and at each the patients at risk, progressions and censorings."""
    moments, place = np.unique(survival["time"], return_inverse=True)
    events = np.bincount(place[survival["event"]], minlength=len(moments))
    every = np.bincount(place, minlength=len(moments))
    at_risk = len(survival) - np.concatenate([[0], np.cumsum(every)[:-1]])
    return moments, at_risk, events, every - events
