"""Torch networks: encoders, augmentation, and the fusion of modalities."""

from prrt_estimators.networks._augment import AUGMENTATIONS, RandomAugment
from prrt_estimators.networks._encoders import Encoder, Features, InputForm, LastStage
from prrt_estimators.networks._fusion import FUSIONS, FusionNet, WeightedBCE
from prrt_estimators.networks._named_encoders import ENCODERS, EncoderSpec, build_encoder, build_network
from prrt_estimators.networks._projections import ProjectionEncoder
from prrt_estimators.networks._survival_losses import CoxLoss, HazardLoss
from prrt_estimators.networks._weight_files import load_weights

__all__ = [
    "AUGMENTATIONS",
    "ENCODERS",
    "FUSIONS",
    "CoxLoss",
    "Encoder",
    "EncoderSpec",
    "Features",
    "FusionNet",
    "HazardLoss",
    "InputForm",
    "LastStage",
    "ProjectionEncoder",
    "RandomAugment",
    "WeightedBCE",
    "build_encoder",
    "build_network",
    "load_weights",
]
