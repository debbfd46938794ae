"""Whether progression was seen, as tables code it."""

from __future__ import annotations

from typing import Any

import numpy as np

from prrt_estimators._text import plain_text

YES = frozenset(["1", "yes", "y", "ja", "j", "true", "event", "progression", "progress", "progressed", "pd"])
NO = frozenset(["0", "no", "n", "nein", "false", "censored", "zensiert", "none", "progression-free"])


def read_event(cell: Any) -> float:
    """Return 1 for progression seen, 0 for censored, NaN for a code that does not say so for certain.

    Examples
    --------
    >>> [read_event(cell) for cell in (True, "0", "Ja", 1.0, 2, -1, None, "?")]
    [1.0, 0.0, 1.0, 1.0, nan, nan, nan, nan]
    """
    if cell is None:
        return np.nan
    word = plain_text(cell).lower() if isinstance(cell, str) else str(cell).lower()
    word = word.removesuffix(".0")
    return 1.0 if word in YES else 0.0 if word in NO else np.nan


def as_events(values: Any, name: str) -> np.ndarray:
    """Return events as bool, by the rules by which `load_cohort` reads them.

    Parameters
    ----------
    values : array-like of shape (n,)
        Booleans, 0 and 1, or words such as yes and no.
    name : str
        For the message.

    Raises
    ------
    ValueError
        If a value is missing, or of another coding such as 1 and 2, of which no value says what it means.

    Examples
    --------
    >>> as_events(np.array(["0", "1"]), "event"), as_events(np.array(["False", "True"]), "event")
    (array([False,  True]), array([False,  True]))
    """
    cells = np.asarray(values)
    if cells.dtype == bool:
        return cells
    read = np.array([read_event(cell) for cell in cells.tolist()], dtype=np.float64)
    wrong = np.flatnonzero(np.isnan(read))
    if len(wrong):
        first = cells.tolist()[wrong[0]]
        raise ValueError(
            f"`{name}` must be 1 or True (progression seen) or 0 or False (censored) for every patient; {len(wrong)} are "
            f"not, row {wrong[0]} is {first!r}. Recode it, e.g. event == 2."
        )
    return read == 1.0
