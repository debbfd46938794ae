"""Scores that a reviewer asks for: arrays in, floats out. Long PFS is the positive class."""

from prrt_estimators.metrics._calibration import (
    CalibrationLine,
    calibration_intercept_slope,
    integrated_calibration_index,
    loess_calibration,
)
from prrt_estimators.metrics._net_benefit import net_benefit
from prrt_estimators.metrics._score import SCORES, Score, auprc_of_chance, find_score
from prrt_estimators.metrics._scores import average_precision_short_score, scaled_brier_score
from prrt_estimators.metrics.scoring import prrt_scorers

__all__ = [
    "SCORES",
    "CalibrationLine",
    "Score",
    "auprc_of_chance",
    "average_precision_short_score",
    "calibration_intercept_slope",
    "find_score",
    "integrated_calibration_index",
    "loess_calibration",
    "net_benefit",
    "prrt_scorers",
    "scaled_brier_score",
]
