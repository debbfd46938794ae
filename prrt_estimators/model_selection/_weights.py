"""Whether a scorer can weigh patients."""

from __future__ import annotations

import inspect
from typing import Any


def takes_weight(scorer: Any) -> bool:
    """Return whether a scorer can weigh patients."""
    function = getattr(scorer, "_score_func", scorer)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return "sample_weight" in parameters
