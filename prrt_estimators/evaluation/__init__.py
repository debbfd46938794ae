"""What a comparison of models means beyond its scores: calibration, decisions, other cohorts, stability, sample size."""

from prrt_estimators.evaluation._calibration_table import calibration_table
from prrt_estimators.evaluation._censoring import (
    FollowUp,
    censoring_sensitivity,
    censoring_weights,
    reverse_kaplan_meier,
)
from prrt_estimators.evaluation._centres import centre_table, leave_one_centre_out
from prrt_estimators.evaluation._decisions import cross_fitted_thresholds, decision_table
from prrt_estimators.evaluation._drift import input_drift
from prrt_estimators.evaluation._external import ExternalEvaluation, evaluate_external
from prrt_estimators.evaluation._external_times import ExternalTimeEvaluation
from prrt_estimators.evaluation._inputs_by_class import inputs_by_class
from prrt_estimators.evaluation._refits import (
    PermutationTest,
    learning_curve_table,
    permutation_test,
    prediction_stability,
    refit_stability,
)
from prrt_estimators.evaluation._sample_size import SampleSize, r2_of_auroc, riley_sample_size
from prrt_estimators.evaluation._subgroups import subgroup_table
from prrt_estimators.model_selection._risk_groups import risk_groups

__all__ = [
    "ExternalEvaluation",
    "ExternalTimeEvaluation",
    "FollowUp",
    "PermutationTest",
    "SampleSize",
    "calibration_table",
    "censoring_sensitivity",
    "censoring_weights",
    "centre_table",
    "cross_fitted_thresholds",
    "decision_table",
    "evaluate_external",
    "input_drift",
    "inputs_by_class",
    "learning_curve_table",
    "leave_one_centre_out",
    "permutation_test",
    "prediction_stability",
    "r2_of_auroc",
    "refit_stability",
    "reverse_kaplan_meier",
    "riley_sample_size",
    "risk_groups",
    "subgroup_table",
]
