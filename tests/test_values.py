import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators._values import decimal_commas, empty_words, is_error_cell, parse_number, read_numbers
from prrt_estimators.datasets import load_cohort
from prrt_estimators.exceptions import CohortError


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


@pytest.mark.parametrize("cell", ["12 34", "120 80", "3 4", "1.23.456", "1,23,456", "12.34,5", "1 23", "0 500", "5%6"])
def test_groups_that_are_not_of_three_digits_are_no_numbers(cell):
    assert parse_number(cell) is None


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("12 345", 12345), ("12\u202f345,5", 12345.5), ("1\u00a0234", 1234), ("4'500", 4500), ("4’500.25", 4500.25),
        ("1.234.567", 1234567), ("1,234,567", 1234567), ("> 12.345,6", 12345.6), ("0,500", 0.5), ("0.500", 0.5),
        ("−3", -3), ("１２,５", 12.5), (Decimal("3.5"), 3.5), (Fraction(1, 4), 0.25), (np.float32(2), 2.0),
    ],
)  # fmt: skip
def test_groups_and_other_kinds_of_numbers(cell, number):
    assert parse_number(cell) == number


def test_decimal_nan_is_missing():
    assert math.isnan(parse_number(Decimal("NaN")))


@pytest.mark.parametrize(
    ("cells", "commas", "values", "doubtful"),
    [
        (["1.234", "2.5"], False, [1.234, 2.5], []),  # an English table
        (["1.234", "2"], False, [1.234, 2], []),
        (["4.500", "3,5", "> 5.000"], False, [4500, 3.5, 5000], []),  # its own column settles it
        (["4.500", "85"], True, None, [0]),  # another column has decimal commas
        (["> 5.000", "<1.200"], True, None, [0, 1]),
        (["4.500", "12.5", "3,5"], True, None, [0]),  # points and commas are both decimal here
        (["1,234", "5"], False, None, [0]),
        (["0,500", "0.250"], True, [0.5, 0.25], []),
        (["12.5", "1234.5"], True, [12.5, 1234.5], []),
        (["15 %", "7,5%"], False, [15, 7.5], []),
    ],
)
def test_a_column_tells_what_a_cell_cannot(cells, commas, values, doubtful):
    read = read_numbers(pd.Series(cells, dtype=object), commas)
    assert np.flatnonzero(read.ambiguous).tolist() == doubtful
    assert not read.text.any()
    if values is not None:
        assert read.values.tolist() == values


@given(st.integers(1000, 999_999_999), st.booleans())
def test_thousands_mean_the_same_in_both_countries(number, german):
    written = f"{number:,}.5" if not german else f"{number:,}".replace(",", ".") + ",5"
    assert parse_number(written) == number + 0.5


def test_words_for_nothing_that_are_levels():
    assert {"none", "?"} & empty_words(["none", "carcinoid"]) == {"?"}
    assert "-" not in empty_words(["++", "-", "+"])
    assert "none" in empty_words(["none", "12"])
    assert "none" in empty_words(["none", "2020-01-05"])
    assert "-" in empty_words(["-", "a"])


@pytest.mark.parametrize("cell", ["#DIV/0!", "#N/A", "#NV", "#WERT!", "#REF!", "#FORMULA!", " #name? "])
def test_errors_of_spreadsheets(cell):
    assert is_error_cell(cell)
    assert parse_number(cell) is None


@given(st.permutations(range(12)))
def test_the_order_of_cells_changes_nothing(order):
    cells = pd.Series(["1,5", "?", "x", 7.0, "", "<3", None, "2.000,5", "12 %", "n.d.", "4.500", "8"], dtype=object)
    one, other = read_numbers(cells), read_numbers(cells.iloc[order].reset_index(drop=True))
    assert one.text.sum() == 1
    for name in ("values", "empty", "text", "ambiguous", "limited"):
        np.testing.assert_array_equal(getattr(one, name)[order], getattr(other, name), err_msg=name)


def test_an_answer_among_measurements_is_no_measurement():
    read = read_numbers(pd.Series([95.0, True, 70.0], dtype=object))
    assert read.text.tolist() == [False, True, False]
    assert np.isnan(read.values[1])
    for answers in ([True, False, None], [1, True, 0]):  # answers alone are 1 and 0
        assert not read_numbers(pd.Series(answers, dtype=object)).text.any()


@pytest.mark.parametrize(
    ("columns", "in_doubt"),
    [
        ([["1.095", "365", "412"]], True),
        ([["> 5.000", "365", "412", ""]], True),
        ([["1.095", 365, 412.0]], True),  # text between numbers of Excel
        ([["1.095", "365"]], False),  # one other number tells nothing
        ([["1.095", "2", "14"]], False),
        ([["1.095", "365", "412.5"]], False),
        ([["1.095", 365, 412.5]], False),
        ([["1.095", "365", "412"], ["13.5", "12"]], False),  # the table has decimal points
        ([["1.095", "365", "412"], ["13,5", "12"]], True),
        ([["1.095", "2.100", "3.250"]], False),
        ([["1,095", "365", "412"]], False),  # in doubt by itself
        ([["long", "short", "365", "412"]], False),
    ],
)
def test_a_point_among_whole_numbers_that_reach_hundreds_is_in_doubt(columns, in_doubt):
    table = [pd.Series(column, dtype=object) for column in columns]
    assert decimal_commas(table) is in_doubt
    read = read_numbers(table[0], decimal_commas(table))
    assert read.ambiguous.any() == (in_doubt or "1,095" in columns[0])


def test_the_remedy_for_a_point_in_doubt_is_read():
    days = {
        "patient_id": list("abcdef"),
        "PFS (Tage)": ["1.095", "365", "412", "90", "800", "120"],
        "progressed": [1] * 6,
    }
    with pytest.raises(CohortError, match=r"'1\.095' could mean 1095 or 1\.095") as caught:
        load_cohort({**days, "CRP [mg/l]": list("123456")})
    assert "write 1095, or 1.0950 if it is a fraction" in str(caught.value)
    days["PFS (Tage)"][0] = "1095"
    assert load_cohort({**days, "CRP [mg/l]": list("123456")}).X.survival["time"][0] == pytest.approx(
        1095 / 30.4375, rel=1e-3
    )
    cga = ["1.0950", "365", "412", "90", "800", "120"]
    assert load_cohort({**days, "CgA [ug/l]": cga}).X["lab"]["CgA [ug/l]"].iloc[0] == 1.095
