"""Figures of the page beyond those of the study."""

from __future__ import annotations

from typing import Any

import numpy as np

from prrt_estimators._offscreen import offscreen
from prrt_estimators.evaluation._calibration_table import calibration_band
from prrt_estimators.metrics._score import main_score, score_title
from prrt_estimators.model_selection import pool_repeats
from prrt_estimators.model_selection._figures import Panel
from prrt_estimators.plotting import (
    OKABE_ITO,
    CalibrationDisplay,
    DecisionCurveDisplay,
    ForestPlotDisplay,
    MeanPrecisionRecallDisplay,
    MeanRocDisplay,
    model_label,
    style_context,
)


@offscreen()
def more_panels(comparison: Any, summary: Any, models: list[str]) -> dict[str, Panel]:
    """Draw the forest plots, mean curves, calibration and decision curves of a comparison.

    Parameters
    ----------
    comparison : ModelComparison
    summary : DataFrame
        ``comparison.summary()``.
    models : list of str
        Models of the curves.

    Returns
    -------
    dict of str to Panel
        ``forest``, ``forest_difference``, ``mean_roc``, ``mean_precision_recall``, ``calibration_<model>``, ``decision``.
    """
    if comparison.scores.empty:
        return {}
    main = main_score(comparison.metrics)
    panels = {}
    if summary[f"{main}_mean"].notna().any():
        panels["forest"] = Panel(
            ForestPlotDisplay.from_summary(summary, score=main).figure_,
            f"{score_title(main)} to be expected of a model trained on the training share of such a cohort, with its 95 % interval; "
            "dashed: chance.",
        )
    if summary[f"{main}_difference"].notna().any():
        reference = model_label(str(summary["reference"].iloc[0]))
        panels["forest_difference"] = Panel(
            ForestPlotDisplay.from_summary(summary, score=main, difference=True).figure_,
            f"Difference of {score_title(main)} from {reference} on the same test folds, with its 95 % interval, which is not adjusted "
            "for the number of models.",
        )
    predictions = comparison.predictions[comparison.predictions["model"].isin(models)]
    if not len(predictions) or "p_long" not in set(predictions["kind"]):
        return panels
    if predictions.groupby(["repeat", "fold"])["y_true"].nunique().max() == 2:
        several = predictions["repeat"].nunique() > 1
        band = " The band is one standard deviation between repeats and not a confidence interval." if several else ""
        panels["mean_roc"] = Panel(
            MeanRocDisplay.from_folds(predictions, models=models).figure_,
            f"Mean of the ROC curves of all test folds.{band}",
        )
        panels["mean_precision_recall"] = Panel(
            MeanPrecisionRecallDisplay.from_folds(predictions, models=models).figure_,
            f"Mean of the precision-recall curves of all test folds.{band}",
        )
    pooled = {name: pool_repeats(predictions[predictions["model"] == name]) for name in models}
    for name in models[:2]:
        panels[f"calibration_{name}"] = _calibration(pooled[name], name)
    first = pooled[models[0]]
    ids = first["patient_id"].tolist()
    p = {name: one.set_index("patient_id").loc[ids, "y_score"].to_numpy() for name, one in pooled.items()}
    panels["decision"] = Panel(
        DecisionCurveDisplay.from_predictions(first["y_true"].to_numpy(), p).figure_,
        "Net benefit of treating the patients whose probability of long PFS reaches a threshold, beside treating all or none. Out-of-fold "
        "probabilities averaged over repeats. A model helps at the thresholds at which its curve is above both.",
    )
    return panels


def _calibration(pooled: Any, name: str) -> Panel:
    y, p = pooled["y_true"].to_numpy(), pooled["y_score"].to_numpy()
    display = CalibrationDisplay.from_predictions(y, p, name=name)
    at = (
        display.smooth["predicted"].to_numpy()[::4]
        if len(display.smooth) > 4
        else display.smooth["predicted"].to_numpy()
    )
    low, high = calibration_band(y, p, at=at, n_boot=100)
    known = np.isfinite(low) & np.isfinite(high)
    with style_context():
        display.ax_.fill_between(at[known], low[known], high[known], color=OKABE_ITO["blue"], alpha=0.15, linewidth=0)
    return Panel(
        display.figure_,
        f"Calibration of {model_label(name)}: out-of-fold probabilities averaged over repeats against what happened, in groups with 95 % "
        "intervals and as a smooth curve with the 95 % band over drawn patients. Averages are less extreme than the probabilities of one "
        "model; the table has the values within repeats.",
    )
