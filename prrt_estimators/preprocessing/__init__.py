"""scikit-learn transformers for laboratory tables, PET and CT."""

from ._cache import cache_info, clear_cache
from ._labs import LabPreprocessor
from ._markers import LiteratureMarkers
from ._pet_features import GlobalPETFeatures
from ._volumes import VolumePreprocessor, prepare_volumes
from ._windows import IntensityWindow

__all__ = [
    "GlobalPETFeatures",
    "IntensityWindow",
    "LabPreprocessor",
    "LiteratureMarkers",
    "VolumePreprocessor",
    "cache_info",
    "clear_cache",
    "prepare_volumes",
]
