"""Whether figures are drawn for files only, so that pyplot does not manage them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_OFFSCREEN: ContextVar[bool] = ContextVar("offscreen", default=False)


@contextlib.contextmanager
def offscreen() -> Iterator[None]:
    """Within the ``with`` block, Displays draw figures that pyplot does not manage, e.g. to write them to files."""
    token = _OFFSCREEN.set(True)
    try:
        yield
    finally:
        _OFFSCREEN.reset(token)


def is_offscreen() -> bool:
    """Return whether `offscreen` is in force.

    Examples
    --------
    >>> with offscreen():
    ...     is_offscreen()
    True
    >>> is_offscreen()
    False
    """
    return _OFFSCREEN.get()
