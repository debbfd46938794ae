"""Bars of how much each laboratory value matters."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from prrt_estimators._modalities import MODALITIES
from prrt_estimators.inspection import (
    PermutationImportance,
    forest_importance,
    grouped_permutation_importance,
    shap_importance,
)
from prrt_estimators.metrics._score import score_title
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import OKABE_ITO
from prrt_estimators.plotting._value_points import column_labels

_AXES = {
    "forest": "Mean decrease of impurity (share)",
    "shap": "Mean absolute SHAP value",
}


class ImportanceDisplay(AxesDisplay):
    """Bars of the importance of laboratory values, groups of them, or modalities.

    Make it with :meth:`from_result` or :meth:`from_estimator`.

    Parameters
    ----------
    table : DataFrame
        ``name``, ``label`` (for print), ``importance``, ``low`` and ``high`` (NaN for no interval), the most
        important first.
    axis_label : str
        What the bars measure.
    max_display : int, default=15
        Bars drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> table = pd.DataFrame({"column": ["cga", "age"], "importance": [0.8, 0.2]})
    >>> display = ImportanceDisplay.from_result(table)
    >>> display.frame()[["label", "importance"]].to_dict("list")
    {'label': ['Chromogranin A', 'Age'], 'importance': [0.8, 0.2]}
    >>> figure = display.figure_
    """

    def __init__(self, table: pd.DataFrame, *, axis_label: str, max_display: int = 15):
        self.table = table
        self.axis_label = axis_label
        self.max_display = max_display

    @classmethod
    def from_result(
        cls,
        result: Any,
        *,
        max_display: int = 15,
        ax: Axes | None = None,
    ) -> ImportanceDisplay:
        """Bars of a result of `grouped_permutation_importance`, `shap_values` or `forest_importance`.

        Parameters
        ----------
        result : PermutationImportance, shap.Explanation or DataFrame
            Permutation importance comes with its 95 % interval over splits, and the score that there is to lose.
        max_display : int, default=15
            Bars drawn, the most important ones.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        ImportanceDisplay

        Raises
        ------
        TypeError
            If `result` is of another kind.
        ValueError
            If `max_display` is below 1, or there is nothing to draw.
        """
        if isinstance(max_display, bool) or not isinstance(max_display, (int, np.integer)) or max_display < 1:
            raise ValueError(f"`max_display` must be a whole number of at least 1; got {max_display!r}.")
        if isinstance(result, PermutationImportance):
            frame = result.frame().rename(columns={"group": "name"})
            labels = _group_labels(result.groups)
            score = score_title(result.scoring).replace("_", " ")
            # What can be lost: importance in a model no better than chance means nothing.
            axis = f"Loss of {score} when shuffled, of {result.scores.mean():.2f} (mean, 95 % interval)"
        elif isinstance(result, pd.DataFrame) or is_shap_explanation(result):
            frame = result if isinstance(result, pd.DataFrame) else shap_importance(result)
            missing = [name for name in ("column", "importance") if name not in frame.columns]
            if missing:
                raise ValueError(f"`result` lacks the column(s) {', '.join(missing)}; pass that of forest_importance.")
            frame = frame.rename(columns={"column": "name"})
            labels = column_labels(list(frame["name"]))
            axis = _AXES["forest"]
            if is_shap_explanation(result):
                axis = f"{_AXES['shap']} ({result.output_names})"
        else:
            raise TypeError(
                "`result` must come from grouped_permutation_importance, shap_values or forest_importance; got "
                f"{type(result).__name__}."
            )
        if frame.empty:
            raise ValueError("`result` is empty; there is nothing to draw.")
        frame = frame.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
        table = pd.DataFrame(
            {
                "name": frame["name"].astype(str),
                "label": [labels[str(name)] for name in frame["name"]],
                "importance": frame["importance"].astype(float),
                "low": frame["low"].astype(float) if "low" in frame else np.nan,
                "high": frame["high"].astype(float) if "high" in frame else np.nan,
            }
        )
        return cls(table, axis_label=axis, max_display=int(max_display)).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        cv: Any = None,
        groups: Any = "correlated",
        n_repeats: int = 10,
        scoring: Any = "roc_auc",
        random_state: Any = None,
        max_display: int = 15,
        ax: Axes | None = None,
    ) -> ImportanceDisplay:
        """Bars of a fitted forest, or of permutation importance on held-out folds if there are patients.

        Parameters
        ----------
        estimator : classifier
            A fitted forest if X is None.
        X : Cohort, mapping or table, default=None
        y : array of shape (n,), default=None
            1 for long PFS, 0 for short.
        cv : int, splitter or iterable, default=None
            For permutation importance; 5 stratified folds if None.
        groups : "correlated", None or mapping, default="correlated"
            As in `grouped_permutation_importance`, as are the following.
        n_repeats : int, default=10
        scoring : str or callable, default="roc_auc"
        random_state : int, RandomState or None, default=None
        max_display : int, default=15
            Bars drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        ImportanceDisplay

        Raises
        ------
        ValueError
            If one of X and y is given without the other.
        """
        if (X is None) != (y is None):
            raise ValueError("give both X and y for permutation importance, or neither for a fitted forest.")
        if X is None:
            return cls.from_result(forest_importance(estimator), max_display=max_display, ax=ax)
        result = grouped_permutation_importance(
            estimator,
            X,
            y,
            cv=5 if cv is None else cv,
            groups=groups,
            n_repeats=n_repeats,
            scoring=scoring,
            random_state=random_state,
        )
        return cls.from_result(result, max_display=max_display, ax=ax)

    def frame(self) -> pd.DataFrame:
        """Return the numbers drawn: ``name``, ``label``, ``importance``, ``low``, ``high``."""
        return self.table.head(self.max_display).copy()

    def _size(self) -> tuple[float, float]:
        lines = sum(label.count("\n") for label in self._labels())
        return 6.5, 0.8 + 0.24 * len(self.frame()) + 0.11 * lines

    def _labels(self) -> list[str]:
        labels = self.frame()["label"]
        return [textwrap.fill(textwrap.shorten(label, 100, placeholder=" ..."), 34) for label in labels]

    def _draw(self, ax: Axes) -> None:
        shown = self.frame()
        places = np.arange(len(shown))
        mean, low, high = (shown[name].to_numpy() for name in ("importance", "low", "high"))
        ax.barh(places, mean, height=0.7, color=OKABE_ITO["blue"])
        known = np.isfinite(low) & np.isfinite(high)
        reach = np.array([mean - low, high - mean])[:, known]
        ax.errorbar(mean[known], places[known], xerr=reach, fmt="none", ecolor="black", elinewidth=1, capsize=2)
        for place, value in zip(places, mean, strict=True):
            ax.text(
                1.02,
                float(place),
                f"{value:.3f}".replace("-", "\N{MINUS SIGN}"),
                transform=ax.get_yaxis_transform(),
                va="center",
                fontsize=8,
            )
        ax.axvline(0, color="0.2", linewidth=0.8)
        ax.set_yticks(places, self._labels())
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        left_out = len(self.table) - len(shown)
        ax.set_xlabel(self.axis_label + (f"; {left_out} less important not shown" if left_out else ""))
        ax.locator_params(axis="x", nbins=6)


def is_shap_explanation(result: Any) -> bool:
    """Return whether a result is shap's; the extra that brings shap need not be installed."""
    shap = sys.modules.get("shap")
    return shap is not None and isinstance(result, shap.Explanation)


def _group_labels(groups: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Return names for print: the user's own for groups that the user named, else the columns' titles."""
    of_column = column_labels(list(dict.fromkeys(column for columns in groups.values() for column in columns)))
    of_column |= {name: one.title for name, one in MODALITIES.items() if name in of_column}
    labels = {}
    for name, columns in groups.items():
        automatic = name == columns[0] or name.startswith((f"{columns[0]} + ", f"{columns[0]} and "))
        labels[name] = " + ".join(of_column[column] for column in columns) if automatic else name
    return labels
