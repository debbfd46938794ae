"""Bars of the coefficients of a linear model, the prior's part in them, and what each block adds."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from prrt_estimators.inspection import block_contributions, coefficient_table
from prrt_estimators.inspection._explained_models import innermost
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import OKABE_ITO
from prrt_estimators.plotting._value_points import column_labels

_UNITS = {"time": "log hazard", "class": "log odds"}


class CoefficientDisplay(AxesDisplay):
    """Bars of what each column of a linear model does, coloured by block.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    table : DataFrame
        Of :func:`~prrt_estimators.inspection.coefficient_table`.
    blocks : DataFrame or None, default=None
        Of :func:`~prrt_estimators.inspection.block_contributions`; its shares stand in the legend.
    unit : str, default="log hazard"
        What the coefficients are effects on.
    max_display : int, default=20
        Bars drawn, those of the largest effect.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> from prrt_estimators.estimators import CoxPFSClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(90, 2)), columns=["cga", "noise"])
    >>> months = 16 * np.exp(-X["cga"]) * rng.exponential(size=90)
    >>> model = CoxPFSClassifier(prior="published").fit(X, months > 12, time=months)
    >>> display = CoefficientDisplay.from_estimator(model)
    >>> display.frame()[["label", "coef"]].round(1).to_dict("list")
    {'label': ['Chromogranin A', 'Noise'], 'coef': [-0.9, -0.0]}
    """

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        blocks: pd.DataFrame | None = None,
        unit: str = "log hazard",
        max_display: int = 20,
    ):
        self.table = table
        self.blocks = blocks
        self.unit = unit
        self.max_display = max_display

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any = None, *, max_display: int = 20, ax: Axes | None = None
    ) -> CoefficientDisplay:
        """Bars of a fitted model.

        Parameters
        ----------
        estimator : CoxPFSClassifier, BlockFusionPFSClassifier or survival model, fitted
            As of `coefficient_table`; or a search or pipeline that ends in one.
        X : Cohort, mapping, DataFrame or array, default=None
            Patients for whom the shares of the blocks are measured; used by a model of blocks.
        max_display : int, default=20
            Bars drawn, those of the largest effect.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        CoefficientDisplay

        Raises
        ------
        TypeError
            If the model has no coefficients.
        ValueError
            If `max_display` is below 1.
        """
        if isinstance(max_display, bool) or not isinstance(max_display, (int, np.integer)) or max_display < 1:
            raise ValueError(f"`max_display` must be a whole number of at least 1; got {max_display!r}.")
        table = coefficient_table(estimator)
        model = innermost(estimator)
        blocks = None if X is None or not hasattr(model, "block_scores") else block_contributions(model, X)
        return cls(
            table, blocks=blocks, unit=_UNITS[getattr(model, "learnt_from_", "time")], max_display=int(max_display)
        ).plot(ax)

    def frame(self) -> pd.DataFrame:
        """Return the numbers drawn, largest effect first: those of the table, and ``label``."""
        order = np.argsort(-self.table["coef"].abs().to_numpy(), kind="stable")[: self.max_display]
        labels = column_labels(list(self.table["column"].unique()))
        shown = self.table.iloc[order].reset_index(drop=True)
        return shown.assign(label=[labels[name] for name in shown["column"]])

    def _size(self) -> tuple[float, float]:
        return 6.5, 1.1 + 0.26 * len(self.frame())

    def _draw(self, ax: Axes) -> None:
        shown = self.frame()
        names = list(dict.fromkeys(self.table["block"]))
        colors = dict(
            zip(names, [color for name, color in OKABE_ITO.items() if name != "black"] * len(names), strict=False)
        )
        places = np.arange(len(shown))
        ax.barh(places, shown["coef"], height=0.7, color=[colors[name] for name in shown["block"]])
        if (self.table["direction"] != 0).any():
            ax.barh(places, shown["prior"], height=0.7, facecolor="none", edgecolor="black", linewidth=1)
            ax.plot(shown["without_prior"], places, "d", color="black", markersize=4, markerfacecolor="white")
        ax.axvline(0, color="0.2", linewidth=0.8)
        ax.set_yticks(places, [textwrap.shorten(label, 44, placeholder=" ...") for label in shown["label"]])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        hidden = len(self.table) - len(shown)
        more = f"; {hidden} smaller ones not shown" if hidden else ""
        ax.set_xlabel(f"Effect of one SD on the {self.unit}; right: long PFS{more}")
        handles = self._handles(names, colors)
        if handles:
            ax.legend(handles=handles, loc="best")

    def _handles(self, names: list[str], colors: dict[str, str]) -> list[Any]:
        share = {} if self.blocks is None else dict(zip(self.blocks["block"], self.blocks["share"], strict=True))
        handles: list[Any] = [
            Patch(
                facecolor=colors[name],
                label=f"{name}: {share[name]:.0%} of the spread" if np.isfinite(share.get(name, np.nan)) else name,
            )
            for name in names
            if name
        ]
        if (self.table["direction"] != 0).any():
            handles.append(Patch(facecolor="none", edgecolor="black", label="published directions"))
            handles.append(
                Line2D(
                    [], [], linestyle="none", marker="d", color="black", markerfacecolor="white", label="without them"
                )
            )
        return handles
