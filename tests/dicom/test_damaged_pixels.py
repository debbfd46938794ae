"""Compressed pixels that make their decoder panic, and values beyond what is stored."""

from __future__ import annotations

import struct

import numpy as np
import pydicom
import pytest
from dicom_builders import save_all, series
from ingest_helpers import files, key_of, make_export, pseudonym
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from prrt_estimators._io import is_fault
from prrt_estimators.dicom import read_ct
from prrt_estimators.exceptions import ScannerFileError
from prrt_estimators.ingest import ingest

#: Runs of one value that are longer than the image.
TOO_LONG = b"\x81\x00" * 40


def harm(path):
    """Compress a file by run lengths, and make its runs longer than its image."""
    ds = pydicom.dcmread(path)
    frame = struct.pack("<16L", 2, 64, 64 + len(TOO_LONG), *[0] * 13) + TOO_LONG * 2
    ds.file_meta.TransferSyntaxUID = RLELossless
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path)


def test_a_decoder_that_panics_is_one_damaged_file(tmp_path):
    folder = save_all(series("CT", np.zeros((3, 8, 8), dtype=np.int16)), tmp_path / "ct")
    harm(folder / "0002.dcm")
    with pytest.raises(ScannerFileError, match="the pixels of instance 2 cannot be decoded"):
        read_ct(folder)


def test_it_costs_one_patient(tmp_path):
    folder = tmp_path / "export"
    cohort = make_export(folder, 2)
    harm(files(folder, cohort.X.ids[0], "ct")[3])
    result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    flow = result.flow.set_index("patient_id")
    assert flow["status"].to_dict() == {
        pseudonym(cohort.X.ids[0]): "left out",
        pseudonym(cohort.X.ids[1]): "included",
    }
    assert "cannot be decoded" in flow.loc[pseudonym(cohort.X.ids[0]), "reason"]


def test_what_ends_the_program_is_no_fault():
    panic = type("PanicException", (BaseException,), {})
    assert [is_fault(one) for one in (ValueError(), panic(), KeyboardInterrupt(), SystemExit(), GeneratorExit())] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("part", [0.1, 0.3, 0.6, 0.9, 0.98])  # the very last byte can be padding
def test_a_deflated_file_that_ends_early_is_not_passed_over(part, tmp_path):
    folder = save_all(series("CT", np.zeros((3, 8, 8), dtype=np.int16)), tmp_path / "ct")
    for path in sorted(folder.iterdir()):
        ds = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        ds.save_as(path)
    assert read_ct(folder).shape == (8, 8, 3)
    # Without its first slice the series would be a shorter one at another place.
    path = folder / "0001.dcm"
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    path.write_bytes(content[: start + int(part * (len(content) - start))])
    with pytest.raises(ScannerFileError, match=r"file 1 of 3: (the deflated elements end early|.*damaged)"):
        read_ct(folder)


@pytest.mark.parametrize("length", range(0, 30, 3))
def test_a_file_that_ends_within_its_kind_is_not_passed_over(length, tmp_path):
    folder = save_all(series("CT", np.zeros((3, 8, 8), dtype=np.int16)), tmp_path / "ct")
    path = folder / "0001.dcm"
    content = path.read_bytes()
    kind = content.index(b"\x08\x00\x16\x00UI")
    path.write_bytes(content[: kind + length])
    with pytest.raises(ScannerFileError, match="file 1 of 3"):
        read_ct(folder)
    # A name that could be used for a report is one that the standard does not know.
    path.write_bytes(
        content[:132]
        + content[132:].replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.5.1.4\0\0\0\0\0\0\0")[: kind + 8]
    )
    with pytest.raises(ScannerFileError, match="file 1 of 3"):
        read_ct(folder)
