"""The former name of :mod:`prrt_estimators.networks` and :mod:`prrt_estimators.pretrained`; warns, and will be removed."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

_HOMES = ("networks", "pretrained")


def __getattr__(name: str) -> Any:
    for home in _HOMES if not name.startswith("_") else ():
        package = importlib.import_module(f"prrt_estimators.{home}")
        if name in package.__all__:
            warnings.warn(
                f"prrt_estimators.modules is now prrt_estimators.{home}: import {name} from there. The old name will be "
                "removed in version 0.2.",
                FutureWarning,
                stacklevel=2,
            )
            return getattr(package, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
