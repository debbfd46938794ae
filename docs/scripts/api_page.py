"""Write docs/api.md: every public name by room, each with the first sentence of its docstring.

Run from the root of the repository after adding or removing a public name::

    python docs/scripts/api_page.py
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "api.md"

#: Rooms from the top, with what a reader looks for in them.
ROOMS = {
    "prrt_estimators": "The names of everyday use.",
    "prrt_estimators.estimators": "scikit-learn classifiers of long against short PFS.",
    "prrt_estimators.datasets": "Cohorts from tables, and synthetic ones.",
    "prrt_estimators.model_selection": "Comparing models, and the statistics of comparison.",
    "prrt_estimators.metrics": "Scores beyond those of scikit-learn.",
    "prrt_estimators.plotting": "Displays: `from_estimator`, `from_predictions`, `plot`.",
    "prrt_estimators.report": "The page of a comparison.",
    "prrt_estimators.preprocessing": "Transformers, and the cache of prepared scans.",
    "prrt_estimators.modules": "Torch modules, for networks of one's own.",
    "prrt_estimators.exceptions": "Errors and warnings to catch.",
    "prrt_estimators.cli": "The `prrt` command.",
}

#: What has no docstring of its own.
CONSTANTS = {
    "AUGMENTATIONS": "Settings of `RandomAugment` by the name that the estimators take.",
    "BASELINES": "Names of the two simple baselines.",
    "CONFIGURATIONS": "Names of the eight configurations of the study.",
    "ENCODERS": "Encoders by name.",
    "FUSIONS": "Ways to join modalities, by name.",
    "MODEL_NAMES": "Names of all models of a comparison.",
    "OKABE_ITO": "Colours that colour-blind readers can tell apart.",
    "app": "The commands as a typer application.",
}


def sentence(thing: Any, name: str) -> str:
    """Return the first sentence of a docstring as one line of plain text."""
    if name in CONSTANTS:
        return CONSTANTS[name]
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    return re.split(r"(?<=[.])\s+(?=[A-Z])", text)[0].replace("|", "\\|")


def public(module: ModuleType) -> list[str]:
    """Return the public names of a module: its ``__all__``, or what it defines."""
    defined = [name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__]
    return [name for name in getattr(module, "__all__", defined) if not name.startswith("__")]


def page() -> str:
    """Return the page."""
    lines = [
        "# Public names",
        "",
        "What is listed here is kept stable; everything else is private. `help(name)` gives parameters, shapes, units and",
        "an example.",
    ]
    for package, about in ROOMS.items():
        module = importlib.import_module(package)
        names = sorted(public(module), key=str.lower)
        lines += ["", f"## `{package}`", "", about, "", "| name | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {sentence(getattr(module, name), name)} |" for name in names]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
