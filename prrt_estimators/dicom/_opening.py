"""Opening files of an export: no pipes, and no more memory than the size of a file allows."""

from __future__ import annotations

import io
import os
import stat
import zlib
from typing import Any, BinaryIO

from prrt_estimators.exceptions import ScannerFileError

_DEFLATED = "1.2.840.10008.1.2.1.99"
_PLAIN = "1.2.840.10008.1.2.1"
#: Transfer syntaxes that store pixels as they are.
UNCOMPRESSED = ("1.2.840.10008.1.2", _PLAIN, "1.2.840.10008.1.2.2")
#: What a deflated file may grow to, and what compressed pixels may: so many bytes, or so many times the file.
MAX_INFLATED, MAX_INFLATED_TIMES = 64 << 20, 20
MAX_DECODED, MAX_DECODED_TIMES = 256 << 20, 50
#: More frames than any scan has.
MAX_FRAMES = 100_000


def is_file(path: str | os.PathLike[str]) -> bool:
    """Tell a file from a pipe, socket or device, which would be waited for; an OSError where there is nothing."""
    return stat.S_ISREG(os.stat(path).st_mode)


def count_of_frames(written: str) -> int:
    """Return NumberOfFrames, 1 where it is empty.

    Raises
    ------
    ValueError
        If it is not a number of frames.

    Examples
    --------
    >>> count_of_frames("120"), count_of_frames("")
    (120, 1)
    """
    text = written.strip(" \0")
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text.lstrip("0")) <= 6) or int(text) > MAX_FRAMES:
        raise ValueError("NumberOfFrames is not a number of frames")
    return max(int(text), 1)


def open_inflated(handle: BinaryIO, size: int) -> BinaryIO:
    """Return a handle to the elements of a file, deflated ones unpacked as far as the size of the file allows.

    Parameters
    ----------
    handle : binary file
        At its start.
    size : int
        Of the file in bytes.

    Raises
    ------
    ScannerFileError
        If the file unpacks to more than 64 MiB and 20 times its size.
    """
    from pydicom.filereader import read_preamble

    try:
        if not read_preamble(handle, force=True):
            return handle
        meta = _meta(handle)
        if str(meta.get("TransferSyntaxUID", "")) != _DEFLATED:
            return handle
        return io.BytesIO(_plain(meta, handle.read(), max(MAX_INFLATED, MAX_INFLATED_TIMES * size)))
    finally:
        handle.seek(0)


def read_dataset(path: str | os.PathLike[str], *, pixels: bool = True) -> Any:
    """Read a file that is a DICOM object, or is taken for one that lacks its preamble.

    Raises
    ------
    ScannerFileError
        If it is not a file, or unpacks to more than its size allows.
    """
    from pydicom import dcmread

    if not is_file(path):
        raise ScannerFileError("a pipe or device stands in place of a file. Leave it out.")
    with open(path, "rb") as handle:
        source = open_inflated(handle, os.path.getsize(path))
        return dcmread(source, stop_before_pixels=not pixels, force=True)


def _meta(handle: BinaryIO) -> Any:
    from pydicom.filereader import _read_file_meta_info

    return _read_file_meta_info(handle)


def _plain(meta: Any, packed: bytes, limit: int) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_file_meta_info

    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        elements = unpacking.decompress(packed, limit)
    except zlib.error:
        raise ScannerFileError("the deflated elements are damaged. Export or copy it again.") from None
    if unpacking.unconsumed_tail:
        raise ScannerFileError(
            f"it unpacks to more than {limit >> 20} MiB, which no image of its size does. Export it uncompressed."
        )
    if not unpacking.eof:
        raise ScannerFileError("the deflated elements end early. Export or copy it again.")
    meta.TransferSyntaxUID = _PLAIN
    start = DicomBytesIO()
    start.is_little_endian, start.is_implicit_VR = True, False
    write_file_meta_info(start, meta, enforce_standard=False)
    return b"\0" * 128 + b"DICM" + start.getvalue() + elements


def check_claim(header: Any, size: int, what: str) -> None:
    """Refuse pixels that a header announces and that its file cannot hold.

    Parameters
    ----------
    header : pydicom dataset
        With its file header; pixels are not needed.
    size : int
        Of the file in bytes.
    what : str
        How messages call the file.

    Raises
    ------
    ScannerFileError
        If uncompressed pixels are larger than the file, or compressed ones than 256 MiB and 50 times the file.
    """
    claimed = claimed_bytes(header)
    syntax = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    if syntax is None or syntax in UNCOMPRESSED:
        if claimed > size:
            raise ScannerFileError(
                f"{what} ends early: its header announces {claimed} bytes of pixels and the file has {size}. Export or copy "
                "it again."
            )
    elif claimed > max(MAX_DECODED, MAX_DECODED_TIMES * size):
        raise ScannerFileError(
            f"{what} announces {claimed >> 20} MiB of pixels in a file of {max(size >> 10, 1)} KiB, which no compression "
            "reaches. Export or copy it again."
        )


def claimed_bytes(header: Any) -> int:
    """Return how many bytes of pixels a header announces."""
    from prrt_estimators.dicom._elements import number, text

    sides = [number(header, name) or 0 for name in ("Rows", "Columns", "BitsAllocated")]
    try:
        frames = count_of_frames(text(header, "NumberOfFrames"))
    except ValueError:
        raise ScannerFileError("NumberOfFrames (0028,0008) is not a number of frames. Correct the header.") from None
    return int(sides[0] * sides[1] * sides[2] * (number(header, "SamplesPerPixel") or 1) * frames) // 8
