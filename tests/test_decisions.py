"""No decision is made on the wording of a message: shuffled messages change no exit code and no result."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shuffled_package import shuffled, write_shuffled

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "prrt_estimators"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Where a message is read all the same, with the reason.
READ = {
    "_torch_state.py": "the CPU allocator of torch raises a plain RuntimeError without attributes",
}

#: What is done to a library in both wordings; it prints facts: exit codes, kinds, states.
SCENES = """
import json, sys, warnings
from pathlib import Path
import numpy as np, pandas as pd, nibabel as nib
from typer.testing import CliRunner
from prrt_estimators import check_cohort, compare_models, load_cohort
from prrt_estimators.cli import app
from prrt_estimators.exceptions import CohortError, MissingModalityError, PretrainedWeightsError

folder, facts, words = Path(sys.argv[1]), {}, []
folder.mkdir()

def prrt(name, *args):
    done = CliRunner().invoke(app, [str(one) for one in args])
    facts[name] = done.exit_code
    words.append(done.output)
    return done

rng = np.random.default_rng(0)
n = 12
frame = pd.DataFrame({
    "patient_id": [f"P{k}" for k in range(n)], "CgA [ug/L]": rng.lognormal(4, 1, n).round(1),
    "age": rng.integers(40, 80, n), "pfs_months": np.linspace(2, 30, n).round(1), "progressed": 1,
})
def scan(name, data):
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.diag([4.0, 4, 4, 1])), folder / name)
    return name
ct = np.full((6, 6, 6), -900.0); ct[2:4] = 40
pet = rng.random((6, 6, 6)) * 5
table = folder / "cohort.csv"
frame.to_csv(table, index=False)
prrt("check", "check", table)
prrt("one class", "check", table, "--horizon", 99)
prrt("no such column", "check", table, "--time", "pfs_month")
frame.drop(columns="pfs_months").to_csv(folder / "untimed.csv", index=False)
prrt("no time", "check", folder / "untimed.csv")
frame.assign(progressed=2).to_csv(folder / "coded.csv", index=False)
prrt("coded", "check", folder / "coded.csv")
swapped = frame.assign(pet=[scan(f"ct{k}.nii.gz", ct) for k in range(n)], ct=[scan(f"pet{k}.nii.gz", pet) for k in range(n)])
swapped.to_csv(folder / "swapped.csv", index=False)
prrt("swapped", "check", folder / "swapped.csv", "--size", 4, "--spacing", 8)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        from prrt_estimators.preprocessing import prepare_volumes
        prepare_volumes(load_cohort(folder / "swapped.csv", verbose=False).X, size=4, spacing=8.0)
    except CohortError as error:
        facts["swapped columns"] = [(one.column, one.code) for one in error.problems]
done = prrt("compare", "compare", table, "--models", "baseline_lab,pet,pet_lab", "--out", folder / "r", "--repeats", 1, "--folds", 2,
     "--jobs", 1, "--no-report")
run = json.loads((folder / "r" / "run.json").read_text("utf-8"))
facts["states"] = {name: (one["status"], one.get("lacks")) for name, one in run["models"].items()}
facts["grouped"] = done.output.count("PET, PET + labs") + done.output.count("PET + labs, PET")
prrt("too many folds", "compare", table, "--models", "baseline_lab", "--out", folder / "f", "--folds", 9, "--jobs", 1)
prrt("no model", "predict", table, table)
prrt("no weights", "weights", "verify", "no_such_weights")
(folder / "broken.pt").write_bytes(b"no weights")
prrt("broken weights", "weights", "verify", folder / "broken.pt")
from prrt_estimators import PETPFSClassifier
try:
    PETPFSClassifier().fit(frame[["age"]], np.arange(n) % 2)
except MissingModalityError as error:
    facts["missing"] = (error.modality, error.estimator)
except Exception as error:
    facts["missing"] = type(error).__name__
try:
    from prrt_estimators.pretrained import weight_file
    weight_file("no_such_weights", download=False)
except PretrainedWeightsError as error:
    facts["weights"] = error.kind
