"""Warnings heard by one thread without changing what other threads hear.

`warnings.catch_warnings` saves and sets back what belongs to the whole process: of two threads inside it at once, the one that
leaves last leaves behind what the other had set. Here the process's state is changed by the first thread that comes in and set
back by the last that leaves; in between each warning goes to the thread that it was raised in.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_LOCK = threading.Lock()
_listeners: dict[int, list[list[warnings.WarningMessage]]] = {}
_outside: list[Any] = []


@contextlib.contextmanager
def captured_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Yield the list of the warnings of this thread, and of threads that it starts; other threads hear theirs.

    Examples
    --------
    >>> with captured_warnings() as heard:
    ...     warnings.warn("first")
    ...     warnings.warn("first")
    >>> [str(one.message) for one in heard]
    ['first', 'first']
    """
    heard: list[warnings.WarningMessage] = []
    me = threading.get_ident()
    with _LOCK:
        if not _listeners:
            context = warnings.catch_warnings()
            context.__enter__()
            _outside[:] = [context, warnings.showwarning]
            warnings.simplefilter("always")
            warnings.showwarning = _dispatch
        _listeners.setdefault(me, []).append(heard)
    try:
        yield heard
    finally:
        with _LOCK:
            _listeners[me].remove(heard)
            if not _listeners[me]:
                del _listeners[me]
            if not _listeners:
                context, _ = _outside
                _outside.clear()
                context.__exit__(None, None, None)


def _dispatch(
    message: Any, category: type[Warning], filename: str, lineno: int, file: Any = None, line: str | None = None
) -> None:
    with _LOCK:
        mine = _listeners.get(threading.get_ident())
        if mine is None and len(_listeners) == 1:  # of a thread that the only listener started
            mine = next(iter(_listeners.values()))
        if mine is not None:
            mine[-1].append(warnings.WarningMessage(message, category, filename, lineno, file, line))
            return
        outside = _outside[1] if _outside else None
    if outside is not None:
        outside(message, category, filename, lineno, file, line)


def tell_again(heard: list[warnings.WarningMessage], *, but: tuple[type[Warning], ...] = ()) -> None:
    """Give warnings that were captured to the caller, without those of some kinds."""
    for one in heard:
        if not issubclass(one.category, but):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


@contextlib.contextmanager
def closing(generator: Generator[T, None, None]) -> Iterator[Generator[T, None, None]]:
    """Close a generator of joblib at the end, without its warning of tasks that nobody waits for any more.

    All of joblib's work shares its workers: a generator that is only forgotten, as with the traceback of an interrupt, ends them
    whenever it is collected, in the middle of other work.

    Examples
    --------
    >>> with closing(number for number in range(3)) as numbers:
    ...     first = next(numbers)
    >>> first, list(numbers)
    (0, [])
    """
    try:
        yield generator
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            generator.close()
