"""Public estimators, one a file."""

from prrt_estimators.estimators._baseline_survival import LabBaselineSurvival
from prrt_estimators.estimators._baselines import LabBaselineClassifier, PETBaselineClassifier
from prrt_estimators.estimators._block_fusion import BlockFusionPFSClassifier
from prrt_estimators.estimators._block_survival import BlockFusionPFSSurvival
from prrt_estimators.estimators._cox import CoxPFSClassifier
from prrt_estimators.estimators._cox_survival import CoxPFSSurvival
from prrt_estimators.estimators._directions import published_directions
from prrt_estimators.estimators._fusion import FusionPFSClassifier
from prrt_estimators.estimators._fusion_survival import FusionPFSSurvival
from prrt_estimators.estimators._image import CTPFSClassifier, PETPFSClassifier
from prrt_estimators.estimators._image_survival import CTPFSSurvival, PETPFSSurvival
from prrt_estimators.estimators._lab import LabPFSClassifier
from prrt_estimators.estimators._lab_survival import LabPFSSurvival
from prrt_estimators.estimators._late_survival import LateFusionPFSSurvival
from prrt_estimators.estimators._pretrainer import CTPretrainer
from prrt_estimators.estimators._published_scores import PublishedScoreClassifier, published_scores

__all__ = [
    "BlockFusionPFSClassifier",
    "BlockFusionPFSSurvival",
    "CTPFSClassifier",
    "CTPFSSurvival",
    "CTPretrainer",
    "CoxPFSClassifier",
    "CoxPFSSurvival",
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
    "PublishedScoreClassifier",
    "published_directions",
    "published_scores",
]
