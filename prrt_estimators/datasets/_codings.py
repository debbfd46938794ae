"""Codings that column names state, such as ``(0/1)`` or ``[1=yes, 0=no]``: not a part of what the column is called."""

from __future__ import annotations

import re

_YES = "1|yes|y|ja|j|true|wahr"
_NO = "0|no|n|nein|false|falsch"
_CODES = f"{_YES}|{_NO}|2|m|f|w|d|male|female|men|women|maennlich|männlich|weiblich|short|long|kurz|lang"
_SEPARATOR = r"\s*(?:/|,|;|\||\bor\b|\boder\b|\bvs\b\.?)\s*"
_LISTED = rf"(?:{_CODES})(?:{_SEPARATOR}(?:{_CODES}))+"
_EXPLAINED = r"\d\s*[=:][^()\[\]{}]*|[^()\[\]{}=]*=\s*\d\b[^()\[\]{}]*"
_CODING = re.compile(
    rf"[(\[{{]\s*(?P<inside>{_LISTED}|{_EXPLAINED})\s*[)\]}}]|(?<=[\s:_-])(?P<bare>0/1|1/0|yes/no|y/n|ja/nein|j/n)\s*$",
    re.I,
)
#: What gives a number a meaning: ``1=yes``, ``1: yes``, ``yes = 1``, ``event: 1``, but neither ``>=12`` nor ``: 0/1``.
_STATED = re.compile(r"(?<![<>≤≥!])=|(?<![\w.])\d\s*:|:\s*\d(?!\d|\s*[/,;|]\s*\d)")


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


def without_coding(name: str) -> str:
    """Return a column name without the coding that it states.

    Examples
    --------
    >>> [without_coding(n) for n in ("Progression (0/1)", "Sex [m/f]", "Progress (1 = ja)", "CgA [ug/L]", "Grade (1)")]
    ['Progression', 'Sex', 'Progress', 'CgA [ug/L]', 'Grade (1)']
    """
    return _CODING.sub(" ", name).strip(" :_-") or name


def states_coding(name: str) -> bool:
    """Return whether a column name gives its numbers a meaning, which is asked for and not read from the name.

    Examples
    --------
    >>> [states_coding(n) for n in ("Progress (1=PD, 0=SD)", "Class [short: 1]", "Class (0/1)", "PFS >= 12 months")]
    [True, True, False, False]
    """
    return _STATED.search(name) is not None
