"""Torch networks: encoders, augmentation, the fusion of modalities, and pretrained weights."""

from prrt_estimators.modules._augment import AUGMENTATIONS, RandomAugment
from prrt_estimators.modules._encoders import Encoder, Features, InputForm, LastStage
from prrt_estimators.modules._fetch import add_weight_file, weight_file
from prrt_estimators.modules._fusion import FUSIONS, FusionNet, WeightedBCE
from prrt_estimators.modules._named_encoders import ENCODERS, EncoderSpec, build_encoder, build_network
from prrt_estimators.modules._registry import WEIGHTS, PretrainedWeights
from prrt_estimators.modules._sources import WeightSource, find_weights
from prrt_estimators.modules._weights import load_weights

__all__ = [
    "AUGMENTATIONS",
    "ENCODERS",
    "FUSIONS",
    "WEIGHTS",
    "Encoder",
    "EncoderSpec",
    "Features",
    "FusionNet",
    "InputForm",
    "LastStage",
    "PretrainedWeights",
    "RandomAugment",
    "WeightSource",
    "WeightedBCE",
    "add_weight_file",
    "build_encoder",
    "build_network",
    "find_weights",
    "load_weights",
    "weight_file",
]
