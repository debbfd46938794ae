"""Maps of one patient over PET and CT: three planes and a projection."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from prrt_estimators._modalities import MODALITIES
from prrt_estimators.inspection import SaliencyMaps, saliency
from prrt_estimators.inspection._views import PatientView, patient_view
from prrt_estimators.plotting._display import Display
from prrt_estimators.plotting._style import OKABE_ITO, new_figure, style_context

#: Plane -> (axis that is cut, horizontal axis, vertical axis); the projection looks along the second axis, too.
_PLANES = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2), "projection": (1, 0, 2)}
#: Patient's right and front on the reader's left, as in every reading room.
_SIDES = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P"), "projection": ("R", "L")}
_METHODS = {
    "gradient": "gradient",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "gradcam": "Grad-CAM",
}
_OUTLINES = ("green", "sky", "purple", "orange")
#: Inches around and between panels.
_LEFT, _RIGHT, _TOP, _GAP = 0.25, 0.92, 0.44, 0.06
_LONG, _SHORT = to_rgb(OKABE_ITO["blue"]), to_rgb(OKABE_ITO["vermillion"])


class SaliencyDisplay(Display):
    """PET, CT and the maps over them in axial, coronal and sagittal planes and as maximum intensity projections.

    Make it with :meth:`from_maps` or :meth:`from_estimator`.

    Parameters
    ----------
    view : PatientView
        Scans, maps and masks of one patient on one grid.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, shape (n_rows, 4)
        One row per scan and map, one column per plane.
    figure_ : matplotlib Figure
        Figure that holds them.
    position_ : tuple of 3 floats
        RAS+ millimetres where the planes meet.

    Examples
    --------
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> clf = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> display = SaliencyDisplay.from_estimator(clf, X, patient=2, voxels=16)
    >>> display.axes_.shape
    (2, 4)
    """

    axes_: np.ndarray
    figure_: Figure
    position_: tuple[float, float, float]

    def __init__(self, view: PatientView):
        self.view = view
        self._at = view.peak()

    @classmethod
    def from_maps(
        cls, maps: SaliencyMaps, patient: int | str = 0, *, X: Any = None, voxels: int = 128
    ) -> SaliencyDisplay:
        """Show the maps of one patient.

        Parameters
        ----------
        maps : SaliencyMaps
            From :func:`~prrt_estimators.inspection.saliency`.
        patient : int or str, default=0
            Row or id.
        X : Cohort or mapping, default=None
            The patients of the maps. With it scans in files are shown at their own resolution, and masks outlined.
        voxels : int, default=128
            Along the longest axis of what is drawn.

        Returns
        -------
        SaliencyDisplay

        Raises
        ------
        ValueError
            If the patient has no map, or X holds other patients.
        """
        return cls(patient_view(maps, patient, X=X, voxels=voxels)).plot()

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        patient: int = 0,
        *,
        method: str = "gradient",
        auroc_interval: Any = None,
        voxels: int = 128,
        random_state: Any = None,
    ) -> SaliencyDisplay:
        """Make the maps of one patient and show them.

        Parameters
        ----------
        estimator : fitted estimator, or sequence of them
            As for :func:`~prrt_estimators.inspection.saliency`.
        X : Cohort or mapping
            Patients.
        patient : int, default=0
            Row.
        method : {"gradient", "smoothgrad", "integrated_gradients", "gradcam"}, default="gradient"
        auroc_interval : pair of floats, or row of a comparison's summary, default=None
            What is known of the model's AUROC.
        voxels : int, default=128
            Along the longest axis of what is drawn.
        random_state : int, RandomState or None, default=None
            Seed of SmoothGrad's noise.

        Returns
        -------
        SaliencyDisplay
        """
        from prrt_estimators._validation import as_cohort

        one = as_cohort(X)[[patient]]
        maps = saliency(estimator, one, method=method, auroc_interval=auroc_interval, random_state=random_state)
        return cls.from_maps(maps, 0, X=one, voxels=voxels)

    def frame(self) -> pd.DataFrame:
        """Return the numbers of the three planes where they meet.

        Returns
        -------
        DataFrame
            One row a pixel: ``plane``, position ``x_mm``, ``y_mm``, ``z_mm`` (Right, Anterior, Superior), and a
            column each scan (``pet_suv``, ``ct_hu``) and map (``pet_map``, ``ct_map``).
        """
        view, tables = self.view, []
        for plane in ("axial", "coronal", "sagittal"):
            cut = _PLANES[plane][0]
            places = [np.arange(n) if axis != cut else np.array([self._at[axis]]) for axis, n in enumerate(self._shape)]
            index = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 3)
            mm = index @ view.affine[:3, :3].T + view.affine[:3, 3]
            columns = {"plane": plane, "x_mm": mm[:, 0], "y_mm": mm[:, 1], "z_mm": mm[:, 2]}
            columns |= {
                f"{name}_{MODALITIES[name].short_unit.lower()}": scan[tuple(index.T)]
                for name, scan in view.scans.items()
            }
            columns |= {f"{name}_map": values[tuple(index.T)] for name, values in view.maps.items()}
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)

    def plot(
        self, *, position: tuple[float, float, float] | None = None, signed: bool | None = None, width: float = 7.2
    ) -> SaliencyDisplay:
        """Draw scans and maps.

        Parameters
        ----------
        position : tuple of 3 floats, default=None
            RAS+ millimetres where the planes meet; where the first map is greatest by default.
        signed : bool, default=None
            Whether to tell evidence for long PFS (blue) from evidence for short PFS (vermillion). By default done
            for integrated gradients and Grad-CAM; gradients are shown by their absolute value.
        width : float, default=7.2
            Of the figure in inches.

        Returns
        -------
        SaliencyDisplay
            Itself, with ``axes_``, ``figure_`` and ``position_``.
        """
        view = self.view
        if position is not None:
            self._at = self._nearest(position)
        self.position_ = tuple((view.affine[:3, :3] @ self._at + view.affine[:3, 3]).tolist())
        signed = view.method in ("integrated_gradients", "gradcam") if signed is None else signed
        rows = [("scan", name) for name in view.scans] + [("map", name) for name in view.maps]
        with style_context():
            words = self._words(width)
            # Inches: sizes of anatomy decide, so that all panels have one scale and nothing is left to a layout engine.
            extent = np.asarray(self._shape) * view.spacing
            across = extent[[0, 0, 1, 0]]
            scale = (width - _LEFT - _RIGHT - 3 * _GAP) / across.sum()
            tall = max(extent[1], extent[2]) * scale
            below = 0.05 + 0.2 * bool(view.masks) + 0.16 * len(words)
            height = _TOP + len(rows) * (tall + _GAP) + below
            figure = new_figure((width, height), layout=None)
            self.axes_ = np.empty((len(rows), 4), dtype=object)
            for line, (kind, name) in enumerate(rows):
                bottom = height - _TOP - line * (tall + _GAP) - tall
                left = _LEFT
                for column, plane in enumerate(_PLANES):
                    size = across[column] * scale, extent[_PLANES[plane][2]] * scale
                    middle = bottom + (tall - size[1]) / 2
                    ax = figure.add_axes((left / width, middle / height, size[0] / width, size[1] / height))
                    self._draw(ax, plane, kind, name, signed)
                    if not line:
                        self._letter(ax, plane, name)
                        place = (left + size[0] / 2) / width, (height - _TOP + 0.05) / height
                        figure.text(*place, self._title(plane), ha="center", fontsize=8)
                    self.axes_[line, column] = ax
                    left += size[0] + _GAP
                label = MODALITIES[name].title if kind == "scan" else f"Map of {MODALITIES[name].title}"
                place = 0.12 / width, (bottom + tall / 2) / height
                figure.text(*place, label, rotation=90, va="center", ha="center", fontsize=9)
                bar = figure.add_axes((left / width, (bottom + 0.1 * tall) / height, 0.09 / width, 0.8 * tall / height))
                self._colour_bar(bar, kind, name, signed)
            figure.text(0.04 / width, 1 - 0.18 / height, self._headline(), fontsize=9)
            self._legend(figure, (0.16 * len(words) + 0.02) / height)
            caution: dict[str, Any] = {"fontsize": 8, "color": OKABE_ITO["vermillion"], "weight": "bold"}
            figure.text(0.04 / width, 0.04 / height, "\n".join(words), va="bottom", linespacing=1.3, **caution)
        self.figure_ = figure
        return self

    @property
    def _shape(self) -> tuple[int, ...]:
        return next(iter(self.view.maps.values())).shape

    def _nearest(self, position: tuple[float, float, float]) -> tuple[int, int, int]:
        point = np.linalg.solve(self.view.affine, np.append(np.asarray(position, dtype=float), 1.0))[:3]
        index = np.rint(point).astype(int)
        if (index < 0).any() or (index >= self._shape).any():
            low = self.view.affine[:3, 3]
            high = low + self.view.spacing * (np.asarray(self._shape) - 1)
            raise ValueError(
                f"`position` must lie in what the network saw, {np.round(low).tolist()} to {np.round(high).tolist()} mm; "
                f"got {tuple(position)}."
            )
        return tuple(index.tolist())

    def _cut(self, values: np.ndarray, plane: str) -> np.ndarray:
        axis = _PLANES[plane][0]
        if plane != "projection":
            return np.take(values, self._at[axis], axis=axis)
        strongest = np.abs(values).argmax(axis=axis) if values.min() < 0 <= values.max() else values.argmax(axis=axis)
        return np.take_along_axis(values, np.expand_dims(strongest, axis), axis=axis).squeeze(axis)

    def _draw(self, ax: Axes, plane: str, kind: str, name: str, signed: bool) -> None:
        view = self.view
        _, across, up = _PLANES[plane]
        start = np.diag(view.affine)[:3] * -0.5 + view.affine[:3, 3]
        end = start + view.spacing * np.asarray(self._shape)
        place: dict[str, Any] = {
            "origin": "lower",
            "extent": (start[across], end[across], start[up], end[up]),
            "interpolation": "bilinear",
        }
        low, high = self._window(name, plane)
        scan = view.scans[name]
        grey = scan.max(axis=1) if plane == "projection" else self._cut(scan, plane)
        ax.imshow(grey.T, cmap=_greys(name), vmin=low, vmax=high, **place)
        if kind == "map":
            ax.imshow(_coloured(self._cut(view.maps[name], plane), view.scale(name), signed).swapaxes(0, 1), **place)
        if kind == "map" or MODALITIES[name].uptake:
            for colour, mask in zip(_OUTLINES, view.masks.values(), strict=False):
                shape = mask.max(axis=1) if plane == "projection" else self._cut(mask, plane)
                if (shape >= 0.5).any():
                    x, y = (
                        np.linspace(start[k], end[k], shape.shape[j] * 2 + 1)[1::2] for j, k in enumerate((across, up))
                    )
                    ax.contour(x, y, shape.T, levels=[0.5], colors=[OKABE_ITO[colour]], linewidths=0.8)
        if plane != "projection":
            thin: dict[str, Any] = {"color": "0.55", "linewidth": 0.4, "linestyle": (0, (4, 4))}
            ax.axvline(self.position_[across], **thin)
            ax.axhline(self.position_[up], **thin)
        ax.set(xlim=(end[across], start[across]), ylim=(start[up], end[up]), xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)

    def _title(self, plane: str) -> str:
        if plane == "projection":
            return "coronal MIP"
        axis = _PLANES[plane][0]
        return f"{plane}, {'xyz'[axis]} = {self.position_[axis]:.0f} mm"

    def _letter(self, ax: Axes, plane: str, name: str) -> None:
        style: dict[str, Any] = {
            "transform": ax.transAxes,
            "va": "center",
            "fontsize": 7,
            "color": "0.25" if MODALITIES[name].uptake else "0.9",
        }
        left, right = _SIDES[plane]
        ax.text(0.015, 0.5, left, ha="left", **style)
        ax.text(0.985, 0.5, right, ha="right", **style)

    def _window(self, name: str, plane: str = "axial") -> tuple[float, float]:
        shown = MODALITIES[name].projected if plane == "projection" else MODALITIES[name].shown
        if shown is not None:
            return shown
        return 0.0, max(5.0, float(np.round(np.quantile(self.view.scans[name], 0.998))))

    def _colour_bar(self, ax: Axes, kind: str, name: str, signed: bool) -> None:
        if kind == "scan":
            low, high = self._window(name)
            colours: Any = _greys(name)
            label, projected = MODALITIES[name].short_unit, MODALITIES[name].projected
            if projected is not None and projected != MODALITIES[name].shown:
                label += f"\n(MIP: {projected[0]:g} to {projected[1]:g})"
        else:
            high = self.view.scale(name)
            low = -high if signed else 0.0
            shades = _coloured(np.linspace(low, high, 101), high, signed)
            colours = ListedColormap(shades[:, :3] * shades[:, 3:] + 1 - shades[:, 3:])
            label = textwrap.fill(self.view.units[name] if signed else f"absolute {self.view.units[name]}", 22)
        bar = ax.figure.colorbar(ScalarMappable(Normalize(low, high), colours), cax=ax)
        bar.set_ticks([low, high], labels=[_short(low), _short(high)])
        bar.ax.tick_params(length=2, labelsize=7, pad=2)
        least, most = bar.ax.get_yticklabels()
        least.set_verticalalignment("bottom")
        most.set_verticalalignment("top")
        # Clear of the numbers at the ends, however wide they are.
        style: dict[str, Any] = {"rotation": 90, "va": "center", "fontsize": 7, "linespacing": 1.1}
        ax.annotate(label, (0, 0.5), (40, 0), xycoords="axes fraction", textcoords="offset points", **style)
        bar.outline.set_linewidth(0.4)

    def _headline(self) -> str:
        view = self.view
        return (
            f"Patient {view.patient}: predicted probability of long PFS {view.probability:.2f} "
            f"({_METHODS.get(view.method, view.method)})"
        )

    def _words(self, width: float) -> list[str]:
        return textwrap.wrap(self.view.caution, int(width * 14))

    def _legend(self, figure: Figure, bottom: float) -> None:
        if not self.view.masks:
            return
        lines = [
            Line2D([], [], color=OKABE_ITO[colour], linewidth=1, label=f"outline: {name.replace('_', ' ')}")
            for colour, name in zip(_OUTLINES, self.view.masks, strict=False)
        ]
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, bottom), "borderaxespad": 0.2}
        figure.legend(handles=lines, ncols=len(lines), fontsize=7, handlelength=1.5, **place)


def _coloured(values: np.ndarray, scale: float, signed: bool) -> np.ndarray:
    """Return colours that cover what lies below the more, the greater the value."""
    strength = np.clip(np.abs(values) / scale, 0, 1)
    colours = np.empty((*values.shape, 4))
    colours[..., :3] = _SHORT
    if signed:
        colours[values > 0, :3] = _LONG
    # Noise low in the scale would veil the scan below.
    colours[..., 3] = 0.9 * strength**1.5
    return colours


def _short(value: float) -> str:
    return f"{value:g}" if value == 0 or (0.01 <= abs(value) < 10000 and value == round(value)) else f"{value:.1e}"


def _greys(name: str) -> str:
    """Return the colour map of a scan: uptake black on white paper, density as on film."""
    return "gray_r" if MODALITIES[name].uptake else "gray"
