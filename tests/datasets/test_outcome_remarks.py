"""Columns beside the outcome that contradict it are warned of, with the patients."""

from __future__ import annotations

import warnings

import pytest

from prrt_estimators.datasets import load_cohort
from prrt_estimators.exceptions import CohortWarning

IDS = ["A", "B", "C", "D", "E", "F"]
MONTHS = [3.0, 8.0, 11.0, 14.0, 20.0, 30.0]


def told(**columns):
    """Return the warnings of a table with the columns, and what was loaded."""
    table = {
        "patient_id": IDS,
        "CRP [mg/l]": [1.0, 2, 3, 4, 5, 6],
        "pfs_months": MONTHS,
        "progressed": [1] * 6,
        **columns,
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CohortWarning)
        loaded = load_cohort(table, verbose=False)
    assert loaded.y.tolist() == [0, 0, 0, 1, 1, 1]  # nothing is changed
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("os_months", 1),
        ("OS [Monate]", 1),
        ("Overall survival (days)", 30.4375),
        ("Gesamtüberleben", 1),
        ("OS (years)", 1 / 12),
    ],
)
def test_death_before_progression_is_told(name, factor):
    after = [(value + 6) * factor for value in MONTHS]
    assert told(**{name: after}) == []
    wrong = [*after[:1], (MONTHS[1] - 2) * factor, *after[2:]]
    [text] = told(**{name: wrong})
    assert f"survival in '{name}' is shorter than the time in 'pfs_months' for patient B:" in text


def test_times_that_were_rounded_apart_contradict_nothing():
    assert told(os_months=[int(value) for value in MONTHS]) == []
    assert told(os_months=["", None, *MONTHS[2:]]) == []


def test_a_class_that_is_not_that_of_the_times_is_told():
    assert told(pfs_class=["short"] * 3 + ["long"] * 3) == []
    [text] = told(pfs_class=["short", "long", "short", "short", "", "long"])
    assert "column 'pfs_class' has the other class than 'pfs_months' gives for patient B, D:" in text
    [text] = told(pfs_class=["long"] * 3 + ["short"] * 3)
    assert "for patient A, B, C and 3 more" in text
