"""The report of a comparison as one HTML page."""

from prrt_estimators.report._report import write_report

__all__ = ["write_report"]
