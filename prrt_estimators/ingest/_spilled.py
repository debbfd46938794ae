"""Records of many patients in a temporary database, so that memory does not grow with their number."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, Generic, TypeVar

V = TypeVar("V")
#: KiB of the database that stay in memory.
_CACHE_KIB = 512


def _database() -> sqlite3.Connection:
    # Without a name the file is the process's own: the system removes it with the process, however that ends.
    # Tasks are read by the threads in which joblib dispatches, one at a time.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for setting in (
        f"cache_size = -{_CACHE_KIB}",
        "journal_mode = OFF",
        "synchronous = OFF",
        "locking_mode = EXCLUSIVE",
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _to_bytes(text: str) -> bytes:
    # Names of files may hold bytes of no encoding; in UTF-8 the order is that of Python's texts.
    return text.encode("utf-8", "surrogatepass")


def _to_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


class Spilled(MutableMapping[str, V], Generic[V]):
    """A mapping from text to records that lie on disk, in the order of the texts.

    A record is read anew whenever it is asked for: a change of it is kept by assigning it again.

    Parameters
    ----------
    encode, decode : callable
        From a record to what JSON can hold, and back.

    Examples
    --------
    >>> found = Spilled(list, tuple)
    >>> found["b"], found["a"] = (1, 2), (3,)
    >>> list(found.items()), len(found), "c" in found
    ([('a', (3,)), ('b', (1, 2))], 2, False)
    """

    def __init__(self, encode: Callable[[V], Any], decode: Callable[[Any], V]):
        self._encode, self._decode = encode, decode
        self._connection = _database()
        self._connection.execute("CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def __getitem__(self, key: str) -> V:
        row = self._connection.execute("SELECT value FROM records WHERE key = ?", (_to_bytes(key),)).fetchone()
        if row is None:
            raise KeyError(key)
        return self._decode(json.loads(zlib.decompress(row[0])))

    def __setitem__(self, key: str, record: V) -> None:
        value = zlib.compress(json.dumps(self._encode(record)).encode("ascii"), 1)
        self._connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?)", (_to_bytes(key), value))

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._connection.execute("DELETE FROM records WHERE key = ?", (_to_bytes(key),))

    def __contains__(self, key: object) -> bool:
        found = self._connection.execute("SELECT 1 FROM records WHERE key = ?", (_to_bytes(str(key)),))
        return found.fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        for (key,) in self._connection.execute("SELECT key FROM records ORDER BY key"):
            yield _to_text(key)

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM records").fetchone()[0])

    def __bool__(self) -> bool:
        return self._connection.execute("SELECT 1 FROM records LIMIT 1").fetchone() is not None


class SpilledTexts:
    """Texts on disk, given back in order.

    Parameters
    ----------
    texts : iterable of str

    Examples
    --------
    >>> found = SpilledTexts(["b", "A", "b/c"])
    >>> list(found), len(found), "a" in found.folded()
    (['A', 'b', 'b/c'], 3, True)
    """

    def __init__(self, texts: Iterable[str]):
        self._connection = _database()
        self._connection.execute("CREATE TABLE texts (text BLOB PRIMARY KEY) WITHOUT ROWID")
        rows = ((_to_bytes(text),) for text in texts)
        self._connection.executemany("INSERT OR IGNORE INTO texts VALUES (?)", rows)

    def __iter__(self) -> Iterator[str]:
        for (text,) in self._connection.execute("SELECT text FROM texts ORDER BY text"):
            yield _to_text(text)

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM texts").fetchone()[0])

    def __contains__(self, text: object) -> bool:
        found = self._connection.execute("SELECT 1 FROM texts WHERE text = ?", (_to_bytes(str(text)),))
        return found.fetchone() is not None

    def folded(self) -> SpilledTexts:
        """Return the texts in lower case."""
        return SpilledTexts(text.lower() for text in self)
