"""One series as a volume in SUVbw or HU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from prrt_estimators._extras import quiet_pydicom
from prrt_estimators.dicom._elements import instance, label, number, text, whole_series
from prrt_estimators.dicom._geometry import Geometry, sort_slices
from prrt_estimators.dicom._series import Frame, Source, is_lossy, open_series, pixels, rescale
from prrt_estimators.dicom._suv import check_given, compute_factors, warn_of
from prrt_estimators.exceptions import CohortWarning, ScannerFileError

#: HU of air, and of everything outside the field that was measured.
AIR = -1024
#: A padding value between these HU lies among soft tissue, where measured voxels may have it too.
_SOFT_TISSUE = (-200.0, 200.0)


def read_pet(
    path: Source,
    *,
    weight_kg: float | None = None,
    dose_bq: float | None = None,
    half_life_s: float | None = None,
) -> nib.Nifti1Image:
    """Read one PET series in SUVbw.

    Parameters
    ----------
    path : path, or sequence of paths
        The folder of one series, its files, or one multi-frame (enhanced) file. In a folder, files that are not images
        are passed over.
    weight_kg, dose_bq, half_life_s : float, default=None
        Used instead of the header's, where it lacks them or has them wrong; see `suv_factors`.

    Returns
    -------
    nibabel.Nifti1Image
        float32 SUVbw in the grid of the scanner, axes turned to RAS+, padding at 0. ``image.extra["suv"]`` is the
        `SUVFactors` that were used, ``image.extra["geometry"]`` the `Geometry`; neither is written to a file.

    Raises
    ------
    ScannerFileError
        If the files are not one whole static series on one grid; an `SUVError` if SUVbw does not follow from the
        headers. Messages name slices by instance number, and no patient, path or date.
    MissingDependencyError
        If pydicom, or a decoder for compressed pixels, is not installed.

    Warns
    -----
    SUVWarning
        See `suv_factors`.
    CohortWarning
        If copies of slices or localisers were left out, the pixels were compressed with loss, or there are fewer slices
        than the scanner counted.

    See Also
    --------
    read_ct : The same for CT.
    suv_factors : The factors without the pixels, with their formulas.

    Examples
    --------
    >>> image = read_pet("exports/anna/PET")  # doctest: +SKIP
    >>> image.extra["suv"].uptake_minutes  # doctest: +SKIP
    62.5
    """
    check_given(weight_kg=weight_kg, dose_bq=dose_bq, half_life_s=half_life_s)
    with whole_series("the PET series"):
        frames, geometry = _open(path, "PT")
        factors = compute_factors(
            [frame.header for frame in frames], weight_kg=weight_kg, dose_bq=dose_bq, half_life_s=half_life_s
        )
    warn_of(factors, stacklevel=3)

    def to_suv(values: np.ndarray, index: int) -> np.ndarray:
        header = frames[index].header
        slope, intercept = rescale(header)
        suv = (values * slope + intercept) * factors.factors[index]
        suv[_padding(values, header)] = 0.0
        return suv

    _check_count(frames, geometry)
    with whole_series("the PET series"):
        image = _volume(frames, geometry, to_suv, np.float32)
    image.header["descrip"] = f"SUVbw in g/mL, from {factors.kind}"
    image.extra.update(suv=factors, geometry=geometry)
    return image


def read_ct(path: Source) -> nib.Nifti1Image:
    """Read one CT series in HU.

    Parameters
    ----------
    path : path, or sequence of paths
        The folder of one series, its files, or one multi-frame (enhanced) file. In a folder, files that are not images
        are passed over.

    Returns
    -------
    nibabel.Nifti1Image
        int16 HU in the grid of the scanner, axes turned to RAS+. What the scanner padded, and everything below -1024 HU,
        is -1024. A tilted gantry shows as a shear in the affine, so that no voxel was interpolated.
        ``image.extra["geometry"]`` is the `Geometry`; it is not written to a file.

    Raises
    ------
    ScannerFileError
        If the files are not one whole series on one grid, or their values are not HU. Messages name slices by instance
        number, and no patient, path or date.
    MissingDependencyError
        If pydicom, or a decoder for compressed pixels, is not installed.

    Warns
    -----
    CohortWarning
        If copies of slices or localisers were left out, the pixels were compressed with loss, or the padding value
        lies among soft tissue.

    See Also
    --------
    read_pet : The same for PET.

    Examples
    --------
    >>> read_ct("exports/anna/CT").get_data_dtype()  # doctest: +SKIP
    dtype('int16')
    """
    with whole_series("the CT series"):
        frames, geometry = _open(path, "CT")
    for frame in frames:
        unit = text(frame.header, "RescaleType").upper()
        if unit not in ("", "HU", "HU_MOD", "US"):
            raise ScannerFileError(
                f"{label('RescaleType')} of {instance(frame.header)} is {unit}, not HU: a map made from the CT. Name the "
                "series in HU."
            )
    _check_padding(frames[0].header)

    def to_hu(values: np.ndarray, index: int) -> np.ndarray:
        header = frames[index].header
        slope, intercept = rescale(header)
        hu = np.rint(values * slope + intercept)
        hu[_padding(values, header)] = AIR
        return np.clip(hu, AIR, np.iinfo(np.int16).max)

    with whole_series("the CT series"):
        image = _volume(frames, geometry, to_hu, np.int16)
    image.header["descrip"] = "CT in HU"
    image.extra.update(geometry=geometry)
    return image


def _open(path: Source, modality: str) -> tuple[list[Frame], Geometry]:
    """Open a series and check that it is one volume."""
    frames = open_series(path, modality)
    geometry = sort_slices([frame.header for frame in frames])
    if geometry.problems:
        raise ScannerFileError(". ".join(geometry.problems) + ".")
    if any(is_lossy(frame.header) for frame in frames):
        warnings.warn(
            "the pixels were compressed with loss, so their values are not exact.", CohortWarning, stacklevel=3
        )
    _check_copies(frames, geometry)
    return frames, geometry


def _check_copies(frames: list[Frame], geometry: Geometry) -> None:
    """Leave out slices that are there twice; refuse two different ones at one place."""
    for kept, other in geometry.copies:
        first, second = (
            values * slope + intercept
            for values, (slope, intercept) in zip(
                pixels([frames[kept], frames[other]]),
                (rescale(frames[kept].header), rescale(frames[other].header)),
                strict=True,
            )
        )
        if not np.array_equal(first, second):
            raise ScannerFileError(
                f"{instance(frames[kept].header)} and {instance(frames[other].header)} lie at one place and differ: two "
                "reconstructions or time points. Name the files of one."
            )
    count = len(geometry.copies)
    if count:
        told = (
            "1 slice is there twice; the copy was" if count == 1 else f"{count} slices are there twice; the copies were"
        )
        warnings.warn(f"{told} left out.", CohortWarning, stacklevel=4)


def _check_count(frames: list[Frame], geometry: Geometry) -> None:
    """Say so where slices may be missing at an end, which their places cannot tell."""
    told = number(frames[0].header, "NumberOfSlices")
    if told is not None and told > geometry.shape[2]:
        warnings.warn(
            f"the scanner counted {told:.0f} slices and {geometry.shape[2]} are there: the export may be cut short.",
            CohortWarning,
            stacklevel=3,
        )


def _padding(values: np.ndarray, header: Any) -> np.ndarray:
    """Return which stored values stand for nothing measured."""
    limits = _padding_limits(header)
    if limits is None:
        return np.zeros(values.shape, bool)
    return (values >= limits[0]) & (values <= limits[1])


def _padding_limits(header: Any) -> tuple[float, float] | None:
    value = number(header, "PixelPaddingValue")
    if value is None:
        return None
    end = number(header, "PixelPaddingRangeLimit")
    ends = [_as_stored(part, header) for part in (value, value if end is None else end)]
    return min(ends), max(ends)


def _as_stored(value: float, header: Any) -> float:
    """Return a padding value with the sign of the pixels: some writers give -2000 as 63536."""
    bits = number(header, "BitsAllocated") or 16
    if number(header, "PixelRepresentation"):
        return value - 2**bits if value >= 2 ** (bits - 1) else value
    return value + 2**bits if value < 0 else value


def _check_padding(header: Any) -> None:
    limits = _padding_limits(header)
    if limits is None:
        return
    slope, intercept = rescale(header)
    low, high = (limit * slope + intercept for limit in limits)
    if high >= _SOFT_TISSUE[0] and low <= _SOFT_TISSUE[1]:
        warnings.warn(
            f"the padding value is {low:g} HU, among soft tissue: voxels measured so are set to {AIR} HU too.",
            CohortWarning,
            stacklevel=3,
        )


def _volume(
    frames: list[Frame], geometry: Geometry, convert: Callable[[np.ndarray, int], np.ndarray], dtype: type
) -> nib.Nifti1Image:
    """Decode slice after slice into an array that lies in memory as RAS+ from the start."""
    native = io_orientation(geometry.affine)
    to_ras = ornt_transform(native, axcodes2ornt("RAS"))
    shape = np.empty(3, int)
    shape[to_ras[:, 0].astype(int)] = geometry.shape
    data: np.ndarray = np.zeros(shape, dtype, order="F")
    scanner = apply_orientation(data, ornt_transform(axcodes2ornt("RAS"), native))
    decoded = pixels(frames[index] for index in geometry.order)
    for place, (index, values) in enumerate(zip(geometry.order, decoded, strict=True)):
        if values.shape != (geometry.shape[1], geometry.shape[0]):
            raise ScannerFileError(
                f"the pixels of {instance(frames[index].header)} are not of the size in its header. Export it again."
            )
        with quiet_pydicom():
            scanner[:, :, place] = convert(values, int(index)).T
    affine = geometry.affine @ inv_ornt_aff(to_ras, geometry.shape)
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, code="scanner", update_affine=False)
    if geometry.tilt_degrees < 0.01:
        image.set_qform(affine, code="scanner", update_affine=False)
    image.header.set_xyzt_units("mm")
    return image
