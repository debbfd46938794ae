"""Torch networks: encoders, augmentation and the fusion of modalities."""

from prrt_estimators.modules._augment import AUGMENTATIONS, RandomAugment
from prrt_estimators.modules._encoders import ENCODERS, Encoder, build_encoder
from prrt_estimators.modules._fusion import FUSIONS, FusionNet, WeightedBCE
from prrt_estimators.modules._weights import load_weights

__all__ = [
    "AUGMENTATIONS",
    "ENCODERS",
    "FUSIONS",
    "Encoder",
    "FusionNet",
    "RandomAugment",
    "WeightedBCE",
    "build_encoder",
    "load_weights",
]
