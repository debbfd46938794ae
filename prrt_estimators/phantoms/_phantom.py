"""Both scans of one patient on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prrt_estimators.phantoms._anatomy import Trunk, build_anatomy
from prrt_estimators.phantoms._ct import render_ct
from prrt_estimators.phantoms._factors import CENTRES, Patient
from prrt_estimators.phantoms._lesions import Lesion, lesion_share, place_lesions
from prrt_estimators.phantoms._pet import render_pet
from prrt_estimators.phantoms._shapes import Grid

#: Field of view in mm: the whole trunk of the largest patient, pelvis to collar bone.
FIELD_MM = (440.0, 330.0, 600.0)
#: Middle of the field above L1/L2.
_MIDDLE_MM = (0.0, 0.0, 10.0)


@dataclass(frozen=True)
class Scans:
    """What `render` returns: arrays of the shape of the grid."""

    pet: np.ndarray
    ct: np.ndarray
    lesion: np.ndarray
    pet_signal: np.ndarray
    ct_signal: np.ndarray


def patient_grid(patient: Patient, shape: tuple[int, int, int], spacing: tuple[float, float, float] | None) -> Grid:
    """Return the grid of a patient, who never lies exactly in the middle of the scanner."""
    size = tuple(f / n for f, n in zip(FIELD_MM, shape, strict=True)) if spacing is None else spacing
    size = tuple(v * CENTRES[patient.centre].grid_factor for v in size)
    shift = np.clip(patient.rng("scan").normal(0.0, (3.0, 3.0, 6.0)), -9, 9)
    origin = tuple(
        float(np.round(m + d - v * (n - 1) / 2, 3)) for m, d, v, n in zip(_MIDDLE_MM, shift, size, shape, strict=True)
    )
    return Grid(shape, size, origin)  # type: ignore[arg-type]


def render(patient: Patient, grid: Grid, ct_grid: Grid | None = None) -> Scans:
    """Render PET and CT of a patient; with `ct_grid`, the CT (and its signal) lies on a grid of its own."""
    anatomy = build_anatomy(patient)
    lesions = place_lesions(patient, anatomy)
    pet, pet_signal = render_pet(patient, Trunk(anatomy, grid, anatomy.breath_mm), lesions)
    ct, ct_signal = render_ct(patient, Trunk(anatomy, ct_grid or grid), lesions)
    return Scans(pet, ct, lesion_mask(grid, lesions), pet_signal, ct_signal)


def lesion_mask(grid: Grid, lesions: list[Lesion]) -> np.ndarray:
    """Return 1 where a lesion is, on either scan, else 0."""
    mask = np.zeros(grid.shape, dtype=np.uint8)
    for lesion in lesions:
        shapes = [lesion.shape] if lesion.ct_visible else []
        if lesion.avid:
            shapes.append(lesion.pet_shape())
        for shape in shapes:
            box, share, _ = lesion_share(grid, shape)
            mask[box][share > 0.35] = 1
    return mask


def lesion_tables(patients: Sequence[Patient]) -> pd.DataFrame:
    """Return the lesions of several patients, one a row, positions in mm towards Right, Anterior, Superior."""
    return pd.concat([_lesion_table(patient) for patient in patients], ignore_index=True)


def _lesion_table(patient: Patient) -> pd.DataFrame:
    rows = [
        {
            "patient_id": patient.id,
            "organ": lesion.organ,
            "x_mm": lesion.shape.centre[0],
            "y_mm": lesion.shape.centre[1],
            "z_mm": lesion.shape.centre[2],
            "radius_mm": lesion.shape.size,
            "ct_visible": lesion.ct_visible,
            "avid": lesion.avid,
            "pet_radius_mm": lesion.pet_shape().size,
            "suv": lesion.suv,
            "breath_mm": lesion.breath_mm,
        }
        for lesion in place_lesions(patient, build_anatomy(patient, bowel=False))
    ]
    return pd.DataFrame(rows)
