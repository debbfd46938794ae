"""Public estimators, one a file."""

from prrt_estimators.estimators._baselines import LabBaselineClassifier, PETBaselineClassifier
from prrt_estimators.estimators._fusion import FusionPFSClassifier
from prrt_estimators.estimators._image import CTPFSClassifier, PETPFSClassifier
from prrt_estimators.estimators._lab import LabPFSClassifier

__all__ = [
    "CTPFSClassifier",
    "FusionPFSClassifier",
    "LabBaselineClassifier",
    "LabPFSClassifier",
    "PETBaselineClassifier",
    "PETPFSClassifier",
]
