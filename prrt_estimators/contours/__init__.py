"""Lesions as physicians draw them: contour objects and masks of other programs, read to the voxel and written back."""

from prrt_estimators.contours._cohort_masks import check_masks
from prrt_estimators.contours._corrected_lesions import apply_corrections, count_corrected
from prrt_estimators.contours._exchange import compare_lesions, export_lesions, given_lesions
from prrt_estimators.contours._masks import Mask, read_mask
from prrt_estimators.contours._regions import Lesions, Region, Structures, lesion_labels
from prrt_estimators.contours._rtstruct import RTStructureSet, read_rtstruct
from prrt_estimators.contours._segmentation import Segmentation, read_segmentation
from prrt_estimators.contours._shares import Shares, lesion_shares
from prrt_estimators.contours._write import write_seg_nrrd
from prrt_estimators.contours._write_dicom import write_rtstruct, write_segmentation

__all__ = [
    "Lesions",
    "Mask",
    "RTStructureSet",
    "Region",
    "Segmentation",
    "Shares",
    "Structures",
    "apply_corrections",
    "check_masks",
    "compare_lesions",
    "count_corrected",
    "export_lesions",
    "given_lesions",
    "lesion_labels",
    "lesion_shares",
    "read_mask",
    "read_rtstruct",
    "read_segmentation",
    "write_rtstruct",
    "write_seg_nrrd",
    "write_segmentation",
]
