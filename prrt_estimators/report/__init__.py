"""The report of a comparison as one HTML page."""

from prrt_estimators.report._report import write_report
from prrt_estimators.report._viewer import write_viewer

__all__ = ["write_report", "write_viewer"]
