"""Files that are either whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from prrt_estimators._text import plain_text

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


def existing_spelling(path: str) -> str:
    """Return the path of an existing file whose parts look the same, the path itself where there is none or several.

    Letters with marks are stored in two forms (NFC, NFD), and blanks, full-width and invisible characters are changed
    by programs that a table passes through.
    """
    if os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    if not name or folder == path:
        return path
    folder = existing_spelling(folder) if folder else folder
    if os.path.lexists(os.path.join(folder, name)):
        return os.path.join(folder, name)
    wanted = plain_text(name)
    try:
        with os.scandir(folder or ".") as entries:
            alike = [entry.name for entry in entries if plain_text(entry.name) == wanted]
    except OSError:
        return path
    return os.path.join(folder, alike[0]) if len(alike) == 1 else path


def absolute(path: str | os.PathLike[str]) -> str:
    """Return a path that means the same file after the working folder has changed; ``~`` is the user's home.

    Examples
    --------
    >>> absolute("scan.nii") == os.path.join(os.getcwd(), "scan.nii"), absolute("/data/scan.nii")
    (True, '/data/scan.nii')
    """
    text = os.path.expanduser(os.fspath(path))
    # What is absolute stays as it is, character by character.
    return text if os.path.isabs(text) else os.path.abspath(text)


def default_cache_dir() -> Path:
    """Return ``$PRRT_CACHE_DIR``, or the user's cache folder of this platform."""
    chosen = os.environ.get("PRRT_CACHE_DIR")
    return Path(absolute(chosen)) if chosen else Path(platformdirs.user_cache_dir("prrt-estimators", appauthor=False))


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
