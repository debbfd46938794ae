import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators.metrics import (
    calibration_intercept_slope,
    integrated_calibration_index,
    loess_calibration,
)


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    truth = expit(rng.normal(0.5, 1.0, 4000))
    return (rng.random(4000) < truth).astype(int), truth


def test_true_probabilities_lie_on_the_ideal_line(cohort):
    y, p = cohort
    line = calibration_intercept_slope(y, p)
    assert line.intercept == pytest.approx(0, abs=0.1)
    assert line.slope == pytest.approx(1, abs=0.1)


def test_a_stretched_logit_is_found_exactly(cohort):
    y, p = cohort
    true = calibration_intercept_slope(y, p, clip=1e-9)
    bold = calibration_intercept_slope(y, expit(2 * logit(p)), clip=1e-9)
    shifted = calibration_intercept_slope(y, expit(logit(p) + 0.7), clip=1e-9)
    assert bold.slope == pytest.approx(true.slope / 2, rel=1e-6)
    assert shifted.intercept == pytest.approx(true.intercept - 0.7, abs=1e-8)
    assert shifted.slope == pytest.approx(true.slope, rel=1e-6)


def test_agrees_with_maximum_likelihood_by_another_optimiser():
    rng = np.random.default_rng(5)
    p = rng.uniform(0.05, 0.95, 80)
    y = (rng.random(80) < p).astype(int)

    def deviance(beta, fixed_slope=None):
        eta = beta[0] + (beta[1] if fixed_slope is None else fixed_slope) * logit(p)
        return np.sum(np.logaddexp(0, eta) - y * eta)

    free = minimize(deviance, [0.0, 1.0], tol=1e-12)
    offset = minimize(deviance, [0.0], args=(1.0,), tol=1e-12)
    line = calibration_intercept_slope(y, p)
    assert line.intercept == pytest.approx(offset.x[0], abs=1e-5)
    assert line.slope == pytest.approx(free.x[1], abs=1e-5)


def test_intercept_of_a_constant_prediction_worked_by_hand():
    # Three of four are long, predicted 0.5: logit(0.75) - logit(0.5).
    with pytest.warns(UndefinedMetricWarning, match="all predictions are equal"):
        line = calibration_intercept_slope([0, 1, 1, 1], [0.5] * 4)
    assert line.intercept == pytest.approx(np.log(3))
    assert np.isnan(line.slope)


def test_zero_and_one_are_finite_and_depend_on_clip():
    y, p = [0, 0, 1, 1, 1, 0], [0, 0.2, 0.6, 1, 1, 1]
    narrow, wide = (calibration_intercept_slope(y, p, clip=c) for c in (1e-2, 1e-5))
    assert np.isfinite([*narrow, *wide]).all()
    assert narrow.slope > wide.slope


@pytest.mark.parametrize("p", [[0.1, 0.2, 0.7, 0.8], [0.9, 0.8, 0.3, 0.2]])
def test_separated_classes_have_no_slope(p):
    with pytest.warns(UndefinedMetricWarning, match="separate the classes perfectly"):
        assert np.isnan(calibration_intercept_slope([0, 0, 1, 1], p).slope)


def test_one_class_has_no_calibration():
    with pytest.warns(UndefinedMetricWarning, match="class 0"):
        assert np.isnan(calibration_intercept_slope([0, 0], [0.1, 0.2])).all()
    with pytest.warns(UndefinedMetricWarning, match="class 0"):
        assert np.isnan(integrated_calibration_index([0, 0], [0.1, 0.2]))


def test_loess_repeats_a_straight_line():
    # Counts chosen so that the frequency in each bin lies on 0.2 + 0.6 p: any local line then finds it.
    p = np.repeat([0.0, 0.5, 1.0], 10)
    y = np.concatenate([np.arange(10) < k for k in (2, 5, 8)]).astype(int)
    assert loess_calibration(y, p, at=[0, 0.25, 0.5, 1], span=1.0) == pytest.approx([0.2, 0.35, 0.5, 0.8])


def test_loess_agrees_with_weighted_least_squares_of_numpy():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.3, 0.7, 40)
    y = (rng.random(40) < p).astype(int)
    for point in (0.35, 0.5, 0.65):
        nearest = np.argsort(np.abs(p - point))[:30]
        u = np.abs(p[nearest] - point) / np.abs(p[nearest] - point).max()
        line = np.polyfit(p[nearest], y[nearest], 1, w=np.sqrt((1 - u**3) ** 3))
        assert loess_calibration(y, p, at=[point])[0] == pytest.approx(np.polyval(line, point), abs=1e-6)


def test_loess_does_not_depend_on_the_order_of_patients():
    rng = np.random.default_rng(4)
    p, y = rng.random(30), rng.integers(0, 2, 30)
    order = rng.permutation(30)
    assert loess_calibration(y[order], p[order]) == pytest.approx(loess_calibration(y, p)[order])


def test_ici_worked_by_hand():
    # One predicted value: the smooth curve is the frequency 0.25 there.
    assert integrated_calibration_index([0, 0, 0, 1], [0.9] * 4) == pytest.approx(0.65)


def test_ici_is_small_for_the_truth_and_grows_with_distortion(cohort):
    y, p = cohort[0][:800], cohort[1][:800]
    true, bold, bolder = (integrated_calibration_index(y, expit(k * logit(p))) for k in (1, 2, 4))
    assert true < 0.04 < bold < bolder


def test_parameters_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"`clip` must lie between 0 and 0\.5; got 0\.7"):
        calibration_intercept_slope([0, 1], [0.1, 0.2], clip=0.7)
    with pytest.raises(ValueError, match="`span` must be above 0 and at most 1; got 0"):
        integrated_calibration_index([0, 1], [0.1, 0.2], span=0)
