"""The tools that build the pages: what is wrong with a page is found, and what the build needs is named."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import tomllib
import zlib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


@pytest.fixture
def script(monkeypatch):
    """Import a module of docs/scripts by name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "scripts"))
    return importlib.import_module


def page(folder, name, body):
    """Write a page and return its folder."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"<html><head></head><body>{body}</body></html>", "utf-8")
    return folder


# Links ----------------------------------------------------------------------------------------------------------------


def wrong_in(folder, script):
    check = script("check_html")
    return [*check.broken(check.read_pages(folder), folder), *check.fetching_sheets(folder)]


def test_good_pages_have_nothing_wrong(tmp_path, script):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "style.css").write_text(
        "/* url(https://a.b/c) */ a { background: url('data:image/png,x') }"
    )
    (tmp_path / "a b.png").touch()
    page(tmp_path, "guide/index.html", '<h1 id="top">x</h1><a href="../index.html#pl%C3%A4tze">up</a>')
    page(
        tmp_path,
        "index.html",
        '<p id="plätze"></p><a href="guide/#top">1</a><a href="#plätze">2</a><a href="https://elsewhere.org">3</a>'
        '<a href="mailto:a@b.c">4</a><img src="a%20b.png"><img src="data:image/gif;base64,R0">'
        '<img srcset="a%20b.png, a%20b.png 2x"><link rel="stylesheet" href="_static/style.css?v=1">'
        '<link rel="canonical" href="https://elsewhere.org">',
    )
    assert wrong_in(tmp_path, script) == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('<a href="gone.html">x</a>', "leads nowhere: gone.html"),
        ('<a href="sub/">x</a>', "leads nowhere: sub/"),
        ('<a href="#gone">x</a>', "no such place on the page: #gone"),
        ('<a href="other.html#gone">x</a>', "no such place on the page: other.html#gone"),
        ('<img src="gone.png">', "is not there: gone.png"),
        ('<script src="https://cdn.org/x.js"></script>', "is fetched from elsewhere: https://cdn.org/x.js"),
        ('<script src="//cdn.org/x.js"></script>', "is fetched from elsewhere: //cdn.org/x.js"),
        ('<link rel="stylesheet" href="https://cdn.org/x.css">', "is fetched from elsewhere: https://cdn.org/x.css"),
        ('<img srcset="here.png, https://cdn.org/2.png 2x">', "is fetched from elsewhere: https://cdn.org/2.png"),
        ('<iframe src="http://cdn.org"></iframe>', "is fetched from elsewhere: http://cdn.org"),
    ],
)
def test_what_is_wrong_is_found(tmp_path, script, body, what):
    page(tmp_path, "other.html", '<p id="here"></p>')
    (tmp_path / "here.png").touch()
    (tmp_path / "sub").mkdir()
    page(tmp_path, "index.html", body)
    assert wrong_in(tmp_path, script) == [f"index.html: {what}"]


@pytest.mark.parametrize("rule", ["@import 'https://cdn.org/x.css';", "a { src: url( https://cdn.org/x.css ) }"])
def test_a_sheet_that_fetches_is_found(tmp_path, script, rule):
    (tmp_path / "x.css").write_text(rule)
    page(tmp_path, "index.html", "")
    assert wrong_in(tmp_path, script) == ["x.css: is fetched from elsewhere: https://cdn.org/x.css"]


def test_no_pages_are_no_success(tmp_path, script, monkeypatch, capsys):
    check = script("check_html")
    monkeypatch.setattr(check, "missing_names", lambda folder: iter(()))
    monkeypatch.setattr("sys.argv", ["check_html.py", str(tmp_path)])
    assert check.main() == 1
    page(tmp_path, "index.html", "")
    assert check.main() == 0
    assert capsys.readouterr().out == "0 pages, 0 links: 0 wrong\n1 pages, 0 links: 0 wrong\n"


# The reference ----------------------------------------------------------------------------------------------------------


def inventory(names):
    """Return what Sphinx writes of the names that its pages describe."""
    head = "# Sphinx inventory version 2\n# Project: x\n# Version: 1\n# The rest is compressed using zlib.\n"
    lines = "".join(f"{name} py:class 1 api.html#$ -\n" for name in names)
    return head.encode() + zlib.compress(lines.encode())


def test_a_name_that_the_reference_lacks_is_found(tmp_path, script):
    pytest.importorskip("sphinx", reason="needs the extra docs")
    import inspect

    check, reference = script("check_html"), script("reference")
    names = []
    for name, room in reference.homes().items():
        thing = getattr(importlib.import_module(room), name)
        members = reference.own_members(thing) if inspect.isclass(thing) else []
        names += [f"{room}.{name}", *(f"{room}.{name}.{member}" for member in members)]
    (tmp_path / "objects.inv").write_bytes(inventory(names))
    assert list(check.missing_names(tmp_path)) == []
    left_out = {"prrt_estimators.Cohort", "prrt_estimators.Cohort.select"}
    assert left_out < set(names)
    (tmp_path / "objects.inv").write_bytes(inventory(set(names) - left_out))
    assert {line.split()[-1] for line in check.missing_names(tmp_path)} == left_out


def test_every_command_is_on_the_page_of_commands(script):
    pytest.importorskip("sphinx", reason="needs the extra docs")
    reference = script("reference")
    words = [words for words, _ in reference.commands()]
    assert {"prrt compare", "prrt weights fetch"} < set(words)
    text = reference.command_page()
    assert [one for one in words if f"\n{one}\n{'-' * len(one)}\n" not in text] == []
    usage = [line for line in text.splitlines() if line.startswith("   prrt ")]
    assert "   prrt ingest DICOM_DIR --clinical CLINICAL --out OUT" in usage
    prose = "\n".join(line for line in text.splitlines() if line not in usage)
    assert re.findall(r"(?<![\w`-])--[a-z][\w-]*", prose) == [], "two hyphens outside code become a dash"
    guide = (ROOT / "docs" / "guide" / "commands.md").read_text("utf-8")
    table = "\n".join(line for line in guide.splitlines() if line.startswith("| `prrt "))
    assert [one for one in words if f"`{one}" not in table and f"`{one.split()[-1]}`" not in table] == []


# Links to other projects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [None, ""])
def test_a_build_without_a_word_links_nowhere_else(script, tmp_path, source):
    def never(url):
        raise AssertionError(url)

    assert script("inventories").inventories(source, tmp_path, never) == {}
    assert list(tmp_path.iterdir()) == []


def test_inventories_of_a_folder(script, tmp_path, capsys):
    ours = script("inventories")
    (tmp_path / "pandas.inv").write_bytes(inventory(["pandas.DataFrame"]))
    (tmp_path / "torch.inv").write_text("<html>not found</html>")
    found = ours.inventories(str(tmp_path), tmp_path / "cache")
    assert found == {"pandas": ("https://pandas.pydata.org/docs/", str(tmp_path / "pandas.inv"))}
    assert set(ours.types(found)) == {"DataFrame", "Series"}
    assert "No inventory of sklearn, torch, monai" in capsys.readouterr().err
    with pytest.raises(NotADirectoryError, match="PRRT_DOCS_INVENTORIES must be a folder of inventories, or 'online'"):
        ours.inventories(str(tmp_path / "gone"), tmp_path)


def test_inventories_that_cannot_be_reached_are_left_out(script, tmp_path):
    ours = script("inventories")

    def fetch(url):
        if "scikit-learn" in url:
            return inventory(["sklearn.base.clone"])
        if "monai" in url:
            return b"<html>moved</html>"
        raise OSError("no network")

    assert set(ours.inventories("online", tmp_path / "new", fetch)) == {"sklearn"}
    assert set(ours.inventories("online", tmp_path / "new", lambda url: fetch("nowhere"))) == {"sklearn"}, "kept"


# Formulas, figures, times ----------------------------------------------------------------------------------------------


def test_formulas_become_mathml(script):
    pytest.importorskip("docutils", reason="needs the extra docs")
    mathml = script("mathml")
    assert mathml._markup("x^2", block=False).count("<msup>") == 1
    two = mathml._markup("a = 1 \\\\ b = 2", block=True)
    assert two.count("<mtr>") == 2
    assert 'display="block"' in two


def test_times_of_examples_are_printed(script, tmp_path):
    build = script("build")
    assert build.example_times(tmp_path) == []
    for name, seconds in (("plot_02_b", 91.0), ("plot_01_a", 12.34)):
        (tmp_path / f"{name}.cost.json").write_text(json.dumps({"time": seconds, "memory": 0.0}))
    assert build.example_times(tmp_path) == [
        "  12.3 s  plot_01_a",
        "  91.0 s  plot_02_b  TOO SLOW",
        " 103.3 s  all examples",
    ]


@pytest.mark.parametrize("failing", [None, "notebooks.py", "check_html.py", "sphinx"])
def test_what_any_check_finds_fails_the_build(script, monkeypatch, tmp_path, failing):
    build, ran = script("build"), []

    def run(command, **_):
        ran.append(next(name for name in ("sphinx", "notebooks.py", "check_html.py") if name in " ".join(command)))
        return subprocess.CompletedProcess(command, int(ran[-1] == failing))

    monkeypatch.setattr(build, "DOCS", tmp_path)
    monkeypatch.setattr(build.subprocess, "run", run)
    monkeypatch.setattr("sys.argv", ["build.py", "--out", str(tmp_path / "pages")])
    assert build.main() == int(failing is not None)
    assert ran == (["sphinx"] if failing == "sphinx" else ["sphinx", "notebooks.py", "check_html.py"])


# Notebooks --------------------------------------------------------------------------------------------------------------


def block(text, figures=0):
    """Return a code block of a page of the gallery with what it shows."""
    shown = ".. image-sg:: /gallery/images/x.png\n   :alt: x\n\n" * figures
    return f".. code-block:: Python\n\n    {text}\n\n.. rst-class:: sphx-glr-script-out\n\n .. code-block:: none\n\n    1\n\n{shown}"


@pytest.fixture
def notebook(script):
    """Return a function that makes a notebook that was run: one output per cell, or none."""
    nbformat = pytest.importorskip("nbformat", reason="needs the extra docs")

    def make(*outputs):
        cells = [nbformat.v4.new_code_cell(script("notebooks").INSTALL)]
        for output in outputs:
            own = [] if output is None else [nbformat.v4.new_output(**output)]
            cells += [nbformat.v4.new_markdown_cell("text"), nbformat.v4.new_code_cell("a = 1\na", outputs=own)]
        return nbformat.v4.new_notebook(cells=cells)

    return make


PNG = {"output_type": "display_data", "data": {"image/png": "x" * 9000, "text/plain": "<Figure>"}}


def shows(**data):
    return {"output_type": "execute_result", "data": data}


def stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


@pytest.mark.parametrize(
    ("output", "figures", "what"),
    [
        (PNG, 1, ""),
        (stream("stdout", "a" * 3000), 0, ""),
        (shows(**{"text/html": f"<style>{'a' * 4000}</style><b>9</b>", "text/plain": "9"}), 0, ""),
        (None, 1, "code cell 2 (a): 0 figures, 1 on the page"),
        (PNG, 0, "code cell 2 (a): 1 figures, 0 on the page"),
        (stream("stderr", "Warning: x"), 0, "code cell 2 (a): a red line: Warning: x"),
        ({"output_type": "error", "ename": "E", "evalue": "no", "traceback": []}, 0, "code cell 2 (a): a red line: no"),
        (stream("stdout", "a" * 3001), 0, "code cell 2 (a): an output of 3001 letters"),
        (shows(**{"text/plain": "a" * 3001}), 0, "code cell 2 (a): an output of 3001 letters"),
        (shows(**{"text/html": f"<b>{'a' * 3001}</b>"}), 0, "code cell 2 (a): an output of 3001 letters"),
    ],
)
def test_what_a_notebook_shows_is_what_its_page_shows(script, notebook, output, figures, what):
    found = list(script("notebooks").wrong(notebook(PNG, output), block("a", 1) + block("a", figures)))
    assert found == ([what] if what else [])


def test_a_notebook_with_cells_that_its_page_lacks(script, notebook):
    assert list(script("notebooks").wrong(notebook(None, None), block("a"))) == ["2 code cells, 1 on the page"]


def test_notebooks_with_most_figures_are_run(script, tmp_path):
    for name, figures in (("a", 0), ("b", 3), ("c", 1), ("d", 2), ("e", 1), ("f", 1)):
        (tmp_path / f"plot_{name}.ipynb").touch()
        (tmp_path / f"plot_{name}.rst").write_text(block("x", figures) + block("y"))
    assert [file.stem for file in script("notebooks").most_figures(tmp_path)] == [
        "plot_b",
        "plot_d",
        "plot_c",
        "plot_e",
    ]


def test_a_downloaded_notebook_stands_alone(script, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="needs the extra docs")
    text = "See :doc:`/guide/validation`, :doc:`the figures <../figures>` and :func:`~a.b`. ``{x: 1}`` at 12:30."
    cells = [
        nbformat.v4.new_markdown_cell("# A title"),
        nbformat.v4.new_code_cell("x = 1"),
        nbformat.v4.new_markdown_cell(text),
    ]
    file = tmp_path / "plot_a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    for _ in range(2):  # a second time changes nothing
        script("notebooks").finish(file)
        title, install, code, last = nbformat.read(file, as_version=4).cells
        assert (title.source, code.source) == ("# A title", "x = 1")
        assert "%pip install" in install.source
        assert last.source == (
            "See *Cross-validation without leaks* in the documentation, *the figures* in the documentation and `a.b`. "
            "``{x: 1}`` at 12:30."
        )


# What the build needs, and leaves -----------------------------------------------------------------------------------------


def assigned(name):
    """Return a literal that docs/conf.py assigns to a name."""
    for node in ast.parse((ROOT / "docs" / "conf.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and name in [getattr(target, "id", None) for target in node.targets]:
            return ast.literal_eval(node.value)
    raise LookupError(name)


def test_the_extra_docs_has_what_conf_uses():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    own = {file.stem for file in (ROOT / "docs" / "scripts").glob("*.py")}
    used = {canonicalize_name(one.split(".")[0]) for one in [*assigned("extensions"), assigned("html_theme")]} - own
    asked = [Requirement(text) for text in extras["docs"]]
    runs_notebooks = {"nbclient", "ipykernel"}
    assert used | runs_notebooks | {"prrt-estimators"} == {canonicalize_name(one.name) for one in asked}
    (itself,) = (one for one in asked if one.name == "prrt-estimators")
    assert {"excel", "dicom", "explain"} <= itself.extras <= set(extras), "what the examples import"


def test_what_a_build_leaves_is_ignored(script):
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert {f"docs/{name}/" for name in script("build").GENERATED} <= set(ignored)


def test_examples_are_numbered_and_have_a_title():
    assert [file.name[:7] for file in EXAMPLES] == [f"plot_{k:02d}" for k in range(1, len(EXAMPLES) + 1)]
    for file in EXAMPLES:
        text = file.read_text("utf-8")
        title, rule, *_ = ast.get_docstring(ast.parse(text)).splitlines()
        assert set(rule) == {"="}, file.name
        assert len(rule) >= len(title), file.name
        assert text.count("# sphinx_gallery_thumbnail_number = ") <= 1, file.name
