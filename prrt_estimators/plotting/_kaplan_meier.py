"""Kaplan-Meier curves of a cohort, whole or by predicted class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from prrt_estimators._events import as_events
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._months import month_ticks
from prrt_estimators.plotting._style import OKABE_ITO

_SHORT, _LONG = "predicted short PFS", "predicted long PFS"
_COLOURS = {_SHORT: OKABE_ITO["vermillion"], _LONG: OKABE_ITO["blue"]}


class KaplanMeierDisplay(AxesDisplay):
    """Kaplan-Meier curves with the horizon, 95 % bands, marks of censoring and numbers at risk.

    Make it with :meth:`from_survival` or :meth:`from_predictions`. There is no ``from_estimator``: a fitted model
    separates its own training patients however little it knows, so groups come from out-of-fold predictions.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        By group: ``time``, ``survival``, ``lower``, ``upper``, ``at_risk``, ``events``, ``censored``.
    horizon : float or None
        Months that divide short from long PFS.
    logrank_p : float, default=NaN
        Descriptive log-rank p value of two groups.
    min_at_risk : float, default=0.0
        The axis ends where fewer than this share of all patients are at risk.

    Attributes
    ----------
    at_risk_ : DataFrame of shape (groups, ticks)
        Numbers printed under the plot, by month.
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> survival = np.array([(True, 5.0), (True, 14.0), (False, 20.0)], dtype=[("event", bool), ("time", float)])
    >>> display = KaplanMeierDisplay.from_survival(survival)
    >>> display.frame()[["time", "survival", "at_risk"]].round(2)
       time  survival  at_risk
    0   0.0      1.00        3
    1   5.0      0.67        3
    2  14.0      0.33        2
    3  20.0      0.33        1
    >>> figure = display.figure_
    """

    at_risk_: pd.DataFrame

    def __init__(
        self,
        curves: Mapping[str, pd.DataFrame],
        *,
        horizon: float | None,
        logrank_p: float = float("nan"),
        min_at_risk: float = 0.0,
    ):
        self.curves = curves
        self.horizon = horizon
        self.logrank_p = logrank_p
        self.min_at_risk = min_at_risk

    @classmethod
    def from_survival(
        cls,
        survival: np.ndarray,
        *,
        horizon: float | None = 12.0,
        name: str = "all patients",
        min_at_risk: float = 0.0,
        ax: Axes | None = None,
    ) -> KaplanMeierDisplay:
        """Curve of the whole cohort.

        Parameters
        ----------
        survival : structured array of shape (n,)
            Fields ``event`` (progression seen) and ``time`` (months), e.g. ``X.survival``.
        horizon : float, default=12.0
            Months that divide short from long PFS; ``None`` draws no line.
        name : str, default="all patients"
            Name of the group.
        min_at_risk : float, default=0.0
            The axis ends where fewer than this share of the patients are at risk.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        KaplanMeierDisplay

        Raises
        ------
        TypeError
            If `survival` is not a structured array.
        ValueError
            If it is empty, or a time is missing or negative.
        """
        event, time = _check_survival(survival)
        curves = {name: _curve(time, event)}
        return cls(curves, horizon=_check_horizon(horizon), min_at_risk=min_at_risk).plot(ax)

    @classmethod
    def from_groups(
        cls,
        survival: np.ndarray,
        groups: ArrayLike,
        *,
        order: Sequence[str] | None = None,
        horizon: float | None = 12.0,
        min_at_risk: float = 0.0,
        ax: Axes | None = None,
    ) -> KaplanMeierDisplay:
        """Curves of groups of patients, such as groups of risk whose cut points come from other patients.

        Parameters
        ----------
        survival : structured array of shape (n,)
            Fields ``event`` (progression seen) and ``time`` (months), e.g. ``X.survival``.
        groups : array-like of shape (n,)
            Name of the group of each patient.
        order : sequence of str, default=None
            Names in the order of the legend; that in which they first occur if None. A group without patients is left out.
        horizon : float, default=12.0
            Months that divide short from long PFS; ``None`` draws no line.
        min_at_risk : float, default=0.0
            The axis ends where fewer than this share of the patients are at risk.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        KaplanMeierDisplay
            Without a log-rank test.

        Raises
        ------
        TypeError
            If `survival` is not a structured array.
        ValueError
            If lengths differ, or a time is missing or negative.
        """
        event, time = _check_survival(survival)
        labels = np.asarray(groups).astype(str)
        if labels.shape != time.shape:
            raise ValueError(f"`groups` must name a group for each of {len(time)} patients; got shape {labels.shape}.")
        present = list(dict.fromkeys(labels.tolist()))
        names = present if order is None else [name for name in order if name in present]
        curves = {name: _curve(time[labels == name], event[labels == name]) for name in names}
        return cls(curves, horizon=_check_horizon(horizon), min_at_risk=min_at_risk).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        survival: np.ndarray,
        p_long: ArrayLike,
        *,
        threshold: float = 0.5,
        horizon: float | None = 12.0,
        ax: Axes | None = None,
    ) -> KaplanMeierDisplay:
        """Curves of the patients predicted short and predicted long.

        Parameters
        ----------
        survival : structured array of shape (n,)
            Fields ``event`` (progression seen) and ``time`` (months), e.g. ``X.survival``.
        p_long : array-like of shape (n,)
            *Out-of-fold* probability of long PFS, patients in the same order. Probabilities from a model fitted on
            the same patients make any model look good.
        threshold : float, default=0.5
            Patients with ``p_long >= threshold`` are predicted long.
        horizon : float, default=12.0
            Months that divide short from long PFS; ``None`` draws no line.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        KaplanMeierDisplay
            With ``logrank_p``, NaN if all patients are predicted alike. It is descriptive: the threshold and the model
            were made for this very outcome.

        Raises
        ------
        TypeError
            If `survival` is not a structured array.
        ValueError
            If lengths differ, a probability is not within 0..1, or a time is missing or negative.
        """
        event, time = _check_survival(survival)
        p = np.asarray(p_long, dtype=np.float64)
        if p.shape != time.shape or not ((p >= 0) & (p <= 1)).all():
            raise ValueError(
                f"`p_long` must hold a probability for each of {len(time)} patients; got shape {p.shape} with "
                f"{int((~((p >= 0) & (p <= 1))).sum())} values outside 0..1. Leave out patients without a prediction."
            )
        long = p >= threshold
        groups = {_LONG: long, _SHORT: ~long}
        curves = {name: _curve(time[member], event[member]) for name, member in groups.items() if member.any()}
        logrank_p = float("nan")
        if len(curves) == 2:
            logrank_p = float(logrank_test(time[long], time[~long], event[long], event[~long]).p_value)
        return cls(curves, horizon=_check_horizon(horizon), logrank_p=logrank_p).plot(ax)

    def frame(self) -> pd.DataFrame:
        """Return the steps drawn.

        Returns
        -------
        DataFrame
            ``group``, ``time`` (months), ``survival`` with 95 % limits ``lower`` and ``upper``, and at each time the
            patients ``at_risk`` just before, ``events`` and ``censored``.
        """
        tables = [curve.assign(group=name) for name, curve in self.curves.items()]
        table = pd.concat(tables, ignore_index=True)
        return table[["group", *table.columns.drop("group")]]

    def survival_at(self, time: float) -> pd.Series:
        """Return the progression-free share of each group at `time` months; NaN beyond the last follow-up."""
        return pd.Series({name: _at(curve, time) for name, curve in self.curves.items()}, name="survival")

    def _size(self) -> tuple[float, float]:
        return 5.6, 3.6 + 0.34 * len(self.curves)

    def _draw(self, ax: Axes) -> None:
        last = self._last_time()
        n = max(int(curve["at_risk"].iloc[0]) for curve in self.curves.values())
        ticks = month_ticks(max(last, self.horizon or 0.0, 0.1), intervals=10 if n < 1000 else 6)
        for name, curve in self.curves.items():
            self._draw_curve(ax, name, curve)
        if self.horizon is not None:
            style: dict[str, Any] = {"color": "0.35", "linestyle": "--", "linewidth": 1}
            ax.axvline(self.horizon, zorder=0.5, label=f"horizon, {self.horizon:g} months", **style)
        if self.min_at_risk > 0:  # no tick beyond what is drawn, whose number would be at risk of nothing
            ticks = ticks[ticks <= max(last, self.horizon or 0.0)]
        end = max(last, self.horizon or 0.0, 0.1) if self.min_at_risk > 0 else ticks[-1]
        ax.set(xlim=(0, end), ylim=(0, 1.02), xlabel="Time (months)", ylabel="Progression-free survival")
        ax.set_xticks(ticks)
        # Above the plot, where no curve can run through it.
        legend = ax.legend(title=self._verdict() or None, loc="lower left", bbox_to_anchor=(0, 1.0), title_fontsize=8)
        legend.set_alignment("left")
        self._print_at_risk(ax, ticks)

    def _last_time(self) -> float:
        """Return the month where the axis ends: the last, or the last with enough patients at risk."""
        times = np.unique(np.concatenate([curve["time"] for curve in self.curves.values()]))
        if self.min_at_risk <= 0:
            return float(times[-1])
        n = sum(int(curve["at_risk"].iloc[0]) for curve in self.curves.values())
        at_risk = np.array([sum(_at_risk(curve, time) for curve in self.curves.values()) for time in times])
        return float(times[at_risk >= self.min_at_risk * n][-1])

    def _colour(self, name: str) -> str:
        if name in _COLOURS or len(self.curves) == 1:
            return _COLOURS.get(name, OKABE_ITO["blue"])
        order = ("vermillion", "blue", "green", "orange", "purple", "sky", "black")
        return OKABE_ITO[order[list(self.curves).index(name) % len(order)]]

    def _draw_curve(self, ax: Axes, name: str, curve: pd.DataFrame) -> None:
        colour = self._colour(name)
        n = int(curve["at_risk"].iloc[0])
        label = f"{name} (n = {n})"
        if self.horizon is not None:
            share = _at(curve, self.horizon)
            label = f"{name} (n = {n}; {self.horizon:g}-month PFS {100 * share:.0f} %)" if np.isfinite(share) else label
        ax.step(curve["time"], curve["survival"], where="post", color=colour, label=label)
        ax.fill_between(
            curve["time"], curve["lower"], curve["upper"], step="post", color=colour, alpha=0.15, linewidth=0
        )
        censored = curve[curve["censored"] > 0]
        ax.plot(censored["time"], censored["survival"], "|", color=colour, markersize=6, markeredgewidth=1)

    def _verdict(self) -> str:
        if np.isfinite(self.logrank_p):
            value = "< 0.001" if self.logrank_p < 0.001 else f"= {self.logrank_p:.3f}"
            return f"log-rank p {value} (descriptive)"
        if len(self.curves) == 1 and next(iter(self.curves)) in _COLOURS:
            return "one predicted class only: no log-rank test"
        return ""

    def _print_at_risk(self, ax: Axes, ticks: np.ndarray) -> None:
        self.at_risk_ = pd.DataFrame(
            {month: {name: _at_risk(curve, month) for name, curve in self.curves.items()} for month in ticks}
        )
        below: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": 8, "annotation_clip": False}
        # Clear of the first number, which is centred at month 0 and as wide as the cohort is large.
        left = -8 - 3 * len(str(self.at_risk_.to_numpy().max()))
        ax.annotate("Number at risk", (0, 0), (left, -34), xycoords="axes fraction", ha="right", **below)
        for line, name in enumerate(self.curves):
            y = -46 - 12 * line
            colour = self._colour(name)
            ax.annotate(name, (0, 0), (left, y), xycoords="axes fraction", ha="right", color=colour, **below)
            for month in ticks:
                number = str(self.at_risk_.loc[name, month])
                ax.annotate(number, (month, 0), (0, y), xycoords=("data", "axes fraction"), ha="center", **below)


def _curve(time: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    fitter = KaplanMeierFitter().fit(time, event)
    limits, counts = fitter.confidence_interval_, fitter.event_table
    return pd.DataFrame(
        {
            "time": counts.index.to_numpy(dtype=np.float64),
            "survival": fitter.survival_function_.iloc[:, 0].to_numpy(),
            "lower": limits.iloc[:, 0].to_numpy(),
            "upper": limits.iloc[:, 1].to_numpy(),
            "at_risk": counts["at_risk"].to_numpy(dtype=np.int64),
            "events": counts["observed"].to_numpy(dtype=np.int64),
            "censored": counts["censored"].to_numpy(dtype=np.int64),
        }
    )


def _at(curve: pd.DataFrame, time: float) -> float:
    if time > curve["time"].iloc[-1] and curve["survival"].iloc[-1] > 0:
        return float("nan")
    return float(curve["survival"][curve["time"] <= time].iloc[-1])


def _at_risk(curve: pd.DataFrame, time: float) -> int:
    """Patients still followed and free of progression just before `time`."""
    left = curve[curve["time"] < time]
    return int(curve["at_risk"].iloc[0] - (left["events"] + left["censored"]).sum())


def _check_survival(survival: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    names = getattr(getattr(survival, "dtype", None), "names", None)
    if names is None or not {"event", "time"} <= set(names):
        raise TypeError(
            "`survival` must be a structured array with fields 'event' (bool) and 'time' (months), as X.survival; "
            f"got {type(survival).__name__}."
        )
    event, time = as_events(survival["event"], "survival['event']"), survival["time"].astype(np.float64)
    if len(time) == 0:
        raise ValueError("`survival` is empty; a Kaplan-Meier curve needs at least one patient.")
    wrong = np.flatnonzero(~(np.isfinite(time) & (time >= 0)))
    if len(wrong):
        raise ValueError(
            f"`survival` must hold times of 0 months or more; row {wrong[0]} has {time[wrong[0]]}. "
            "Correct it, or leave the patient out."
        )
    return event, time


def _check_horizon(horizon: float | None) -> float | None:
    if horizon is not None and not horizon > 0:
        raise ValueError(f"`horizon` must be a positive number of months; got {horizon}. Pass e.g. 12.")
    return horizon
