"""Comparisons of models: the configurations of the study, resumable cross-validation, statistics."""

from prrt_estimators._model_specs import MODELS, ModelSpec
from prrt_estimators.model_selection._bootstrap import bootstrap_interval
from prrt_estimators.model_selection._cohort_table import cohort_table, format_cohort_table
from prrt_estimators.model_selection._compare import compare_models
from prrt_estimators.model_selection._corrected_tests import (
    fold_scores,
    interval_of_predictions,
    intervals_of_scores,
    power_of,
    score_interval,
)
from prrt_estimators.model_selection._dask import ClusterError
from prrt_estimators.model_selection._grouped import RepeatedStratifiedGroupKFold
from prrt_estimators.model_selection._horizon import HorizonClassifierSurvival, SurvivalHorizonClassifier
from prrt_estimators.model_selection._models import (
    BASELINES,
    CONFIGURATIONS,
    MODEL_NAMES,
    Skipped,
    paper_models,
    recommended_models,
)
from prrt_estimators.model_selection._partial_runs import compare_part, missing_parts
from prrt_estimators.model_selection._result import ModelComparison, load_comparison
from prrt_estimators.model_selection._run_store import RunInProgressError
from prrt_estimators.model_selection._statistics import corrected_t_test, holm, pool_repeats
from prrt_estimators.model_selection._summary import format_summary
from prrt_estimators.model_selection._tracking import log_to_mlflow
from prrt_estimators.model_selection._tuned import TunedClassifier
from prrt_estimators.model_selection._tuned_survival import TunedSurvival

__all__ = [
    "BASELINES",
    "CONFIGURATIONS",
    "MODELS",
    "MODEL_NAMES",
    "ClusterError",
    "HorizonClassifierSurvival",
    "ModelComparison",
    "ModelSpec",
    "RepeatedStratifiedGroupKFold",
    "RunInProgressError",
    "Skipped",
    "SurvivalHorizonClassifier",
    "TunedClassifier",
    "TunedSurvival",
    "bootstrap_interval",
    "cohort_table",
    "compare_models",
    "compare_part",
    "corrected_t_test",
    "fold_scores",
    "format_cohort_table",
    "format_summary",
    "holm",
    "interval_of_predictions",
    "intervals_of_scores",
    "load_comparison",
    "log_to_mlflow",
    "missing_parts",
    "paper_models",
    "pool_repeats",
    "power_of",
    "recommended_models",
    "score_interval",
]
