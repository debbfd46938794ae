"""Volume and uptake of single lesions, measured on the mask's own grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from prrt_estimators.contours._shares import lesion_shares


def lesion_rows(labels: np.ndarray, affine: np.ndarray, pet: Any) -> list[dict[str, float | int]]:
    """Return number, voxels and millilitres of each lesion, and its SUVmean and SUVmax where there is a PET.

    Volume is that of the mask on its own grid. On a PET of another grid the mean is weighted with the shares of voxels, and
    the maximum is looked for in voxels that are half lesion or more.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    pet : Nifti1Image or None
        SUVbw.
    """
    voxel = float(abs(np.linalg.det(affine[:3, :3]))) / 1000
    counts = np.bincount(labels.ravel())
    rows: list[dict[str, float | int]] = [
        {"lesion": value, "voxels": int(counts[value]), "volume_ml": round(float(counts[value]) * voxel, 4)}
        for value in range(1, len(counts))
        if counts[value]
    ]
    if pet is None:
        return rows
    by_number = {int(row["lesion"]): row for row in rows}
    for share in lesion_shares(labels, affine, pet.affine, pet.shape[:3]):
        suv = np.asarray(pet.dataobj[share.box], dtype=np.float64)
        by_number[share.label]["suv_mean"] = round(float(np.average(suv, weights=share.share)), 4)
        by_number[share.label]["suv_max"] = round(float(suv[share.core].max()), 4)
    return rows
