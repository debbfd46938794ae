"""Where the slices of a series lie in the patient: their order, the affine, and what stands in the way of a volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prrt_estimators._dataset import ShortRepr
from prrt_estimators._extras import quiet_pydicom
from prrt_estimators.dicom._elements import instance, label, number, numbers, text, whole_series
from prrt_estimators.dicom._multiframe import frames_of
from prrt_estimators.exceptions import ScannerFileError

if TYPE_CHECKING:
    from pydicom import Dataset

#: Slices whose positions differ by less than this many mm lie at one place.
SAME_PLACE_MM = 0.02
#: How far a slice may lie from the regular grid: so many mm, or this part of the distance between slices.
GRID_TOLERANCE_MM, GRID_TOLERANCE = 0.1, 0.05
#: Direction cosines that differ by less than this are rounded differently, not turned.
SAME_DIRECTION = 1e-3
_TO_RAS = np.diag([-1.0, -1.0, 1.0])
#: Elements of which one value per slice tells time points, gates or phases apart.
_TIMES = (
    "AcquisitionTime",
    "AcquisitionDateTime",
    "FrameReferenceTime",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TriggerTime",
    "NominalPercentageOfCardiacPhase",
)


@dataclass(frozen=True, eq=False, repr=False)
class Geometry(ShortRepr):
    """Order and place of the slices of one series.

    Attributes
    ----------
    order : ndarray of int, shape (m,)
        Indices of the headers (frames, of a multi-frame object) in the order of their places along the normal; of
        several at one place the first.
    positions : ndarray of shape (m,)
        Millimetres along the normal of the slices.
    affine : ndarray of shape (4, 4)
        Indices of column, row and slice to RAS+ millimetres. Of a series taken with a tilted gantry it holds a shear.
    shape : tuple of 3 ints
        Columns, rows, slices.
    spacing : tuple of 3 floats
        Millimetres between the centres of columns, rows and slices, along the edges of the grid.
    tilt_degrees : float
        Angle between the normal of the slices and the line through their corners.
    copies : tuple of pairs of int
        Index that is kept and index that lies at the same place and is left out; whether the pixels are the same is
        not known here.
    problems : tuple of str
        What stands in the way of a volume; empty when nothing does.
    """

    order: np.ndarray
    positions: np.ndarray
    affine: np.ndarray
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    tilt_degrees: float
    copies: tuple[tuple[int, int], ...] = ()
    problems: tuple[str, ...] = ()


def sort_slices(headers: Sequence[Dataset]) -> Geometry:
    """Sort slices by their place in the patient, whatever their names and numbers.

    The place is the projection of ImagePositionPatient on the normal of the slices (DICOM PS3.3 C.7.6.2.1.1). Slices
    must lie on a regular grid: within 0.1 mm, or 5 % of their distance where that is more. A grid that is sheared, as a
    tilted gantry gives it, is regular; its affine holds the shear, so nothing is interpolated.

    Parameters
    ----------
    headers : sequence of pydicom datasets
        Of one series, in any order; pixels are not needed. A multi-frame object counts for its frames.

    Returns
    -------
    Geometry
        With its `problems`, which `read_pet` and `read_ct` raise: one slice only, several time points, missing slices,
        unequal distances.

    Raises
    ------
    ScannerFileError
        If there is no common grid at all: an element that tells the place is missing, or the slices differ in
        direction, size or pixel spacing.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> headers = []
    >>> for height in (6, 0, 3):
    ...     header = Dataset()
    ...     header.ImagePositionPatient, header.ImageOrientationPatient = [-9, -9, height], [1, 0, 0, 0, 1, 0]
    ...     header.Rows, header.Columns, header.PixelSpacing = 10, 10, [2, 2]
    ...     headers.append(header)
    >>> geometry = sort_slices(headers)
    >>> geometry.order, geometry.spacing
    (array([1, 2, 0]), (2.0, 2.0, 3.0))
    """
    with quiet_pydicom(), whole_series("the series"):
        slices = [frame for header in headers for frame in frames_of(header)]
        if not slices:
            raise ScannerFileError("no header was given. Pass one dataset a slice.")
        return _sorted(slices)


def _sorted(slices: list[Any]) -> Geometry:
    across, down = _directions(slices)
    columns, rows, (between_rows, between_columns) = _plane(slices)
    corners = np.array([numbers(header, "ImagePositionPatient", 3) for header in slices])
    normal = np.cross(across, down)
    along = corners @ normal
    groups = _places(along)
    order = np.array([group[0] for group in groups])
    corners, positions = corners[order], along[order]
    problems = _time_points(slices, groups, positions)
    copies = tuple((group[0], other) for group in groups for other in group[1:]) if not problems else ()
    step = _step(slices, corners, positions, normal, problems)
    edges = np.column_stack([across * between_columns, down * between_rows, step])
    affine = np.eye(4)
    affine[:3, :3] = _TO_RAS @ edges
    affine[:3, 3] = _TO_RAS @ corners[0]
    distance = float(np.linalg.norm(step))
    cosine = float(np.clip(step @ normal / distance, -1, 1)) if distance > 0 else 1.0
    return Geometry(
        order=order,
        positions=positions,
        affine=affine,
        shape=(columns, rows, len(order)),
        spacing=(between_columns, between_rows, distance),
        tilt_degrees=float(np.degrees(np.arccos(cosine))),
        copies=copies,
        problems=tuple(problems),
    )


def _directions(slices: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors along which the column and the row index grow."""
    found = np.array([numbers(header, "ImageOrientationPatient", 6) for header in slices])
    turned = np.abs(found - found[0]).max(axis=1) > SAME_DIRECTION
    if turned.any():
        parts = Counter(tuple(row) for row in np.round(found, 2) + 0.0)
        counts = " and ".join(str(count) for count in sorted(parts.values(), reverse=True))
        raise ScannerFileError(
            f"the slices point in {len(parts)} directions ({counts} slices): a localiser or reformatted images are among "
            "them. Leave those out."
        )
    across, down = found[0, :3], found[0, 3:]
    lengths = np.linalg.norm(across), np.linalg.norm(down)
    if min(lengths) < 0.99 or max(lengths) > 1.01 or abs(across @ down) > 0.01:
        raise ScannerFileError(
            f"{label('ImageOrientationPatient')} of {instance(slices[0])} is not a pair of perpendicular unit vectors. "
            "Export the original images."
        )
    return across / lengths[0], down / lengths[1]


