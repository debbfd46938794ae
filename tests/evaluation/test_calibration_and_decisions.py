"""Calibration and decisions of cross-validated probabilities."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.proportion import proportion_confint

from prrt_estimators.evaluation import calibration_table, cross_fitted_thresholds, decision_table, risk_groups
from prrt_estimators.evaluation._calibration_table import calibration_band, interval_of_draws, recalibrated
from prrt_estimators.metrics import (
    calibration_intercept_slope,
    choose_threshold,
    decision_scores,
    integrated_calibration_index,
    loess_calibration,
    net_benefit,
)
from prrt_estimators.model_selection import compare_models, score_interval
from prrt_estimators.plotting import DecisionCurveDisplay


@pytest.fixture(scope="module")
def comparison():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 40)
    X = rng.normal(size=(120, 3))
    X[:, 0] += y
    models = {"linear": LogisticRegression(), "noise": LogisticRegression(C=1e-6)}
    from sklearn.model_selection import RepeatedStratifiedKFold

    return compare_models(models, X, y, cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=5, random_state=0), verbose=0)


def predictions(n=200, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.beta(3, 2, n)
    return (rng.random(n) < expit(0.4 + 1.3 * logit(p))).astype(int), p, rng.integers(1, 4, n)


def test_weighted_calibration_line_is_that_of_a_generalised_linear_model():
    y, p, weight = predictions()
    line = calibration_intercept_slope(y, p, sample_weight=weight)
    family = sm.families.Binomial()
    slope = sm.GLM(y, sm.add_constant(logit(p)), family=family, freq_weights=weight).fit().params[1]
    alone = sm.GLM(y, np.ones((len(y), 1)), family=family, freq_weights=weight, offset=logit(p)).fit().params[0]
    assert line.slope == pytest.approx(slope, rel=1e-5)
    assert line.intercept == pytest.approx(alone, rel=1e-6)


def test_whole_weights_count_patients():
    y, p, weight = predictions(60)
    many_y, many_p = np.repeat(y, weight), np.repeat(p, weight)
    one, other = calibration_intercept_slope(y, p, sample_weight=weight), calibration_intercept_slope(many_y, many_p)
    np.testing.assert_allclose(one, other, rtol=1e-6)
    at = np.linspace(0.05, 0.9, 7)
    pd.testing.assert_frame_equal(net_benefit(y, p, at, sample_weight=weight), net_benefit(many_y, many_p, at))
    whole = {"at": [0.4], "span": 1.0}
    np.testing.assert_allclose(
        loess_calibration(y, p, sample_weight=weight, **whole), loess_calibration(many_y, many_p, **whole)
    )
    even = np.full(60, 2.0)
    assert integrated_calibration_index(y, p, sample_weight=even) == pytest.approx(integrated_calibration_index(y, p))
    with pytest.raises(ValueError, match="one weight of at least 0"):
        calibration_intercept_slope(y, p, sample_weight=-even)


def test_decision_scores_and_their_intervals():
    y, p, _ = predictions(80)
    table = decision_scores(y, p, 0.6)
    called = p >= 0.6
    for name, hit, among in [
        ("sensitivity", called & (y == 1), y == 1),
        ("specificity", ~called & (y == 0), y == 0),
        ("ppv", called & (y == 1), called),
        ("npv", ~called & (y == 0), ~called),
    ]:
        row = table.loc[name]
        assert row["value"] == pytest.approx(hit.sum() / among.sum())
        np.testing.assert_allclose(row[["low", "high"]], proportion_confint(hit.sum(), among.sum(), method="wilson"))
    nobody = decision_scores([0, 1], [0.1, 0.2], 0.9)
    assert np.isnan(nobody.loc["ppv", "value"])
    assert nobody.loc["specificity", "value"] == 1


def test_what_nobody_counts_for_hides_no_other_score():
    y = [0, 0, 0, 1]
    nobody_long = decision_scores(y, [0.1, 0.2, 0.3, 0.4], 0.5)
    assert nobody_long["n"].tolist() == [1, 3, 0, 4]
    assert nobody_long["hits"].tolist() == [0, 3, 0, 3]
    assert nobody_long["value"].fillna(-1).tolist() == [0, 1, -1, 0.75]
    nobody_short = decision_scores(y, [0.6, 0.7, 0.8, 0.9], 0.5)
    assert nobody_short["value"].fillna(-1).tolist() == [1, 0, 0.25, -1]


def test_rules_of_thresholds():
    y, p = np.array([0, 0, 0, 1, 1, 1, 1, 1]), np.array([0.1, 0.3, 0.6, 0.2, 0.5, 0.7, 0.8, 0.9])
    assert choose_threshold(y, p) == pytest.approx(0.65)  # 0.6 + 1 there, 0.8 + 2/3 at 0.4
    assert choose_threshold(y, p, "prevalence") == 0.625
    cut = choose_threshold(y, p, "sensitivity", at_least=1.0)
    assert (p[y == 1] >= cut).all()
    assert cut == pytest.approx(0.15)
    cut = choose_threshold(y, p, "specificity", at_least=1.0)
    assert (p[y == 0] < cut).all()
    assert cut == pytest.approx(0.65)
    with pytest.raises(ValueError, match="one class"):
        choose_threshold([1, 1], [0.2, 0.3])
    with pytest.raises(ValueError, match="`rule` must be"):
        choose_threshold(y, p, "best")


def test_a_threshold_never_sees_its_own_fold(comparison):
    own = comparison.predictions.query("model == 'linear'")
    cuts = cross_fitted_thresholds(own).set_index(["repeat", "fold"])["threshold"]
    changed = own.assign(y_true=own["y_true"].where(own["fold"] != 0, 1 - own["y_true"]))
    again = cross_fitted_thresholds(changed).set_index(["repeat", "fold"])["threshold"]
    assert (cuts.xs(0, level="fold") == again.xs(0, level="fold")).all()
    others = own.query("repeat == 1 and fold != 2")
    assert cuts[1, 2] == choose_threshold(others["y_true"], others["y_score"])


def test_table_of_decisions_has_the_corrected_interval(comparison):
    table = decision_table(comparison).set_index(["model", "score"])
    own = comparison.predictions.query("model == 'linear'")
    cuts = cross_fitted_thresholds(own).set_index(["repeat", "fold"])["threshold"]
    values = [
        decision_scores(fold["y_true"], fold["y_score"], cuts[place]).loc["sensitivity", "value"]
        for place, fold in own.groupby(["repeat", "fold"])
    ]
    interval = score_interval(values, n_train=80, n_test=40, repeat=np.repeat(np.arange(5), 3), limits=(0, 1))
    assert table.loc[("linear", "sensitivity"), ["mean", "low", "high"]].tolist() == pytest.approx(
        [interval.mean, interval.low, interval.high]
    )
    assert table.loc[("linear", "sensitivity"), "n_folds"] == 15


def test_noise_has_no_youden_index():
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        y = np.tile([0, 1, 1], 20)
        frame = pd.DataFrame(
            {"repeat": 0, "fold": np.arange(60) % 3, "y_true": rng.permutation(y), "y_score": rng.random(60)}
        )
        cuts = cross_fitted_thresholds(frame).set_index("fold")["threshold"]
        called = frame["y_score"] >= frame["fold"].map(cuts)
        found.append(called[frame["y_true"] == 1].mean() - called[frame["y_true"] == 0].mean())
    assert abs(np.mean(found)) < 0.05


def test_risk_groups_are_cut_on_the_other_folds():
    frame = pd.DataFrame(
        {"repeat": 0, "fold": [0, 0, 1, 1], "patient_id": list("abcd"), "y_score": [0.1, 0.2, 0.6, 0.9]}
    )
    # The median of the other fold is 0.75 for a and b, 0.15 for c and d.
    assert risk_groups(frame)["group"].tolist() == [0, 0, 1, 1]
    assert set(risk_groups(frame, 3)["group"]) <= {0, 1, 2}
    with pytest.raises(ValueError, match="at least 2"):
        risk_groups(frame, 1)


def test_calibration_table_and_band(comparison):
    table = calibration_table(comparison, n_boot=40).set_index(["model", "score"])
    second = calibration_table(comparison, n_boot=40, models=["noise"]).set_index(["model", "score"])
    pd.testing.assert_frame_equal(second, table.loc[["noise"]])
    own = comparison.predictions.query("model == 'linear'")
    slopes = [calibration_intercept_slope(one["y_true"], one["y_score"]).slope for _, one in own.groupby("repeat")]
    assert table.loc[("linear", "slope"), "mean"] == pytest.approx(np.mean(slopes))
    row = table.loc[("linear", "scaled_brier")]
    assert row["low"] < row["mean"] < row["high"]
    # The ICI of drawn patients is greater than the ICI itself: percentiles of the draws could lie above it.
    for model in ("linear", "noise"):
        row = table.loc[(model, "ici")]
        assert 0 <= row["low"] <= row["mean"] <= row["high"]
    drawn = pd.Series([0.07, 0.09, 0.11, 0.13])
    assert interval_of_draws("ici", 0.03, drawn, 0.0, 4) == pytest.approx((0.0, 0.06))
    assert interval_of_draws("slope", 0.03, drawn, 0.0, 4) == pytest.approx((0.07, 0.13))
    assert np.isnan(interval_of_draws("ici", 0.03, drawn, 0.0, 8)).all()
    assert table.loc[("noise", "scaled_brier"), "mean"] == pytest.approx(0, abs=0.02)
    at = np.linspace(0.3, 0.9, 5)
    y, p, _ = predictions(120)
    low, high = calibration_band(y, p, at=at, n_boot=30)
    smooth = loess_calibration(y, p, at=at)
    assert ((low <= smooth + 0.05) & (smooth - 0.05 <= high)).all()
    assert np.isnan(calibration_band(y, p, at=np.array([-0.5]), n_boot=5)[0]).all()


def test_recalibration_mends_intercept_and_slope():
    y, p, _ = predictions(4000)
    line = sm.GLM(y, sm.add_constant(logit(p)), family=sm.families.Binomial()).fit().params
    again = calibration_intercept_slope(y, recalibrated(p, line[0], line[1]))
    assert again.intercept == pytest.approx(0, abs=1e-6)
    assert again.slope == pytest.approx(1, abs=1e-4)


def test_decision_curve_is_the_hand_worked_net_benefit():
    y, p = np.array([0, 0, 1, 1, 1]), np.array([0.2, 0.7, 0.4, 0.8, 0.9])
    display = DecisionCurveDisplay.from_predictions(y, {"a": p}, thresholds=[0.5, 0.75])
    # From 0.5 on: 2 true, 1 false positive of 5; from 0.75 on: 2 true, none false.
    assert display.frame()["a"].tolist() == pytest.approx([2 / 5 - 1 / 5, 2 / 5])
    assert display.frame()["treat_all"].tolist() == pytest.approx([3 / 5 - 2 / 5, 3 / 5 - 2 / 5 * 3])
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["All treated", "None treated", "a"]
    model = LogisticRegression().fit(p[:, None], y)
    assert "LogisticRegression" in DecisionCurveDisplay.from_estimator(model, p[:, None], y).frame().columns
    with pytest.raises(ValueError, match="names no model"):
        DecisionCurveDisplay.from_predictions(y, {})
