"""ROC and precision-recall curves over all test folds, with a band."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.metrics import precision_recall_curve, roc_curve

from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import line_style, model_label

#: Places of the horizontal axis at which folds are averaged.
GRID = np.linspace(0, 1, 101)


class MeanRocDisplay(AxesDisplay):
    """Mean of the ROC curves of all test folds, with the band of one standard deviation between repeats.

    A curve of pooled probabilities would compare patients across models that are not on one scale; here each fold has
    its own curve, and sensitivities are averaged at the same share of false positives. The band is not a confidence
    interval.

    Parameters
    ----------
    curves : DataFrame
        ``model``, ``x``, ``mean``, ``sd``.
    chance : float, default=NaN
        Level of chance of the vertical axis, drawn where it is one number.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> found = pd.DataFrame({"model": "lab", "repeat": 0, "fold": [0] * 4 + [1] * 4, "y_true": [0, 0, 1, 1] * 2,
    ...                       "y_score": [0.1, 0.2, 0.8, 0.9, 0.1, 0.7, 0.6, 0.9]})
    >>> display = MeanRocDisplay.from_folds(found)
    >>> display.frame().query("x == 0.0")["mean"].round(2).tolist()
    [0.75]
    >>> figure = display.figure_
    """

    _square: ClassVar[bool] = True
    _labels: ClassVar[tuple[str, str]] = (
        "Short PFS called long (1 − specificity)",
        "Long PFS called long (sensitivity)",
    )

    def __init__(self, curves: pd.DataFrame, *, chance: float = float("nan")):
        self.curves = curves
        self.chance = chance

    @classmethod
    def from_folds(
        cls, predictions: pd.DataFrame, *, models: Iterable[str] | None = None, ax: Axes | None = None
    ) -> Self:
        """Average the curves of test folds.

        Parameters
        ----------
        predictions : DataFrame
            ``model``, ``repeat``, ``fold``, ``y_true``, ``y_score``, as in ``predictions.csv``. Folds with one class are
            left out.
        models : iterable of str, default=None
            Models to draw, in this order; None draws all.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Raises
        ------
        ValueError
            If no fold of a model holds both classes.
        """
        names = list(dict.fromkeys(predictions["model"])) if models is None else list(models)
        parts = []
        for name in names:
            own = predictions[predictions["model"] == name]
            found = [
                (place[0], cls._at_grid(fold["y_true"].to_numpy(), fold["y_score"].to_numpy()))
                for place, fold in own.groupby(["repeat", "fold"])
                if fold["y_true"].nunique() == 2
            ]
            if not found:
                raise ValueError(f"no test fold of {name!r} holds both classes; choose other models.")
            repeats = (
                pd.DataFrame([curve for _, curve in found]).groupby(np.array([repeat for repeat, _ in found])).mean()
            )
            sd = repeats.std(ddof=1).to_numpy() if len(repeats) > 1 else np.full(len(GRID), np.nan)
            parts.append(pd.DataFrame({"model": name, "x": GRID, "mean": repeats.mean().to_numpy(), "sd": sd}))
        return cls(pd.concat(parts, ignore_index=True), chance=cls._chance(predictions)).plot(ax)

    @staticmethod
    def _at_grid(y: np.ndarray, p: np.ndarray) -> np.ndarray:
        false, true, _ = roc_curve(y, p)
        # At a share of false positives with a vertical step, its upper end.
        values = np.interp(GRID, false, true)
        for place in np.flatnonzero(np.isin(GRID, false)):
            values[place] = true[false == GRID[place]].max()
        return values

    @staticmethod
    def _chance(predictions: pd.DataFrame) -> float:  # noqa: ARG004 - another display asks the predictions
        return float("nan")

    def frame(self) -> pd.DataFrame:
        """Return the numbers drawn: ``model``, ``x``, ``mean``, ``sd``."""
        return self.curves.copy()

    def _size(self) -> tuple[float, float]:
        return 6.0, 3.6

    def _draw(self, ax: Axes) -> None:
        if np.isfinite(self.chance):
            ax.axhline(self.chance, color="0.6", linewidth=1, label=f"share of long PFS {self.chance:.2f}")
        else:
            ax.plot((0, 1), (0, 1), color="0.6", linewidth=1, label="chance")
        for k, (name, own) in enumerate(self.curves.groupby("model", sort=False)):
            style: dict[str, Any] = line_style(k)
            ax.plot(own["x"], own["mean"], label=model_label(str(name)), **style)
            if own["sd"].notna().any():
                low, high = (own["mean"] + sign * own["sd"] for sign in (-1, 1))
                ax.fill_between(
                    own["x"], low.clip(0, 1), high.clip(0, 1), color=style["color"], alpha=0.15, linewidth=0
                )
        ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel=self._labels[0], ylabel=self._labels[1])
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))


class MeanPrecisionRecallDisplay(MeanRocDisplay):
    """Mean of the precision-recall curves of all test folds, with the band of one standard deviation between repeats.

    Precision at a recall is that of the highest threshold that reaches it. The band is not a confidence interval.

    Parameters
    ----------
    curves : DataFrame
        ``model``, ``x``, ``mean``, ``sd``.
    chance : float, default=NaN
        Share of long PFS.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> found = pd.DataFrame({"model": "lab", "repeat": 0, "fold": 0, "y_true": [0, 0, 1, 1],
    ...                       "y_score": [0.1, 0.2, 0.8, 0.9]})
    >>> display = MeanPrecisionRecallDisplay.from_folds(found)
    >>> float(display.frame()["mean"].min())
    1.0
    >>> figure = display.figure_
    """

    _labels: ClassVar[tuple[str, str]] = ("Recall of long PFS", "Precision of long PFS")

    @staticmethod
    def _at_grid(y: np.ndarray, p: np.ndarray) -> np.ndarray:
        precision, recall, _ = precision_recall_curve(y, p)
        precision, recall = precision[:-1][::-1], recall[:-1][::-1]  # by rising recall, without the point (0, 1)
        places = np.searchsorted(recall, GRID - 1e-12, side="left")
        return precision[np.minimum(places, len(precision) - 1)]

    @staticmethod
    def _chance(predictions: pd.DataFrame) -> float:
        return float(predictions["y_true"].mean()) if len(predictions) else float("nan")
