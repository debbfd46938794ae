"""The report of a comparison, and of what its models go by, as HTML pages."""

from prrt_estimators.report._explain import explain_model, explain_models
from prrt_estimators.report._lesions import write_lesions
from prrt_estimators.report._lesions_to_edit import write_lesions_to_edit
from prrt_estimators.report._report import write_report
from prrt_estimators.report._viewer import write_viewer

__all__ = ["explain_model", "explain_models", "write_lesions", "write_lesions_to_edit", "write_report", "write_viewer"]
