"""Cohorts to learn from: tables of real patients, and synthetic ones that know their own answer."""

from prrt_estimators.datasets._load import check_cohort, load_cohort
from prrt_estimators.datasets._synthetic import (
    make_cohort_folder,
    make_prrt_cohort,
    write_dicom_cohort,
    write_nifti_cohort,
)

__all__ = [
    "check_cohort",
    "load_cohort",
    "make_cohort_folder",
    "make_prrt_cohort",
    "write_dicom_cohort",
    "write_nifti_cohort",
]
