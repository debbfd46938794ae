"""Tumour lesions of one patient: how many, where, how large, and what each scan shows of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prrt_estimators._modalities import CT, PET
from prrt_estimators.phantoms._anatomy import BREATHING, Anatomy
from prrt_estimators.phantoms._factors import Patient
from prrt_estimators.phantoms._shapes import Ellipsoid, Grid

ORGANS = ("liver", "bone", "node")
_MAX_LESIONS = 40
_MIN_LESIONS = 3
_TYPICAL_COUNT = 12.0
_COUNT_SPREAD = 0.42
_RADIUS_MM = {"liver": 16.0, "bone": 12.5, "node": 13.0}
#: Volume of one typical lesion over 4/3 pi, in mm3: counts differ from patient to patient in whole lesions, the total
#: volume follows the burden exactly.
_CUBE = 15.5**3


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Parameters
    ----------
    organ : {"liver", "bone", "node"}
        Where it grows.
    shape : Ellipsoid
        Shape on CT, breath held.
    ct_visible, avid : bool
        Whether CT and PET show it.
    pet_factor : float
        Radius on PET relative to that on CT.
    suv : float
        SUVbw of its rim; NaN where not avid.
    core, pet_core : float
        Share that the core lacks of the density on CT and of the uptake on PET, 0 to 1.
    contrast_hu : float
        HU relative to the tissue around it (liver), else its own HU.
    breath_mm : float
        How much higher it lies on PET.
    """

    organ: str
    shape: Ellipsoid
    ct_visible: bool
    avid: bool
    pet_factor: float
    suv: float
    core: float
    pet_core: float
    contrast_hu: float
    breath_mm: float

    def pet_shape(self) -> Ellipsoid:
        """Return the shape on PET."""
        moved = self.shape.moved(dz=self.breath_mm)
        radii = tuple(r * self.pet_factor for r in moved.radii)
        return Ellipsoid(moved.centre, radii, moved.yaw, moved.roll)  # type: ignore[arg-type]


def place_lesions(patient: Patient, anatomy: Anatomy) -> list[Lesion]:
    """Draw the lesions of a patient.

    Numbers and volumes on PET and on CT follow ``avid_burden`` and ``ct_burden``; the smaller number is shared by
    both scans, the rest is seen by one only (receptor-negative disease on CT, small marrow lesions on PET). Draws
    have a fixed size, so that patients who differ in one factor differ in nothing else.
    """
    rng = patient.rng("lesions")
    pet, ct = patient.seen(PET.name), patient.seen(CT.name)
    wanted_pet = _TYPICAL_COUNT * np.exp(_COUNT_SPREAD * pet["avid_burden"])
    wanted_ct = _TYPICAL_COUNT * np.exp(_COUNT_SPREAD * ct["ct_burden"])
    n_pet, n_ct = (int(np.clip(np.round(n), _MIN_LESIONS, _MAX_LESIONS)) for n in (wanted_pet, wanted_ct))
    n = max(n_pet, n_ct)

    liver = 1 / (1 + np.exp(-(0.4 + 0.7 * patient.factors["liver_share"])))
    organ_draw, sizes = rng.random(_MAX_LESIONS), np.exp(0.28 * rng.standard_normal(_MAX_LESIONS))
    uptake = rng.standard_normal(_MAX_LESIONS)
    stretch = np.exp(0.14 * rng.standard_normal((_MAX_LESIONS, 3)))
    yaw = rng.uniform(0, 180, _MAX_LESIONS)
    organs = np.where(organ_draw < liver, 0, np.where(organ_draw < liver + 0.55 * (1 - liver), 1, 2))
    # Which lesions are shared is left to chance, so that position tells nothing.
    order = rng.permutation(_MAX_LESIONS)
    ranks = np.argsort(order[:n])
    on_ct, on_pet = ranks < n_ct, ranks < n_pet

    radii = np.array([_RADIUS_MM[ORGANS[k]] for k in organs[:n]]) * sizes[:n]
    cube = radii**3
    to_ct = (wanted_ct * _CUBE / cube[on_ct].sum()) ** (1 / 3)
    to_pet = (wanted_pet * _CUBE / cube[on_pet].sum()) ** (1 / 3)
    suv = _uptakes(uptake[:n], on_pet, pet["expression"], pet["heterogeneity"])
    spots = _Spots(anatomy, rng)
    lesions = []
    for k in range(n):
        organ = ORGANS[organs[k]]
        centre = spots.next(organ, float(radii[k]))
        own = stretch[k] / np.prod(stretch[k]) ** (1 / 3)
        lesions.append(
            Lesion(
                organ=organ,
                shape=Ellipsoid(centre, tuple((radii[k] * to_ct * own).tolist()), float(yaw[k])),
                ct_visible=bool(on_ct[k]),
                avid=bool(on_pet[k]),
                pet_factor=float(to_pet / to_ct),
                suv=float(suv[k]),
                core=float(np.clip(0.35 + 0.25 * ct["dedifferentiation"], 0.0, 0.9)),
                pet_core=float(np.clip(0.30 + 0.20 * pet["heterogeneity"], 0.0, 0.9)),
                contrast_hu=_density(organ, ct["dedifferentiation"]),
                breath_mm=anatomy.breath_mm * (BREATHING["liver_right"] if organ == "liver" else 0.0),
            )
        )
    return lesions


