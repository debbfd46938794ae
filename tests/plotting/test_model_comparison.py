import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from prrt_estimators.plotting import ModelComparisonDisplay


@pytest.fixture
def scores():
    return pd.DataFrame(
        {
            "model": ["mine"] * 6 + ["lab"] * 6,
            "repeat": [0, 0, 1, 1, 2, 2] * 2,
            "fold": [0, 1] * 6,
            "auroc": [0.5, 0.7, 0.6, 0.6, 0.8, 1.0, 0.4, 0.6, 0.5, 0.5, np.nan, 0.8],
            "auprc": [0.6] * 6 + [0.8] * 6,
        }
    )


def widths(display):
    return sorted(round(patch.get_width(), 6) for patch in display.ax_.patches)


def test_frame_worked_by_hand(scores):
    frame = ModelComparisonDisplay.from_scores(scores, skipped={"pet": "no scans"}).frame()
    assert frame["model"].tolist() == ["lab", "lab", "pet", "pet", "mine", "mine"]
    table = frame.set_index(["model", "metric"])
    # Repeats of mine have means 0.6, 0.6, 0.9; of lab 0.5, 0.5 and, one fold missing, 0.8.
    assert table.loc[("mine", "auroc"), "mean"] == pytest.approx(0.7)
    assert table.loc[("mine", "auroc"), "sd"] == pytest.approx(np.std([0.6, 0.6, 0.9], ddof=1))
    assert table.loc[("lab", "auroc"), "mean"] == pytest.approx(0.6)
    assert table.loc[("lab", "auprc"), "sd"] == pytest.approx(0)
    assert table["n_repeats"].tolist() == [3, 3, 0, 0, 3, 3]
    assert table.loc["pet", "mean"].isna().all()
    assert table["skipped"].tolist() == ["", "", "no scans", "no scans", "", ""]
    for column in ("mean", "sd", "n_repeats"):
        assert pd.api.types.is_numeric_dtype(frame[column])


def test_bars_chance_and_absent_models_are_drawn(scores, assert_fit_to_print):
    display = ModelComparisonDisplay.from_scores(scores, prevalence=0.64, skipped={"pet": "no scans"})
    assert widths(display) == pytest.approx([0.6, 0.6, 0.7, 0.8])
    lines = {line.get_xdata()[0] for line in display.ax_.lines if len(set(line.get_xdata())) == 1}
    assert {0.5, 0.64} <= lines
    texts = assert_fit_to_print(display.figure_)
    assert {"0.60 ± 0.17", "0.70 ± 0.17", "0.80 ± 0.00", "skipped: no scans", "PET", "chance 0.64"} <= set(texts)
    assert display.ax_.figure is display.figure_


def test_chance_follows_metric_and_prevalence(scores):
    scores = scores.assign(auprc_short=0.4, brier=0.2)
    metrics = ("auroc", "auprc", "auprc_short", "brier")
    display = ModelComparisonDisplay.from_scores(scores, prevalence=0.6, metrics=metrics)
    assert display.chance == pytest.approx({"auroc": 0.5, "auprc": 0.6, "auprc_short": 0.4, "brier": 0.24})
    assert ModelComparisonDisplay.from_scores(scores, metrics=metrics).chance == {"auroc": 0.5}


def test_one_repeat_has_no_spread(scores, assert_fit_to_print):
    display = ModelComparisonDisplay.from_scores(scores[scores["repeat"] == 0])
    assert display.frame()["sd"].isna().all()
    texts = assert_fit_to_print(display.figure_)
    assert not any("±" in text for text in texts)
    assert "Score: mean over folds" in texts


def test_ten_models_fit_with_a_long_reason_and_a_long_name(predictions, assert_fit_to_print):
    keys = ["model", "repeat", "fold"]
    scores = predictions.groupby(keys, sort=False, as_index=False)["p_long"].mean().rename(columns={"p_long": "auroc"})
    scores["auprc"], scores["auprc_short"] = 1.0, 0.95
    scores = scores.replace({"baseline_pet": "a model of my own whose name says everything about it"})
    scores = scores[scores["model"] != "pet_ct_lab_pretrained"]
    reason = "no weight file was given; download one and name it, then run the same command again"
    display = ModelComparisonDisplay.from_scores(
        scores,
        prevalence=2 / 3,
        metrics=("auroc", "auprc", "auprc_short"),
        skipped={"pet_ct_lab_pretrained": reason},
    )
    assert len(display.ax_.get_yticks()) == 10
    assert_fit_to_print(display.figure_)


def test_skipped_by_name_alone_and_a_model_without_any_score(scores, assert_fit_to_print):
    scores.loc[scores["model"] == "mine", ["auroc", "auprc"]] = np.nan
    display = ModelComparisonDisplay.from_scores(scores, skipped=["ct", "lab"])
    # lab has scores, so it is not absent, whatever the list says.
    assert display.frame()["skipped"].tolist() == ["", "", "skipped", "skipped", "", ""]
    texts = assert_fit_to_print(display.figure_)
    assert {"skipped", "no score"} <= set(texts)


def test_it_draws_on_given_axes(scores):
    figure = Figure()
    ax = figure.subplots(1, 2)[1]
    display = ModelComparisonDisplay.from_scores(scores).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_wrong_arguments_are_named(scores):
    with pytest.raises(ValueError, match="lacks the column"):
        ModelComparisonDisplay.from_scores(scores, metrics=("auc",))
    with pytest.raises(ValueError, match=r"`prevalence` must be .* got 64"):
        ModelComparisonDisplay.from_scores(scores, prevalence=64)
    with pytest.raises(ValueError, match="nothing to draw"):
        ModelComparisonDisplay.from_scores(scores.iloc[:0])
    with pytest.raises(ValueError, match="`metrics` must name"):
        ModelComparisonDisplay.from_scores(scores, metrics=())
