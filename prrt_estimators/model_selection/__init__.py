"""Comparisons of models: the configurations of the study, resumable cross-validation, statistics."""

from prrt_estimators.model_selection._compare import compare_models
from prrt_estimators.model_selection._models import BASELINES, CONFIGURATIONS, MODEL_NAMES, Skipped, paper_models
from prrt_estimators.model_selection._result import ModelComparison, load_comparison
from prrt_estimators.model_selection._run_store import RunInProgressError

__all__ = [
    "BASELINES",
    "CONFIGURATIONS",
    "MODEL_NAMES",
    "ModelComparison",
    "RunInProgressError",
    "Skipped",
    "compare_models",
    "load_comparison",
    "paper_models",
]
