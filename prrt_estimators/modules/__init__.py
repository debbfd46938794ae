"""Torch networks: encoders, augmentation and the fusion of modalities."""

from ._augment import AUGMENTATIONS, RandomAugment
from ._encoders import ENCODERS, Encoder, build_encoder
from ._fusion import FUSIONS, FusionNet, WeightedBCE
from ._weights import load_weights

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
