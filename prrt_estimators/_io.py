"""Files that are either whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

# It can only be read by setting it, which in a program of several threads is done once, early.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


@contextlib.contextmanager
def atomic_write(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that becomes `target` on success and vanishes on failure.

    The temporary file lies in the folder of `target` and keeps its suffix, so that the final rename
    stays on one file system and writers that look at the suffix choose the right format.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:40]}-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private to their owner; results are shared like any other file of the user.
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def default_cache_dir() -> Path:
    """Return ``$PRRT_CACHE_DIR``, or the user's cache folder of this platform."""
    chosen = os.environ.get("PRRT_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("prrt-estimators", appauthor=False))


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def keep_by_digest(content: bytes, folder: Path, stem: str, suffix: str) -> Path:
    """Write content under a name made of its SHA-256, unless it lies there, and return the file."""
    target = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
    if not target.is_file() or target.stat().st_size != len(content):
        with atomic_write(target) as temporary:
            temporary.write_bytes(content)
    return target
