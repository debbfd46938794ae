"""DICOM SEG: frames of segments at places in the patient, and their voxels on a grid."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from prrt_estimators._dataset import ShortRepr
from prrt_estimators.contours._objects import ObjectInfo, items, moment, number, open_object, text
from prrt_estimators.contours._regions import Region, Structures
from prrt_estimators.contours._segment_frames import Frame, read_frames
from prrt_estimators.exceptions import ContourError

_STORAGE = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Voxels by which the corner of a frame may lie beside the centres of a grid that is taken for its own.
_OFF_GRID = 0.1
#: Part of a slice by which a position may differ from a multiple of the distance between slices.
_REGULAR = 0.05


@dataclass(frozen=True)
class Segment:
    """One segment of a DICOM SEG.

    Attributes
    ----------
    number : int
    name : str
        SegmentLabel, which may name a person.
    kind : str
        Meaning of its category, type and region, as words.
    """

    number: int
    name: str
    kind: str


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation(ShortRepr):
    """A DICOM SEG, read.

    Attributes
    ----------
    info : ObjectInfo
    segments : tuple of Segment
    frames : tuple of Frame
    affine, shape :
        The object's own grid, turned to RAS+: its frames and what lies between them. None where there is no frame.
    cut : int
        Voxels of a fractional segmentation above 0 that were left out, because less than half is lesion.
    """

    info: ObjectInfo
    segments: tuple[Segment, ...]
    frames: tuple[Frame, ...]
    affine: np.ndarray | None
    shape: tuple[int, int, int] | None
    cut: int = 0

    @property
    def structures(self) -> list[tuple[str, str]]:
        """Name and kind of each segment."""
        return [(one.name, one.kind) for one in self.segments]

    @property
    def filled(self) -> list[bool]:
        """Whether each segment holds voxels."""
        numbers = {frame.segment for frame in self.frames if frame.mask.any()}
        return [one.number in numbers for one in self.segments]

    def overlaps(self, affine: np.ndarray, shape: tuple[int, int, int]) -> bool:
        """Return whether the own grid of the object shares space with another."""
        if self.affine is None or self.shape is None:
            return False
        ends = np.array(np.meshgrid(*[(-0.5, size - 0.5) for size in self.shape])).reshape(3, -1)
        step = np.linalg.inv(affine) @ self.affine
        corners = step[:3, :3] @ ends + step[:3, 3:]
        inside = (corners.max(axis=1) > -0.5) & (corners.min(axis=1) < np.array(shape) - 0.5)
        return bool(inside.all())

    def fits(self, affine: np.ndarray, shape: tuple[int, int, int]) -> bool:
        """Return whether every frame lies on the voxels of a grid, or on the same voxels continued beyond its ends."""
        turned = [_place(frame, np.linalg.inv(affine)) for frame in self.frames]
        if not turned or any(one is None for one in turned):
            return not turned
        return any(one is not None and _cropped(one, shape) is not None for one in turned)

    def on(self, affine: np.ndarray | None = None, shape: tuple[int, int, int] | None = None) -> Structures:
        """Return the voxels of each segment on a grid that its frames lie on.

        Parameters
        ----------
        affine : ndarray of shape (4, 4), default=None
            Voxel indices to RAS+ millimetres; the object's own grid by default.
        shape : tuple of 3 ints, default=None

        Returns
        -------
        Structures

        Raises
        ------
        ContourError
            If the frames do not lie on the voxels of the grid.
        """
        if affine is None or shape is None:
            affine, shape = self.affine, self.shape
        if affine is None or shape is None:
            return Structures(np.eye(4), (1, 1, 1), tuple(Region(s.name, s.number, s.kind) for s in self.segments))
        inverse = np.linalg.inv(affine)
        placed: dict[int, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
        counts: dict[int, Counter[str]] = defaultdict(Counter)
        for frame in self.frames:
            turned = _place(frame, inverse)
            if turned is None:
                raise ContourError("lies on another grid than the scan", "read it on its own grid")
            if not frame.mask.any():
                counts[frame.segment]["empty"] += 1
                continue
            part = _cropped(turned, shape)
            counts[frame.segment]["outside" if part is None else "used"] += 1
            if part is not None:
                placed[frame.segment].append(part)
        regions = tuple(_region(one, placed[one.number], counts[one.number]) for one in self.segments)
        return Structures(np.asarray(affine, float), (int(shape[0]), int(shape[1]), int(shape[2])), regions)


def read_segmentation(path: str | os.PathLike[str]) -> Segmentation:
    """Read a DICOM SEG: binary, fractional or a label map; sparse, reversed or overlapping frames.

    Parameters
    ----------
    path : path

    Returns
    -------
    Segmentation
        `on` gives the voxels of its segments. Of fractions, at least one half is lesion.

    Raises
    ------
    ContourError
        If the file is damaged, cut short or no SEG, or its frames have no common grid.
    MissingDependencyError
        If pydicom, or a decoder for compressed pixels, is not installed.

    See Also
    --------
    read_rtstruct : The same for DICOM RTSTRUCT.
    lesion_labels : Structures as numbered lesions.

    Examples
    --------
    >>> read_segmentation("exports/anna/SEG.dcm").on().regions[0].voxels  # doctest: +SKIP
    185
    """
    return parse_segmentation(open_object(path), Path(path).name)


def parse_segmentation(dataset: Any, name: str) -> Segmentation:
    """Return the segmentation in an object that was opened; see `read_segmentation`."""
    if text(dataset, "SOPClassUID") not in _STORAGE and text(dataset, "Modality") != "SEG":
        raise ContourError("is not a DICOM SEG", "give the segmentation", name)
    try:
        frames, cut = read_frames(dataset)
        segments = _segments(dataset, frames)
        affine, shape = _own_grid(dataset, frames)
    except ContourError as error:
        raise ContourError(error.what, error.remedy, name) from None
    return Segmentation(segmentation_info(dataset), segments, tuple(frames), affine, shape, cut)


def _segments(dataset: Any, frames: list[Frame]) -> tuple[Segment, ...]:
    found = []
    for position, item in enumerate(items(dataset, "SegmentSequence"), 1):
        own = number(item, "SegmentNumber")
        words = []
        for keyword in (
            "SegmentedPropertyCategoryCodeSequence",
            "SegmentedPropertyTypeCodeSequence",
            "AnatomicRegionSequence",
        ):
            words += [text(code, "CodeMeaning") for code in items(item, keyword)[:1]]
        found.append(
            Segment(
                position if own is None else int(own),
                text(item, "SegmentLabel") or text(item, "SegmentDescription"),
                ", ".join(filter(None, words)),
            )
        )
    known = {one.number for one in found}
    found += [Segment(value, "", "") for value in sorted({frame.segment for frame in frames} - known)]
    return tuple(found)


def segmentation_info(dataset: Any) -> ObjectInfo:
    """Return what a segmentation says about itself."""
    series = [text(one, "SeriesInstanceUID") for one in items(dataset, "ReferencedSeriesSequence")]
    described = items(dataset, "SegmentSequence")
    texts = [text(dataset, keyword) for keyword in ("ContentLabel", "ContentDescription", "SeriesDescription")]
    own = ("SegmentDescription", "SegmentLabel", "SegmentAlgorithmName", "TrackingID")
    texts += [text(one, keyword) for one in described for keyword in own]
    persons = [text(dataset, keyword) for keyword in ("ContentCreatorName", "ReviewerName", "OperatorsName")]
    return ObjectInfo(
        kind="SEG",
        uid=text(dataset, "SOPInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        series_uids=tuple(dict.fromkeys(filter(None, series))),
        frame_uids=tuple(filter(None, [text(dataset, "FrameOfReferenceUID")])),
        moment=moment(
            dataset, ("ContentDate", "ContentTime"), ("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime")
        ),
        texts=tuple(dict.fromkeys(filter(None, texts))),
        persons=tuple(dict.fromkeys(filter(None, persons))),
    )


def _own_grid(dataset: Any, frames: list[Frame]) -> tuple[np.ndarray | None, tuple[int, int, int] | None]:
    """Return the grid of the frames, turned to RAS+."""
    if not frames:
        return None, None
    first = frames[0]
    if any(np.abs(one.edges - first.edges).max() > 1e-3 for one in frames):
        raise ContourError(
            "has frames in several orientations or sizes of pixels", "export one segmentation per series"
        )
    across, down = first.edges
    normal = np.cross(across, down)
    normal /= np.linalg.norm(normal)
    corners = np.array([one.corner for one in frames])
    heights = corners @ normal
    step = _distance(dataset, heights)
    lowest = corners[heights.argmin()]
    plane = np.column_stack([across, down])
    offsets = np.linalg.lstsq(plane, (corners - lowest - np.outer(heights - heights.min(), normal)).T, rcond=None)[0]
    low = np.floor(offsets.min(axis=1) + 0.5)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([across, down, normal * step])
    affine[:3, 3] = lowest + plane @ low
    size = np.rint(offsets.max(axis=1) - low).astype(int) + np.array(first.size)
    count = int(np.rint((heights.max() - heights.min()) / step)) + 1
    affine = _TO_RAS @ affine
    turn = nib.io_orientation(affine)
    shape = np.empty(3, dtype=int)
    shape[turn[:, 0].astype(int)] = (size[0], size[1], count)
    a, b, c = shape.tolist()
    return affine @ nib.orientations.inv_ornt_aff(turn, (size[0], size[1], count)), (a, b, c)


def _distance(dataset: Any, heights: np.ndarray) -> float:
    """Return the distance between slices: as stated, else the least between frames, else the thickness of a slice."""
    gaps = np.diff(np.unique(np.round(heights, 3)))
    gaps = gaps[gaps > 0.01]
    measures = [
        part
        for group in (
            *items(dataset, "SharedFunctionalGroupsSequence"),
            *items(dataset, "PerFrameFunctionalGroupsSequence")[:1],
        )
        for part in items(group, "PixelMeasuresSequence")
    ]
    stated, thickness = (
        next((abs(value) for part in (*measures, dataset) if (value := number(part, keyword))), None)
        for keyword in ("SpacingBetweenSlices", "SliceThickness")
    )
    for distance in (stated, float(gaps.min()) if len(gaps) else None):
        if distance and _regular(heights, distance):
            return distance
    if len(gaps):
        raise ContourError("has frames at unequal distances", "export one segmentation per series")
    return stated or thickness or 1.0


def _regular(heights: np.ndarray, distance: float) -> bool:
    steps = (heights - heights.min()) / distance
    return bool(np.abs(steps - np.rint(steps)).max() <= _REGULAR * max(1.0, 0.1 * steps.max()))


def _place(frame: Frame, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the first voxel and the voxels of a frame on a grid, None where it lies between the voxels."""
    steps = (inverse @ _TO_RAS)[:3, :3] @ frame.edges.T
    whole = np.rint(steps)
    size = np.array(frame.size)
    if np.abs(whole).sum() != 2 or (np.abs(whole).sum(axis=0) != 1).any():
        return None
    if (np.abs(steps - whole) * size).max() > 2 * _OFF_GRID:
        return None
    corner = (inverse @ _TO_RAS @ [*frame.corner, 1.0])[:3]
    begin = np.rint(corner)
    if np.abs(corner - begin).max() > _OFF_GRID:
        return None
    axes = [int(np.abs(whole[:, k]).argmax()) for k in (0, 1)]
    mask, start = frame.mask, begin.astype(int)
    for k, axis in enumerate(axes):
        sign = int(whole[axis, k])
        first = frame.start[k]
        start[axis] += sign * first if sign > 0 else -(first + mask.shape[k] - 1)
        mask = mask if sign > 0 else np.flip(mask, k)
    normal = 3 - sum(axes)
    order = np.argsort([*axes, normal])
    return start, mask[:, :, None].transpose(order)


def _cropped(part: tuple[np.ndarray, np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what of a box lies on a grid, None if nothing does."""
    start, mask = part
    low, high = np.maximum(-start, 0), np.minimum(np.array(shape) - start, mask.shape)
    if (high <= low).any():
        return None
    inside = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return (start + low, inside) if inside.any() or not mask.any() else None


def _region(segment: Segment, parts: list[tuple[np.ndarray, np.ndarray]], counts: Counter[str]) -> Region:
    told = {name: counts[name] for name in sorted(counts) if counts[name]}
    if not parts:
        return Region(segment.name, segment.number, segment.kind, counts=told)
    low = np.min([start for start, _ in parts], axis=0)
    high = np.max([start + mask.shape for start, mask in parts], axis=0)
    whole = np.zeros(high - low, dtype=bool)
    for start, mask in parts:
        whole[tuple(slice(a, a + n) for a, n in zip(start - low, mask.shape, strict=True))] |= mask
    a, b, c = low.tolist()
    return Region(segment.name, segment.number, segment.kind, (a, b, c), whole, told)
