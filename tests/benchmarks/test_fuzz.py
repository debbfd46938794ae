"""Three hundred of the damaged files that ``benchmarks/fuzz.py`` tries by the thousand."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
# The command reads what warnings say and does not stop at them.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def fuzz():
    """Return the benchmark as a module."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("fuzz", ROOT / "benchmarks" / "fuzz.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def seeds(fuzz, tmp_path_factory):
    """Return the undamaged files of each kind."""
    return fuzz.undamaged(tmp_path_factory.mktemp("undamaged"))


def test_three_hundred_damaged_files_are_refused_by_name_or_read_as_they_are(fuzz, seeds, tmp_path):
    # An export takes seconds: one in six of those that the command tries.
    chosen = [k for k in range(306) if fuzz.kind_of(k) != "export" or k < 40]
    found = [fuzz.try_one(k, 1, seeds, tmp_path) for k in chosen]
    assert len(found) == 300
    assert [one for one in found if one["outcome"] in fuzz.BAD] == []
    # Both happen for each kind: else nothing was damaged, or nothing was read.
    outcomes = Counter((one["kind"], one["outcome"]) for one in found)
    assert all(outcomes[kind, "refused"] for kind in fuzz.KINDS if kind not in ("cache", "export"))
    assert all(
        outcomes[kind, "as it is"] for kind in fuzz.KINDS if kind not in ("model", "results", "export", "weights")
    )


@pytest.mark.parametrize("kind", ["NIfTI", "table", "DICOM", "export", "cache", "weights"])
def test_undamaged_files_are_read_as_they_are(kind, fuzz, seeds, tmp_path):
    for file in seeds[kind][:2] if kind == "export" else seeds[kind]:
        target = tmp_path / file.name
        if kind in ("DICOM", "export"):
            copy = tmp_path / f"{file.name} copy"
            export = next((parent for parent in file.parents if parent.name == "export"), file)
            shutil.copytree(file if kind == "DICOM" else export, copy)
            target.write_text(str(copy))
        elif kind == "cache":
            fuzz.KINDS[kind].damage(np.random.default_rng(0), file, target)
        else:
            target.write_bytes(file.read_bytes())
        assert fuzz.KINDS[kind].check(target, file) == "as it is"


def test_a_number_that_is_not_in_the_file_is_found(fuzz, seeds, tmp_path, monkeypatch):
    import _fuzz_scans
    import _fuzz_tables

    read_scan, load_cohort = _fuzz_scans.read_scan, _fuzz_tables.load_cohort

    def wrong_scan(*given):
        scan = read_scan(*given)
        scan.data[1, 1, 1] += 1
        return scan

    def wrong_table(*given, **options):
        bunch = load_cohort(*given, **options)
        bunch.X["lab"].iloc[2, 0] *= 10
        return bunch

    monkeypatch.setattr(_fuzz_scans, "read_scan", wrong_scan)
    monkeypatch.setattr(_fuzz_tables, "load_cohort", wrong_table)
    for kind in ("NIfTI", "table"):
        for file in seeds[kind]:
            (tmp_path / file.name).write_bytes(file.read_bytes())
            assert fuzz.KINDS[kind].check(tmp_path / file.name, file) == "wrong"


def test_errors_are_told_apart(fuzz):
    def raised(call):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            call()
        return caught.value

    from prrt_estimators import LabPFSClassifier, load_cohort

    assert fuzz.is_named(raised(lambda: load_cohort("no such table.csv")))
    assert fuzz.is_named(raised(lambda: LabPFSClassifier().fit([[1.0], [2.0]], [0, 0])))
    assert not fuzz.is_named(raised(lambda: pd.read_csv("no such table.csv")))
    assert not fuzz.is_named(raised(lambda: {}["key"]))


def test_the_page_shows_what_the_command_wrote(fuzz):
    table = pd.read_csv(ROOT / "docs" / "fuzz.csv")
    page = (ROOT / "docs" / "robustness.md").read_text("utf-8")
    assert list(table.columns) == ["input", "n", *fuzz.OUTCOMES]
    for row in table.astype(str).itertuples(index=False):
        assert "| " + " | ".join(row) + " |" in page
