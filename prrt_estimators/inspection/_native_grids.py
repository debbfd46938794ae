"""From the network's grid back to the grid of the patient's own scan, and into a file beside it."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from prrt_estimators._io import atomic_write
from prrt_estimators._validation import as_cohort

if TYPE_CHECKING:
    from prrt_estimators.inspection._saliency import SaliencyMaps

#: What of a scan's header says where its voxels lie, and nothing else.
_PLACE = (
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip


def onto(
    values: np.ndarray, affine: np.ndarray, shape: tuple[int, ...], target: np.ndarray, outside: float = 0.0
) -> np.ndarray:
    """Read a volume at the voxels of another grid of the same patient.

    Linear between voxel centres, the outermost value within the outer half of a voxel, `outside` beyond. Only the
    part of the other grid that the volume touches is computed.

    Parameters
    ----------
    values : ndarray of shape (d, h, w)
    affine : ndarray of shape (4, 4)
        Its voxels to RAS+ millimetres.
    shape : tuple of 3 ints
        Voxels of the other grid.
    target : ndarray of shape (4, 4)
        Its voxels to RAS+ millimetres.
    outside : float, default=0.0

    Returns
    -------
    ndarray of float32, shape `shape`
    """
    result = np.full(shape, outside, dtype=np.float32)
    step = np.linalg.inv(affine) @ target
    ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in values.shape])).reshape(3, -1)
    back = np.linalg.inv(step)
    reach = back[:3, :3] @ ends + back[:3, 3:]
    low = np.clip(np.floor(reach.min(axis=1)).astype(int), 0, shape)
    high = np.clip(np.ceil(reach.max(axis=1)).astype(int) + 1, low, shape)
    if (high == low).any():
        return result
    axes = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    found = ndimage.affine_transform(
        np.asarray(values, dtype=np.float32),
        step[:3, :3],
        offset=step[:3, :3] @ low + step[:3, 3],
        output_shape=tuple(len(axis) for axis in axes),
        order=1,
        mode="nearest",
        output=np.float32,
    )
    for k, size in enumerate(values.shape):
        place = step[k, 3] + sum(
            step[k, m] * axis.reshape([-1 if j == m else 1 for j in range(3)]) for m, axis in enumerate(axes)
        )
        np.copyto(found, outside, where=(place < -0.5 - 1e-6) | (place > size - 0.5 + 1e-6))
    result[part] = found
    return result


def saliency_to_nifti(maps: SaliencyMaps, X: Any, folder: str | os.PathLike[str]) -> dict[str, list[Path | None]]:
    """Write the maps of each patient on the grids of the patient's own scans.

    A map is read at the voxel centres of the scan, linearly between its own voxels, whatever the scan's
    orientation; 0 where the network saw nothing. The file has the affine of the scan to the bit and opens on top
    of it in any viewer. It holds numbers and their place, nothing else of the scan's header.

    Parameters
    ----------
    maps : SaliencyMaps
        From :func:`saliency`, for the patients X.
    X : Cohort or mapping
        With the scans as files.
    folder : path
        Made if it is not there.

    Returns
    -------
    dict of str to list
        For each modality the files, ``<patient id>_<modality>_saliency.nii.gz``; None for a patient without that
        scan.

    Raises
    ------
    ValueError
        If X holds other patients than the maps, scans in memory, or two ids that make one file name.

    Examples
    --------
    >>> import tempfile
    >>> from prrt_estimators import PETPFSClassifier, load_cohort, make_prrt_cohort
    >>> from prrt_estimators.datasets import write_nifti_cohort
    >>> from prrt_estimators.inspection import saliency
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cohort = make_prrt_cohort(6, volume_shape=16, random_state=1)
    ...     X = load_cohort(write_nifti_cohort(cohort, folder + "/cohort"), verbose=False).X
    ...     clf = PETPFSClassifier(size=16, spacing=20.0, max_epochs=1, random_state=0).fit(X, [0, 1] * 3)
    ...     files = saliency_to_nifti(saliency(clf, X[:1]), X[:1], folder + "/maps")
    ...     (name, written), *_ = files.items()
    ...     same = nib.load(written[0]).affine == nib.load(X[name][0]).affine
    >>> bool(same.all())
    True
    """
    cohort = as_cohort(X)
    if cohort.ids.tolist() != maps.ids.tolist():
        raise ValueError(
            f"`X` must hold the patients of the maps in their order; got {len(cohort)} patients for {len(maps.ids)} maps."
        )
    stems = [re.sub(r"[^\w.-]+", "_", str(one)).strip(".") or "patient" for one in maps.ids]
    if len({stem.lower() for stem in stems}) < len(stems):
        raise ValueError("patient ids must make different file names; some differ only in case or in punctuation.")
    files: dict[str, list[Path | None]] = {}
    for name in maps:
        if name not in cohort or cohort[name].paths is None:
            raise ValueError(
                f"`X` must hold {name} as files, on whose grids the maps are written. Use to_native for arrays."
            )
        files[name] = []
        for row, present in enumerate(maps.present(name)):
            target = Path(folder) / f"{stems[row]}_{name}_saliency.nii.gz"
            if present:
                _write(target, maps, row, name, cohort[name].paths[row])
            files[name].append(target if present else None)
    return files


def _write(target: Path, maps: SaliencyMaps, row: int, name: str, scan: str) -> None:
    original = read_header(scan)
    header = type(original)()
    for field in _PLACE:
        header[field] = original[field]
    # The first number holds the sign that the quaternion leaves open; the next three are the spacing.
    header["pixdim"][:4] = original["pixdim"][:4]
    header.set_data_dtype(np.float32)
    header.set_xyzt_units("mm")
    affine = original.get_best_affine()
    values = maps.to_native(row, name, original.get_data_shape()[:3], affine)
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(values, None, header)
    with atomic_write(target) as temporary:
        # nibabel would write the time of day into the compressed file.
        temporary.write_bytes(gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))


def read_header(path: str) -> Any:
    """Return the header of a NIfTI file, compressed or not, without its voxels."""
    with open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
        handle.seek(0)
        source: Any = gzip.GzipFile(fileobj=handle) if packed else handle
        start = source.read(540)
    of_second_kind = 540 in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
    kind = nib.Nifti2Header if of_second_kind else nib.Nifti1Header
    return kind(start[: kind.sizeof_hdr], check=False)
