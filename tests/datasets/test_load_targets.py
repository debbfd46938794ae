"""Time, event and horizon to a class; weights for censoring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from prrt_estimators.datasets._load import check_cohort, load_cohort
from prrt_estimators.datasets._targets import censoring_weights, classify
from prrt_estimators.exceptions import CensoredPatientsWarning, CohortWarning


def cohort(times, events=None, name="pfs_months", **columns):
    table = {"patient_id": [f"P{k}" for k in range(len(times))], "age": np.arange(50, 50 + len(times)), name: times}
    if events is not None:
        table["progressed"] = events
    return table | columns


def load(table, **options):
    return load_cohort(table, verbose=False, **options)


def test_classes_at_the_edges_of_the_horizon():
    # progression just before, at and after 12; censored before, at and after
    time = np.array([11.9, 12.0, 12.1, 11.9, 12.0, 12.1])
    event = np.array([True, True, True, False, False, False])
    np.testing.assert_array_equal(classify(time, event, 12.0), [0, 0, 1, np.nan, 1, 1])


def test_weights_by_hand():
    # G drops at 2 (4 at risk of 5: 3/4... the progression at 1 is gone) and at 6 (2 at risk: 1/2)
    time = np.array([1.0, 2.0, 4.0, 6.0, 8.0])
    event = np.array([True, False, True, False, True])
    np.testing.assert_allclose(censoring_weights(time, event, 7.0), [1, 0, 4 / 3, 0, 8 / 3])
    np.testing.assert_allclose(censoring_weights(time, event, 5.0), [1, 0, 4 / 3, 4 / 3, 4 / 3])


def test_weights_by_hand_with_ties():
    # at 3 one progresses and one is censored: the progression comes first, so 1 of the 2 left is censored
    time, event = np.array([3.0, 3.0, 9.0]), np.array([True, False, True])
    np.testing.assert_allclose(censoring_weights(time, event, 5.0), [1, 0, 2])
    # censored exactly at the horizon is known to be long, and G there is taken before that censoring
    np.testing.assert_allclose(censoring_weights(time, event, 3.0), [1, 1, 1])


@given(
    st.lists(st.tuples(st.integers(1, 24), st.booleans()), min_size=2, max_size=60).filter(
        lambda rows: max(time for time, _ in rows) >= 12  # else S(12) is not identified
    )
)
def test_weighted_share_of_long_is_kaplan_meier(rows):
    time, event = np.array([r[0] for r in rows], dtype=float), np.array([r[1] for r in rows])
    weight, y = censoring_weights(time, event, 12.0), classify(time, event, 12.0)
    assert weight.sum() == pytest.approx(len(rows))
    assert (weight[np.isnan(y)] == 0).all()
    assert (weight[~np.isnan(y)] >= 1).all()
    share = weight[y == 1].sum() / weight.sum()
    assert share == pytest.approx(KaplanMeierFitter().fit(time, event).predict(12.0))


def test_weights_agree_with_scikit_survival():
    nonparametric = pytest.importorskip("sksurv.nonparametric", reason="scikit-survival is not installed")
    random = np.random.default_rng(0)
    time, event = random.exponential(20, 200), random.random(200) < 0.6
    y = np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])
    expected = 1 / nonparametric.CensoringDistributionEstimator().fit(y).predict_proba(np.minimum(time, 12.0))
    weight = censoring_weights(time, event, 12.0)
    np.testing.assert_allclose(weight[weight > 0], expected[weight > 0])


def test_censored_before_the_horizon_is_unknown_never_long():
    table = cohort([30, 5, 6, 11, 20], [0, 1, 0, 0, 1])
    with pytest.warns(CensoredPatientsWarning, match="2 of 5 patients were censored before 12 months"):
        b = load(table)
    assert b.X.ids.tolist() == ["P0", "P1", "P4"]
    assert b.y.tolist() == [1, 0, 1]
    assert b.sample_weight is None
    assert b.excluded["patient_id"].tolist() == ["P2", "P3"]
    assert set(b.excluded["reason"]) == {"censored before 12 months: class unknown"}
    assert b.X.survival["time"].tolist() == b.time.tolist() == [30, 5, 20]
    assert b.X.survival["event"].tolist() == b.event.tolist() == [False, True, True]
    assert b.frame["patient_id"].tolist() == ["P0", "P1", "P4"]
    assert b.X["lab"]["age"].tolist() == [50, 51, 54]


def test_weights_ride_with_the_patients_kept():
    with pytest.warns(CensoredPatientsWarning, match="sample_weight makes up for them"):
        b = load(cohort([30, 5, 6, 11, 20], [0, 1, 0, 0, 1]), censored="weight")
    np.testing.assert_allclose(b.sample_weight, [2, 1, 2])  # G(12) = 3/4 * 2/3


def test_weights_are_one_where_nobody_is_censored():
    b = load(cohort([30, 5, 20], [1, 1, 1]), censored="weight")
    assert b.sample_weight.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "times", "options"),
    [
        ("PFS [Tage]", [365, 366, 365.25], {}),
        ("pfs", [365, 366, 365.25], {"time_unit": "days"}),
        ("pfs_years", [0.9, 1.01, 1], {}),
        ("pfs_months", [0.9, 1.01, 1], {"time_unit": "years"}),  # the caller knows better than the name
        ("time_weeks", [52, 53, 52], {}),
        ("Zeit bis Progress", ["11,9", "12,5", "12"], {}),
    ],
)
def test_units_of_time(name, times, options):
    b = load(cohort(times, [1, 1, 1], name), **options)
    assert b.y.tolist() == [0, 1, 0]
    assert 10 < b.time.min() <= 12 < b.time.max() < 13


@pytest.mark.parametrize(
    "events", [[1, 0, 1], [True, False, True], ["yes", "no", "yes"], ["ja", "nein", "JA"], ["1.0", "0", "event"]]
)
def test_spellings_of_event(events):
    assert load(cohort([5, 30, 20], events)).event.tolist() == [True, False, True]


def test_a_stated_coding_does_not_hide_the_event():
    table = cohort([5, 30, 20, 3])
    table["Progression (0/1)"] = [0, 1, 1, 1]
    with pytest.warns(CensoredPatientsWarning, match="1 of 4 patients were censored"):
        b = load(table)
    assert b.event.tolist() == [True, True, True]
    assert b.excluded["patient_id"].tolist() == ["P0"]


@pytest.mark.parametrize("name", ["progression seen", "progressive disease", "PD on CT", "krankheit progredient"])
def test_what_may_be_the_event_is_not_passed_over(name):
    table = cohort([5, 30, 20])
    table[name] = [0, 1, 1]
    (problem,) = check_cohort(table)
    assert problem.column == name
    assert "might be the progression event" in problem.what
    assert f"event={name!r}" in problem.remedy
    assert "event=None" in problem.remedy
    assert load(table, event=None).event.all()


def test_an_outcome_of_many_values_is_no_event():
    table = cohort([5, 30, 20])
    table["site of progression"] = ["liver", "bone", "lung"]
    table["PD-L1"] = [0, 1, 1]
    with pytest.warns(CohortWarning, match="no column is recognised as the progression event"):
        load(table)


def test_no_event_column_is_said_aloud():
    table = cohort([5, 30, 20])
    with pytest.warns(CohortWarning, match="every time in 'pfs_months' counts as a progression"):
        b = load(table)
    assert b.event.all()
    assert load(table, event=None).event.all()  # said by the caller: no warning


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("pfs_class", ["long", "short", "Long"]),
        ("pfs_class", [1, 0, 1]),
        ("long_pfs", ["ja", "nein", "ja"]),
        ("short_pfs", [0, 1, 0]),
        ("short_pfs", ["long", "short", "long"]),
        ("pfs", ["lang", "kurz", "lang"]),
    ],
)
def test_ready_class(name, values):
    b = load({"patient_id": ["a", "b", "c"], "age": [50, 60, 70], name: values})
    assert b.y.tolist() == [1, 0, 1]
    assert b.time is None
    assert b.event is None
    assert b.X.survival is None


@pytest.mark.parametrize(
    "name", ["PFS class (short=1)", "PFS class (1: PFS < 12 Mo)", "PFS group [kurz = 1, lang = 0]"]
)
def test_the_value_that_means_long_pfs_is_asked_for(name):
    table = {"patient_id": ["a", "b", "c"], "age": [50, 60, 70], name: [0, 1, 0]}
    (problem,) = check_cohort(table)
    assert f"target=({name!r}, 1)" in problem.remedy
    assert load(table, target=(name, 0)).y.tolist() == [1, 0, 1]
    assert load(table, target=("auto", 0)).y.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("cells", "codes", "seen"),
    [
        ([1, 0, 1, 0], 1, [1, 0, 1, 0]),
        ([1, 0, 1, 0], 0, [0, 1, 0, 1]),
        ([1, 2, 3, 1], [2, 3], [0, 1, 1, 0]),
        (["PD", "sd", "Tod", "SD"], ["pd", "tod"], [1, 0, 1, 0]),
        ([2.0, 1.0, 2.0, 1.0], 2, [1, 0, 1, 0]),
        ([True, False, True, False], True, [1, 0, 1, 0]),
    ],
)
@pytest.mark.parametrize("name", ["Progress (1=ja, 0=nein)", "Status", "event"])
def test_the_value_that_means_progression_can_be_given(cells, codes, seen, name):
    one = codes[0] if isinstance(codes, list) else codes
    table = cohort([25, 30, 20, 33, 2, 3]) | {name: [*cells, one, one]}
    assert load(table, event=(name, codes)).followup["event"].astype(int).tolist() == [*seen, 1, 1]


def test_a_value_that_never_occurs_is_a_problem_and_an_empty_cell_too():
    (problem,) = check_cohort(cohort([25, 30, 20]) | {"Status": [1, 2, 1]}, event=("Status", 3))
    assert (problem.column, problem.argument) == ("Status", "event")
    (problem,) = check_cohort(cohort([25, 30, 20]) | {"Status": [1, None, 2]}, event=("Status", 2))
    assert (problem.column, problem.patient) == ("Status", "P1")


@pytest.mark.parametrize("event", [("Status",), ("Status", 1, 2), (1, 2)])
def test_a_pair_is_a_column_and_its_code(event):
    with pytest.raises(TypeError, match="pair"):
        load(cohort([25, 30, 20]), event=event)


@pytest.mark.parametrize("name", ["PFS class (1=A, 0=B)", "PFS class (1=short, 2=long)", "PFS class (1=early)"])
@pytest.mark.parametrize("named", [False, True])
def test_a_class_of_unclear_coding_is_asked_about(name, named):
    table = {"patient_id": ["a", "b", "c"], "age": [50, 60, 70], name: [0, 1, 0]}
    options = {"target": name} if named else {}
    (problem,) = check_cohort(table, **options)
    assert problem.column == name
    assert "might be the PFS class, but what its values mean is not certain" in problem.what
    assert "write short and long in its cells" in problem.remedy
    assert load(table | {name: ["long", "short", "long"]}, **options).y.tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", ["Progression (0=PD, 1=SD)", "Event (progress=0)", "Event (1=A, 0=B)"])
@pytest.mark.parametrize("named", [False, True])
def test_an_event_of_unclear_coding_is_asked_about(name, named):
    table = cohort([5, 30, 20, 3]) | {name: [0, 1, 1, 1]}
    (problem,) = check_cohort(table, **({"event": name} if named else {}))
    assert problem.column == name
    assert "might be the progression event" in problem.what
    assert "event='" not in problem.remedy  # naming it would not make it clearer
    assert load(table, event=None).event.all()


def test_time_goes_before_a_guessed_class_and_after_a_named_one():
    table = cohort([5, 30, 20], [1, 1, 1], pfs_class=[1, 0, 0])
    with pytest.warns(CohortWarning, match="has the other class than 'pfs_months' gives"):
        assert load(table).y.tolist() == [0, 1, 1]
    b = load(table, target="pfs_class")
    assert b.y.tolist() == [1, 0, 0]
    assert b.X.survival["time"].tolist() == [5, 30, 20]


def test_patients_without_outcome_are_left_out_aloud():
    with pytest.warns(CohortWarning, match="because the table has no outcome: 1 of 3 patients"):
        b = load(cohort([5, None, 20], [1, None, 1]))
    assert b.excluded["reason"].tolist() == ["no time in column 'pfs_months'"]
    with pytest.warns(CohortWarning, match="because the table has no outcome: 1 of 3 patients"):
        b = load({"age": [50, 60, 70], "pfs_class": ["long", "", "short"]})
    assert b.X.ids.tolist() == ["row 1", "row 3"]


def test_new_patients_need_no_outcome_and_keep_every_column():
    table = {"patient_id": ["new", "newer"], "age": [61, 61], "sex": ["m", "m"], "cga": [None, None]}
    b = load(table, time=None)
    assert b.y is None
    assert b.time is None
    assert len(b.X) == 2
    assert list(b.X["lab"].columns) == ["age", "sex", "cga"]
    assert load(table, time=None, return_X_y=True)[1] is None


def test_problems_of_time_and_event_name_patient_column_and_remedy():
    table = cohort([5, -2, "soon", "> 24", "1,234", 30, 40], [1, 1, 1, 1, 1, 2, None])
    text = "\n".join(map(str, check_cohort(table)))
    assert "patient P1, pfs_months: time is negative (-2). Remedy: correct the time." in text
    assert "patient P2, pfs_months: holds the text 'soon', expected a number. Remedy: write a number" in text
    assert "patient P3, pfs_months: '> 24' is a limit, expected a time. Remedy: write the time of the last" in text
    assert "patient P4, pfs_months: '1,234' could mean 1234 or 1.234. Remedy: write it without a thousands" in text
    assert "patient P5, progressed: holds '2', expected 0 or 1. Remedy: write 1 for progression seen" in text
    assert "patient P6, progressed: is empty, expected 0 or 1. Remedy: write 1 for progression seen" in text


def test_another_coding_is_one_problem():
    (problem,) = check_cohort(cohort(list(range(1, 31)), [1, 2] * 15))
    assert "holds '2' (15 patients, this one first), expected 0 or 1" in problem.what
    assert problem.patient == "P1"


@pytest.mark.filterwarnings("ignore:3 of 3 patients were censored")
@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (
            cohort([500, 300, 800], [1, 1, 1], "pfs"),
            {},
            "median time is 500, too long for months. Remedy: name the unit",
        ),
        (
            cohort([1, 0, 1], [1, 1, 1], "pfs"),
            {},
            "holds only 0 and 1, like a class, not a time. Remedy: pass time=None",
        ),
        (cohort([5, 6, 7], [1, 1, 1]), {}, "one class only: all 3 patients with a known class have short PFS"),
        (cohort([5, 6, 7], [0, 0, 0]), {}, "no patient with a known class is left. Remedy: check time and event"),
        (cohort([5, 20, 7], [1, 1, 1]), {"horizon": 0}, "`horizon` must be a positive number of months; got 0"),
        (cohort([5, 20, 7], censored=[0, 1, 0]), {}, "censored: might be the progression event, but"),
        (cohort([5, 20, 7], status=[0, 1, 0]), {}, "or event='status' if it holds 1 for progression"),
        (cohort([5, 20, 7], [1, 1, 1], "t"), {}, "no column is recognised as the time to progression. Remedy: name"),
        (
            cohort([5, 20, 7], [1, 1, 1], pfs_class=["a", 1, 0]),
            {"target": "pfs_class"},
            "holds 'a', expected 0/1 or sh",
        ),
        (
            cohort([5, 20, 7], [1, 1, 1], pfs=[1, 2, 3]),
            {},
            "several columns look like the time to progression: pfs_months",
        ),
        (
            {"age": [1, 2], "pfs_class": [0, 1]},
            {"censored": "weight"},
            "censored='weight' needs times and events, not a ready class",
        ),
    ],
)
def test_outcomes_that_cannot_be_used(table, options, message):
    assert any(message in str(problem) for problem in check_cohort(table, **options)), check_cohort(table, **options)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"horizon": "12"}, TypeError, "`horizon` must be a positive number of months; got '12'. Pass e.g. 12."),
        ({"horizon": True}, TypeError, "`horizon`"),
        ({"censored": "keep"}, ValueError, "`censored` must be 'drop' or 'weight'; got 'keep'"),
        ({"time_unit": "decades"}, ValueError, "`time_unit` must be 'auto' or one of days"),
        ({"time": 3}, TypeError, "`time` must be a column name"),
        ({"lab": {"age": 1}}, TypeError, "`lab` must be column names"),
        ({"mask": 3}, TypeError, "`mask` must be a column name"),
    ],
)
def test_arguments_of_the_wrong_kind(options, kind, message):
    with pytest.raises(kind, match=message):
        check_cohort(cohort([5, 20], [1, 1]), **options)


@pytest.mark.parametrize(
    ("name", "time", "shown"),
    [
        ("pfs_months", 400, "400 months"), ("pfs_years", 31, "31 years"), ("pfs_days", 12000, "12000 days"),
        ("pfs_weeks", 1600.5, "1600.5 weeks"), ("pfs", 400, "400 months"),
    ],
)  # fmt: skip
def test_a_time_of_decades_is_doubted_in_the_words_of_its_cell(name, time, shown):
    table = cohort([0.5, time, 20], [1, 0, 1], name)
    with pytest.warns(CohortWarning, match=f"holds {shown} .patient P1., expected at most 360 months"):
        load(table)


@pytest.mark.parametrize(("n_bad", "n_problems"), [(9, 9), (10, 10), (11, 1)])
def test_ten_odd_cells_are_slips_and_eleven_are_another_coding(n_bad, n_problems):
    words = ["x"] * n_bad + ["1", "0"] * 10
    table = {"age": [40 + k for k in range(len(words))], "pfs_class": words}
    problems = check_cohort(table, target="pfs_class")
    assert len(problems) == n_problems
    assert all("holds 'x'" in problem.what for problem in problems)
    assert ("(11 patients, this one first)" in problems[0].what) == (n_bad == 11)
