"""The notebooks that the gallery offers: what they begin with, their links, and a run that compares them with their pages.

As an extension of Sphinx this rewrites each notebook after sphinx-gallery wrote it: a notebook that was downloaded has no
pages to link to. Run after a build, which does this by itself, it runs the notebooks with most figures::

    python docs/scripts/notebooks.py docs/gallery
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
#: Notebooks that are run, those with most figures.
RUN = 4
#: Letters that one output may show; more is a dump, not a result.
MAX_LETTERS = 3000
#: Seconds that a cell may take.
SLOW = 600
INSTALL = """# Install the package once, from a copy of its repository:
# %pip install -c constraints.txt ".[excel,dicom,explain]\""""

# What is downloaded ------------------------------------------------------------------------------------------------------


def title_of(page: str) -> str:
    """Return the title of a page, given as `:doc:` names it from the gallery."""
    base = DOCS if page.startswith("/") else DOCS / "gallery"
    file = (base / page.lstrip("/")).resolve()
    text = next(file.with_suffix(end).read_text("utf-8") for end in (".md", ".rst") if file.with_suffix(end).is_file())
    return next(line for line in text.splitlines() if line.strip() and not line.startswith("..")).lstrip("# ").strip()


def standalone(text: str) -> str:
    """Return the text of a cell with titles of pages in place of links to them."""
    text = re.sub(r":doc:`([^`<]+?)\s*<[^`>]+>`", r"*\1* in the documentation", text)
    text = re.sub(r":doc:`([^`]+)`", lambda found: f"*{title_of(found[1])}* in the documentation", text)
    return re.sub(r":(?:[a-z]+:)?[a-z]+:`~?([^`]+)`", r"`\1`", text)


def finish(file: Path) -> None:
    """Rewrite a notebook of sphinx-gallery so that it stands alone; one that was finished stays as it is."""
    import nbformat

    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = standalone(cell.source)
    if INSTALL not in [cell.source for cell in notebook.cells]:
        notebook.cells.insert(1, nbformat.v4.new_code_cell(INSTALL))
    _, notebook = nbformat.validator.normalize(notebook)
    nbformat.write(notebook, file)


def finish_all(_app: Any) -> None:
    """Finish every notebook of the gallery."""
    for file in notebooks(DOCS / "gallery"):
        finish(file)


def setup(app: Any) -> dict[str, bool]:
    """Finish the notebooks after sphinx-gallery wrote them, before they are copied to the pages."""
    app.connect("builder-inited", finish_all, priority=900)
    return {"parallel_read_safe": True}


def notebooks(gallery: Path) -> list[Path]:
    """Return the notebooks of a gallery."""
    return sorted(gallery.glob("plot_*.ipynb"))


# What they show ----------------------------------------------------------------------------------------------------------


def figures_of_page(page: str) -> list[int]:
    """Return how many figures the page of an example shows below each of its code blocks."""
    return [block.count(".. image-sg::") for block in page.split(".. code-block:: Python\n")[1:]]


def letters(output: Any) -> int:
    """Return how many letters a reader sees of an output: of HTML the text, of a picture none."""
    data = output.get("data", {})
    html = re.sub(r"(?s)<(style|script)\b.*?</\1>|<[^>]*>", "", data.get("text/html", ""))
    return len(output.get("text", "")) or max(len(re.sub(r"\s+", " ", html)), len(data.get("text/plain", "")))


def wrong(notebook: Any, page: str) -> Iterator[str]:
    """Yield what a notebook that was run shows differently from its page, and what nobody wants to see."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source != INSTALL]
    figures = figures_of_page(page)
    if len(cells) != len(figures):
        yield f"{len(cells)} code cells, {len(figures)} on the page"
    for number, (cell, shown) in enumerate(zip(cells, figures, strict=False), start=1):
        where = f"code cell {number} ({cell.source.strip().splitlines()[-1].strip()[:50]})"
        pictures = sum("image/png" in output.get("data", {}) for output in cell.outputs)
        if pictures != shown:
            yield f"{where}: {pictures} figures, {shown} on the page"
        for output in cell.outputs:
            if output.get("name") == "stderr" or output.output_type == "error":
                yield f"{where}: a red line: {str(output.get('text') or output.get('evalue'))[:200]}"
            if letters(output) > MAX_LETTERS:
                yield f"{where}: an output of {letters(output)} letters"


def most_figures(gallery: Path) -> dict[Path, str]:
    """Return the notebooks with most figures on their page, and the page."""
    pages = {file: file.with_suffix(".rst").read_text("utf-8") for file in notebooks(gallery)}
    counted = sorted(pages, key=lambda file: (-sum(figures_of_page(pages[file])), file.name))
    return {file: pages[file] for file in counted[:RUN] if sum(figures_of_page(pages[file]))}


def run(file: Path) -> Any:
    """Return a notebook after all of its cells ran, in an empty folder."""
    import nbclient
    import nbformat

    notebook = nbformat.read(file, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(
            notebook, timeout=SLOW, kernel_name="python3", resources={"metadata": {"path": folder}}, allow_errors=True
        ).execute()
    return notebook


def main() -> int:
    """Run the notebooks with most figures and print what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chosen, found = most_figures(options.gallery), []
    with tempfile.TemporaryDirectory() as cache:
        os.environ.setdefault("PRRT_CACHE_DIR", cache)
        for file, page in chosen.items():
            found += [f"{file.name}: {line}" for line in wrong(run(file), page)]
    print(*found, f"{len(chosen)} notebooks run: {len(found)} wrong", sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
