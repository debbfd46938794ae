"""SHAP figures of the report: shap.plots draws them, with names and units of laboratory values for print."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from prrt_estimators._extras import require
from prrt_estimators.plotting import style_context
from prrt_estimators.plotting._value_points import column_labels, column_unit


class Drawn(NamedTuple):
    """A figure, held as a Display holds it."""

    figure_: Figure


def draw_beeswarm(explanation: Any, *, max_display: int = 12) -> Drawn:
    """Draw one point per patient and column, coloured by the value.

    Parameters
    ----------
    explanation : shap.Explanation
        From :func:`~prrt_estimators.inspection.shap_values`.
    max_display : int, default=12
        Rows drawn; the least important columns share the last one.

    Returns
    -------
    Drawn
    """
    shap = require("shap", "SHAP figures", "explain")
    shown = _for_print(shap, explanation)
    with _pyplot_axes((6.5, 1.0 + 0.36 * min(max_display, len(shown.feature_names)))) as ax:
        state = np.random.get_state()  # noqa: NPY002 - shap shuffles the points with the global generator
        shap.plots.beeswarm(shown, max_display=max_display, plot_size=None, show=False, ax=ax)
        np.random.set_state(state)  # noqa: NPY002
        ax.set_xlabel(f"SHAP value ({explanation.output_names})", fontsize=9)
        ax.tick_params(labelsize=8)
    return Drawn(ax.figure)


def draw_scatter(explanation: Any, column: str) -> Drawn:
    """Draw the SHAP values of one column against its values, with the unit on the axis and a count of the gaps.

    Parameters
    ----------
    explanation : shap.Explanation
        From :func:`~prrt_estimators.inspection.shap_values`.
    column : str
        Column of the table.

    Returns
    -------
    Drawn
    """
    shap = require("shap", "SHAP figures", "explain")
    place = list(explanation.feature_names).index(column)
    gaps = int(np.isnan(explanation.data[:, place]).sum())
    label, unit = column_labels([column])[column], column_unit(column)
    with _pyplot_axes((5.2, 3.4)) as ax:
        shap.plots.scatter(_for_print(shap, explanation)[:, place], ax=ax, show=False, color="#0072B2")
        ax.set_xlabel(label + (f" ({unit})" if unit else ""), fontsize=9)
        ax.set_ylabel(f"SHAP value\n({explanation.output_names})", fontsize=9)
        ax.tick_params(labelsize=8)
        if gaps:
            ax.set_title(f"{gaps} of {len(explanation.data)} patients not measured", fontsize=8, loc="left")
    return Drawn(ax.figure)


def _for_print(shap: Any, explanation: Any) -> Any:
    """Return the patients who have values, with columns named for print."""
    rows = ~np.isnan(explanation.values).any(axis=1)
    names = column_labels(explanation.feature_names)
    return shap.Explanation(
        values=explanation.values[rows],
        base_values=explanation.base_values[rows],
        data=explanation.data[rows],
        display_data=explanation.display_data[rows],
        feature_names=[names[name] for name in explanation.feature_names],
    )


@contextlib.contextmanager
def _pyplot_axes(size: tuple[float, float]) -> Iterator[Any]:
    """Yield axes of pyplot's current figure, through which shap draws; pyplot lets go of the figure afterwards."""
    with style_context():
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        try:
            yield ax
        finally:
            plt.close(figure)
