"""Masks that claim more than they hold, lie about their place or say nothing: refused by name, within bounded memory."""

from __future__ import annotations

import gzip
import os
import resource
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from contour_builders import segmentation, write

from prrt_estimators.cohort import Cohort
from prrt_estimators.contours import read_mask
from prrt_estimators.exceptions import CohortError, ContourError

AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])
HEAD = (
    "NRRD0004\ntype: {type}\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\n"
    "space directions: (2,0,0) (0,3,0) (0,0,4)\nkinds: domain domain domain\nendian: little\nencoding: {encoding}\n"
    "space origin: (0,0,0)\n{more}\n"
)


@pytest.fixture
def little_memory():
    """Let this process grow by 1 GB."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def nrrd(tmp_path, content, *, kind="uint8", sizes="4 4 4", encoding="raw", more=""):
    pytest.importorskip("nrrd")
    path = tmp_path / "lesions.seg.nrrd"
    path.write_bytes(HEAD.format(type=kind, sizes=sizes, encoding=encoding, more=more).encode() + content)
    return path


def test_an_honest_nrrd_is_read(tmp_path):
    content = bytes([0] * 60 + [1] * 4)
    for encoding, packed in (("raw", content), ("gzip", gzip.compress(content))):
        assert read_mask(nrrd(tmp_path, packed, encoding=encoding)).labels.sum() == 4


@pytest.mark.parametrize(
    ("said", "options", "content"),
    [
        ("claims", {"sizes": "4000 4000 4000"}, bytes(64)),
        ("claims", {"sizes": "4000 4000 4000", "encoding": "gzip"}, gzip.compress(bytes(64))),
        ("claims", {"sizes": "9000 9000 9000", "kind": "double"}, bytes(64)),
        ("unpacks to more", {"encoding": "gzip"}, gzip.compress(bytes(1 << 20) * 300, 1)),
        ("another file", {"more": "data file: /dev/zero\n"}, b""),
        ("damaged", {"encoding": "gzip"}, gzip.compress(bytes(64))[:-30]),
        ("damaged", {"sizes": "4 4"}, bytes(64)),
        ("damaged", {"sizes": "4 4 -4"}, bytes(64)),
    ],
    ids=["raw", "gzip", "double", "bomb", "elsewhere", "cut", "sizes", "negative"],
)
def test_a_nrrd_is_compared_with_its_size(said, options, content, tmp_path, little_memory):
    with pytest.raises(ContourError, match=said):
        read_mask(nrrd(tmp_path, content, **options))


def test_a_pipe_is_not_waited_for(tmp_path):
    pytest.importorskip("nrrd")
    for name in ("a.seg.nrrd", "a.nii", "a.dcm"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ContourError, match="a pipe or a device"):
            read_mask(tmp_path / name)


def test_a_deflated_segmentation_does_not_fill_the_memory(tmp_path, little_memory):
    path = write(segmentation({"lesion": np.ones((4, 4, 2), dtype=bool)}, AFFINE), tmp_path / "seg.dcm")
    header = pydicom.dcmread(path)
    del header.PixelData
    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    header.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    element = b"\x29\x00\x10\x10OB\0\0" + (900 << 20).to_bytes(4, "little")
    body = packed.compress(element) + b"".join(packed.compress(bytes(1 << 20)) for _ in range(900)) + packed.flush()
    path.write_bytes(content[:start] + body)
    with pytest.raises(ContourError, match="unpacks to more than 256 MiB"):
        read_mask(path)


def saved(tmp_path, values, change=lambda header: None, name="m.nii"):
    image = nib.Nifti1Image(values, AFFINE)
    change(image.header)
    nib.save(image, tmp_path / name)
    return tmp_path / name


def test_a_nifti_says_where_it_lies(tmp_path):
    values = np.zeros((4, 4, 4), dtype=np.uint8)
    values[1, 1, 1] = 1
    path = saved(tmp_path, values)
    content = bytearray(path.read_bytes())
    for code in (252, 254):
        content[code : code + 2] = bytes(2)
    path.write_bytes(content)
    with pytest.raises(ContourError, match="sform_code and qform_code are 0"):
        read_mask(path)
    content[254:256] = b"\2\0"
    content[80:84] = np.float32(9).tobytes()
    path.write_bytes(content)
    with pytest.raises(ContourError, match="voxels of"):
        read_mask(path)


def test_a_small_file_does_not_fill_the_memory(tmp_path, little_memory):
    path = saved(tmp_path, np.zeros((4, 4, 4), dtype=np.uint8))
    content = bytearray(path.read_bytes())
    content[42:48] = np.array([2000, 2000, 2000], dtype=np.int16).tobytes()
    path.write_bytes(content)
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = (
        packed.compress(bytes(content)) + b"".join(packed.compress(bytes(1 << 20)) for _ in range(900)) + packed.flush()
    )
    path.with_suffix(".nii.gz").write_bytes(body)
    for file in (path, path.with_suffix(".nii.gz")):
        with pytest.raises(ContourError):
            read_mask(file)


def test_a_mask_without_any_value_is_not_an_empty_one(tmp_path):
    with pytest.raises(ContourError, match="no value in any voxel"):
        read_mask(saved(tmp_path, np.full((4, 4, 4), np.nan, dtype=np.float32)))
    partly = np.full((4, 4, 4), np.nan, dtype=np.float32)
    partly[0] = 0
    assert read_mask(saved(tmp_path, partly)).empty


def test_masks_in_memory_follow_the_same_rules():
    from prrt_estimators.features._images import Image, onto_grid_of, read_lesions

    values = np.zeros((1, 1, 4, 4, 4), dtype=np.float32)
    like = Image(np.zeros((4, 4, 4), dtype=np.float32), AFFINE)

    def lesions(mask):
        return read_lesions(Cohort({"lab": np.ones((1, 1))}, ids=["P7"], masks={"m": mask}), 0, "m", like, (2, 3, 4))

    for wrong in (-1.0, 70_000.0):
        values[0, 0, 1, 1, 1] = wrong
        with pytest.raises(CohortError, match="patient P7, m: the mask holds values from"):
            lesions(values)
    values[0, 0, 1, 1, 1], values[0, 0, 3, 3, 3], values[0, 0, 0, 0, 0] = 5.0, 9.0, np.nan
    assert np.unique(lesions(values).data).tolist() == [0, 1, 2]
    many = Image(np.full((4, 4, 4), 40_000, dtype=np.float32), AFFINE)
    assert onto_grid_of(many, like).max() == 40_000
