"""Scores that a reviewer asks for: arrays in, floats out. Long PFS is the positive class."""

from prrt_estimators.metrics._calibration import (
    CalibrationLine,
    calibration_intercept_slope,
    integrated_calibration_index,
    loess_calibration,
)
from prrt_estimators.metrics._net_benefit import net_benefit
from prrt_estimators.metrics._score import SCORES, Score, auprc_of_chance, find_score
from prrt_estimators.metrics._scores import scaled_brier_score
from prrt_estimators.metrics._survival_calibration import DCalibration, d_calibration, survival_calibration
from prrt_estimators.metrics._survival_entries import survival_curves
from prrt_estimators.metrics._survival_scores import (
    brier_survival,
    cumulative_dynamic_auc,
    harrell_c,
    integrated_brier,
    restricted_mean_survival,
    uno_c,
)
from prrt_estimators.metrics._threshold import choose_threshold, decision_scores
from prrt_estimators.metrics.scoring import prrt_scorers

__all__ = [
    "SCORES",
    "CalibrationLine",
    "DCalibration",
    "Score",
    "auprc_of_chance",
    "brier_survival",
    "calibration_intercept_slope",
    "choose_threshold",
    "cumulative_dynamic_auc",
    "d_calibration",
    "decision_scores",
    "find_score",
    "harrell_c",
    "integrated_brier",
    "integrated_calibration_index",
    "loess_calibration",
    "net_benefit",
    "prrt_scorers",
    "restricted_mean_survival",
    "scaled_brier_score",
    "survival_calibration",
    "survival_curves",
    "uno_c",
]
