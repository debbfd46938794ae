"""Arguments in the words of a command: ``--event none`` for ``event=None``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer.models

from prrt_estimators._arguments import OR_PASS, UNSET, Spelling
from prrt_estimators._modalities import IMAGING


def spelling_of(command: Callable[..., Any]) -> Spelling:
    """Return how messages write the arguments that are options of `command`; others stay as Python has them.

    Examples
    --------
    >>> def check(cohort: str, event: str = "auto", time_unit: str = "auto", lab: str = "auto", pet: str = "auto"): ...
    >>> spell = spelling_of(check)
    >>> spell("event", None), spell("lab", ["auto", "x"]), spell("time_unit", UNSET), spell("scans", dict(pet="x"))
    ('--event none', "--lab 'auto,x'", '--time-unit', "--pet 'x'")
    >>> spell("n_boot", 3) is None
    True
    """
    names = frozenset(_options(command))

    def spell(name: str, value: Any) -> str | None:
        if name == "scans":  # a scan has an option of its own
            scans = [one for one in IMAGING if one in names]
            if not scans:
                return None
            if isinstance(value, Mapping):
                return " ".join(_option(one, column) for one, column in value.items())
            return " and ".join(map(_flag, scans))
        if isinstance(value, tuple) and f"{name}_code" in names:
            return f"{_option(name, value[0])} {_flag(f'{name}_code')} {value[1]}"
        if value is OR_PASS:
            return None
        return _option(name, value) if name in names else None

    return spell


def _options(command: Callable[..., Any]) -> list[str]:
    found = []
    for name, one in inspect.signature(command, eval_str=True).parameters.items():
        kinds = getattr(one.annotation, "__metadata__", ())
        if not any(isinstance(kind, typer.models.ArgumentInfo) for kind in kinds):
            found.append(name)
    return found


def _option(name: str, value: Any) -> str:
    if value is UNSET:
        return _flag(name)
    if value is None:
        value = "none"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = repr(",".join(map(str, value)))
    else:
        value = repr(value)
    return f"{_flag(name)} {value}"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
