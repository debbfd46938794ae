"""The first patients of a cohort as small pictures, seen from the front."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from prrt_estimators._modalities import MODALITIES, Modality
from prrt_estimators._nifti import read_nifti
from prrt_estimators._placement import NiftiFault
from prrt_estimators.exceptions import CohortError, Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prrt_estimators._volumes import Volumes

#: Inches of one picture, and dots per inch in a notebook.
_WIDTH, _HEIGHT, _DPI = 1.5, 2.1, 100
#: Share of the voxels that may be brighter than white, where a modality has no values of its own for black and white.
_BRIGHTEST = 0.995


class Thumbnails:
    """Coronal maximum-intensity projections, one column per patient and one row per scan; a notebook shows them.

    Parameters
    ----------
    scans : mapping of str to Volumes
        Modalities of the patients to show.
    ids : sequence of str
        Pseudonymous ids, above the columns.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Which pyplot does not know.
    images_ : dict of str to list of ndarray or None
        The projections by modality: height by width, head up, the patient's right on the reader's left; None for a
        patient without the scan.

    Raises
    ------
    CohortError
        With the patient and the file that cannot be read.
    """

    figure_: Figure

    def __init__(self, scans: Mapping[str, Volumes], ids: Any):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        ids = [str(one) for one in ids]
        self.images_: dict[str, list[np.ndarray | None]] = {}
        self.figure_ = Figure(figsize=(_WIDTH * max(len(ids), 1), _HEIGHT * max(len(scans), 1)), layout="constrained")
        FigureCanvasAgg(self.figure_)
        axes = self.figure_.subplots(max(len(scans), 1), max(len(ids), 1), squeeze=False)
        for row, (name, volumes) in enumerate(scans.items()):
            self.images_[name] = []
            for column, patient in enumerate(ids):
                image, aspect = _projection(volumes, column, name, patient)
                self.images_[name].append(image)
                _draw(axes[row, column], image, aspect, MODALITIES[name])
        for axis, patient in zip(axes[0], ids, strict=False):
            axis.set_title(patient if len(patient) <= 14 else f"{patient[:13]}…", fontsize=8)
        for axis in axes.flat:
            axis.set_axis_off()

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.figure_.savefig(content, format="png", dpi=_DPI)
        return content.getvalue()

    def __repr__(self) -> str:
        counts = [f"{title} of {len(images)} patients" for title, images in self.images_.items()]
        return f"Thumbnails({', '.join(counts)})"


def _projection(volumes: Volumes, row: int, name: str, patient: str) -> tuple[np.ndarray | None, float]:
    """Return the picture of one patient, and height over width of its pixels."""
    if not volumes.present[row]:
        return None, 1.0
    if volumes.paths is None:
        data = volumes.array[row, 0]  # type: ignore[index]
        spacing = np.ones(3) if volumes.spacing is None else volumes.spacing[row]
    else:
        data, spacing = _read(str(volumes.paths[row]), name, patient)
    return data.max(axis=1).T[::-1, ::-1], float(spacing[2] / spacing[0])


def _read(path: str, name: str, patient: str) -> tuple[np.ndarray, np.ndarray]:
    """Return voxels along Right, Anterior, Superior, and the distances between them."""
    try:
        volume = read_nifti(path)
    except NiftiFault as fault:
        raise CohortError([Problem(fault.what, fault.remedy, patient=patient, column=name, file=path)]) from None
    order = nib.orientations.io_orientation(volume.affine)
    data = nib.orientations.apply_orientation(volume.data, order)
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
    return data, spacing[np.argsort(order[:, 0])]


def _draw(axis: Any, image: np.ndarray | None, aspect: float, modality: Modality) -> None:
    if image is None:
        axis.text(0.5, 0.5, f"no {modality.title}", ha="center", va="center", fontsize=8, color="0.4")
        return
    low, high = modality.projected or (0.0, float(np.nanquantile(image, _BRIGHTEST)))
    colours = "gray_r" if modality.uptake else "gray"
    axis.imshow(image, cmap=colours, vmin=low, vmax=max(high, low + 1e-6), aspect=aspect, interpolation="nearest")
