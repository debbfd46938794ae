"""One look for all figures: fit for print, for the colour-blind and for machines without a screen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from prrt_estimators._io import atomic_write
from prrt_estimators._model_specs import model_title
from prrt_estimators._offscreen import is_offscreen

#: Okabe and Ito's colours for all kinds of colour vision, without the yellow that vanishes on white paper.
OKABE_ITO = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "orange": "#E69F00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#000000",
}

_LINE_STYLES = ("-", "--", ":")

# Figures that go straight into files must neither open windows nor pile up in pyplot.

# What the reader's own settings could spoil is set, down to the colours of text and paper.
_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "0.2",
    "axes.facecolor": "white",
    "axes.grid": False,
    "axes.labelcolor": "black",
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=list(OKABE_ITO.values())),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # text stays text, which editors and journals ask for
    "svg.fonttype": "path",
    "svg.hashsalt": "prrt-estimators",
    "text.color": "black",
    "text.usetex": False,
    "xtick.color": "0.2",
    "xtick.labelsize": 8,
    "ytick.color": "0.2",
    "ytick.labelsize": 8,
}


@contextlib.contextmanager
def style_context() -> Iterator[None]:
    """Draw in this library's style within the ``with`` block; matplotlib's settings are as before after it.

    Whether figures are shown as they are made (`matplotlib.interactive`) is kept as the block leaves it: in a notebook the first
    figure loads the notebook's backend, which switches this on, and figures of the reader's own would stay blank without it.

    Examples
    --------
    >>> with style_context():
    ...     figure = Figure()
    """
    interactive = mpl.is_interactive()
    try:
        with mpl.rc_context(_RC):
            try:
                yield
            finally:
                interactive = mpl.is_interactive()
    finally:
        mpl.interactive(interactive)


def new_figure(figsize: tuple[float, float], *, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return a new figure of `figsize` inches: one that pyplot shows, or one of its own within `offscreen`."""
    if not is_offscreen():
        return plt.figure(figsize=figsize, layout=layout)
    figure = Figure(figsize=figsize, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def new_axes(figsize: tuple[float, float]) -> Axes:
    """Return the axes of a new figure of `figsize` inches."""
    return new_figure(figsize).add_subplot()


def figure_of(ax: Axes) -> Figure:
    """Return the outermost figure that holds `ax`."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("`ax` belongs to no figure; pass axes of a figure, or None.")
    return figure


def model_label(name: str) -> str:
    """Return a model's name for print; names that are not registered (`MODELS`) stay as they are.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> model_label("pet_ct_lab"), model_label("my model")
    ('PET + CT + labs', 'my model')
    """
    return model_title(name)


def line_style(index: int) -> dict[str, Any]:
    """Return colour and dashes of the curve number `index`: 21 that differ."""
    colours = list(OKABE_ITO.values())
    return {
        "color": colours[index % len(colours)],
        "linestyle": _LINE_STYLES[index // len(colours) % len(_LINE_STYLES)],
    }


def save_figure(
    figure: Figure,
    stem: str | os.PathLike[str],
    *,
    formats: Sequence[str] = ("png", "svg"),
    dpi: float = 200,
) -> list[Path]:
    """Write a figure in several formats, each file whole or absent, the same bytes for the same figure.

    Parameters
    ----------
    figure : matplotlib Figure
        E.g. the ``figure_`` of a Display.
    stem : path
        Path without the ending; missing folders are made.
    formats : sequence of str, default=("png", "svg")
        Endings that matplotlib can write.
    dpi : float, default=200
        Dots an inch, for pixel formats.

    Returns
    -------
    list of Path
        The files written, in the order of `formats`.

    Raises
    ------
    ValueError
        If a format is unknown to matplotlib.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in save_figure(Figure(), f"{folder}/figures/empty")]
    ['empty.png', 'empty.svg']
    """
    supported = figure.canvas.get_supported_filetypes()
    unknown = [ending for ending in formats if ending not in supported]
    if unknown:
        raise ValueError(f"`formats` must be among {', '.join(sorted(supported))}; got {', '.join(unknown)}.")
    # Dates and versions would make equal figures differ.
    metadata = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    paths = []
    for ending in formats:
        path = Path(f"{os.fspath(stem)}.{ending}")
        with style_context(), atomic_write(path) as temporary:
            figure.savefig(
                temporary,
                format=ending,
                dpi=dpi,
                bbox_inches="tight",
                pad_inches=0.05,
                metadata=metadata.get(ending),
            )
        paths.append(path)
    return paths
