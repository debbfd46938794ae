"""Ordered records of one noun by name: scores, models, and what else a successor will add."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar


class Named(Protocol):
    """A record that carries its own name."""

    @property
    def name(self) -> str:
        """Key in the registry."""
        ...


Record = TypeVar("Record", bound=Named)


class Registry(Mapping[str, Record]):
    """Records in the order in which tables, help texts and figures show them.

    Parameters
    ----------
    noun : str
        What one record is, in the singular; used in errors.
    *records : record
        Anything with a ``name``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> fruits = Registry("fruit", SimpleNamespace(name="apple"))
    >>> with fruits.including(SimpleNamespace(name="pear")):
    ...     list(fruits)
    ['apple', 'pear']
    >>> list(fruits)
    ['apple']
    """

    def __init__(self, noun: str, *records: Record):
        self.noun = noun
        self._records: dict[str, Record] = {}
        for record in records:
            self.register(record)

    def register(self, record: Record) -> Record:
        """Add a record behind the others and return it.

        Parameters
        ----------
        record : record
            Its name must be new.

        Returns
        -------
        record

        Raises
        ------
        ValueError
            If the name is taken.
        """
        if record.name in self._records:
            raise ValueError(f"there is a {self.noun} {record.name!r} already; choose another name.")
        self._records[record.name] = record
        return record

    @contextlib.contextmanager
    def including(self, *records: Record) -> Iterator[None]:
        """Hold further records within a ``with`` block.

        Parameters
        ----------
        *records : record
            Registered at its start and removed at its end.
        """
        for record in records:
            self.register(record)
        try:
            yield
        finally:
            for record in records:
                self._records.pop(record.name, None)

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"<{self.noun}s: {', '.join(self)}>"
