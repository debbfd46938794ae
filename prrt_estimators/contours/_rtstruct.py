"""DICOM RTSTRUCT: outlines in millimetres, and the voxels that they hold on a grid."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prrt_estimators._dataset import ShortRepr
from prrt_estimators.contours._objects import ObjectInfo, items, moment, number, open_object, text
from prrt_estimators.contours._polygons import combine, combine_xor
from prrt_estimators.contours._regions import Region, Structures
from prrt_estimators.exceptions import ContourError

#: Storage class of structure sets.
RTSTRUCT_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
_TO_RAS = np.array([-1.0, -1.0, 1.0])
_XOR = ("CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR")
_CLOSED = ("CLOSED_PLANAR", "", *_XOR)
#: Contours whose heights differ by less than this part of a slice lie in one plane.
_ONE_PLANE = 0.05
#: A contour that extends over more than this many slices is not parallel to them.
_ACROSS = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class Contour(ShortRepr):
    """One outline.

    Attributes
    ----------
    kind : str
        ContourGeometricType, ``""`` where it is missing.
    points : ndarray of shape (n, 3) or None
        RAS+ millimetres; None where the coordinates are malformed.
    """

    kind: str
    points: np.ndarray | None


@dataclass(frozen=True, eq=False, repr=False)
class Roi(ShortRepr):
    """One structure as outlines.

    Attributes
    ----------
    name, kind : str
        ROIName, which may name a person, and RTROIInterpretedType.
    number : int
        ROINumber.
    contours : tuple of Contour
    """

    name: str
    number: int
    kind: str
    contours: tuple[Contour, ...]


@dataclass(frozen=True, eq=False, repr=False)
class RTStructureSet(ShortRepr):
    """A DICOM RTSTRUCT, read.

    Attributes
    ----------
    info : ObjectInfo
    rois : tuple of Roi
    """

    info: ObjectInfo
    rois: tuple[Roi, ...]

    @property
    def structures(self) -> list[tuple[str, str]]:
        """Name and kind of each structure."""
        return [(roi.name, roi.kind) for roi in self.rois]

    @property
    def filled(self) -> list[bool]:
        """Whether each structure holds contours."""
        return [bool(roi.contours) for roi in self.rois]

    def on(self, affine: np.ndarray, shape: tuple[int, int, int]) -> Structures:
        """Return the voxels of each structure on a grid.

        A voxel belongs to a contour when its centre lies inside by crossing parity, in the plane nearest to the contour
        within half a slice; nothing is interpolated between planes.

        Parameters
        ----------
        affine : ndarray of shape (4, 4)
            Voxel indices to RAS+ millimetres.
        shape : tuple of 3 ints

        Returns
        -------
        Structures
        """
        grid = _Grid(affine, shape, self._normal(affine))
        return Structures(np.asarray(affine, float), grid.shape, tuple(_region(roi, grid) for roi in self.rois))

    def fits(self, affine: np.ndarray, shape: tuple[int, int, int]) -> bool:
        """Return whether some contour lies in a plane of a grid."""
        grid = _Grid(affine, shape, self._normal(affine))
        for contour in (one for roi in self.rois for one in roi.contours):
            if contour.points is not None and len(contour.points):
                points = grid.indices(contour.points)
                middle = (points.min(axis=0) + points.max(axis=0)) / 2
                if ((middle >= -0.5) & (middle <= np.array(grid.turned_shape) - 0.5)).all():
                    return True
        return False

    def plane_fit(self, affine: np.ndarray, shape: tuple[int, int, int]) -> tuple[float, float]:
        """Return how far contours lie beside the planes of a grid, and how many planes between them are filled.

        Returns
        -------
        beside : float
            Mean distance to the nearest plane, as a part of a slice; infinite where no contour lies in the grid.
        filled : float
            Part of the planes between the first and the last contour of each structure that hold one.
        """
        if not self.fits(affine, shape):
            return float("inf"), 0.0
        grid = _Grid(affine, shape, self._normal(affine))
        beside: list[float] = []
        drawn, between = 0, 0
        for roi in self.rois:
            heights = [
                float(grid.indices(contour.points)[:, 2].mean())
                for contour in roi.contours
                if contour.points is not None and len(contour.points) > 2
            ]
            if heights:
                beside += [abs(height - round(height)) for height in heights]
                planes = {round(height) for height in heights}
                drawn, between = drawn + len(planes), between + max(planes) - min(planes) + 1
        return (float(np.mean(beside)), drawn / between) if beside else (0.0, 0.0)

    def _normal(self, affine: np.ndarray) -> int:
        """Return the axis of the grid that is perpendicular to the contours."""
        inverse = np.linalg.inv(affine)[:3, :3]
        votes = Counter[int]()
        for contour in (one for roi in self.rois for one in roi.contours):
            if contour.points is not None and len(contour.points) > 2:
                votes[int(np.ptp(contour.points @ inverse.T, axis=0).argmin())] += 1
        return votes.most_common(1)[0][0] if votes else 2


class _Grid:
    """A grid seen from the right, front and feet of the patient, so that a turned array gives the same voxels."""

    def __init__(self, affine: np.ndarray, shape: Sequence[int], normal: int):
        self.shape: tuple[int, int, int] = (int(shape[0]), int(shape[1]), int(shape[2]))
        self._inverse = np.linalg.inv(np.asarray(affine, dtype=np.float64))
        directions = np.asarray(affine)[:3, :3] * [[-1.0], [-1.0], [1.0]]
        main = np.abs(directions).argmax(axis=0)
        self._flipped = directions[main, range(3)] < 0
        plane = sorted((axis for axis in range(3) if axis != normal), key=lambda axis: main[axis])
        #: Axes of the array: columns, rows, slices.
        self.axes = (plane[0], plane[1], normal)
        self.turned_shape = tuple(self.shape[axis] for axis in self.axes)

    def indices(self, points: np.ndarray) -> np.ndarray:
        """Return RAS+ millimetres as column, row and slice."""
        found = points @ self._inverse[:3, :3].T + self._inverse[:3, 3]
        last = np.array(self.shape) - 1
        return np.where(self._flipped, last - found, found)[:, self.axes].round(6)

    def turned_back(self, start: np.ndarray, mask: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray]:
        """Return a box of columns, rows and slices as a box of the array."""
        order = np.argsort(self.axes)
        begin, mask = start[order], mask.transpose(order)
        for axis in range(3):
            if self._flipped[axis]:
                mask = np.flip(mask, axis)
                begin[axis] = self.shape[axis] - begin[axis] - mask.shape[axis]
        a, b, c = begin.tolist()
        return (a, b, c), np.ascontiguousarray(mask)


def read_rtstruct(path: str | os.PathLike[str]) -> RTStructureSet:
    """Read a DICOM RTSTRUCT.

    The images that it names are not needed: re-exported series have other instances.

    Parameters
    ----------
    path : path

    Returns
    -------
    RTStructureSet
        `on` gives the voxels on a grid.

    Raises
    ------
    ContourError
        If the file is damaged, cut short or no RTSTRUCT.
    MissingDependencyError
        If pydicom is not installed.

    See Also
    --------
    read_segmentation : The same for DICOM SEG.
    lesion_labels : Structures as numbered lesions.

    Examples
    --------
    >>> pet = read_pet("exports/anna/PET")  # doctest: +SKIP
    >>> structures = read_rtstruct("exports/anna/RS.dcm").on(pet.affine, pet.shape)  # doctest: +SKIP
    >>> lesion_labels(structures).labels.max()  # doctest: +SKIP
    4
    """
    return parse_rtstruct(open_object(path), Path(path).name)


def parse_rtstruct(dataset: Any, name: str) -> RTStructureSet:
    """Return the structure set in an object that was opened; see `read_rtstruct`."""
    if text(dataset, "SOPClassUID") != RTSTRUCT_STORAGE:
        raise ContourError("is not a DICOM RTSTRUCT", "give the structure set", name)
    listed = items(dataset, "StructureSetROISequence")
    if listed and "ROIContourSequence" not in dataset:
        raise ContourError("lists structures but holds no outlines", "export or copy the file again", name)
    observed = {number(one, "ReferencedROINumber"): one for one in items(dataset, "RTROIObservationsSequence")}
    drawn: dict[float | None, list[Contour]] = defaultdict(list)
    for one in items(dataset, "ROIContourSequence"):
        drawn[number(one, "ReferencedROINumber")] += [_contour(part) for part in items(one, "ContourSequence")]
    rois = []
    for position, one in enumerate(listed, 1):
        own = number(one, "ROINumber")
        about = observed.get(own)
        kind = "" if about is None else text(about, "RTROIInterpretedType").upper()
        number_ = position if own is None else int(own)
        rois.append(Roi(text(one, "ROIName"), number_, kind, tuple(drawn.pop(own, []))))
    # Outlines of a structure that the object does not list have no name, and are not lost.
    rois += [Roi("", int(own or 0), "", tuple(contours)) for own, contours in drawn.items() if contours]
    return RTStructureSet(rtstruct_info(dataset), tuple(rois))


def _contour(item: Any) -> Contour:
    kind = text(item, "ContourGeometricType").upper()
    try:
        raw = item.get_item("ContourData")
        value = None if raw is None else raw.value
        if isinstance(value, bytes):
            value = [part for part in value.decode("ascii").strip(" \0").split("\\") if part.strip()]
        numbers = np.array([] if value is None else value, dtype=np.float64).ravel()
    except (ValueError, TypeError, AttributeError):
        return Contour(kind, None)
    if len(numbers) % 3 or not np.isfinite(numbers).all():
        return Contour(kind, None)
    return Contour(kind, numbers.reshape(-1, 3) * _TO_RAS)


def rtstruct_info(dataset: Any) -> ObjectInfo:
    """Return what a structure set says about itself."""
    listed = items(dataset, "StructureSetROISequence")
    frames = [text(dataset, "FrameOfReferenceUID")]
    series = []
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        frames.append(text(frame, "FrameOfReferenceUID"))
        for study in items(frame, "RTReferencedStudySequence"):
            series += [text(one, "SeriesInstanceUID") for one in items(study, "RTReferencedSeriesSequence")]
    frames += [text(one, "ReferencedFrameOfReferenceUID") for one in listed]
    observations = items(dataset, "RTROIObservationsSequence")
    texts = [text(dataset, keyword) for keyword in ("StructureSetLabel", "StructureSetName", "StructureSetDescription")]
    texts += [text(one, keyword) for one in listed for keyword in ("ROIName", "ROIDescription")]
    texts += [
        text(one, keyword) for one in observations for keyword in ("ROIObservationLabel", "ROIObservationDescription")
    ]
    persons = [text(dataset, "ReviewerName"), text(dataset, "OperatorsName")]
    persons += [text(one, "ROIInterpreter") for one in observations]
    return ObjectInfo(
        kind="RTSTRUCT",
        uid=text(dataset, "SOPInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        series_uids=tuple(dict.fromkeys(filter(None, series))),
        frame_uids=tuple(dict.fromkeys(filter(None, frames))),
        moment=moment(
            dataset, ("StructureSetDate", "StructureSetTime"), ("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime")
        ),
        texts=tuple(dict.fromkeys(filter(None, texts))),
        persons=tuple(dict.fromkeys(filter(None, persons))),
    )


def _region(roi: Roi, grid: _Grid) -> Region:
    counts = Counter[str]()
    planes: dict[int, list[tuple[float, str, np.ndarray]]] = defaultdict(list)
    slices = grid.turned_shape[2]
    for contour in roi.contours:
        reason = _without_voxels(contour)
        if not reason:
            assert contour.points is not None
            points = grid.indices(contour.points)
            height = float((points[:, 2].min() + points[:, 2].max()) / 2)
            if np.ptp(points[:, 2]) > _ACROSS:
                reason = "across"
            elif not -0.5 <= height <= slices - 0.5 or _beside(points, grid.turned_shape):
                reason = "outside"
        if reason:
            counts[reason] += 1
        else:
            plane = min(int(np.floor(height + 0.5)), slices - 1)
            planes[plane].append((height, contour.kind, points[:, :2]))
    filled = {}
    for plane, drawn in planes.items():
        mask, empty = _plane(drawn, grid.turned_shape[:2])
        counts["empty"] += empty
        counts["used"] += len(drawn) - empty
        if mask is not None:
            filled[plane] = mask
    told = {name: counts[name] for name in sorted(counts) if counts[name]}
    if not filled:
        return Region(roi.name, roi.number, roi.kind, counts=told)
    start, mask = grid.turned_back(*_boxed(filled))
    return Region(roi.name, roi.number, roi.kind, start, mask, told)


def _without_voxels(contour: Contour) -> str:
    """Return why a contour can hold no voxel; empty if it can."""
    if contour.points is None:
        return "malformed"
    if contour.kind == "POINT":
        return "point"
    if contour.kind not in _CLOSED:
        return "open"
    return "short" if len(np.unique(contour.points, axis=0)) < 3 else ""


def _beside(points: np.ndarray, shape: tuple[int, ...]) -> bool:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return bool((high < -0.5).any() or (low > np.array(shape[:2]) - 0.5).any())


def _plane(drawn: list[tuple[float, str, np.ndarray]], shape: tuple[int, ...]) -> tuple[np.ndarray | None, int]:
    """Return the voxels of the contours that fall into one plane, and how many contours hold no voxel centre."""
    # Only the part of the plane that the contours cover is filled.
    ends = np.concatenate([points for _, _, points in drawn])
    low = np.clip(np.floor(ends.min(axis=0)).astype(int), 0, np.array(shape) - 1)
    high = np.clip(np.ceil(ends.max(axis=0)).astype(int) + 1, low + 1, shape)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    mask = np.zeros(size, dtype=bool)
    empty = 0
    for part in _heights(drawn):
        plain = [points - low for kind, points in part if kind not in _XOR]
        exclusive = [points - low for kind, points in part if kind in _XOR]
        for alone in (*plain, *exclusive):
            empty += not combine([alone], size).any()
        if plain:
            mask |= combine(plain, size)
        if exclusive:
            mask |= combine_xor(exclusive, size)
    if not mask.any():
        return None, empty
    whole = np.zeros(shape, dtype=bool)
    whole[low[0] : high[0], low[1] : high[1]] = mask
    return whole, empty


def _heights(drawn: list[tuple[float, str, np.ndarray]]) -> list[list[tuple[str, np.ndarray]]]:
    """Group contours by their height: those of different planes are not holes of each other."""
    groups: list[list[tuple[str, np.ndarray]]] = []
    last = -np.inf
    for height, kind, points in sorted(drawn, key=lambda one: one[0]):
        if height - last > _ONE_PLANE:
            groups.append([])
        groups[-1].append((kind, points))
        last = height
    return groups


def _boxed(filled: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return planes by slice as the first voxel of their box, and the box."""
    flat = np.logical_or.reduce(list(filled.values()))
    columns, rows = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
    slices = sorted(filled)
    start = np.array([columns[0], rows[0], slices[0]])
    mask = np.zeros((columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1, slices[-1] - slices[0] + 1), dtype=bool)
    for plane, inside in filled.items():
        mask[:, :, plane - slices[0]] = inside[columns[0] : columns[-1] + 1, rows[0] : rows[-1] + 1]
    return start, mask
