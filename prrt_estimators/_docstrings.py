"""Descriptions of parameters that several classes or functions share, written once."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])

_MARK = re.compile(r"^( *)%\((\w+)\)s$", flags=re.M)


def shared_texts(texts: Mapping[str, str]) -> Callable[[T], T]:
    """Return a decorator that puts a text in the place of each line ``%(name)s`` of a docstring.

    Parameters
    ----------
    texts : mapping of str to str
        Entries as numpydoc has them, by name.

    Examples
    --------
    >>> @shared_texts({"seed": "seed : int\\n    Seed of the draws."})
    ... def draw(seed):
    ...     '''Draw.
    ...
    ...     Parameters
    ...     ----------
    ...     %(seed)s
    ...     '''
    >>> print(draw.__doc__.split("-\\n")[1])
        seed : int
            Seed of the draws.
    <BLANKLINE>
    """

    def fill(described: T) -> T:
        if described.__doc__ is not None:  # python -OO has none
            text = _MARK.sub(lambda found: textwrap.indent(texts[found[2]].strip("\n"), found[1]), described.__doc__)
            described.__doc__ = text
        return described

    return fill
