"""The figures of the study, drawn from a comparison, each with the words that belong under it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prrt_estimators._offscreen import offscreen
from prrt_estimators.metrics import SCORES
from prrt_estimators.model_selection._risk_groups import risk_groups
from prrt_estimators.model_selection._run_store import folder_name
from prrt_estimators.model_selection._time_figures import incidence_panels, time_panels
from prrt_estimators.plotting import (
    KaplanMeierDisplay,
    ModelComparisonDisplay,
    PrecisionRecallDisplay,
    RocDisplay,
    model_label,
    representative_fold,
    save_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prrt_estimators.model_selection._result import ModelComparison


@dataclass(frozen=True)
class Panel:
    """A figure and its caption.

    Parameters
    ----------
    figure : matplotlib Figure
    caption : str
        What is drawn, from what, and how to read it.
    """

    figure: Figure
    caption: str


def score_bars(comparison: ModelComparison) -> ModelComparisonDisplay:
    """Bars of AUROC and AUPRC by model (of the first metrics, where these were not asked for)."""
    known = [score.name for score in SCORES.values() if score.chance is not None and score.name in comparison.metrics]
    metrics = known[:2] or comparison.metrics[:2]
    # Only models with a result have bars; where none has any, the reasons are all there is to draw.
    absent = (
        comparison.status if comparison.scores.empty else comparison.status[comparison.status["status"] == "failed"]
    )
    return ModelComparisonDisplay.from_scores(
        comparison.scores,
        chance=comparison.chance(),
        metrics=metrics,
        skipped=dict(zip(absent["model"], absent["reason"], strict=True)),
        failed=absent["model"][absent["status"] == "failed"],
    )


@offscreen()
def draw_all(
    comparison: ModelComparison, horizon: float | None, followup: np.ndarray | None = None
) -> dict[str, Panel]:
    """Draw every figure that the data allow, in the order of a paper."""
    panels: dict[str, Panel] = comparison.kind.panels(comparison, horizon, followup)
    return panels


def panels_of_scores(comparison: ModelComparison) -> dict[str, Panel]:
    """Draw the scores of models, whatever they learn."""
    repeats = comparison.run["cv"]["n_repeats"]
    spread = f", bars: standard deviation over {repeats} repeats" if repeats > 1 else ""
    caption = f"Mean over repeats of the mean over test folds, by model{spread}. Dashed lines: chance."
    return {"scores": Panel(score_bars(comparison).figure_, caption)}


def panels_of_times(
    comparison: ModelComparison, horizon: float | None, followup: np.ndarray | None
) -> dict[str, Panel]:
    """Draw the figures of survival models."""
    moment = comparison.kind.described()["horizon"] if horizon is None else horizon
    panels = panels_of_scores(comparison) | time_panels(comparison, moment, followup, Panel)
    return panels | incidence_panels(followup, moment, Panel)


def panels_of_classes(
    comparison: ModelComparison, horizon: float | None, followup: np.ndarray | None
) -> dict[str, Panel]:
    """Draw the figures of the study."""
    # Risks are greater for the worse patients, and have no bars of AUROC, so these figures are of probabilities only.
    of_classes = comparison.gives_probabilities
    panels = {"auroc_auprc": Panel(score_bars(comparison).figure_, _bars_caption(comparison))} if of_classes else {}
    best = comparison.best_model
    if best is not None and "auroc" in comparison.metrics:
        panels |= _curves(comparison, best)
    survival = _survival(comparison.survival)
    if survival is not None:
        everybody = survival if followup is None else followup
        display = KaplanMeierDisplay.from_survival(everybody, horizon=horizon, min_at_risk=0.1)
        who = (
            f"the {len(survival)} patients compared, with 95 % band, censored patients as ticks, and numbers at risk. Patients "
            "who were left out of the comparison (censored before the horizon, no outcome) are not in it, so that the curve "
            "may lie too low."
            if followup is None and of_classes
            else f"the {len(survival)} patients compared, with 95 % band, censored patients as ticks, and numbers at risk."
            if len(everybody) == len(survival)
            else f"all {len(everybody)} patients whose time is known, the {len(survival)} compared and those censored before "
            "the horizon, with 95 % band, censored patients as ticks, and numbers at risk."
        )
        panels["kaplan_meier_cohort"] = Panel(
            display.figure_,
            f"Kaplan-Meier estimate of progression-free survival of {who} The axis ends where fewer than a tenth of them are at "
            "risk.",
        )
        if best is not None and of_classes:
            panels[f"kaplan_meier_{folder_name(best)}"] = _by_class(comparison, best, horizon)
    return panels | incidence_panels(followup, horizon, Panel)


def save_all(panels: Mapping[str, Panel], folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """Write each figure as PNG, SVG and PDF."""
    formats = ("png", "svg", "pdf")
    return {name: save_figure(panel.figure, Path(folder) / name, formats=formats) for name, panel in panels.items()}


def _prevalence(comparison: ModelComparison) -> float:
    patients = comparison.survival
    return float(np.average(patients["y_true"], weights=patients.get("sample_weight")))


def _bars_caption(comparison: ModelComparison) -> str:
    repeats = comparison.run["cv"]["n_repeats"]
    spread = f"bars: standard deviation over {repeats} repeats, which is the variation due to the splits and is not a confidence interval"
    return (
        f"Mean over repeats of the mean over test folds, by model{f' ({spread})' if repeats > 1 else ''}. Dashed "
        "lines: chance, 0.50 for AUROC; for AUPRC, whose positive class is long PFS, what a random ranking reaches on average "
        f"in a fold of this size, somewhat more than the share of long PFS ({_prevalence(comparison):.2f})."
    )


def _curves(comparison: ModelComparison, best: str) -> dict[str, Panel]:
    repeat, fold = representative_fold(comparison.scores, best)
    finished = set(comparison.scores["model"])
    names = [name for name in dict.fromkeys(["lab", "pet_ct_lab", best]) if name in finished]
    options: dict[str, Any] = {"repeat": repeat, "fold": fold, "models": names}
    where = (
        f"on one test fold (repeat {repeat}, fold {fold}), the fold on which {model_label(best)} has its median AUROC. "
        f"{model_label(best)} has the highest mean AUROC of this comparison, a choice made after the fact. One fold "
        "holds few patients: read the table for the result."
    )
    return {
        "roc": Panel(
            RocDisplay.from_fold(comparison.predictions, **options).figure_,
            f"Receiver operating characteristic {where}",
        ),
        "precision_recall": Panel(
            PrecisionRecallDisplay.from_fold(comparison.predictions, **options).figure_,
            f"Precision and recall of long PFS {where}",
        ),
    }


def _by_class(comparison: ModelComparison, best: str, horizon: float | None) -> Panel:
    groups = risk_groups(comparison.predictions[comparison.predictions["model"] == best]).set_index("patient_id")[
        "group"
    ]
    patients = comparison.survival.set_index("patient_id").loc[groups.index].reset_index()
    survival = _survival(patients)
    names = np.where(groups.to_numpy() == 1, "lower predicted risk", "higher predicted risk")
    order = np.argsort(names, kind="stable")  # higher risk first, in every report
    display = KaplanMeierDisplay.from_groups(survival[order], names[order], horizon=horizon, min_at_risk=0.1)  # type: ignore[index]
    return Panel(
        display.figure_,
        f"Progression-free survival by the risk that {model_label(best)} predicts, in two groups: a patient of a test fold is "
        "in the group of lower risk where the probability of long PFS is above the median of the other folds of the repeat, "
        "and in that of most repeats. This model was chosen after the fact for its highest mean AUROC, so that no test is "
        "shown. The axis ends where fewer than a tenth of the patients are at risk.",
    )


def _survival(patients: pd.DataFrame) -> np.ndarray | None:
    if not {"time", "event"} <= set(patients.columns):
        return None
    survival = np.empty(len(patients), dtype=[("event", bool), ("time", np.float64)])
    survival["event"], survival["time"] = patients["event"].astype(bool), patients["time"].astype(float)
    return survival
