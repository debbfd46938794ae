"""Files that are either whole or absent."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock

from prrt_estimators._text import plain_text
from prrt_estimators.exceptions import StorageWarning

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

#: Files that are being written: name, process, random digits, ending.
_UNFINISHED = re.compile(r"\..*\.prrt-(\d+)-[0-9a-f]{8}(\.[^/]*)?", re.DOTALL)
#: Seconds after which a file that nobody holds is left over although its process number is in use: by another process.
_JUST_MADE, _OLD = 60.0, 86_400.0
#: What a file system answers to a call that it does not offer.
_NOT_OFFERED = {errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_swept: set[str] = set()
_remarked: set[tuple[str, str]] = set()


@contextlib.contextmanager
def atomic_write(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that becomes `target` on success and vanishes on failure.

    The temporary file lies in the folder of `target` and keeps its suffix, so that the final rename
    stays on one file system and writers that look at the suffix choose the right format. It is on the disk before it is
    renamed. What a killed process left of this kind is removed when another first writes into the folder.

    Raises
    ------
    OSError
        If it cannot be written; a full disk is named with its folder.
    """
    with write_together(target) as (temporary,):
        yield temporary


@contextlib.contextmanager
def write_together(*targets: str | os.PathLike[str]) -> Iterator[list[Path]]:
    """Yield temporary paths that become all of `targets` on success; on failure each is as it was before.

    The last target is the one that counts: it appears when the others are there.
    """
    paths = [Path(absolute(target)) for target in targets]
    staged: list[tuple[Path, int]] = []
    spares: list[Path] = []
    folder = paths[0].parent
    try:
        for path in paths:
            folder = path.parent
            make_folder(folder)
            if str(folder) not in _swept:
                _swept.add(str(folder))
                sweep(folder)
            staged.append(_stage(path))
        yield [temporary for temporary, _ in staged]
        for temporary, _ in staged:
            folder = temporary.parent
            _onto_disk(temporary)
        _replace_all([temporary for temporary, _ in staged], paths, spares)
    except OSError as error:
        named = _naming_the_folder(error, folder)
        if named is error:
            raise
        raise named from error
    finally:
        for temporary, handle in staged:
            os.close(handle)
            temporary.unlink(missing_ok=True)
        for spare in spares:
            spare.unlink(missing_ok=True)
    for parent in dict.fromkeys(path.parent for path in paths):
        _folder_onto_disk(parent)


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, unless they are there.

    Raises
    ------
    FileExistsError
        If it, or one above it, is a link to nothing.
    NotADirectoryError
        If it, or one above it, is a file.

    Examples
    --------
    >>> make_folder(".")
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        there = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
        if there.is_symlink() and not there.exists():
            what = f"the folder is a link to {os.readlink(there)}, which does not exist; make that folder, or name another one"
            raise FileExistsError(error.errno, what, str(there)) from None
        raise NotADirectoryError(error.errno, "is a file and not a folder; name another one", str(there)) from None


def _stage(target: Path) -> tuple[Path, int]:
    """Make an empty file beside a target, held by a lock for as long as this process lives."""
    temporary = _unfinished_name(target)
    # With the permissions that the user's files have; nothing is changed later, which some shares refuse.
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    _hold(handle)
    return temporary, handle


def _unfinished_name(target: Path) -> Path:
    return target.with_name(f".{target.stem[:40]}.prrt-{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")


