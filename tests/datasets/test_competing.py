"""Deaths without progression, coded apart from progression."""

from __future__ import annotations

import pandas as pd
import pytest

from prrt_estimators import check_cohort, load_cohort
from prrt_estimators.exceptions import CohortError, CohortWarning

CAUSE = [1, 0, 2, 1, 0, 2, 1, 1]
MONTHS = [3.0, 20.0, 5.0, 14.0, 30.0, 25.0, 8.0, 16.0]


def table(**columns):
    ids = [f"P{k}" for k in range(8)]
    return pd.DataFrame({"patient_id": ids, "cga_ug_l": range(100, 108), "pfs_months": MONTHS} | columns)


PROGRESSED, EITHER = [int(one == 1) for one in CAUSE], [int(one > 0) for one in CAUSE]
DIED, WORDS = [int(one == 2) for one in CAUSE], [["censored", "progression", "death"][one] for one in CAUSE]
CODINGS = {
    "progression alone": (table(progressed=PROGRESSED, died_first=DIED), {"competing": "died_first"}),
    "empty cells": (table(progressed=PROGRESSED, died_first=[one or None for one in DIED]), {"competing": "died_first"}),
    "one column": (table(status=CAUSE), {"event": ("status", 1), "competing": ("status", 2)}),
    "one column, both end PFS": (table(status=CAUSE), {"event": ("status", [1, 2]), "competing": ("status", 2)}),
    "one column, the event by its word": (table(status=CAUSE), {"event": "status", "competing": ("status", 2)}),
    "words": (table(status=WORDS), {"event": "status", "competing": ("status", "death")}),
    "words of a column": (
        table(progressed=PROGRESSED, vital=["died" if one else "alive" for one in DIED]), {"competing": "vital"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("coding", CODINGS)
def test_every_coding_is_read_alike_and_death_ends_pfs(coding):
    frame, options = CODINGS[coding]
    data = load_cohort(frame, target="survival", verbose=False, **options)
    assert data.y["event"].tolist() == [bool(one) for one in EITHER]
    assert data.followup["cause"].tolist() == CAUSE
    assert data.followup["time"].tolist() == MONTHS
    assert list(data.X["lab"].columns) == ["cga_ug_l"]
    # 5 months and death: short PFS, like progression.
    assert load_cohort(frame, verbose=False, **options).y.tolist() == [0, 1, 0, 1, 1, 1, 0, 1]


def test_cause_specific_models_learn_progression_alone():
    frame, options = CODINGS["one column"]
    data = load_cohort(frame, target="time", competing_as="censored", verbose=False, **options)
    assert data.y["event"].tolist() == [bool(one) for one in PROGRESSED]
    assert data.X.survival["event"].tolist() == [bool(one) for one in PROGRESSED]
    assert data.followup["event"].tolist() == [bool(one) for one in EITHER]


def test_an_event_column_of_both_is_read_so_with_a_warning():
    frame = table(progressed=EITHER, died_first=DIED)
    with pytest.warns(CohortWarning, match="2 patients with an event in 'progressed' are marked in 'died_first'"):
        data = load_cohort(frame, target="survival", competing="died_first", verbose=False)
    assert data.followup["cause"].tolist() == CAUSE
    with pytest.warns(CohortWarning, match="taken as death without progression"):
        assert check_cohort(frame, competing="died_first") == []


def test_the_column_is_never_a_predictor():
    frame = table(progressed=PROGRESSED, died_first=DIED)
    roles = load_cohort(frame, competing="died_first", verbose=False).roles.set_index("column")["role"]
    assert roles["died_first"] == "competing"
    with pytest.raises(CohortError, match="died_first"):
        load_cohort(frame, competing="died_first", lab=["died_first", "cga_ug_l"], verbose=False)


def test_without_such_a_column_nothing_changes():
    data = load_cohort(table(progressed=EITHER), target="survival", verbose=False)
    assert data.followup.dtype.names == ("event", "time")


@pytest.mark.parametrize(
    ("frame", "options", "text"),
    [
        (table(progressed=[1, 0, 1, 1, 0, 0, 1, 1], died_first=DIED), {"competing": "died_first"}, "patient P2"),
        (table(progressed=PROGRESSED, died_first=[*DIED[:-1], "?"]), {"competing": "died_first"}, "patient P7, died_first"),
        (table(progressed=PROGRESSED, cause=[one + 5 for one in DIED]), {"competing": "cause"}, "expected 0 or 1"),
        (table(status=CAUSE), {"event": "status", "competing": "status"}, "which value means death is not stated"),
        (table(status=CAUSE), {"event": "status"}, r"name a code of death without progression, e.g. competing="),
        (table(progressed=EITHER, died_first=DIED), {"competing": "died_first", "time": None, "target": "progressed"}, "needs a column of times"),
        (table(progressed=EITHER), {"competing": "absent"}, "there is no column 'absent'"),
        (table(progressed=EITHER), {"competing_as": "censored", "target": "time"}, "needs competing="),
        (table(status=CAUSE), {"event": ("status", 1), "competing": ("status", 7)}, "holds none of the values"),
        (table(status=CAUSE), {"event": ("status", 1), "competing": ("status", 2), "competing_as": "censored"}, "survival models"),
        (table(died_first=DIED), {"event": None, "competing": "died_first"}, "needs a column of events"),
    ],
)  # fmt: skip
def test_what_is_contradictory_or_absent_is_refused(frame, options, text):
    with pytest.raises(CohortError, match=text):
        load_cohort(frame, verbose=False, **options)
