"""What tells who somebody is, and the search for it in everything that was written."""

from __future__ import annotations

import ast
import datetime
import functools
import gzip
import importlib.resources
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from prrt_estimators._date_forms import has_date
from prrt_estimators._spellings import (
    fold,
    joined_names,
    names_in,
    places_in,
    signs_of,
    skeleton,
    without_apostrophes,
)
from prrt_estimators._transliterations import in_latin_letters
from prrt_estimators.ingest._software import software

_SHORTEST_IDENTIFIER = 4
#: Shorter numbers occur among laboratory values by chance.
_SHORTEST_NUMBER = 6
#: In voxels, shorter texts occur by chance.
_SHORTEST_IN_VOXELS = 6
_NIFTI_HEADER = 352
_CHUNK = 1 << 22
_PRINTABLE = re.compile(rb"[\x20-\x7e]{%d,}" % _SHORTEST_IN_VOXELS)
_WORDS = re.compile(r"[^\W\d_]+")
_PARTED = re.compile(r"[^\W\d_]+(?:['’‘`´ʼ′][^\W\d_]+)+")
#: Of a file: its letters from a to f are no words, and "1ada7" occurs in one of two hundred of them.
_DIGEST = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32,}(?![0-9A-Za-z])")
#: Sources whose words are compared with and never written, such as the names of months.
_NOT_WRITTEN = frozenset(["_privacy.py", "_spellings.py", "_identifying_words.py"])
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
        for text in texts:
            self.signs |= signs_of(text)
            self.names |= names_in(text)

    def add_places(self, texts: Iterable[str]) -> None:
        """Add names of institutions and wards: the whole, and each word that is not any hospital's."""
        for text in texts:
            self.add_identifiers([text])
            self.signs |= {one for one in signs_of(text) if len(one) >= 4}
            self.names |= places_in(text)

    def add_identifiers(self, texts: Iterable[str]) -> None:
        """Add identifiers of any kind."""
        for text in texts:
            folded = fold(text.strip())
            if len(folded) >= (_SHORTEST_NUMBER if folded.isdigit() else _SHORTEST_IDENTIFIER):
                self.identifiers.add(folded)

    def add_days(self, days: Iterable[datetime.date]) -> None:
        """Add days of birth, of studies and of therapy."""
        self.days.update(days)

    def update(self, other: Identity) -> None:
        """Add what another holds."""
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

    @functools.cached_property
    def _dates(self) -> frozenset[str]:
        forms = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%d%m%Y")
        return frozenset(day.strftime(form) for day in self.days for form in forms)

    @functools.cached_property
    def _by_beginning(self) -> dict[str, list[tuple[str, str]]]:
        """Long identifiers and dates by their first characters, to search much text for many at once."""
        found: dict[str, list[tuple[str, str]]] = {}
        for kind, texts in (("identifier", self.identifiers), ("date", self._dates)):
            for one in texts:
                if len(one) >= _SHORTEST_IN_VOXELS:
                    found.setdefault(one[:_SHORTEST_IN_VOXELS], []).append((kind, one))
        return found

    @functools.cached_property
    def _searched(self) -> frozenset[str]:
        return frozenset(self.names) - own_words()

    def _names_somebody(self, word: str) -> bool:
        if word in self._searched or skeleton(word) in self._searched:
            return True
        return not word.isascii() and any(one in self._searched for one in in_latin_letters(word))

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
        folded, spoken = fold(text), _DIGEST.sub(" ", text)
        found = set()
        words = {
            *_WORDS.findall(fold(spoken)),
            *_WORDS.findall(fold(without_apostrophes(spoken))),
            *joined_names(spoken),
        }
        if any(map(self._names_somebody, words)) or any(one in folded for one in self.signs):
            found.add("name")
        if any(_stands_alone(one, folded) for one in self.identifiers):
            found.add("identifier")
        if any(_stands_alone(one, folded) for one in self._dates):
            found.add("date")
        return found

    def kinds_in_voxels(self, text: str) -> set[str]:
        """Return what kinds of identity the texts found among voxels hold, in which short ones occur by chance."""
        folded = fold(text)
        found = set()
        words = {word for word in _WORDS.findall(folded) if len(word) >= _SHORTEST_IN_VOXELS}
        if any(map(self._names_somebody, words)):
            found.add("name")
        width = _SHORTEST_IN_VOXELS
        beginnings = {folded[k : k + width] for k in range(len(folded) - width + 1)}
        for beginning in beginnings & self._by_beginning.keys():
            found.update(kind for kind, one in self._by_beginning[beginning] if _stands_alone(one, folded))
        return found

    def clean(self, text: str) -> str:
        """Return a text with every name, identifier and date of a patient as ``***``."""
        if not self.kinds_in(text):
            return text
        # Marks that no letter can take, such as the dot of a Turkish capital in lower case, would part a word.
        text = "".join(c for c in unicodedata.normalize("NFC", text) if not unicodedata.combining(c))
        for one in sorted(self.identifiers | self._dates, key=len, reverse=True):
            if one in fold(text):
                text = re.sub(re.escape(one), "***", text if one in text.casefold() else fold(text), flags=re.I)
        text = _PARTED.sub(
            lambda one: "***" if self._names_somebody(fold(without_apostrophes(one[0]))) else one[0], text
        )
        text = _WORDS.sub(lambda word: "***" if self._names_somebody(fold(word[0])) else word[0], text)
        hidden = any(one in fold(text) for one in self.signs) or any(map(self._names_somebody, joined_names(text)))
        return "***" if hidden else text


def _stands_alone(needle: str, text: str) -> bool:
    """Tell whether a text occurs and is not a part of a longer word or number."""
    start = text.find(needle)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(needle) : start + len(needle) + 1]
        if not (before.isalnum() or after.isalnum() or (before == "." and needle.isdigit())):
            return True
        start = text.find(needle, start + 1)
    return False


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


def check_file(path: Path, name: str, identity: Identity) -> list[Finding]:
    """Search one file, decompressed where it is compressed.

    In voxels only texts of six characters or more are searched for: shorter ones occur by chance.
    """
    kinds = identity.kinds_in(name)
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
        text = path.read_bytes().decode("utf-8", "replace")
        kinds |= identity.kinds_in(text)
        if has_date(_without_versions(_DIGEST.sub(" ", text)), spoken=False):
            kinds.add("date")
    return [Finding("***" if identity.kinds_in(name) else name, kind) for kind in sorted(kinds)]


def _without_versions(text: str) -> str:
    """Take out what may look like a date and is a version of software."""
    for version in sorted(set(software().values()), key=len, reverse=True):
        text = text.replace(f'"{version}"', "")
    return text


def _kinds_in_voxels(stream: object, identity: Identity) -> set[str]:
    kinds: set[str] = set()
    rest = b""
    while chunk := stream.read(_CHUNK):  # type: ignore[attr-defined]
        runs = _PRINTABLE.findall(rest + chunk)
        if runs:
            kinds |= identity.kinds_in_voxels(b" \n ".join(runs).decode("ascii"))
        rest = chunk[-256:]
    return kinds


def check_folder(folder: Path, identity: Identity, checked: Iterable[Path] = ()) -> list[Finding]:
    """Search every file below a folder, but those that were checked before.

    Returns
    -------
    list of Finding
        Empty if nothing was found.
    """
    done = set(checked)
    findings = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in done:
            findings += check_file(path, path.relative_to(folder).as_posix(), identity)
    return findings
