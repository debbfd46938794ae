"""Scores of times agree with scikit-survival and lifelines, ties and all."""

import warnings

import lifelines
import numpy as np
import pytest
from lifelines.utils import restricted_mean_survival_time
from scipy import stats
from sklearn.exceptions import UndefinedMetricWarning
from sksurv import metrics as peer

from prrt_estimators._survival import as_survival
from prrt_estimators.metrics import (
    brier_survival,
    cumulative_dynamic_auc,
    d_calibration,
    harrell_c,
    integrated_brier,
    restricted_mean_survival,
    survival_calibration,
    uno_c,
)


def random_cohort(seed, n=60, longest=30):
    """Whole months, so that many times are tied, and tied risks; nobody is censored last."""
    rng = np.random.default_rng(seed)
    time = np.minimum(np.ceil(rng.exponential(9, n)), longest)
    event = rng.random(n) < (0.3, 0.6, 0.9)[seed % 3]
    event[np.argmax(time)] = True
    event[time == time.max()] = True
    return as_survival((event, time)), np.round(rng.normal(size=n) - time / 10, 1)


SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_concordance_agrees_with_scikit_survival(seed):
    (train, _), (y, risk) = random_cohort(seed + 100), random_cohort(seed, longest=20)
    assert harrell_c(y, risk) == pytest.approx(
        peer.concordance_index_censored(y["event"], y["time"], risk)[0], abs=1e-12
    )
    inside = y["time"] < train["time"].max()
    assert uno_c(y[inside], risk[inside], train=train) == pytest.approx(
        peer.concordance_index_ipcw(train, y[inside], risk[inside])[0], abs=1e-12
    )
    assert uno_c(y[inside], risk[inside], train=train, tau=8.0) == pytest.approx(
        peer.concordance_index_ipcw(train, y[inside], risk[inside], tau=8.0)[0], abs=1e-12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_and_brier_agree_with_scikit_survival(seed):
    (train, _), (y, risk) = random_cohort(seed + 100), random_cohort(seed, longest=20)
    times = np.unique(y["time"])[1:-1]
    auc, mean = cumulative_dynamic_auc(y, risk, times, train=train)
    expected, expected_mean = peer.cumulative_dynamic_auc(train, y, risk, times)
    np.testing.assert_allclose(auc, expected, atol=1e-10)
    assert mean == pytest.approx(expected_mean, abs=1e-10)
    risks = risk[:, None] + np.random.default_rng(seed).normal(size=(len(y), len(times))).round(1)
    auc, mean = cumulative_dynamic_auc(y, risks, times, train=train)
    np.testing.assert_allclose(auc, peer.cumulative_dynamic_auc(train, y, risks, times)[0], atol=1e-10)

    curves = np.exp(-np.exp(risk)[:, None] * times / 9)
    np.testing.assert_allclose(
        brier_survival(y, curves, times, train=train), peer.brier_score(train, y, curves, times)[1], atol=1e-12
    )
    assert integrated_brier(y, curves, times, train=train) == pytest.approx(
        peer.integrated_brier_score(train, y, curves, times), abs=1e-12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_means_and_calibration_agree_with_lifelines(seed):
    y, risk = random_cohort(seed)
    fitted = lifelines.KaplanMeierFitter().fit(y["time"], y["event"])
    assert restricted_mean_survival(y, 11.5) == pytest.approx(restricted_mean_survival_time(fitted, t=11.5), abs=1e-6)
    table = survival_calibration(y, 1 / (1 + np.exp(risk)), 6.0, n_groups=1)
    fitted = lifelines.KaplanMeierFitter().fit(y["time"], y["event"])
    assert table["observed"].iloc[0] == pytest.approx(fitted.predict(6.0), abs=1e-9)
    limits = fitted.confidence_interval_.loc[:6.0].iloc[-1]
    np.testing.assert_allclose(table[["low", "high"]].to_numpy()[0], limits, atol=1e-9)


def test_without_censoring_the_auc_is_the_auroc():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    y = as_survival((np.ones(50, bool), rng.exponential(12, 50)))
    risk = rng.normal(size=50) - y["time"] / 20
    assert cumulative_dynamic_auc(y, risk, [12.0])[1] == pytest.approx(roc_auc_score(y["time"] <= 12, risk))


def test_uno_c_weighs_what_censoring_took_away():
    """On the same risks, heavier censoring of the late moves Harrell's C, and Uno's C far less."""
    rng = np.random.default_rng(1)
    n = 4000
    risk = rng.normal(size=n)
    time = rng.exponential(np.exp(-2 * risk) * 10)
    full = harrell_c((np.ones(n, bool), time), risk)
    limit = rng.exponential(3, n)
    y = as_survival((time <= limit, np.minimum(time, limit)))
    tau = 8.0
    capped = as_survival((time < tau, np.minimum(time, tau)))
    assert abs(uno_c(y, risk, tau=tau) - harrell_c(capped, risk)) < 0.01
    assert harrell_c(y, risk) - full > 0.02


def test_d_calibration_of_true_curves_is_uniform_and_of_wrong_ones_is_not():
    rng = np.random.default_rng(2)
    time, limit = rng.exponential(10, 3000), rng.exponential(15, 3000)
    y = as_survival((time <= limit, np.minimum(time, limit)))
    right, wrong = np.exp(-y["time"] / 10), np.exp(-y["time"] / 20)
    good = d_calibration(y, right)
    assert good.counts.sum() == pytest.approx(3000)
    assert good.pvalue > 0.01
    assert d_calibration(y, wrong).pvalue < 1e-6
    seen = as_survival((np.ones(3000, bool), time))
    counts = np.histogram(np.exp(-time / 10), np.linspace(0, 1, 11))[0]
    assert d_calibration(seen, np.exp(-time / 10)).statistic == pytest.approx(stats.chisquare(counts).statistic)


def test_d_calibration_of_a_censored_patient_by_hand():
    """Censored at 0.75: two thirds of a patient in the lower half, a third above."""
    counts = d_calibration({"event": [False], "time": [3.0]}, [0.75], n_bins=2).counts
    np.testing.assert_allclose(counts, [2 / 3, 1 / 3])
    assert d_calibration({"event": [False], "time": [3.0]}, [0.0], n_bins=2).counts.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("y", "risk"),
    [
        ({"event": [False, False], "time": [3.0, 5.0]}, [1.0, 2.0]),  # all censored
        ({"event": [True, True], "time": [3.0, 3.0]}, [1.0, 2.0]),  # all tied
        ({"event": [True], "time": [3.0]}, [1.0]),  # one patient
    ],
)
def test_what_has_no_answer_is_said(y, risk):
    for score in (harrell_c, uno_c):
        with pytest.warns(UndefinedMetricWarning, match="undefined"):
            assert np.isnan(score(y, risk))
    with pytest.warns(UndefinedMetricWarning, match="AUC at 12 months"):
        assert np.isnan(cumulative_dynamic_auc(y, risk, [12.0])[1])


def test_ties_and_time_zero():
    y = as_survival(([True, False, True], [0.0, 0.0, 4.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # the progression at 0 comes before the censoring at 0: two pairs, and none from the last
        assert harrell_c(y, [3.0, 2.0, 1.0]) == 1.0
        assert harrell_c(y, [1.0, 1.0, 2.0]) == 0.25
        assert uno_c(y, [3.0, 2.0, 1.0]) == 1.0
        assert brier_survival(y, [0.0, 0.5, 1.0], [2.0])[0] == 0.0


def test_patients_whom_nobody_was_followed_as_long_as_have_no_weight():
    train = as_survival(([True, False], [3.0, 6.0]))
    y = as_survival(([True, True, True], [2.0, 9.0, 12.0]))
    assert uno_c(y, [3.0, 1.0, 2.0], train=train) == 1.0
    assert np.isfinite(brier_survival(y, [0.1, 0.5, 0.9], [10.0], train=train)).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda y: uno_c(y, [1.0]), "shape"),
        (lambda y: uno_c(y, [1.0, np.nan]), "NaN"),
        (lambda y: brier_survival(y, [0.5, 1.5], [2.0]), "between 0 and 1"),
        (lambda y: brier_survival(y, [[0.5, 0.4]] * 2, [4.0, 2.0]), "ascending"),
        # Differences of unsigned numbers are never negative.
        (lambda y: brier_survival(y, [[0.5, 0.4]] * 2, np.array([4, 2], dtype=np.uint8)), "ascending"),
        (lambda y: integrated_brier(y, [0.5, 0.5], [2.0]), "at least two"),
        (lambda y: d_calibration(y, [0.5, 1.5]), "between 0 and 1"),
        (lambda y: d_calibration(y, [0.5, 0.5], n_bins=1), "n_bins"),
        (lambda y: restricted_mean_survival(y, 0), "horizon"),
        (lambda y: survival_calibration(y, [0.5, 0.5], -1), "horizon"),
        (lambda y: survival_calibration(y, [0.5, 0.5], 5, n_groups=0), "n_groups"),
        (lambda y: harrell_c(y[:0], []), "empty"),
    ],
)
def test_what_is_wrong_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call(as_survival(([True, False], [3.0, 5.0])))
