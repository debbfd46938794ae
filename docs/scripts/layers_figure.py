"""Draw docs/images/layers.svg from the import contracts in pyproject.toml.

Run from the root of the repository after changing a contract::

    python docs/scripts/layers_figure.py
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "images" / "layers.svg"

#: What lives in a room, in words short enough for its box.
ROOMS = {
    "cli": "the prrt command",
    "report": "one page of HTML",
    "evaluation": "calibration, decisions, other cohorts",
    "model_selection": "comparisons, resumable runs, statistics",
    "plotting": "Displays",
    "persistence": "saved models",
    "inspection": "explanations",
    "estimators": "scikit-learn classifiers",
    "pretrained": "verified weights, frozen branches",
    "_net": "the only file that knows skorch",
    "_batches": "patients to tensors",
    "_device": "where torch computes",
    "networks": "torch networks",
    "preprocessing": "transformers, cache",
    "metrics": "scores",
    "datasets": "tables",
    "phantoms": "synthetic patients",
    "dicom": "reading scanner series",
    "ingest": "exports to cohorts",
    "_validation": "checks of X and y",
    "cohort": "Cohort, Volumes",
    "_values": "numbers",
    "_analytes": "names of analytes",
    "_io": "whole files",
    "exceptions": "errors and warnings by name",
}
WIDTH, HEIGHT, GAP, LEFT = 860, 46, 8, 34
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def layers() -> list[list[str]]:
    """Return the rooms from top to bottom as the contract states them, those side by side in one list."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (found,) = (one["layers"] for one in contracts if one["type"] == "layers")
    return [[name.strip().removeprefix("prrt_estimators.") for name in line.split("|")] for line in found]


def colour(part: float) -> str:
    """Return a blue, lighter towards the ground."""
    top, ground = (11, 60, 93), (86, 150, 190)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(top, ground, strict=True))


def picture() -> str:
    """Return the SVG."""
    rows = layers()
    height = len(rows) * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="{FONT}">',
        "<title>Layers of the package; imports run downward</title>",
        f'<path d="M14 {GAP + 4}V{height - GAP - 10}m-6 -8l6 10l6 -10" fill="none" stroke="#888" stroke-width="2.5"/>',
    ]
    for k, names in enumerate(rows):
        y = GAP + k * (HEIGHT + GAP)
        width = (WIDTH - LEFT - GAP * len(names)) / len(names)
        fill = colour(k / (len(rows) - 1))
        for j, name in enumerate(names):
            x = LEFT + j * (width + GAP)
            parts += [
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}" rx="6" fill="{fill}"/>',
                f'<text x="{x + width / 2:.1f}" y="{y + 20}" text-anchor="middle" fill="#fff" font-size="15" '
                f'font-weight="600">{escape(name)}</text>',
                f'<text x="{x + width / 2:.1f}" y="{y + 37}" text-anchor="middle" fill="#fff" font-size="12.5">'
                f"{escape(ROOMS.get(name, ''))}</text>",
            ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")
