"""Bars of the scores of all models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from prrt_estimators._model_specs import MODELS
from prrt_estimators.metrics._score import chance_at, factor, score_title
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import OKABE_ITO, model_label

_COLOURS = [OKABE_ITO[name] for name in ("blue", "orange", "green", "purple")]


class ModelComparisonDisplay(AxesDisplay):
    """Mean and standard deviation over repeats of each model's scores, with the lines of chance.

    Make it with :meth:`from_scores`. The standard deviation over repeats tells how much the split matters; it is no
    confidence interval.

    Parameters
    ----------
    summary : DataFrame
        One row per model and metric: ``model``, ``metric``, ``mean``, ``sd``, ``n_repeats``.
    chance : mapping of str to float
        Score of chance by metric.
    skipped : mapping of str to str
        Reason by model that has no scores.
    failed : iterable of str, default=()
        Those of `skipped` that ran and failed.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": "lab", "repeat": [0, 0, 1, 1], "fold": [0, 1, 0, 1],
    ...                        "auroc": [0.5, 0.7, 0.6, 0.8], "auprc": [0.7, 0.7, 0.8, 0.8]})
    >>> display = ModelComparisonDisplay.from_scores(scores, prevalence=0.64, skipped={"pet_ct": "no scans"})
    >>> display.frame().round(3)
        model metric  mean     sd  n_repeats   skipped
    0     lab  auroc  0.65  0.071          2
    1     lab  auprc  0.75  0.071          2
    2  pet_ct  auroc   NaN    NaN          0  no scans
    3  pet_ct  auprc   NaN    NaN          0  no scans
    >>> figure = display.figure_
    """

    def __init__(
        self,
        summary: pd.DataFrame,
        *,
        chance: Mapping[str, float],
        skipped: Mapping[str, str],
        failed: Iterable[str] = (),
    ):
        self.summary = summary
        self.chance = chance
        self.skipped = skipped
        self.failed = tuple(failed)

    @classmethod
    def from_scores(
        cls,
        scores: pd.DataFrame,
        *,
        prevalence: float | None = None,
        chance: Mapping[str, float] | None = None,
        metrics: Sequence[str] = ("auroc", "auprc"),
        skipped: Mapping[str, str] | Iterable[str] = (),
        failed: Iterable[str] = (),
        ax: Axes | None = None,
    ) -> ModelComparisonDisplay:
        """Summarise per-fold scores.

        Parameters
        ----------
        scores : DataFrame
            Columns ``model``, ``repeat``, ``fold`` and one a metric, as in ``scores.csv``. Folds are averaged within
            a repeat, then mean and standard deviation are taken over repeats (none for a single repeat).
        prevalence : float, default=None
            Share of long PFS, from which the values of chance follow that depend on it. ``None`` draws no such line.
        chance : mapping of str to float, default=None
            Values of chance by metric, in place of those that follow from `prevalence`.
        metrics : sequence of str, default=("auroc", "auprc")
            Columns to draw, at most four.
        skipped : mapping of str to str, or iterable of str, default=()
            Models without a result, with the reason; they keep their place, without bars.
        failed : iterable of str, default=()
            Those of `skipped` that ran and failed.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        ModelComparisonDisplay

        Raises
        ------
        ValueError
            If a column is missing, there is nothing to draw, or `prevalence` is not within 0..1.
        """
        missing = [name for name in ("model", "repeat", "fold", *metrics) if name not in scores.columns]
        if missing:
            raise ValueError(f"`scores` lacks the column(s) {', '.join(missing)}. Pass the table of scores.csv.")
        if not 1 <= len(metrics) <= len(_COLOURS):
            raise ValueError(f"`metrics` must name one to {len(_COLOURS)} columns; got {list(metrics)}.")
        if prevalence is not None and not 0 <= prevalence <= 1:
            raise ValueError(f"`prevalence` must be the share of long PFS, 0 to 1; got {prevalence}.")
        reasons = dict(skipped) if isinstance(skipped, Mapping) else {str(name): "" for name in skipped}
        found = [str(name) for name in scores["model"].unique()]
        names = list(dict.fromkeys([*found, *reasons]))
        if not names:
            raise ValueError("`scores` is empty and no model is `skipped`; there is nothing to draw.")
        # The paper's order for the paper's models, then others as they come; sorting is stable.
        place = {name: position for position, name in enumerate(MODELS)}
        names.sort(key=lambda name: place.get(name, len(place)))
        rows = []
        for name in names:
            for metric in metrics:
                own = scores.loc[scores["model"] == name]
                repeats = factor(metric) * own.groupby("repeat")[metric].mean().dropna()
                rows.append((name, metric, repeats.mean(), repeats.std(ddof=1), len(repeats)))
        summary = pd.DataFrame(rows, columns=["model", "metric", "mean", "sd", "n_repeats"])
        if chance is None:
            chance = chance_at(metrics, prevalence)
        return cls(
            summary,
            chance={metric: factor(metric) * chance[metric] for metric in metrics if metric in chance},
            skipped={name: reason for name, reason in reasons.items() if name not in found},
            failed=failed,
        ).plot(ax)

    def frame(self) -> pd.DataFrame:
        """Return the numbers drawn: ``model``, ``metric``, ``mean``, ``sd``, ``n_repeats``, ``skipped`` (reason)."""
        return self.summary.assign(
            skipped=[self.skipped.get(name, "") or ("skipped" if name in self.skipped else "") for name in self._names]
        )

    @property
    def _names(self) -> list[str]:
        return self.summary["model"].tolist()

    def _size(self) -> tuple[float, float]:
        models, metrics = self._rows()
        return 7.0, 1.0 + len(models) * (0.18 + 0.14 * len(metrics))

    def _rows(self) -> tuple[list[str], list[str]]:
        return list(dict.fromkeys(self._names)), list(dict.fromkeys(self.summary["metric"]))

    def _draw(self, ax: Axes) -> None:
        models, metrics = self._rows()
        height = 0.8 / len(metrics)
        for k, metric in enumerate(metrics):
            rows = self.summary[self.summary["metric"] == metric].set_index("model").loc[models]
            centres = np.arange(len(models)) - 0.4 + (k + 0.5) * height
            self._draw_bars(ax, rows, centres, height, k)
            if metric in self.chance:
                ax.axvline(self.chance[metric], zorder=0.5, **self._chance_style(k))
        scored = set(self.summary.loc[self.summary["mean"].notna(), "model"])
        for position, name in enumerate(models):
            if name not in scored:
                note = ax.text(0.01, position, self._absence(name), va="center", fontsize=8, fontstyle="italic")
                note.set(color="0.35", bbox={"facecolor": "white", "edgecolor": "none", "pad": 4})
        self._dress(ax, models, metrics)

    @staticmethod
    def _draw_bars(ax: Axes, rows: pd.DataFrame, centres: np.ndarray, height: float, k: int) -> None:
        mean, sd = rows["mean"].to_numpy(), rows["sd"].to_numpy()
        scored, spread = np.isfinite(mean), np.isfinite(mean) & np.isfinite(sd)
        ax.barh(centres[scored], mean[scored], height=0.9 * height, color=_COLOURS[k])
        ax.errorbar(mean[spread], centres[spread], xerr=sd[spread], fmt="none", ecolor="black", elinewidth=1, capsize=2)
        for centre, value, width in zip(centres[scored], mean[scored], sd[scored], strict=True):
            text = f"{value:.2f} ± {width:.2f}" if np.isfinite(width) else f"{value:.2f}"
            ax.text(1.02, centre, text, va="center", fontsize=8, clip_on=False)

    @staticmethod
    def _chance_style(k: int) -> dict[str, Any]:
        return {"color": _COLOURS[k], "linestyle": ("--", ":", "-.", (0, (1, 3)))[k], "linewidth": 1.2}

    def _absence(self, name: str) -> str:
        if name not in self.skipped:
            return "no score"
        state, reason = "failed" if name in self.failed else "skipped", self.skipped[name]
        if not reason:
            return state
        shortened = textwrap.shorten(reason, width=64, placeholder=" ...")
        return f"{state}: {shortened}"

    def _dress(self, ax: Axes, models: list[str], metrics: list[str]) -> None:
        ax.set_yticks(range(len(models)), [textwrap.fill(model_label(name), 34) for name in models])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(models) - 0.5, -0.5)
        ax.set_xlim(0, 1)
        ax.set_xticks(np.linspace(0, 1, 6))
        repeated = (self.summary["n_repeats"] > 1).any()
        ax.set_xlabel("Score: mean ± standard deviation over repeats" if repeated else "Score: mean over folds")
        handles = []
        for k, metric in enumerate(metrics):
            # The legend fills column after column: a metric above, its chance below.
            handles.append(Line2D([], [], color=_COLOURS[k], linewidth=7, label=score_title(metric)))
            if metric in self.chance:
                handles.append(Line2D([], [], label=f"chance {self.chance[metric]:.2f}", **self._chance_style(k)))
            else:
                handles.append(Line2D([], [], linestyle="none", label=" "))
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(metrics))
