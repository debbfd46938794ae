"""SHAP values of all patients and columns as a swarm."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from prrt_estimators.inspection import ShapExplanation, shap_values
from prrt_estimators.plotting._marks import (
    POINT,
    column_labels,
    draw_gaps,
    handle,
    numbers_of,
    swarm,
    value_colours,
)
from prrt_estimators.plotting._style import OKABE_ITO, figure_of, new_axes, style_context

_CATEGORY = OKABE_ITO["purple"]


def shap_axis_label(explanation: ShapExplanation) -> str:
    """Return what an axis of SHAP values measures."""
    return f"SHAP value ({'logit' if explanation.output == 'logit' else 'probability'} of long PFS)"


def check_explanation(explanation: Any) -> ShapExplanation:
    """Return an explanation that has something to draw."""
    if not isinstance(explanation, ShapExplanation):
        raise TypeError(f"`explanation` must come from shap_values; got {type(explanation).__name__}.")
    if explanation.values.isna().all(axis=None):
        raise ValueError("no patient of `explanation` has a SHAP value; there is nothing to draw.")
    return explanation


class BeeswarmDisplay:
    """One point a patient and column: its SHAP value along the axis, its laboratory value as colour.

    Make it with :meth:`from_result` or :meth:`from_estimator`. Colours go by the rank of a value among the patients;
    a gap is hollow, and a column of categories, which have no order, is of one colour.

    Parameters
    ----------
    explanation : ShapExplanation
        From `shap_values`.
    max_display : int, default=12
        Columns drawn, those with the greatest mean absolute value.

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
    >>> display = BeeswarmDisplay.from_result(found)
    >>> display.frame()["column"].tolist()
    ['cga', 'cga', 'age', 'age']
    >>> figure = display.plot().figure_
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, explanation: ShapExplanation, *, max_display: int = 12):
        self.explanation = explanation
        self.max_display = max_display

    @classmethod
    def from_result(cls, explanation: ShapExplanation, *, max_display: int = 12) -> BeeswarmDisplay:
        """Points of a result of `shap_values`.

        Parameters
        ----------
        explanation : ShapExplanation
        max_display : int, default=12
            Columns drawn.

        Returns
        -------
        BeeswarmDisplay

        Raises
        ------
        TypeError
            If `explanation` is of another kind.
        ValueError
            If `max_display` is below 1, or there is nothing to draw.
        """
        if isinstance(max_display, bool) or not isinstance(max_display, (int, np.integer)) or max_display < 1:
            raise ValueError(f"`max_display` must be a whole number of at least 1; got {max_display!r}.")
        return cls(check_explanation(explanation), max_display=int(max_display))

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, max_display: int = 12, **options: Any) -> BeeswarmDisplay:
        """Points of `shap_values` of an estimator.

        Parameters
        ----------
        estimator : classifier
        X : Cohort, mapping or table
        max_display : int, default=12
            Columns drawn.
        **options : object
            Further parameters of `shap_values`, such as `background`, or `y` and `cv`.

        Returns
        -------
        BeeswarmDisplay
        """
        return cls.from_result(shap_values(estimator, X, **options), max_display=max_display)

    def frame(self) -> pd.DataFrame:
        """Return the points drawn: ``patient_id``, ``column``, ``value`` (as in the table), ``shap``."""
        parts = []
        for column in self._columns():
            shap = self.explanation.values[column]
            parts.append(
                pd.DataFrame(
                    {
                        "patient_id": shap.index,
                        "column": column,
                        "value": self.explanation.data[column].to_numpy(dtype=object),
                        "shap": shap.to_numpy(),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True).dropna(subset="shap", ignore_index=True)

    def _columns(self) -> list[str]:
        return self.explanation.frame()["column"].head(self.max_display).tolist()

    def plot(self, ax: Axes | None = None) -> BeeswarmDisplay:
        """Draw one row of points a column.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; ``None`` makes a figure that belongs to no window.

        Returns
        -------
        BeeswarmDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        columns = self._columns()
        names = column_labels(list(self.explanation.values.columns))
        labels = [textwrap.fill(names[column], 30) for column in columns]
        values = self.explanation.values[columns].to_numpy()
        span = float(np.nanmax(values) - np.nanmin(values))
        drawn: set[str] = set()
        with style_context():
            if ax is None:
                ax = new_axes((6.5, 1.0 + 0.36 * len(columns)))
            ax.axvline(0, color="0.6", linewidth=0.8, zorder=0.5)
            for place, column in enumerate(columns):
                ax.axhline(place, color="0.9", linewidth=0.6, zorder=0.4)
                shap = self.explanation.values[column].to_numpy()
                known = np.isfinite(shap)
                if known.any():
                    own = self.explanation.data[column][known]
                    drawn |= self._draw_row(ax, shap[known], own, place + swarm(shap[known], span=span))
            ax.set_yticks(range(len(columns)), labels)
            ax.tick_params(axis="y", length=0)
            ax.set_ylim(len(columns) - 0.4, -0.6)
            ax.margins(x=0.05)
            left_out = self.explanation.values.shape[1] - len(columns)
            ax.set_xlabel(
                shap_axis_label(self.explanation) + (f"; {left_out} less important not shown" if left_out else "")
            )
            self._dress(ax, drawn)
        self.ax_ = ax
        self.figure_ = figure_of(ax)
        return self

    @staticmethod
    def _draw_row(ax: Axes, shap: np.ndarray, own: pd.Series, places: np.ndarray) -> set[str]:
        numbers = numbers_of(own)
        if numbers is None:
            ax.scatter(shap, places, s=POINT, color=_CATEGORY, linewidths=0)
            return {"category"}
        told = np.isfinite(numbers)
        rank = pd.Series(numbers[told]).rank(pct=True).to_numpy()
        # A column in which all are alike lies in the middle, not at the upper end.
        rank = (rank - rank.min()) / (np.ptp(rank) or 1.0) if np.ptp(rank) else np.full(len(rank), 0.5)
        ax.scatter(shap[told], places[told], s=POINT, c=rank, cmap=value_colours(), vmin=0, vmax=1, linewidths=0)
        if not told.all():
            draw_gaps(ax, shap[~told], places[~told])
        return {"gap"} if not told.all() else set()

    def _dress(self, ax: Axes, drawn: set[str]) -> None:
        bar = figure_of(ax).colorbar(
            ScalarMappable(Normalize(0, 1), value_colours()), ax=ax, ticks=[0, 1], aspect=30, fraction=0.04, pad=0.02
        )
        bar.ax.set_yticklabels(["low", "high"])
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
        bar.set_label("Value, by rank", labelpad=-6)
        handles = []
        if "gap" in drawn:
            handles.append(handle("not measured", gap=True))
        if "category" in drawn:
            handles.append(handle("category (no order)", color=_CATEGORY))
        if handles:
            ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, handletextpad=0.1)