def _plane(slices: list[Any]) -> tuple[int, int, tuple[float, float]]:
    """Return columns, rows, and the distances between rows and between columns, which all slices share."""
    sizes = Counter((number(header, "Columns"), number(header, "Rows")) for header in slices)
    if len(sizes) > 1:
        told = ", ".join(f"{count} of {c:.0f} x {r:.0f}" for (c, r), count in sizes.most_common() if c and r)
        raise ScannerFileError(f"the slices differ in size ({told} pixels). Read one series of images at a time.")
    columns, rows = next(iter(sizes))
    if not columns or not rows:
        raise ScannerFileError(f"{label('Rows')} or {label('Columns')} is missing. Export the images, not reports.")
    spacings = np.array([numbers(header, "PixelSpacing", 2) for header in slices])
    if np.abs(spacings - spacings[0]).max() > 1e-3 * spacings[0].max():
        raise ScannerFileError(f"{label('PixelSpacing')} differs between slices. Read one reconstruction at a time.")
    if spacings[0].min() <= 0:
        raise ScannerFileError(f"{label('PixelSpacing')} is not positive. Export the original images.")
    return int(columns), int(rows), (float(spacings[0, 0]), float(spacings[0, 1]))


def _places(along: np.ndarray) -> list[list[int]]:
    """Group the indices of slices that lie at one place, in the order of the places."""
    groups: list[list[int]] = []
    last = -np.inf
    for index in np.argsort(along, kind="stable"):
        if along[index] - last < SAME_PLACE_MM:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
            last = along[index]
    return [sorted(group) for group in groups]


def _time_points(slices: list[Any], groups: list[list[int]], positions: np.ndarray) -> list[str]:
    """Say so where slices at one place were taken at different times."""
    most = 0
    places = []
    for group, position in zip(groups, positions, strict=True):
        if len(group) < 2:
            continue
        moments = {tuple(text(slices[index], keyword) for keyword in _TIMES) for index in group}
        names = {text(slices[index], "SOPInstanceUID") or index for index in group}
        if len(moments) > 1 and len(names) > 1:
            most = max(most, len(moments))
            places.append(position)
    if not places:
        return []
    return [
        f"up to {most} images taken at different times lie at one place, at {len(places)} of {len(groups)} places "
        f"(from {places[0]:.1f} to {places[-1]:.1f} mm): a dynamic or gated series, or overlapping beds. Export one time "
        "point, or the static series"
    ]


def _step(
    slices: list[Any], corners: np.ndarray, positions: np.ndarray, normal: np.ndarray, problems: list[str]
) -> np.ndarray:
    """Return the vector from slice to slice, and add to `problems` what keeps them from a regular grid."""
    count = len(corners)
    if count == 1:
        problems.append("one slice makes no volume. Export the whole series")
        thickness = number(slices[0], "SpacingBetweenSlices") or number(slices[0], "SliceThickness") or 1.0
        return normal * abs(thickness)
    step = (corners[-1] - corners[0]) / (count - 1)
    gaps = np.diff(positions)
    usual = float(np.median(gaps))
    allowed = max(GRID_TOLERANCE_MM, GRID_TOLERANCE * usual)
    off = np.linalg.norm(corners - corners[0] - np.arange(count)[:, None] * step, axis=1)
    if off.max() <= allowed:
        return step
    if (np.abs(gaps - usual) <= allowed).all():
        worst = int(off.argmax())
        problems.append(
            f"the slices are shifted against each other by up to {off.max():.2f} mm, at {positions[worst]:.2f} mm: they do "
            "not lie on one grid. Export one reconstruction"
        )
        return step
    multiples = np.round(gaps / usual)
    if (np.abs(gaps - multiples * usual) <= allowed).all() and (multiples >= 1).all():
        holes = [
            f"{int(multiple) - 1} between {positions[k]:.2f} and {positions[k + 1]:.2f} mm"
            for k, multiple in enumerate(multiples)
            if multiple > 1
        ]
        count_missing = int((multiples - 1).sum())
        what = "1 slice is" if count_missing == 1 else f"{count_missing} slices are"
        problems.append(f"{what} missing ({_few(holes)}). Export or copy the series again")
    else:
        odd = [
            f"{gap:.2f} mm between {positions[k]:.2f} and {positions[k + 1]:.2f} mm"
            for k, gap in enumerate(gaps)
            if abs(gap - usual) > allowed
        ]
        problems.append(
            f"the distances between slices are unequal: mostly {usual:.2f} mm, but {_few(odd)}. Read one reconstruction "
            "at a time"
        )
    return step * (usual * (count - 1) / float(positions[-1] - positions[0]))


def _few(words: list[str]) -> str:
    return ", ".join(words[:4]) + (f" and {len(words) - 4} more" if len(words) > 4 else "")
