"""Public estimators, one a file."""

from ._baselines import LabBaselineClassifier, PETBaselineClassifier
from ._fusion import FusionPFSClassifier
from ._image import CTPFSClassifier, PETPFSClassifier
from ._lab import LabPFSClassifier

__all__ = [
    "CTPFSClassifier",
    "FusionPFSClassifier",
    "LabBaselineClassifier",
    "LabPFSClassifier",
    "PETBaselineClassifier",
    "PETPFSClassifier",
]
