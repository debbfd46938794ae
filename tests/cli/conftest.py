"""Forests of few trees for commands, which have no option for their number."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def small_forests():
    """Let a forest have 20 trees unless a number is given: growing, saving and reading 500 takes ten seconds."""
    from prrt_estimators.estimators import LabPFSClassifier

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LabPFSClassifier.__init__.__kwdefaults__, "n_estimators", 20)
        yield
