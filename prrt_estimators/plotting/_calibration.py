"""Observed against predicted frequency of long PFS."""

from __future__ import annotations

import textwrap
import warnings
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._classes import as_target, check_same_order, probability_of_long
from prrt_estimators.metrics import (
    calibration_intercept_slope,
    integrated_calibration_index,
    loess_calibration,
)
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import OKABE_ITO, model_label


class CalibrationDisplay(AxesDisplay):
    """Calibration curve: groups of patients with 95 % intervals, a smooth curve, and where the predictions lie.

    Make it with :meth:`from_predictions` or :meth:`from_estimator`.

    Parameters
    ----------
    groups : DataFrame
        ``predicted``, ``observed``, ``lower``, ``upper``, ``n``, one row per group of patients.
    smooth : DataFrame
        ``predicted``, ``observed`` of the smooth curve.
    p_short, p_long : ndarray
        Predicted probabilities of the patients with short and with long PFS.
    intercept, slope, ici : float
        Calibration intercept, slope and integrated calibration index.
    name : str
        Name of the model.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure that holds it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(200)
    >>> display = CalibrationDisplay.from_predictions(rng.random(200) < p, p, n_groups=4)
    >>> display.frame().query("kind == 'group'")["n"].tolist()
    [50, 50, 50, 50]
    >>> figure = display.figure_
    """

    _square: ClassVar[bool] = True

    def __init__(
        self,
        groups: pd.DataFrame,
        smooth: pd.DataFrame,
        *,
        p_short: np.ndarray,
        p_long: np.ndarray,
        intercept: float,
        slope: float,
        ici: float,
        name: str,
    ):
        self.groups = groups
        self.smooth = smooth
        self.p_short = p_short
        self.p_long = p_long
        self.intercept = intercept
        self.slope = slope
        self.ici = ici
        self.name = name

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, p_long: ArrayLike, *, n_groups: int = 5, name: str = "model", ax: Axes | None = None
    ) -> CalibrationDisplay:
        """Compare probabilities with what happened.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            1 = long PFS, 0 = short PFS.
        p_long : array-like of shape (n,)
            Probability of long PFS from models that did not see the patient.
        n_groups : int, default=5
            Groups of equal size by predicted probability; ties stay together, so there may be fewer.
        name : str, default="model"
            Name of the model.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        CalibrationDisplay
            Groups carry Wilson's 95 % intervals; the smooth curve is
            :func:`~prrt_estimators.metrics.loess_calibration`.

        Raises
        ------
        ValueError
            If labels are not 0/1, probabilities leave 0..1, lengths differ, or `n_groups` is below 1.
        """
        if n_groups < 1:
            raise ValueError(f"`n_groups` must be at least 1; got {n_groups}. Pass e.g. 5.")
        check_same_order(y_true, p_long, ("y_true", "p_long"))
        y_true = as_target(y_true)
        with warnings.catch_warnings():
            # What is undefined is left out of the plot's text, which says enough.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            line = calibration_intercept_slope(y_true, p_long)
            ici = integrated_calibration_index(y_true, p_long)
        y, p = y_true.astype(np.int64), np.asarray(p_long, dtype=np.float64)
        grid = np.linspace(p.min(), p.max(), 101) if np.ptp(p) > 0 else p[:1]
        return cls(
            _groups(y, p, n_groups),
            pd.DataFrame({"predicted": grid, "observed": loess_calibration(y, p, at=grid)}),
            p_short=p[y == 0],
            p_long=p[y == 1],
            intercept=line.intercept,
            slope=line.slope,
            ici=ici,
            name=name,
        ).plot(ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, *, n_groups: int = 5, name: str | None = None, ax: Axes | None = None
    ) -> CalibrationDisplay:
        """Compare a fitted classifier's probabilities with what happened to patients it was not fitted on.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict_proba``.
        X : Cohort or array-like of shape (n, ...)
            Test patients.
        y : array-like of shape (n,)
            1 = long PFS, 0 = short PFS.
        n_groups : int, default=5
            As in :meth:`from_predictions`.
        name : str, default=None
            For the legend; the name of the class if None.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        CalibrationDisplay
        """
        check_same_order(X, y, ("X", "y"))
        p_long = probability_of_long(estimator, X)
        return cls.from_predictions(y, p_long, n_groups=n_groups, name=name or type(estimator).__name__, ax=ax)

    def frame(self) -> pd.DataFrame:
        """Return the points drawn: ``kind`` ("group", "smooth"), ``predicted``, ``observed``, ``lower``, ``upper``, ``n``."""
        smooth = self.smooth.assign(kind="smooth", lower=np.nan, upper=np.nan, n=0)
        table = pd.concat([self.groups.assign(kind="group"), smooth[[*self.groups.columns, "kind"]]], ignore_index=True)
        return table[["kind", *table.columns.drop("kind")]]

    def _size(self) -> tuple[float, float]:
        return 6.0, 3.6

    def _draw(self, ax: Axes) -> None:
        colour = OKABE_ITO["blue"]
        ax.plot((0, 1), (0, 1), color="0.6", linewidth=1, label="Ideal")
        ax.plot(self.smooth["predicted"], self.smooth["observed"], color=colour, label="Smooth (loess)")
        observed = self.groups["observed"]
        reach = np.clip([observed - self.groups["lower"], self.groups["upper"] - observed], 0, None)
        ax.errorbar(
            self.groups["predicted"],
            observed,
            yerr=reach,
            fmt="o",
            color="black",
            markersize=4,
            elinewidth=1,
            label="Groups (95 % interval)",
        )
        # Ticks above for long and below for short PFS show which part of the curve rests on whom.
        ax.plot(self.p_long, np.full(len(self.p_long), 1.05), "|", color=OKABE_ITO["blue"], alpha=0.6, label="Long PFS")
        ax.plot(
            self.p_short,
            np.full(len(self.p_short), -0.05),
            "|",
            color=OKABE_ITO["vermillion"],
            alpha=0.6,
            label="Short PFS",
        )
        ax.set(
            xlim=(-0.01, 1.01),
            ylim=(-0.09, 1.09),
            aspect="equal",
            xlabel="Predicted probability of long PFS",
            ylabel="Observed frequency of long PFS",
        )
        legend = ax.legend(title=self._text(), loc="upper left", bbox_to_anchor=(1.02, 1.0), title_fontsize=8)
        legend.set_alignment("left")

    def _text(self) -> str:
        values = {"intercept": self.intercept, "slope": self.slope, "ICI": self.ici}
        lines = [f"{key} {value:.2f}" for key, value in values.items() if np.isfinite(value)]
        return "\n".join([textwrap.fill(model_label(self.name), 34), *lines])


def _groups(y: np.ndarray, p: np.ndarray, n_groups: int) -> pd.DataFrame:
    edges = np.unique(np.quantile(p, np.linspace(0, 1, n_groups + 1)[1:-1]))
    index = np.searchsorted(edges, p, side="left")
    rows = []
    for group in np.unique(index):
        member = index == group
        hits, n = int(y[member].sum()), int(member.sum())
        low, high = binomtest(hits, n).proportion_ci(method="wilson")
        rows.append((p[member].mean(), hits / n, low, high, n))
    return pd.DataFrame(rows, columns=["predicted", "observed", "lower", "upper", "n"])
