"""Scores of times on cohorts that allow no score: NaN with a warning that says why, and a right value everywhere else."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._survival import as_survival
from prrt_estimators.metrics import (
    brier_survival,
    integrated_brier,
    prrt_scorers,
    restricted_mean_survival,
    survival_calibration,
)

N = 12
EVERY, NOBODY, HALF = np.ones(N, bool), np.zeros(N, bool), np.arange(N) % 2 == 0
ODD = {
    "no progression before the horizon": (HALF, 13.0 + np.arange(N)),
    "all progressed before it": (EVERY, 1.0 + np.arange(N) % 5),
    "all censored": (NOBODY, 1.0 + np.arange(N)),
    "all censored beyond it": (NOBODY, 20.0 + np.arange(N)),
    "one time, all progressed": (EVERY, np.full(N, 7.0)),
    "one time, half of them": (HALF, np.full(N, 7.0)),
    "all at the horizon": (HALF, np.full(N, 12.0)),
    "time zero": (HALF, np.zeros(N)),
    "one progression, the last": (np.arange(N) == N - 1, 1.0 + np.arange(N)),
    "one progression, the first": (np.arange(N) == 0, 1.0 + np.arange(N)),
    "nobody beyond the horizon": (HALF, np.linspace(1, 11, N)),
    "one patient": (EVERY[:1], np.array([5.0])),
    "one censored patient": (NOBODY[:1], np.array([5.0])),
}


class Exponential(BaseEstimator):
    """Curves that need no training: X is the hazard."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0]

    def predict_survival_function(self, X, times=None):
        return np.exp(-np.outer(np.asarray(X)[:, 0], times))


@pytest.mark.parametrize("score", prrt_scorers("time"))
@pytest.mark.parametrize("cohort", ODD)
def test_no_score_is_nan_in_silence(cohort, score):
    y = as_survival(ODD[cohort])
    X = np.linspace(0.02, 0.2, len(y))[:, None]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = prrt_scorers("time")[score](Exponential().fit(X, y), X, y)
    said = [one for one in heard if issubclass(one.category, UndefinedMetricWarning)]
    assert np.isnan(found) == bool(said)
    assert len(said) == len(heard)
    assert np.isnan(found) or -1e9 < found < 1e9


def test_a_brier_score_beyond_follow_up_is_not_perfect():
    y = as_survival(([True, False], [2.0, 5.0]))
    assert brier_survival(y, [0.5, 0.5], [4.0])[0] == 0.25
    with pytest.warns(UndefinedMetricWarning, match="Brier score at 8 months"):
        found = brier_survival(y, [[0.5, 0.5]] * 2, [4.0, 8.0])
    assert found[0] == 0.25
    assert np.isnan(found[1])
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(integrated_brier(y, [[0.5, 0.5]] * 2, [4.0, 8.0]))
    # Where everybody has progressed, nobody need be followed beyond.
    gone = as_survival(([True, True], [2.0, 5.0]))
    assert brier_survival(gone, [0.5, 1.0], [8.0])[0] == pytest.approx((0.25 + 1) / 2)


def test_a_mean_is_not_extrapolated():
    assert restricted_mean_survival({"event": [1, 1], "time": [4.0, 7.0]}, 12) == 5.5
    assert restricted_mean_survival({"event": [1, 0], "time": [4.0, 12.0]}, 12) == 8.0
    with pytest.warns(UndefinedMetricWarning, match="the mean up to 12 months"):
        assert np.isnan(restricted_mean_survival({"event": [1, 0], "time": [4.0, 7.0]}, 12))


@pytest.mark.parametrize(("time", "k"), [(20.0, 10), (5.0, 0)])
def test_groups_in_which_nobody_or_everybody_progressed_have_an_exact_interval(time, k):
    y = as_survival((np.ones(10, bool), np.full(10, time)))
    row = survival_calibration(y, np.linspace(0.4, 0.6, 10), 12.0, n_groups=1).iloc[0]
    exact = binomtest(k, 10).proportion_ci(method="exact")
    assert row["observed"] == k / 10
    assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_groups_that_were_not_followed_so_long_are_counted():
    y = as_survival((np.arange(8) % 2 == 0, [2.0, 3.0, 4.0, 5.0, 14.0, 15.0, 16.0, 17.0]))
    with pytest.warns(UndefinedMetricWarning, match="in 1 of 2 groups"):
        table = survival_calibration(y, np.repeat([0.2, 0.8], 4), 12.0, n_groups=2)
    assert np.isnan(table["observed"][0])
    assert table["observed"][1] == 1.0
