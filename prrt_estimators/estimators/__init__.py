"""Public estimators, one a file."""

from prrt_estimators.estimators._baselines import LabBaselineClassifier, PETBaselineClassifier
from prrt_estimators.estimators._block_fusion import BlockFusionPFSClassifier
from prrt_estimators.estimators._cox import CoxPFSClassifier
from prrt_estimators.estimators._directions import published_directions
from prrt_estimators.estimators._fusion import FusionPFSClassifier
from prrt_estimators.estimators._image import CTPFSClassifier, PETPFSClassifier
from prrt_estimators.estimators._lab import LabPFSClassifier
from prrt_estimators.estimators._pretrainer import CTPretrainer
from prrt_estimators.estimators._published_scores import PublishedScoreClassifier, published_scores

__all__ = [
    "BlockFusionPFSClassifier",
    "CTPFSClassifier",
    "CTPretrainer",
    "CoxPFSClassifier",
    "FusionPFSClassifier",
    "LabBaselineClassifier",
    "LabPFSClassifier",
    "PETBaselineClassifier",
    "PETPFSClassifier",
    "PublishedScoreClassifier",
    "published_directions",
    "published_scores",
]
