"""What PET, CT and labs add to predictions: for a cohort, and for one patient."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from prrt_estimators._classes import long_rows
from prrt_estimators._modalities import MODALITIES
from prrt_estimators.inspection import modality_shapley
from prrt_estimators.plotting._display import Display
from prrt_estimators.plotting._style import OKABE_ITO, figure_of, new_axes, style_context
from prrt_estimators.plotting._value_points import POINT, handle, swarm

_LONG, _SHORT = OKABE_ITO["blue"], OKABE_ITO["vermillion"]


class ModalityShapleyDisplay(Display):
    """Shapley values of the modalities: one point per patient, or the way from base to prediction of one patient.

    Make it with :meth:`from_result` or :meth:`from_estimator`.

    Parameters
    ----------
    table : DataFrame
        From `modality_shapley`.
    y : ndarray of shape (n,) or None, default=None
        Classes of the patients, 1 for long PFS.
    output : {"probability", "logit"}, default="probability"
        Scale of the values.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points or bars.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> table = pd.DataFrame(dict(patient_id=["P1", "P2"], pet=[0.2, -0.1], ct=0.0, lab=[0.1, -0.3], base=0.5,
    ...                           prediction=[0.8, 0.1]))
    >>> display = ModalityShapleyDisplay.from_result(table, y=[1, 0])
    >>> display.summary().round(2)
      modality  mean_absolute  mean  toward_class
    0      pet           0.15  0.05          0.15
    1      lab           0.20 -0.10          0.20
    >>> figure = display.figure_
    >>> display.frame(patient="P2")[["step", "start", "end"]].round(2)
      step  start  end
    0  lab    0.5  0.2
    1  pet    0.2  0.1
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, table: pd.DataFrame, *, y: np.ndarray | None = None, output: str = "probability"):
        self.table = table
        self.y = y
        self.output = output

    @classmethod
    def from_result(
        cls, table: pd.DataFrame, *, y: ArrayLike | None = None, output: str | None = None, ax: Axes | None = None
    ) -> ModalityShapleyDisplay:
        """Points of a result of `modality_shapley`.

        Parameters
        ----------
        table : DataFrame
            Columns ``patient_id``, ``pet``, ``ct``, ``lab``, ``base``, ``prediction``.
        y : array-like of shape (n,), default=None
            Classes, which colour the points.
        output : {"probability", "logit"}, default=None
            Scale of the values; what the table says of itself if None.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        ModalityShapleyDisplay

        Raises
        ------
        ValueError
            If a column is missing, lengths differ, there is no patient, or y holds other than two classes.
        """
        missing = [name for name in ("patient_id", *MODALITIES, "base", "prediction") if name not in table.columns]
        if missing:
            raise ValueError(f"`table` lacks the column(s) {', '.join(missing)}; pass that of modality_shapley.")
        if table.empty:
            raise ValueError("`table` holds no patient; there is nothing to draw.")
        scale = output or table.attrs.get("output", "probability")
        if scale not in ("probability", "logit"):
            raise ValueError(f"`output` must be 'probability' or 'logit'; got {scale!r}.")
        classes = None if y is None else np.asarray(y)
        if classes is not None:
            if classes.shape != (len(table),):
                raise ValueError(
                    f"`y` must have one class for each of {len(table)} patients; got shape {classes.shape}."
                )
            if len(np.unique(classes)) > 2:
                raise ValueError(f"`y` must hold short and long PFS; got {len(np.unique(classes))} different values.")
            classes = long_rows(classes).astype(np.int64)
        return cls(table, y=classes, output=scale).plot(ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike | None = None, *, ax: Axes | None = None, **options: Any
    ) -> ModalityShapleyDisplay:
        """Points of `modality_shapley` of a fitted estimator, or out of fold with `cv`.

        Parameters
        ----------
        estimator : classifier
        X : Cohort or mapping
        y : array-like of shape (n,), default=None
            Classes, which colour the points; with `cv` also those to fit on.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        **options : object
            Further parameters of `modality_shapley`, such as `cv` or `background`.

        Returns
        -------
        ModalityShapleyDisplay
        """
        if options.get("cv") is not None:
            options["y"] = y
        return cls.from_result(modality_shapley(estimator, X, **options), y=y, ax=ax)

    @property
    def _modalities(self) -> list[str]:
        used = [name for name in MODALITIES if (self.table[name] != 0).any()]
        return used or list(MODALITIES)

    def summary(self) -> pd.DataFrame:
        """Return one row per modality that is used.

        Returns
        -------
        DataFrame
            ``modality``; ``mean_absolute`` and ``mean`` value over patients; ``toward_class``, the mean of the value
            for patients with long PFS and of its negative for short PFS: what the modality adds to the prediction
            of what came true (NaN without y).
        """
        values = self.table[self._modalities]
        toward = np.full(values.shape[1], np.nan)
        if self.y is not None:
            toward = (values.to_numpy() * np.where(self._is_long(), 1, -1)[:, None]).mean(axis=0)
        return pd.DataFrame(
            {
                "modality": self._modalities,
                "mean_absolute": values.abs().mean().to_numpy(),
                "mean": values.mean().to_numpy(),
                "toward_class": toward,
            }
        )

    def _is_long(self) -> np.ndarray:
        return long_rows(self.y) if self.y is not None else np.array([], dtype=bool)

    def frame(self, *, patient: str | None = None) -> pd.DataFrame:
        """Return the numbers drawn.

        Parameters
        ----------
        patient : str, default=None
            As for `plot`.

        Returns
        -------
        DataFrame
            ``patient_id``, ``modality``, ``value`` and ``y`` (NaN without y); for one patient ``step`` (the
            modality), ``value``, ``start`` and ``end``, the largest first.
        """
        if patient is None and len(self.table) > 1:
            long = self.table.assign(y=np.nan if self.y is None else self.y).melt(
                id_vars=["patient_id", "y"], value_vars=self._modalities, var_name="modality"
            )
            return long[["patient_id", "modality", "value", "y"]]
        row = self._row(patient)
        steps = row[self._modalities].astype(float).sort_values(key=np.abs, ascending=False, kind="stable")
        ends = float(row["base"]) + steps.cumsum()
        return pd.DataFrame(
            {
                "step": steps.index,
                "value": steps.to_numpy(),
                "start": (ends - steps).to_numpy(),
                "end": ends.to_numpy(),
            }
        )

    def _row(self, patient: str | None) -> pd.Series:
        if patient is None:
            return self.table.iloc[0]
        found = self.table[self.table["patient_id"].astype(str) == str(patient)]
        if found.empty:
            some = ", ".join(map(str, self.table["patient_id"].head(5)))
            raise ValueError(f"`patient`={patient!r} is not among the {len(self.table)} patients, such as {some}.")
        return found.iloc[0]

    def plot(self, ax: Axes | None = None, *, patient: str | None = None) -> ModalityShapleyDisplay:
        """Draw the values of all patients, or the way from base to prediction of one.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        patient : str, default=None
            Id of one patient. A table of one patient is always drawn so.

        Returns
        -------
        ModalityShapleyDisplay
            Itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            If there is no such patient.
        """
        one = patient is not None or len(self.table) == 1
        row = self._row(patient) if one else None
        with style_context():
            if ax is None:
                ax = new_axes((5.6, 1.1 + (0.42 if one else 0.62) * (len(self._modalities) + 2 * one)))
            if row is None:
                self._draw_cohort(ax)
            else:
                self._draw_patient(ax, row)
        self.ax_ = ax
        self.figure_ = figure_of(ax)
        return self

    def _draw_cohort(self, ax: Axes) -> None:
        names = self._modalities
        values = self.table[names].to_numpy()
        span = float(np.ptp(values))
        long = None if self.y is None else self._is_long()
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0.5)
        for place, name in enumerate(names):
            own = self.table[name].to_numpy()
            height = place + swarm(own, span=span)
            for rows, colour, marker in self._classes(long, len(own)):
                ax.scatter(own[rows], height[rows], s=POINT, color=colour, marker=marker, linewidths=0)
        table = self.summary()
        told = "Mean |value|" + ("\nand toward class" if long is not None else "")
        ax.text(1.03, 1.02, told, transform=ax.transAxes, fontsize=8, va="bottom")
        for place, (size, toward) in enumerate(zip(table["mean_absolute"], table["toward_class"], strict=True)):
            text = f"{size:.3f}" + ("" if long is None else f"\n{_signed(toward)}")
            ax.text(1.03, float(place), text, transform=ax.get_yaxis_transform(), fontsize=8, va="center")
        ax.set_yticks(range(len(names)), [MODALITIES[name].title for name in names])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.margins(x=0.05)
        ax.locator_params(axis="x", nbins=6)
        ax.set_xlabel(f"Shapley value ({self._scale})")
        if long is not None:
            handles = [handle("long PFS", color=_LONG), handle("short PFS", color=_SHORT, marker="^")]
            ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, handletextpad=0.1)

    @staticmethod
    def _classes(long: np.ndarray | None, n: int) -> list[tuple[np.ndarray, str, str]]:
        if long is None:
            return [(np.ones(n, dtype=bool), _LONG, "o")]
        return [(long, _LONG, "o"), (~long, _SHORT, "^")]

    def _draw_patient(self, ax: Axes, row: pd.Series) -> None:
        steps = self.frame(patient=str(row["patient_id"]))
        base, prediction = float(row["base"]), float(row["prediction"])
        last = len(steps) + 1
        ends = [base, prediction, *steps["start"], *steps["end"]]
        reach = (max(ends) - min(ends)) or 0.1
        for place, (value, start) in enumerate(zip(steps["value"], steps["start"], strict=True), 1):
            ax.barh(place, value, left=start, height=0.6, color=_LONG if value >= 0 else _SHORT)
            ax.text(max(start, start + value) + 0.02 * reach, float(place), _signed(value), va="center", fontsize=8)
        # Each bar begins where the one above ends.
        levels = [base, *steps["end"]]
        for place, level in enumerate(levels):
            ax.plot(
                (level, level), (place - 0.3 * (place > 0), place + 1 + 0.3 * (place < len(steps))), color="0.5", lw=0.8
            )
        for place, level in ((0, base), (last, prediction)):
            ax.plot(level, place, "D", color="black", markersize=5)
            ax.text(
                level + 0.03 * reach,
                float(place),
                f"{level:.2f}".replace("-", "\N{MINUS SIGN}"),
                va="center",
                fontsize=8,
            )
        labels = ["Nothing known", *(MODALITIES[name].title for name in steps["step"]), "Prediction"]
        ax.set_yticks(range(last + 1), labels)
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(last + 0.5, -0.5)
        ax.set_xlim(min(ends) - 0.06 * reach, max(ends) + 0.18 * reach)
        ax.locator_params(axis="x", nbins=6)
        ax.set_xlabel(self._scale[:1].upper() + self._scale[1:])
        truth = "" if self.y is None else self._truth(row)
        ax.set_title(textwrap.fill(f"Patient {row['patient_id']}{truth}", 60), loc="left")

    def _truth(self, row: pd.Series) -> str:
        at = int(np.flatnonzero(self.table["patient_id"].to_numpy() == row["patient_id"])[0])
        return " (outcome: long PFS)" if self._is_long()[at] else " (outcome: short PFS)"

    @property
    def _scale(self) -> str:
        return "logit of long PFS" if self.output == "logit" else "probability of long PFS"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
