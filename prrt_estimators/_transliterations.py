"""Greek and Cyrillic names in Latin letters, as passports and hospitals write them."""

from __future__ import annotations

import unicodedata

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        [
            "a",
            "v",
            "g",
            "d",
            "e",
            "z",
            "i",
            "th",
            "i",
            "k",
            "l",
            "m",
            "n",
            "x",
            "o",
            "p",
            "r",
            "s",
            "s",
            "t",
            "y",
            "f",
            "ch",
            "ps",
            "o",
        ],
        strict=True,
    )
)
_PAIRS = {"ου": "ou", "αυ": "av", "ευ": "ev", "μπ": "b", "ντ": "d", "γγ": "ng", "γκ": "gk"}
_ENGLISH = dict(
    zip(
        "абвгґдеёєжзиіїйклмнопрстуфхцчшщыэюя",
        [
            "a",
            "b",
            "v",
            "g",
            "g",
            "d",
            "e",
            "e",
            "ye",
            "zh",
            "z",
            "i",
            "i",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "ch",
            "sh",
            "shch",
            "y",
            "e",
            "yu",
            "ya",
        ],
        strict=True,
    )
) | dict.fromkeys("ъь", "")
_GERMAN = _ENGLISH | {
    "в": "w", "ж": "sch", "з": "s", "й": "j", "х": "ch", "ц": "z", "ч": "tsch", "ш": "sch", "щ": "schtsch", "ю": "ju", "я": "ja",
    "є": "je", "ё": "jo",
}  # fmt: skip
_PASSPORT = _ENGLISH | {"ц": "ts", "ю": "iu", "я": "ia", "ъ": "ie", "й": "i", "ё": "e"}
_SCHOLARLY = _ENGLISH | {"й": "y", "ж": "zh", "х": "h", "ц": "c", "ё": "yo"}


def in_latin_letters(word: str) -> set[str]:
    """Return a Greek or Cyrillic word in Latin letters, in each usual way; nothing for other words.

    Examples
    --------
    >>> sorted(in_latin_letters("Иванов")), in_latin_letters("Παπαδόπουλος"), in_latin_letters("Müller")
    (['ivanov', 'iwanow'], {'papadopoulos'}, set())
    """
    letters = unicodedata.normalize("NFC", word).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFD", letters) if not unicodedata.combining(c))
    if any(c in _GREEK for c in plain):
        for pair, latin in _PAIRS.items():
            plain = plain.replace(pair, latin)
        return {"".join(_GREEK.get(c, c) for c in plain)}
    if not any(c in _ENGLISH for c in letters):
        return set()
    return {"".join(table.get(c, c) for c in letters) for table in (_ENGLISH, _GERMAN, _PASSPORT, _SCHOLARLY)}
