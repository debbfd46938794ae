"""The Python on the pages: every block runs, in the order of its page, and blocks with prompts give what is printed there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", flags=re.M | re.S)
#: README's block needs a cohort of files and is tested with the rest of what README promises, in test_docs.py.
PAGES = [
    page.relative_to(ROOT).as_posix()
    for folder in ("docs", "docs/guide")
    for page in sorted((ROOT / folder).glob("*.md"))
    if BLOCK.search(page.read_text("utf-8"))
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def rehearsal(folder):
    """Write the export that the page on ingest starts from, and return what its names mean here."""
    from prrt_estimators.datasets import make_cohort_folder

    clinical = make_cohort_folder(folder / "export", 3, volume_shape=(18, 14, 24), format="dicom", random_state=0)
    return {'"patients.xlsx"': repr(str(clinical)), '"/safe/place/key"': '"secret/key"'}


#: Pages whose code starts from files of the reader's.
FILES = {"docs/ingest.md": rehearsal}


def run_blocks(text, name="page"):
    """Run the blocks of a page in one namespace; raise AssertionError with what a prompt gave instead."""
    names = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    for block in BLOCK.finditer(text):
        line = text[: block.start(1)].count("\n")
        if block[1].lstrip().startswith(">>>"):
            told = []
            test = doctest.DocTestParser().get_doctest(block[1], names, name, name, line)
            runner.run(test, out=told.append, clear_globs=False)
            names = test.globs
            assert not told, "".join(told)
        else:
            exec(compile("\n" * line + block[1], name, "exec"), names)
    return names


@pytest.fixture
def fresh_workers():
    """Leave no worker behind that stands in the folder of another page: a reader's begin where the reader is."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("fresh_workers")
def test_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))
    text = (ROOT / page).read_text("utf-8")
    for there, here in FILES.get(page, lambda folder: {})(tmp_path).items():
        assert text.count(there) == 1
        text = text.replace(there, here)
    run_blocks(text, page)


def test_all_blocks_are_found():
    """A fence that is written otherwise would not be run."""
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guide").glob("*.md")]
    assert len(PAGES) > 10
    for page in pages:
        text = page.read_text("utf-8")
        fences = re.findall(r"^ *[`~]{3,} *(?:\{code-block\} *)?(?:python3?|py|pycon|ipython3?)\b.*$", text, flags=re.M)
        assert len(fences) == len(BLOCK.findall(text)), page.name


def test_what_is_wrong_on_a_page_is_found():
    assert run_blocks("```python\na = 1\n```\ntext\n```python\n>>> a + 1\n2\n```\n")["a"] == 1
    with pytest.raises(AssertionError, match=r"(?s)Expected:.*3.*Got:.*2"):
        run_blocks("```python\na = 1\n```\n```python\n>>> a + 1\n3\n```\n")
    with pytest.raises(NameError):
        run_blocks("```python\nnot_there\n```\n")
