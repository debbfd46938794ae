import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators._values import is_ambiguous_number, parse_number


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("12", 12.0),
        (" 3,5 ", 3.5),
        ("<20", 10.0),
        ("< 0,6", 0.3),
        ("≤4", 2.0),
        ("> 5000", 5000.0),
        (">=60", 60.0),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("-2", -2.0),
        ("1e3", 1000.0),
        (7, 7.0),
        (True, 1.0),
    ],
)
def test_numbers_as_laboratories_write_them(cell, number):
    assert parse_number(cell) == pytest.approx(number)


@pytest.mark.parametrize("cell", ["", "n/a", "--", None, float("nan"), "Missing"])
def test_empty_cells_are_missing(cell):
    assert math.isnan(parse_number(cell))


@pytest.mark.parametrize("cell", ["high", "m", "12 U/l", "<", "2024-01-05", [1], {"a": 1}])
def test_text_is_not_a_number(cell):
    assert parse_number(cell) is None


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6))
def test_a_float_survives_with_either_decimal_sign(number):
    text = f"{number:.4f}"
    assert parse_number(text) == parse_number(text.replace(".", ",")) == float(text)


def test_only_a_lone_thousands_comma_is_ambiguous():
    assert is_ambiguous_number("1,234")
    assert is_ambiguous_number(">12,345")
    assert not any(is_ambiguous_number(v) for v in ("1.234", "1,23", "1234", 1.234, "0,5", "1.234,5"))
