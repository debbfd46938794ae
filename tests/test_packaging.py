"""What is shipped: the package as it is, its types, its pages and its licence, and nothing else."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
import zipfile
from email.parser import Parser

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from packaging_helpers import ROOT, built, copy_of_tree, names_in

import prrt_estimators

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pins(name: str) -> dict[str, Version]:
    """Return the versions that a file of constraints names."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines())
    return {canonicalize_name(line.split("==")[0]): Version(line.split("==")[1]) for line in lines if line}


def required(*extras: str) -> dict[str, Requirement]:
    """Return what pyproject.toml asks for, of the package and of some extras."""
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in PROJECT["optional-dependencies"][extra])]
    found = [Requirement(text) for text in texts]
    return {canonicalize_name(one.name): one for one in found if one.name != "prrt-estimators"}


# Distributions ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    try:
        importlib.metadata.version("build")  # a folder of that name in the tree would pass for the module
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs build: pip install build")
    tree = copy_of_tree(tmp_path_factory.mktemp("build") / "tree")
    # Before the build, which writes into the tree.
    package = {file.relative_to(tree).as_posix() for file in (tree / "prrt_estimators").rglob("*") if file.is_file()}
    return *built(tree), package


def test_the_wheel_holds_the_package_and_nothing_else(distributions):
    wheel, _, package = distributions
    about, inside = ({name for name in names_in(wheel) if (".dist-info/" in name) == side} for side in (True, False))
    assert inside == package, "package-data in pyproject.toml must name what is not Python"
    assert "prrt_estimators/py.typed" in inside
    assert any(name.startswith("prrt_estimators/report/") and name.endswith(".html") for name in inside)
    assert "prrt_estimators/persistence/card.md" in inside
    assert {name.rpartition(".dist-info/")[2] for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        "top_level.txt",
    }


def test_the_source_distribution_can_be_built_and_holds_no_tests(distributions):
    _, source, package = distributions
    names = {name for name in names_in(source) if ".egg-info/" not in name}
    assert names == package | {
        "CHANGELOG.md",
        "LICENSE",
        "MANIFEST.in",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
        "setup.cfg",
    }


def test_no_data_are_shipped(distributions):
    # The weights of the lesion finder, which was never shown a patient, and the table of published directions are meant.
    meant = ("features/weights/", "directions")
    names = [
        name for archive in distributions[:2] for name in names_in(archive) if not any(one in name for one in meant)
    ]
    kinds = {name.rpartition(".")[2] for name in names}
    assert not kinds & {"csv", "xlsx", "nii", "gz", "dcm", "npy", "npz", "safetensors", "pth", "prrt", "skops", "xz"}
    assert max(archive.stat().st_size for archive in distributions[:2]) < 8_000_000


def test_what_the_wheel_says_of_itself(distributions):
    wheel, *_ = distributions
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        about = Parser().parsestr(archive.read(name).decode("utf-8"))
        commands = archive.read(name.replace("METADATA", "entry_points.txt")).decode()
        assert "Root-Is-Purelib: true" in archive.read(name.replace("METADATA", "WHEEL")).decode()
    assert about["Version"] == prrt_estimators.__version__ == PROJECT["version"]
    assert about["License-Expression"] == "BSD-3-Clause"
    assert about["Requires-Python"] == PROJECT["requires-python"]
    asked = {str(Requirement(text)) for text in about.get_all("Requires-Dist") if "extra ==" not in text}
    assert asked == {str(Requirement(text)) for text in PROJECT["dependencies"]}
    assert "prrt = prrt_estimators.cli:main" in commands


# Versions -----------------------------------------------------------------------------------------------------------


def test_the_oldest_versions_are_the_lower_bounds():
    """torch apart: of its older releases the Python index has only builds with gigabytes of GPU libraries."""
    oldest, asked = pins("constraints-oldest.txt"), required("excel", "explain", "dicom", "hub")
    assert set(asked) <= set(oldest)
    for name, requirement in asked.items():
        (lower,) = (one.version for one in requirement.specifier if one.operator in (">=", "=="))
        assert requirement.specifier.contains(oldest[name]), f"{name}: {oldest[name]} is not {requirement.specifier}"
        if name != "torch":
            shown = oldest[name].release[: len(Version(lower).release)]
            assert shown == Version(lower).release, f"{name}: tested from {oldest[name]}, asked for {lower}"


def test_the_tested_versions_are_allowed():
    newest = pins("constraints.txt")
    asked = required("excel", "explain", "dicom", "hub")
    assert {"numpy", "torch", "scikit-learn"} <= set(asked) & set(newest)
    for name in set(asked) & set(newest):
        assert asked[name].specifier.contains(newest[name]), f"{name}: {newest[name]} is not {asked[name].specifier}"


def test_the_tests_for_other_versions_are_there():
    source = (ROOT / "tools" / "versions.py").read_text("utf-8")
    named = re.findall(r'^    "(tests/[^"]+)",$', source, flags=re.M)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


# The contributor's path ----------------------------------------------------------------------------------------------


def test_hooks_fetch_nothing():
    text = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"^ *- repo: (.*)$", text, flags=re.M) == ["local"]
    assert set(re.findall(r"^ *language: (.*)$", text, flags=re.M)) == {"system", "fail"}
    assert "additional_dependencies" not in text
    programs = {
        entry.split()[0] for entry in re.findall(r"^ *entry: ((?:ruff|mypy|lint-imports).*)$", text, flags=re.M)
    }
    scripts = {one.name for one in importlib.metadata.entry_points(group="console_scripts")} | {"ruff"}
    assert programs == {"ruff", "mypy", "lint-imports"} <= scripts


def test_hooks_check_what_the_suite_checks():
    """Whoever passes the hooks passes the first tests of the house."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    house = (ROOT / "tests" / "test_house.py").read_text("utf-8")
    for command in ("ruff", "mypy", "lint-imports"):
        assert f'["{command}"' in house
        assert re.search(rf"^ *entry: {command}\b", hooks, flags=re.M)


def test_no_hook_would_refuse_what_is_here():
    (pattern,) = re.findall(
        r"^ *files: (\\\.\(nii.*)$", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"), flags=re.M
    )
    for folder in ("prrt_estimators", "tests", "docs", "examples", "benchmarks"):
        kept = (file for file in (ROOT / folder).rglob("*") if not {"_build", "gallery", "weights"} & set(file.parts))
        assert [file.name for file in kept if re.search(pattern, file.name)] == []
    for name in ("scan.nii.gz", "scan.dcm", "weights.pth", "model.prrt", "patients.xlsx"):
        assert re.search(pattern, name)
