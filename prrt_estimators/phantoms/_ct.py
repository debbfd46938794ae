"""CT of the phantom, portal-venous phase, in Hounsfield units."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from prrt_estimators._modalities import CT
from prrt_estimators.phantoms._anatomy import Trunk
from prrt_estimators.phantoms._factors import CENTRES, Centre, Patient
from prrt_estimators.phantoms._lesions import Lesion, lesion_share
from prrt_estimators.phantoms._shapes import fill, paint, ramp, times, tube

AIR, FAT, LUNG = -1000.0, -100.0, -840.0
_NOISE_HU = 13.0
#: HU without contrast medium.
_NATIVE = {"liver": 58.0, "spleen": 48.0, "pancreas": 42.0, "kidney": 33.0, "blood": 42.0}


def render_ct(
    patient: Patient,
    trunk: Trunk,
    lesions: list[Lesion],
    *,
    scanner: Centre | None = None,
    contrast: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (HU, voxels that carry signal), both of the shape of the grid.

    `scanner` is that of the patient's centre if None; `contrast` is the enhancement of vessels and abdominal organs
    relative to the portal-venous phase.
    """
    seen = patient.seen(CT.name)
    rng = patient.rng("ct_noise")
    grid, anatomy = trunk.grid, trunk.anatomy
    s = anatomy.scale
    everywhere = (slice(None), slice(None), slice(None))
    muscle_hu = 54.0 + 7.0 * seen["muscle"]
    liver_hu = _enhanced("liver", 108.0, contrast) - 15.0 * seen["steatosis"]

    volume = np.full(grid.shape, AIR, dtype=np.float32)
    paint(volume, (everywhere, trunk.body), FAT)
    paint(volume, (everywhere, trunk.muscle), muscle_hu)
    paint(volume, (everywhere, trunk.cavity), -88.0)
    paint(volume, (everywhere, trunk.lungs), LUNG)
    _mediastinum(volume, trunk)
    paint(volume, (everywhere, trunk.ribs()), 330.0)
    for solid in trunk.back_muscles():
        paint(volume, solid, muscle_hu)
    _bowel(volume, trunk)
    signal = trunk.muscle - trunk.cavity > 0.5
    for name in ("liver_right", "liver_left"):
        box, inside = trunk.organ(name)
        paint(volume, (box, inside), liver_hu)
        signal[box] |= inside > 0.5
    paint(volume, trunk.organ("spleen"), _enhanced("spleen", 122.0, contrast))
    paint(volume, trunk.organ("pancreas"), _enhanced("pancreas", 88.0, contrast))
    for side in ("right", "left"):
        paint(volume, trunk.organ(f"adrenal_{side}"), 70.0)
        paint(volume, anatomy.solid(f"kidney_{side}", grid), _enhanced("kidney", 185.0, contrast))
        paint(volume, fill(grid, anatomy.organs[f"kidney_{side}"].shrunk(15 * s)), 40.0)
    for vessel, hu in (("cava", 140.0), ("aorta", 165.0)):
        paint(volume, trunk.vessel(vessel), _enhanced("blood", hu, contrast))
    for name, hu in (("rectum", 30.0), ("pelvic_organ", 75.0), ("bladder", 8.0)):
        paint(volume, anatomy.solid(name, grid), hu)
    _skeleton(volume, trunk)
    _lesions(volume, signal, trunk, lesions)

    noise = rng.standard_normal(grid.shape, dtype=np.float32)
    # Noise falls with the volume that a voxel averages over.
    size = (4.0 / grid.softness) ** 0.75
    volume += (
        noise * np.float32(_NOISE_HU * (scanner or CENTRES[patient.centre]).ct_noise * size) * (0.3 + 0.7 * trunk.body)
    )
    if grid.softness < 6:
        volume = gaussian_filter(volume, 0.45, mode="nearest")
    return np.clip(np.round(volume), -1024, 3071).astype(np.float32), signal


def _enhanced(tissue: str, portal_hu: float, contrast: float) -> float:
    """Return the HU of a tissue when it takes up `contrast` times the usual contrast medium."""
    return portal_hu if contrast == 1.0 else _NATIVE[tissue] + contrast * (portal_hu - _NATIVE[tissue])


