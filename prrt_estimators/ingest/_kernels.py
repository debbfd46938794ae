"""Soft or sharp: what the name of a CT reconstruction kernel says."""

from __future__ import annotations

import re

SOFT, UNKNOWN, SHARP = 0, 1, 2

_WORDS = {
    SOFT: frozenset("STANDARD SOFT CHST STND BODY BODY_STANDARD A B C SA SB SC".split()),  # noqa: SIM905
    SHARP: frozenset("LUNG BONE BONEPLUS DETAIL EDGE ULTRA HD_LUNG HD_BONE D E F L YA YB YC YD".split()),  # noqa: SIM905
}


def kernel_kind(kernel: str) -> int:
    """Return 0 for a soft-tissue kernel, 1 for one that is not known, 2 for a sharp one (lung, bone).

    Makers name kernels in their own ways: a number of sharpness after letters (50 and above is sharp), ``FC`` with a
    number (30 and above is sharp), words, or single letters.

    Examples
    --------
    >>> [kernel_kind(name) for name in ("B30f", "Br64d", "I31f\\\\3", "FC08", "LUNG", "STANDARD", "C", "")]
    [0, 2, 0, 0, 2, 0, 0, 1]
    """
    name = kernel.upper().split("\\")[0].strip()
    for kind, words in _WORDS.items():
        if name in words:
            return kind
    number = re.match(r"(FC)?[A-Z]{0,2}?(\d{2})", name)
    if number is None:
        return UNKNOWN
    if number[1]:
        return SHARP if int(number[2]) >= 30 else SOFT
    return SHARP if int(number[2]) >= 50 else SOFT
