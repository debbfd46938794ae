"""What every Display shares: it is shown by a notebook, and its figure is drawn once."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from prrt_estimators.plotting._style import offscreen, style_context

#: Dots per inch of a figure in a notebook.
_NOTEBOOK_DPI = 110


class Display:
    """Base of the Displays: `from_*` draws and returns one, `plot` draws it again, a notebook shows it."""

    figure_: Figure
    plot: Callable[..., Any]

    def _repr_png_(self) -> bytes:
        # A notebook would show the figure a second time when the cell ends, if pyplot still held it.
        if not hasattr(self, "figure_"):
            with offscreen():
                self.plot()
        content = io.BytesIO()
        with style_context():
            self.figure_.savefig(content, format="png", dpi=_NOTEBOOK_DPI, bbox_inches="tight", pad_inches=0.05)
        plt.close(self.figure_)
        return content.getvalue()
