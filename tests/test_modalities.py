"""Modalities are asked of their registry: every line of the package that quotes one by name is counted here, with its reason."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "prrt_estimators"
QUOTED = re.compile(r"""["'](?:pet|ct)["']""")
#: The registry itself, and the study's eight configurations with their baseline.
HOMES = {"_modalities.py", "_model_specs.py"}
#: Lines that may quote a modality, code, comments, examples and data alike, by file.
ALLOWED = {
    "_former_parameters.py": (2, "parameters of the last version were named for these two, and an example of them"),
    "_forms.py": (1, "an example in a message"),
    "_patient_records.py": (1, "an example in a message"),
    "_validation.py": (1, "an example in a message"),
    "cohort.py": (4, "an example in a message; the examples of Cohort and of records, which show the mapping"),
    "cli/_model_options.py": (1, "the option --ct-weights, as the publication has it"),
    "datasets/_load.py": (1, "an example of `scans`"),
    "datasets/_tables.py": (1, "an example in a message"),
    "estimators/_network_texts.py": (3, "examples of mappings by modality, and the values of `modalities`"),
    "features/_radiomics.py": (2, "an example of `bin_width`, and one in its message"),
    "features/weights/finder.json": (4, "settings and sizes of the trained lesion finder, as it was trained"),
    "ingest/_ingest.py": (1, "the default of `require`, which must equal the signature"),
    "_spellings.py": (1, "a word of headers that names nobody"),
    "inspection/_explained_models.py": (1, "an example in a message"),
    "model_selection/_models.py": (1, "an example of `weights`"),
    "preprocessing/_volumes.py": (1, "a default, which must equal the signature"),
}


def quoting(text: str) -> int:
    """Return how many lines quote a modality, as grep counts them."""
    return sum(bool(QUOTED.search(line)) for line in text.splitlines())


def test_modalities_are_quoted_in_listed_places_only():
    found: Counter[str] = Counter()
    for file in sorted(PACKAGE.rglob("*")):
        if file.is_file() and file.suffix in {".py", ".html", ".json", ".css", ".js", ".csv", ".md", ".txt"}:
            found[file.relative_to(PACKAGE).as_posix()] = quoting(file.read_text("utf-8"))
    beside = {name: count for name, count in found.items() if count and name not in HOMES}
    assert beside == {name: count for name, (count, _) in ALLOWED.items()}
    assert sum(beside.values()) <= 30


def test_every_line_has_a_reason():
    assert all(reason for _, reason in ALLOWED.values())


def test_what_counts():
    assert quoting('"""In a docstring: "pet"."""\nx = 1  # "ct"\n') == 2
    assert quoting("scan = X['pet']\nother = 'ct' if scan is None else \"lab\"\n") == 2
    assert quoting("scan = dict(pet=1)\nkind = 'CT'\n") == 0
