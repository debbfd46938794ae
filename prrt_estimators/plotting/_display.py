"""What every Display shares: it is shown by a notebook, and its figure is drawn once."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, ClassVar, Self

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prrt_estimators._offscreen import offscreen
from prrt_estimators.plotting._style import figure_of, new_axes, style_context

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


class AxesDisplay(Display):
    """Base of the Displays that draw on one axes; a subclass gives `_size` and `_draw`."""

    ax_: Axes
    #: A square in new axes stays left, so that all room that is over is the legend's.
    _square: ClassVar[bool] = False

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the Display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        Display
            Itself, with ``ax_`` and ``figure_``.
        """
        with style_context():
            if ax is None:
                ax = new_axes(self._size())
                if self._square:
                    ax.set_anchor("W")
            self._draw(ax)
        self.ax_, self.figure_ = ax, figure_of(ax)
        return self

    def _size(self) -> tuple[float, float]:
        """Return width and height of a new figure in inches."""
        raise NotImplementedError  # pragma: no cover - every Display defines it

    def _draw(self, ax: Axes) -> None:
        raise NotImplementedError  # pragma: no cover - every Display defines it
