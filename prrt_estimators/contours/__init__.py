"""Lesions as physicians draw them: contour objects and masks of other programs, read to the voxel and written back."""

from prrt_estimators.contours._regions import Lesions, Region, Structures, lesion_labels
from prrt_estimators.contours._rtstruct import RTStructureSet, read_rtstruct
from prrt_estimators.contours._segmentation import Segmentation, read_segmentation

__all__ = [
    "Lesions",
    "RTStructureSet",
    "Region",
    "Segmentation",
    "Structures",
    "lesion_labels",
    "read_rtstruct",
    "read_segmentation",
]
