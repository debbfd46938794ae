"""Pictures of predicted times: curves of patients, AUC over time, calibration at a horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from prrt_estimators.metrics import survival_calibration, survival_curves
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._months import set_months
from prrt_estimators.plotting._style import OKABE_ITO, line_style, model_label


class SurvivalCurvesDisplay(AxesDisplay):
    """Predicted curves of patients: the probability of being free of progression over time.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    times : ndarray of shape (m,)
        Months.
    curves : ndarray of shape (n, m)
        Probabilities.
    names : sequence of str
        Of the patients.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> display = SurvivalCurvesDisplay(np.array([0.0, 6.0]), np.array([[1.0, 0.5]]), ["a"]).plot()
    >>> display.frame()["survival"].tolist()
    [1.0, 0.5]
    """

    def __init__(self, times: np.ndarray, curves: np.ndarray, names: Sequence[str]):
        self.times = times
        self.curves = curves
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, times: ArrayLike | None = None, ax: Axes | None = None
    ) -> SurvivalCurvesDisplay:
        """Curves that a fitted survival model predicts.

        Parameters
        ----------
        estimator : fitted estimator
            With ``predict_survival_function``; a pipeline or search of one too.
        X : Cohort, DataFrame or array
            A few patients, best such that the model was not fitted on.
        times : array-like of shape (m,), default=None
            Months; 0 to 36 if None.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        SurvivalCurvesDisplay
        """
        moments = np.linspace(0, 36, 73) if times is None else np.atleast_1d(np.asarray(times, dtype=np.float64))
        curves = survival_curves(estimator, X, moments)
        names = getattr(X, "ids", getattr(X, "index", range(len(curves))))
        return cls(moments, curves, [str(name) for name in names]).plot(ax)

    def frame(self) -> pd.DataFrame:
        """Return the points drawn: ``patient``, ``time`` (months), ``survival``."""
        return pd.DataFrame(
            {
                "patient": np.repeat(list(self.names), len(self.times)),
                "time": np.tile(self.times, len(self.curves)),
                "survival": self.curves.ravel(),
            }
        )

    def _size(self) -> tuple[float, float]:
        return 5.6, 3.6

    def _draw(self, ax: Axes) -> None:
        for k, (name, curve) in enumerate(zip(self.names, self.curves, strict=True)):
            ax.plot(self.times, curve, label=name, **line_style(k))
        ax.set(ylim=(0, 1.02), ylabel="P(progression-free)")
        set_months(ax, float(np.max(self.times)))
        if len(self.names) <= 10:
            ax.legend(title="patient")


class TimeAUCDisplay(AxesDisplay):
    """Cumulative/dynamic AUC over time, by model.

    Parameters
    ----------
    times : ndarray of shape (m,)
        Months.
    curves : mapping of str to ndarray of shape (m,)
        AUC by model; NaN where it is not known.
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
    >>> display = TimeAUCDisplay(np.array([6.0, 12.0]), {"time_lab": np.array([0.7, 0.6])}, horizon=12.0).plot()
    >>> display.frame()
          model  time  auc
    0  time_lab   6.0  0.7
    1  time_lab  12.0  0.6
    """

    def __init__(self, times: np.ndarray, curves: Mapping[str, np.ndarray], *, horizon: float | None = None):
        self.times = times
        self.curves = curves
        self.horizon = horizon

    def frame(self) -> pd.DataFrame:
        """Return the points drawn: ``model``, ``time`` (months), ``auc``."""
        parts = [pd.DataFrame({"model": name, "time": self.times, "auc": auc}) for name, auc in self.curves.items()]
        return pd.concat(parts, ignore_index=True)

    def _size(self) -> tuple[float, float]:
        return 6.4, 3.8

    def _draw(self, ax: Axes) -> None:
        for k, (name, auc) in enumerate(self.curves.items()):
            ax.plot(self.times, auc, label=model_label(name), **line_style(k))
        ax.axhline(0.5, color="0.5", linestyle=":", linewidth=1)
        if self.horizon is not None:
            ax.axvline(self.horizon, color="0.35", linestyle="--", linewidth=1)
        ax.set(ylim=(0, 1.02), ylabel="AUC of progression by then")
        set_months(ax, max(self.horizon or 0.0, float(np.max(self.times))))
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


class SurvivalCalibrationDisplay(AxesDisplay):
    """Predicted against observed probability of being free of progression at a horizon, by groups of patients.

    Make it with :meth:`from_predictions`.

    Parameters
    ----------
    groups : DataFrame
        As `survival_calibration` returns it.
    horizon : float
        Months.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> y = {"event": [1, 1, 0, 1, 1, 0], "time": [2.0, 5.0, 20.0, 14.0, 9.0, 30.0]}
    >>> display = SurvivalCalibrationDisplay.from_predictions(y, [0.2, 0.2, 0.3, 0.8, 0.7, 0.9], 12.0, n_groups=2)
    >>> display.frame()["n"].tolist()
    [3, 3]
    """

    def __init__(self, groups: pd.DataFrame, horizon: float):
        self.groups = groups
        self.horizon = horizon

    @classmethod
    def from_predictions(
        cls, y_true: Any, survival_at_horizon: ArrayLike, horizon: float, *, n_groups: int = 4, ax: Axes | None = None
    ) -> SurvivalCalibrationDisplay:
        """Groups of out-of-fold predictions.

        Parameters
        ----------
        y_true : structured array of shape (n,)
            ``event`` and ``time`` (months).
        survival_at_horizon : array-like of shape (n,)
            *Out-of-fold* P(PFS > horizon).
        horizon : float
            Months.
        n_groups : int, default=4
            Groups of about equal size.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        SurvivalCalibrationDisplay
        """
        return cls(survival_calibration(y_true, survival_at_horizon, horizon, n_groups=n_groups), horizon).plot(ax)

    def frame(self) -> pd.DataFrame:
        """Return the groups drawn: ``n``, ``predicted``, ``observed``, ``low``, ``high``."""
        return self.groups

    def _size(self) -> tuple[float, float]:
        return 4.2, 4.0

    def _draw(self, ax: Axes) -> None:
        ax.plot([0, 1], [0, 1], color="0.5", linestyle=":", linewidth=1)
        known = self.groups.dropna(subset=["observed"])
        reach = np.array([known["observed"] - known["low"], known["high"] - known["observed"]])
        ax.errorbar(
            known["predicted"],
            known["observed"],
            yerr=np.nan_to_num(reach).clip(0),
            fmt="o",
            color=OKABE_ITO["blue"],
        )
        counts = ", ".join(str(one) for one in known.sort_values("predicted")["n"])
        # Above the axes, where no interval runs through it, and in one line, as groups can lie close together.
        ax.set_title(f"patients from left to right: {counts}", fontsize=8, loc="left")
        ax.set(
            xlim=(0, 1),
            ylim=(0, 1),
            xlabel=f"Predicted P(PFS > {self.horizon:g} months)",
            ylabel="Observed (Kaplan-Meier)",
        )
