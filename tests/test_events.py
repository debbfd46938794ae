"""Event codes are read by the loader's rules, or refused, wherever survival is given."""

import numpy as np
import pytest

from prrt_estimators import Cohort
from prrt_estimators._events import as_events, read_event
from prrt_estimators.datasets import check_cohort, load_cohort
from prrt_estimators.exceptions import CensoredPatientsWarning
from prrt_estimators.plotting import KaplanMeierDisplay

TIME = [5.0, 14.0, 20.0]


def survival(events):
    cells = np.asarray(events)
    kind = object if cells.dtype.kind == "O" else cells.dtype
    found = np.empty(3, dtype=[("event", kind), ("time", float)])
    found["event"], found["time"] = cells, TIME
    return found


@pytest.mark.parametrize(
    "events",
    [
        [True, False, True], [1, 0, 1], [1.0, 0.0, 1.0], ["1", "0", "1"], ["True", "False", "True"],
        ["yes", "no", "yes"], ["Ja", "nein", "JA"], ["event", "censored", "event"], ["1.0", "0.0", "1\u200b"],
        np.array([True, False, 1], dtype=object),
    ],
)  # fmt: skip
def test_codes_that_say_what_they_mean(events):
    assert as_events(np.asarray(events), "event").tolist() == [True, False, True]
    assert Cohort({"lab": np.eye(3)}, survival=survival(events)).survival["event"].tolist() == [True, False, True]
    drawn = KaplanMeierDisplay.from_survival(survival(events)).frame()
    usual = KaplanMeierDisplay.from_survival(survival([True, False, True])).frame()
    assert drawn.equals(usual)


@pytest.mark.parametrize(
    "events",
    [
        [1, 2, 1], [2, 1, 2], [-1, 1, 1], [1.0, np.nan, 0.0], ["1", "2", "1"], ["?", "1", "0"], ["", "1", "0"],
        np.array([True, None, False], dtype=object), [0.5, 1, 0], ["dead", "alive", "dead"],
    ],
)  # fmt: skip
def test_codes_that_do_not_are_refused(events):
    for make in (
        lambda: Cohort({"lab": np.eye(3)}, survival=survival(events)),
        lambda: KaplanMeierDisplay.from_survival(survival(events)),
        lambda: KaplanMeierDisplay.from_predictions(survival(events), [0.1, 0.9, 0.8]),
    ):
        with pytest.raises(ValueError, match=r"survival\['event'\]` must be 1 or True .* or 0 or False"):
            make()


@pytest.mark.parametrize("code", [2, "2", -1, "?", "unknown", "9", "maybe"])
def test_the_loader_refuses_them_by_patient(code):
    table = {"patient_id": ["a", "b", "c"], "age": [60, 61, 62], "pfs_months": TIME, "progressed": [1, code, 0]}
    (problem,) = check_cohort(table)
    assert (problem.patient, problem.column) == ("b", "progressed")
    assert repr(str(code)) in problem.what
    assert np.isnan(read_event(code))


@pytest.mark.parametrize(
    ("name", "time", "followed"),
    [
        ("pfs_days", 365, True), ("pfs_days", 366, True), ("pfs_days", 364, False), ("pfs_weeks", 52, True),
        ("pfs_weeks", 51.9, False), ("pfs_years", 1, True), ("pfs_years", 365 / 365.25, True), ("pfs_months", 11.99, True),
        ("pfs_months", 11.98, False), ("pfs_months", 12, True),
    ],
)  # fmt: skip
def test_a_year_without_progression_is_twelve_months(name, time, followed):
    table = {"patient_id": list("abc"), "age": [60, 61, 62], name: [time, time * 2, time / 2], "progressed": [0, 0, 1]}
    if followed:
        found = load_cohort(table, verbose=False)
        assert found.y.tolist() == [1, 1, 0]
        assert found.time[0] >= 12
    else:
        with pytest.warns(CensoredPatientsWarning):
            assert load_cohort(table, verbose=False).y.tolist() == [1, 0]


def test_progression_after_a_year_of_days_is_at_the_horizon():
    table = {"patient_id": list("abc"), "age": [60, 61, 62], "pfs_days": [365, 366, 730], "progressed": [1, 1, 1]}
    assert load_cohort(table, verbose=False).y.tolist() == [0, 1, 1]
