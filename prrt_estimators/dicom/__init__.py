"""From scanner export to volumes in SUVbw and HU."""

from prrt_estimators.dicom._geometry import Geometry, sort_slices
from prrt_estimators.dicom._ingest import IngestResult, ingest
from prrt_estimators.dicom._into_study import StudyObject, write_into_studies
from prrt_estimators.dicom._read import read_ct, read_pet
from prrt_estimators.dicom._suv import SUVFactors, suv_factors

__all__ = [
    "Geometry",
    "IngestResult",
    "SUVFactors",
    "StudyObject",
    "ingest",
    "read_ct",
    "read_pet",
    "sort_slices",
    "suv_factors",
    "write_into_studies",
]
