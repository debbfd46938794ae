"""The one reader of masks: label maps, probability maps and segmentations of other programs as labels on their own grid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from prrt_estimators._dataset import ShortRepr
from prrt_estimators._nifti import check_claims
from prrt_estimators._placement import NiftiFault, placement
from prrt_estimators.contours._lesion_names import Selection, select
from prrt_estimators.contours._nrrd import nrrd_structures, read_nrrd
from prrt_estimators.contours._regions import MAX_LESIONS, Region, Structures, lesion_labels
from prrt_estimators.contours._segmentation import read_segmentation
from prrt_estimators.exceptions import ContourError

#: Endings of files that are read as masks.
MASK_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".dcm")
#: How far a value may lie from a whole number that is stored with a scale factor.
_WHOLE = 1e-3
#: A mask with the matrix of a scan that lies farther from it than this part of a voxel lost its place.
_BESIDE = 0.5
_REMEDY_VALUES = "give whole numbers as labels, or fractions from 0 to 1"
_REMEDY_PLACE = "draw the mask on this patient's scan and save it with its place in space"

#: Affine and shape of a scan.
Grid = tuple[np.ndarray, tuple[int, ...]]


@dataclass(frozen=True, eq=False, repr=False)
class Mask(ShortRepr):
    """Lesions on the grid on which they were drawn.

    Attributes
    ----------
    labels : ndarray of uint16, shape (i, j, k)
        0 is not a lesion; what is greater is a lesion each.
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    cut : int
        Voxels above 0 that were left out of a map of fractions, because less than half of them is lesion.
    unknown : int
        Voxels without a value (NaN), which are outside.
    outside : int
        Voxels of lesions that lie beyond the scan.
    left : tuple of str
        Why structures of the file were left out: "organ", "planning" or "unnamed", one for each.
    shared : int
        Voxels that several segments claimed; each is given to the smallest.
    """

    labels: np.ndarray
    affine: np.ndarray
    cut: int = 0
    unknown: int = 0
    outside: int = 0
    left: tuple[str, ...] = ()
    shared: int = 0

    @property
    def empty(self) -> bool:
        """Whether there is no lesion, which is a finding and no error."""
        return not self.labels.any()

    @property
    def voxel_ml(self) -> float:
        """Millilitres of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    def lesions(self) -> np.ndarray:
        """Return one label per lesion, numbered from 1.

        Several labels are several lesions. One label alone is split into parts that touch at a face, an edge or a corner.

        Examples
        --------
        >>> Mask(np.array([[[1, 0, 1]]], dtype=np.uint16), np.eye(4)).lesions().ravel().tolist()
        [1, 0, 2]
        >>> Mask(np.array([[[3, 7, 3]]], dtype=np.uint16), np.eye(4)).lesions().ravel().tolist()
        [1, 2, 1]
        """
        values = np.unique(self.labels[self.labels > 0])
        if len(values) == 1:
            a, b, c = self.labels.shape
            whole = Region("", 1, "", (0, 0, 0), self.labels > 0)
            return lesion_labels(Structures(self.affine, (a, b, c), (whole,))).labels
        numbers = np.zeros(int(values[-1]) + 1 if len(values) else 1, dtype=np.uint16)
        numbers[values] = np.arange(1, len(values) + 1)
        return numbers[self.labels]


def read_mask(path: str | os.PathLike[str], scans: Sequence[Grid] = (), *, only_lesions: bool = True) -> Mask:
    """Read a mask of lesions: NIfTI, ``.seg.nrrd`` of 3D Slicer, or DICOM SEG.

    Whole numbers are labels. Fractions from 0 to 1 are cut at one half. Voxels without a value are outside. Of named
    segments, organs and planning volumes are left out.

    Parameters
    ----------
    path : path
    scans : sequence of (affine, shape), default=()
        Grids of the patient's scans, in any of which the mask must lie.
    only_lesions : bool, default=True
        Whether a file of named organs alone is empty; if not, it is a mask of these organs.

    Returns
    -------
    Mask

    Raises
    ------
    ContourError
        If the file cannot be read, holds negative values, values that are neither labels nor fractions or several
        volumes, or lies elsewhere in space than the scans.
    MissingDependencyError
        If the package that reads the format is not installed.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = f"{folder.name}/mask.nii.gz"
    >>> nib.save(nib.Nifti1Image(np.array([[[0.02, 0.6, 0.9]]], dtype=np.float32), np.eye(4)), file)
    >>> mask = read_mask(file)
    >>> mask.labels.ravel().tolist(), mask.cut
    ([0, 1, 1], 1)
    >>> folder.cleanup()
    """
    name = Path(path).name
    lower = name.lower()
    if lower.endswith(".nrrd"):
        layers, affine, segments = read_nrrd(path)
        if segments or len(layers) > 1:
            found = _of_structures(nrrd_structures(layers, affine, segments, name), only_lesions)
        else:
            found = _of_values(layers[0], affine, name)
    elif lower.endswith((".nii", ".nii.gz")):
        found = _of_values(*_nifti(path), name)
    elif lower.endswith(".dcm") or _is_dicom(path):
        segmentation = read_segmentation(path)
        found = _of_structures(segmentation.on(), only_lesions)
        found = Mask(**{**vars(found), "cut": segmentation.cut})
    else:
        raise ContourError(
            "is not a file that holds a mask", "give NIfTI (.nii, .nii.gz), .seg.nrrd or DICOM SEG (.dcm)", name
        )
    return _placed(found, scans, name) if scans else found


