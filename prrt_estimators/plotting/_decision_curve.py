"""Decision curves: net benefit of acting on a model, over thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from prrt_estimators._classes import as_target, check_all_in_order, check_same_order, probability_of_long
from prrt_estimators.metrics import net_benefit
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import line_style, model_label

#: Thresholds that are drawn where none are given.
THRESHOLDS = np.linspace(0.05, 0.95, 91)


class DecisionCurveDisplay(AxesDisplay):
    """Net benefit of treating the patients whose probability of long PFS reaches a threshold, beside treating all or none.

    Make it with :meth:`from_predictions` or :meth:`from_estimator`.

    Parameters
    ----------
    curves : DataFrame
        ``threshold``, ``treat_all``, ``treat_none`` and one column per model.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> display = DecisionCurveDisplay.from_predictions([0, 0, 1, 1], {"lab": [0.1, 0.6, 0.4, 0.9]}, thresholds=[0.3, 0.5])
    >>> display.frame().round(3)
       threshold  treat_all  treat_none    lab
    0        0.3      0.286         0.0  0.393
    1        0.5      0.000         0.0  0.000
    >>> figure = display.figure_
    """

    def __init__(self, curves: pd.DataFrame):
        self.curves = curves

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        p_long: ArrayLike | Mapping[str, ArrayLike],
        *,
        thresholds: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        name: str = "model",
        ax: Axes | None = None,
    ) -> DecisionCurveDisplay:
        """Compute net benefit over thresholds.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            1 = long PFS, 0 = short PFS.
        p_long : array-like of shape (n,), or mapping of model to such
            Probability of long PFS from models that did not see the patient.
        thresholds : array-like, default=None
            0.05 to 0.95 in steps of 0.01 if None.
        sample_weight : array-like of shape (n,), default=None
            Weight of each patient.
        name : str, default="model"
            Name of the model where there is one.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        DecisionCurveDisplay
        """
        given: dict[str, Any] = dict(p_long) if isinstance(p_long, Mapping) else {name: p_long}
        at = THRESHOLDS if thresholds is None else thresholds
        curves = None
        for model, p in given.items():
            check_all_in_order(y_true=y_true, p_long=p, sample_weight=sample_weight)
            found = net_benefit(as_target(y_true), p, at, sample_weight=sample_weight)
            curves = found.drop(columns="model") if curves is None else curves
            curves[str(model)] = found["model"]
        if curves is None:
            raise ValueError("`p_long` names no model; pass the probabilities of at least one.")
        return cls(curves[["threshold", "treat_all", "treat_none", *map(str, given)]]).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        thresholds: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> DecisionCurveDisplay:
        """Compute the net benefit of a fitted classifier on patients it was not fitted on.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict_proba``.
        X : Cohort or array-like of shape (n, ...)
            Test patients.
        y : array-like of shape (n,)
            1 = long PFS, 0 = short PFS.
        thresholds : array-like, default=None
            As in :meth:`from_predictions`.
        name : str, default=None
            For the legend; the name of the class if None.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        DecisionCurveDisplay
        """
        check_same_order(X, y, ("X", "y"))
        p_long = probability_of_long(estimator, X)
        return cls.from_predictions(y, {name or type(estimator).__name__: p_long}, thresholds=thresholds, ax=ax)

    def frame(self) -> pd.DataFrame:
        """Return the numbers drawn: ``threshold``, ``treat_all``, ``treat_none`` and one column per model."""
        return self.curves.copy()

    def _size(self) -> tuple[float, float]:
        return 6.0, 3.4

    def _draw(self, ax: Axes) -> None:
        at = self.curves["threshold"]
        models = [name for name in self.curves.columns if name not in ("threshold", "treat_all", "treat_none")]
        ax.plot(at, self.curves["treat_all"], color="0.45", linewidth=1, label="All treated")
        ax.axhline(0, color="black", linewidth=1, label="None treated")
        for k, name in enumerate(models):
            style: dict[str, Any] = line_style(k)
            ax.plot(at, self.curves[name], label=model_label(name), **style)
        # Far below zero a curve says only that it is no use.
        top = max(float(self.curves[["treat_all", *models]].max().max()), 0.05)
        ax.set(
            xlim=(float(at.min()), float(at.max())) if len(at) > 1 else None,
            ylim=(-0.25 * top, 1.1 * top),
            xlabel="Threshold: probability of long PFS from which on a patient is treated",
            ylabel="Net benefit",
        )
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
