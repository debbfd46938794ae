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
_NEGATED = r"no\b|n\b|nein|not\b|kein|without|ohne|censor|zensier|false|progression.?free|alive|lebt"
_INVERTED = re.compile(
    rf"\b1\s*[=:]\s*(?:{_NEGATED})|\b(?:{_NEGATED})\w*\s*=\s*1\b|\b0\s*[=:]\s*(?:yes|ja\b|y\b|true)", re.I
)


def without_coding(name: str) -> str:
    """Return a column name without the coding that it states.

    Examples
    --------
    >>> [without_coding(n) for n in ("Progression (0/1)", "Sex [m/f]", "Progress (1 = ja)", "CgA [ug/L]", "Grade (1)")]
    ['Progression', 'Sex', 'Progress', 'CgA [ug/L]', 'Grade (1)']
    """
    return _CODING.sub(" ", name).strip(" :_-") or name


def coding_in(name: str) -> str:
    """Return the coding that a column name states, empty if it states none."""
    found = _CODING.search(name)
    return "" if found is None else found["inside"] or found["bare"]


def says_inverted(name: str) -> bool:
    """Tell whether a column name says that 1 means no.

    Examples
    --------
    >>> [says_inverted(n) for n in ("PFS event (0=progress, 1=censored)", "Progress (1=yes, 0=no)", "Progress (0/1)")]
    [True, False, False]
    """
    return _INVERTED.search(coding_in(name)) is not None
