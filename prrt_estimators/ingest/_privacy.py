"""What tells who somebody is, and the search for it in everything that was written."""

from __future__ import annotations

import ast
import datetime
import functools
import gzip
import importlib.resources
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from prrt_estimators._date_forms import has_date
from prrt_estimators._spellings import fold, names_in, places_in, signs_of
from prrt_estimators.ingest._identity_search import DIGEST, SHORTEST_IN_VOXELS, IdentitySearch, TextSet
from prrt_estimators.ingest._software import software

_SHORTEST_IDENTIFIER = 4
#: Shorter numbers occur among laboratory values by chance.
_SHORTEST_NUMBER = 6
_NIFTI_HEADER = 352
_CHUNK = 1 << 22
#: Bytes of a text that are searched at once, and lines of it that are searched again with the next.
_TEXT_CHUNK, _OVERLAP = 1 << 18, 10
_PRINTABLE = re.compile(rb"[\x20-\x7e]{%d,}" % SHORTEST_IN_VOXELS)
_WORDS = re.compile(r"[^\W\d_]+")
_DATE_FORMS = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%d%m%Y")
#: Sources whose words are compared with and never written, such as the names of months.
_NOT_WRITTEN = frozenset(
    ["_privacy.py", "_spellings.py", "_identifying_words.py", "_identity_search.py", "_spilled.py", "_task_records.py"]
)
_PATTERN = re.compile(r"\\b|\(\?|\\s|\\w|\w\|\w")
#: Words that columns of a cohort table hold; a patient may be called so too.
_ANSWERS = frozenset(
    ["long", "short", "lang", "kurz", "yes", "ja", "nein", "male", "female", "high", "low", "gross", "klein"]
)


@dataclass(frozen=True)
class Finding:
    """Something of the identity in an output.

    Attributes
    ----------
    file : str
        Below the folder of results.
    kind : {"name", "identifier", "date"}
        What was found; never the thing itself.
    """

    file: str
    kind: str


@dataclass
class Identity:
    """Names, identifiers and dates of patients, and what searches for them.

    Attributes
    ----------
    names, identifiers : set of str
        Folded. Of names each word of three letters or more, in every spelling.
    days : set of date
    signs : set of str
        Names of two signs or more in scripts that write no blanks.
    """

    names: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    days: set[datetime.date] = field(default_factory=set)
    signs: set[str] = field(default_factory=set)

    def add_names(self, texts: Iterable[str]) -> None:
        """Add names of persons, places and the like."""
        self._changed()
        for text in texts:
            self.signs |= signs_of(text)
            self.names |= names_in(text)

    def add_places(self, texts: Iterable[str]) -> None:
        """Add names of institutions and wards: the whole, and each word that is not any hospital's."""
        self._changed()
        for text in texts:
            self.add_identifiers([text])
            self.signs |= {one for one in signs_of(text) if len(one) >= 4}
            self.names |= places_in(text)

    def add_identifiers(self, texts: Iterable[str]) -> None:
        """Add identifiers of any kind."""
        self._changed()
        for text in texts:
            folded = fold(text.strip())
            if len(folded) >= (_SHORTEST_NUMBER if folded.isdigit() else _SHORTEST_IDENTIFIER):
                self.identifiers.add(folded)

    def add_days(self, days: Iterable[datetime.date]) -> None:
        """Add days of birth, of studies and of therapy."""
        self._changed()
        self.days.update(days)

    def update(self, other: Identity) -> None:
        """Add what another holds."""
        self._changed()
        self.names |= other.names
        self.identifiers |= other.identifiers
        self.days |= other.days
        self.signs |= other.signs

    def without(self, texts: Iterable[str]) -> Identity:
        """Return a copy that does not know some texts, such as pseudonyms that an export has in place of names."""
        known = Identity()
        known.add_names(texts := list(texts))
        known.add_identifiers(texts)
        kept = self.names - known.names, self.identifiers - known.identifiers
        return Identity(*kept, set(self.days), self.signs - known.signs)

    def _changed(self) -> None:
        vars(self).pop("search", None)

    @functools.cached_property
    def search(self) -> IdentitySearch:
        """What searches for this identity as it is now; it holds none of the texts."""
        dates = (day.strftime(form) for day in self.days for form in _DATE_FORMS)
        names = TextSet.of(self.names - own_words())
        return IdentitySearch(names, TextSet.of(self.identifiers), TextSet.of(dates), TextSet.of(self.signs))

    def kinds_in(self, text: str) -> set[str]:
        """Return what kinds of identity a text holds.

        Examples
        --------
        >>> who = Identity()
        >>> who.add_names(["Okonkwo^Ada"])
        >>> who.add_identifiers(["AB-1234"])
        >>> who.kinds_in("p of ada"), who.kinds_in("ab-1234.nii"), who.kinds_in("adamant xab-12345")
        ({'name'}, {'identifier'}, set())
        """
        return self.search.kinds_in(text)

    def kinds_in_voxels(self, text: str) -> set[str]:
        """Return what kinds of identity the texts found among voxels hold, in which short ones occur by chance."""
        return self.search.kinds_in_voxels(text)

    def clean(self, text: str) -> str:
        """Return a text with every name, identifier and date of a patient as ``***``."""
        return self.search.clean(text)


