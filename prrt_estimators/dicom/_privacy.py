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

_SHORTEST_NAME = 3
_SHORTEST_IDENTIFIER = 4
#: Shorter numbers occur among laboratory values by chance.
_SHORTEST_NUMBER = 6
#: In voxels, shorter texts occur by chance.
_SHORTEST_IN_VOXELS = 6
_NIFTI_HEADER = 352
_CHUNK = 1 << 22
_PRINTABLE = re.compile(rb"[\x20-\x7e]{%d,}" % _SHORTEST_IN_VOXELS)
_WORDS = re.compile(r"[^\W\d_]+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
#: Titles and what anonymisers write in place of a name.
_NO_NAMES = frozenset(
    ["von", "van", "der", "den", "prof", "med", "und", "anonymous", "anonymized", "anonymised", "anon"]
)
#: Words that columns of a cohort table hold; a patient may be called so too.
_ANSWERS = frozenset(
    ["long", "short", "lang", "kurz", "yes", "ja", "nein", "male", "female", "high", "low", "gross", "klein"]
)


def fold(text: str) -> str:
    """Return a text in lower case without accents.

    Examples
    --------
    >>> fold("Müller-Groß")
    'muller-gross'
    """
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


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
        Folded. Of names also each word of three letters or more.
    days : set of date
    """

    names: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    days: set[datetime.date] = field(default_factory=set)

    def add_names(self, texts: Iterable[str]) -> None:
        """Add names of persons, places and the like."""
        for text in texts:
            for spelling in {text.casefold(), text.casefold().translate(_UMLAUTS)}:
                words = _WORDS.findall(fold(spelling))
                self.names.update(w for w in words if len(w) >= _SHORTEST_NAME and w not in _NO_NAMES)

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

    def without(self, texts: Iterable[str]) -> Identity:
        """Return a copy that does not know some texts, such as pseudonyms that an export has in place of names."""
        known = Identity()
        known.add_names(texts := list(texts))
        known.add_identifiers(texts)
        return Identity(self.names - known.names, self.identifiers - known.identifiers, set(self.days))

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
        folded = fold(text)
        found = set()
        if any(w in self._searched for w in set(_WORDS.findall(folded))):
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
        if any(len(w) >= _SHORTEST_IN_VOXELS and w in self._searched for w in set(_WORDS.findall(folded))):
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
        for one in sorted(self.identifiers | self._dates, key=len, reverse=True):
            if one in fold(text):
                text = re.sub(re.escape(one), "***", text if one in text.casefold() else fold(text), flags=re.I)
        return _WORDS.sub(lambda word: "***" if fold(word[0]) in self._searched else word[0], text)


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
    files = [package / "_analytes.py", package / "cli" / "_ingest.py", *(package / "dicom").iterdir()]
    for file in files:
        if file.name.endswith(".py"):
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
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
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
        kinds |= identity.kinds_in(path.read_bytes().decode("utf-8", "replace"))
    return [Finding("***" if identity.kinds_in(name) else name, kind) for kind in sorted(kinds)]


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
