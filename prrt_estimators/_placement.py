"""Where the voxels of a NIfTI lie in the patient, by stated rules: nothing is guessed.

1. A file in which neither sform nor qform is set (both codes 0) does not tell left from right: refused.
2. Where both are set they must agree: no corner of the volume may lie more than one voxel apart under them.
3. The spacing that the header states must be positive and that of the affine, to 1 %.
4. Units other than millimetres are refused; none stated means millimetres.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

#: Part by which stated spacing and that of the affine may differ.
SPACING_TOLERANCE = 0.01

_AGAIN = "export it again with the scanner's coordinates"


class NiftiFault(ValueError):
    """What is wrong with a NIfTI file, and how to mend it.

    Parameters
    ----------
    what, remedy : str
    """

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def placement(header: Any) -> np.ndarray:
    """Return the affine of a header, voxel indices to RAS+ millimetres, shape (4, 4).

    Raises
    ------
    NiftiFault
        If the header does not say where the voxels lie, or contradicts itself.
    """
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    if sform <= 0 and qform <= 0:
        raise NiftiFault(
            "its header does not say where the voxels lie (sform_code and qform_code are 0), so left and right are not "
            "known",
            _AGAIN,
        )
    units = int(header["xyzt_units"]) & 7
    if units not in (0, 2):
        raise NiftiFault(
            f"its header states lengths in {({1: 'metres', 3: 'micrometres'}).get(units, 'unknown units')}, expected "
            "millimetres",
            "export it in millimetres",
        )
    stated = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if not np.isfinite(stated).all() or (stated <= 0).any():
        raise NiftiFault(f"its header states voxels of {_in_mm(stated)} mm", _AGAIN)
    by_sform = header.get_sform() if sform > 0 else None
    by_qform = _qform(header) if qform > 0 else None
    affine = by_sform if by_sform is not None else by_qform
    assert affine is not None
    affine = np.asarray(affine, dtype=np.float64)
    if not np.isfinite(affine).all():
        raise NiftiFault("its affine holds numbers that are NaN or infinite", _AGAIN)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (np.abs(spacing - stated) > SPACING_TOLERANCE * np.maximum(spacing, stated)).any():
        raise NiftiFault(f"its header states voxels of {_in_mm(stated)} mm, its affine of {_in_mm(spacing)} mm", _AGAIN)
    if by_sform is not None and by_qform is not None:
        apart = _apart(affine, by_qform, [int(n) for n in header["dim"][1:4]])
        if not apart <= stated.max():
            raise NiftiFault(
                f"its sform and its qform place the voxels up to {apart:.4g} mm apart", "export it again with one place"
            )
    return affine


def _qform(header: Any) -> np.ndarray:
    quaternion = [float(header[f"quatern_{axis}"]) for axis in "bcd"]
    place = [float(header[f"qoffset_{axis}"]) for axis in "xyz"]
    if not np.isfinite([*quaternion, *place]).all() or sum(part * part for part in quaternion) > 1 + 1e-5:
        raise NiftiFault("its qform is not a rotation", _AGAIN)
    sign = float(header["pixdim"][0])
    if sign not in (-1.0, 0.0, 1.0):
        raise NiftiFault(f"its qform does not say left from right (pixdim[0] is {sign:g}, expected 1 or -1)", _AGAIN)
    if sign == 0.0:  # by the NIfTI standard
        header = header.copy()
        header["pixdim"][0] = 1.0
    return np.asarray(header.get_qform(), dtype=np.float64)


def _apart(first: np.ndarray, second: np.ndarray, shape: list[int]) -> float:
    """Return the greatest distance of a corner under two affines, in mm."""
    corners = np.array([(*corner, 1) for corner in itertools.product(*[(0, max(n - 1, 0)) for n in shape])]).T
    return float(np.linalg.norm(((first - second) @ corners)[:3], axis=0).max())


def _in_mm(lengths: np.ndarray) -> str:
    return " x ".join(f"{length:.4g}" for length in lengths)