@functools.cache
def own_words() -> frozenset[str]:
    """Return the words that this program writes itself, which name nobody where they stand.

    They are the words of the texts in the program's sources, without the documentation strings.
    """
    found: set[str] = set()
    package = importlib.resources.files("prrt_estimators")
    rooms = [file for room in ("dicom", "ingest", "contours") for file in (package / room).iterdir()]
    files = [package / "_analytes.py", package / "cli" / "_ingest.py", *rooms]
    for file in files:
        if file.name.endswith(".py") and file.name not in _NOT_WRITTEN:
            found.update(_source_words(file.read_text("utf-8")))
    return frozenset(found) | _ANSWERS


def _source_words(source: str) -> Iterator[str]:
    documentation = set()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr):
                documentation.add(first.value)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in documentation:
            continue
        # Patterns are compared with and never written.
        if not _PATTERN.search(node.value):
            yield from _WORDS.findall(fold(node.value))


def check_file(path: Path, name: str, identity: Identity | IdentitySearch) -> list[Finding]:
    """Search one file, decompressed where it is compressed.

    In voxels only texts of six characters or more are searched for: shorter ones occur by chance.
    """
    in_name = identity.kinds_in(name)
    kinds = set(in_name)
    if path.suffix == ".gz":
        with open(path, "rb") as raw:
            # The header of gzip may hold a file name and a comment.
            kinds |= identity.kinds_in_voxels(raw.read(512)[10:].decode("latin-1"))
        with gzip.open(path, "rb") as stream:
            kinds |= identity.kinds_in(stream.read(_NIFTI_HEADER).decode("latin-1"))
            kinds |= _kinds_in_voxels(stream, identity)
    elif path.suffix in (".png", ".nii"):
        with open(path, "rb") as stream:
            kinds |= _kinds_in_voxels(stream, identity)
    else:
        for text in _windows(path):
            kinds |= identity.kinds_in(text)
            if "date" not in kinds and has_date(_without_versions(DIGEST.sub(" ", text)), spoken=False):
                kinds.add("date")
    return [Finding("***" if in_name else name, kind) for kind in sorted(kinds)]


def _windows(path: Path) -> Iterator[str]:
    """Give a text in parts of whole lines, each with the end of the one before it."""
    with open(path, "rb") as stream:
        kept: list[bytes] = []
        while lines := stream.readlines(_TEXT_CHUNK):
            yield b"".join([*kept, *lines]).decode("utf-8", "replace")
            # What is searched for may stand on several lines.
            kept = lines[-_OVERLAP:]


def _without_versions(text: str) -> str:
    """Take out what may look like a date and is a version of software."""
    for version in sorted(set(software().values()), key=len, reverse=True):
        text = text.replace(f'"{version}"', "")
    return text


def _kinds_in_voxels(stream: object, identity: Identity | IdentitySearch) -> set[str]:
    kinds: set[str] = set()
    rest = b""
    while chunk := stream.read(_CHUNK):  # type: ignore[attr-defined]
        runs = _PRINTABLE.findall(rest + chunk)
        if runs:
            kinds |= identity.kinds_in_voxels(b" \n ".join(runs).decode("ascii"))
        rest = chunk[-256:]
    return kinds


def check_folder(
    folder: Path, identity: Identity | IdentitySearch, checked: Callable[[Path], bool] | None = None
) -> list[Finding]:
    """Search every file below a folder, but those that were checked before.

    Returns
    -------
    list of Finding
        Empty if nothing was found.
    """
    findings = []
    for path in _below(folder):
        if checked is None or not checked(path):
            findings += check_file(path, path.relative_to(folder).as_posix(), identity)
    return findings


def _below(folder: Path) -> Iterator[Path]:
    """Give the files below a folder in the order of their paths."""
    try:
        names = sorted(os.listdir(folder))
    except PermissionError:
        return
    for name in names:
        path = folder / name
        if path.is_dir():
            if not path.is_symlink():
                yield from _below(path)
        elif path.is_file():
            yield path
