"""One axis of months for all figures over time, and the calibration of survival models at a horizon."""

import numpy as np
import pytest

from prrt_estimators.plotting import (
    CumulativeIncidenceDisplay,
    KaplanMeierDisplay,
    SurvivalCalibrationDisplay,
    SurvivalCurvesDisplay,
    TimeAUCDisplay,
)
from prrt_estimators.plotting._months import month_ticks


@pytest.mark.parametrize(
    ("last", "step"), [(0.3, 0.1), (9, 1), (17, 2), (29, 3), (30, 3), (31, 6), (60, 6), (61, 12), (119, 12), (130, 24)]
)
def test_steps_of_months_divide_or_make_up_years(last, step):
    ticks = month_ticks(last)
    np.testing.assert_allclose(np.diff(ticks), step)
    assert ticks[0] == 0
    assert last <= ticks[-1] < last + step + 1e-9
    assert len(ticks) <= 11


@pytest.mark.parametrize("last", [4.0, 37.0, 95.0])
def test_every_figure_over_time_has_the_same_axis(last):
    times = np.linspace(0.1, 1, 12) * last
    survival = np.array([(k % 3 > 0, time) for k, time in enumerate(times)], dtype=[("event", bool), ("time", float)])
    survival["event"][-1] = True
    displays = [
        KaplanMeierDisplay.from_survival(survival, horizon=None),
        CumulativeIncidenceDisplay.from_causes(times, np.tile([1, 2], 6)),
        SurvivalCurvesDisplay(times, np.tile(np.linspace(1, 0.2, 12), (2, 1)), ["P1", "P2"]).plot(),
        TimeAUCDisplay(times, {"time_lab": np.full(12, 0.6)}).plot(),
    ]
    for display in displays:
        np.testing.assert_allclose(display.ax_.get_xticks(), month_ticks(last))
        assert display.ax_.get_xlim() == (0, month_ticks(last)[-1])
        assert display.ax_.get_xlabel() == "Time (months)"
    assert displays[1].ax_.lines[0].get_xdata()[-1] == last


def test_a_horizon_beyond_the_last_event_is_within_the_axis():
    display = CumulativeIncidenceDisplay.from_causes([1, 2, 3], [1, 2, 0], horizon=12)
    assert display.ax_.get_xlim()[1] >= 12
    nobody = CumulativeIncidenceDisplay.from_causes([0.0], [0])
    assert np.isfinite(nobody.ax_.get_xlim()).all()


def test_groups_of_calibration_that_lie_close_together_can_be_read(assert_fit_to_print):
    rng = np.random.default_rng(0)
    y = np.array([(k % 3 > 0, 1 + k % 24) for k in range(60)], dtype=[("event", bool), ("time", float)])
    display = SurvivalCalibrationDisplay.from_predictions(y, 0.5 + 0.01 * rng.random(60), 12.0)
    assert "patients from left to right: 15, 15, 15, 15" in assert_fit_to_print(display.figure_)
