"""Cumulative incidence of progression and of death without progression."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from prrt_estimators._survival import CAUSES, Incidence, aalen_johansen
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._months import set_months
from prrt_estimators.plotting._style import line_style


class CumulativeIncidenceDisplay(AxesDisplay):
    """Cumulative incidence of progression and of death without progression, by Aalen-Johansen.

    Make it with :meth:`from_causes`.

    Parameters
    ----------
    incidences : dict of str to Incidence
        By cause.
    horizon : float or None, default=None
        Months at which a line is drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> display = CumulativeIncidenceDisplay.from_causes([1.0, 2.0, 3.0, 4.0], [1, 2, 0, 1])
    >>> display.frame().query("cause == 'progression'")["incidence"].tolist()
    [0.25, 0.25, 0.75]
    """

    def __init__(self, incidences: dict[str, Incidence], *, horizon: float | None = None):
        self.incidences = incidences
        self.horizon = horizon

    @classmethod
    def from_causes(
        cls, time: ArrayLike, cause: ArrayLike, *, horizon: float | None = None, ax: Axes | None = None
    ) -> CumulativeIncidenceDisplay:
        """Estimate from the first event of each patient.

        Parameters
        ----------
        time : array-like of shape (n,)
            Months to the first event or to censoring.
        cause : array-like of shape (n,)
            0 censored, 1 progression, 2 death without progression.
        horizon : float or None, default=None
            Months at which a line is drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        CumulativeIncidenceDisplay

        Raises
        ------
        ValueError
            If the lengths differ, a time is negative or missing, or a cause is another number.
        """
        months, causes = np.asarray(time, dtype=np.float64), np.asarray(cause)
        if months.ndim != 1 or months.shape != causes.shape:
            raise ValueError(
                f"`time` and `cause` must have one value per patient; got {months.shape} and {causes.shape}."
            )
        if not (np.isfinite(months) & (months >= 0)).all():
            raise ValueError("`time` must hold months of at least 0 for every patient.")
        if not np.isin(causes, range(len(CAUSES))).all():
            raise ValueError(f"`cause` must be 0 ({CAUSES[0]}), 1 ({CAUSES[1]}) or 2 ({CAUSES[2]}) for every patient.")
        found = {name: aalen_johansen(months, causes, k) for k, name in enumerate(CAUSES) if k}
        return cls(found, horizon=horizon).plot(ax)

    def frame(self) -> pd.DataFrame:
        """Return the steps drawn: ``cause``, ``time`` (months), ``incidence``, ``low``, ``high``."""
        parts = [
            pd.DataFrame({"cause": name, "time": one.times, "incidence": one.values, "low": one.low, "high": one.high})
            for name, one in self.incidences.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def _size(self) -> tuple[float, float]:
        return 5.6, 3.8

    def _draw(self, ax: Axes) -> None:
        for k, (name, one) in enumerate(self.incidences.items()):
            times, style = np.concatenate([[0.0], one.times]), line_style(k)
            values, low, high = (np.concatenate([[0.0], part]) for part in (one.values, one.low, one.high))
            ax.step(times, values, where="post", label=f"{name} ({one.n_events})", **style)
            ax.fill_between(times, low, high, step="post", alpha=0.15, color=style["color"], linewidth=0)
        if self.horizon is not None:
            ax.axvline(
                self.horizon, color="0.35", linestyle="--", linewidth=1, label=f"horizon, {self.horizon:g} months"
            )
        ax.set(ylim=(0, 1), ylabel="Cumulative incidence")
        set_months(
            ax, max([self.horizon or 0.0, *(one.times[-1] for one in self.incidences.values() if len(one.times))])
        )
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0))
