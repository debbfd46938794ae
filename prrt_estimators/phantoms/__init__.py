"""Synthetic patients before PRRT: factors, labs, survival, phantom, truth and writers. Public from ``prrt_estimators.datasets``."""
