"""What other columns of the table say against the outcome that is read from it: warned of, never changed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from prrt_estimators._analytes import name_tokens
from prrt_estimators._values import read_numbers
from prrt_estimators.datasets._column_vocabulary import time_unit_in
from prrt_estimators.datasets._options import to_months
from prrt_estimators.datasets._plausible import implausible_times
from prrt_estimators.datasets._roles import Roles
from prrt_estimators.datasets._targets import Outcome, read_class

_OVERALL = re.compile(r"^os\b|\bos$|overall survival|gesamtueberleben|\btime to death\b|zeit bis (zum )?tod")
_ROUNDING = 0.5  # months by which times that were rounded apart may differ
_NAMED = 3  # patients that a warning spells out


def outcome_remarks(frame: pd.DataFrame, outcome: Outcome, ids: np.ndarray, roles: Roles) -> list[str]:
    """Return a sentence on times that no follow-up reaches, and one for each column that contradicts the outcome."""
    told = implausible_times(outcome, ids, roles.time or "", roles.time_unit or "months")
    if outcome.time is None:
        return told
    for name in frame.columns:
        if name in (roles.time, roles.event, roles.target):
            continue
        if roles.log.get(name, ("",))[0] == "target" and outcome.y is not None:
            said = read_class(frame[name], name, ids, [], None)
            odd = np.flatnonzero(np.isfinite(said) & np.isfinite(outcome.y) & (said != outcome.y))
            told += _sentence(f"column {name!r} has the other class than {roles.time!r} gives", ids, odd)
        elif _OVERALL.search(" ".join(name_tokens(name))):
            months = to_months(
                read_numbers(frame[name], roles.commas).values, time_unit_in(name) or roles.time_unit or "months"
            )
            odd = np.flatnonzero(months < outcome.time - _ROUNDING)
            told += _sentence(f"survival in {name!r} is shorter than the time in {roles.time!r}", ids, odd)
    return told


def _sentence(what: str, ids: np.ndarray, odd: np.ndarray) -> list[str]:
    if not len(odd):
        return []
    who = ", ".join(str(ids[k]) for k in odd[:_NAMED])
    more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
    return [f"{what} for patient {who}{more}: correct what is a slip; nothing was changed."]
