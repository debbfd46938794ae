"""NIfTI files within limits: what a header claims is compared with the file before memory is taken for it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import os
import stat
import zlib
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling

from prrt_estimators._placement import NiftiFault, placement

#: Voxels of any file: 512 x 512 x 2048 and some.
MAX_VOXELS = 600_000_000
#: A compressed file may hold so many voxels and unfold to so many bytes, whatever its own size ...
SMALL_VOXELS, SMALL_BYTES = 96 * 2**20, 512 * 2**20
#: ... or so many for each of its bytes. Scans reach a fifth of that.
VOXELS_PER_BYTE, BYTES_PER_BYTE = 6, 24
#: A mask may hold so many: most of it is one number, which compresses a thousandfold.
MASK_VOXELS = 128 * 2**20
#: Bytes after the last voxel; writers pad, but not by more.
TRAILING = 64 * 2**20

_CHUNK = 2**20
_CUT = NiftiFault("file is empty or ends before its last voxel", "export or copy it again")
_NO_FILE = NiftiFault("this is a pipe or a device, not a file", "name one .nii or .nii.gz file")
_DAMAGED = NiftiFault("the compressed file ends early or is damaged", "export or copy it again")
#: Meanings of the voxels under which they are a scan: none stated, an estimate, a number without unit.
_SCAN_INTENTS = (0, 1001, 1011)
#: Fields of a header that hold words.
_TEXTS = ("data_type", "db_name", "descrip", "aux_file", "intent_name")


@dataclass(frozen=True)
class NiftiVolume:
    """What one file holds.

    Parameters
    ----------
    data : ndarray of float32
        Scaled as the header says, axes of length 1 at the end left out.
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    digest : str
        SHA-256 of the file's bytes.
    stamp : tuple of int
        Size, modification and change time, inode of the file as it was read.
    kind : str
        "i", "u" or "f": how numbers are stored.
    scaled : bool
        Whether stored numbers were scaled.
    """

    data: np.ndarray
    affine: np.ndarray
    digest: str
    stamp: tuple[int, ...]
    kind: str
    scaled: bool


def file_stamp(path: str | os.PathLike[str] | int) -> tuple[int, ...]:
    """Return what changes when a file changes: size, modification time, change time, inode."""
    status = os.stat(path)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def read_nifti(path: str, *, mask: bool = False) -> NiftiVolume:
    """Read a NIfTI-1 or NIfTI-2 file, compressed or not, with a single opening.

    Parameters
    ----------
    path : str
    mask : bool, default=False
        Whether it is a mask: its voxels may mean anything, and it may be far smaller than it unfolds to.

    Raises
    ------
    NiftiFault
        With what is wrong with this file.
    """
    raw, stamp = _read_file(path)
    digest = hashlib.sha256(raw).hexdigest()
    try:
        data, header = _voxels(raw, mask)
        affine = placement(header)
    except NiftiFault:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _DAMAGED from None
    except Exception as error:
        # nibabel meets a damaged header in more ways than it names.
        reason = shorten(str(error) or type(error).__name__, 120, placeholder=" ...")
        raise NiftiFault(f"not a readable NIfTI file ({reason})", "convert the scan to .nii.gz") from None
    slope, inter = header.get_slope_inter()
    scaled = (slope, inter) not in ((None, None), (1.0, 0.0))
    return NiftiVolume(data, affine, digest, stamp, header.get_data_dtype().kind, scaled)


def check_claims(path: str, *, mask: bool = False) -> None:
    """Compare what a NIfTI file claims to hold with its size, for those who read its voxels otherwise.

    Whatever else is wrong with it they will find out.

    Raises
    ------
    NiftiFault
        If it claims more than a file of its size holds, or is a pipe or a device.
    """
    if not os.path.exists(path) or os.path.isdir(path):
        return
    if not os.path.isfile(path):
        raise _NO_FILE
    with contextlib.suppress(EOFError, zlib.error, OSError, HeaderDataError, KeyError), open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
        handle.seek(0)
        stream: Any = gzip.GzipFile(fileobj=handle) if packed else handle
        header = _header(stream.read(nib.Nifti2Header.sizeof_hdr))
        shape = tuple(max(int(n), 1) for n in header["dim"][1 : max(int(header["dim"][0]), 1) + 1])
        needed = math.prod(shape) * header.get_data_dtype().itemsize
        _check_size(shape, needed, os.path.getsize(path), packed, mask)


def nameless_copy(path: str) -> bytes:
    """Return a NIfTI file as ``.nii.gz``, voxels and geometry as they are, without the texts that may tell whose it is.

    Blanked are the texts of the header, what stands between the header and the voxels (extensions) or after them, and the file
    name that gzip keeps. A file that holds none of these is returned as it is.

    Raises
    ------
    NiftiFault
        If it is not a NIfTI file that can be read.
    """
    check_claims(path)
    raw, _ = _read_file(path)
    packed = raw[:2] == b"\x1f\x8b"
    try:
        whole = gzip.decompress(raw) if packed else raw
        header = _header(whole[: nib.Nifti2Header.sizeof_hdr])
        start = _start(header)
        end = start + math.prod(_shape(header)) * header.get_data_dtype().itemsize
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _DAMAGED from None
    except HeaderDataError as error:
        raise NiftiFault(f"not a readable NIfTI file ({error})", "convert the scan to .nii.gz") from None
    blank = bytearray(whole[:end])
    for name in _TEXTS:
        if name in header.template_dtype.fields:
            kind, place = header.template_dtype.fields[name][:2]
            blank[place : place + kind.itemsize] = bytes(kind.itemsize)
    blank[header.sizeof_hdr : start] = bytes(start - header.sizeof_hdr)
    # The flags of gzip tell whether a name, a comment or more stands before what is packed.
    if packed and raw[3] == 0 and blank == whole:
        return raw
    return gzip.compress(blank, compresslevel=3, mtime=0)


def _read_file(path: str) -> tuple[bytes, tuple[int, ...]]:
    try:
        # Opening a pipe would wait for somebody to write into it.
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise NiftiFault("this is a folder, not a file", "name one .nii or .nii.gz file")
        if not stat.S_ISREG(mode):
            raise _NO_FILE
        with open(path, "rb") as handle:
            return handle.read(), file_stamp(handle.fileno())
    except FileNotFoundError:
        raise NiftiFault("file does not exist", "correct the path, which is relative to the table") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NiftiFault(f"file cannot be read ({reason})", "check its path, its permissions and the disk") from None


def _voxels(raw: bytes, mask: bool) -> tuple[np.ndarray, Any]:
    """Return voxels as float32, and the header, of the bytes of a file."""
    packed = raw[:2] == b"\x1f\x8b"
    stream = gzip.GzipFile(fileobj=io.BytesIO(raw)) if packed else io.BytesIO(raw)
    head = stream.read(nib.Nifti2Header.sizeof_hdr)
    header = _header(head)
    _check_meaning(header, mask)
    shape = _shape(header)
    dtype = header.get_data_dtype()
    start = _start(header)
    needed = start + math.prod(shape) * dtype.itemsize
    _check_size(shape, needed, len(raw), packed, mask)
    if not packed:
        if len(raw) < needed:
            raise _CUT
        content: Any = raw
    else:
        content = np.empty(needed, dtype=np.uint8)
        content[: len(head)] = np.frombuffer(head[:needed], dtype=np.uint8)
        _unfold(stream, content, len(head))
    stored = np.frombuffer(content, dtype=dtype, count=math.prod(shape), offset=start).reshape(shape, order="F")
    slope, inter = header.get_slope_inter()
    data = np.empty(shape, dtype=np.float32, order="F")
    for k in range(shape[-1]):
        # A slice at a time: the scaled numbers are of twice the precision, and so of twice the memory.
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is reported as such
            data[..., k] = apply_read_scaling(stored[..., k], slope, inter)
    return data, header


def _header(head: bytes) -> Any:
    """Return the header, NIfTI-1 and NIfTI-2 told by the size in the first four bytes."""
    if len(head) < nib.Nifti1Header.sizeof_hdr:
        raise _CUT
    for kind in (nib.Nifti1Header, nib.Nifti2Header):
        orders = {kind.sizeof_hdr.to_bytes(4, "little"): "<", kind.sizeof_hdr.to_bytes(4, "big"): ">"}
        if head[:4] in orders:
            if len(head) < kind.sizeof_hdr:
                raise _CUT
            header = kind(head[: kind.sizeof_hdr], orders[head[:4]], check=False)
            if bytes(header["magic"]).rstrip(b"\0\r\n\x1a") not in (b"n+1", b"n+2"):
                raise NiftiFault("the voxels of this NIfTI lie in another file (.img)", "convert the scan to .nii.gz")
            return header
    raise HeaderDataError("it does not begin with a NIfTI header")


def _check_meaning(header: Any, mask: bool) -> None:
    intent = int(header["intent_code"])
    if not mask and intent not in _SCAN_INTENTS:
        try:
            said = header.get_intent()[0]
        except Exception:
            said = "unknown"
        raise NiftiFault(
            f"its header says that the voxels are not a scan (intent code {intent}, {said})",
            "give the scan itself, not a mask, an organ map or a map of statistics",
        )
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise NiftiFault(f"voxels of type {header.get_value_label('datatype')} are not a scan", "export plain numbers")
    if np.isinf(float(header["scl_slope"])):
        raise NiftiFault("its header scales voxels by an infinite number", "export the scan again")
    if int(header["bitpix"]) != 8 * dtype.itemsize:
        raise NiftiFault(
            f"its header contradicts itself: {header.get_value_label('datatype')} voxels of {int(header['bitpix'])} bits",
            "export the scan again",
        )


def _shape(header: Any) -> tuple[int, ...]:
    numbers = [int(n) for n in header["dim"]]
    if not 1 <= numbers[0] <= 7 or min(numbers[1 : numbers[0] + 1]) < 1:
        raise NiftiFault(f"its header states dimensions that cannot be ({numbers})", "export the scan again")
    shape = numbers[1 : numbers[0] + 1]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) != 3:
        raise NiftiFault(
            f"expected a 3-D volume, got {len(shape)} dimensions {tuple(shape)}", "export one volume per file"
        )
    if min(shape) < 2:
        raise NiftiFault(f"expected at least 2 voxels along each axis, got {tuple(shape)}", "export the whole series")
    return tuple(shape)


def _start(header: Any) -> int:
    """Return where in the file the voxels begin."""
    offset = float(header["vox_offset"])
    least = type(header).single_vox_offset
    if not np.isfinite(offset) or offset < least or offset != int(offset):
        raise NiftiFault(
            f"its header says that voxels begin at byte {offset:g}, expected {least} or more", "export the scan again"
        )
    return int(offset)


def _check_size(shape: tuple[int, ...], needed: int, size: int, packed: bool, mask: bool) -> None:
    """Refuse a file whose header claims more than a file of its size can hold."""
    voxels = math.prod(shape)
    named = " x ".join(map(str, shape))
    if packed:
        small = MASK_VOXELS if mask else SMALL_VOXELS
        if voxels > max(small, VOXELS_PER_BYTE * size) or needed > max(SMALL_BYTES, BYTES_PER_BYTE * size):
            raise NiftiFault(
                f"{size} bytes claim to unfold to {named} voxels ({needed} bytes), which no scan does",
                "export the scan again; if it is right, save it uncompressed (.nii)",
            )
    elif needed > size:
        raise NiftiFault(
            f"file is empty or ends before its last voxel ({size} bytes, {named} voxels take {needed})",
            "export or copy it again",
        )
    if voxels > MAX_VOXELS:
        raise NiftiFault(
            f"{named} voxels are more than {MAX_VOXELS}, which no scan has", "export one volume of one patient per file"
        )


def _unfold(stream: Any, content: np.ndarray, done: int) -> None:
    """Fill in what a compressed file holds, then read on to its end, where its checksum stands."""
    while done < len(content):
        part = stream.read(min(_CHUNK, len(content) - done))
        if not part:
            raise _CUT
        content[done : done + len(part)] = np.frombuffer(part, dtype=np.uint8)
        done += len(part)
    trailing = 0
    while part := stream.read(_CHUNK):
        trailing += len(part)
        if trailing > TRAILING:
            raise NiftiFault("it unfolds to far more than its voxels", "export the scan again")
