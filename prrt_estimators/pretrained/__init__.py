"""Pretrained weights: which are published, fetching and verifying them, and the branches that use them."""

from prrt_estimators._published_weights import WEIGHTS, PretrainedWeights
from prrt_estimators.pretrained._fetch import add_weight_file, weight_file
from prrt_estimators.pretrained._sources import WeightSource, find_weights

__all__ = ["WEIGHTS", "PretrainedWeights", "WeightSource", "add_weight_file", "find_weights", "weight_file"]
