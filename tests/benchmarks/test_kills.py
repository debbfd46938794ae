"""What ``benchmarks/kills.py`` counts as the same and as left over."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes that are forked")


@pytest.fixture(scope="module")
def kills():
    """Return the benchmark as a module."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("kills", ROOT / "benchmarks" / "kills.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["kills"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
        sys.modules.pop("kills", None)


def test_a_killed_save_ends_as_an_undisturbed_one_and_a_difference_is_found(kills, tmp_path):
    save = next(command for command in kills.COMMANDS if command.name == "save")
    with kills.Starter(tmp_path, hash_seed=3) as starter:
        alone = kills.undisturbed(starter, save)
        # It is killed while it writes, not before it starts or after it has ended.
        found = kills.killed(starter, save, {**alone, "seconds": 0.2 * alone["seconds"]}, 0, 0)
        assert found == {"killed_running": True, "same": True, "left_over": 0}
        other = replace(save, result=lambda place: save.result(place) + " and something else")
        assert not kills.killed(starter, other, alone, 0, 1)["same"]
        starter.start(save, tmp_path / "save 2")
        starter.wait()


def test_half_written_files_are_counted(kills, tmp_path):
    (tmp_path / "run").mkdir()
    for name in (".roc-ab12.png", ".lock", "roc.png"):
        (tmp_path / "run" / name).touch()
    assert [file.name for file in kills.half_written(tmp_path)] == [".roc-ab12.png"]


def test_the_page_shows_what_the_command_wrote(kills):
    table = pd.read_csv(ROOT / "docs" / "kills.csv")
    page = (ROOT / "docs" / "robustness.md").read_text("utf-8")
    assert table["command"].tolist() == [command.name for command in kills.COMMANDS]
    for row in table.astype(str).itertuples(index=False):
        assert "| " + " | ".join(row) + " |" in page
