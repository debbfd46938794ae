"""Estimates with intervals, one row per model."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from prrt_estimators.metrics._score import factor, score_title
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import OKABE_ITO, model_label


class ForestPlotDisplay(AxesDisplay):
    """Points with intervals and a line of no effect; the numbers stand beside them.

    Make it with :meth:`from_summary`, or pass a table and call :meth:`plot`.

    Parameters
    ----------
    rows : DataFrame
        ``label``, ``value``, ``low``, ``high``; ``colour`` (a name of `OKABE_ITO`) where there is one.
    line : float, default=None
        Value of chance, or of no difference.
    xlabel : str, default=""
        What the values are.
    limits : pair of floats, default=None
        Ends of the axis; from the intervals if None.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> rows = pd.DataFrame({"label": ["labs", "PET"], "value": [0.7, 0.6], "low": [0.6, 0.5], "high": [0.8, 0.7]})
    >>> display = ForestPlotDisplay(rows, line=0.5, xlabel="AUROC").plot()
    >>> display.frame()["value"].tolist()
    [0.7, 0.6]
    >>> figure = display.figure_
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        *,
        line: float | None = None,
        xlabel: str = "",
        limits: tuple[float, float] | None = None,
    ):
        self.rows = rows
        self.line = line
        self.xlabel = xlabel
        self.limits = limits

    @classmethod
    def from_summary(
        cls,
        summary: pd.DataFrame,
        *,
        score: str = "auroc",
        difference: bool = False,
        ax: Axes | None = None,
    ) -> ForestPlotDisplay:
        """Draw one score of a comparison with its corrected intervals.

        Parameters
        ----------
        summary : DataFrame
            From ``ModelComparison.summary()``.
        score : str, default="auroc"
            Which score.
        difference : bool, default=False
            Draw the differences from the reference in place of the scores.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        ForestPlotDisplay

        Raises
        ------
        ValueError
            If the summary does not hold the score.
        """
        names = [f"{score}_difference{end}" for end in ("", "_low", "_high")] if difference else [
            f"{score}_{name}" for name in ("mean", "low", "high")
        ]  # fmt: skip
        missing = [name for name in names if name not in summary.columns]
        if missing:
            raise ValueError(f"`summary` lacks the column(s) {', '.join(missing)}; pass one of its scores.")
        sign = factor(score)
        values = sign * summary[names].astype(float)
        rows = pd.DataFrame(
            {
                "label": [model_label(str(name)) for name in summary.index],
                "value": values.iloc[:, 0].to_numpy(),
                "low": values.iloc[:, [1, 2]].min(axis=1, skipna=False).to_numpy(),
                "high": values.iloc[:, [1, 2]].max(axis=1, skipna=False).to_numpy(),
            }
        )
        rows = rows[rows["value"].notna()].reset_index(drop=True)
        title = score_title(score)
        if difference:
            reference = model_label(str(summary["reference"].iloc[0]))
            return cls(rows, line=0.0, xlabel=f"Difference of {title} from {reference}, 95 % interval").plot(ax)
        chance = summary.get(f"{score}_chance", pd.Series([np.nan])).iloc[0]
        line = None if np.isnan(chance) else float(sign * chance)
        return cls(rows, line=line, xlabel=f"{title}, 95 % interval").plot(ax)

    def frame(self) -> pd.DataFrame:
        """Return the numbers drawn: ``label``, ``value``, ``low``, ``high``."""
        return self.rows[["label", "value", "low", "high"]].copy()

    def _size(self) -> tuple[float, float]:
        return 7.0, 0.9 + 0.27 * max(len(self.rows), 1)

    def _draw(self, ax: Axes) -> None:
        rows = self.rows
        places = np.arange(len(rows))
        if self.line is not None:
            ax.axvline(self.line, color="0.45", linestyle="--", linewidth=1, zorder=0.5)
        colours = [OKABE_ITO[name] for name in rows.get("colour", pd.Series(["blue"] * len(rows)))]
        numbers = rows[["value", "low", "high"]].to_numpy(dtype=float)
        for place, (value, low, high), colour in zip(places, numbers, colours, strict=True):
            text = f"{value:.2f}"
            if np.isfinite(low) and np.isfinite(high):
                ax.plot([low, high], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
                text += f" ({low:.2f} to {high:.2f})"
            ax.plot(value, place, "s", color=colour, markersize=4.5)
            ax.annotate(
                text.replace("-", "−"), (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8,
                annotation_clip=False,
            )  # fmt: skip
        ax.set_yticks(places, [textwrap.fill(str(label), 38) for label in rows["label"]])
        ax.tick_params(axis="y", length=0)
        ax.set(ylim=(max(len(rows), 1) - 0.5, -0.5), xlabel=self.xlabel, xlim=self._limits())

    def _limits(self) -> tuple[float, float]:
        if self.limits is not None:
            return self.limits
        shown = self.rows[["value", "low", "high"]].to_numpy(dtype=float).ravel()
        shown = np.append(shown, [] if self.line is None else [self.line])
        known = shown[np.isfinite(shown)]
        if not len(known):
            return 0.0, 1.0
        room = 0.04 * max(float(np.ptp(known)), 0.05)
        return float(known.min() - room), float(known.max() + room)
