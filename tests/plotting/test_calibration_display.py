import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from prrt_estimators.metrics import (
    calibration_intercept_slope,
    integrated_calibration_index,
    loess_calibration,
)
from prrt_estimators.plotting import CalibrationDisplay


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    p = rng.random(100)
    return (rng.random(100) < p).astype(int), p


def test_groups_worked_by_hand():
    p = [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9]
    display = CalibrationDisplay.from_predictions([0, 0, 0, 1, 0, 1, 1, 1], p, n_groups=2)
    groups = display.frame().query("kind == 'group'")
    assert groups["predicted"].tolist() == pytest.approx([0.25, 0.75])
    assert groups["observed"].tolist() == [0.25, 0.75]
    assert groups["n"].tolist() == [4, 4]
    # Wilson's interval of 1 in 4.
    z = 1.959964
    half = z / (1 + z * z / 4) * np.sqrt(0.25 * 0.75 / 4 + z * z / 64)
    centre = (0.25 + z * z / 8) / (1 + z * z / 4)
    assert groups[["lower", "upper"]].iloc[0].tolist() == pytest.approx([centre - half, centre + half], abs=1e-6)


def test_numbers_are_those_of_the_metrics(scores, assert_fit_to_print):
    y, p = scores
    display = CalibrationDisplay.from_predictions(y, p, name="pet_ct_lab")
    line = calibration_intercept_slope(y, p)
    assert (display.intercept, display.slope) == line
    assert display.ici == integrated_calibration_index(y, p)
    smooth = display.frame().query("kind == 'smooth'")
    assert smooth["observed"].to_numpy() == pytest.approx(loess_calibration(y, p, at=smooth["predicted"]))
    texts = assert_fit_to_print(display.figure_)
    assert f"PET + CT + labs\nintercept {line.intercept:.2f}\nslope {line.slope:.2f}\nICI {display.ici:.2f}" in texts


def test_every_patient_is_in_one_group_and_ties_stay_together(scores):
    y, p = scores
    groups = CalibrationDisplay.from_predictions(y, p.round(1)).frame().query("kind == 'group'")
    assert groups["n"].sum() == 100
    assert (groups["n"] @ groups["observed"]) == pytest.approx(y.sum())
    assert (groups["n"] @ groups["predicted"]) == pytest.approx(p.round(1).sum())
    alike = CalibrationDisplay.from_predictions(y, np.full(100, 0.5))
    assert alike.frame().query("kind == 'group'")["n"].tolist() == [100]
    assert np.isnan(alike.slope)


def test_perfectly_separated_classes_are_drawn(assert_fit_to_print):
    display = CalibrationDisplay.from_predictions([0, 0, 1, 1], [0, 0.1, 0.9, 1])
    assert not any("slope" in text for text in assert_fit_to_print(display.figure_))


def test_from_estimator_is_from_predictions_of_its_probabilities():
    X, y = make_classification(60, random_state=0)
    model = LogisticRegression().fit(X[:30], y[:30])
    display = CalibrationDisplay.from_estimator(model, X[30:], y[30:], n_groups=3)
    expected = CalibrationDisplay.from_predictions(y[30:], model.predict_proba(X[30:])[:, 1], n_groups=3)
    assert display.frame().equals(expected.frame())
    assert display.name == "LogisticRegression"


def test_it_draws_on_given_axes(scores):
    figure = Figure()
    ax = figure.add_subplot()
    assert CalibrationDisplay.from_predictions(*scores).plot(ax).ax_ is ax


def test_wrong_arguments_are_named(scores):
    with pytest.raises(ValueError, match="`n_groups` must be at least 1; got 0"):
        CalibrationDisplay.from_predictions(*scores, n_groups=0)
    with pytest.raises(ValueError, match="`p_long` must be probabilities"):
        CalibrationDisplay.from_predictions([0, 1], [0.2, 1.2])
