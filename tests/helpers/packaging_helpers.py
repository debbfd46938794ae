"""Wheel and source distribution of this tree, built without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_of_tree(target: Path) -> Path:
    """Copy what a build could take up, so that it leaves nothing in the tree itself."""
    target.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "MANIFEST.in", "constraints.txt"):
        shutil.copy(ROOT / name, target)
    for folder in ("prrt_estimators", "tests", "benchmarks", "examples"):
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return target


def built(tree: Path) -> tuple[Path, Path]:
    """Build both distributions and return them, wheel first."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tree / "dist", tree]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (wheel,) = (tree / "dist").glob("*.whl")
    (source,) = (tree / "dist").glob("*.tar.gz")
    return wheel, source


def names_in(archive: Path) -> set[str]:
    """Return the files in a distribution, without the folder that a source distribution puts around them."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as members:
            return {name for name in members.namelist() if not name.endswith("/")}
    with tarfile.open(archive) as members:
        return {one.name.partition("/")[2] for one in members.getmembers() if one.isfile()}
