"""Dates against each other and against today, worked by hand."""

from datetime import date

import pandas as pd
import pytest

from prrt_estimators._analytes import ANALYTES
from prrt_estimators.ingest._clinical_table import read_clinical
from prrt_estimators.ingest._dates import months_between, outcomes

TODAY = date(2024, 6, 1)
START = date(2020, 3, 1)


@pytest.mark.parametrize(
    ("begin", "end", "months"),
    [
        (date(2019, 3, 1), date(2020, 3, 1), 12.0), (date(2018, 3, 1), date(2019, 3, 1), 12.0),
        (date(2020, 2, 29), date(2021, 2, 28), 12.0), (date(2020, 1, 31), date(2020, 2, 29), 1.0),
        (date(2020, 3, 1), date(2020, 3, 15), 0.45), (date(2020, 3, 1), date(2020, 3, 1), 0.0),
        (date(2020, 12, 31), date(2021, 6, 30), 6.0), (date(2019, 3, 2), date(2020, 3, 1), 11.97),
    ],
)  # fmt: skip
def test_months_from_date_to_date(begin, end, months):
    assert months_between(begin, end) == months


@pytest.mark.parametrize(
    ("progression", "contact", "death", "told"),
    [
        (date(2022, 1, 1), None, date(2021, 1, 1), "progression is 365 days after death"),
        (None, date(2021, 1, 31), date(2021, 1, 1), "the last contact is 30 days after death"),
        (date(2031, 1, 1), None, None, "progression is 2405 days in the future"),
        (None, date(2024, 6, 2), None, "the last contact is 1 days in the future"),
        (None, None, date(2124, 6, 1), "death is 36524 days in the future"),
        (date(2020, 2, 1), None, None, "before the start of therapy"),
    ],
)
def test_contradictions_name_the_patient(progression, contact, death, told):
    given = [{} if day is None else {"a": day} for day in (progression, contact, death)]
    found = outcomes({"a": START, "b": START}, given[0] | {"b": date(2021, 3, 1)}, *given[1:], ["a", "b"], TODAY)
    assert told in found.wrong["a"]
    assert found.months == {"b": 12.0}
    assert "a" not in found.event


def test_what_agrees_is_taken():
    same = {"a": date(2021, 3, 1)}
    found = outcomes({"a": START}, same, same, same, ["a"], TODAY)
    assert (found.months, found.event, found.wrong) == ({"a": 12.0}, {"a": True}, {})


def test_a_typing_error_in_the_year_leaves_the_patient_out():
    frame = pd.DataFrame(
        {"id": ["1", "2"], "Therapiebeginn": ["01.03.2020", "01.03.2020"], "Progress": ["01.01.2931", "01.01.2021"]},
        dtype=object,
    )
    frame.loc[0, "Progress"] = "01.01.2091"
    found = read_clinical(frame, ["1", "2"], panel={one.name: one for one in ANALYTES}, derived=False)
    assert "in the future" in found.wrong["1"]
    assert found.frame["pfs_months"].tolist()[1] == 10.0
