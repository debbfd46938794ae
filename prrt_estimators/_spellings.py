"""One spelling for names that different systems write differently."""

from __future__ import annotations

import re
import unicodedata

from prrt_estimators._transliterations import in_latin_letters

#: Letters that lose nothing but a stroke or join two others; accents are taken off by decomposition.
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "œ": "oe",
        "æ": "ae",
        "ł": "l",
        "ı": "i",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŋ": "n",
        "ŧ": "t",
        "ß": "ss",
    }
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
#: Two letters that systems write for one: ue for ü, ss for ß, aa for å.
_PAIRS = re.compile(r"(?<=[aou])e|(?<=a)a|(?<=s)s")
_WORDS = re.compile(r"[^\W\d_]+")
#: Every sign that is typed for one, between two letters.
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])['’‘`´ʼ′](?=[^\W\d_])")
#: Scripts that write names without blanks, of which two signs are a name.
_SIGNS = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
#: Titles and what anonymisers write in place of a name.
NO_NAMES = frozenset(
    [
        *("von", "van", "der", "den", "des", "del", "the", "and", "fur", "prof", "med", "und"),
        *("anonymous", "anonymized", "anonymised", "anon", "unknown", "unbekannt", "none"),
    ]
)
#: Words of institutions that stand in any text of a hospital.
_NO_PLACES = frozenset(
    [
        *("university", "universitat", "universitatsklinikum", "uniklinik", "klinikum", "klinik", "clinic", "clinical"),
        *("hospital", "krankenhaus", "centre", "center", "zentrum", "department", "abteilung", "institut", "institute"),
        *("nuclear", "nuklearmedizin", "medicine", "medizin", "radiology", "radiologie", "imaging", "pet", "scanner"),
        *("siemens", "philips", "canon", "toshiba", "united", "general"),
    ]
)
_SHORTEST_NAME = 3
#: Beginnings of surnames that some systems write as one word with what follows.
_PARTICLES = (
    "(?:von|vom|van|zu|zum|zur|der|den|dem|de|del|della|di|da|dos|du|la|le|ter|ten|el|al|bin|ibn|st|mac|mc|abu)"
)
_PARTICLE = re.compile(rf"(?<![^\W\d_])((?:{_PARTICLES}[\s-]+)+)(?!{_PARTICLES}(?![^\W\d_]))([^\W\d_]{{3,}})", re.I)
_BYTES = (
    "utf-8", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "iso8859-2", "iso8859-5", "iso8859-9", "gb18030", "big5",
    "shift_jis", "euc_jp", "euc_kr", "iso2022_jp", "iso2022_kr",
)  # fmt: skip


def fold(text: str) -> str:
    """Return a text in lower case without accents.

    Examples
    --------
    >>> fold("Müller-Groß"), fold("Łukasiewicz"), fold("Sørensen"), fold("Yıldız")
    ('muller-gross', 'lukasiewicz', 'sorensen', 'yildiz')
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).casefold().translate(_LETTERS))
    return "".join(c for c in plain if not unicodedata.combining(c)).translate(_LETTERS)


def skeleton(word: str) -> str:
    """Return what all spellings of a name have in common: ue is ü is u, ss is ß is s, aa is å is a.

    Examples
    --------
    >>> {skeleton(word) for word in ("Müller", "MUELLER", "Muller")}, skeleton("Groß") == skeleton("GROSS")
    ({'muller'}, True)
    """
    return _PAIRS.sub("", fold(word))


def spellings(word: str) -> set[str]:
    """Return the folded spellings of a word under which it is searched.

    Examples
    --------
    >>> sorted(spellings("Böe"))
    ['boe', 'boee']
    >>> sorted(spellings("Østby"))
    ['oestby', 'ostby']
    """
    lower = unicodedata.normalize("NFC", word).casefold()
    found = {fold(lower), fold(lower.translate(_UMLAUTS)), skeleton(lower), *in_latin_letters(lower)}
    return {one for one in found if len(one) >= 3}


def words_of(text: str) -> list[str]:
    """Return the words of a text, without digits; what an apostrophe parts also as one word.

    Examples
    --------
    >>> words_of("O’Brien^Ann")
    ['O', 'Brien', 'Ann', 'OBrien']
    """
    words = _WORDS.findall(unicodedata.normalize("NFC", text))
    return words + [word for word in _WORDS.findall(without_apostrophes(text)) if word not in words]


def names_in(text: str) -> set[str]:
    """Return the folded spellings of the names in a text: of each word of three letters or more that is not a title.

    A particle and what follows it are also one word, as in VONDERLUEHE.

    Examples
    --------
    >>> sorted(names_in("Dr. Böe")), "vonderluehe" in names_in("von der Lühe, Anna")
    (['boe', 'boee'], True)
    """
    found: set[str] = set()
    for word in words_of(text):
        if len(word) >= _SHORTEST_NAME and fold(word) not in NO_NAMES:
            found |= spellings(word)
    return found | joined_names(text)


def joined_names(text: str) -> set[str]:
    """Return the folded spellings of surnames with a particle as one word.

    Examples
    --------
    >>> sorted(joined_names("von der Lühe, Anna"))
    ['vonderluehe', 'vonderluhe']
    """
    found: set[str] = set()
    for particles, name in _PARTICLE.findall(unicodedata.normalize("NFC", text).replace("^", " ")):
        found |= spellings(re.sub(r"[\s-]", "", particles) + name)
    return found


def places_in(text: str) -> set[str]:
    """Return the folded spellings of each word of four letters or more that is not any hospital's.

    Examples
    --------
    >>> sorted(places_in("Klinikum Sonnenhang"))
    ['sonnenhang']
    """
    found: set[str] = set()
    for word in words_of(text):
        if len(word) > _SHORTEST_NAME and fold(word) not in _NO_PLACES | NO_NAMES:
            found |= spellings(word)
    return found


def without_apostrophes(text: str) -> str:
    """Return a text in which no apostrophe parts a word."""
    return _APOSTROPHE.sub("", unicodedata.normalize("NFC", text))


def signs_of(text: str) -> set[str]:
    """Return names of two signs or more in a text of scripts without blanks: each part, and all parts in a row.

    Examples
    --------
    >>> sorted(signs_of("王^小明")), signs_of("王"), signs_of("Wang^Xiaoming")
    (['小明', '小明王', '王小明'], set(), set())
    """
    found = set()
    for group in text.split("="):
        parts = ["".join(_SIGNS.findall(part)) for part in re.split(r"[\W_]+", group)]
        found |= {*parts, "".join(parts), "".join(parts[::-1])}
    return {fold(one) for one in found if len(one) >= 2}


def decodings(value: bytes) -> set[str]:
    """Return the texts that bytes outside ASCII may be, in the character sets that scanners and archives use.

    Examples
    --------
    >>> "Müller" in decodings("Müller".encode("latin-1")), "王" in decodings("王".encode("gb18030")), decodings(b"Smith")
    (True, True, set())
    """
    if value.isascii() and b"\x1b" not in value:
        return set()
    found = set()
    for encoding in _BYTES:
        try:
            found.add(value.decode(encoding).strip(" \0"))
        except (UnicodeDecodeError, LookupError):
            continue
    return found
