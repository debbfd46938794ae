"""scikit-learn transformers for laboratory tables, PET and CT."""

from prrt_estimators.preprocessing._cache import cache_info, clear_cache, prune_cache
from prrt_estimators.preprocessing._clipped import ClippedScaler
from prrt_estimators.preprocessing._lab_panels import LabPanels, default_panels
from prrt_estimators.preprocessing._labs import LabPreprocessor
from prrt_estimators.preprocessing._markers import LiteratureMarkers
from prrt_estimators.preprocessing._pet_features import GlobalPETFeatures
from prrt_estimators.preprocessing._table_block import TableBlock
from prrt_estimators.preprocessing._volumes import VolumePreprocessor, prepare_volumes

__all__ = [
    "ClippedScaler",
    "GlobalPETFeatures",
    "LabPanels",
    "LabPreprocessor",
    "LiteratureMarkers",
    "TableBlock",
    "VolumePreprocessor",
    "cache_info",
    "clear_cache",
    "default_panels",
    "prepare_volumes",
    "prune_cache",
]
