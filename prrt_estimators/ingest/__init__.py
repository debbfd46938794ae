"""From a scanner export and a clinical table to a pseudonymous cohort."""

from prrt_estimators.ingest._ingest import IngestResult, ingest
from prrt_estimators.ingest._into_study import StudyObject, write_into_studies

__all__ = ["IngestResult", "StudyObject", "ingest", "write_into_studies"]
