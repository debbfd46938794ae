"""Times and events that are given to a classifier beside the class."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, column_or_1d

from prrt_estimators._events import as_events

#: Months that "auto" means where y allows it: the study's.
_USUAL_HORIZON = 12.0


def check_survival(
    time: Any, event: Any, long: np.ndarray, horizon: float | str
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return time as floats, event as booleans and the horizon in months; None without times.

    Parameters
    ----------
    time : array-like of shape (n,) or None
        Months.
    event : array-like of shape (n,) or None
        None says that everybody progressed.
    long : ndarray of shape (n,)
        1 for long PFS, 0 for short.
    horizon : float or "auto"
        Months; "auto" is 12 if y agrees with it, else the least that it agrees with.

    Raises
    ------
    ValueError
        If a value is missing or cannot be, or the class contradicts the times.
    """
    if time is None:
        if event is not None:
            raise ValueError("`event` needs `time`; pass both, or neither.")
        return None
    months = column_or_1d(np.asarray(time, dtype=float), warn=False)
    check_consistent_length(months, long)
    _refuse("time", ~(np.isfinite(months) & (months >= 0)), months, "months of at least 0")
    if event is None:
        seen = np.ones(len(months), dtype=bool)
    else:
        values = column_or_1d(np.asarray(event), warn=False)
        check_consistent_length(months, values)
        seen = as_events(values, "event")
    if isinstance(horizon, str):
        # Somebody of short PFS who was censored was so before the horizon.
        lost = np.nextafter(months[(long == 0) & ~seen], np.inf).max(initial=0.0)
        least, longest = max(months[(long == 0) & seen].max(initial=0.0), lost), months[long == 1].min(initial=np.inf)
        horizon = _USUAL_HORIZON if least <= _USUAL_HORIZON < longest else max(least, np.finfo(float).tiny)
    after, before = (months > horizon) | ((months == horizon) & ~seen), seen & (months <= horizon)
    wrong = np.flatnonzero((after & (long == 0)) | (before & (long == 1)))
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"y contradicts `time` for {len(wrong)} of {len(long)} patients at a horizon of {horizon:g} months: row {row} "
            f"has time {months[row]:g} and is of the class of {'long' if long[row] else 'short'} PFS. Pass the `horizon` "
            "that y was made with, or leave `time` out."
        )
    return months, seen, float(horizon)


def _refuse(name: str, wrong: np.ndarray, values: np.ndarray, expected: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"`{name}` must be {expected} for every patient; row {row} has {values[row]:g}.")
