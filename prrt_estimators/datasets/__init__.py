"""Cohorts to learn from: tables of real patients."""

from ._load import check_cohort, load_cohort

__all__ = ["check_cohort", "load_cohort"]
