"""Taking the head out of a scan by one stated rule: what lies more than 6 cm above the lungs is removed."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from scipy import ndimage

from prrt_estimators._modalities import MODALITIES
from prrt_estimators.exceptions import ScannerFileError

#: From the top of the lungs, which reach just above the collar bones, to the plane above which all is removed.
MARGIN_MM = 60.0
RULE = (
    "the lungs are the largest air inside the body (below -500 HU, wider than 24 mm, at least 15 cm2 in an axial slice); "
    f"everything more than {MARGIN_MM:g} mm above their top becomes air in the CT and 0 in the PET"
)
_AIR_HU = -500
_LUNG_CM2 = 15.0
_COARSE_MM = 4.0
_NARROW_MM = 24.0


def head_plane(ct: nib.Nifti1Image) -> float:
    """Return the height in mm (RAS+) above which the head begins; infinite where the scan ends below it.

    Parameters
    ----------
    ct : Nifti1Image
        HU, RAS+.

    Raises
    ------
    ScannerFileError
        If there are no lungs to go by, so that nobody can tell where the head is.
    """
    spacing = np.linalg.norm(ct.affine[:3, :3], axis=0)
    step = np.maximum(np.round(_COARSE_MM / spacing), 1).astype(int)
    coarse = np.asarray(ct.dataobj)[:: step[0], :: step[1], :: step[2]]
    size = spacing * step
    reach = np.ceil(_NARROW_MM / 2 / size[:2]).astype(int)
    round_ = np.hypot(*np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]) <= _NARROW_MM / 2 / size[0]
    areas = np.array([_lung_area(coarse[:, :, k], round_) * size[0] * size[1] / 100 for k in range(coarse.shape[2])])
    wide = areas >= _LUNG_CM2
    if not wide.any():
        raise ScannerFileError(
            "no lungs are found to tell where the head is, so it cannot be removed. Leave out --deface."
        )
    runs, _ = ndimage.label(wide)
    lungs = np.flatnonzero(runs == runs[int(np.argmax(areas))])
    if lungs[-1] == len(areas) - 1:
        return float("inf")  # the scan ends within the lungs
    middle = (np.array(ct.shape[:2]) - 1) / 2
    top = ct.affine @ [middle[0], middle[1], lungs[-1] * step[2], 1.0]
    return float(top[2]) + MARGIN_MM


def _lung_area(plane: np.ndarray, narrow: np.ndarray) -> int:
    """Count voxels of wide air that does not reach the edge of an axial slice."""
    air = plane < _AIR_HU
    labels, _ = ndimage.label(air)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inside = air & ~np.isin(labels, edge[edge > 0])
    return int(ndimage.binary_opening(inside, narrow).sum()) if inside.any() else 0


def remove_above(image: nib.Nifti1Image, height: float, kind: str) -> nib.Nifti1Image:
    """Return a volume without what lies above a height in mm (RAS+)."""
    if not np.isfinite(height):
        return image
    a = image.affine
    i, j, k = np.ogrid[: image.shape[0], : image.shape[1], : image.shape[2]]
    data = np.array(image.dataobj)
    data[a[2, 0] * i + a[2, 1] * j + a[2, 2] * k + a[2, 3] > height] = MODALITIES[kind].outside
    return nib.Nifti1Image(data, image.affine)
