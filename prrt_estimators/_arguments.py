"""Arguments in messages as the caller writes them: ``event=None`` in Python, ``--event none`` in a shell.

A message asks for the spelling when it is made, so that nothing has to find arguments in a finished sentence, where a
column of the user's own table may be called ``event=1``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

#: Stands for "no value": the argument is named, and nothing is said about what to pass.
UNSET = object()

#: Stands for the value of an argument at the end of a remedy, see `or_pass`.
OR_PASS = object()

#: From the name and value of an argument to how it is written, None where it is not an argument of the caller's.
Spelling = Callable[[str, Any], str | None]
_spelling: ContextVar[Spelling | None] = ContextVar("spelling", default=None)


@contextlib.contextmanager
def spelt(spelling: Spelling) -> Iterator[None]:
    """Within the ``with`` block, messages write arguments in another way than Python's."""
    token = _spelling.set(spelling)
    try:
        yield
    finally:
        _spelling.reset(token)


def keyword(name: str, value: Any = UNSET) -> str:
    """Return an argument with its value, as it is passed.

    Examples
    --------
    >>> keyword("event"), keyword("event", None), keyword("lab", ["age"])
    ('event=', 'event=None', "lab=['age']")
    """
    own = _spelling.get()
    found = None if own is None else own(name, value)
    return (f"{name}=" if value is UNSET else f"{name}={value!r}") if found is None else found


def parameter(name: str) -> str:
    """Return the name of an argument.

    Examples
    --------
    >>> parameter("horizon")
    '`horizon`'
    """
    own = _spelling.get()
    found = None if own is None else own(name, UNSET)
    return f"`{name}`" if found is None else found


def or_pass(name: str) -> str:
    """Return the end of a remedy that names an argument as another way; "" where the caller has no such argument.

    Examples
    --------
    >>> f"Add it to the header{or_pass('weight_kg')}."
    'Add it to the header, or pass `weight_kg`.'
    """
    own = _spelling.get()
    found = None if own is None else own(name, OR_PASS)
    return f", or pass {parameter(name)}" if found is None else found
