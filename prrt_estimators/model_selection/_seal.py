"""JSON records that carry a digest of themselves, so that damage on disk is seen when they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY = "digest_of_the_rest"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the digest of all else in it.

    Examples
    --------
    >>> record = sealed({"p_long": [0.25]})
    >>> is_whole(record), is_whole(record | {"p_long": [0.5]}), is_whole({"p_long": [0.5]})
    (True, False, True)
    """
    rest = {name: value for name, value in record.items() if name != KEY}
    return {**rest, KEY: _digest(rest)}


def is_whole(record: Mapping[str, Any]) -> bool:
    """Return whether a record is as it was written, as far as that can be known: those of before have no digest."""
    return KEY not in record or record[KEY] == _digest({name: value for name, value in record.items() if name != KEY})


def _digest(record: Mapping[str, Any]) -> str:
    # As it will be after reading: with lists for tuples and texts for the keys of mappings.
    plain = json.loads(json.dumps(record))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
