"""The search for names, identifiers and dates of any number of patients in a text, by digests of what is searched for.

Digests need little memory and are found by bisection, so that neither memory nor time per text grows with the cohort as lists of
texts would. Two texts share one of 64 bits once in 10 ** 19 pairs.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from prrt_estimators._spellings import fold, joined_names, skeleton, without_apostrophes
from prrt_estimators._transliterations import in_latin_letters

#: Identifiers have at least so many characters; the first of them say where in a text one may begin.
_BEGINNING = 4
#: In voxels, shorter texts occur by chance.
SHORTEST_IN_VOXELS = 6
_WORDS = re.compile(r"[^\W\d_]+")
_PARTED = re.compile(r"[^\W\d_]+(?:['’‘`´ʼ′][^\W\d_]+)+")
#: Of a file: its letters from a to f are no words, and "1ada7" occurs in one of two hundred of them.
DIGEST = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32,}(?![0-9A-Za-z])")
_FACTOR = np.uint64(0x100000001B3)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _beginnings(points: np.ndarray) -> np.ndarray:
    """Return a number for the characters from each place of a text on."""
    count = len(points) - _BEGINNING + 1
    numbers = np.zeros(max(count, 0), np.uint64)
    for k in range(_BEGINNING):
        numbers = numbers * _FACTOR + points[k : k + len(numbers)]
    return numbers


def _points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)


@dataclass(frozen=True)
class TextSet:
    """Texts that can be found, and not be read.

    Attributes
    ----------
    digests, beginnings : ndarray of uint64
        Sorted; of the texts, and of the first characters of those that have four or more.
    lengths : tuple of int
    """

    digests: np.ndarray
    beginnings: np.ndarray
    lengths: tuple[int, ...]

    @staticmethod
    def of(texts: Iterable[str]) -> TextSet:
        """Return the set of some texts.

        Examples
        --------
        >>> found = TextSet.of(["ab-1234", "ada"])
        >>> "ada" in found, "ad" in found
        (True, False)
        """
        known = set(texts)
        starts = {one[:_BEGINNING] for one in known if len(one) >= _BEGINNING}
        numbers = np.concatenate([_beginnings(_points(one)) for one in starts]) if starts else np.zeros(0, np.uint64)
        digests = np.unique(np.fromiter(map(_digest, known), np.uint64, len(known)))
        return TextSet(digests, np.unique(numbers), tuple(sorted({len(one) for one in known})))

    def __contains__(self, text: str) -> bool:
        return len(text) in self.lengths and bool(_among(np.array([_digest(text)], np.uint64), self.digests)[0])

    def holds_any(self, texts: Iterable[str]) -> bool:
        """Tell whether one of several texts is among these."""
        numbers = np.array([_digest(one) for one in texts if len(one) in self.lengths], np.uint64)
        return bool(_among(numbers, self.digests).any())

    def places(self, text: str) -> list[int]:
        """Return where one may begin."""
        if not len(self.digests):
            return []
        return [int(place) for place in np.flatnonzero(_among(_beginnings(_points(text)), self.beginnings))]

    def standing_in(self, text: str, shortest: int = 0) -> bool:
        """Tell whether one occurs and is not a part of a longer word or number."""
        return any(
            one in self
            for start in self.places(text)
            if not text[start - 1 : start].isalnum()
            for length in self.lengths
            if length >= shortest
            and start + length <= len(text)
            and not text[start + length : start + length + 1].isalnum()
            for one in (text[start : start + length],)
            if not (start and text[start - 1] == "." and one.isdigit())
        )

    def within(self, text: str) -> set[str]:
        """Return those that occur anywhere in a text."""
        found = (text[start : start + length] for start in self.places(text) for length in self.lengths)
        return {one for one in found if one in self}


def _among(numbers: np.ndarray, known: np.ndarray) -> np.ndarray:
    if not len(known):
        return np.zeros(len(numbers), bool)
    places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    return np.asarray(known[places] == numbers)


@dataclass(frozen=True)
class IdentitySearch:
    """What searches for an `Identity`.

    Attributes
    ----------
    names, identifiers, dates, signs : TextSet
    """

    names: TextSet
    identifiers: TextSet
    dates: TextSet
    signs: TextSet

    def _names_somebody(self, words: Iterable[str]) -> bool:
        written = {
            one for word in words for one in (word, skeleton(word), *(() if word.isascii() else in_latin_letters(word)))
        }
        return self.names.holds_any(written)

    def _has_signs(self, folded: str) -> bool:
        if not len(self.signs.digests) or folded.isascii():
            return False
        return any(
            folded[start : start + length] in self.signs
            for start in range(len(folded))
            for length in self.signs.lengths
        )

    def kinds_in(self, text: str) -> set[str]:
        """Return what kinds of identity a text holds: name, identifier, date."""
        folded, spoken = fold(text), DIGEST.sub(" ", text)
        found = set()
        words = {
            *_WORDS.findall(fold(spoken)),
            *_WORDS.findall(fold(without_apostrophes(spoken))),
            *joined_names(spoken),
        }
        if self._names_somebody(words) or self._has_signs(folded):
            found.add("name")
        if self.identifiers.standing_in(folded):
            found.add("identifier")
        if self.dates.standing_in(folded):
            found.add("date")
        return found

    def kinds_in_voxels(self, text: str) -> set[str]:
        """Return what kinds of identity the texts found among voxels hold, in which short ones occur by chance."""
        folded = fold(text)
        found = set()
        words = {word for word in _WORDS.findall(folded) if len(word) >= SHORTEST_IN_VOXELS}
        if self._names_somebody(words):
            found.add("name")
        for kind, texts in (("identifier", self.identifiers), ("date", self.dates)):
            if texts.standing_in(folded, SHORTEST_IN_VOXELS):
                found.add(kind)
        return found

    def clean(self, text: str) -> str:
        """Return a text with every name, identifier and date of a patient as ``***``."""
        if not self.kinds_in(text):
            return text
        # Marks that no letter can take, such as the dot of a Turkish capital in lower case, would part a word.
        text = "".join(c for c in unicodedata.normalize("NFC", text) if not unicodedata.combining(c))
        known = self.identifiers.within(fold(text)) | self.dates.within(fold(text))
        for one in sorted(known, key=lambda one: (-len(one), one)):
            if one in fold(text):
                text = re.sub(re.escape(one), "***", text if one in text.casefold() else fold(text), flags=re.I)
        text = _PARTED.sub(
            lambda one: "***" if self._names_somebody([fold(without_apostrophes(one[0]))]) else one[0], text
        )
        text = _WORDS.sub(lambda word: "***" if self._names_somebody([fold(word[0])]) else word[0], text)
        hidden = self._has_signs(fold(text)) or self._names_somebody(joined_names(text))
        return "***" if hidden else text