def _uptakes(draws: np.ndarray, avid: np.ndarray, expression: float, heterogeneity: float) -> np.ndarray:
    """Return SUVs whose log mean and log spread over the avid lesions are exactly those of the patient."""
    chosen = draws[avid]
    standard = (chosen - chosen.mean()) / max(chosen.std(), 1e-6)
    spread = np.clip(0.50 * np.exp(0.50 * heterogeneity), 0.08, 1.30)
    suv = np.full(len(draws), np.nan)
    suv[avid] = np.clip(24.0 * np.exp(0.42 * expression + spread * standard), 2.0, 140.0)
    return suv


def _density(organ: str, dedifferentiation: float) -> float:
    """Return the contrast to the liver, else the own density, in HU: dedifferentiated tissue is poorer in vessels."""
    if organ == "liver":
        return float(-48.0 - 22.0 * dedifferentiation)
    if organ == "bone":
        return float(540.0 - 160.0 * dedifferentiation)
    return float(78.0 - 20.0 * dedifferentiation)


class _Spots:
    """Positions for lesions, one organ at a time, apart from each other where there is room."""

    tries = 16

    def __init__(self, anatomy: Anatomy, rng: np.random.Generator):
        self.anatomy, self.rng = anatomy, rng
        self.taken: list[tuple[np.ndarray, float]] = []

    def next(self, organ: str, radius: float) -> tuple[float, float, float]:
        candidates = getattr(self, f"_{organ}")()
        best = candidates[0]
        for point in candidates:
            if all(np.linalg.norm(point - other) > 0.85 * (radius + size) for other, size in self.taken):
                best = point
                break
        self.taken.append((best, radius))
        return tuple(best.tolist())

    def _liver(self) -> np.ndarray:
        organs, rng = self.anatomy.organs, self.rng
        right = organs["liver_right"].points(rng, 4 * self.tries, 0.84)
        left = organs["liver_left"].points(rng, 2 * self.tries, 0.74)
        points = rng.permutation(np.concatenate([right, left]))
        x, y, z = points.T
        inside = (self.anatomy.cavity_depth(x, y, z) > 9) & (z < self.anatomy.diaphragm(x, y) - 10)
        inside &= organs["kidney_right"].radius_at(x, y, z) > 1.4
        return points[inside] if inside.any() else points

    def _bone(self) -> np.ndarray:
        rng, s = self.rng, self.anatomy.scale
        heights = s * (-108 + 36 * rng.integers(0, 11, self.tries))
        column = np.stack(
            [
                rng.uniform(-9, 9, self.tries) * s,
                self.anatomy.spine_y(heights) + rng.uniform(-5, 5, self.tries) * s,
                heights + rng.uniform(-6, 6, self.tries) * s,
            ],
            axis=1,
        )
        pelvis = [self.anatomy.organs[name].points(rng, 4, 0.85) for name in ("ilium_right", "ilium_left", "sacrum")]
        return rng.permutation(np.concatenate([column, *pelvis]))

    def _node(self) -> np.ndarray:
        rng, s = self.rng, self.anatomy.scale
        z = s * rng.uniform(-110, 30, self.tries)
        near_aorta = np.stack(
            [
                s * rng.uniform(-44, 40, self.tries),
                self.anatomy.spine_y(z) + s * rng.uniform(34, 62, self.tries),
                z,
            ],
            axis=1,
        )
        mesentery = s * np.stack([rng.uniform(-50, 50, 8), rng.uniform(20, 58, 8), rng.uniform(-120, -45, 8)], axis=1)
        return rng.permutation(np.concatenate([near_aorta, mesentery]))


def lesion_share(grid: Grid, shape: Ellipsoid) -> tuple[tuple[slice, slice, slice], np.ndarray, np.ndarray]:
    """Voxelise a lesion with partial volumes.

    Returns
    -------
    box : tuple of slice
        The part of the volume.
    share : ndarray
        Share of each voxel that the lesion fills.
    core : ndarray
        Share of each voxel that its core fills.

    Notes
    -----
    Voxels may be as large as the lesion, so each is divided into parts of about 4 mm.
    """
    reach = shape.reach()
    box = grid.box(np.subtract(shape.centre, reach), np.add(shape.centre, reach))
    steps = [int(np.clip(np.ceil(size / 4.0), 1, 4)) for size in grid.spacing]
    fine = []
    for axis, (coordinates, size, k) in enumerate(zip(grid.local(box), grid.spacing, steps, strict=True)):
        offsets = ((np.arange(k) + 0.5) / k - 0.5).astype(np.float32) * np.float32(size)
        place = [1, 1, 1]
        place[axis] = -1
        fine.append((coordinates.reshape(-1, 1) + offsets).reshape(place))
    radius = shape.radius_at(fine[0], fine[1], fine[2])
    size = shape.size
    inside = np.clip((1 - radius) * size / 4 + np.float32(0.5), 0, 1)
    core = inside * np.clip(1.25 - radius / 0.6, 0, 1)
    return box, _blocks(inside, steps), _blocks(core, steps)


def _blocks(values: np.ndarray, steps: list[int]) -> np.ndarray:
    a, b, c = (n // k for n, k in zip(values.shape, steps, strict=True))
    return values.reshape(a, steps[0], b, steps[1], c, steps[2]).mean(axis=(1, 3, 5))
