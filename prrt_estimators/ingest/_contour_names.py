"""Names in contour objects, which join what the outputs are searched for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from prrt_estimators.contours._any import object_texts
from prrt_estimators.contours._lesion_names import vocabulary
from prrt_estimators.ingest._privacy import Identity, fold

_WORD = re.compile(r"[^\W\d_]+")
#: A word in so many rows of the clinical table is a word of the clinic, not a name.
_MANY_ROWS = 3


def contour_identity(files: Iterable[str], cells: Iterable[Iterable[object]]) -> Identity:
    """Return the names of persons in contour objects, and the words in names of structures that may be such.

    Parameters
    ----------
    files : iterable of str
        RTSTRUCT and SEG files.
    cells : iterable of iterable
        Rows of the clinical table.
    """
    found = Identity()
    labels: set[str] = set()
    for file in files:
        texts, persons = object_texts(file)
        found.add_names(persons)
        labels.update(texts)
    if labels:
        common = Counter(word for row in cells for word in {w for cell in row for w in _words(str(cell))})
        known = vocabulary() | {word for word, rows in common.items() if rows >= _MANY_ROWS}
        found.add_names(word for label in labels for word in _words(label) if word not in known)
    return found


def _words(text: str) -> list[str]:
    return [fold(word) for word in _WORD.findall(text)]
