"""Text as people see it: one spelling of what looks alike, before anything is compared."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_INVISIBLE = [0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
_BLANKS = [0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
_CONTROLS = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r\v\f"]
_SAME: dict[int, str] = (
    dict.fromkeys(_INVISIBLE, "")
    | dict.fromkeys(_BLANKS, " ")
    | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full width
    | {code: f"\\x{code:02x}" for code in _CONTROLS}
)
_SHOWN = {code: text for code, text in _SAME.items() if code in _CONTROLS} | {
    code: f"\\u{code:04x}" for code in range(0x202A, 0x202F)
}

#: Beginnings at which a spreadsheet program takes a cell of text for a formula: also after blanks and in full width.
_BEGINS_FORMULA = r"[\s\x00-\x1f]*[=+\-@＝＋－＠]"
_FORMULA, _QUOTED = re.compile(_BEGINS_FORMULA), re.compile(rf"'+{_BEGINS_FORMULA}")


def plain_text(text: str) -> str:
    r"""Return a text in the one spelling in which texts are compared.

    Composed characters (NFC), no invisible ones, full width and unusual blanks as the usual ones, no blanks at the
    ends; control characters are spelled out.

    Examples
    --------
    >>> [plain_text(text) for text in ("f\u200b", "\ufeffP0", "ＣｇＡ", "a\u0308", "1\u202f234", "\x1b[31m")]
    ['f', 'P0', 'CgA', 'ä', '1 234', '\\x1b[31m']
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    return unicodedata.normalize("NFC", text.translate(_SAME)).strip()


def plain_cell(cell: Any) -> Any:
    """Return a cell with its text in the spelling of `plain_text`; anything but text as it is.

    Examples
    --------
    >>> plain_cell("f\u200b "), plain_cell(3)
    ('f', 3)
    """
    return plain_text(cell) if isinstance(cell, str) else cell


def unquoted_path(text: str) -> str:
    r"""Return a path without the quotes that copying it as a path puts around it.

    Examples
    --------
    >>> unquoted_path('"C:\\scans\\p0.nii.gz"'), unquoted_path("'p0.nii'"), unquoted_path("p0'.nii")
    ('C:\\scans\\p0.nii.gz', 'p0.nii', "p0'.nii")
    """
    text = text.strip()
    pairs = ('""', "''", "“”", "„“", "«»")
    return text[1:-1].strip() if len(text) > 2 and text[0] + text[-1] in pairs else text


def shown_text(text: str) -> str:
    r"""Return a text for a terminal: control characters, which could steer it, are spelled out.

    Examples
    --------
    >>> shown_text("P1\x1b[2J")
    'P1\\x1b[2J'
    """
    return text if text.isprintable() else text.translate(_SHOWN)


def quoted_cell(cell: Any) -> Any:
    """Return a cell for a file that a spreadsheet program may open: text that it would take for a formula is quoted.

    Examples
    --------
    >>> [quoted_cell(cell) for cell in ("=1+1", "-2 to 3", "F", -2.0, "'=x", " =1")]
    ["'=1+1", "'-2 to 3", 'F', -2.0, "''=x", "' =1"]
    """
    return f"'{cell}" if isinstance(cell, str) and (_FORMULA.match(cell) or _QUOTED.match(cell)) else cell


def unquoted_cell(cell: Any) -> Any:
    """Undo `quoted_cell`.

    Examples
    --------
    >>> [unquoted_cell(quoted_cell(cell)) for cell in ("=1+1", "'=x", "'n'", "+")]
    ['=1+1', "'=x", "'n'", '+']
    """
    return cell[1:] if isinstance(cell, str) and _QUOTED.match(cell) else cell
