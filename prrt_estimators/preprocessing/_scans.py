"""One NIfTI file, opened once: its voxels, where they lie, and what is wrong with them."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from prrt_estimators.exceptions import CohortError, Problem

#: Plausible distance between voxel centres in mm.
SPACING_RANGE = (0.05, 100.0)
#: Greatest believable SUVbw: the bladder reaches hundreds, an image in Bq/mL tens of thousands.
SUV_CEILING = 5000.0
#: Reconstruction leaves small negative SUV; below `SUV_FLOOR`, and more than an undershoot beside the hottest voxel,
#: or below -1 in more than `NEGATIVE_SHARE` of the voxels, they are values of another kind.
SUV_FLOOR, UNDERSHOOT, NEGATIVE_SHARE = -5.0, 0.1, 0.05
#: Fat lies below this many HU, and so do lungs and air: every CT of a body reaches it.
CT_LEAST = -50.0

#: By these the columns of swapped PET and CT are told.
LOOKS_LIKE_CT = "it looks like a CT in HU"
LOOKS_LIKE_PET = "it looks like a PET or like stored values"


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


def file_stamp(path: str | os.PathLike[str] | int) -> tuple[int, ...]:
    """Return what changes when a file changes: size, modification time, change time, inode."""
    status = os.stat(path)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def read_scan(path: str, modality: str, patient: str | None = None) -> Scan:
    """Read a NIfTI file of any orientation with a single opening, and check it.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``.
    modality : {"pet", "ct"}
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

    def problem(what: str, remedy: str) -> CohortError:
        return CohortError([Problem(what, remedy, patient=patient, column=modality, file=path)])

    try:
        with open(path, "rb") as handle:
            stamp = file_stamp(handle.fileno())
            raw = handle.read()
    except FileNotFoundError:
        raise problem("file does not exist", "correct the path, which is relative to the table") from None
    except IsADirectoryError:
        raise problem("this is a folder, not a file", "name one .nii or .nii.gz file") from None
    except OSError as error:
        raise problem(f"file cannot be read ({error.strerror})", "check its permissions and the disk") from None
    digest = hashlib.sha256(raw).hexdigest()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        image = _parse(raw)
        data = np.asanyarray(image.dataobj, dtype=np.float32)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise problem("the compressed file ends early or is damaged", "export or copy it again") from None
    except (ImageFileError, HeaderDataError, ValueError, TypeError, OSError) as error:
        if len(raw) < 352 or "Expected" in str(error) or "buffer" in str(error):
            raise problem("file is empty or ends before its last voxel", "export or copy it again") from None
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise problem(f"not a readable NIfTI file ({reason})", "convert the scan to .nii.gz") from None
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    affine = np.asarray(image.affine, dtype=np.float64)
    found = _faults(data, affine, modality)
    if found:
        raise CohortError(
            [Problem(what, remedy, patient=patient, column=modality, file=path) for what, remedy in found]
        )
    return Scan(data, affine, digest, stamp)


def _parse(raw: bytes) -> nib.Nifti1Image:
    """Parse NIfTI-1 or NIfTI-2 from memory, telling them by the header size in the first four bytes."""
    size = raw[:4]
    if size in ((540).to_bytes(4, "little"), (540).to_bytes(4, "big")):
        return nib.Nifti2Image.from_bytes(raw)
    if size not in ((348).to_bytes(4, "little"), (348).to_bytes(4, "big")):
        raise ImageFileError("it does not begin with a NIfTI header")
    return nib.Nifti1Image.from_bytes(raw)


def _faults(data: np.ndarray, affine: np.ndarray, modality: str) -> list[tuple[str, str]]:
    if data.ndim != 3:
        return [(f"expected a 3-D volume, got {data.ndim} dimensions {data.shape}", "export one volume a file")]
    if min(data.shape) < 2:
        return [(f"expected at least 2 voxels along each axis, got {data.shape}", "export the whole series")]
    found = []
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = SPACING_RANGE
    if not np.isfinite(affine).all() or (spacing < low).any() or (spacing > high).any():
        found.append(
            (f"voxel spacing {np.round(spacing, 3).tolist()} mm is not believable", "export with a valid affine")
        )
    elif abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-3:
        found.append(("the affine is singular: two axes point the same way", "export with a valid affine"))
    wrong = int(np.count_nonzero(~np.isfinite(data)))
    if wrong:
        found.append(
            (
                f"{wrong} of {data.size} voxels are NaN or infinite",
                "fill them (0 for PET, -1024 for CT) and export again",
            )
        )
        return found
    least, most = float(data.min()), float(data.max())
    if least == most:
        found.append((f"every voxel is {least:g}", "export the scan again"))
    elif modality == "pet" and most > SUV_CEILING:
        found.append((f"greatest value {most:g} is no SUV; it looks like Bq/mL", "convert the PET to SUVbw"))
    elif modality == "pet" and most <= 0:
        found.append(("no voxel is positive", "convert the PET to SUVbw"))
    elif modality == "pet" and _too_negative(data, least, most):
        kind = LOOKS_LIKE_CT if least < -200 else "a PET in SUVbw has hardly any below 0"
        remedy = "give the PET in SUVbw" if least < -200 else "convert the PET to SUVbw"
        found.append((f"values down to {least:.4g} are no SUV; {kind}", remedy))
    elif modality == "ct" and most <= 1 and least > CT_LEAST:
        found.append((f"values {least:g} to {most:g} are no HU", "export the CT in HU, without windowing"))
    elif modality == "ct" and least > CT_LEAST:
        below = "0" if least >= 0 else f"{CT_LEAST:g}"
        remedy = "check that the file is the CT; apply the rescale slope and intercept only if it is"
        found.append((f"no voxel is below {below} HU; {LOOKS_LIKE_PET}", remedy))
    return found


def _too_negative(data: np.ndarray, least: float, most: float) -> bool:
    if least < SUV_FLOOR and least < -UNDERSHOOT * most:
        return True
    return bool(np.count_nonzero(data < -1) > NEGATIVE_SHARE * data.size)


def tell_swapped(problems: Sequence[Problem], n_pet: int, n_ct: int) -> list[Problem]:
    """Return one problem for a PET and a CT column that seem to be swapped, in place of those of their files."""
    like_ct = [one for one in problems if one.column == "pet" and one.what.endswith(LOOKS_LIKE_CT)]
    like_pet = [one for one in problems if one.column == "ct" and one.what.endswith(LOOKS_LIKE_PET)]
    if 2 * len(like_ct) <= n_pet or 2 * len(like_pet) <= n_ct:
        return list(problems)
    what = (
        f"the PET and the CT column seem to be swapped: {len(like_ct)} of {n_pet} PET files look like a CT, and "
        f"{len(like_pet)} of {n_ct} CT files like a PET"
    )
    told = {*like_ct, *like_pet}
    swapped = Problem(what, "name the columns the other way round, with pet= and ct=", column="pet, ct")
    return [swapped, *(one for one in problems if one not in told)]
