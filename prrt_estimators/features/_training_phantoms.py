"""Phantoms for training a lesion finder: scans of randomised scanners with what each voxel holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from prrt_estimators._modalities import CT, PET
from prrt_estimators.phantoms._anatomy import Trunk, build_anatomy
from prrt_estimators.phantoms._ct import render_ct
from prrt_estimators.phantoms._factors import CENTRES, Centre, Patient, draw_patient
from prrt_estimators.phantoms._lesions import ORGANS as SITES
from prrt_estimators.phantoms._lesions import Lesion, lesion_share, place_lesions
from prrt_estimators.phantoms._pet import render_pet
from prrt_estimators.phantoms._phantom import patient_grid
from prrt_estimators.phantoms._shapes import Grid
from prrt_estimators.preprocessing._boxes import Box, into_box

#: Normal tissue with a label, in the order of the channels.
TISSUES = ("liver", "spleen", "kidney", "bladder", "muscle")
_PARTS = {"liver": ("liver_right", "liver_left"), "kidney": ("kidney_right", "kidney_left")}
_PET_ORGANS = ("liver", "spleen", "kidney", "bladder", "bowel", "stomach", "adrenal", "pancreas", "blood", "soft")


@dataclass(frozen=True)
class LabelledPhantom:
    """One phantom and what its voxels hold.

    Parameters
    ----------
    pet, ct : ndarray of float32, shape (d, h, w)
        SUVbw and HU.
    lesion : ndarray of float32, shape (6, d, h, w)
        Share of each voxel that tumour fills: on PET in liver, bone, node; on CT in liver, bone, node.
    tissue : ndarray of float32, shape (5, d, h, w)
        Share of each voxel that is liver, spleen, kidney, bladder, muscle.
    log_suv : ndarray of float32, shape (d, h, w)
        Logarithm of the SUV of the lesion that fills most of the voxel on PET, 0 where there is none.
    per_voxel : ndarray of float32, shape (d, h, w)
        Sums to the number of lesions on PET.
    lesions : list of Lesion
    grid : Grid
    """

    pet: np.ndarray
    ct: np.ndarray
    lesion: np.ndarray
    tissue: np.ndarray
    log_suv: np.ndarray
    per_voxel: np.ndarray
    lesions: list[Lesion]
    grid: Grid


@dataclass(frozen=True)
class Setting:
    """How a phantom is scanned.

    Parameters
    ----------
    scanner : Centre
        Blur, noise and voxel size.
    uptake : dict of str to float
        Factor on the uptake of normal organs: another tracer.
    lesion_uptake : float
        Factor on the SUV of lesions.
    contrast : float
        Enhancement of the CT relative to the portal-venous phase; 0 without contrast medium.
    fine : float
        Millimetres between the voxels that are rendered and then averaged to those of the grid; 0 to render on the grid.
    """

    scanner: Centre = CENTRES[0]
    uptake: dict[str, float] | None = None
    lesion_uptake: float = 1.0
    contrast: float = 1.0
    fine: float = 0.0


def draw_setting(rng: np.random.Generator) -> Setting:
    """Draw a scanner; in half of the draws one of the generator's own, in the others one between and beyond them."""
    known, blur, grid = rng.integers(len(CENTRES)), rng.uniform(4.0, 9.0), rng.uniform(0.88, 1.14)
    noise = np.exp(rng.uniform(np.log(0.6), np.log(2.3), 2))
    scanner = CENTRES[known]
    if rng.random() < 0.5:
        scanner = Centre(0.0, float(grid), float(blur), float(noise[0]), float(noise[1]))
    uptake, lesion_uptake = None, 1.0
    if rng.random() < 0.3:
        uptake = dict(zip(_PET_ORGANS, np.exp(rng.normal(0.0, 0.4, len(_PET_ORGANS))).tolist(), strict=True))
        lesion_uptake = float(np.exp(rng.normal(0.0, 0.4)))
    contrast = float(rng.uniform(0.2, 1.25)) if rng.random() < 0.25 else 1.0
    fine = float(rng.uniform(7.0, 9.0)) if rng.random() < 0.4 else 0.0
    return Setting(scanner, uptake, lesion_uptake, contrast, fine)


def draw_labelled_phantom(entropy: int, number: int, shape: tuple[int, int, int] = (40, 30, 54)) -> LabelledPhantom:
    """Draw a patient with wider factors than a cohort's, and a setting, and render both scans with labels."""
    rng = np.random.default_rng([entropy, number])
    patient = draw_patient(entropy, number, len(CENTRES))
    wide = {name: 1.2 * patient.factors[name] for name in ("expression", "heterogeneity", "dedifferentiation")}
    return labelled_phantom(patient.with_factors(**wide), draw_setting(rng), shape)


