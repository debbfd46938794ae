"""Codings that column names state, such as ``(0/1)`` or ``[1=yes, 0=no]``: not a part of what the column is called."""

from __future__ import annotations

import re

from prrt_estimators._analytes import name_tokens

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
_CODE_FIRST = re.compile(r"(?<![\w.,<>=≤≥-])(\d)\s*[=:]")
_WORD_FIRST = re.compile(r"([^=:]*[^=:\s<>≤≥])\s*[=:]\s*(\d)(?![\w.])")
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")

_FREE = re.compile(r"\b(?:progress\w*|event|ereignis|disease)s?[\s-]*(?:free|frei)\w*", re.I)


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


_MEANS_YES = words_of(
    "yes y ja j true wahr event events ereignis progress progressed progression progressive progredient progressiv "
    "progrediens pd death dead died deceased tod tot verstorben gestorben relapse relapsed recurrence rezidiv"
)
_MEANS_NO = words_of(
    "free censored censor censoring zensiert zensierung stable stabil sd cr pr response remission alive lebt lebend "
    "lebendig"
)
_DENIES = words_of("no n not nein kein keine keinen keiner nicht none without ohne false falsch")
_IDLE = words_of(
    "or oder and und of the seen observed beobachtet disease krankheit erkrankung pfs at last follow up followup patient "
    "recist radiological radiologisch clinical klinisch tumour tumor any"
)


def without_coding(name: str) -> str:
    """Return a column name without the coding that it states.

    Examples
    --------
    >>> [without_coding(n) for n in ("Progression (0/1)", "Sex [m/f]", "Progress (1 = ja)", "CgA [ug/L]", "Grade (1)")]
    ['Progression', 'Sex', 'Progress', 'CgA [ug/L]', 'Grade (1)']
    """
    return _CODING.sub(" ", name).strip(" :_-") or name


def stated_codes(name: str) -> dict[str, str] | None:
    """Return what a column name says its numbers mean; empty if it says nothing, None if that cannot be read.

    Examples
    --------
    >>> [stated_codes(name) for name in ("Progress (1=PD, 0=SD)", "Class [short: 1]", "Class (0/1)", "x (1=a=b)")]
    [{'1': 'PD', '0': 'SD'}, {'1': 'short'}, {}, None]
    """
    if not _STATED.search(name):
        return {}
    stated = [inside for inside in _BRACKETED.findall(name) if _STATED.search(inside)]
    if stated and (len(stated) > 1 or _STATED.search(_BRACKETED.sub(" ", name))):
        return None  # two codings
    return _pairs(stated[0] if stated else name)


def _pairs(text: str) -> dict[str, str] | None:
    codes, words = list(_CODE_FIRST.finditer(text)), list(_WORD_FIRST.finditer(text))
    if bool(codes) == bool(words):
        return None
    if codes:
        ends = [*(code.start() for code in codes[1:]), len(text)]
        found = [(code[1], text[code.end() : end]) for code, end in zip(codes, ends, strict=True)]
    else:
        if re.search(r"\w", text[words[-1].end() :]):
            return None
        found = [(word[2], word[1]) for word in words]
    pairs = {code: meaning.strip(" ,;/|") for code, meaning in found}
    unread = any(not meaning or re.search(r"[:]|(?<![<>])=", meaning) for meaning in pairs.values())
    return None if unread or len(pairs) < len(found) else pairs


def yes_or_no(words: str) -> bool | None:
    """Tell whether words mean that the event was seen, None if they are not understood as a whole.

    Examples
    --------
    >>> [yes_or_no(words) for words in ("PD or death", "censored", "no event", "event free", "not censored", "tumour")]
    [True, False, False, False, None, None]
    """
    tokens = set(name_tokens(_FREE.sub(" free ", words)))
    yes, no, denied = tokens & _MEANS_YES, tokens & _MEANS_NO, tokens & _DENIES
    if tokens - yes - no - denied - _IDLE or (no and (yes or denied)):
        return None
    return False if no or denied else True if yes else None


def says_inverted(name: str) -> bool:
    """Tell whether a column name says that 1 means no.

    Examples
    --------
    >>> [says_inverted(n) for n in ("PFS event (0=progress, 1=censored)", "Progress (1=yes, 0=no)", "Progress (0/1)")]
    [True, False, False]
    """
    codes = stated_codes(name) or {}
    return yes_or_no(codes.get("1", "")) is False or yes_or_no(codes.get("0", "")) is True


def says_event(name: str) -> bool:
    """Tell whether 1 is surely the event: no coding is stated, or one whose 1 means yes and whose 0, if told, no.

    Examples
    --------
    >>> [says_event(n) for n in ("Progress (0/1)", "Progress (1=PD, 0=SD)", "Progress (0=PD, 1=SD)", "PFS (event=2)")]
    [True, True, False, False]
    """
    codes = stated_codes(name)
    if not codes:
        return codes is not None
    return yes_or_no(codes.get("1", "")) is True and ("0" not in codes or yes_or_no(codes["0"]) is False)
