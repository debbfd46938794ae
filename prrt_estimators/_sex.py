"""Sex as tables write it, in English and German."""

from __future__ import annotations

import re

from prrt_estimators._analytes import name_tokens
from prrt_estimators._text import plain_text

_WORDS = {
    "male": "m male man men boy masculine masc maennlich maennl mann maenner herr ♂",
    "female": "f female fem woman women girl feminine w weiblich weibl frau frauen ♀",
    "other": "d x o other divers diverse diverses nonbinary intersex inter",
}
_SEXES = {word: sex for sex, words in _WORDS.items() for word in words.split()}
_LETTERS = frozenset("mfwdxo")
_CODING = re.compile(r"[\[({][^\])}]*[\])}]|[:=].*$")


def says_sex(name: object) -> bool:
    """Tell whether a column of this name holds the sex.

    Examples
    --------
    >>> [says_sex(name) for name in ("Sex", "Geschlecht (m/w)", "patient_sex", "sextant")]
    [True, True, True, False]
    """
    words = [word for word in name_tokens(_CODING.sub(" ", str(name))) if word not in ("patient", "patienten", "pat")]
    return words in (["sex"], ["gender"], ["geschlecht"], ["geschl"], ["sex", "gender"], ["geschlecht", "sex"])


def read_sex(cell: object) -> str | None:
    """Return ``"male"``, ``"female"`` or ``"other"``, None for anything that is none of them.

    Examples
    --------
    >>> [read_sex(cell) for cell in ("F", "weiblich", "männl.", "Herr", "d", "1", None)]
    ['female', 'female', 'male', 'male', 'other', None, None]
    """
    if not isinstance(cell, str):
        return None
    text = plain_text(cell).lower()
    words = [text] if text in _SEXES else list(name_tokens(text))
    return _SEXES.get(words[0]) if len(words) == 1 else None


def is_letter(cell: str) -> bool:
    """Tell whether a sex is written as one letter, which in a column of another name may mean something else."""
    return plain_text(cell).lower() in _LETTERS
