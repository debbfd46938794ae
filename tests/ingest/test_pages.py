"""The page and the benchmark of ingest: what they promise."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from prrt_estimators.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ingest.md"


def test_page_quotes_what_the_benchmark_wrote():
    page = PAGE.read_text("utf-8")
    with open(ROOT / "docs" / "performance_ingest.csv", encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert len(rows) > 2
    for row in rows:
        assert "| " + " | ".join(row) + " |" in page, row


def test_options_on_the_page_exist():
    options = {name for one in get_command(app).commands["ingest"].params for name in one.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE.read_text("utf-8"))) - {"--patients", "--out", "--jobs"}
    assert named - options == set()
    assert len(named) > 12


def test_benchmark_measures(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("ingest", ROOT / "benchmarks" / "ingest.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmark_ingest", module)
    spec.loader.exec_module(module)
    table = module.measure(tmp_path, [2], pet=8, ct=8, jobs=1)
    assert table["files"].tolist() == [2 * 16]
    assert (table.drop(columns="again_s") > 0).all(axis=None)
    done = module.run_one(str(tmp_path / "export 2"), str(tmp_path / "cohort 2"), 2)
    assert done["peak_mb"] > 10
    with pytest.raises(RuntimeError, match="2 of 3 patients"):
        module.run_one(str(tmp_path / "export 2"), str(tmp_path / "cohort 2"), 3)
