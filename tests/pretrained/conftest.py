"""Published weights, and who counts their passes, for every test of a pretrained branch."""

from __future__ import annotations

import pytest
from pretrained_helpers import Passes, publish, written_cohort


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Weights "small" on a grid of their own."""
    return publish(monkeypatch, tmp_path)


@pytest.fixture
def passes(monkeypatch):
    """Count of the volumes that pass encoders."""
    return Passes(monkeypatch)


@pytest.fixture
def file_cohort(tmp_path):
    """Patients whose CT is a file."""
    return written_cohort(tmp_path)
