"""Kinds of inputs of `fuzz.py`, and random changes of bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPECIAL = [
    bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f", struct.pack("<f", np.inf), struct.pack("<f", np.nan),
    struct.pack("<f", 1e30), struct.pack("<i", -1), b"PK\x03\x04", b"\x1f\x8b\x08\x00",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Parameters
    ----------
    name : str
    make : callable
        From a folder to its undamaged files.
    damage : callable
        From a generator, a file and a target to a damaged copy.
    check : callable
        From the damaged file and the undamaged one to "as it is" or "wrong"; raises what the library raises.
    """

    name: str
    make: Callable[[Path], list[Path]]
    damage: Callable[[np.random.Generator, Path, Path], None]
    check: Callable[[Path, Path], str]


def harmed(rng: np.random.Generator, content: bytes) -> bytes:
    """Return bytes with one to three random changes."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(0, max(len(data), 1)))
        length = int(min(rng.integers(1, 200), len(data) - place)) if data else 0
        match int(rng.integers(0, 9)):
            case 0 if data:
                data[place % len(data)] ^= 1 << int(rng.integers(0, 8))
            case 1 if data:
                data[place % len(data)] = int(rng.integers(0, 256))
            case 2:
                data[place : place + 4] = SPECIAL[rng.integers(0, len(SPECIAL))]
            case 3:
                del data[place : place + length]
            case 4:
                data[place:place] = rng.bytes(int(rng.integers(1, 60)))
            case 5:
                del data[place:]
            case 6:
                data[place : place + length] = bytes(length)
            case 7:
                data[place:place] = data[place : place + length]
            case _:
                data += rng.bytes(int(rng.integers(1, 60)))
    return bytes(data)


def harm_file(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Damage the bytes of a file."""
    target.write_bytes(harmed(rng, source.read_bytes()))
