"""The synthetic PRRT cohort: factors, labs, survival, phantom, truth and writers."""

from prrt_estimators.datasets._synthetic._cohort import make_prrt_cohort
from prrt_estimators.datasets._synthetic._dicom import write_dicom_cohort
from prrt_estimators.datasets._synthetic._folder import make_cohort_folder
from prrt_estimators.datasets._synthetic._nifti import write_nifti_cohort

__all__ = ["make_cohort_folder", "make_prrt_cohort", "write_dicom_cohort", "write_nifti_cohort"]
