"""Files that were made to do harm: each is told, and none costs a patient whose own images are whole."""

from __future__ import annotations

import os
import random
import resource
import socket
import struct
import warnings
import zlib
from pathlib import Path

import pydicom
import pytest
from ingest_helpers import files, key_of, make_export, pseudonym
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from prrt_estimators.dicom import read_ct
from prrt_estimators.dicom._opening import count_of_frames
from prrt_estimators.exceptions import ScannerFileError
from prrt_estimators.ingest import ingest
from prrt_estimators.ingest._export_index import walk
from prrt_estimators.ingest._headers import Header, read_header

N_FRAMES, ROWS, PIXELS = 0x00280008, 0x00280010, 0x7FE00010


def raw(ds, tag, vr, value):
    """Put bytes into an element as no writer would."""
    ds._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


def bomb(source: Path, target: Path, size: int) -> None:
    """Write a deflated object that unpacks to `size` bytes of zeros."""
    ds = pydicom.dcmread(source)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    del ds.PixelData
    ds.save_as(target)
    content = target.read_bytes()
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    # An element of bytes that is longer than anything in the file.
    element = struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, size)
    body = (
        packed.compress(element) + b"".join(packed.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packed.flush()
    )
    start = 132 + struct.unpack("<I", content[140:144])[0] + 12
    target.write_bytes(content[:start] + body)


def harmful(kind: str, source: Path, target: Path) -> None:
    """Write a file of a kind beside the images, made of one of them."""
    ds = pydicom.dcmread(source)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    if kind == "pipe":
        os.mkfifo(target)
        return
    if kind == "socket":
        place = os.getcwd()
        try:  # the path of a socket has 108 characters at most
            os.chdir(target.parent)
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(target.name)
        finally:
            os.chdir(place)
        return
    if kind == "loop":
        target.symlink_to(target.name)
        return
    if kind == "device":
        target.symlink_to("/dev/zero")
        return
    if kind == "deflated bomb":
        bomb(source, target, 700 << 20)
        return
    if kind == "frames ²":
        raw(ds, N_FRAMES, "IS", "² ".encode("latin-1"))
    elif kind == "frames of 5,000 digits":
        raw(ds, N_FRAMES, "IS", b"9" * 5000)
    elif kind == "a million frames":
        raw(ds, N_FRAMES, "IS", b"999999")
    elif kind == "negative frames":
        raw(ds, N_FRAMES, "IS", b"-8")
    elif kind == "65535 rows":
        ds.Rows = ds.Columns = 65535
    elif kind == "65535 compressed rows":
        ds.Rows = ds.Columns = 65535
        ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
        ds.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(40)])
        ds["PixelData"].VR = "OB"
    elif kind == "a position that is not a number":
        raw(ds, 0x00200032, "DS", b"nan\\0\\inf ")
    elif kind == "a slope that is not a number":
        raw(ds, 0x00281053, "DS", b"one ")
    elif kind == "names of other alphabets":
        raw(ds, 0x00080005, "CS", b"ISO_IR 999")
        raw(ds, 0x00100010, "PN", bytes(range(128, 228)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(target)
    content = target.read_bytes()
    if kind == "length beyond the end":
        content = content.replace(b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00UT\x00\x00\xf0\xff\xff\xff")
    elif kind == "cut in its header":
        content = content[:600]
    elif kind == "cut in its pixels":
        content = content[:-40]
    elif kind == "only its mark":
        content = content[:132]
    elif kind == "noise":
        content = content[:200] + random.Random(7).randbytes(4000)
    elif kind == "nested a thousand times":
        content = (
            content[:300]
            + struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF) * 1
            + (b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF))
            * 3000
        )
    target.write_bytes(content)


KINDS = (
    "pipe", "socket", "loop", "device", "deflated bomb", "frames ²", "frames of 5,000 digits", "a million frames",
    "negative frames", "65535 rows", "65535 compressed rows", "a position that is not a number", "a slope that is not a number",
    "names of other alphabets", "length beyond the end", "cut in its header", "cut in its pixels", "only its mark", "noise",
    "nested a thousand times",
)  # fmt: skip


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harm") / "export"
    return folder, make_export(folder, 5).X.ids


def place_of(folder, ids, kind):
    """Return whose images a file is put among: seeded, PET or CT."""
    one = random.Random(kind)
    source = one.choice(files(folder, one.choice(list(ids)), one.choice(["pet", "ct"])))
    return source, source.with_name(f"harm {KINDS.index(kind)}.dcm")


@pytest.fixture
def little_memory():
    """Let this process take 2 GiB more than it has."""
    if not hasattr(resource, "RLIMIT_AS"):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_index_survives(export, kind, little_memory):
    folder, ids = export
    source, target = place_of(folder, ids, kind)
    harmful(kind, source, target)
    try:
        read = read_header(str(target.parent), target.name)
        assert read in ("special", "unreadable", "damaged", "other") or (
            isinstance(read, Header) and (read.truncated or "names" in kind)
        )
        with pytest.raises(ScannerFileError) as caught:
            read_ct([target])
        assert str(target) not in str(caught.value)
    finally:
        target.unlink()


def test_all_are_converted(export, tmp_path, little_memory):
    folder, ids = export
    made = []
    for kind in KINDS:
        source, target = place_of(folder, ids, kind)
        harmful(kind, source, target)
        made.append(target)
    try:
        result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    finally:
        for target in made:
            target.unlink()
    assert result.n_included == 5, result.flow["reason"].tolist()
    told = " ".join([*result.flow["notes"], *result.flow["reason"]])
    for words in ("damaged file(s)", "pipe(s) or device(s)", "file(s) that cannot be opened"):
        assert words in told
    assert result.findings == ()


def test_a_slice_lost_to_damage_is_still_missed(export, tmp_path):
    folder, ids = export
    path = files(folder, ids[0], "pet")[3]
    content = path.read_bytes()
    path.write_bytes(content[:700])
    try:
        found = walk(folder / "dicom")
        result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    finally:
        path.write_bytes(content)
    assert found.patients[ids[0]].damaged == [("damaged", f"{ids[0]}/PET/{path.name}")]
    reason = result.flow.set_index("patient_id").loc[pseudonym(ids[0]), "reason"]
    assert reason == "1 damaged file(s) among the PET images: the series may be incomplete"
    assert result.n_included == 4


@pytest.mark.parametrize(("text", "count"), [("", 1), ("1", 1), ("0", 1), (" 120 ", 120), ("000120", 120)])
def test_frames_that_are_counted(text, count):
    assert count_of_frames(text) == count


@pytest.mark.parametrize("text", ["²", "9" * 5000, "-1", "1.5", "1e3", "٣", "999999", "12 13"])
def test_frames_that_cannot_be(text):
    with pytest.raises(ValueError, match="not a number of frames"):
        count_of_frames(text)