def _mediastinum(volume: np.ndarray, trunk: Trunk) -> None:
    grid, anatomy = trunk.grid, trunk.anatomy
    s = anatomy.scale
    great_vessels = tube(grid, -4 * s, lambda z: 0 * z + 4 * s, 32 * s, 24 * s, 150 * s, 265 * s)
    paint(volume, great_vessels, 90.0, 0.8)
    heart = anatomy.organs["heart"]
    paint(volume, fill(grid, heart), 95.0)
    paint(volume, fill(grid, heart.shrunk(14 * s)), 150.0)
    trachea = tube(grid, 0.0, lambda z: anatomy.spine_y(z) + 40 * s, 9 * s, 9 * s, 195 * s, 330 * s)
    paint(volume, trachea, -950.0)


def _bowel(volume: np.ndarray, trunk: Trunk) -> None:
    grid, s = trunk.grid, trunk.anatomy.scale
    inside = {"gas": -780.0, "stool": -15.0, "wall": 22.0}
    stomach = trunk.anatomy.organs["stomach"]
    paint(volume, trunk.organ("stomach"), 62.0)
    paint(volume, fill(grid, stomach.shrunk(9 * s)), 12.0)
    for loop, kind in trunk.anatomy.bowel:
        paint(volume, times(fill(grid, loop), trunk.abdomen), 68.0)
        paint(volume, times(fill(grid, loop.shrunk(4 * s)), trunk.abdomen), inside[kind])


def _skeleton(volume: np.ndarray, trunk: Trunk) -> None:
    grid, anatomy = trunk.grid, trunk.anatomy
    s = anatomy.scale
    _, _, z = grid.axes
    paint(volume, trunk.vertebrae(), 330.0)
    box, share = trunk.vertebrae(shrink=4.0)
    position = (z[:, :, box[2]] / np.float32(36 * s) + 0.5) % 1.0
    disc = ramp(np.minimum(position, 1 - position) * -36 * s + 5, grid.softness)
    paint(volume, (box, share), 185.0 - 95.0 * disc)
    canal = tube(grid, 0.0, lambda h: anatomy.spine_y(h) - 25 * s, 9 * s, 8 * s, -150 * s, 330 * s)
    arch = tube(grid, 0.0, lambda h: anatomy.spine_y(h) - 33 * s, 17 * s, 13 * s, -150 * s, 330 * s)
    paint(volume, (arch[0], arch[1] * _beads(arch[0], z, s)), 360.0, 0.8)
    paint(volume, canal, 30.0)
    for name in anatomy.organs:
        if name.startswith(("ilium", "sacrum", "hip", "femur", "pubis")):
            bone = anatomy.organs[name]
            paint(volume, fill(grid, bone), 420.0)
            if min(bone.radii) > 14:
                paint(volume, fill(grid, bone.shrunk(5 * s)), 210.0)
    front = lambda h: (  # noqa: E731
        np.interp(h / s, [150.0, 250.0], [86.0, 72.0]) * s
    )
    paint(volume, tube(grid, 0.0, front, 17 * s, 6 * s, 120 * s, 255 * s), 240.0)


def _beads(box: tuple[slice, slice, slice], z: np.ndarray, s: float) -> np.ndarray:
    return np.float32(0.7) + np.float32(0.3) * np.cos(z[:, :, box[2]] * np.float32(2 * np.pi / (36 * s)))


def _lesions(volume: np.ndarray, signal: np.ndarray, trunk: Trunk, lesions: list[Lesion]) -> None:
    for lesion in lesions:
        if not lesion.ct_visible:
            continue
        box, share, core = lesion_share(trunk.grid, lesion.shape)
        if not share.size:
            continue
        part = volume[box]
        if lesion.organ == "liver":
            part += share * np.float32(lesion.contrast_hu) - core * np.float32(lesion.core * 40)
        elif lesion.organ == "bone":
            part += share * (np.float32(lesion.contrast_hu) - part) - core * np.float32(lesion.core * 200)
        else:
            part += share * (np.float32(lesion.contrast_hu) - part) - core * np.float32(lesion.core * 35)
        signal[box] |= share > 0.35
