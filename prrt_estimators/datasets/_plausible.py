"""Values that can be read but cannot be: warned of, never changed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from prrt_estimators._analytes import find_analyte, name_tokens, split_unit
from prrt_estimators.datasets._codings import without_coding
from prrt_estimators.datasets._column_vocabulary import guess_name
from prrt_estimators.datasets._targets import Outcome

_MAX_MONTHS = 360.0  # months
_MIN_SHARES = 3  # values by which fractions are told from small percentages
_NAMED = 3  # patients that a warning spells out
#: Shares of a whole, of which 100 % is all there is; other percentages are of a norm or changes, which know no end.
_SHARES = re.compile(
    r"l[iy]m(ph|f)o|neutro(ph|f)il|mono[cz]yt|eosino(ph|f)il|baso(ph|f)il|granulo[cz]yt|segment|stabkern|\bbands?\b|"
    r"retikulo[cz]yt|reticulo[cz]yt|h(a?e)mato[ck]rit|\bblast"
)
_NO_SHARE = re.compile(
    r"chang|delta|diff|loss|verlust|decreas|increas|drop\b|anstieg|abfall|veraender|aender|ratio|\b[ul]ln\b|\bnorm|"
    r"\bsoll\b|\bof baseline"
)


def plausible_range(name: str) -> tuple[float, float] | None:
    """Return the least and the greatest value that a column of this name can hold, None where the name tells none.

    Examples
    --------
    >>> [plausible_range(name) for name in ("age", "Ki-67 (%)", "GGT [U/l]", "lymphocytes_%", "krenning")]
    [(0.0, 120.0), (0.0, 100.0), (0.0, inf), (0.0, 100.0), None]
    """
    said = guess_name(name)
    topic = said.topic if said is not None else ""
    if topic == "age":
        return 0.0, 120.0
    text = " ".join(name_tokens(without_coding(name)))
    share = topic == "Ki-67" or (split_unit(without_coding(name))[1] == "%" and _SHARES.search(text) is not None)
    if share and not _NO_SHARE.search(text):
        return 0.0, 100.0
    return (0.0, np.inf) if topic == "body size" or find_analyte(name) is not None else None


def implausible_labs(lab: pd.DataFrame, ids: np.ndarray) -> list[str]:
    """Return a sentence for each predictor with values outside its range."""
    told = []
    for name in lab.columns:
        limits = plausible_range(name)
        if limits is None or lab[name].dtype != np.float64:
            continue
        low, high = limits
        if high == 100:  # shares
            known = lab[name].to_numpy()[np.isfinite(lab[name].to_numpy())]
            if len(known) >= _MIN_SHARES and known.max() <= 1 and (known % 1 != 0).any():
                told.append(
                    f"column {name!r} is a percentage, but holds nothing above {known.max():g}: fractions of 1, as a reader of "
                    "Excel gives them? Multiply them by 100; nothing was changed."
                )
        values = lab[name].to_numpy()
        odd = np.flatnonzero(((values < low) | (values > high)) & np.isfinite(values))
        if len(odd):
            expected = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more"
            told.append(_sentence(name, values, odd, ids, expected))
    return told


def implausible_times(outcome: Outcome, ids: np.ndarray, column: str, unit: str) -> list[str]:
    """Return a sentence if times are longer than any follow-up; it tells them in the unit of the cells."""
    time, written = outcome.time, outcome.written
    if time is None or written is None:
        return []
    odd = np.flatnonzero((time > _MAX_MONTHS) & np.isfinite(time))
    expected = f"at most {_MAX_MONTHS:g} months"
    return [_sentence(column, written, odd, ids, expected, f" {unit}")] if len(odd) else []


def _sentence(column: str, values: np.ndarray, odd: np.ndarray, ids: np.ndarray, expected: str, unit: str = "") -> str:
    named = ", ".join(f"{values[k]:.10g}{unit} (patient {ids[k]})" for k in odd[:_NAMED])
    more = f" and {len(odd) - _NAMED} more patients" if len(odd) > _NAMED else ""
    return f"column {column!r} holds {named}{more}, expected {expected}: correct what is a slip; nothing was changed."
