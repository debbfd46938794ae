"""The synthetic PRRT cohort: factors, labs, survival, phantom, truth and writers."""

from ._cohort import make_prrt_cohort
from ._dicom import write_dicom_cohort
from ._folder import make_cohort_folder
from ._nifti import write_nifti_cohort

__all__ = ["make_cohort_folder", "make_prrt_cohort", "write_dicom_cohort", "write_nifti_cohort"]
