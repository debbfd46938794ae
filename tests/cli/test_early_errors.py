"""Commands that fail early say so before anything is imported that takes seconds."""

import json
import subprocess
import sys

import pytest

_HEAVY = ("torch", "sklearn", "scipy", "monai", "matplotlib", "prrt_estimators.datasets")
# One process for all commands: what the first leaves out, the last must not have brought in either.
_RUN = f"""
import contextlib, io, json, sys
from prrt_estimators.cli import main
found = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["prrt", *words.split()]
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            main()
        code = None
    except SystemExit as stop:
        code = stop.code
    found.append([code, [name for name in {_HEAVY!r} if name in sys.modules], told.getvalue()])
print(json.dumps(found))
"""

COMMANDS = [
    ("compare nothing.csv --out results", "nothing.csv: file does not exist"),
    ("check nothing.csv", "nothing.csv: file does not exist"),
    ("lesions folder --out found", "is a folder, expected a CSV or Excel file"),
    ("fit table.docx --out model", "cannot read tables of type '.docx'"),
    ("fit table.csv --out model --model mri", "unknown: mri"),
    ("compare table.csv --out results --models lab,mri", "unknown: mri"),
    ("fit table.csv --out model --ct-weights mermaid", "no weights called 'mermaid'"),
    ("compare table.csv --out results --ct-weights mermaid", "known are merlin, astra"),
    (
        "compare table.csv --out results --ct-weights no/file.safetensors",
        "the file no/file.safetensors does not exist",
    ),
    ("weights fetch mermaid", "no weights called 'mermaid'"),
    ("weights verify mermaid", "known are merlin, astra"),
    ("predict nothing.prrt table.csv", "there is no saved model nothing.prrt"),
    ("explain nothing.prrt table.csv --out page", "there is no saved model nothing.prrt"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return what each command said, with its exit code and the heavy modules that were imported by then."""
    folder = tmp_path_factory.mktemp("early")
    (folder / "folder").mkdir()
    for name in ("table.csv", "table.docx"):
        (folder / name).write_text("cga\n1\n")
    words = [sys.executable, "-c", _RUN, json.dumps([command for command, _ in COMMANDS])]
    ran = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[command for command, _ in COMMANDS])
def test_what_is_missing_is_told_at_once(answers, number):
    code, imported, said = answers[number]
    assert (code, imported) == (2, []), said
    assert COMMANDS[number][1] in " ".join(said.split())
