"""One series as a volume in SUVbw or HU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from prrt_estimators.dicom._elements import number, quiet, text
from prrt_estimators.dicom._geometry import Geometry, sort_slices
from prrt_estimators.dicom._series import Frame, Source, open_series, pixels, rescale
from prrt_estimators.dicom._suv import suv_factors
from prrt_estimators.exceptions import CohortWarning, ScannerFileError

#: HU of air, and of everything outside the field that was measured.
AIR = -1024


def read_pet(
    path: Source,
    *,
    weight_kg: float | None = None,
    dose_bq: float | None = None,
    half_life_s: float | None = None,
) -> nib.Nifti1Image:
    frames = open_series(path, "PT")
    geometry = _geometry(frames)
    found = suv_factors(
        [frame.header for frame in frames], weight_kg=weight_kg, dose_bq=dose_bq, half_life_s=half_life_s
    )

    def to_suv(values: np.ndarray, index: int) -> np.ndarray:
        slope, intercept = rescale(frames[index].header)
        suv = (values.astype(np.float64) * slope + intercept) * found.factors[index]
        suv[_padding(values, frames[index].header)] = 0.0
        return suv

    image = _volume(frames, geometry, to_suv, np.float32)
    image.header["descrip"] = f"SUVbw [g/mL] from {found.kind}"
    image.extra["suv"] = found
    image.extra["geometry"] = geometry
    return image


def read_ct(path: Source) -> nib.Nifti1Image:
    frames = open_series(path, "CT")
    geometry = _geometry(frames)

    def to_hu(values: np.ndarray, index: int) -> np.ndarray:
        slope, intercept = rescale(frames[index].header)
        hu = np.rint(values.astype(np.float64) * slope + intercept)
        hu[_padding(values, frames[index].header)] = AIR
        return np.clip(hu, AIR, np.iinfo(np.int16).max)

    image = _volume(frames, geometry, to_hu, np.int16)
    image.header["descrip"] = "CT [HU]"
    image.extra["geometry"] = geometry
    return image


def _geometry(frames: list[Frame]) -> Geometry:
    geometry = sort_slices([frame.header for frame in frames])
    if geometry.problems:
        raise ScannerFileError(". ".join(geometry.problems) + ".")
    return geometry


def _padding(values: np.ndarray, header: Any) -> np.ndarray:
    low = number(header, "PixelPaddingValue")
    if low is None:
        return np.zeros(values.shape, bool)
    return values == low


def _volume(
    frames: list[Frame], geometry: Geometry, convert: Callable[[np.ndarray, int], np.ndarray], dtype: type
) -> nib.Nifti1Image:
    """Decode slice after slice into an array that lies in memory as RAS+ from the start."""
    native = io_orientation(geometry.affine)
    to_ras = ornt_transform(native, axcodes2ornt("RAS"))
    back = ornt_transform(axcodes2ornt("RAS"), native)
    shape = np.empty(3, int)
    shape[to_ras[:, 0].astype(int)] = geometry.shape
    data = np.zeros(shape, dtype, order="F")
    window = apply_orientation(data, back)
    for place, (index, values) in enumerate(
        zip(geometry.order, pixels(frames[k] for k in geometry.order), strict=True)
    ):
        window[:, :, place] = convert(values, int(index)).T
    image = nib.Nifti1Image(data, geometry.affine @ inv_ornt_aff(to_ras, geometry.shape))
    image.header.set_xyzt_units("mm")
    return image
