"""What the pages promise: commands, the example, links, and numbers that a command printed."""

from __future__ import annotations

import csv
import itertools
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from prrt_estimators import check_cohort, make_prrt_cohort
from prrt_estimators.datasets import write_nifti_cohort

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), flags=re.M | re.S)


def table_of(page: str) -> dict[str, list[str]]:
    """Return the columns of the first table with a patient_id on a page."""
    text = (ROOT / page).read_text("utf-8")
    found = re.search(r"^ *\| patient_id .*\n(?: *\|.*\n)+", text, flags=re.M)
    assert found is not None
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in found[0].strip().splitlines()]
    return {name: [row[k] for row in rows[2:]] for k, name in enumerate(rows[0])}


def test_readme_has_two_commands_and_the_second_runs_the_tests():
    first, second = blocks("README.md", "sh")
    assert first.strip().endswith("prrt demo")
    assert "pytest -n 2" in second
    for command in (first, second):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt ")
        assert command.count("\n") == 1


def test_readme_example_runs(tmp_path, monkeypatch):
    cohort = make_prrt_cohort(24, volume_shape=8, random_state=2)
    assert 6 <= cohort.y.sum() <= 18
    folder = write_nifti_cohort(cohort, tmp_path / "cohort").parent
    (example,) = blocks("README.md", "python")
    assert len(example.splitlines()) == 11
    # The same lines with networks that take no time.
    box = "max_epochs=1, size=8, spacing=55.0, device='cpu'"
    recommended = 'recommended_models(tracer="68Ga-DOTATOC")'
    for there, here in (
        ("FusionPFSClassifier()", f"FusionPFSClassifier({box})"),
        ("paper_models()", f"paper_models({box}, include=['lab', 'baseline_pet'])"),
        (recommended, f"{{'recommended_labs': {recommended}['recommended_labs']}}"),
        ("n_repeats=10", "n_repeats=1"),
    ):
        assert example.count(there) == 1
        example = example.replace(there, here)
    *rest, last = example.strip().splitlines()
    names: dict = {}
    monkeypatch.chdir(folder)
    exec("\n".join([*rest, f"summary = {last}", "p = clf.predict_proba(X[:5])"]), names)
    assert names["summary"].index.tolist() == ["recommended_labs", "lab", "baseline_pet"]
    assert (names["summary"]["status"] == "ok").all()
    np.testing.assert_allclose(names["p"].sum(axis=1), 1.0)


@pytest.mark.parametrize("page", ["README.md", "docs/cohort.md"])
def test_example_table_is_understood(page):
    table = table_of(page)
    problems = check_cohort(table)
    assert {problem.what for problem in problems} == {"file does not exist"}
    scans = [column for column in table if column in ("pet", "ct", "liver_mask")]
    assert {problem.column for problem in problems} == set(scans)


def source_of(target):
    """Return the file that a page of the gallery is made from, for any other page the page itself."""
    if target.parent != ROOT / "docs" / "gallery":
        return target
    return ROOT / "examples" / ("GALLERY_HEADER.rst" if target.stem == "index" else f"{target.stem}.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    missing = [one for one in targets if "://" not in one and not source_of(page.parent / one).exists()]
    assert missing == []


def test_performance_page_quotes_what_the_commands_wrote():
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    for name in ("performance_fit.csv", "performance_cache.csv"):
        with open(ROOT / "docs" / name, encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        assert len(rows) > 1
        for row in rows:
            assert "| " + " | ".join(row) + " |" in page, f"{name}: {row}"


def test_times_page_quotes_what_the_commands_wrote():
    page = (ROOT / "docs" / "guide" / "times.md").read_text("utf-8")
    files = sorted((ROOT / "docs").glob("survival_models_*.csv"))
    assert len(files) > 1
    for file in files:
        with open(file, encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        assert len(rows) > 1
        for row in rows:
            assert "| " + " | ".join(row) + " |" in page, f"{file.name}: {row}"


def test_constraints_cover_every_requirement():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted} - {project["name"]}
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[0] != "#"
    )
    assert names - set(pinned) == set()
    assert not any("+" in version for version in pinned.values())


def test_contributors_read_the_layers_that_are_checked():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers")
    declared = [sorted(name.removeprefix("prrt_estimators.") for name in layer.split(" | ")) for layer in layers]
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[^|]*) \|", text[text.index("## Where things live") :], flags=re.M)
    told = [
        sorted(name.removesuffix("/").removesuffix(".py") for name in re.findall(r"`([^`]+)`", row)) for row in rows
    ]
    assert told == declared
