"""Messages of the library in the words of a command: ``--event none`` for ``event=None``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import typer.models

from prrt_estimators._modalities import IMAGING, MODALITIES

_names: ContextVar[frozenset[str]] = ContextVar("names", default=frozenset())
_VALUE = r"None\b|'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\d+(?:\.\d+)?"
_COLUMN = "|".join((*MODALITIES, "mask|patient_id|time|event|target"))  # options that name columns
_QUOTED = r"(?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\""


def speak_of(command: Callable[..., Any]) -> None:
    """Let messages from now on name the options of `command`; what is no option of it stays as it is."""
    found = []
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        kinds = getattr(parameter.annotation, "__metadata__", ())
        if not any(isinstance(kind, typer.models.ArgumentInfo) for kind in kinds):
            found.append(name)
    _names.set(frozenset(found))


def in_options(text: str) -> str:
    """Return a message with options in place of arguments.

    Examples
    --------
    >>> _names.set(frozenset(["event", "time_unit", "lab"])) and None
    >>> in_options("name it with event=, or pass event=None, time_unit='days', lab=['auto', 'x']; `event` is missing")
    "name it with --event, or pass --event none, --time-unit 'days', --lab 'auto,x'; --event is missing"
    """
    if not _names.get():
        return text
    # A scan has an option of its own: scans={'pet': 'x'} is --pet 'x'.
    text = re.sub(r"(?<!\w)scans=\{'(\w+)': ('[^']*'|None)\}", r"\1=\2", text)
    text = re.sub(
        r"(?<![\w`])scans=(?![\w'{])", " and ".join(f"{name}=" for name in IMAGING if name in _names.get()), text
    )
    names = "|".join(sorted(map(re.escape, _names.get()), key=len, reverse=True))
    # What stands in quotes, and "Status (event=1, censored=0)", are words of the user's own table; and a column is
    # never named by a number.
    own = rf"(?<=[(\[{{])(?:{names})=\d|(?<=, )(?:{names})=\d|(?:{_COLUMN})=\d"
    argument = rf"(?<![\w.'\"`=-])(?!{own})({names})=(?:({_VALUE})|(?![\w<>=]))"
    text = re.sub(rf"{argument}|{_QUOTED}", _option, text)
    return re.sub(rf"`({names})`", lambda found: _flag(found[1]), text)


def _option(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    value = found[2] or ""
    if value == "None":
        value = "none"
    elif value.startswith("["):
        value = repr(",".join(part.strip(" '\"") for part in value[1:-1].split(",")))
    return f"{_flag(found[1])} {value}".rstrip()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
