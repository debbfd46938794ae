import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score, brier_score_loss

from prrt_estimators.metrics import find_score, scaled_brier_score

auprc_short = find_score("auprc_short").function


@pytest.fixture
def scores():
    rng = np.random.default_rng(3)
    y = (rng.random(60) < 0.64).astype(int)
    return y, np.clip(0.3 * y + 0.7 * rng.random(60), 0, 1)


def test_short_auprc_worked_by_hand():
    # From the lowest probability: short, long, short, long -> precision 1/1 at the first find, 2/3 at the second.
    assert auprc_short([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.9]) == pytest.approx((1 + 2 / 3) / 2)


def test_short_auprc_is_the_auprc_of_the_swapped_problem(scores):
    y, p = scores
    weight = np.linspace(0.5, 2, len(y))
    expected = average_precision_score(y == 0, 1 - p, sample_weight=weight)
    assert auprc_short(y, p, sample_weight=weight) == pytest.approx(expected)
    assert auprc_short(y, p) != pytest.approx(average_precision_score(y, p))


def test_short_auprc_of_a_constant_is_the_prevalence_of_short_pfs():
    assert auprc_short([0, 1, 1, 1], [0.6] * 4) == pytest.approx(0.25)


def test_short_auprc_tells_probabilities_near_zero_apart():
    assert auprc_short([0, 1], [1e-20, 1e-18]) == 1.0


def test_scaled_brier_score_worked_by_hand():
    assert scaled_brier_score([0, 1, 1, 1], [0.75] * 4) == pytest.approx(0)
    assert scaled_brier_score([0, 1, 1, 1], [0, 1, 1, 1]) == 1
    # Brier (0.5^2 + 0) / 2 against 0.25.
    assert scaled_brier_score([0, 1], [0.5, 1]) == pytest.approx(0.5)


def test_scaled_brier_score_agrees_with_scikit_learn(scores):
    y, p = scores
    assert scaled_brier_score(y, p) == pytest.approx(1 - brier_score_loss(y, p) / (y.mean() * (1 - y.mean())))
    if hasattr(sklearn_metrics, "d2_brier_score"):
        weight = np.linspace(0.5, 2, len(y))
        expected = sklearn_metrics.d2_brier_score(y, p, sample_weight=weight)
        assert scaled_brier_score(y, p, sample_weight=weight) == pytest.approx(expected)


def test_one_class_is_undefined_and_says_so():
    with pytest.warns(UndefinedMetricWarning, match="all 3 patients are of class 1"):
        assert np.isnan(scaled_brier_score([1, 1, 1], [0.2, 0.3, 0.4]))


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.2, 0.3, 0.4], "same patients in both"),
        ([0, 1], [[0.8, 0.2], [0.1, 0.9]], r"column \[:, 1\]"),
        ([0, 2], [0.2, 0.3], "got also 2"),
        (["short", "long"], [0.2, 0.3], "got also long, short"),
        ([0, 1], [0.2, 1.3], "1.3 at row 1"),
        ([0, 1], [np.nan, 0.3], "nan at row 0"),
        ([], [], "at least one patient"),
    ],
)
def test_wrong_arrays_are_named(y, p, message):
    with pytest.raises(ValueError, match=message):
        scaled_brier_score(y, p)


@pytest.mark.parametrize("name", ["auprc", "auprc_short", "neg_brier"])
def test_chance_counts_a_patient_of_weight_two_as_two(name):
    """But for what a small sample adds, which depends on how many patients there are."""
    y, weights = np.array([0, 0, 1, 1, 1] * 200), np.array([2.0, 1.0, 1.0, 3.0, 1.0] * 200)
    chance = find_score(name).chance
    assert chance(y, weights) == pytest.approx(chance(np.repeat(y, weights.astype(int)), None), abs=5e-3)
    assert abs(chance(y, weights) - chance(y, None)) > 5e-3
