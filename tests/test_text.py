"""Text that looks alike is alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators._text import plain_text, quoted_cell, shown_text, unquoted_cell


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("f\u200b", "f"),
        ("\ufeffP0", "P0"),
        ("Mu\u0308ller", "Müller"),
        ("ＣｇＡ［ｕｇ］", "CgA[ug]"),
        ("12\u00a0345", "12 345"),
        ("12\u202f345", "12 345"),
        ("\u00a0 a \t", "a"),
        ("so\u00adft", "soft"),
        ("a\u2060b\u200e", "ab"),
        ("µg/L ²", "µg/L ²"),
    ],
)
def test_one_spelling(written, plain):
    assert plain_text(written) == plain


@given(st.text(max_size=12))
def test_the_plain_form_is_its_own_and_steers_no_terminal(text):
    plain = plain_text(text)
    assert plain_text(plain) == plain
    assert not any(ord(sign) in (*range(9), 0xE, 0x1B, 0x7F, *range(0x80, 0xA0)) for sign in plain)


@given(st.text("='+-@a \t", max_size=5))
def test_quoted_cells_come_back_and_are_no_formulas(text):
    assert quoted_cell(text)[:1] not in ("=", "+", "-", "@")
    assert unquoted_cell(quoted_cell(text)) == text


def test_escape_sequences_are_shown():
    assert shown_text("a\x1b]0;title\x07\n\u202eb") == "a\\x1b]0;title\\x07\n\\u202eb"


@pytest.mark.parametrize("cell", ["=1+1", "\t=1+1", "\r@x", " +49", "＝1+1", "－1", "@x", "'=x", "''\t-1"])
def test_what_spreadsheets_take_for_formulas_is_quoted_and_comes_back(cell):
    assert quoted_cell(cell) == f"'{cell}"
    assert unquoted_cell(quoted_cell(cell)) == cell


@given(st.text(max_size=8))
def test_any_cell_comes_back(cell):
    assert unquoted_cell(quoted_cell(cell)) == cell
