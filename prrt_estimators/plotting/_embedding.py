"""Where patients lie in the feature space, fold by fold."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from prrt_estimators._classes import long_rows
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.inspection import (
    OutOfFoldFeatures,
    class_separation,
    out_of_fold_features,
    umap_embedding,
)
from prrt_estimators.plotting._display import Display
from prrt_estimators.plotting._style import OKABE_ITO, figure_of, new_figure, style_context
from prrt_estimators.plotting._value_points import (
    column_labels,
    column_unit,
    handle,
    is_logarithmic,
    numbers_of,
    plain_logarithmic,
    value_colours,
)

_SIZE = 22.0
_MARKERS = "o^sDv<>"


class EmbeddingDisplay(Display):
    """UMAP of the features of held-out patients, one panel a fold, with the separation of the classes.

    Each fold has a model and a feature space of its own, so each has its own panel; positions, axes and distances of
    different panels have nothing to do with each other. The numbers underneath are measured in the features
    themselves, not in the picture.

    Make it with :meth:`from_result` or :meth:`from_estimator`.

    Parameters
    ----------
    table : DataFrame
        ``patient_id``, ``fold``, ``umap_1``, ``umap_2``, ``colour`` and ``hollow``, one row per patient.
    color_label : str
        What the colours show.
    color_by : str, default=""
        Column that the colours show, whose name may tell that it is logarithmic.
    separation : DataFrame or None, default=None
        From `class_separation`.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of Axes
        Axes with the points; an array if there are several folds.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = OutOfFoldFeatures(features=rng.random((12, 3)), fold=np.arange(12) % 2, p_long=rng.random(12),
    ...                           y=np.tile([0, 0, 1, 1], 3), ids=np.arange(12).astype(str))
    >>> display = EmbeddingDisplay.from_result(found, coordinates=rng.random((12, 2)), n_neighbors=2)
    >>> display.frame()["colour"].unique().tolist()
    ['short PFS', 'long PFS']
    >>> figure = display.figure_
    """

    ax_: Any
    figure_: Figure

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        color_label: str,
        color_by: str = "",
        separation: pd.DataFrame | None = None,
    ):
        self.table = table
        self.color_label = color_label
        self.color_by = color_by
        self.separation = separation

    @classmethod
    def from_result(
        cls,
        features: OutOfFoldFeatures,
        *,
        coordinates: ArrayLike | None = None,
        color_by: Any = "class",
        X: Any = None,
        n_neighbors: int = 5,
        random_state: int = 0,
        ax: Any = None,
    ) -> EmbeddingDisplay:
        """Points of a result of `out_of_fold_features`.

        Parameters
        ----------
        features : OutOfFoldFeatures
        coordinates : array-like of shape (n, 2), default=None
            From `umap_embedding`, which is called if None.
        color_by : "class", "probability", "time", name of a laboratory column, or array-like of shape (n,), \
