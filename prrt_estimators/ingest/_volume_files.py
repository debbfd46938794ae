"""Writing a volume without a word about anybody."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np

from prrt_estimators._io import atomic_write


def save(image: nib.Nifti1Image, path: Path) -> None:
    """Write voxels and affine as ``.nii.gz``: no description, no file name, no time; the same volume, the same bytes."""
    plain = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine)
    plain.header.set_xyzt_units("mm")
    plain.set_sform(image.affine, code=1)
    plain.set_qform(image.affine, code=1)
    with (
        atomic_write(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=3, mtime=0) as packed,
    ):
        plain.to_stream(packed)
