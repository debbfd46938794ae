"""Torch networks: encoders, augmentation, the fusion of modalities, and pretrained weights."""

from prrt_estimators.networks._augment import AUGMENTATIONS, RandomAugment
from prrt_estimators.networks._encoders import Encoder, Features, InputForm, LastStage
from prrt_estimators.networks._fetch import add_weight_file, weight_file
from prrt_estimators.networks._fusion import FUSIONS, FusionNet, WeightedBCE
from prrt_estimators.networks._named_encoders import ENCODERS, EncoderSpec, build_encoder, build_network
from prrt_estimators.networks._registry import WEIGHTS, PretrainedWeights
from prrt_estimators.networks._sources import WeightSource, find_weights
from prrt_estimators.networks._weight_files import load_weights

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
