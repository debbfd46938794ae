"""The rules of the house: checks that no single room can make for itself."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import prrt_estimators

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    file
    for folder in ("prrt_estimators", "tests", "benchmarks", "docs", "examples")
    for file in ROOT.glob(f"{folder}/**/*.py")
)
PACKAGES = [
    "prrt_estimators",
    *(f"prrt_estimators.{found.name}" for found in pkgutil.iter_modules(prrt_estimators.__path__) if found.ispkg),
]
_SECTIONS = ["Parameters", "Returns", "Yields", "Raises", "Warns", "Attributes", "Notes", "References", "Examples"]


def public_names() -> list[tuple[str, str]]:
    """Return (package, name) of everything that a package offers."""
    found = []
    for package in [*PACKAGES, "prrt_estimators.exceptions"]:
        module = importlib.import_module(package)
        defined = [name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == package]
        names = defined if package.endswith("exceptions") else getattr(module, "__all__", [])
        found += [(package, name) for name in names if not name.startswith("__")]
    return found


def of_name(package: str, name: str) -> Any:
    """Return the object."""
    return getattr(importlib.import_module(package), name)


# Commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["mypy"],
        ["lint-imports"],
    ],
    ids=" ".join,
)
def test_command_passes(command, tmp_path):
    if command == ["mypy"] and (others := unpinned("numpy", "torch", "pandas", "matplotlib", "safetensors")):
        pytest.skip(f"the types are those of the pinned versions; here are {', '.join(others)}")
    program = Path(sysconfig.get_path("scripts")) / command[0]
    options = ["--cache-dir", str(tmp_path)] if command[0] == "mypy" else []
    options += ["--no-cache"] if command[0] == "lint-imports" else []
    done = subprocess.run([program, *command[1:], *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def unpinned(*names):
    """Return the libraries that are not installed in the version that constraints.txt names."""
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    here = {name: metadata.version(name).partition("+")[0] for name in names}
    return [f"{name} {version}" for name, version in here.items() if version != pins[name]]


def test_import_brings_no_torch():
    code = "import sys, prrt_estimators; print(*{'torch', 'monai', 'skorch', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# Sources ----------------------------------------------------------------------------------------------------------


def test_no_file_is_longer_than_400_lines():
    lengths = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in SOURCES}
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def imported(file: Path) -> set[str]:
    """Return the packages that a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found


def test_only_net_imports_skorch():
    users = [
        file.name for file in SOURCES if file.is_relative_to(ROOT / "prrt_estimators") and "skorch" in imported(file)
    ]
    assert users == ["_net.py"]


#: Tests of what no single module holds.
ACROSS = {
    "decisions": "no decision on a message", "docs": "pages", "docs_build": "pages", "docs_code": "pages", "extending": "all registries",
    "house": "rules", "memory": "a full memory", "notebook": "a whole walk", "private_imports": "all rooms", "packaging": "the wheel", "paths": "files and folders", "plain_english": "texts",
}  # fmt: skip


def misplaced(tests: list[str], rooms: set[str], modules: set[str]) -> list[str]:
    """Return the test files (paths below tests/) that lie where a reader would not look for them."""
    found = []
    for path in tests:
        folder, _, name = path.rpartition("/")
        subject = name.removeprefix("test_").removesuffix(".py")
        if folder and folder not in rooms | {"benchmarks"}:
            found.append(path)
        if not folder and subject not in modules | set(ACROSS):
            found.append(path)
    return found


def test_tests_mirror_the_rooms():
    rooms = {package.rpartition(".")[2] for package in PACKAGES[1:]}
    modules = {file.stem.lstrip("_") for file in (ROOT / "prrt_estimators").glob("*.py")}
    tests = [str(file.relative_to(ROOT / "tests").as_posix()) for file in (ROOT / "tests").rglob("test_*.py")]
    assert misplaced(tests, rooms, modules) == []
    assert rooms - {path.partition("/")[0] for path in tests} == set(), "rooms without tests"


def test_a_misplaced_test_is_found():
    tests = ["metrics/test_scores.py", "test_io.py", "test_cli_check.py", "elsewhere/test_x.py", "test_house.py"]
    assert misplaced(tests, {"metrics"}, {"io"}) == ["test_cli_check.py", "elsewhere/test_x.py"]


# Docstrings -------------------------------------------------------------------------------------------------------


def sections(doc: str) -> dict[str, str]:
    """Return the numpydoc sections of a docstring by title; the part before the first is ``""``."""
    parts = re.split(rf"^({'|'.join(_SECTIONS)})\n-+$", inspect.cleandoc(doc), flags=re.M)
    return {"": parts[0].strip()} | dict(zip(parts[1::2], parts[2::2], strict=True))


def described(section: str) -> list[tuple[str, str, str]]:
    """Return (name, type, text) of each entry; entries of several names come once a name."""
    entries = re.findall(r"^(\S.*?)(?: :(.*))?\n((?:^(?:[ \t].*)?\n?)*)", section.strip("\n") + "\n", flags=re.M)
    return [(name.strip(), kind.strip(), text.strip()) for names, kind, text in entries for name in names.split(",")]


def is_record(kind: Any) -> bool:
    """Return whether a class is a dataclass or a named tuple, whose parameters are its fields."""
    return dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")


