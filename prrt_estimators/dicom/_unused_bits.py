"""Bits of stored values that hold no value, where old scanners put overlays."""

from __future__ import annotations

from typing import Any

import numpy as np

from prrt_estimators.dicom._elements import number


def without_unused_bits(values: np.ndarray, header: Any) -> np.ndarray:
    """Return stored values without what lies in the bits above BitsStored.

    Decoders of compressed pixels pass those bits on, and an overlay in them makes water bone. The padding value is kept as
    it is: writers put it outside the stored range on purpose.

    Parameters
    ----------
    values : ndarray
        As decoded.
    header : pydicom dataset

    Returns
    -------
    ndarray
        `values` themselves where none is outside the range of BitsStored.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> header = Dataset()
    >>> header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    >>> without_unused_bits(np.array([1024, 1024 + 0x8000], np.uint16), header).tolist()
    [1024, 1024]
    """
    allocated, stored, high = (number(header, name) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    if (
        values.dtype.kind not in "iu"
        or not stored
        or not allocated
        or stored >= allocated
        or high not in (None, stored - 1)
    ):
        return values
    signed = bool(number(header, "PixelRepresentation"))
    bits = int(stored)
    low, top = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    outside = (values < low) | (values > top)
    mask = (1 << int(allocated)) - 1
    padding = number(header, "PixelPaddingValue")
    if padding is not None:
        outside &= (values.astype(np.int64) & mask) != (int(padding) & mask)
    if not outside.any():
        return values
    kept = values.astype(np.int64) & ((1 << bits) - 1)
    if signed:
        kept -= (kept >> (bits - 1)) << bits
    return np.where(outside, kept, values).astype(values.dtype)
