"""One NIfTI file, opened once: its voxels, where they lie, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from prrt_estimators._arguments import keyword
from prrt_estimators._modalities import CT, MODALITIES, PET
from prrt_estimators._nifti import NiftiVolume, file_stamp, read_nifti
from prrt_estimators._placement import NiftiFault
from prrt_estimators.exceptions import CohortError, Problem

__all__ = ["Scan", "file_stamp", "read_scan", "remarks_on_values", "tell_swapped"]

#: Plausible distance between voxel centres in mm.
SPACING_RANGE = (0.05, 100.0)
#: Greatest believable SUVbw: the bladder reaches hundreds, an image in Bq/mL tens of thousands.
SUV_CEILING = 5000.0
#: Reconstruction leaves small negative SUV; below `SUV_FLOOR`, and more than an undershoot beside the hottest voxel,
#: or below -1 in more than `NEGATIVE_SHARE` of the voxels, they are values of another kind.
SUV_FLOOR, UNDERSHOOT, NEGATIVE_SHARE = -5.0, 0.1, 0.05
#: Fat lies below this many HU, and so do lungs and air: every CT of a body reaches it.
MAX_CT_MINIMUM = -50.0
#: HU that int16 holds, in which prepared CTs are kept. No tissue or implant lies beyond.
HU_RANGE = (-32768.0, 32767.0)
#: Stored CT values begin at 0 and reach this; what was windowed does not.
STORED_VALUES = 500.0
#: Air and lungs of a CT are noise below this; where so many voxels are exactly the least value above it, a window cut them.
AIR_CEILING, CUT_SHARE = -900.0, 0.1
#: Kidneys, bladder, heart or brain reach this SUV in a PET of so many mm of the body. Where nine in ten of some patients
#: stay below, values were scaled, or are logarithms: log(1 + 150) is 5.
LOW_SUV, BODY_LENGTH, MIN_SCANS, LOW_SHARE = 6.0, 500.0, 5, 0.9
#: A PET has thousands of different values. An organ map has at most so many (whole numbers), scaled ones fewer; of
#: whole numbers stored as floats so few are a phantom, unless they are 0 and 1.
FEW, FEW_SCALED, FEW_FLOATS = 128, 8, 8

#: By these the columns of swapped PET and CT are told.
LOOKS_LIKE_CT = "it looks like a CT in HU"
LOOKS_LIKE_PET = "it looks like a PET or like stored values"
#: Codes of the problems that, together, tell a PET and a CT column that are swapped.
IS_CT, IS_PET = "looks-like-ct", "looks-like-pet"


@dataclass(frozen=True)
class Scan:
    """Voxels of one file with their place in the patient.

    Parameters
    ----------
    data : ndarray of float32, shape (D, H, W)
        SUVbw or HU.
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    digest : str
        SHA-256 of the file's bytes.
    stat : tuple of int
        Size, modification and change time, inode of the file as it was read.
    """

    data: np.ndarray
    affine: np.ndarray
    digest: str
    stat: tuple[int, ...]


def read_scan(path: str, modality: str, patient: str | None = None) -> Scan:
    """Read a NIfTI file of any orientation with a single opening, and check it.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``.
    modality : str
        A scan of `MODALITIES`.
        Decides which values are believable.
    patient : str, default=None
        Pseudonymous id for the message.

    Returns
    -------
    Scan

    Raises
    ------
    CohortError
        With everything that is wrong with this file.
    """
    try:
        volume = read_nifti(path)
        data, affine = volume.data, volume.affine
        found = _faults(data, affine, modality) or _not_a_scan(volume, modality) or _normalised(data, modality)
    except NiftiFault as fault:
        found = [Problem(fault.what, fault.remedy)]
    if found:
        raise CohortError(
            [replace(problem, patient=patient, column=modality, file=path) for problem in found]
        ) from None
    return Scan(data, affine, volume.digest, volume.stamp)


def _faults(data: np.ndarray, affine: np.ndarray, modality: str) -> list[Problem]:
    found = []
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = SPACING_RANGE
    if not np.isfinite(affine).all() or (spacing < low).any() or (spacing > high).any():
        what = f"voxel spacing {np.round(spacing, 3).tolist()} mm is not believable"
        found.append(Problem(what, "export with a valid affine"))
    elif abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-3:
        found.append(Problem("the affine is singular: two axes point the same way", "export with a valid affine"))
    least, most = float(data.min()), float(data.max())
    if not np.isfinite([least, most]).all():
        wrong = sum(int(np.count_nonzero(~np.isfinite(part))) for part in np.moveaxis(data, -1, 0))
        what = f"{wrong} of {data.size} voxels are NaN or infinite"
        found.append(Problem(what, "fill them (0 for PET, -1024 for CT) and export again"))
        return found
    unit = MODALITIES[modality].unit
    if least == most:
        found.append(Problem(f"every voxel is {least:g}", "export the scan again"))
    elif unit == "SUVbw" and most > SUV_CEILING:
        found.append(Problem(f"greatest value {most:g} is not an SUV; it looks like Bq/mL", "convert the PET to SUVbw"))
    elif unit == "SUVbw" and most <= 0:
        found.append(Problem("no voxel is positive", "convert the PET to SUVbw"))
    elif unit == "SUVbw" and _too_negative(data, least, most):
        what = f"values down to {least:.4g} are not SUV"
        if least < -200:
            found.append(Problem(f"{what}; {LOOKS_LIKE_CT}", "give the PET in SUVbw", code=IS_CT))
        else:
            found.append(Problem(f"{what}; a PET in SUVbw has hardly any below 0", "convert the PET to SUVbw"))
    elif unit == "HU" and most <= 1 and least > MAX_CT_MINIMUM:
        found.append(Problem(f"values {least:g} to {most:g} are not HU", "export the CT in HU, without windowing"))
    elif unit == "HU" and least > MAX_CT_MINIMUM:
        below = "0" if least >= 0 else f"{MAX_CT_MINIMUM:g}"
        remedy = "check that the file is the CT; apply the rescale slope and intercept only if it is"
        found.append(Problem(f"no voxel is below {below} HU; {LOOKS_LIKE_PET}", remedy, code=IS_PET))
    return found


def _not_a_scan(volume: NiftiVolume, modality: str) -> list[Problem]:
    """Return what is wrong with a PET whose few different numbers are those of a mask or of an organ map."""
    if MODALITIES[modality].unit != "SUVbw":
        return []  # a mask given as CT has no air
    limit = FEW_SCALED if volume.scaled else FEW
    levels: np.ndarray = np.empty(0, dtype=np.float32)
    for part in np.moveaxis(volume.data, -1, 0):
        if not volume.scaled and not (part == np.rint(part)).all():
            return []
        levels = np.union1d(levels, part)
        if len(levels) > limit:
            return []
    if volume.kind == "f" and len(levels) < FEW_FLOATS and levels.tolist() != [0.0, 1.0]:
        return []
    what = f"it holds {len(levels)} different numbers only, as a mask or an organ map does"
    return [Problem(what, "give the PET in SUVbw; a mask has a column of its own")]


def _normalised(data: np.ndarray, modality: str) -> list[Problem]:
    """Return that a PET was divided by its greatest value, which then is exactly 1."""
    if MODALITIES[modality].unit != "SUVbw" or data.max() != 1 or data.min() < 0:
        return []
    return [Problem("the greatest value is exactly 1: the PET was normalised", "give the PET in SUVbw")]


def remarks_on_values(data: np.ndarray, modality: str) -> list[str]:
    """Return what is not believable in voxels that are taken all the same, for a warning."""
    least, most = float(data.min()), float(data.max())
    if MODALITIES[modality].unit == "HU":
        if least < HU_RANGE[0] or most > HU_RANGE[1]:
            return [f"{least:g} to {most:g} HU; what is beyond {HU_RANGE[0]:g} to {HU_RANGE[1]:g} is cut off there"]
        if least > MAX_CT_MINIMUM and most > STORED_VALUES:
            return [f"{least:g} to {most:g} and no voxel below {MAX_CT_MINIMUM:g} HU; {LOOKS_LIKE_PET}"]
        return []
    if most > SUV_CEILING:
        return [f"SUV up to {most:g}; it looks like Bq/mL"]
    if least < SUV_FLOOR and _too_negative(data, least, most):
        return [f"SUV down to {least:g}; {LOOKS_LIKE_CT}" if least < -200 else f"SUV down to {least:g}"]
    return []


def remarks_on_window(data: np.ndarray, modality: str) -> list[str]:
    """Return that the CT of a file was cut to a window, for a warning: air and lungs have one value and nothing lies below."""
    least = float(data.min())
    if MODALITIES[modality].unit != "HU" or not AIR_CEILING < least <= MAX_CT_MINIMUM:
        return []
    share = np.count_nonzero(data == data.min()) / data.size
    return (
        [f"{least:g} HU in {share:.0%} of its voxels and nothing below; it looks windowed"] if share > CUT_SHARE else []
    )


def remark_on_uptake(maxima: Sequence[float], lengths: Sequence[float]) -> str:
    """Return what is not believable in the greatest SUVs of a cohort's PETs, empty for nothing.

    Parameters
    ----------
    maxima : sequence of float
        The greatest SUV of each PET.
    lengths : sequence of float
        How many mm of the body each shows; short ones are not counted.

    Examples
    --------
    >>> remark_on_uptake([4.1, 4.9, 3.8, 4.4, 4.0], [1000] * 5)
    'the greatest SUV is below 6 in 5 of 5 PETs of the body (median 4.1), which kidneys, bladder and brain exceed; ...
    >>> remark_on_uptake([4.1, 40, 30, 90, 25], [1000] * 5), remark_on_uptake([4.1] * 5, [200] * 5)
    ('', '')
    """
    of_body = [one for one, length in zip(maxima, lengths, strict=True) if length >= BODY_LENGTH]
    low = sum(one < LOW_SUV for one in of_body)
    if len(of_body) < MIN_SCANS or low < LOW_SHARE * len(of_body):
        return ""
    return (
        f"the greatest SUV is below {LOW_SUV:g} in {low} of {len(of_body)} PETs of the body (median {np.median(of_body):.2g}), "
        "which kidneys, bladder and brain exceed; give the PET in SUVbw, neither scaled nor as a logarithm"
    )


def _too_negative(data: np.ndarray, least: float, most: float) -> bool:
    if least < SUV_FLOOR and least < -UNDERSHOOT * most:
        return True
    return bool(np.count_nonzero(data < -1) > NEGATIVE_SHARE * data.size)


def tell_swapped(problems: Sequence[Problem], n_pet: int, n_ct: int) -> list[Problem]:
    """Return one problem for a PET and a CT column that seem to be swapped, in place of those of their files."""
    like_ct = [one for one in problems if one.column == PET.name and one.code == IS_CT]
    like_pet = [one for one in problems if one.column == CT.name and one.code == IS_PET]
    if 2 * len(like_ct) <= n_pet or 2 * len(like_pet) <= n_ct:
        return list(problems)
    what = (
        f"the {PET.title} and the {CT.title} column seem to be swapped: {len(like_ct)} of {n_pet} {PET.title} files look like "
        f"a {CT.title}, and {len(like_pet)} of {n_ct} {CT.title} files like a {PET.title}"
    )
    told = {*like_ct, *like_pet}
    swapped = Problem(
        what, f"name the columns the other way round, with {keyword('scans')}", column=f"{PET.name}, {CT.name}"
    )
    return [swapped, *(one for one in problems if one not in told)]