def _hold(handle: int) -> None:
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def temporary_folder(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new folder beside `target`, which is gone afterwards; one that a killed process left is swept."""
    target = Path(absolute(target))
    make_folder(target.parent)
    sweep(target.parent)
    folder = _unfinished_name(target)
    folder.mkdir()
    handle = None if os.name == "nt" else os.open(folder, os.O_RDONLY)
    try:
        if handle is not None:
            _hold(handle)
        yield folder
    except OSError as error:
        named = _naming_the_folder(error, target.parent)
        if named is error:
            raise
        raise named from error
    finally:
        if handle is not None:
            os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def _replace_all(temporary: list[Path], targets: list[Path], spares: list[Path]) -> None:
    done: list[tuple[Path, Path | None]] = []
    try:
        for source, target in zip(temporary, targets, strict=True):
            spare = None
            if target is not targets[-1] and target.is_file():
                spare = _unfinished_name(target)
                spares.append(spare)
                try:
                    os.link(target, spare)
                except OSError:
                    shutil.copy2(target, spare)
            os.replace(source, target)
            done.append((target, spare))
    except BaseException:
        for target, spare in reversed(done):
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True) if spare is None else os.replace(spare, target)
        raise


def _onto_disk(file: Path) -> None:
    """Have the system write a file to the disk, so that a power failure after its renaming leaves no empty one."""
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
        _remark(file.parent, "does not write files to the disk when asked to: a power failure may damage the newest")
    finally:
        os.close(handle)


def _folder_onto_disk(folder: Path) -> None:
    if os.name == "nt":  # pragma: no cover - folders cannot be opened there
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        _remark(folder, "does not write names of files to the disk when asked to: a power failure may lose the newest")


def _naming_the_folder(error: OSError, folder: Path) -> OSError:
    full = error.errno in _FULL
    if error.errno is None:  # numpy counts what was written and tells no number
        with contextlib.suppress(OSError):
            full = shutil.disk_usage(folder).free < 2**20
    if not full:
        return error
    return OSError(
        error.errno or errno.ENOSPC,
        "the disk or the user's share of it is full; make space there, or name a folder with space",
        str(folder),
    )


def _remark(folder: Path, what: str) -> None:
    if (str(folder), what) not in _remarked:
        _remarked.add((str(folder), what))
        warnings.warn(f"the file system of {folder} {what}.", StorageWarning, stacklevel=4)


def sweep(folder: str | os.PathLike[str]) -> int:
    """Remove what killed processes left half-written in a folder, and return how many files that were."""
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _UNFINISHED.fullmatch(entry.name)
            if found and _is_left_over(entry.path, int(found[1])):
                with contextlib.suppress(OSError):
                    shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
                    removed += 1
    return removed


def _is_left_over(path: str, process: int) -> bool:
    """Return whether nobody writes a file: its lock is free, and its process gone or the file not of this minute."""
    try:
        age = time.time() - os.stat(path).st_mtime
        handle = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    except OSError:
        return False
    try:
        if fcntl is None:  # pragma: no cover - Windows
            return age > _OLD
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Held by its writer, here or on another machine; or a share without locks, where only age tells.
        return error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES) and age > _OLD
    finally:
        os.close(handle)
    return not _is_alive(process) or age > _JUST_MADE


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@contextlib.contextmanager
def folder_lock(folder: Path, name: str = ".lock", *, wait: float = 0) -> Iterator[None]:
    """Hold a folder for this process; the operating system lets go when the process ends in any way.

    Parameters
    ----------
    folder : path
    name : str, default=".lock"
        File of the lock; others may hold the folder under other names.
    wait : float, default=0
        Seconds to wait for another process.

    Raises
    ------
    filelock.Timeout
        If another process holds it.

    Warns
    -----
    StorageWarning
        If its file system has no locks; nothing is held then.
    """
    lock: FileLock | None = FileLock(folder / name, timeout=wait)
    assert lock is not None
    try:
        lock.acquire()
    except TimeoutError:  # filelock's own is one
        raise
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", errno.ENOSYS) not in _NOT_OFFERED:
            raise
        _remark(folder, "has no locks: see to it that only one program at a time writes there")
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def is_fault(error: BaseException) -> bool:
    """Tell a fault of a parser or decoder from the end of the program: decoders written in Rust panic past Exception.

    Examples
    --------
    >>> is_fault(ValueError()), is_fault(KeyboardInterrupt())
    (True, False)
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


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


#: Names that `keep_by_digest` gives to weights.
_KEPT = re.compile(r"(?:pretrained|saved)-([0-9a-f]{16})\.safetensors")


def is_kept_whole(file: Path) -> bool:
    """Return whether a file holds what its name says, where its name tells a digest."""
    named = _KEPT.fullmatch(file.name)
    return named is None or file_digest(file).startswith(named[1])


def keep_by_digest(content: bytes, folder: Path, stem: str, suffix: str) -> Path:
    """Write content under a name made of its SHA-256, unless it lies there undamaged, and return the file."""
    digest = hashlib.sha256(content).hexdigest()
    target = folder / f"{stem}-{digest[:16]}{suffix}"
    if not target.is_file() or file_digest(target) != digest:
        with atomic_write(target) as temporary:
            temporary.write_bytes(content)
    return target
