"""Forest plots, mean curves over folds, and survival by groups."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, roc_auc_score

from prrt_estimators.model_selection import Skipped, compare_models
from prrt_estimators.plotting import (
    ForestPlotDisplay,
    KaplanMeierDisplay,
    MeanPrecisionRecallDisplay,
    MeanRocDisplay,
)


@pytest.fixture(scope="module")
def comparison():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 30)
    X = rng.normal(size=(90, 2))
    X[:, 0] += 1.5 * y
    models = {"lab": LogisticRegression(), "baseline_lab": LogisticRegression(C=0.01), "ct": Skipped("none")}
    return compare_models(models, X, y, cv=3, verbose=0)


def test_a_forest_plot_shows_means_and_intervals_of_models_with_a_result(comparison):
    summary = comparison.summary()
    display = ForestPlotDisplay.from_summary(summary)
    shown = display.frame()
    assert shown["label"].tolist() == ["Labs", "Baseline: labs"]
    np.testing.assert_array_equal(shown["value"], summary["auroc_mean"].dropna())
    np.testing.assert_array_equal(shown["low"], summary["auroc_low"].dropna())
    assert display.line == 0.5
    low, high = display.ax_.get_xlim()
    assert low < shown["low"].min()
    assert high > shown["high"].max()


def test_losses_and_differences_have_their_own_sign(comparison):
    summary = comparison.summary()
    brier = ForestPlotDisplay.from_summary(summary, score="neg_brier").frame()
    np.testing.assert_allclose(brier["value"], -summary["neg_brier_mean"].dropna())
    assert (brier["low"] < brier["high"]).all()
    apart = ForestPlotDisplay.from_summary(summary, difference=True)
    assert apart.line == 0
    assert apart.frame()["value"].tolist() == [summary.loc["lab", "auroc_difference"]]
    with pytest.raises(ValueError, match="lacks the column"):
        ForestPlotDisplay.from_summary(summary, score="mcc")


def test_an_estimate_without_interval_and_none_at_all():
    rows = pd.DataFrame({"label": ["a"], "value": [0.6], "low": [np.nan], "high": [np.nan]})
    texts = [text.get_text() for text in ForestPlotDisplay(rows).plot().ax_.texts]
    assert texts == ["0.60"]
    assert ForestPlotDisplay(rows.iloc[:0]).plot().ax_.get_xlim() == (0.0, 1.0)


def test_the_mean_curve_of_one_fold_is_its_curve(comparison):
    own = comparison.predictions.query("fold == 0 and model == 'lab'")
    curve = MeanRocDisplay.from_folds(own).frame()
    assert auc(curve["x"], curve["mean"]) == pytest.approx(roc_auc_score(own["y_true"], own["y_score"]), abs=0.02)
    assert curve["mean"].iloc[-1] == 1
    assert curve["sd"].isna().all()
    precision = MeanPrecisionRecallDisplay.from_folds(own).frame()
    assert precision["mean"].iloc[-1] >= own["y_true"].mean() - 1e-9
    assert precision["mean"].between(0, 1).all()


def test_folds_are_averaged_within_repeats_and_the_band_is_between_them():
    frame = pd.DataFrame(
        {
            "model": "a", "repeat": [0] * 4 + [1] * 4, "fold": 0, "y_true": [0, 0, 1, 1] * 2,
            "y_score": [0.1, 0.2, 0.8, 0.9, 0.9, 0.8, 0.2, 0.1],
        }
    )  # fmt: skip
    display = MeanRocDisplay.from_folds(frame)
    inside = display.frame().query("0 < x < 1")
    np.testing.assert_allclose(inside["mean"], 0.5)
    np.testing.assert_allclose(inside["sd"], np.std([0, 1], ddof=1))
    with pytest.raises(ValueError, match="both classes"):
        MeanRocDisplay.from_folds(frame.assign(y_true=1))


def test_survival_by_groups_ends_where_few_are_at_risk():
    rng = np.random.default_rng(0)
    survival = np.empty(60, dtype=[("event", bool), ("time", float)])
    survival["event"], survival["time"] = True, np.sort(rng.exponential(12, 60))
    groups = np.where(np.arange(60) % 3, "low risk", "high risk")
    display = KaplanMeierDisplay.from_groups(survival, groups, horizon=None, min_at_risk=0.1)
    end = display.ax_.get_xlim()[1]
    assert (survival["time"] >= end).sum() == 6
    assert (display.at_risk_.columns <= end).all()
    assert list(display.curves) == ["high risk", "low risk"]
    assert np.isnan(display.logrank_p)
    whole = KaplanMeierDisplay.from_groups(survival, groups, horizon=None)
    assert whole.ax_.get_xlim()[1] >= survival["time"].max()
    with pytest.raises(ValueError, match="a group for each of 60"):
        KaplanMeierDisplay.from_groups(survival, ["a"])
