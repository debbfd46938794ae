"""Packages that only some features need: imported when one is used, with the command that installs them when absent."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prrt_estimators.exceptions import MissingDependencyError


def require(module: str, purpose: str, extra: str, *, package: str = "") -> Any:
    """Import an optional package.

    Parameters
    ----------
    module : str
    purpose : str
        What needs it: the beginning of the error.
    extra : str
        Of this library, that brings the package.
    package : str, default=""
        Its name in the package index, where that is not the module's.

    Raises
    ------
    MissingDependencyError
        If it is not installed.

    Examples
    --------
    >>> require("json", "an example", "example").__name__
    'json'
    """
    if sys.modules.get(module) is not None:
        return sys.modules[module]
    try:
        with warnings.catch_warnings():
            # What these packages warn of while they are imported (other packages they could use) is not ours to mend.
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f'{purpose} needs {package or module}; install it with: pip install "prrt-estimators[{extra}]"'
        ) from error


def import_pydicom() -> Any:
    """Return pydicom."""
    return require("pydicom", "reading DICOM files", "dicom")


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence pydicom, whose remarks on values that break a rule of form quote them, identity or not."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")
            yield
    finally:
        logger.setLevel(level)