def _nifti(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    name = Path(path).name
    try:
        check_claims(os.fspath(path), mask=True)
        image: Any = nib.load(path)
        affine = placement(image.header)
        values = np.asanyarray(image.dataobj)
    except FileNotFoundError:
        raise ContourError("does not exist", "correct the path", name) from None
    except NiftiFault as fault:
        raise ContourError(fault.what, fault.remedy, name) from None
    except Exception as error:
        # nibabel, gzip and zlib raise errors of many kinds on a damaged file.
        raise ContourError(f"is damaged ({type(error).__name__})", "save the mask again", name) from None
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        what = f"has the shape {' x '.join(map(str, values.shape))}, expected one volume"
        raise ContourError(what, "save one volume with one label per lesion", name)
    if values.dtype.kind not in "biuf":
        raise ContourError(f"holds values of the kind {values.dtype}", _REMEDY_VALUES, name)
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ContourError("does not say where it lies in the patient", _REMEDY_PLACE, name)
    return values, affine


def _of_values(values: np.ndarray, affine: np.ndarray, name: str) -> Mask:
    if values.dtype.kind == "b":
        return Mask(values.astype(np.uint16), affine)
    unknown = 0
    if values.dtype.kind == "f":
        nowhere = np.isnan(values)
        unknown = int(np.count_nonzero(nowhere))
        if unknown == values.size > 0:
            raise ContourError("holds no value in any voxel (NaN)", "save the mask again", name)
        values = np.where(nowhere, 0, values) if unknown else values
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if low < -_WHOLE:
        raise ContourError(f"holds negative values (down to {low:g})", f"{_REMEDY_VALUES}; this may be a scan", name)
    if high > MAX_LESIONS:
        raise ContourError(f"holds values up to {high:g}", f"{_REMEDY_VALUES}; this may be a scan", name)
    if values.dtype.kind in "iu":
        return Mask(values.astype(np.uint16), affine)
    whole = np.rint(values)
    if (np.abs(values - whole) <= _WHOLE).all():
        return Mask(whole.astype(np.uint16), affine, unknown=unknown)
    if high > 1 + _WHOLE:
        raise ContourError(f"holds values between whole numbers, up to {high:g}", _REMEDY_VALUES, name)
    inside = values >= 0.5
    cut = int(np.count_nonzero((values > 0) & ~inside))
    return Mask(inside.astype(np.uint16), affine, cut=cut, unknown=unknown)


def _of_structures(structures: Structures, only_lesions: bool) -> Mask:
    chosen = select([(region.name, region.kind) for region in structures.regions])
    if not (chosen.taken or only_lesions):
        organs = tuple(position for position, why in chosen.left.items() if why == "organ")
        chosen = Selection(organs, {position: why for position, why in chosen.left.items() if position not in organs})
    regions = [structures.regions[k] for k in chosen.taken]
    labels = np.zeros(structures.shape, dtype=np.uint16)
    shared = np.zeros(structures.shape, dtype=bool)
    for value, region in sorted(enumerate(regions, 1), key=lambda one: -one[1].voxels):
        shared[region.box] |= region.mask & (labels[region.box] > 0)
        labels[region.box][region.mask] = value
    return Mask(labels, structures.affine, left=tuple(chosen.left.values()), shared=int(shared.sum()))


def _is_dicom(path: str | os.PathLike[str]) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _placed(mask: Mask, scans: Sequence[Grid], name: str) -> Mask:
    """Check that a mask lies where a scan lies; count lesion voxels beyond the scans."""
    if not any(_overlap(mask, affine, shape) for affine, shape in scans):
        raise ContourError("lies elsewhere in space than the scan: they do not overlap", _REMEDY_PLACE, name)
    alike = [(affine, shape) for affine, shape in scans if tuple(shape) == mask.labels.shape]
    apart = [_apart(mask, affine) for affine, _ in alike]
    if alike and min(apart) > _BESIDE and len(alike) == len(scans):
        what = f"has the matrix of the scan and lies beside it by up to {min(apart):.3g} voxels"
        raise ContourError(what, _REMEDY_PLACE, name)
    voxels = np.argwhere(mask.labels > 0)
    if not len(voxels):
        return mask
    inside = np.zeros(len(voxels), dtype=bool)
    for affine, shape in scans:
        step = np.linalg.inv(affine) @ mask.affine
        place = voxels @ step[:3, :3].T + step[:3, 3]
        inside |= ((place >= -0.5) & (place <= np.array(shape[:3]) - 0.5)).all(axis=1)
    if not inside.any():
        raise ContourError("holds lesions, none of which lies in the scan", _REMEDY_PLACE, name)
    return Mask(**{**vars(mask), "outside": int(np.count_nonzero(~inside))})


def _corners(affine: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    ends = np.array(np.meshgrid(*[(-0.5, size - 0.5) for size in shape[:3]])).reshape(3, -1)
    return affine[:3, :3] @ ends + affine[:3, 3:]


def _overlap(mask: Mask, affine: np.ndarray, shape: Sequence[int]) -> bool:
    step = np.linalg.inv(affine)
    corners = step[:3, :3] @ _corners(mask.affine, mask.labels.shape) + step[:3, 3:]
    low, high = corners.min(axis=1), corners.max(axis=1)
    return bool((high > -0.5).all() and (low < np.array(shape[:3]) - 0.5).all())


def _apart(mask: Mask, affine: np.ndarray) -> float:
    """Return how many voxels the box of a mask lies from that of a scan of the same matrix, whatever way its axes run."""
    step = np.linalg.inv(affine)
    corners = step[:3, :3] @ _corners(mask.affine, mask.labels.shape) + step[:3, 3:]
    own = np.array(mask.labels.shape) - 0.5
    return float(max(np.abs(corners.min(axis=1) + 0.5).max(), np.abs(corners.max(axis=1) - own).max()))
