"""Predict progression-free survival before 177Lu PRRT from labs, PET and CT with scikit-learn estimators."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Libraries that import tqdm.auto make it warn in every notebook without ipywidgets that its bars will be plain; ours are
# rich's. Nothing else is warned of from there: the warning falls to the module that imports the one for notebooks.
warnings.filterwarnings("ignore", category=Warning, module=r"tqdm\.auto$")

if TYPE_CHECKING:
    from prrt_estimators.cohort import Cohort, Volumes
    from prrt_estimators.datasets import check_cohort, load_cohort, make_prrt_cohort
    from prrt_estimators.estimators import (
        CTPFSClassifier,
        CTPFSSurvival,
        CTPretrainer,
        FusionPFSClassifier,
        FusionPFSSurvival,
        LabBaselineClassifier,
        LabBaselineSurvival,
        LabPFSClassifier,
        LabPFSSurvival,
        LateFusionPFSSurvival,
        PETBaselineClassifier,
        PETPFSClassifier,
        PETPFSSurvival,
    )
    from prrt_estimators.model_selection import cohort_table, compare_models, load_comparison, paper_models
    from prrt_estimators.persistence import load_model, save_model

# Torch takes seconds to import and a help text does not need it, so names are fetched when they are asked for.
_HOMES = {
    "CTPFSClassifier": "estimators",
    "CTPFSSurvival": "estimators",
    "CTPretrainer": "estimators",
    "Cohort": "cohort",
    "FusionPFSClassifier": "estimators",
    "FusionPFSSurvival": "estimators",
    "LabBaselineClassifier": "estimators",
    "LabBaselineSurvival": "estimators",
    "LabPFSClassifier": "estimators",
    "LateFusionPFSSurvival": "estimators",
    "LabPFSSurvival": "estimators",
    "PETBaselineClassifier": "estimators",
    "PETPFSClassifier": "estimators",
    "PETPFSSurvival": "estimators",
    "Volumes": "cohort",
    "check_cohort": "datasets",
    "cohort_table": "model_selection",
    "compare_models": "model_selection",
    "load_cohort": "datasets",
    "load_comparison": "model_selection",
    "load_model": "persistence",
    "make_prrt_cohort": "datasets",
    "paper_models": "model_selection",
    "save_model": "persistence",
}

__all__ = [
    "CTPFSClassifier",
    "CTPFSSurvival",
    "CTPretrainer",
    "Cohort",
    "FusionPFSClassifier",
    "FusionPFSSurvival",
    "LabBaselineClassifier",
    "LabBaselineSurvival",
    "LabPFSClassifier",
    "LabPFSSurvival",
    "LateFusionPFSSurvival",
    "PETBaselineClassifier",
    "PETPFSClassifier",
    "PETPFSSurvival",
    "Volumes",
    "__version__",
    "check_cohort",
    "cohort_table",
    "compare_models",
    "load_cohort",
    "load_comparison",
    "load_model",
    "make_prrt_cohort",
    "paper_models",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
