"""Commands that fail early say so before anything is imported that takes seconds."""

import subprocess
import sys

import pytest

_HEAVY = ("torch", "sklearn", "scipy", "monai", "matplotlib", "prrt_estimators.datasets")
_RUN = f"""
import sys
from prrt_estimators.cli import main
sys.argv[0] = "prrt"
try:
    main()
except SystemExit as stop:
    print(stop.code, [name for name in {_HEAVY!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
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
    ],
)
def test_what_is_missing_is_told_at_once(tmp_path, arguments, told):
    (tmp_path / "folder").mkdir()
    for name in ("table.csv", "table.docx"):
        (tmp_path / name).write_text("cga\n1\n")
    ran = subprocess.run([sys.executable, "-c", _RUN, *arguments.split()], cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1:] == ["2 []"], ran.stdout + ran.stderr
    assert told in " ".join(ran.stderr.split())
