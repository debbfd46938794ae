"""Cumulative incidence of competing events."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import AalenJohansenFitter

from prrt_estimators._survival import aalen_johansen, as_survival, kaplan_meier
from prrt_estimators.plotting import CumulativeIncidenceDisplay


def test_a_case_worked_by_hand():
    # Of 8 at risk, at month 2 one progresses and one dies: 1/8 each, 6/8 are free. One is censored at 3. Of 5 at risk at
    # month 4, one dies: 6/8 * 1/5. Of 4 at month 5, two progress: 6/8 * 4/5 * 2/4.
    time, cause = [2, 2, 3, 4, 5, 5, 6, 6], [1, 2, 0, 2, 1, 1, 0, 0]
    progression, death = aalen_johansen(time, cause, 1), aalen_johansen(time, cause, 2)
    assert progression.times.tolist() == [2, 4, 5]
    np.testing.assert_allclose(progression.values, [1 / 8, 1 / 8, 1 / 8 + 0.3])
    np.testing.assert_allclose(death.values, [1 / 8, 1 / 8 + 0.15, 1 / 8 + 0.15])
    assert (progression.n_events, death.n_events) == (3, 2)
    assert progression.at(1.9) == (0, 0, 0)
    assert progression.at(4.9)[0] == 1 / 8


def test_incidences_and_survival_sum_to_one_with_ties():
    rng = np.random.default_rng(0)
    time, cause = rng.integers(0, 12, 80).astype(float), rng.choice([0, 1, 2], 80)
    free = kaplan_meier(as_survival((cause > 0, time)))
    one, two = aalen_johansen(time, cause, 1), aalen_johansen(time, cause, 2)
    np.testing.assert_allclose(one.values + two.values + free.at(one.times), 1)
    for found in (one, two):
        assert (np.diff(found.values) >= 0).all()
        assert (found.low <= found.values).all()
        assert (found.values <= found.high).all()


def test_values_and_intervals_are_those_of_lifelines():
    rng = np.random.default_rng(1)
    time, cause = rng.exponential(10, 70), rng.choice([0, 1, 2], 70, p=[0.3, 0.5, 0.2])
    for of in (1, 2):
        theirs = AalenJohansenFitter(calculate_variance=True).fit(time, cause, event_of_interest=of)
        ours = aalen_johansen(time, cause, of)
        rows = np.searchsorted(theirs.cumulative_density_.index.to_numpy(), ours.times)
        np.testing.assert_allclose(theirs.cumulative_density_.to_numpy()[rows, 0], ours.values, rtol=0, atol=1e-9)
        limits = theirs.confidence_interval_.to_numpy()[rows]
        known = np.isfinite(limits).all(axis=1)
        assert known.sum() > 30
        np.testing.assert_allclose(limits[known, 0], ours.low[known], rtol=0, atol=1e-9)
        np.testing.assert_allclose(limits[known, 1], ours.high[known], rtol=0, atol=1e-9)


def test_with_one_cause_it_is_one_less_kaplan_meier():
    time, event = np.array([3.0, 1.0, 4.0, 1.0, 5.0]), np.array([True, False, True, True, False])
    curve = kaplan_meier(as_survival((event, time)))
    found = aalen_johansen(time, event.astype(int), 1)
    np.testing.assert_allclose(found.values, 1 - curve.at(found.times))
    assert (aalen_johansen(time, event.astype(int), 2).values == 0).all()


def test_the_display_draws_both_and_refuses_what_cannot_be():
    display = CumulativeIncidenceDisplay.from_causes([1, 2, 3], [1, 2, 0], horizon=2.0)
    assert set(display.frame()["cause"]) == {"progression", "death without progression"}
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "progression (1)", "death without progression (1)", "horizon, 2 months"
    ]  # fmt: skip
    with pytest.raises(ValueError, match="one value per patient"):
        CumulativeIncidenceDisplay.from_causes([1, 2], [1])
    with pytest.raises(ValueError, match="must be 0"):
        CumulativeIncidenceDisplay.from_causes([1, 2], [1, 3])
    with pytest.raises(ValueError, match="months of at least 0"):
        CumulativeIncidenceDisplay.from_causes([1, -2], [1, 2])
