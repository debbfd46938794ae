"""The figures of a comparison of survival models."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._survival import as_survival, has_causes, kaplan_meier
from prrt_estimators.metrics import cumulative_dynamic_auc
from prrt_estimators.model_selection._run_store import folder_name
from prrt_estimators.plotting import (
    CumulativeIncidenceDisplay,
    KaplanMeierDisplay,
    SurvivalCalibrationDisplay,
    TimeAUCDisplay,
    model_label,
)

if TYPE_CHECKING:
    from prrt_estimators.model_selection._result import ModelComparison

#: Patients who must have progressed before, and be followed beyond, a time at which an AUC is drawn.
_MIN_PATIENTS = 3
_GROUPS = ("low risk", "middle risk", "high risk")


def time_panels(comparison: ModelComparison, horizon: float, followup: np.ndarray | None, panel: Any) -> dict[str, Any]:
    """Draw AUC over time, the cohort, and of the best model risk groups and calibration."""
    patients = comparison.survival
    survival = as_survival(patients[["event", "time"]])
    panels = {}
    best = comparison.best_model
    if best is not None:
        times = _times(survival, horizon)
        if len(times):
            curves = {
                str(name): _auc(rows, patients, times)
                for name, rows in comparison.predictions.groupby("model", sort=False)
            }
            panels["auc_over_time"] = panel(
                TimeAUCDisplay(times, curves, horizon=horizon).plot().figure_,
                "AUC over time, mean over test folds: patients who progressed by then against those who had not, censoring "
                "weighted by the patients compared. Dotted: chance. Dashed: the horizon.",
            )
    everybody = survival if followup is None else followup
    panels["kaplan_meier_cohort"] = panel(
        KaplanMeierDisplay.from_survival(everybody, horizon=horizon).figure_,
        f"Kaplan-Meier estimate of progression-free survival of all {len(everybody)} patients whose time is known, with "
        f"95 % band, censored patients as ticks, and numbers at risk. The median is {_months(kaplan_meier(everybody).quantile())}.",
    )
    if best is not None:
        own = comparison.predictions[comparison.predictions["model"] == best]
        pooled = own.groupby("patient_id", sort=False)[["risk_group", "p_beyond"]].agg(
            {"risk_group": "median", "p_beyond": "mean"}
        )
        rows = as_survival(patients.set_index("patient_id").loc[pooled.index, ["event", "time"]])
        chosen = f"{model_label(best)} was chosen after the fact for its best mean score."
        group = np.round(pooled["risk_group"].to_numpy()).astype(int)
        panels[f"kaplan_meier_risk_{folder_name(best)}"] = panel(
            KaplanMeierDisplay.from_groups(
                rows, np.array(_GROUPS, dtype=object)[group], order=_GROUPS[::-1], horizon=horizon
            ).figure_,
            f"Progression-free survival by the risk that {model_label(best)} predicts for patients it has not seen: thirds, "
            "divided where thirds of the training patients of each fold are; a patient's group is the median over repeats. "
            f"{chosen} No test is shown for that reason.",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)  # the caption says it
            calibration = SurvivalCalibrationDisplay.from_predictions(rows, pooled["p_beyond"], horizon)
        unknown = int(calibration.groups["observed"].isna().sum())
        left_out = f" {unknown} of them, in which nobody was followed so long, cannot be drawn." if unknown else ""
        panels[f"calibration_{folder_name(best)}"] = panel(
            calibration.figure_,
            f"Calibration at {horizon:g} months: out-of-fold predictions of {model_label(best)}, averaged over repeats, in "
            f"{len(calibration.groups)} groups, against Kaplan-Meier with 95 % interval.{left_out} {chosen}",
        )
    return panels


def incidence_panels(followup: np.ndarray | None, horizon: float | None, panel: Any) -> dict[str, Any]:
    """Draw the cumulative incidence of progression and of death without it, where a table codes them apart."""
    if followup is None or not has_causes(followup):
        return {}
    display = CumulativeIncidenceDisplay.from_causes(followup["time"], followup["cause"], horizon=horizon)
    caption = (
        f"Cumulative incidence (Aalen-Johansen) of progression and of death without progression in all {len(followup)} patients "
        "whose time is known, with 95 % bands and numbers of patients. At each time the two and the share free of progression "
        "sum to 1."
    )
    return {"cumulative_incidence": panel(display.figure_, caption)}


def _months(value: float) -> str:
    return f"{value:.1f} months" if np.isfinite(value) else "not reached"


def _times(survival: np.ndarray, horizon: float) -> np.ndarray:
    """Return a grid of times at which enough patients have progressed and are followed beyond."""
    grid = np.unique(np.linspace(horizon / 6, 3 * horizon, 18))
    early = np.array([(survival["event"] & (survival["time"] <= moment)).sum() for moment in grid])
    late = np.array([(survival["time"] > moment).sum() for moment in grid])
    return grid[(early >= _MIN_PATIENTS) & (late >= _MIN_PATIENTS)]


def _auc(rows: pd.DataFrame, patients: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    table = patients.set_index("patient_id")
    everybody = as_survival(patients[["event", "time"]])
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # folds that say nothing about a time are left out
        for _, fold in rows.groupby(["repeat", "fold"], sort=False):
            y = as_survival(table.loc[fold["patient_id"], ["event", "time"]])
            found.append(cumulative_dynamic_auc(y, fold["y_score"], times, train=everybody)[0])
        warnings.simplefilter("ignore", RuntimeWarning)  # of times at which no fold says anything
        return np.nanmean(np.array(found), axis=0)