default="class"
            What the colours show. "time" is the months of PFS; a patient censored at that time is hollow.
        X : Cohort or table, default=None
            The same patients, for "time" and columns.
        n_neighbors : int, default=5
            Neighbours of the agreement that is told underneath.
        random_state : int, default=0
            Of UMAP and of the shuffles that tell chance.
        ax : matplotlib Axes, or array-like of as many Axes as folds, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        EmbeddingDisplay

        Raises
        ------
        TypeError
            If `features` is of another kind.
        ValueError
            If `X` is needed, holds other patients or has no such column.
        """
        if not isinstance(features, OutOfFoldFeatures):
            raise TypeError(f"`features` must come from out_of_fold_features; got {type(features).__name__}.")
        if coordinates is None:
            coordinates = umap_embedding(features, random_state=random_state)
        places = np.asarray(coordinates, dtype=np.float64)
        n = len(features.features)
        if places.shape != (n, 2):
            raise ValueError(f"`coordinates` must have shape ({n}, 2); got {places.shape}.")
        colour, label, hollow = _colours(features, color_by, X)
        table = pd.DataFrame(
            {
                "patient_id": features.ids,
                "fold": features.fold,
                "umap_1": places[:, 0],
                "umap_2": places[:, 1],
                "colour": colour,
                "hollow": hollow,
            }
        )
        separation = class_separation(features, n_neighbors=n_neighbors, random_state=random_state)
        separation.attrs["n_neighbors"] = n_neighbors
        name = color_by if isinstance(color_by, str) and color_by not in ("class", "probability", "time") else ""
        return cls(table, color_label=label, color_by=name, separation=separation).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        cv: Any = 3,
        color_by: Any = "class",
        n_neighbors: int = 5,
        random_state: int = 0,
        ax: Any = None,
    ) -> EmbeddingDisplay:
        """Points of the features of held-out patients.

        Parameters
        ----------
        estimator : classifier with ``transform``
            Cloned and fitted for each fold.
        X : Cohort, mapping or table
        y : array-like of shape (n,)
            1 for long PFS, 0 for short.
        cv : int, splitter or iterable, default=3
            Every patient must be tested once.
        color_by : str or array-like of shape (n,), default="class"
            As for `from_result`.
        n_neighbors : int, default=5
            Neighbours of the agreement that is told underneath.
        random_state : int, default=0
            Of UMAP and of the shuffles that tell chance.
        ax : matplotlib Axes, or array-like of as many Axes as folds, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        EmbeddingDisplay
        """
        features = out_of_fold_features(estimator, X, y=y, cv=cv)
        return cls.from_result(
            features, color_by=color_by, X=X, n_neighbors=n_neighbors, random_state=random_state, ax=ax
        )

    def frame(self) -> pd.DataFrame:
        """Return the points drawn: ``patient_id``, ``fold``, ``umap_1``, ``umap_2``, ``colour``, ``hollow`` (censored)."""
        return self.table.copy()

    def plot(self, ax: Any = None) -> EmbeddingDisplay:
        """Draw one panel a fold.

        Parameters
        ----------
        ax : matplotlib Axes, or array-like of as many Axes as folds, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        EmbeddingDisplay
            Itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the number of axes is not that of the folds.
        """
        folds = sorted(self.table["fold"].unique())
        with style_context():
            if ax is None:
                columns = min(len(folds), 3)
                rows = -(-len(folds) // columns)
                width = 1.0 + 2.2 * columns if columns > 1 else 4.4
                # Eight-point letters are a fifteenth of an inch wide.
                told = [part for line in self._told() for part in textwrap.wrap(line, int(15.5 * width))]
                height = 0.4 + (2.2 if columns > 1 else 3.2) * rows + 0.15 * len(told)
                figure = new_figure((width, height))
                grid = figure.subplots(rows, columns, squeeze=False).ravel()
                for empty in grid[len(folds) :]:
                    empty.set_axis_off()
                axes = grid[: len(folds)]
            else:
                axes = np.ravel(np.asarray(ax, dtype=object))
                if len(axes) != len(folds):
                    raise ValueError(f"`ax` must be {len(folds)} axes, one a fold; got {len(axes)}.")
            self._draw(axes, folds)
            if ax is None:
                figure.supxlabel("\n".join(told), fontsize=8, ha="left", x=0.01)
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = figure_of(axes[0])
        return self

    def _draw(self, axes: np.ndarray, folds: list[Any]) -> None:
        numbers = numbers_of(self.table["colour"])
        handles: list[Line2D] = []
        drawn: Any = None
        for number, (ax, fold) in enumerate(zip(axes, folds, strict=True), 1):
            rows = (self.table["fold"] == fold).to_numpy()
            if numbers is None:
                handles = self._draw_categories(ax, rows)
            else:
                drawn, handles = self._draw_numbers(ax, rows, numbers)
            ax.set(xticks=[], yticks=[])
            ax.margins(0.08)
            if len(folds) > 1:
                ax.set_title(f"Fold {number}: {int(rows.sum())} patient{'' if rows.sum() == 1 else 's'}", loc="left")
        axes[0].set(xlabel="UMAP 1", ylabel="UMAP 2")
        figure = figure_of(axes[0])
        if drawn is not None:
            bar = figure.colorbar(drawn, ax=list(axes), aspect=30, fraction=0.04, pad=0.02)
            bar.set_label(textwrap.fill(self.color_label, 36))
            bar.outline.set_visible(False)
            if isinstance(drawn.norm, LogNorm):
                plain_logarithmic(bar.ax.yaxis)
        if handles:
            title = None if drawn is not None or self.color_by == "" else textwrap.fill(self.color_label, 28)
            axes[-1].legend(
                handles=handles, title=title, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0,
                handletextpad=0.2, title_fontsize=8, alignment="left",
            )  # fmt: skip

    def _draw_categories(self, ax: Axes, rows: np.ndarray) -> list[Line2D]:
        text = np.array(["not stated" if pd.isna(one) else str(one) for one in self.table["colour"]])
        order = sorted(set(text), key=lambda one: (one == "not stated", one))
        handles = []
        for k, one in enumerate(order):
            colour = list(OKABE_ITO.values())[k % len(OKABE_ITO)]
            here = self.table[rows & (text == one)]
            marker = _MARKERS[k % len(_MARKERS)]
            ax.scatter(here["umap_1"], here["umap_2"], s=_SIZE, color=colour, marker=marker, linewidths=0)
            handles.append(handle(textwrap.fill(one, 24), marker=marker, color=colour))
        return handles

    def _draw_numbers(self, ax: Axes, rows: np.ndarray, numbers: np.ndarray) -> tuple[Any, list[Line2D]]:
        known = numbers[np.isfinite(numbers)]
        log = is_logarithmic(self.color_by, numbers)
        norm = (LogNorm if log else Normalize)(*((known.min(), known.max()) if len(known) else (0, 1)))
        hollow = self.table["hollow"].to_numpy()
        told = np.isfinite(numbers)
        x, y = self.table["umap_1"].to_numpy(), self.table["umap_2"].to_numpy()
        colours = value_colours()
        handles = []
        full = rows & told & ~hollow
        drawn = ax.scatter(x[full], y[full], s=_SIZE, c=numbers[full], cmap=colours, norm=norm, linewidths=0)
        if hollow.any():
            ring = rows & told & hollow
            ax.scatter(x[ring], y[ring], s=_SIZE, facecolors="none", edgecolors=colours(norm(numbers[ring])), lw=1.2)
            handles.append(handle("censored", gap=True))
        if not told.all():
            gap = rows & ~told
            ax.scatter(x[gap], y[gap], s=_SIZE, color="0.6", marker="x", linewidths=1)
            handles.append(handle("not measured", marker="x", color="0.6"))
        return drawn, handles

    def _told(self) -> list[str]:
        if self.separation is None:
            return []
        names = {
            "silhouette": "Silhouette of the classes",
            "neighbour_agreement": f"Share of the {self.separation.attrs.get('n_neighbors', '')} nearest of the same class",
        }
        lines = ["In the features themselves, within folds:"]
        for row in self.separation.to_dict("records"):
            # Adding zero takes the sign from what rounds to it.
            row |= {key: round(row[key], 2) + 0.0 for key in ("value", "chance", "chance_low", "chance_high")}
            line = f"{names[row['measure']]}: {row['value']:.2f}"
            if np.isfinite(row["chance"]):
                line += (
                    f" (shuffled classes {row['chance']:.2f}, 95 % {row['chance_low']:.2f} to {row['chance_high']:.2f}; "
                    f"p = {row['p_value']:.3f})"
                )
            lines.append(line.replace("-", "\N{MINUS SIGN}"))
        return lines


def _colours(features: OutOfFoldFeatures, color_by: Any, X: Any) -> tuple[Any, str, np.ndarray]:
    """Return colours, what they show, and who is drawn hollow."""
    n = len(features.features)
    nobody = np.zeros(n, dtype=bool)
    if not isinstance(color_by, str):
        values = np.asarray(color_by)
        if values.shape != (n,):
            raise ValueError(f"`color_by` must have one value for each of {n} patients; got shape {values.shape}.")
        return values, "value", nobody
    if color_by == "class":
        return np.where(long_rows(features.y), "long PFS", "short PFS"), "class", nobody
    if color_by == "probability":
        return features.p_long, "Probability of long PFS, out of fold", nobody
    if X is None:
        raise ValueError(f"`color_by`={color_by!r} needs `X`, the Cohort or table of the same patients.")
    cohort = X if isinstance(X, Cohort) else as_cohort(X)
    if len(cohort) != n:
        raise ValueError(f"`X` must hold the same {n} patients; it holds {len(cohort)}.")
    if color_by == "time":
        if cohort.survival is None:
            raise ValueError("`color_by`='time' needs X.survival; load_cohort gives it, or pass Cohort(survival=...).")
        return cohort.survival["time"], "PFS (months)", ~cohort.survival["event"]
    table = cohort.get("lab")
    if table is None or color_by not in table.columns:
        columns = "none" if table is None else ", ".join(map(str, table.columns))
        raise ValueError(f"`color_by`={color_by!r} is not a column of X; its laboratory columns are {columns}.")
    unit = column_unit(color_by)
    label = column_labels([color_by])[color_by] + (f" ({unit})" if unit else "")
    return table[color_by].to_numpy(dtype=object), label, nobody
