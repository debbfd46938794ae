"""Soft-edged solids on a voxel grid: each is evaluated only inside its own box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor

import numpy as np

Box = tuple[slice, slice, slice]
#: Part of a volume (as slices) and the share of each voxel there that the solid fills, 0 to 1.
Solid = tuple[Box, np.ndarray]
Curve = Callable[[np.ndarray], np.ndarray] | float


@dataclass(frozen=True)
class Grid:
    """Voxel grid in the patient's frame: millimetres towards Right, Anterior, Superior.

    Parameters
    ----------
    shape : tuple of int
        Voxels along the three axes.
    spacing : tuple of float
        Voxel size in mm.
    origin : tuple of float
        Position of the centre of the first voxel in mm.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coordinates in mm along each axis, shaped so that they broadcast."""
        x, y, z = (
            np.float32(o) + np.arange(n, dtype=np.float32) * np.float32(s)
            for n, s, o in zip(self.shape, self.spacing, self.origin, strict=True)
        )
        return x[:, None, None], y[None, :, None], z[None, None, :]

    @cached_property
    def softness(self) -> float:
        """Width of an edge in mm: a voxel on the border is filled in part."""
        return max(float(np.prod(self.spacing)) ** (1 / 3), 2.0)

    @property
    def affine(self) -> np.ndarray:
        """RAS+ affine, shape (4, 4)."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = self.origin
        return affine

    def box(self, low: Sequence[float], high: Sequence[float]) -> Box:
        """Return the slices of the voxels between two corners in mm, with one voxel of margin."""
        slices = []
        for a, b, o, s, n in zip(low, high, self.origin, self.spacing, self.shape, strict=True):
            first = min(max(floor((a - o) / s) - 1, 0), n)
            last = min(max(ceil((b - o) / s) + 2, first), n)
            slices.append(slice(first, last))
        return tuple(slices)  # type: ignore[return-value]

    def local(self, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the coordinates inside a box, shaped so that they broadcast."""
        x, y, z = self.axes
        return x[box[0]], y[:, box[1]], z[:, :, box[2]]


@dataclass(frozen=True)
class Ellipsoid:
    """Ellipsoid with centre and radii in mm, turned by `yaw` (about z) then `roll` (about y), in degrees."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    yaw: float = 0.0
    roll: float = 0.0

    @property
    def size(self) -> float:
        """Radius in mm of the sphere of the same volume."""
        return float(self.radii[0] * self.radii[1] * self.radii[2]) ** (1 / 3)

    def rotation(self) -> np.ndarray:
        """Return the matrix from the patient's frame to that of the ellipsoid."""
        a, b = np.deg2rad(self.yaw), np.deg2rad(self.roll)
        about_z = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])
        about_y = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
        return about_y @ about_z

    @property
    def turned(self) -> bool:
        """Whether the axes differ from those of the patient."""
        return self.yaw != 0 or self.roll != 0

    def moved(self, dx: float = 0.0, dy: float = 0.0, dz: float = 0.0) -> Ellipsoid:
        """Return the same ellipsoid elsewhere."""
        x, y, z = self.centre
        return Ellipsoid((x + dx, y + dy, z + dz), self.radii, self.yaw, self.roll)

    def shrunk(self, mm: float) -> Ellipsoid:
        """Return the same ellipsoid with its wall taken off."""
        radii = tuple(max(r - mm, 2.0) for r in self.radii)
        return Ellipsoid(self.centre, radii, self.yaw, self.roll)  # type: ignore[arg-type]

    def reach(self) -> np.ndarray:
        """Return the half-widths of the box around it, in mm."""
        if not self.turned:
            return np.asarray(self.radii)
        return np.sqrt(((np.diag(self.radii) @ self.rotation()) ** 2).sum(axis=0))

    def radius_at(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the normalised radius (1 on the surface) at broadcastable coordinates in mm."""
        if not self.turned:
            (a, b, c), (u, v, w) = self.centre, self.radii
            return np.sqrt(((x - a) / u) ** 2 + ((y - b) / v) ** 2 + ((z - c) / w) ** 2)
        matrix = self.rotation() / np.asarray(self.radii)[:, None]
        d = (x - self.centre[0], y - self.centre[1], z - self.centre[2])
        squares = []
        for row in matrix.astype(np.float32):
            part = row[0] * d[0] + row[1] * d[1] + row[2] * d[2]
            squares.append(part * part)
        return np.sqrt(squares[0] + squares[1] + squares[2])

    def points(self, rng: np.random.Generator, n: int, fill: float = 0.8) -> np.ndarray:
        """Draw positions uniformly inside the ellipsoid scaled by `fill`, shape (n, 3)."""
        direction = rng.standard_normal((n, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        inside = direction * (fill * rng.random((n, 1)) ** (1 / 3)) * np.asarray(self.radii)
        return inside @ self.rotation() + np.asarray(self.centre)


def ramp(distance: np.ndarray, softness: float) -> np.ndarray:
    """Return the filled share for a signed distance to the border in mm (positive inside)."""
    return np.clip(distance / np.float32(softness) + np.float32(0.5), 0, 1)


def fill(grid: Grid, solid: Ellipsoid) -> Solid:
    """Voxelise an ellipsoid."""
    reach = solid.reach()
    box = grid.box(np.subtract(solid.centre, reach), np.add(solid.centre, reach))
    radius = solid.radius_at(*grid.local(box))
    size = solid.size
    return box, ramp((1 - radius) * size, grid.softness)


def tube(grid: Grid, x: Curve, y: Curve, rx: Curve, ry: Curve, bottom: float, top: float) -> Solid:
    """Voxelise a tube along z whose centre and radii are functions of z in mm."""
    ends = np.linspace(bottom, top, 12)
    low = (np.min(_at(x, ends) - _at(rx, ends)), np.min(_at(y, ends) - _at(ry, ends)), bottom)
    high = (np.max(_at(x, ends) + _at(rx, ends)), np.max(_at(y, ends) + _at(ry, ends)), top)
    box = grid.box(low, high)
    cx, cy, cz = grid.local(box)
    a, b = _at(rx, cz), _at(ry, cz)
    radius = np.sqrt(((cx - _at(x, cz)) / a) ** 2 + ((cy - _at(y, cz)) / b) ** 2)
    inside = ramp((1 - radius) * np.sqrt(a * b), grid.softness)
    inside *= ramp(np.minimum(cz - np.float32(bottom), np.float32(top) - cz), grid.spacing[2])
    return box, inside


def _at(curve: Curve, z: np.ndarray) -> np.ndarray:
    return curve(z).astype(np.float32) if callable(curve) else np.full_like(z, curve, dtype=np.float32)


def paint(volume: np.ndarray, solid: Solid, value: float | np.ndarray, share: float | np.ndarray = 1.0) -> None:
    """Mix `value` into the volume where the solid is."""
    box, inside = solid
    if inside.size:
        part = volume[box]
        part += (inside * share) * (value - part)


def times(solid: Solid, factor: np.ndarray) -> Solid:
    """Return the solid cut by a share given on the whole grid."""
    box, inside = solid
    return box, inside * factor[box]
