"""Sheets to look at: one image row per patient, PET as MIP, CT and PET in the same mid-planes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from prrt_estimators._io import atomic_write

#: Grey levels: SUV from white to black, HU from black to white.
SUV_WINDOW, HU_WINDOW = (0.0, 15.0), (-160.0, 240.0)
PANELS = ("PET, MIP from the front", "PET, MIP from the side", "CT", "PET", "PET on CT", "CT", "PET", "PET on CT")
_HEIGHT, _NARROW, _WIDE, _GAP = 260, 150, 230, 4
_WIDTHS = (_NARROW, _NARROW, _NARROW, _NARROW, _NARROW, _WIDE, _WIDE, _WIDE)
_ROWS_A_PAGE = 6
_PAPER = 245
#: Green is seen on the greys of PET and CT and on the heat of both.
_OUTLINE = (0, 190, 90)
#: Pixels beside and above the image rows of a page.
_TEXT, _TOP, _DPI = 250, 46, 100
#: matplotlib would write its own name and version.
_NO_TEXT: Any = {"Software": None}


def strip(
    pet: nib.Nifti1Image | None, ct: nib.Nifti1Image | None, lesions: nib.Nifti1Image | None = None
) -> np.ndarray:
    """Return the image row of a patient, shape (height, width, 3), uint8.

    Parameters
    ----------
    pet, ct : Nifti1Image or None
        SUVbw and HU, RAS+; drawn in the same millimetres, so that what does not fit together is seen.
    lesions : Nifti1Image or None, default=None
        Labels, whose outlines are drawn on every panel.
    """
    low, high = _field(pet if pet is not None else ct)
    middle = (low + high) / 2
    pet_data = None if pet is None else np.asarray(pet.dataobj, dtype=np.float32)
    ct_data = None if ct is None else np.asarray(ct.dataobj)
    mask = None if lesions is None else np.asarray(lesions.dataobj) > 0
    cut = middle if mask is None or not mask.any() else np.clip(_largest_lesion(lesions), low, high)
    panels = []
    for number, width in enumerate(_WIDTHS):
        front = number in (0, 2, 3, 4)
        across, up = (0, 2) if front else (1, 2) if number == 1 else (0, 1)
        points = _points(low, high, middle, cut, across, up, width)
        if number < 2:
            along = 1 if front else 0
            grey = None if pet is None else _mip(pet_data, pet, along, across, up, points)
            inside = None if mask is None else _mip(mask.astype(np.float32), lesions, along, across, up, points)
            panels.append(_outlined(_pet_panel(grey, points), inside, points))
            continue
        suv = None if pet is None else _plane(pet_data, pet, points, 0.0)
        hu = None if ct is None else _plane(ct_data, ct, points, -1024.0)
        which = (number - 2) % 3
        panel = (
            _ct_panel(hu, points) if which == 0 else _pet_panel(suv, points) if which == 1 else _fused(hu, suv, points)
        )
        panels.append(_outlined(panel, None if mask is None else _plane(mask, lesions, points, 0.0), points))
    gap = np.full((_HEIGHT, _GAP, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (panel, gap)][:-1]
    return np.concatenate(parts, axis=1)


def _largest_lesion(lesions: Any) -> np.ndarray:
    """Return the middle of the largest lesion, in RAS+ millimetres: a cut through the body's middle may miss them all."""
    labels = np.asarray(lesions.dataobj)
    places = np.argwhere(labels == np.bincount(labels[labels > 0]).argmax())
    middle = places[((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return lesions.affine[:3, :3] @ middle + lesions.affine[:3, 3]


def _outlined(panel: np.ndarray, inside: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    """Draw the edge of lesions on a panel."""
    if inside is None:
        return panel
    there = (inside >= 0.5) & ~np.isnan(points[0])
    panel[there & ~ndimage.binary_erosion(there)] = _OUTLINE
    return panel


def _field(image: Any) -> tuple[np.ndarray, np.ndarray]:
    ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in image.shape])).reshape(3, -1)
    corners = image.affine[:3, :3] @ ends + image.affine[:3, 3:]
    return corners.min(axis=1), corners.max(axis=1)


def _points(
    low: np.ndarray, high: np.ndarray, middle: np.ndarray, cut: np.ndarray, across: int, up: int, width: int
) -> np.ndarray:
    """Return RAS+ millimetres of the pixels of a panel through `cut`, shape (3, height, width): right is on the left."""
    # Front and side views of one patient have one scale.
    broad = (high - low)[:2].max() if up == 2 else high[across] - low[across]
    size = max(broad / width, (high[up] - low[up]) / _HEIGHT)
    columns = middle[across] + size * (np.arange(width) - (width - 1) / 2)
    rows = middle[up] - size * (np.arange(_HEIGHT) - (_HEIGHT - 1) / 2)
    points = np.empty((3, _HEIGHT, width))
    points[...] = cut[:, None, None]
    # The radiological view: the patient's right is on the left; seen from the side, the patient looks to the left.
    points[across] = columns[::-1][None, :]
    points[up] = rows[:, None]
    inside = (np.abs(points[across] - middle[across]) <= (high[across] - low[across]) / 2) & (
        np.abs(points[up] - middle[up]) <= (high[up] - low[up]) / 2
    )
    points[:, ~inside] = np.nan
    return points


def _plane(data: Any, image: Any, points: np.ndarray, outside: float) -> np.ndarray:
    inverse = np.linalg.inv(image.affine)
    voxels = np.tensordot(inverse[:3, :3], np.nan_to_num(points), 1) + inverse[:3, 3][:, None, None]
    # Only the planes around the cut are read, so that a long CT is not copied.
    begin = np.clip(np.floor(voxels.min(axis=(1, 2))).astype(int) - 1, 0, np.array(data.shape) - 1)
    end = np.clip(np.ceil(voxels.max(axis=(1, 2))).astype(int) + 2, begin + 1, data.shape)
    part = data[tuple(slice(b, e) for b, e in zip(begin, end, strict=True))].astype(np.float32)
    return ndimage.map_coordinates(part, voxels - begin[:, None, None], order=1, cval=outside)


def _mip(data: Any, image: Any, along: int, across: int, up: int, points: np.ndarray) -> np.ndarray:
    """Project along the voxel axis nearest to a direction, then bring the result to the pixels."""
    flat = data.max(axis=along)
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
    low, _ = _field(image)
    rows = [(np.nan_to_num(points[axis]) - low[axis]) / spacing[axis] - 0.5 for axis in (across, up)]
    return ndimage.map_coordinates(flat, rows, order=1, mode="nearest")


def _grey(values: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    return np.clip((values - window[0]) / (window[1] - window[0]), 0, 1)


def _framed(shade: np.ndarray, points: np.ndarray) -> np.ndarray:
    pixels = np.round(255 * (shade if shade.ndim == 3 else np.repeat(shade[..., None], 3, axis=2))).astype(np.uint8)
    pixels[np.isnan(points[0])] = _PAPER
    return pixels


def _missing(points: np.ndarray) -> np.ndarray:
    return np.full((*points.shape[1:], 3), _PAPER, np.uint8)


def _pet_panel(suv: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    return _missing(points) if suv is None else _framed(1 - _grey(suv, SUV_WINDOW), points)


def _ct_panel(hu: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    return _missing(points) if hu is None else _framed(_grey(hu, HU_WINDOW), points)


def _fused(hu: np.ndarray | None, suv: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    if hu is None or suv is None:
        return _missing(points)
    heat = _grey(suv, SUV_WINDOW)[..., None]
    # Black to red to yellow to white, laid over the CT as strongly as there is uptake.
    colour = np.clip(heat * [3.0, 3.0, 3.0] - [0.0, 1.0, 2.0], 0, 1)
    share = np.clip(heat * 2, 0, 0.75)
    base = np.repeat(_grey(hu, HU_WINDOW)[..., None], 3, axis=2)
    return _framed((1 - share) * base + share * colour, points)


def save_strip(pixels: np.ndarray, path: Path) -> None:
    """Write an image row as PNG without any text inside."""
    from matplotlib.image import imsave

    with atomic_write(path) as temporary:
        imsave(temporary, pixels, format="png", metadata=_NO_TEXT)


def write_sheets(rows: Iterable[tuple[str, Sequence[str], Path]], folder: Path) -> list[Path]:
    """Write the pages of the quality sheet.

    Parameters
    ----------
    rows : iterable of (pseudonym, lines of text, image row)
    folder : Path
        Pages that are no longer needed are removed.

    Returns
    -------
    list of Path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # One figure for all pages: figures refer to themselves in circles, and many would wait for the collector.
    figure = Figure(dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    pages: list[Path] = []
    rest = iter(rows)
    while page := list(islice(rest, _ROWS_A_PAGE)):
        pages.append(folder / f"quality_{len(pages) + 1:02d}.png")
        save_strip(_page(page, figure), pages[-1])
    kept = {path.name for path in pages}
    for old in folder.glob("quality_*.png"):
        if old.name not in kept:
            old.unlink()
    return pages


def _page(rows: Sequence[tuple[str, Sequence[str], Path]], figure: Any) -> np.ndarray:
    """Return the pixels of a page: words drawn by matplotlib, image rows put in as they are."""
    from matplotlib.image import imread

    width, line = sum(_WIDTHS) + _GAP * (len(_WIDTHS) - 1), _HEIGHT + 14
    size = (_TEXT + width + 12, _TOP + line * len(rows) + 8)
    figure.clear()
    figure.set_size_inches(size[0] / _DPI, size[1] / _DPI)

    def write(x: float, y: float, words: str, **more: Any) -> None:
        style = {"family": "DejaVu Sans", "va": "top", "fontsize": 8}
        figure.text(x / size[0], 1 - y / size[1], words, **{**style, **more})

    left = _TEXT
    for title, panel in zip(PANELS, _WIDTHS, strict=True):
        write(left + panel / 2, 24, title, ha="center")
        left += panel + _GAP
    write(_TEXT + 3 * (_NARROW + _GAP) + _NARROW / 2, 8, "coronal", ha="center", color="0.35")
    write(_TEXT + 5 * (_NARROW + _GAP) + _WIDE * 1.5, 8, "axial", ha="center", color="0.35")
    write(10, 8, f"SUV {SUV_WINDOW[0]:g} to {SUV_WINDOW[1]:g}, HU {HU_WINDOW[0]:g} to {HU_WINDOW[1]:g}")
    write(10, 24, "R of the patient is on the left")
    for number, (name, words, _) in enumerate(rows):
        write(10, _TOP + number * line + 4, name, fontsize=11, weight="bold")
        write(10, _TOP + number * line + 26, "\n".join(words), linespacing=1.5)
    figure.canvas.draw()
    page = np.array(figure.canvas.buffer_rgba())[..., :3]
    for number, (_, _, path) in enumerate(rows):
        pixels = np.round(255 * imread(path)[..., :3]).astype(np.uint8)
        page[_TOP + number * line :, _TEXT:][: pixels.shape[0], : pixels.shape[1]] = pixels
    return page
