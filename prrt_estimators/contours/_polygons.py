"""Closed contours of one structure in one plane as voxels.

A voxel belongs to a contour when its centre lies inside by crossing parity. Holes come as contours within contours, as
channels of no width and as contours to be combined by exclusive or; all three are read here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Places that differ by less than this part of a voxel are one: contours are written with a few digits.
_SAME = 0.01
#: Distance, in voxels, between the points at which a contour is compared with another.
_SAMPLED = 0.25
#: Digits of a voxel to which places are rounded, so that the same contour gives the same voxels on a turned grid.
_DIGITS = 6


def fill(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the voxels whose centres lie inside a closed contour.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Vertices in voxel indices (column, row); the last is joined to the first.
    shape : tuple of 2 ints
        Columns, rows.

    Returns
    -------
    ndarray of bool, shape `shape`

    Examples
    --------
    >>> fill(np.array([(0.5, 0.5), (2.5, 0.5), (2.5, 1.5), (0.5, 1.5)]), (4, 3)).astype(int).T
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    columns, rows = shape
    start, end = points, np.roll(points, -1, axis=0)
    # An edge is followed from its lower end, whichever way it was drawn: a channel of no width then cancels exactly.
    upward = (start[:, 1] < end[:, 1])[:, None]
    low, high = np.where(upward, start, end), np.where(upward, end, start)
    first = np.clip(np.ceil(low[:, 1]), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(high[:, 1]), 0, rows).astype(np.int64)
    count = last - first
    edge = np.repeat(np.arange(len(points)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (high[edge, 0] - low[edge, 0]) / (high[edge, 1] - low[edge, 1])
    crossing = np.round(low[edge, 0] + (row - low[edge, 1]) * slope, _DIGITS)
    column = np.clip(np.ceil(crossing), 0, columns).astype(np.int64)
    toggles = np.bincount(row * (columns + 1) + column, minlength=rows * (columns + 1)).reshape(rows, columns + 1)
    return (np.cumsum(toggles[:, :-1], axis=1) % 2 == 1).T


def combine(contours: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return the voxels of plain closed contours of one structure in one plane.

    Identical contours count once. A contour within another is a hole, one within a hole is an island, and so on; contours
    that cross are joined.

    Parameters
    ----------
    contours : sequence of ndarray of shape (n, 2)
    shape : tuple of 2 ints

    Returns
    -------
    ndarray of bool, shape `shape`
    """
    distinct = without_copies(contours)
    mask = np.zeros(shape, dtype=bool)
    if len(distinct) == 1:
        return fill(distinct[0], shape)
    depths = _depths(distinct)
    for depth in range(max(depths, default=-1) + 1):
        for contour, own in zip(distinct, depths, strict=True):
            if own == depth:
                inside = fill(contour, shape)
                mask = mask | inside if depth % 2 == 0 else mask & ~inside
    return mask


def combine_xor(contours: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return the voxels of contours that are combined by exclusive or (CLOSEDPLANAR_XOR)."""
    mask = np.zeros(shape, dtype=bool)
    for contour in without_copies(contours):
        mask ^= fill(contour, shape)
    return mask


def without_copies(contours: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return contours, each once, whatever vertex they start at, whichever way they run and however they were rounded."""
    kept: list[np.ndarray] = []
    for contour in contours:
        if not any(_same(contour, other) for other in kept):
            kept.append(contour)
    return kept


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    ends = np.abs(first.min(axis=0) - second.min(axis=0)).max(), np.abs(first.max(axis=0) - second.max(axis=0)).max()
    if max(ends) > _SAME:
        return False
    return bool(_near(first, second).all() and _near(second, first).all())


def _near(points: np.ndarray, contour: np.ndarray) -> np.ndarray:
    """Return which points lie on a contour."""
    start = contour
    along = np.roll(contour, -1, axis=0) - start
    length = np.einsum("ij,ij->i", along, along)
    near = np.zeros(len(points), dtype=bool)
    for begin in range(0, len(points), 512):
        part = points[begin : begin + 512, None] - start[None]
        share = np.clip(np.einsum("pij,ij->pi", part, along) / np.where(length > 0, length, 1.0), 0, 1)
        distance = part - share[..., None] * along
        near[begin : begin + 512] = (np.einsum("pij,pij->pi", distance, distance) <= _SAME**2).any(axis=1)
    return near


def _inside(points: np.ndarray, contour: np.ndarray) -> np.ndarray:
    """Return which points lie inside a contour by crossing parity."""
    start, end = contour, np.roll(contour, -1, axis=0)
    inside = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in zip(start, end, strict=True):
        if y0 != y1:
            crosses = (points[:, 1] < y0) != (points[:, 1] < y1)
            inside ^= crosses & (points[:, 0] < x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _sampled(contour: np.ndarray) -> np.ndarray:
    """Return points along a contour, close enough to see where another one crosses it."""
    along = np.roll(contour, -1, axis=0) - contour
    steps = np.maximum(np.ceil(np.linalg.norm(along, axis=1) / _SAMPLED).astype(int), 1)
    edge = np.repeat(np.arange(len(contour)), steps)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(steps) - steps, steps)) / steps[edge]
    return contour[edge] + share[:, None] * along[edge]


def _depths(contours: list[np.ndarray]) -> list[int]:
    """Return how many groups of contours lie around each one; contours that cross are one group."""
    count = len(contours)
    points = [_sampled(contour) for contour in contours]
    contains = np.zeros((count, count), dtype=bool)
    group = list(range(count))
    for first in range(count):
        for second in range(first + 1, count):
            if (contours[first].min(axis=0) > contours[second].max(axis=0)).any() or (
                contours[second].min(axis=0) > contours[first].max(axis=0)
            ).any():
                continue
            a_in_b = _where(points[first], contours[second])
            b_in_a = _where(points[second], contours[first])
            contains[second, first] = a_in_b == {"in"}
            contains[first, second] = b_in_a == {"in"} and not contains[second, first]
            if not (contains[first, second] or contains[second, first]) and "in" in a_in_b | b_in_a:
                old, new = group[second], group[first]
                group = [new if one == old else one for one in group]
    around = [{group[k] for k in range(count) if contains[k, j]} - {group[j]} for j in range(count)]
    # What lies around one contour of a group lies around the group.
    joined = {name: set().union(*(around[j] for j in range(count) if group[j] == name)) for name in set(group)}
    return [len(joined[group[j]]) for j in range(count)]


def _where(points: np.ndarray, contour: np.ndarray) -> set[str]:
    """Return whether points lie in or out of a contour; those on it count for neither, unless all do."""
    on = _near(points, contour)
    inside = _inside(points[~on], contour)
    found = {name for name, there in (("in", inside.any()), ("out", (~inside).any())) if there}
    return found or {"in"}
