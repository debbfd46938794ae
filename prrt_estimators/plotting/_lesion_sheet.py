"""Sheets of found lesions: a projection of the PET and a slice of the CT of each patient, lesions outlined by site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from prrt_estimators._io import atomic_write
from prrt_estimators._offscreen import offscreen
from prrt_estimators.features._delineation import Delineation
from prrt_estimators.features._field import Lesion
from prrt_estimators.features._images import Image
from prrt_estimators.features._networks import SITES
from prrt_estimators.plotting._style import OKABE_ITO, new_figure, style_context

PATIENTS_PER_SHEET, _PATIENTS_PER_ROW = 24, 6
_COLOURS = dict(zip(SITES, ("vermillion", "blue", "green"), strict=True))
_SUV, _HU = (0.0, 15.0), (-160.0, 240.0)


@dataclass(frozen=True)
class LesionPanel:
    """What a sheet shows of one patient: two pictures seen from the front, patient's right on the reader's left.

    Parameters
    ----------
    patient : str
        Pseudonymous id.
    pet, ct : ndarray of shape (width, height) or None
        Greatest SUV along the line of sight; HU in the coronal plane of the largest lesion.
    pet_sites, ct_sites : ndarray of int, shape (width, height)
        1 + index into the sites where a lesion is, else 0.
    aspect : pair of floats
        Height over width of a voxel, for PET and CT.
    text : str
        Numbers of lesions.
    """

    patient: str
    pet: np.ndarray | None
    ct: np.ndarray | None
    pet_sites: np.ndarray | None
    ct_sites: np.ndarray | None
    aspect: tuple[float, float]
    text: str


def lesion_panel(patient: str, pet: Image | None, ct: Image | None, found: Delineation) -> LesionPanel:
    """Return the pictures of one patient."""
    aspects = [1.0, 1.0]
    pet_view = pet_sites = ct_view = ct_sites = None
    if pet is not None and found.pet_labels is not None:
        data, sites, aspects[0] = _ras(pet, _sites(found.pet_labels, found.pet_lesions))
        pet_view, pet_sites = data.max(1), sites.max(1)
    if ct is not None and found.ct_labels is not None:
        data, sites, aspects[1] = _ras(ct, _sites(found.ct_labels, found.ct_lesions))
        area = (sites > 0).sum(axis=(0, 2))
        plane = int(np.argmax(area)) if area.any() else data.shape[1] // 2
        ct_view, ct_sites = data[:, plane], sites[:, plane]
    counts = [
        f"{len(own)} {name}"
        for name, own, labels in (
            ("on PET", found.pet_lesions, found.pet_labels),
            ("on CT", found.ct_lesions, found.ct_labels),
        )
        if labels is not None
    ]
    return LesionPanel(patient, pet_view, ct_view, pet_sites, ct_sites, (aspects[0], aspects[1]), ", ".join(counts))


def draw_lesion_sheets(panels: list[LesionPanel], folder: Path) -> list[Path]:
    """Draw ``overview.png`` and, for more patients, ``overview_2.png`` and so on; return the files."""
    files = []
    for page, start in enumerate(range(0, max(len(panels), 1), PATIENTS_PER_SHEET), 1):
        target = folder / ("overview.png" if page == 1 else f"overview_{page}.png")
        with style_context(), offscreen(), atomic_write(target) as temporary:
            _draw(panels[start : start + PATIENTS_PER_SHEET], temporary)
        files.append(target)
    # Sheets of an earlier run with more patients would show patients that are not in the table.
    for old in folder.glob("overview_*.png"):
        if old not in files:
            old.unlink()
    return files


def _draw(panels: list[LesionPanel], target: Path) -> None:
    across = min(_PATIENTS_PER_ROW, max(len(panels), 1))
    down = -(-max(len(panels), 1) // across)
    figure = new_figure((2.6 * across, 2.6 * down + 0.4))
    axes = figure.subplots(down, 2 * across, squeeze=False)
    for ax in axes.ravel():
        ax.axis("off")
    for k, panel in enumerate(panels):
        left, right = axes[k // across, 2 * (k % across) : 2 * (k % across) + 2]
        _picture(left, panel.pet, panel.pet_sites, _SUV, "gray_r", panel.aspect[0])
        _picture(right, panel.ct, panel.ct_sites, _HU, "gray", panel.aspect[1])
        left.set_title(f"{panel.patient}\n{panel.text}", loc="left", fontsize=7)
    handles = [Line2D([], [], color=OKABE_ITO[colour], label=site) for site, colour in _COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    figure.savefig(target, dpi=130, metadata={"Software": None})


def _picture(
    ax: Axes,
    view: np.ndarray | None,
    sites: np.ndarray | None,
    window: tuple[float, float],
    colours: str,
    aspect: float,
) -> None:
    if view is None or sites is None:
        ax.text(0.5, 0.5, "no scan", ha="center", va="center", fontsize=7, transform=ax.transAxes)
        return
    ax.imshow(view[::-1].T, cmap=colours, vmin=window[0], vmax=window[1], origin="lower", aspect=aspect)
    for k, colour in enumerate(_COLOURS.values(), 1):
        inside = np.equal(sites[::-1].T, k)
        if inside.any():
            ax.contour(inside.astype(float), levels=[0.5], colors=[OKABE_ITO[colour]], linewidths=0.8)


def _sites(labels: np.ndarray, lesions: list[Lesion]) -> np.ndarray:
    index = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.uint8)
    for lesion in lesions:
        index[lesion.number] = 1 + SITES.index(lesion.site)
    return index[labels]


def _ras(image: Image, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return scan and sites with axes towards Right, Anterior, Superior, and height over width of a voxel."""
    turn = nib.io_orientation(image.affine)
    turned = [nib.apply_orientation(data, turn) for data in (image.data, sites)]
    size = np.empty(3)
    size[turn[:, 0].astype(int)] = image.spacing
    return turned[0], turned[1], float(size[2] / size[0])
