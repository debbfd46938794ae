"""What stored values mean where compression, unused bits or missing elements stand in the way."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from dicom_builders import save_all, series
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import JPEG2000Lossless, RLELossless, generate_uid

from prrt_estimators.dicom import read_ct, read_pet, sort_slices, suv_factors
from prrt_estimators.dicom._series import is_lossy, rescale
from prrt_estimators.dicom._unused_bits import without_unused_bits
from prrt_estimators.exceptions import CohortWarning, ScannerFileError

RNG = np.random.default_rng(3)


def compressed(values, overlay, tmp_path, *, syntax=JPEG2000Lossless, intercept=-1024.0):
    """Write a CT of 12 bits with an overlay in bit 15, compressed as an archive does it: all 16 bits."""
    slices = series("CT", values | overlay, intercept=intercept)
    for header in slices:
        header.ensure_file_meta()
        header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        header.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
        header.BitsStored, header.HighBit = 12, 11
    folder = tmp_path / "CT"
    folder.mkdir()
    for k, header in enumerate(slices):
        header.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return folder


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless])
def test_an_overlay_in_unused_bits_of_a_compressed_ct(tmp_path, syntax):
    pytest.importorskip("openjpeg" if syntax == JPEG2000Lossless else "rle")
    values = RNG.integers(0, 4000, (4, 64, 48)).astype(np.uint16)
    overlay = (RNG.random(values.shape) < 0.3).astype(np.uint16) << 15
    image = read_ct(compressed(values, overlay, tmp_path, syntax=syntax))
    found = np.asanyarray(image.dataobj)
    assert (found.min(), found.max()) == (int(values.min()) - 1024, int(values.max()) - 1024)
    # Columns run towards Left and rows towards Posterior; the volume towards Right and Anterior.
    np.testing.assert_array_equal(found, values.astype(int).transpose(2, 1, 0)[::-1, ::-1] - 1024)


def header(**elements):
    values = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, **elements}
    made = series("CT", np.zeros((1, 2, 2), np.uint16))[0]
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def test_only_what_lies_outside_the_stored_bits_is_changed():
    inside = np.array([0, 4095], np.uint16)
    assert without_unused_bits(inside, header()) is inside
    signed = np.array([-2048, 2047, -5], np.int16)
    assert without_unused_bits(signed, header(PixelRepresentation=1)) is signed
    packed = np.array([(-5 & 0xFFF) | 0x4000, 5 | 0x2000], np.int16)
    assert without_unused_bits(packed, header(PixelRepresentation=1)).tolist() == [-5, 5]
    # All bits are used.
    full = np.array([40000], np.uint16)
    assert without_unused_bits(full, header(BitsStored=16, HighBit=15)) is full


def test_padding_outside_the_stored_bits_stays():
    values = np.array([63536, 1024 | 0x8000], np.uint16)
    ds = header()
    ds.add_new(0x00280120, "US", 63536)
    assert without_unused_bits(values, ds).tolist() == [63536, 1024]


@pytest.mark.parametrize("kind", ["CT", "PT"])
@pytest.mark.parametrize("missing", [slice(None), slice(None, None, 2)])
def test_a_missing_intercept_is_no_number(tmp_path, kind, missing):
    slices = series(kind, np.full((4, 4, 4), 7, np.uint16), intercept=-1024.0 if kind == "CT" else 0.0)
    for one in slices[missing]:
        del one.RescaleIntercept
    folder = save_all(slices, tmp_path / kind)
    with pytest.raises(ScannerFileError, match=r"RescaleIntercept \(0028,1052\) of instance 1 is missing"):
        (read_ct if kind == "CT" else read_pet)(folder)


@pytest.mark.parametrize(
    ("syntax", "said", "lossy"),
    [("1.2.840.10008.1.2.4.81", None, True), ("1.2.840.10008.1.2.4.81", "00", True), ("1.2.840.10008.1.2.4.80", None, False),
     ("1.2.840.10008.1.2.4.50", None, True), ("1.2.840.10008.1.2.4.90", "01", True), ("1.2.840.10008.1.2.1", None, False)],
)  # fmt: skip
def test_loss_is_told_by_the_header_or_the_transfer_syntax(syntax, said, lossy):
    ds = header()
    ds.ensure_file_meta()
    ds.file_meta.TransferSyntaxUID = syntax
    if said is not None:
        ds.LossyImageCompression = said
    assert is_lossy(ds) is lossy


def test_near_lossless_is_remarked_on(tmp_path, monkeypatch):
    folder = save_all(series("CT", np.full((4, 4, 4), 7, np.uint16)), tmp_path / "CT")
    monkeypatch.setattr("prrt_estimators.dicom._series._LOSSY", ("1.2.840.10008.1.2.1",))
    with pytest.warns(CohortWarning, match="compressed with loss"):
        read_ct(folder)


ODD = {
    "Rows": b"\1", "ImagePositionPatient": b"a\\b\\c ", "PixelSpacing": b"\xff\xff", "RescaleSlope": b"9" * 400,
    "NumberOfFrames": b"9" * 5000, "InstanceNumber": "²".encode(), "BitsStored": b"\0\0\0", "SamplesPerPixel": b"\2",
    "ImageType": b"\xff\xfe\\", "PixelPaddingValue": b"\1",
}  # fmt: skip


@pytest.mark.parametrize("keyword", ODD)
def test_whatever_stands_in_an_element_ends_in_an_error_by_name(keyword):
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    slices = series("CT", np.full((4, 4, 4), 7, np.uint16))
    for one in slices:
        one.SOPInstanceUID = generate_uid()
        tag = Tag(tag_for_keyword(keyword))
        one._dict[tag] = RawDataElement(tag, dictionary_VR(tag)[:2], len(ODD[keyword]), ODD[keyword], 0, False, True)
    told = calls_refused(lambda: sort_slices(slices), lambda: rescale(slices[0]), lambda: is_lossy(slices[0]))
    assert all(message.endswith(".") for message in told)


def calls_refused(*calls):
    """Return the messages of errors by name; any other error fails the test."""
    told = []
    for call in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                call()
            except ScannerFileError as error:
                told.append(str(error))
    return told


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [(0x00101030, "DS", b"9" * 5000), (0x00540016, "SQ", b"\xfe\xff\x00\xe0\x04\0\0\0abcd"), (0x00541001, "CS", b"\xff\xfe"),
     (0x00280051, "CS", b"\\\\\\"), (0x00180010, "UL", b"1")],
)  # fmt: skip
def test_odd_headers_of_pet(tag, vr, value):
    one = series("PT", np.full((1, 4, 4), 7, np.uint16))[0]
    one._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    assert all(message.endswith(".") for message in calls_refused(lambda: suv_factors([one])))
