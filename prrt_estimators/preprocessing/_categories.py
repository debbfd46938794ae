"""Categories in words: one spelling for each, and what is said of a new one."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._sex import is_letter, read_sex, says_sex
from prrt_estimators._text import plain_text
from prrt_estimators._values import EMPTY, empty_words
from prrt_estimators.exceptions import CohortWarning

#: The category of patients whose cell is empty.
MISSING = "missing"


def is_nothing(value: Any, words: frozenset[str] = EMPTY) -> bool:
    """Tell whether a cell is empty, or holds one of the words for nothing."""
    return bool(pd.isna(value)) or (isinstance(value, str) and plain_text(value).lower() in words)


def category_text(values: pd.Series, levels: Iterable[str] = ()) -> np.ndarray:
    """Return plain text with one spelling for every empty cell, which is a category of its own.

    A word such as ``none`` is not an empty cell where it is one of the column's levels, or one of `levels`.
    """
    nothing = empty_words(values) - {str(level).lower() for level in levels if level != MISSING}
    return np.array(
        [MISSING if is_nothing(value, nothing) else plain_text(str(value)) for value in values], dtype=object
    )


def sex_spellings(name: Any, texts: Iterable[str]) -> dict[str, str]:
    """Return for each way in which a sex is written in a column the commonest one of that sex; empty for others.

    Examples
    --------
    >>> sex_spellings("Sex", ["f", "m", "weiblich", "f"])
    {'f': 'f', 'm': 'm', 'weiblich': 'f'}
    >>> sex_spellings("Krenning", ["m", "f"])
    {}
    """
    counts = Counter(text for text in texts if text != MISSING)
    sexes = {text: sex for text in counts if (sex := read_sex(text)) is not None}
    if len(sexes) < len(counts) or not (says_sex(name) or any(not is_letter(text) for text in counts)):
        return {}
    first = {
        sex: max((t for t in sexes if sexes[t] == sex), key=lambda t: (counts[t], t)) for sex in set(sexes.values())
    }
    return {text: first[sex] for text, sex in sexes.items()}


def known_spellings(
    name: Any, texts: Iterable[str], levels: Iterable[str], spellings: Mapping[str, str]
) -> dict[str, str]:
    """Return for categories that training did not have the one of training that they mean, and warn of the others.

    Sexes are known in every way of writing, other categories in upper and lower case.
    """
    known = [str(level) for level in levels]
    of_sex = {read_sex(level): level for level in known if level != MISSING}
    is_sex = says_sex(name) or bool(spellings) or (None not in of_sex and any(not is_letter(one) for one in known))
    meant, strange = {}, []
    for text in dict.fromkeys(texts):
        if text in known or text in spellings or text == MISSING:
            continue
        sex = read_sex(text) if is_sex else None
        alike = [level for level in known if level.casefold() == text.casefold()]
        if sex is not None and sex in of_sex:
            meant[text] = of_sex[sex]
        elif len(alike) == 1:
            meant[text] = alike[0]
        else:
            strange.append(text)
    if strange:
        warnings.warn(
            f"column {name!r} holds {', '.join(map(repr, strange[:5]))}, which no training patient had (they had "
            f"{', '.join(known[:8])}): it counts as none of them. Correct the spelling if one of them is meant.",
            CohortWarning,
            stacklevel=6,
        )
    return meant
