"""Amounts of memory and of disk, as people write them."""

from __future__ import annotations

import os
import re

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_BINARY = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def parse_bytes(amount: str | int, name: str) -> int:
    """Return an amount such as "2GB", "500 MB", "1.5GiB" or 1000000 in bytes.

    Parameters
    ----------
    amount : str or int
        Units of 1000 (kB, MB, GB, TB) or of 1024 (KiB, MiB, GiB, TiB); a number alone means bytes.
    name : str
        What it is, for the error.

    Raises
    ------
    ValueError
        If it is not an amount, or negative.

    Examples
    --------
    >>> parse_bytes("1.5 GiB", "the limit")
    1610612736
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", str(amount).casefold())
    if found is None or (found[3] and not found[2]):
        raise ValueError(f"{name} must be an amount such as 500MB or 2GiB; got {amount!r}.")
    return int(float(found[1]) * (_BINARY if found[3] else _UNITS)[found[2]])


def limit_from_environment(name: str, default: int) -> int:
    """Return the amount in an environment variable, `default` if it is not set or empty."""
    return parse_bytes(os.environ[name], name) if os.environ.get(name) else default
