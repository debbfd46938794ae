"""Reading scanner series: volumes in SUVbw and HU."""

import importlib
import warnings
from typing import Any

from prrt_estimators.dicom._geometry import Geometry, sort_slices
from prrt_estimators.dicom._read import read_ct, read_pet
from prrt_estimators.dicom._suv import SUVFactors, suv_factors

__all__ = ["Geometry", "SUVFactors", "read_ct", "read_pet", "sort_slices", "suv_factors"]

#: What stood here before `prrt_estimators.ingest` was a room of its own.
_MOVED = frozenset({"IngestResult", "StudyObject", "ingest", "write_into_studies"})


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{name} is now in prrt_estimators.ingest: import it from there. The old name will be removed in version 0.2.",
        FutureWarning,
        stacklevel=2,
    )
    return getattr(importlib.import_module("prrt_estimators.ingest"), name)