print(json.dumps({"facts": facts, "words": words}))
"""


def facts_of(package_folder: Path, out: Path) -> dict:
    """Return what the scenes show with the package in a folder."""
    environment = os.environ | {"PYTHONPATH": str(package_folder), "PRRT_CACHE_DIR": str(out.parent / "cache")}
    command = [sys.executable, "-c", SCENES, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=out.parent)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_shuffled_messages_change_no_decision(tmp_path):
    copy = tmp_path / "shuffled"
    assert write_shuffled(PACKAGE, copy / "prrt_estimators") > 80
    plain, other = facts_of(ROOT, tmp_path / "plain"), facts_of(copy, tmp_path / "other")
    assert other["facts"] == plain["facts"]
    assert plain["facts"]["states"]["pet"] == ["skipped", ["pet"]]
    assert plain["facts"]["grouped"] == 1
    assert plain["facts"]["swapped columns"] == [["pet, ct", ""]]
    assert {plain["facts"][name] for name in ("check", "compare")} == {0}
    differ = sum(one != two for one, two in zip(plain["words"], other["words"], strict=True))
    assert differ >= 6, "the messages of the copy are not shuffled"


def test_shuffling_moves_letters_only():
    assert sorted(shuffled("no such file (a.nii)", "a")) == sorted("no such file (a.nii)")
    assert shuffled("no such file (a.nii)", "a") != "no such file (a.nii)"


# The sources ------------------------------------------------------------------------------------------------------

_READERS = {
    "split", "rsplit", "splitlines", "partition", "rpartition", "startswith", "endswith", "find", "index", "lower", "casefold",
    "removeprefix", "removesuffix", "count",
}  # fmt: skip
_FACTS = {"what", "remedy", "message"}


class _Readings(ast.NodeVisitor):
    """Lines at which the text of an error or warning is read for a decision."""

    def __init__(self) -> None:
        self.caught: list[str] = []
        self.lines: list[int] = []

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.caught += [node.name] if node.name else []
        self.generic_visit(node)
        if node.name:
            self.caught.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        kinds = {one.arg for one in node.args.args if one.annotation is not None and _is_error(one.annotation)}
        self.caught += kinds
        self.generic_visit(node)
        del self.caught[len(self.caught) - len(kinds) :]

    def _is_message(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READERS:
            return self._is_message(node.func.value)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("str", "repr") and node.args:
            inner = node.args[0]
            return (isinstance(inner, ast.Name) and inner.id in self.caught) or self._is_message(inner)
        if isinstance(node, ast.Subscript):
            return (
                isinstance(node.value, ast.Attribute) and node.value.attr == "args" and self._caught(node.value.value)
            )
        return isinstance(node, ast.Attribute) and node.attr in _FACTS and not isinstance(node.value, ast.Call)

    def _caught(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id in self.caught

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        read = name in _READERS and self._is_message(node.func.value)
        read |= getattr(getattr(node.func, "value", None), "id", "") == "re" and any(map(self._is_message, node.args))
        read |= name == "filterwarnings" and any(one.arg == "message" for one in node.keywords)
        read |= name == "contains" and any(map(self._is_message, node.args))
        if read:
            self.lines.append(node.lineno)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if any(map(self._is_message, (node.left, *node.comparators))):
            self.lines.append(node.lineno)
        self.generic_visit(node)


def _is_error(annotation: ast.AST) -> bool:
    name = ast.unparse(annotation)
    return name.endswith(("Error", "Exception", "Warning"))


def readings(source: str) -> list[int]:
    """Return the lines of a module at which a message decides."""
    visitor = _Readings()
    visitor.visit(ast.parse(source))
    return sorted(set(visitor.lines))


@pytest.mark.parametrize(
    "body",
    [
        "'SHA-256' in str(error)",
        "str(error).split('.')[0]",
        "re.match('a', str(error))",
        "problem.what.endswith('CT')",
        "str(error).lower().startswith('no')",
        "error.args[0] == 'x'",
    ],
)
def test_a_decision_on_a_message_is_found(body):
    assert readings(f"try:\n    f()\nexcept E as error:\n    g({body})\n") == [4]


def test_a_message_passed_on_is_no_decision():
    assert (
        readings("try:\n    f()\nexcept E as error:\n    g(str(error))\n    raise F(f'x: {error}') from error\n") == []
    )
    assert readings("warnings.filterwarnings('ignore', message='a')") == [1]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_decision_is_made_on_a_message(file):
    found = readings(file.read_text("utf-8"))
    if str(file.relative_to(PACKAGE)) in READ:
        assert found, "nothing is read here any more; take it off the list"
    else:
        assert found == [], f"lines {found}: give the error an attribute and decide on that"
