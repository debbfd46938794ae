"""Damaged NIfTI files for `fuzz.py`, and what they say by the standard."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
from _fuzz_harm import SPECIAL, Kind, harmed

from prrt_estimators.preprocessing._scans import read_scan

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def make_nifti(folder: Path) -> list[Path]:
    """Write PET and CT of both formats, and every eighth voxel of a real CT where there is one."""
    rng = np.random.default_rng(0)
    affine = np.diag([4.0, 4, 5, 1])
    affine[:3, 3] = [-20, 30, 400]
    made = {
        "pet.nii": nib.Nifti1Image(rng.gamma(2, 1, (9, 8, 7)).astype(np.float32), affine),
        "pet.nii.gz": nib.Nifti1Image(rng.gamma(2, 1, (9, 8, 7)).astype(np.float32), affine),
        "ct.nii": nib.Nifti1Image(rng.integers(-1000, 900, (9, 8, 7)).astype(np.int16), affine),
        "ct2.nii.gz": nib.Nifti2Image(rng.integers(-1000, 900, (9, 8, 7)).astype(np.int16), affine),
    }
    for real in sorted(SHARED.glob("sts/STS_001/*CT*.nii.gz"))[:1]:
        made["real.ct.nii.gz"] = nib.load(real).slicer[::8, ::8, ::8]
    for name, image in made.items():
        image.set_qform(image.affine, 1)
        nib.save(image, folder / name)
    return [folder / name for name in made]


def harm_nifti(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Damage a file as it lies on the disk, or what it unfolds to, or one field of its header."""
    packed = source.suffix == ".gz"
    raw = source.read_bytes()
    if rng.random() < 0.3:
        target.write_bytes(harmed(rng, raw))
        return
    content = bytearray(gzip.decompress(raw) if packed else raw)
    kind = nib.Nifti2Header if content[0] == 28 else nib.Nifti1Header
    if rng.random() < 0.7:
        dtype = kind.template_dtype
        name = str(rng.choice(dtype.names))
        field, offset = dtype.fields[name][:2]
        place = offset + int(rng.integers(0, field.itemsize))
        values = [*SPECIAL, rng.bytes(4), struct.pack("<h", int(rng.integers(-3, 40))), struct.pack("<f", -4.0)]
        value = values[rng.integers(0, len(values))]
        content[place : place + len(value)] = value
    else:
        content = bytearray(harmed(rng, bytes(content)))
    target.write_bytes(gzip.compress(bytes(content), 1, mtime=0) if packed else bytes(content))


def check_nifti(damaged: Path, _: Path) -> str:
    """Compare what is read with the header's own words, by the standard and without nibabel."""
    modality = "ct" if "ct" in damaged.name else "pet"
    scan = read_scan(str(damaged), modality, "P1")
    raw = damaged.read_bytes()
    content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    for order in "<>":
        size = struct.unpack(f"{order}i", content[:4])[0]
        if size in (348, 540):
            break
    if size == 348:
        dim = struct.unpack(f"{order}8h", content[40:56])
        (code,) = struct.unpack(f"{order}h", content[70:72])
        pixdim = struct.unpack(f"{order}8f", content[76:108])
        start, slope, inter = struct.unpack(f"{order}3f", content[108:120])
        q, s = struct.unpack(f"{order}2h", content[252:256])
        turn = struct.unpack(f"{order}6f", content[256:280])
        rows = struct.unpack(f"{order}12f", content[280:328])
    else:
        (code,) = struct.unpack(f"{order}h", content[12:14])
        dim = struct.unpack(f"{order}8q", content[16:80])
        pixdim = struct.unpack(f"{order}8d", content[104:168])
        (start,) = struct.unpack(f"{order}q", content[168:176])
        slope, inter = struct.unpack(f"{order}2d", content[176:192])
        q, s = struct.unpack(f"{order}2i", content[344:352])
        turn = struct.unpack(f"{order}6d", content[352:400])
        rows = struct.unpack(f"{order}12d", content[400:496])
    types = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
    count = int(np.prod(dim[1 : dim[0] + 1]))
    stored = np.frombuffer(content, np.dtype(order + types[code]), count, int(start)).astype(np.float64)
    if np.isfinite(slope) and slope != 0:
        stored = stored * slope + inter
    wanted = stored.astype(np.float32).reshape(dim[1:4], order="F")
    affine = np.array([*rows, 0, 0, 0, 1], dtype=np.float64).reshape(4, 4) if s > 0 else _from_quaternion(turn, pixdim)
    placed = (s > 0 or q > 0) and np.allclose(scan.affine, affine, rtol=1e-4, atol=1e-3)
    return "as it is" if placed and np.allclose(scan.data, wanted, rtol=1e-5, atol=1e-6) else "wrong"


def _from_quaternion(turn: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray:
    b, c, d, *offset = turn
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * [pixdim[1], pixdim[2], pixdim[3] * (-1 if pixdim[0] == -1 else 1)]
    affine[:3, 3] = offset
    return affine


NIFTI = Kind("NIfTI", make_nifti, harm_nifti, check_nifti)
