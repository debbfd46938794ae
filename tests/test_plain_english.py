"""Public text is plain English: readers are radiologists, physicists and engineers, most of them not native speakers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("prrt_estimators/**/*.html"),
        *ROOT.glob("prrt_estimators/**/*.md"),
    ]
)
MODULES = sorted([*ROOT.glob("prrt_estimators/**/*.py"), *ROOT.glob("examples/*.py")])

_COUNTED = (
    "row|value|column|file|score|fold|thread|dot|vector|second|minute|hour|probability|label|weight|entry|bar|point|seed|"
    "branch|image|box|epoch|model|line|folder|digest"
)
_UNIT = (
    "patient|model|fold|repeat|metric|step|batch|level|hospital|column|lesion|year|month|day|week|group|scan|series|class|"
    "modality|analyte|score|configuration|block|slice|person|region|encoder|centre|plane|candidate"
)
#: Pattern -> what to write.
WORST = {
    rf"\b(?:one|an?|each|{_COUNTED}) (?:{_COUNTED})s? an? (?:{_UNIT})\b(?! (?:uses|has|is|was|can|must|names))": "per",
    r"(?<!there )(?<!There )\b(?:is|was) no (?!longer|more|less|better|worse|one\b|other|use\b|such|evidence|need|reason)[a-z]\w+":
        "is not a",
    r"(?<!there )\bare no (?!longer|more|less|better|worse|other|such)[a-z]+s\b": "are not",
    r"\bgoes on where\b|\bthe same command again\b|\b[Kk]illed at any moment\b": "resumes",
    r"\bfor want of\b": "missing",
    r"\btold again\b": "recognised",
    r"\bstands? twice\b": "appears twice",
    r"\bdealt out\b": "permuted",
    r"\bbelongs? into\b": "belongs in",
    r"\b[Ww]hoever\b": "if you",
    r"\btaken as what\b": "how each column was interpreted",
    r"\bnames, with commas\b|, with commas\b": "comma-separated",
    r"\bleft aside\b": "ignored",
}  # fmt: skip


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page, or those of every text in a module: docstrings, help and messages."""
    text = file.read_text("utf-8")
    if file.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from enumerate(node.value.splitlines(), node.lineno)


def worst(text: str) -> list[str]:
    """Return the phrases of a line that a reader stumbles over, each with what to write."""
    return [f"{found[0]!r}: {better}" for pattern, better in WORST.items() for found in re.finditer(pattern, text)]


@pytest.mark.parametrize("file", [*PAGES, *MODULES], ids=lambda file: str(file.relative_to(ROOT)))
def test_text_is_plain_english(file):
    assert [(line, *found) for line, text in lines_of(file) if (found := worst(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "one row a patient", "one row a model and fold", "columns, one value a patient", "it is no confidence interval",
        "files that are no images", "the same command goes on where it stopped", "patient P1 stands twice",
        "names, with commas", "whoever reads this",
    ],
)  # fmt: skip
def test_the_worst_is_found(text):
    assert worst(text)


@pytest.mark.parametrize(
    "text",
    [
        "one row per patient",
        "there is no scan",
        "it is no longer there",
        "which patient a scan belongs to",
        "is not a mask",
    ],
)
def test_plain_text_passes(text):
    assert not worst(text)
