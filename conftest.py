"""Figures that tests and examples in docstrings draw do not pile up in pyplot."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _figures_closed():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
