"""Counts that tell of no single patient: small ones are hidden, and others with them until none can be worked out."""

from __future__ import annotations

import math
from collections.abc import Mapping

#: Counts below this are hidden.
MIN_CELL = 5

SMALL, WITHHELD = f"<{MIN_CELL}", "not shown"


def suppress(counts: Mapping[str, int]) -> dict[str, str] | None:
    """Return the texts of counts that add up to a known total.

    A count from 1 to 4 reads ``<5``; zero tells of nobody and stays. If the total and what is left would tell a hidden
    count, the smallest counts that are left are withheld too, until each hidden count can still be two numbers at
    least.

    Parameters
    ----------
    counts : mapping of str to int
        Of groups that exclude each other and together are everyone.

    Returns
    -------
    dict of str to str, or None
        None if no choice hides them: then the whole must not be shown.

    Examples
    --------
    >>> suppress({"f": 50, "m": 66})
    {'f': '50', 'm': '66'}
    >>> suppress({"f": 50, "m": 63, "missing": 3})
    {'f': 'not shown', 'm': '63', 'missing': '<5'}
    >>> suppress({"f": 1, "m": 1, "missing": 40})
    {'f': '<5', 'm': '<5', 'missing': 'not shown'}
    >>> suppress({"yes": 1, "no": 5}) is None
    True
    """
    small = {name for name, count in counts.items() if 0 < count < MIN_CELL}
    withheld: set[str] = set()
    left = sorted((name for name, count in counts.items() if count >= MIN_CELL), key=lambda name: counts[name])
    while not all(_uncertain(name, counts, small, withheld) for name in small):
        if not left:
            return None
        withheld.add(left.pop(0))
    return {
        name: SMALL if name in small else WITHHELD if name in withheld else str(count) for name, count in counts.items()
    }


def _uncertain(name: str, counts: Mapping[str, int], small: set[str], withheld: set[str]) -> bool:
    """Return whether the total and the numbers shown leave two or more numbers unknown."""
    together = sum(counts[other] for other in small | withheld)
    lowest, highest = 1.0, MIN_CELL - 1.0
    rest = (small | withheld) - {name}
    least = sum(1 if other in small else MIN_CELL for other in rest)
    most = sum(MIN_CELL - 1 if other in small else math.inf for other in rest)
    return min(highest, together - least) - max(lowest, together - most) >= 1


def with_share(text: str, n: int) -> str:
    """Return a count with its percentage, where it is shown."""
    return f"{text} ({100 * int(text) / n:.0f} %)" if text.isdigit() and text != "0" else text
