"""How figures of an example get onto its page.

Displays of this library draw on figures that belong to no window, so matplotlib's own list of open figures does not hold
them. A block that ends in ``display.plot().figure_`` shows the figure, as it does in a notebook.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakSet

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

#: Dots an inch: figures are 5 to 9 inches wide, and the column of text about 800 pixels of a fine screen.
DPI = 144
_shown: WeakSet[Figure] = WeakSet()


def scrape(block: tuple[Any, ...], block_vars: Mapping[str, Any], gallery_conf: Mapping[str, Any]) -> str:
    """Save the figure that the block ends in and those that pyplot holds open; return the reST that shows them."""
    del block
    files = []
    for figure in _figures(block_vars["example_globals"]):
        name = next(block_vars["image_path_iterator"])
        figure.savefig(name, dpi=DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        files.append(name)
    plt.close("all")
    return figure_rst(files, gallery_conf["src_dir"]) if files else ""


def _figures(names: Mapping[str, Any]) -> Iterator[Figure]:
    last = names.get("___")  # where sphinx-gallery keeps what the last line of a block gives, until another one does
    if isinstance(last, Figure) and last not in _shown:
        _shown.add(last)
        yield last
    yield from (figure for figure in map(plt.figure, plt.get_fignums()) if figure is not last)


def _get_sg_image_scraper() -> Any:
    return scrape
