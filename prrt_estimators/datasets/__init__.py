"""Cohorts to learn from: tables of real patients, and synthetic ones that know their own answer."""

from prrt_estimators.datasets._load import check_cohort, load_cohort
from prrt_estimators.phantoms._cohort import make_prrt_cohort
from prrt_estimators.phantoms._dicom import write_dicom_cohort
from prrt_estimators.phantoms._folder import make_cohort_folder
from prrt_estimators.phantoms._nifti import write_nifti_cohort

__all__ = [
    "check_cohort",
    "load_cohort",
    "make_cohort_folder",
    "make_prrt_cohort",
    "write_dicom_cohort",
    "write_nifti_cohort",
]
