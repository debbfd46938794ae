"""Deaths without progression, where a table codes them apart from progression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from prrt_estimators._arguments import keyword
from prrt_estimators._events import NO, YES
from prrt_estimators.datasets._options import Options
from prrt_estimators.datasets._roles import Roles
from prrt_estimators.exceptions import Problem

_DEAD = frozenset(
    """death;died;dead;deceased;death without progression;died without progression;tod;tot;verstorben;gestorben;
    tod ohne progress""".replace("\n    ", "").split(";")
)
_ALIVE = frozenset(["alive", "living", "lebt", "lebend", "am leben"])

#: Returns 1, 0 or NaN of each cell of the column, by codes or by words of yes and no, and reports what it cannot read.
ReadCells = Callable[[pd.Series, frozenset[str], frozenset[str]], np.ndarray]


def columns_apart(options: Options) -> list[str | None]:
    """Return columns that no other role may take: persons, centres, and deaths in a column of their own."""
    own = [str(options.competing)] if options.competing is not None and options.competing != options.event else []
    return [options.group, options.centre, *own]


def read_competing(
    frame: pd.DataFrame, roles: Roles, options: Options, problems: list[Problem], read: ReadCells
) -> np.ndarray | None:
    """Return which patients died without progression, False where the cell is empty; None without such a column."""
    if options.competing is None:
        return None
    name = str(options.competing)
    if name not in frame.columns:
        remedy = f"correct {keyword('competing')}; the table has {', '.join(map(str, frame.columns))}"
        problems.append(Problem(f"there is no column {name!r} of deaths without progression", remedy))
        return None
    if roles.event is None:
        what = f"{keyword('competing')} needs a column of events"
        problems.append(Problem(what, f"name it, e.g. {keyword('event', ('status', 1))}"))
        return None
    if name != roles.event:
        roles.log[name] = ("competing", "death without progression; never a predictor")
    elif options.competing_codes is None:
        what = "holds progression and death without it, and which value means death is not stated"
        problems.append(Problem(what, f"pass e.g. {keyword('competing', (name, 2))}", column=name))
        return None
    return np.asarray(read(frame[name], YES | _DEAD, NO | _ALIVE) == 1.0)


def join_causes(
    event: np.ndarray, died: np.ndarray, roles: Roles, options: Options, ids: np.ndarray, problems: list[Problem]
) -> np.ndarray:
    """Return the cause of each patient: 0 censored, 1 progression, 2 death without progression.

    The column of events may hold progression alone, or both: then every death without progression is an event there too.
    """
    both = died & event
    if options.competing != roles.event and both.any():
        if (died & ~event).any():
            row = int(np.flatnonzero(both)[0])
            what = f"says that there was progression, and {options.competing!r} that there was death without it"
            remedy = f"mark in {options.competing!r} only patients who died before progression was seen"
            problems.append(Problem(what, remedy, patient=ids[row], column=roles.event))
        else:
            roles.notices.append(
                f"{int(both.sum())} patients with an event in {roles.event!r} are marked in {options.competing!r}: their event is "
                "taken as death without progression. If that column marks deaths after progression too, pass a column of "
                "those without."
            )
    return np.where(died, 2, event.astype(int)).astype(np.int8)


def cause_problems(options: Options, timed: bool) -> list[Problem]:
    """Return what `competing` and `competing_as` lack."""
    found = []
    if options.competing is not None and not timed:
        what = f"{keyword('competing')} needs a column of times"
        found.append(Problem(what, f"name it, e.g. {keyword('time', 'pfs_months')}, or leave it out"))
    if options.competing_as == "event":
        return found
    if options.competing is None:
        found.append(Problem(f"{keyword('competing_as', 'censored')} needs {keyword('competing')}", "name the column"))
    if not options.as_times:
        what = f"{keyword('competing_as', 'censored')} is for survival models: the class of a patient who died is known"
        found.append(Problem(what, f"pass {keyword('target', 'time')}, or leave it out"))
    return found
