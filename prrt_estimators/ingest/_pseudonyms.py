"""Pseudonyms: a keyed hash of the patient identifier, or names that the user gives."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from prrt_estimators._io import make_folder
from prrt_estimators.exceptions import CohortError, Problem

_SHORTEST_KEY = 16
_LETTERS = 8
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def canonical_id(value: object) -> str:
    """Return an identifier without what spreadsheets and scanners change: case, blanks, leading zeros, ``.0``.

    Examples
    --------
    >>> [canonical_id(v) for v in ("0012345", 12345.0, " ab-7 ", "AB-7")]
    ['12345', '12345', 'ab-7', 'ab-7']
    """
    text = " ".join(id_text(value).split()).casefold()
    return text.lstrip("0") or "0" if text.isdigit() else text


def id_text(value: object) -> str:
    """Return an identifier as written; a spreadsheet's 7.0 is 7."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def default_key_file() -> Path:
    """Return where the key lies unless the user says otherwise: in the user's own settings, never beside results."""
    from platformdirs import user_config_path

    return user_config_path("prrt-estimators") / "pseudonym.key"


def load_key(path: str | os.PathLike[str] | None, out: str | os.PathLike[str]) -> bytes:
    """Return the key of a file, which is made if it does not exist.

    Raises
    ------
    ValueError
        If the file lies inside `out`, from where it would be shared with the data, or holds no key.
    """
    file = default_key_file() if path is None else Path(path)
    if file.resolve().is_relative_to(Path(out).resolve()):
        raise ValueError(
            f"the key {file} lies inside the results {out}: with them, anybody can undo the pseudonyms. "
            "Name a file elsewhere."
        )
    try:
        text = file.read_bytes().strip()
    except FileNotFoundError:
        return _new_key(file)
    if len(text) < _SHORTEST_KEY:
        raise ValueError(
            f"the key file {file} holds {len(text)} bytes, expected at least {_SHORTEST_KEY}. "
            "Name another file; one that does not exist is made."
        )
    return text


def _new_key(file: Path) -> bytes:
    make_folder(file.parent)
    key = secrets.token_hex(32).encode()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another run was quicker
        return file.read_bytes().strip()
    with os.fdopen(handle, "wb") as stream:
        stream.write(key + b"\n")
    return key


def keyed_digest(key: bytes, *words: str) -> str:
    """Return a digest that cannot be guessed back without the key (HMAC-SHA256, RFC 2104).

    Examples
    --------
    >>> keyed_digest(b"k" * 16, "a") == keyed_digest(b"k" * 16, "a") != keyed_digest(b"j" * 16, "a")
    True
    """
    return hmac.new(key, "\0".join(words).encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def hashed_pseudonyms(identifiers: Iterable[str], key: bytes) -> dict[str, str]:
    """Return ``P`` and eight letters or digits for each identifier; the same key gives the same ones.

    Examples
    --------
    >>> names = hashed_pseudonyms(["12345", "12346"], b"k" * 16)
    >>> names == hashed_pseudonyms(["12346", "12345"], b"k" * 16), len(set(names.values()))
    (True, 2)
    """
    made = {}
    for identifier in identifiers:
        digest = bytes.fromhex(keyed_digest(key, "patient", identifier))
        made[identifier] = "P" + base64.b32encode(digest).decode()[:_LETTERS]
    if len(set(made.values())) < len(made):  # once in 2 ** 40 pairs
        raise ValueError("two patients have the same pseudonym under this key. Use another key file.")
    return made


def given_pseudonyms(names: Mapping[str, object], column: str, *, same: bool = False) -> dict[str, str]:
    """Return the user's own pseudonyms, checked.

    Parameters
    ----------
    names : mapping of identifier to cell
    column : str
        For messages.
    same : bool, default=False
        Whether pseudonyms may be the identifiers, for an export that was pseudonymised before.

    Raises
    ------
    CohortError
        If one is missing, occurs twice, is not a safe file name or is the identifier itself. Patients are counted,
        not named.
    """
    texts = {identifier: "" if cell is None else id_text(cell) for identifier, cell in names.items()}
    problems = []
    unsafe = sum(_SAFE.fullmatch(text) is None for text in texts.values())
    if unsafe:
        remedy = "use 1 to 64 letters, digits, '-', '_' and '.'"
        problems.append(Problem(f"{unsafe} pseudonyms are empty or no safe file names", remedy, column=column))
    doubled = len(texts) - len({text.casefold() for text in texts.values()})
    if doubled:
        what = f"{doubled} pseudonyms are given to more than one patient"
        problems.append(Problem(what, "give every patient one of its own", column=column))
    equal = 0 if same else sum(canonical_id(text) == identifier for identifier, text in texts.items())
    if equal:
        what = f"{equal} pseudonyms are the identifiers themselves"
        problems.append(Problem(what, "leave the column out: keyed hashes are made then", column=column))
    if problems:
        raise CohortError(problems)
    return texts
