"""Figures written in a tenth of the time, for tests of what stands beside them."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure

DRAWN = Figure.savefig

#: What a reader of each other format still opens.
_EMPTY = {"svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>', "pdf": b"%PDF-1.4\n%%EOF\n"}


def quick_savefig(figure: Figure, file, *, format=None, **options) -> None:
    """Draw a PNG coarsely and as it lies; write an empty drawing in other formats.

    What cannot be drawn still fails, as each figure of the library is written as PNG too.
    """
    ending = format or Path(os.fspath(file)).suffix.lstrip(".")
    if ending in _EMPTY:
        file.write(_EMPTY[ending]) if hasattr(file, "write") else Path(file).write_bytes(_EMPTY[ending])
        return
    engine = figure.get_layout_engine()
    figure.set_layout_engine("none")
    try:
        DRAWN(figure, file, format=ending, dpi=30, metadata=options.get("metadata"))
    finally:
        figure.set_layout_engine(engine)
