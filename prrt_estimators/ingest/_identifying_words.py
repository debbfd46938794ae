"""Words of a header that say who, where or on which device."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from typing import Any

from pydicom.valuerep import PersonName

from prrt_estimators._spellings import decodings, fold

_TEXTS = frozenset(["AE", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UT"])
#: Elements about the examination, not about who or where: their words may stand elsewhere.
_ABOUT_THE_IMAGE = re.compile(
    r"Description|Protocol|CodeMeaning|CodeValue|CodingScheme|LongCode|ContextIdentifier|MappingResource|BodyPart|Contrast"
    r"|DerivationCode|Algorithm|ImplementationVersion|AcquisitionContext|Radionuclide|Anatomic|View|Reason|ImageLaterality"
)
_TOKENS = re.compile(r"\w+")
_SHORTEST, _SHORTEST_INSIDE = 3, 5
_LONGEST_BYTES = 4096


def words_elsewhere(header: Any, allowed: Collection[str]) -> frozenset[str]:
    """Return the folded words of all elements but those that are passed on or describe the image, nested ones too.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> header = Dataset()
    >>> header.InstitutionName, header.ManufacturerModelName = "Haus Isar", "Biograph Isar"
    >>> sorted(words_elsewhere(header, ["ManufacturerModelName"]))
    ['haus', 'haus isar', 'hausisar', 'isar']
    """
    found: set[str] = set()
    _collect(header, allowed, found)
    return frozenset(found)


def _collect(dataset: Any, allowed: Collection[str], found: set[str]) -> None:
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            if element.VR == "SQ":
                for item in element.value:
                    _collect(item, allowed, found)
            elif (
                element.VR in _TEXTS and element.keyword not in allowed and not _ABOUT_THE_IMAGE.search(element.keyword)
            ):
                found |= _words(element.value)
        except Exception:
            # What cannot be parsed is not passed on either.
            continue


def _words(value: Any) -> set[str]:
    if isinstance(value, bytes):
        if len(value) > _LONGEST_BYTES:
            return set()
        texts = decodings(value) or {value.decode("ascii", "ignore")}
    elif isinstance(value, (str, PersonName)) or not hasattr(value, "__iter__"):
        texts = {str(value)}
    else:
        texts = {str(part) for part in value}
    found = set()
    for text in texts:
        whole = fold(text.strip(" \0"))
        words = _TOKENS.findall(whole)
        # Abu-Bakr and O'Brien also stand without the sign between their parts.
        joined = {"".join(word) for word in itertools.pairwise(words)}
        found |= {whole, *words, *joined}
    return {word for word in found if len(word) >= _SHORTEST}


def without_words(text: str, words: Collection[str]) -> str:
    """Return a text without some words; longer ones also where they stand inside of others.

    Examples
    --------
    >>> without_words("Biograph Isar VG60", ["haus", "isar"])
    'Biograph VG60'
    """
    folded = fold(text)
    if len(folded) != len(text):
        # Letters that fold to two: the whole goes if anything of it does.
        return "" if any(word in folded for word in words if len(word) >= _SHORTEST) else text
    gone = [False] * len(text)
    for word in words:
        start = folded.find(word)
        while start >= 0:
            end = start + len(word)
            alone = not (folded[start - 1 : start].isalnum() or folded[end : end + 1].isalnum())
            if alone or len(word) >= _SHORTEST_INSIDE:
                gone[start:end] = [True] * len(word)
            start = folded.find(word, start + 1)
    kept = "".join(letter for letter, out in zip(text, gone, strict=True) if not out)
    return " ".join(kept.split()).strip("_-^/\\ ") if any(gone) else text
