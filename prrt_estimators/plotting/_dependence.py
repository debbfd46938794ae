"""SHAP values of one column against its values."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prrt_estimators.inspection import ShapExplanation, shap_values
from prrt_estimators.plotting._beeswarm import check_explanation, shap_axis_label
from prrt_estimators.plotting._marks import (
    POINT,
    column_labels,
    column_unit,
    draw_gaps,
    handle,
    is_logarithmic,
    numbers_of,
    plain_logarithmic,
    value_colours,
)
from prrt_estimators.plotting._style import OKABE_ITO, figure_of, new_axes, style_context


class DependenceDisplay:
    """SHAP value of one column against the patients' values of it.

    Make it with :meth:`from_result` or :meth:`from_estimator`. Analytes that enter models as logarithms have a
    logarithmic axis; patients without the value stand hollow at the right.

    Parameters
    ----------
    table : DataFrame
        ``patient_id``, ``value`` (number or category), ``shap`` and ``colour``, one row a patient.
    column : str
        Name of the column.
    color_by : str or None
        Name of the column that colours the points.
    axis_label : str
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> values = pd.DataFrame({"cga": [0.2, -0.3], "age": [0.0, 0.1]}, index=["P1", "P2"])
    >>> data = pd.DataFrame({"cga": [50.0, 900.0], "age": [60, 70]}, index=["P1", "P2"])
    >>> found = ShapExplanation(values, np.full(2, 0.5), np.array([0.7, 0.3]), data, "probability")
    >>> display = DependenceDisplay.from_result(found, "cga")
    >>> display.frame()[["value", "shap"]].to_dict("list")
    {'value': [50.0, 900.0], 'shap': [0.2, -0.3]}
    >>> figure = display.plot().figure_
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, table: pd.DataFrame, *, column: str, color_by: str | None, axis_label: str):
        self.table = table
        self.column = column
        self.color_by = color_by
        self.axis_label = axis_label

    @classmethod
    def from_result(
        cls, explanation: ShapExplanation, column: str, *, color_by: str | None = None
    ) -> DependenceDisplay:
        """Points of one column of a result of `shap_values`.

        Parameters
        ----------
        explanation : ShapExplanation
        column : str
            Column of the table.
        color_by : str, default=None
            Column whose value colours the points.

        Returns
        -------
        DependenceDisplay

        Raises
        ------
        TypeError
            If `explanation` is of another kind.
        ValueError
            If there is no such column.
        """
        explanation = check_explanation(explanation)
        for parameter, name in (("column", column), ("color_by", color_by)):
            if name is not None and name not in explanation.data.columns:
                raise ValueError(
                    f"`{parameter}`={name!r} is no column of the explanation; it has "
                    f"{', '.join(map(str, explanation.data.columns))}."
                )
        numbers = numbers_of(explanation.data[column])
        values = explanation.data[column].to_numpy(dtype=object) if numbers is None else numbers
        hue: Any = np.nan
        if color_by is not None:
            numbers = numbers_of(explanation.data[color_by])
            hue = explanation.data[color_by].to_numpy(dtype=object) if numbers is None else numbers
        table = pd.DataFrame(
            {
                "patient_id": explanation.values.index,
                "value": values,
                "shap": explanation.values[column].to_numpy(),
                "colour": hue,
            }
        ).dropna(subset="shap", ignore_index=True)
        return cls(table, column=column, color_by=color_by, axis_label=shap_axis_label(explanation))

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, column: str, *, color_by: str | None = None, **options: Any
    ) -> DependenceDisplay:
        """Points of one column of `shap_values` of an estimator.

        Parameters
        ----------
        estimator : classifier
        X : Cohort, mapping or table
        column : str
            Column of the table.
        color_by : str, default=None
            Column whose value colours the points.
        **options : object
            Further parameters of `shap_values`, such as `background`, or `y` and `cv`.

        Returns
        -------
        DependenceDisplay
        """
        return cls.from_result(shap_values(estimator, X, **options), column, color_by=color_by)

    def frame(self) -> pd.DataFrame:
        """Return the points drawn: ``patient_id``, ``value``, ``shap``, ``colour`` (NaN without `color_by`)."""
        return self.table.copy()

    def plot(self, ax: Axes | None = None) -> DependenceDisplay:
        """Draw one point a patient.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; ``None`` makes a figure that belongs to no window.

        Returns
        -------
        DependenceDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        names = column_labels([self.column] if self.color_by is None else [self.column, self.color_by])
        with style_context():
            if ax is None:
                ax = new_axes((5.2, 3.4))
            ax.axhline(0, color="0.6", linewidth=0.8, zorder=0.5)
            x, transform_right = self._places(ax)
            self._draw(ax, x, transform_right, names)
            unit = column_unit(self.column)
            ax.set_xlabel(textwrap.fill(names[self.column] + (f" ({unit})" if unit else ""), 60))
            ax.set_ylabel(self.axis_label.replace(" (", "\n("))
        self.ax_ = ax
        self.figure_ = figure_of(ax)
        return self

    def _places(self, ax: Axes) -> tuple[np.ndarray, np.ndarray]:
        """Set up the horizontal axis; return places, and which patients have no value."""
        own = self.table["value"]
        numbers = numbers_of(own)
        if numbers is None:
            text = ["not stated" if pd.isna(value) else str(value) for value in own]
            order = sorted(set(text), key=lambda one: (one == "not stated", one))
            crowded = sum(map(len, order)) + 3 * len(order) > 50
            shown = [textwrap.shorten(one, 30, placeholder=" ...") for one in order]
            ax.set_xticks(range(len(order)), shown)
            if crowded:
                ax.tick_params(axis="x", labelrotation=35)
                for label in ax.get_xticklabels():
                    label.set(ha="right", rotation_mode="anchor")
            ax.set_xlim(-0.6, len(order) - 0.4)
            jitter = np.random.default_rng(0).uniform(-0.18, 0.18, len(text))
            return np.array([order.index(one) for one in text]) + jitter, np.zeros(len(text), dtype=bool)
        told = np.isfinite(numbers)
        known = numbers[told] if told.any() else np.array([0.0, 1.0])
        low, high = float(known.min()), float(known.max())
        if is_logarithmic(self.column, numbers):
            ax.set_xscale("log")
            reach = max(high / low, 1.1)
            right, edge = high * reach**0.12, high * reach**0.07
            ax.set_xlim(low / reach**0.05, high * reach ** (0.05 if told.all() else 0.17))
            plain_logarithmic(ax.xaxis)
        else:
            reach = (high - low) or 1.0
            right, edge = high + 0.12 * reach, high + 0.07 * reach
            ax.set_xlim(low - 0.05 * reach, high + (0.05 if told.all() else 0.17) * reach)
        if not told.all():
            ax.axvline(edge, color="0.6", linewidth=0.8, linestyle=":")
        return np.where(told, numbers, right), ~told

    def _draw(self, ax: Axes, x: np.ndarray, gap: np.ndarray, names: dict[str, str]) -> None:
        shap = self.table["shap"].to_numpy()
        handles: list[Line2D] = []
        if gap.any():
            draw_gaps(ax, x[gap], shap[gap])
            handles.append(handle("not measured", gap=True))
        if self.color_by is None:
            ax.scatter(x[~gap], shap[~gap], s=POINT, color=OKABE_ITO["blue"], linewidths=0)
        else:
            handles += self._draw_coloured(ax, x, shap, ~gap, names[self.color_by])
        if handles:
            ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, handletextpad=0.1)

    def _draw_coloured(self, ax: Axes, x: np.ndarray, shap: np.ndarray, told: np.ndarray, label: str) -> list[Line2D]:
        hue = self.table["colour"]
        handles: list[Line2D] = []
        numbers = numbers_of(hue)
        if numbers is not None:
            seen = told & np.isfinite(numbers)
            known = numbers[np.isfinite(numbers)]
            log = is_logarithmic(str(self.color_by), numbers)
            norm = (LogNorm if log else Normalize)(*((known.min(), known.max()) if len(known) else (0, 1)))
            drawn = ax.scatter(x[seen], shap[seen], s=POINT, c=numbers[seen], cmap=value_colours(), norm=norm, lw=0)
            if (told & ~seen).any():
                ax.scatter(x[told & ~seen], shap[told & ~seen], s=POINT, color="0.6", marker="x", linewidths=1)
                handles.append(handle(f"{label} not measured", marker="x", color="0.6"))
            unit = column_unit(str(self.color_by))
            bar = figure_of(ax).colorbar(drawn, ax=ax, aspect=30, fraction=0.05, pad=0.02)
            bar.set_label(textwrap.fill(label + (f" ({unit})" if unit else ""), 36))
            bar.outline.set_visible(False)
            if log:
                plain_logarithmic(bar.ax.yaxis)
            return handles
        text = np.array(["not stated" if pd.isna(value) else str(value) for value in hue])
        for k, one in enumerate(sorted(set(text), key=lambda one: (one == "not stated", one))):
            colour = list(OKABE_ITO.values())[k % len(OKABE_ITO)]
            marker = "o^sDv<>"[k % 7]
            rows = told & (text == one)
            ax.scatter(x[rows], shap[rows], s=POINT, color=colour, marker=marker, linewidths=0)
            handles.append(handle(f"{label}: {one}", marker=marker, color=colour))
        return handles
