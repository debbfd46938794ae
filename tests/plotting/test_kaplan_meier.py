import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from matplotlib.figure import Figure

from prrt_estimators.plotting import KaplanMeierDisplay


def structured(pairs):
    return np.array(pairs, dtype=[("event", bool), ("time", float)])


def test_curve_worked_by_hand():
    survival = structured([(True, 5), (False, 6), (True, 10), (True, 10), (False, 30)])
    frame = KaplanMeierDisplay.from_survival(survival).frame()
    assert frame["group"].unique().tolist() == ["all patients"]
    assert frame["time"].tolist() == [0, 5, 6, 10, 30]
    # 4/5, then two of three at risk progress: 4/5 * 1/3.
    assert frame["survival"].tolist() == pytest.approx([1, 0.8, 0.8, 0.8 / 3, 0.8 / 3])
    assert frame["at_risk"].tolist() == [5, 5, 4, 3, 1]
    assert frame["events"].tolist() == [0, 1, 0, 2, 0]
    assert frame["censored"].tolist() == [0, 0, 1, 0, 1]
    assert (frame["lower"] <= frame["survival"]).all()
    assert (frame["upper"] >= frame["survival"]).all()


def test_numbers_at_risk_worked_by_hand():
    survival = structured([(True, 6), (False, 12), (True, 12), (True, 13), (False, 25)])
    display = KaplanMeierDisplay.from_survival(survival)
    assert display.at_risk_.columns.tolist() == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    # Those who progress or leave at a month are at risk until then.
    assert display.at_risk_.loc["all patients"].tolist() == [5, 5, 5, 4, 4, 1, 1, 1, 1, 0]
    printed = [text.get_text() for text in display.ax_.texts]
    assert printed[:2] == ["Number at risk", "all patients"]
    assert printed[2:] == ["5", "5", "5", "4", "4", "1", "1", "1", "1", "0"]


def test_groups_agree_with_lifelines(survival):
    p = np.random.default_rng(2).random(60).round(1)
    display = KaplanMeierDisplay.from_predictions(survival, p)
    frame = display.frame()
    assert frame["group"].unique().tolist() == ["predicted long PFS", "predicted short PFS"]
    for name, member in (("predicted long PFS", p >= 0.5), ("predicted short PFS", p < 0.5)):
        fitter = KaplanMeierFitter().fit(survival["time"][member], survival["event"][member])
        own = frame[frame["group"] == name]
        assert own["survival"].to_numpy() == pytest.approx(fitter.survival_function_at_times(own["time"]).to_numpy())
        assert own[["lower", "upper"]].to_numpy() == pytest.approx(fitter.confidence_interval_.to_numpy())
        assert own["at_risk"].iloc[0] == member.sum()
        assert display.survival_at(12)[name] == pytest.approx(fitter.predict(12))
    expected = multivariate_logrank_test(survival["time"], p >= 0.5, survival["event"]).p_value
    assert display.logrank_p == pytest.approx(expected)


def test_threshold_belongs_to_long(survival):
    p = np.where(np.arange(60) < 20, 0.5, 0.4)
    frame = KaplanMeierDisplay.from_predictions(survival, p).frame()
    assert frame.groupby("group")["at_risk"].max().to_dict() == {"predicted long PFS": 20, "predicted short PFS": 40}
    frame = KaplanMeierDisplay.from_predictions(survival, p, threshold=0.4).frame()
    assert frame["group"].unique().tolist() == ["predicted long PFS"]


def test_figure_by_class_is_fit_to_print(survival, assert_fit_to_print):
    p = np.where(survival["time"] > 12, 0.7, 0.3)
    display = KaplanMeierDisplay.from_predictions(survival, p)
    texts = assert_fit_to_print(display.figure_)
    assert "log-rank p < 0.001 (descriptive)" in texts
    n = int((p > 0.5).sum())
    assert f"predicted long PFS (n = {n}; 12-month PFS 100 %)" in texts
    assert [line.get_xdata()[0] for line in display.ax_.lines if line.get_linestyle() == "--"] == [12]


def test_what_is_drawn_is_what_the_frame_holds(survival):
    display = KaplanMeierDisplay.from_survival(survival)
    frame = display.frame()
    step, censored, horizon = display.ax_.lines
    assert np.asarray(step.get_xydata()).tolist() == frame[["time", "survival"]].to_numpy().tolist()
    assert step.get_drawstyle() == "steps-post"
    assert censored.get_xdata().tolist() == frame.loc[frame["censored"] > 0, "time"].tolist()
    assert horizon.get_xdata()[0] == 12


def test_one_predicted_class_is_drawn_without_a_test(survival, assert_fit_to_print):
    display = KaplanMeierDisplay.from_predictions(survival, np.full(60, 0.8))
    assert np.isnan(display.logrank_p)
    texts = assert_fit_to_print(display.figure_)
    assert "one predicted class only: no log-rank test" in texts


@pytest.mark.parametrize("scale", [0.01, 0.2, 1, 30])
def test_large_cohorts_and_long_and_short_follow_up_fit(scale, assert_fit_to_print):
    rng = np.random.default_rng(0)
    survival = np.empty(12_000, dtype=[("event", bool), ("time", float)])
    survival["time"], survival["event"] = scale * 10 * rng.weibull(1.26, 12_000), True
    display = KaplanMeierDisplay.from_survival(survival)
    assert_fit_to_print(display.figure_)
    assert display.at_risk_.shape[1] <= 12
    assert display.at_risk_.iloc[0, 0] == 12_000


def test_without_a_horizon_there_is_no_line(survival):
    display = KaplanMeierDisplay.from_survival(survival, horizon=None, name="cohort")
    assert all(line.get_linestyle() != "--" for line in display.ax_.lines)
    assert display.ax_.get_legend().get_texts()[0].get_text() == "cohort (n = 60)"


def test_survival_beyond_the_follow_up_is_unknown():
    display = KaplanMeierDisplay.from_survival(structured([(True, 3), (False, 8)]))
    assert display.survival_at(8)["all patients"] == pytest.approx(0.5)
    assert np.isnan(display.survival_at(9)["all patients"])
    # A curve that has come to zero stays there.
    assert KaplanMeierDisplay.from_survival(structured([(True, 3)])).survival_at(9)["all patients"] == 0


def test_it_draws_on_given_axes(survival):
    figure = Figure()
    ax = figure.add_subplot()
    display = KaplanMeierDisplay.from_survival(survival).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_wrong_arguments_are_named(survival):
    with pytest.raises(TypeError, match=r"`survival` must be a structured array .* got DataFrame"):
        KaplanMeierDisplay.from_survival(pd.DataFrame({"event": [True], "time": [1.0]}))
    with pytest.raises(ValueError, match="at least one patient"):
        KaplanMeierDisplay.from_survival(survival[:0])
    with pytest.raises(ValueError, match=r"row 1 has -2\.0"):
        KaplanMeierDisplay.from_survival(structured([(True, 3), (True, -2)]))
    with pytest.raises(ValueError, match="row 0 has nan"):
        KaplanMeierDisplay.from_survival(structured([(True, np.nan)]))
    with pytest.raises(ValueError, match="`horizon` must be a positive number of months; got -3"):
        KaplanMeierDisplay.from_survival(survival, horizon=-3)
    with pytest.raises(ValueError, match=r"for each of 60 patients; got shape \(2,\)"):
        KaplanMeierDisplay.from_predictions(survival, [0.2, 0.3])
    with pytest.raises(ValueError, match="with 1 values outside"):
        KaplanMeierDisplay.from_predictions(survival[:2], [0.2, np.nan])
