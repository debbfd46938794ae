"""Somatostatin-receptor PET of the phantom in SUVbw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter

from prrt_estimators.phantoms._anatomy import Trunk
from prrt_estimators.phantoms._factors import CENTRES, Centre, Patient
from prrt_estimators.phantoms._lesions import Lesion, lesion_share
from prrt_estimators.phantoms._shapes import fill, paint

_NOISE = 0.22


def render_pet(
    patient: Patient,
    trunk: Trunk,
    lesions: list[Lesion],
    *,
    scanner: Centre | None = None,
    uptake: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (SUVbw, voxels of avid lesions), both of the shape of the grid.

    `scanner` is that of the patient's centre if None; `uptake` holds factors on the uptake of normal organs.

    Uptake of normal organs varies from patient to patient and carries no signal; it hides the lesions from statistics
    of the whole volume. A lesion that is not avid takes up as much as the tissue around it.
    """
    rng = patient.rng("pet_noise")
    usual = dict(
        zip(
            ("liver", "spleen", "kidney", "bladder", "bowel", "stomach", "adrenal", "pancreas", "blood", "soft"),
            np.array([5.5, 18.0, 16.0, 30.0, 2.4, 2.6, 9.0, 3.6, 1.5, 0.75])
            * np.exp(rng.standard_normal(10) * [0.18, 0.25, 0.20, 0.45, 0.25, 0.25, 0.25, 0.25, 0.2, 0.12]),
            strict=True,
        )
    )
    usual = {organ: value * (uptake or {}).get(organ, 1.0) for organ, value in usual.items()}
    grid, anatomy, s = trunk.grid, trunk.anatomy, trunk.anatomy.scale
    everywhere = (slice(None), slice(None), slice(None))
    volume = np.zeros(grid.shape, dtype=np.float32)
    paint(volume, (everywhere, trunk.body), usual["soft"])
    paint(volume, (everywhere, trunk.lungs), 0.35)
    paint(volume, trunk.vertebrae(), 1.25)
    paint(volume, anatomy.solid("heart", grid, trunk.dz), usual["blood"])
    for vessel in ("cava", "aorta"):
        paint(volume, trunk.vessel(vessel), usual["blood"])
    for loop, kind in anatomy.bowel:
        of_loop = usual["bowel"] * rng.lognormal(0.0, 0.45) if kind == "wall" else 1.0
        paint(volume, fill(grid, loop), of_loop, 0.8)
    paint(volume, trunk.organ("stomach"), usual["stomach"])
    for name in ("pancreas", "liver_left", "liver_right", "spleen", "adrenal_left", "adrenal_right"):
        paint(volume, trunk.organ(name), usual[name.split("_")[0]])
    for side in ("right", "left"):
        kidney = anatomy.organs[f"kidney_{side}"].moved(dz=0.6 * trunk.dz)
        paint(volume, fill(grid, kidney), usual["kidney"])
        paint(volume, fill(grid, kidney.shrunk(16 * s)), usual["kidney"] * rng.uniform(0.6, 1.5))
    paint(volume, anatomy.solid("bladder", grid), usual["bladder"])
    signal = _lesions(volume, trunk, lesions)
    return _scan(volume, scanner or CENTRES[patient.centre], trunk, rng), signal


def _lesions(volume: np.ndarray, trunk: Trunk, lesions: list[Lesion]) -> np.ndarray:
    signal = np.zeros(volume.shape, dtype=bool)
    for lesion in lesions:
        if not lesion.avid:
            continue
        box, share, core = lesion_share(trunk.grid, lesion.pet_shape())
        if not share.size:
            continue
        part = volume[box]
        # No lesion is paler than its surroundings: a defect would show receptor-negative tumour on PET.
        excess = np.maximum(np.float32(lesion.suv) - part, 0.3 * part)
        part += (share - np.float32(lesion.pet_core) * core) * excess
        signal[box] |= share > 0.35
    return signal


def _scan(volume: np.ndarray, centre: Centre, trunk: Trunk, rng: np.random.Generator) -> np.ndarray:
    """Blur by the scanner and by breathing, and add noise that grows with the counts."""
    spacing = np.asarray(trunk.grid.spacing)
    sigma = np.array([centre.psf_mm, centre.psf_mm, np.hypot(centre.psf_mm, trunk.anatomy.breath_mm)]) / 2.355
    noise = rng.standard_normal(volume.shape, dtype=np.float32)
    size = (4.0 / trunk.grid.softness) ** 0.75
    volume += noise * np.sqrt(np.maximum(volume, 0)) * np.float32(_NOISE * 2.2 * centre.pet_noise * size)
    voxels = sigma / spacing
    if voxels.max() > 0.25:
        volume = gaussian_filter(volume, voxels, mode="nearest", truncate=3.0)
    return np.maximum(volume, 0).astype(np.float32)
