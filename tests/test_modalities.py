"""Modalities are asked of their registry: where code quotes one by name, the place is listed here with its reason."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "prrt_estimators"
QUOTED = re.compile(r"""["'](?:pet|ct)["']""")
#: The registry itself, and the study's eight configurations with their baseline.
HOMES = {"_modalities.py", "_model_specs.py"}
#: Lines of code that may quote a modality, by file.
ALLOWED = {
    "_former_parameters.py": (1, "parameters of the last version were named for these two"),
    "_forms.py": (1, "an example in a message"),
    "_records.py": (1, "an example in a message"),
    "_validation.py": (1, "an example in a message"),
    "cohort.py": (1, "an example in a message"),
    "datasets/_tables.py": (1, "an example in a message"),
    "inspection/_explained_models.py": (1, "an example in a message"),
    "features/_images.py": (2, "examples of a mapping of masks in messages"),
    "features/_radiomics.py": (2, "an example in a message"),
    "cli/_model_options.py": (1, "the option --ct-weights, as the publication has it"),
    "ingest/_privacy.py": (1, "a word of headers that names nobody"),
    "ingest/_series_override.py": (1, "an example in a message"),
}


def lines_of_code(source: str) -> set[int]:
    """Return the lines of a file that are neither docstring nor comment."""
    apart: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_text = token.type == tokenize.STRING and token.string.lstrip("rRbBfF").startswith(('"""', "'''"))
        if is_text or token.type == tokenize.COMMENT:
            apart |= set(range(token.start[0], token.end[0] + 1))
    return set(range(1, source.count("\n") + 2)) - apart


def quoting(source: str) -> int:
    """Return how many lines of code quote a modality."""
    lines = source.splitlines()
    return sum(bool(QUOTED.search(lines[number - 1])) for number in lines_of_code(source) if number <= len(lines))


def test_modalities_are_quoted_in_listed_places_only():
    found = {
        str(file.relative_to(PACKAGE)): count
        for file in sorted(PACKAGE.rglob("*.py"))
        if (count := quoting(file.read_text("utf-8"))) and str(file.relative_to(PACKAGE)) not in HOMES
    }
    assert {name: count for name, count in found.items() if count > ALLOWED.get(name, (0, ""))[0]} == {}
    assert sum(found.values()) <= 30


def test_the_list_stays_short():
    assert sum(count for count, _ in ALLOWED.values()) <= 30
    assert all(reason for _, reason in ALLOWED.values())


def test_what_counts():
    assert quoting('"""In a docstring: "pet"."""\nx = 1  # "ct"\n') == 0
    assert quoting("scan = X['pet']\nother = 'ct' if scan is None else \"lab\"\n") == 2
