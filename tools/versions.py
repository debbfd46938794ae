"""Run the tests that touch other libraries most with the oldest or the newest versions that pyproject.toml allows.

From the root of the repository, with the package index at hand::

    python tools/versions.py oldest
    python tools/versions.py newest
    python tools/versions.py oldest tests/persistence/test_save_and_load.py -x    # other tests, other options of pytest

The first run makes a virtual environment, ``.venv-oldest`` or ``.venv-newest``; later ones bring it up to date.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: What meets scikit-learn, skorch, torch, MONAI, pandas, scipy, nibabel, matplotlib, skops and the command line.
TESTS = (
    "tests/persistence/test_save_and_load.py",
    "tests/persistence/test_versions.py",
    "tests/persistence/test_card.py",
    "tests/estimators/test_lab.py",
    "tests/estimators/test_deep.py",
    "tests/estimators/test_sklearn_tools.py",
    "tests/estimators/test_check_estimator.py",
    "tests/test_net.py",
    "tests/networks",
    "tests/pretrained",
    "tests/preprocessing",
    "tests/metrics",
    "tests/datasets",
    "tests/model_selection",
    "tests/plotting",
    "tests/report",
    "tests/inspection",
    "tests/dicom",
    "tests/ingest",
    "tests/test_cohort.py",
    "tests/cli/test_commands.py",
    "tests/cli/test_explain.py",
)
TOOLS = ("pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100", "cloudpickle>=3")


def main() -> int:
    """Make or renew the environment and run the tests; return pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=["oldest", "newest"])
    parser.add_argument("--no-install", action="store_true", help="take the environment as it is")
    options, rest = parser.parse_known_args()
    folder = ROOT / f".venv-{options.which}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    if not options.no_install:
        versions = ["-c", "constraints-oldest.txt"]
        if options.which == "newest":
            versions = ["--upgrade", "--upgrade-strategy", "eager"]
        command = [python, "-m", "pip", "install", *versions, "-e", ".[excel,dicom,explain,hub]", *TOOLS]
        subprocess.run(command, cwd=ROOT, check=True)
    # Libraries of different years call each other by names that have been deprecated; that is theirs to mend.
    kinds = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
    quiet = [word for kind in kinds for word in ("-W", f"default::{kind}")]
    tests = rest if any(Path(word.partition("::")[0]).exists() for word in rest) else [*TESTS, *rest]
    return subprocess.run([python, "-m", "pytest", "-q", *quiet, *tests], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