def taken(function: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function or class by the names they have in a docstring."""
    if inspect.isclass(function) and not is_record(function):
        init = function.__init__
        ours = str(getattr(init, "__module__", "")).startswith("prrt_estimators")
        if not ours or (issubclass(function, BaseException) and "__init__" not in vars(function)):
            return {}  # an inherited constructor that its own class describes
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = inspect.signature(function).parameters.values()
    return {stars.get(one.kind, "") + one.name: one for one in parameters if one.name not in ("self", "cls")}


def slips(owner: str, thing: Any) -> Iterator[str]:
    """Yield what is wrong with the docstring of a function, method or class."""
    doc = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    if not doc or not doc.strip():
        yield f"{owner}: no docstring"
        return
    found = sections(doc)
    if not found[""].partition("\n\n")[0].rstrip().endswith("."):
        yield f"{owner}: the summary is not a sentence"
    # Nobody makes a result object by hand: its fields are what a reader finds on it.
    is_result = is_record(thing) and "Parameters" not in found
    entries = described(found.get("Attributes" if is_result else "Parameters", ""))
    parameters = taken(thing)
    model = re.search(r"^Parameters are those of :func:`(\w+)`", found[""], flags=re.M)
    if model and not entries:
        given = taken(getattr(prrt_estimators, model[1]))
        defaults = {name: one.default for name, one in parameters.items()}
        if any(given[name].default != default for name, default in defaults.items()):
            yield f"{owner}: defaults differ from those of {model[1]}"
        return
    if [name for name, *_ in entries] != list(parameters):
        yield f"{owner}: takes {list(parameters)}, describes {[name for name, *_ in entries]}"
        return
    for name, kind, text in [] if is_result else entries:
        model = re.match(r"As in (?::\w+:)?`(\w+)`", text)
        if model:
            same = taken(_beside(thing, owner, model[1]))[name].default
            if same != parameters[name].default:
                yield f"{owner}({name}): default={parameters[name].default!r}, but {model[1]} has {same!r}"
        elif kind != "ignored":
            yield from _default_slips(f"{owner}({name})", parameters[name], kind)


def _beside(thing: Any, owner: str, name: str) -> Any:
    """Return the function or method that a docstring refers to: of the same class, the same file, or public."""
    home = vars(sys.modules[thing.__module__])
    return getattr(home.get(owner.partition(".")[0]), name, None) or home.get(name) or getattr(prrt_estimators, name)


def _default_slips(where: str, parameter: inspect.Parameter, kind: str) -> Iterator[str]:
    stated = re.search(r"default=(.+)$", kind)
    if parameter.default is inspect.Parameter.empty:
        if stated:
            yield f"{where}: has no default, but the docstring states one"
    elif not stated:
        yield f"{where}: default={parameter.default!r} is not stated"
    else:
        try:
            same = bool(ast.literal_eval(stated[1]) == parameter.default)
        except (ValueError, SyntaxError):
            same = stated[1].lower() == repr(parameter.default)  # NaN
        if not same:
            yield f"{where}: default={parameter.default!r}, but the docstring says {stated[1]}"


def own_methods(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a class that this library wrote, with parameters of their own."""
    for name, method in inspect.getmembers(kind, inspect.isroutine):
        if not name.startswith("_") and str(getattr(method, "__module__", "")).startswith("prrt_estimators"):
            yield name, method


@pytest.mark.parametrize(("package", "name"), public_names())
def test_docstring_agrees_with_signature(package, name):
    thing = of_name(package, name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        pytest.skip("a constant has no docstring")
    assert list(slips(name, thing)) == []


@pytest.mark.parametrize(("package", "name"), [one for one in public_names() if inspect.isclass(of_name(*one))])
def test_methods_have_docstrings(package, name):
    kind = of_name(package, name)
    wrong = []
    for method_name, method in own_methods(kind):
        found = list(slips(f"{name}.{method_name}", method))
        # A method that says all in its summary needs no list.
        short = method.__doc__ and "Parameters" not in sections(method.__doc__)
        wrong += [] if short else found
    assert wrong == []


def test_the_check_finds_slips():
    def good(x, *, size=48, **more):
        """Do it.

        Parameters
        ----------
        x : array
        size : int, default=48
            Voxels.
        **more : object
        """

    def late(x, size=32):
        """Do it.

        Parameters
        ----------
        x, size : int, default=48
        """

    def other(x):
        """Do it.

        Parameters
        ----------
        y : int
        """

    assert list(slips("good", good)) == []
    assert len(list(slips("late", late))) == 2
    assert "describes ['y']" in next(slips("other", other))
    assert "no docstring" in next(slips("none", lambda x: x))


# Pages ------------------------------------------------------------------------------------------------------------


def test_every_public_name_is_on_the_api_page():
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    rooms = re.split(r"^## ", page, flags=re.M)
    listed = {
        (room.partition("\n")[0].strip("` "), name)
        for room in rooms
        for name in re.findall(r"^\| `(\w+)`", room, flags=re.M)
    }
    expected = set(public_names())
    assert expected - listed == set(), "not on docs/api.md"
    assert listed - expected == set(), "on docs/api.md, but not public"


def test_stable_names_are_few_and_provisional_ones_exist(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "scripts")
    api_page = importlib.import_module("api_page")
    assert len(api_page.stable_names()) <= 110
    for room, names in api_page.PROVISIONAL.items():
        offered = {name for package, name in public_names() if package == room}
        assert {name.lstrip("-") for name in names.split()} - {"*"} <= offered, room


def test_every_public_name_is_there():
    names = public_names()
    assert len(names) > 100
    for package, name in names:
        assert of_name(package, name) is not None, f"{package}.{name}"
