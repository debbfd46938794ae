"""load_cohort(target="survival"): everybody whose time is known, with events and months."""

import warnings

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import check_cohort, load_cohort
from prrt_estimators._targets import ClassTarget
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.exceptions import CohortError


def table(**more):
    return pd.DataFrame(
        {
            "patient_id": list("abcde"),
            "CgA": [90, 300, 20, 55, 70],
            "pfs_days": [61, 365, 731, 183, 0],
            "progressed": ["yes", "no", "ja", "nein", "1"],
        }
        | more
    )


@pytest.mark.parametrize("word", ["survival", "time"])
def test_censored_patients_are_kept(word):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_cohort(table(), target=word, verbose=False)
    assert data.y.dtype.names == ("event", "time")
    assert data.y["event"].tolist() == [True, False, True, False, True]
    np.testing.assert_allclose(data.y["time"], [2.0, 12.0, 24.02, 6.01, 0.0], atol=0.01)
    assert (data.y == data.X.survival).all()
    assert data.excluded.empty
    assert list(data.X["lab"]) == ["CgA"]


def test_what_is_printed_counts_events(capsys):
    load_cohort(table(), target="survival", verbose=True)
    assert "progression seen 3, censored 2" in capsys.readouterr().err


def test_patients_without_a_time_are_left_out():
    with pytest.warns(UserWarning, match="1 of 5"):
        data = load_cohort(table(pfs_days=[61, None, 731, 183, 5]), target="survival", verbose=False)
    assert data.excluded["patient_id"].tolist() == ["b"]
    assert len(data.y) == 4


@pytest.mark.parametrize(
    ("more", "options", "text"),
    [
        ({"progressed": [1, 2, 2, 1, 1]}, {}, "expected 0 or 1"),
        ({"progressed": ["dead", "alive", "dead", "dead", "x"]}, {}, "expected 0 or 1"),
        ({"progressed": 0}, {}, "nobody progressed"),
        ({"pfs_days": [61, -3, 731, 183, 5]}, {}, "time is negative"),
        ({}, {"time": None}, "needs a column of times"),
        ({}, {"censored": "weight"}, "is for classes"),
        ({"survival": ["long", "short", "long", "long", "short"]}, {}, "rename the column"),
    ],
)
def test_what_cannot_be_learnt_from_is_listed(more, options, text):
    with pytest.raises(CohortError, match=text):
        load_cohort(table(**more), target="survival", verbose=False, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert any(text in str(one) for one in check_cohort(table(**more), target="survival", **options))


def test_the_target_of_times_keeps_what_curves_and_scores_need():
    y = {"event": [1, 0, 1, 1, 1], "time": [0.0, 1.0, 5.0, 5.0, 30.0]}
    checked = TimeTarget(n_intervals=2).check(y)
    assert checked.learnt["unique_times_"].tolist() == [0.0, 5.0, 30.0]
    assert checked.learnt["censoring_"]["survival"].tolist() == [1.0, 0.75, 0.75, 0.75]
    assert checked.learnt["breaks_"].tolist() == [5.0, 30.0]


def test_intervals_of_the_hazard_by_hand():
    """Progression at an end belongs to its interval; a censored patient counts in the intervals survived whole."""
    target = TimeTarget(breaks=np.array([4.0, 8.0, 12.0]))
    values = target.check({"event": [1, 1, 0, 0, 0, 1], "time": [0.0, 4.0, 3.0, 4.0, 20.0, 20.0]}).values
    columns = target.columns(values, np.ones(6))
    assert columns["interval"].tolist() == [0, 0, 0, 1, 3, 3]
    assert columns["event"].tolist() == [1, 1, 0, 0, 0, 0]


def test_folds_without_censoring_are_those_of_the_class():
    rng = np.random.default_rng(0)
    time = rng.exponential(15, 40)
    values = TimeTarget().check({"event": np.ones(40, bool), "time": time}).values
    assert (TimeTarget().strata(values) == ClassTarget().strata((time > 12).astype(int))).all()
    late = TimeTarget().check({"event": [1, 0, 0, 1], "time": [20.0, 30.0, 14.0, 15.0]}).values
    assert TimeTarget().strata(late).tolist() == [1, 0, 0, 1]  # nobody progressed before the horizon


@pytest.mark.parametrize(
    ("y", "text"),
    [({"event": [0, 0], "time": [3.0, 4.0]}, "none of the 2 patients progressed"), (None, "requires y to be passed")],
)
def test_what_a_model_cannot_learn_from(y, text):
    with pytest.raises(ValueError, match=text):
        TimeTarget().check(y, estimator="LabPFSSurvival")
