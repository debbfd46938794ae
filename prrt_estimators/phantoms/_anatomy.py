"""Where everything lies: the trunk of one patient in millimetres, before any scanner sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from prrt_estimators.phantoms._factors import Patient
from prrt_estimators.phantoms._shapes import Curve, Ellipsoid, Grid, Solid, fill, ramp, times, tube

# Trunk outline of a person of 175 cm without fat: half-width and half-depth in mm at heights above L1/L2.
_LEVELS = np.array([-330.0, -230, -120, -20, 80, 180, 250, 290, 330])
_HALF_WIDTH = np.array([155.0, 166, 150, 137, 146, 158, 160, 140, 95])
_HALF_DEPTH = np.array([84.0, 98, 92, 90, 102, 102, 92, 78, 62])
_WALL_LEVELS = np.array([-260.0, -150, -60, 60, 260])
_WALL = np.array([34.0, 24, 13, 15, 20])
_SPINE_LEVELS = np.array([-220.0, -170, -120, -70, -20, 60, 150, 230, 320])
_SPINE_Y = np.array([-60.0, -66, -54, -38, -38, -48, -55, -50, -38])

#: Organs whose position follows breathing, with the share of the movement of the diaphragm that they make.
BREATHING = {
    "liver_right": 1.0,
    "liver_left": 1.0,
    "spleen": 0.9,
    "stomach": 0.9,
    "kidney_right": 0.6,
    "kidney_left": 0.6,
    "heart": 0.4,
}

_ORGANS: dict[str, Ellipsoid] = {
    "liver_right": Ellipsoid((74, 2, 20), (72, 88, 96), yaw=0, roll=14),
    "liver_left": Ellipsoid((-4, 46, 46), (84, 44, 40), yaw=12, roll=8),
    "spleen": Ellipsoid((-98, -44, 26), (27, 46, 52), yaw=-25, roll=-16),
    "stomach": Ellipsoid((-62, 34, 40), (40, 36, 46), yaw=0, roll=-24),
    "kidney_right": Ellipsoid((64, -44, -34), (29, 27, 56), yaw=18, roll=-10),
    "kidney_left": Ellipsoid((-64, -46, -18), (29, 27, 57), yaw=-18, roll=10),
    "heart": Ellipsoid((-26, 34, 132), (58, 48, 52), yaw=-25, roll=28),
    "bladder": Ellipsoid((0, 28, -228), (42, 36, 34)),
    "pancreas": Ellipsoid((-8, 16, -2), (62, 14, 17), yaw=-8, roll=14),
    "adrenal_right": Ellipsoid((34, -34, 24), (7, 10, 11)),
    "adrenal_left": Ellipsoid((-36, -32, 26), (7, 10, 11)),
    "ilium_right": Ellipsoid((92, -22, -152), (11, 58, 62), yaw=28, roll=-20),
    "ilium_left": Ellipsoid((-92, -22, -152), (11, 58, 62), yaw=-28, roll=20),
    "sacrum": Ellipsoid((0, -64, -158), (48, 19, 46)),
    "rectum": Ellipsoid((0, -26, -222), (20, 18, 40)),
    "pelvic_organ": Ellipsoid((0, 2, -252), (26, 20, 26)),
    "hip_right": Ellipsoid((92, 0, -234), (27, 27, 27)),
    "hip_left": Ellipsoid((-92, 0, -234), (27, 27, 27)),
    "femur_right": Ellipsoid((120, -4, -268), (22, 22, 40), roll=24),
    "femur_left": Ellipsoid((-120, -4, -268), (22, 22, 40), roll=-24),
    "pubis_right": Ellipsoid((34, 42, -262), (36, 13, 13), yaw=-24),
    "pubis_left": Ellipsoid((-34, 42, -262), (36, 13, 13), yaw=24),
}
# Bones of the pelvis stay with the spine; soft organs vary on their own.
_RIGID = ("ilium", "sacrum", "hip", "femur", "pubis")


@dataclass(frozen=True)
class Anatomy:
    """Shapes of one patient.

    Parameters
    ----------
    scale : float
        Size relative to a person of 175 cm.
    fat_mm, muscle : float
        Thickness of the subcutaneous fat in mm; muscle mass relative to the average.
    organs : dict of str to Ellipsoid
        Organs in the geometry of the CT (breath held).
    bowel : list of (Ellipsoid, str)
        Loops with their content: ``"wall"``, ``"gas"`` or ``"stool"``.
    breath_mm : float
        How much higher the diaphragm stands in the PET, which is acquired in free breathing.
    """

    scale: float
    fat_mm: float
    muscle: float
    organs: dict[str, Ellipsoid]
    bowel: list[tuple[Ellipsoid, str]] = field(repr=False)
    breath_mm: float = 0.0

    def spine_y(self, z: np.ndarray) -> np.ndarray:
        """Return the y of the vertebral bodies at heights z in mm."""
        return self.scale * np.interp(z / self.scale, _SPINE_LEVELS, _SPINE_Y)

    def psoas_y(self, z: np.ndarray) -> np.ndarray:
        """Return the y of the psoas muscles at heights z in mm."""
        return self.spine_y(z) + self.scale * np.interp(z / self.scale, [-190.0, -60, 20], [70, 16, 6])

    def back_y(self, z: np.ndarray) -> np.ndarray:
        """Return the y of the paraspinal muscles at heights z in mm."""
        return self.spine_y(z) - 33 * self.scale

    def depth(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the depth under the skin in mm (approximate, negative outside) at broadcastable coordinates."""
        level = z / self.scale
        half_width = (self.scale * np.interp(level, _LEVELS, _HALF_WIDTH) + self.fat_mm).astype(np.float32)
        half_depth = (self.scale * np.interp(level, _LEVELS, _HALF_DEPTH) + self.fat_mm).astype(np.float32)
        power = np.float32(2.4)
        radius = (np.abs(x) / half_width) ** power + (np.abs(y) / half_depth) ** power
        return (1 - radius ** (1 / power)) * np.sqrt(half_width * half_depth)

    def wall(self, z: np.ndarray) -> np.ndarray:
        """Return the thickness of the wall of the trunk without subcutaneous fat at heights z in mm."""
        return (self.scale * np.interp(z / self.scale, _WALL_LEVELS, _WALL)).astype(np.float32)

    def diaphragm(self, x: np.ndarray, y: np.ndarray, dz: float = 0.0) -> np.ndarray:
        """Return the height of the diaphragm in mm."""
        s = self.scale
        right = 100 - 62 * ((x / s - 76) / 85) ** 2
        left = 82 - 62 * ((x / s + 80) / 85) ** 2
        sag = 55 * ((y / s - 12) / 95) ** 2
        return (s * (np.maximum(right, left) - sag) + dz).astype(np.float32)

    def cavity_depth(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the depth under the inner side of the muscle wall in mm."""
        return self.depth(x, y, z) - np.float32(self.fat_mm) - self.wall(z)

    def solid(self, name: str, grid: Grid, dz: float = 0.0) -> Solid:
        """Voxelise an organ, moved up by the part of `dz` that breathing gives it."""
        return fill(grid, self.organs[name].moved(dz=dz * BREATHING.get(name, 0.0)))


class Trunk:
    """The regions of a trunk on one grid that all organs are cut by.

    Parameters
    ----------
    anatomy : Anatomy
        The patient.
    grid : Grid
        The voxels.
    dz : float, default=0.0
        How much higher than in the CT the diaphragm stands, in mm.
    """

    def __init__(self, anatomy: Anatomy, grid: Grid, dz: float = 0.0):
        self.anatomy, self.grid, self.dz = anatomy, grid, dz
        x, y, z = grid.axes
        soft = grid.softness
        s = np.float32(anatomy.scale)
        depth = anatomy.depth(x, y, z)
        wall = anatomy.wall(z)
        cavity = depth - np.float32(anatomy.fat_mm) - wall
        # Muscle takes its room from the fat, so that neither outline nor organs, which PET sees, depend on it.
        fat = np.maximum(np.float32(anatomy.fat_mm) + wall * np.float32(1 - anatomy.muscle), 2)
        self.body = ramp(depth, soft)
        self.muscle = ramp(depth - fat, soft)
        self.cavity = ramp(cavity, soft)
        above = ramp(z - anatomy.diaphragm(x, y, dz), max(soft, 6.0))
        # Mediastinum: wide at the spine, narrow behind the sternum, closed above the apices.
        middle = s * (16 + np.clip(20 - y / s, 0, 90) * np.float32(0.22))
        side = ramp(np.abs(x) - middle, soft)
        apex = ramp(s * 292 - z - np.abs(np.abs(x) - s * 62) * np.float32(0.5), soft)
        self.lungs = ramp(cavity - 9 * s, soft) * above * side * apex
        self.abdomen = self.cavity * (1 - above)
        self.cage = ramp(cavity, soft) - ramp(cavity - 9 * s, soft)
        self.cage *= ramp(z - s * (20 - 30 * np.abs(y / (100 * s))), soft) * ramp(s * 290 - z, soft)

    def organ(self, name: str) -> Solid:
        """Voxelise an organ inside the abdominal cavity, under the diaphragm."""
        return times(self.anatomy.solid(name, self.grid, self.dz), self.abdomen)

    def ribs(self) -> np.ndarray:
        """Return the share of each voxel that is rib, on the whole grid."""
        x, y, z = self.grid.axes
        s = self.anatomy.scale
        phase = (z - np.float32(0.45) * y - np.float32(0.12) * np.abs(x)) / np.float32(27 * s)
        pattern = np.clip(np.float32(0.5) + np.cos(np.float32(2 * np.pi) * phase) * np.float32(1.6), 0, 1)
        return self.cage * pattern

    def vertebrae(self, shrink: float = 0.0) -> Solid:
        """Voxelise the column of vertebral bodies."""
        a = self.anatomy
        width = _curve(a.scale, [-120.0, 300.0], [24.0 - shrink, 15.0 - shrink])
        depth = _curve(a.scale, [-120.0, 300.0], [19.0 - shrink, 13.0 - shrink])
        return tube(self.grid, 0.0, a.spine_y, width, depth, -125 * a.scale, 330 * a.scale)

    def vessel(self, name: str) -> Solid:
        """Voxelise the ``"aorta"`` or the ``"cava"``."""
        a = self.anatomy
        x, radius, top = (-13.0, 11.0, 190.0) if name == "aorta" else (20.0, 11.5, 90.0)
        front = 34.0 * a.scale
        return tube(
            self.grid,
            x * a.scale,
            lambda z: a.spine_y(z) + front * np.interp(z, [-100.0, 60, 200], [1, 1, 0.55]),
            radius * a.scale,
            radius * a.scale,
            -105 * a.scale,
            top * a.scale,
        )

    def back_muscles(self) -> list[Solid]:
        """Voxelise psoas, paraspinal, gluteal and iliac muscles of both sides."""
        a = self.anatomy
        s = a.scale
        thick = s * float(np.sqrt(a.muscle))
        lumbar, back = [-190.0, -80, 20], [-150.0, 40, 280]
        solids = []
        for side in (-1.0, 1.0):
            psoas = (_curve(s, lumbar, [side * 78, side * 54, side * 34]), a.psoas_y)
            radii = (_curve(s, lumbar, [17, 20, 9], thick), _curve(s, lumbar, [17, 22, 9], thick))
            solids.append(tube(self.grid, *psoas, *radii, -190 * s, 20 * s))
            radii = (_curve(s, back, [27, 25, 17], thick), _curve(s, back, [18, 19, 13], thick))
            solids.append(tube(self.grid, side * 31 * s, a.back_y, *radii, -160 * s, 300 * s))
            # On both faces of the iliac wing.
            for x, y, z, size in ((104, -46, -188, (26, 34, 62)), (76, -2, -160, (15, 36, 50))):
                centre, (u, v, w) = (side * x * s, y * s, z * s), size
                wing = Ellipsoid(centre, (u * thick, v * thick, w * thick), yaw=-28 * side)
                solids.append(fill(self.grid, wing))
        return [times(solid, self.muscle) for solid in solids]


def _curve(scale: float, levels: list[float], values: list[float], factor: float | None = None) -> Curve:
    """Return a function of z in mm that interpolates values given at the levels of a 175 cm person."""
    return lambda z: (scale if factor is None else factor) * np.interp(z / scale, levels, values)


def build_anatomy(patient: Patient, bowel: bool = True) -> Anatomy:
    """Return the anatomy of a patient, with or without bowel; muscle and fat follow the factors."""
    rng = patient.rng("anatomy")
    s = patient.height_cm / 175.0
    moves = rng.normal(0.0, 4.0, (len(_ORGANS), 3))
    sizes = np.exp(rng.normal(0.0, 0.05, (len(_ORGANS), 3)))
    organs = {}
    for k, (name, organ) in enumerate(_ORGANS.items()):
        rigid = name.startswith(_RIGID)
        move = np.zeros(3) if rigid else moves[k]
        size = np.ones(3) if rigid else sizes[k]
        centre = tuple(float(v) for v in s * (np.asarray(organ.centre) + move))
        radii = tuple(float(v) for v in s * np.asarray(organ.radii) * size)
        organs[name] = Ellipsoid(centre, radii, organ.yaw, organ.roll)  # type: ignore[arg-type]
    fat = (20.0 if patient.sex == "F" else 14.0) * float(np.exp(0.42 * patient.factors["body_size"]))
    return Anatomy(
        scale=s,
        fat_mm=float(np.clip(fat, 4.0, 42.0)),
        muscle=float(np.exp(0.20 * np.clip(patient.factors["muscle"], -3, 3))),
        organs=organs,
        bowel=_bowel(patient.rng("bowel"), s) if bowel else [],
        breath_mm=float(np.clip(rng.normal(9.0, 4.0), 0.0, 20.0)),
    )


def _bowel(rng: np.random.Generator, s: float) -> list[tuple[Ellipsoid, str]]:
    """Colon as a frame, small bowel as loops in the middle."""
    loops: list[tuple[Ellipsoid, str]] = []
    frame = [(104.0, 6.0, float(z)) for z in range(-130, -60, 22)]
    frame += [(float(x), 52.0 - 0.0016 * x * x, -58.0 - 0.001 * x * x) for x in range(-90, 100, 24)]
    frame += [(-110.0, -4.0, float(z)) for z in range(-140, 0, 22)]
    for x, y, z in frame:
        centre = np.array([x, y, z]) + rng.normal(0.0, 4.0, 3)
        kind = ("gas", "stool", "stool", "wall")[rng.integers(4)]
        loops.append((_loop(s, centre, rng.uniform(15, 21, 3)), kind))
    for _ in range(44):
        centre = np.array([rng.uniform(-82, 82), rng.uniform(-8, 66), rng.uniform(-196, -58)])
        kind = "gas" if rng.random() < 0.12 else "wall"
        loops.append((_loop(s, centre, rng.uniform(11, 22, 3)), kind))
    return loops


def _loop(s: float, centre: np.ndarray, radii: np.ndarray) -> Ellipsoid:
    return Ellipsoid(tuple(float(v) for v in s * centre), tuple(float(v) for v in s * radii))  # type: ignore[arg-type]
