"""Versions of what made a cohort."""

from __future__ import annotations

import functools
import importlib.metadata
import platform

_PACKAGES = ("prrt-estimators", "pydicom", "nibabel", "numpy", "scipy", "pandas")


@functools.cache
def software() -> dict[str, str]:
    """Return versions of what made the cohort."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
