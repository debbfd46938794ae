"""Reference limits that a hospital edited: what is read of them, and every row that cannot be."""

from __future__ import annotations

import pandas as pd
import pytest

from prrt_estimators._analytes import ANALYTES
from prrt_estimators.exceptions import CohortError
from prrt_estimators.ingest._reference_limits import read_limits

PANEL = {one.name: one for one in ANALYTES}


def limits(tmp_path, rows, columns=("analyte", "unit", "uln_male", "lln_female")):
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "limits.csv", index=False)
    return tmp_path / "limits.csv"


def problems(path):
    with pytest.raises(CohortError) as caught:
        read_limits(path)
    return [one.what for one in caught.value.problems]


def test_every_row_that_cannot_be_read_is_listed_and_the_first_hides_none(tmp_path):
    rows = [
        ["unicorn", "", 1, None],
        ["creatinine", "mg/dl", 1.1, None],
        ["creatinine", "parsec", 1, None],
        ["haemoglobin", "g/dl", "much", None],
        ["cga", "ug/l", 90, None],
        ["also not", "", 1, None],
    ]
    found = problems(limits(tmp_path, rows))
    assert [text.split()[1] for text in found] == ["1", "3", "4", "6"]
    assert "creatinine" in found[1]
    assert "haemoglobin" in found[2]


def test_a_limit_is_converted_and_stands_where_it_was_written_and_nowhere_else(tmp_path):
    read = read_limits(limits(tmp_path, [["haemoglobin", "g/l", 180, 115], ["cga", "ug/l", 90, None]]))
    assert (read["haemoglobin"].uln_male, read["haemoglobin"].lln_female) == pytest.approx((18.0, 11.5))
    for name in ("uln_female", "lln_male"):
        assert getattr(read["haemoglobin"], name) == getattr(PANEL["haemoglobin"], name)
    assert read["cga"].uln_male == 90
    assert read["cga"].lln_female == PANEL["cga"].lln_female
    assert {name: one for name, one in read.items() if name not in ("haemoglobin", "cga")} == {
        name: one for name, one in PANEL.items() if name not in ("haemoglobin", "cga")
    }
    assert read_limits(None) == PANEL


@pytest.mark.parametrize("columns", [("name", "unit", "uln_male", "lln_male"), ("analyte", "unit", "upper", "lower")])
def test_a_table_of_something_else_is_refused(tmp_path, columns):
    assert problems(limits(tmp_path, [["cga", "ug/l", 90, None]], columns)) == ["is not a table of reference limits"]