def labelled_phantom(
    patient: Patient, setting: Setting | None = None, shape: tuple[int, int, int] = (40, 30, 54)
) -> LabelledPhantom:
    """Render both scans of a patient with labels."""
    setting = setting or Setting()
    centre = patient_grid(replace(patient, centre=0), shape, None)
    grid = Grid(shape, *_around(centre, setting.scanner.grid_factor))
    anatomy = build_anatomy(patient)
    lesions = [
        replace(
            lesion,
            suv=lesion.suv * setting.lesion_uptake,
            contrast_hu=lesion.contrast_hu * (0.4 + 0.6 * setting.contrast)
            if lesion.organ == "liver"
            else lesion.contrast_hu,
        )
        for lesion in place_lesions(patient, anatomy)
    ]
    scanned = _finer(grid, setting.fine) if setting.fine else grid
    pet, _ = render_pet(
        patient, Trunk(anatomy, scanned, anatomy.breath_mm), lesions, scanner=setting.scanner, uptake=setting.uptake
    )
    ct, _ = render_ct(patient, Trunk(anatomy, scanned), lesions, scanner=setting.scanner, contrast=setting.contrast)
    if setting.fine:
        centre_mm = np.asarray(grid.origin) + (np.asarray(shape) - 1) / 2 * np.asarray(grid.spacing)
        box = Box(tuple(centre_mm.tolist()), shape, grid.spacing)
        pet = into_box(pet, scanned.affine, box, PET.name)
        ct = into_box(ct, scanned.affine, box, CT.name).astype(np.float32)
    share, log_suv, per_voxel = lesion_labels(grid, lesions)
    return LabelledPhantom(pet, ct, share, tissue_labels(Trunk(anatomy, grid)), log_suv, per_voxel, lesions, grid)


def _around(grid: Grid, factor: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return spacing and origin of the grid scaled about its own middle."""
    half = (np.asarray(grid.shape) - 1) / 2
    middle = np.asarray(grid.origin) + half * grid.spacing
    spacing = np.asarray(grid.spacing) * factor
    return tuple(spacing.tolist()), tuple((middle - half * spacing).tolist())


def _finer(grid: Grid, spacing: float) -> Grid:
    """Return a grid of the same field with another distance between voxels."""
    extent = np.asarray(grid.shape) * grid.spacing
    shape = np.maximum(np.round(extent / spacing).astype(int), 2)
    size = extent / shape
    origin = np.asarray(grid.origin) - np.asarray(grid.spacing) / 2 + size / 2
    return Grid(tuple(shape.tolist()), tuple(size.tolist()), tuple(origin.tolist()))


def lesion_labels(grid: Grid, lesions: list[Lesion]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the shares of tumour (6 channels), the log SUV of each voxel's lesion, and lesions per voxel."""
    share = np.zeros((2 * len(SITES), *grid.shape), np.float32)
    most, log_suv, per_voxel = (np.zeros(grid.shape, np.float32) for _ in range(3))
    for lesion in lesions:
        site = SITES.index(lesion.organ)
        if lesion.ct_visible:
            box, part, _ = lesion_share(grid, lesion.shape)
            if part.size:
                share[len(SITES) + site][box] = np.maximum(share[len(SITES) + site][box], part)
        if lesion.avid:
            box, part, _ = lesion_share(grid, lesion.pet_shape())
            if not part.size or part.sum() <= 0:
                continue
            share[site][box] = np.maximum(share[site][box], part)
            nearest = part > most[box]
            log_suv[box][nearest] = np.log(lesion.suv)
            most[box][nearest] = part[nearest]
            per_voxel[box] += part / part.sum()
    return share, log_suv, per_voxel


def tissue_labels(trunk: Trunk) -> np.ndarray:
    """Return the share of each voxel that is liver, spleen, kidney, bladder, muscle, in the geometry of the CT."""
    grid = trunk.grid
    labels = np.zeros((len(TISSUES), *grid.shape), np.float32)
    for label, tissue in zip(labels, TISSUES, strict=True):
        if tissue == "muscle":
            label[:] = np.clip(trunk.muscle - trunk.cavity, 0, 1)
            solids = trunk.back_muscles()
        else:
            inside = tissue in ("liver", "spleen")
            names = _PARTS.get(tissue, (tissue,))
            solids = [trunk.organ(name) if inside else trunk.anatomy.solid(name, grid) for name in names]
        for box, part in solids:
            label[box] = np.maximum(label[box], part)
    return labels
