"""Versions that a model was made with, and what to say where others are here."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Mapping

from prrt_estimators import __version__

#: Distributions that predictions depend on.
_NAMES = ("scikit-learn", "torch", "monai", "numpy", "scipy", "pandas", "skorch", "skops", "safetensors")

#: What format 1 called them.
_OLD_NAMES = {"sklearn": "scikit-learn", "prrt_estimators": "prrt-estimators"}


def versions_here() -> dict[str, str]:
    """Return the versions of this library, of Python and of what predictions depend on."""
    found = {"prrt-estimators": __version__, "python": platform.python_version()}
    for name in _NAMES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            # Which build it is ("+cpu") is nothing that can be asked for everywhere.
            found[name] = importlib.metadata.version(name).partition("+")[0]
    return found


def others(saved: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what is here in another version than a file was made with: name to (then, now)."""
    here = versions_here()
    then = {_OLD_NAMES.get(name, name): str(version).partition("+")[0] for name, version in saved.items()}
    return {name: (version, here[name]) for name, version in then.items() if here.get(name, version) != version}


def remedy(saved: Mapping[str, str]) -> str:
    """Return what to do if a file does not work with the versions here."""
    differing = others(saved)
    if not differing:
        return "Fetch the file again, or fit and save the model again."
    wanted = [f'"{name}=={then}"' for name, (then, _) in differing.items() if name != "python"]
    other_python = f" under Python {differing['python'][0]}" if "python" in differing else ""
    return f"Install what it was saved with{other_python} (pip install {' '.join(wanted)}), or fit and save it again."
