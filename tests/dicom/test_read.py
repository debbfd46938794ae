"""A series becomes one volume in SUVbw or HU, whatever the way it was written."""

from __future__ import annotations

import inspect
from math import cos, radians, sin

import nibabel as nib
import numpy as np
import pydicom.pixels
import pytest
from dicom_builders import PLANTED_NAME, save, save_all, series
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from prrt_estimators.dicom import read_ct, read_pet
from prrt_estimators.exceptions import CohortWarning, MissingDependencyError, ScannerFileError, SUVError, SUVWarning
from prrt_estimators.preprocessing._boxes import Box, into_box
from prrt_estimators.preprocessing._scans import read_scan

#: Every pixel tells its slice, row and column.
PIXELS = np.add.outer(np.arange(4) * 100, np.add.outer(np.arange(5) * 10, np.arange(6))).astype(np.int16)
#: What Bq/mL of the default header are multiplied by.
FACTOR = 70000 / (368.08e6 * 2 ** (-3600 / 6586.2))


def value_at(image, left, posterior, superior):
    """Return the voxel whose centre lies at these patient coordinates of DICOM."""
    index = np.linalg.inv(image.affine) @ [-left, -posterior, superior, 1]
    np.testing.assert_allclose(index, np.rint(index), atol=1e-6)
    return image.get_fdata()[tuple(np.rint(index[:3]).astype(int))]


def check_places(image, scale=1.0, heights=(0, 4, 8, 12)):
    """Check the voxels of `PIXELS` by place: columns are 3 mm apart from -10, rows 2 mm from -20."""
    for place, row, column in [(0, 0, 0), (3, 4, 5), (1, 2, 4), (2, 0, 3)]:
        expected = (100 * place + 10 * row + column) * scale
        assert value_at(image, -10 + 3 * column, -20 + 2 * row, heights[place]) == pytest.approx(expected, rel=1e-6)


def test_ct_lies_where_the_scanner_says(tmp_path):
    image = read_ct(save_all(series("CT", PIXELS), tmp_path / "s"))
    assert image.get_data_dtype() == np.int16
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert image.shape == (6, 5, 4)
    np.testing.assert_allclose(image.header.get_zooms(), (3, 2, 4), rtol=1e-6)
    check_places(image)


def test_slices_against_the_order_of_their_numbers(tmp_path):
    heights = (12, 8, 4, 0)
    image = read_ct(save_all(series("CT", PIXELS, heights=heights), tmp_path / "s"))
    check_places(image, heights=heights)


def test_pet_is_scaled_slice_by_slice(tmp_path):
    slices = series("PT", PIXELS)
    slopes = [0.5, 2.0, 1.25, 4.0]
    for header, slope in zip(slices, slopes, strict=True):
        header.RescaleSlope, header.RescaleIntercept = slope, 3.0
    image = read_pet(save_all(slices, tmp_path / "s"))
    assert image.get_data_dtype() == np.float32
    for place, slope in enumerate(slopes):
        stored = 100 * place + 10 * 4 + 5
        found = value_at(image, -10 + 3 * 5, -20 + 2 * 4, 4 * place)
        assert found == pytest.approx((stored * slope + 3) * FACTOR, rel=1e-6)


def test_pet_without_decay_correction_is_scaled_bed_by_bed(tmp_path):
    slices = series("PT", np.full((4, 5, 6), 1000, np.int16), DecayCorrection="NONE")
    for header, time in zip(slices, ["110500"] * 2 + ["110000"] * 2, strict=True):
        header.AcquisitionTime = time
    image = read_pet(save_all(slices, tmp_path / "s"))
    ratio = value_at(image, -10, -20, 0) / value_at(image, -10, -20, 12)
    assert ratio == pytest.approx(2 ** (300 / 6586.2), rel=1e-6)


def test_the_image_tells_what_was_used(tmp_path):
    folder = save_all(series("PT", PIXELS), tmp_path / "s")
    image = read_pet(folder, weight_kg=35.0)
    check_places(image, scale=FACTOR / 2)
    assert image.extra["suv"].given == ("weight_kg",)
    assert image.extra["suv"].tags["PatientWeight"] == 35
    assert image.extra["geometry"].shape == (6, 5, 4)


def test_a_file_written_from_it_holds_no_name(tmp_path):
    for read, kind in ((read_pet, "PT"), (read_ct, "CT")):
        image = read(save_all(series(kind, PIXELS), tmp_path / kind))
        nib.save(image, tmp_path / f"{kind}.nii")
        content = (tmp_path / f"{kind}.nii").read_bytes()
        assert PLANTED_NAME[:9].encode() not in content
        again = nib.load(tmp_path / f"{kind}.nii")
        np.testing.assert_array_equal(again.get_fdata(), image.get_fdata())
        np.testing.assert_allclose(again.affine, image.affine, atol=1e-5)
        np.testing.assert_allclose(again.get_qform(), image.affine, atol=1e-5)


def test_the_volume_lies_in_memory_as_files_want_it(tmp_path):
    data = np.asanyarray(read_ct(save_all(series("CT", PIXELS), tmp_path / "s")).dataobj)
    assert data.flags.f_contiguous


def test_warnings_point_at_the_caller(tmp_path):
    folder = save_all(series("PT", PIXELS, RadiopharmaceuticalStartDateTime="20250101103500"), tmp_path / "s")
    with pytest.warns(SUVWarning, match="uptake time is 25 min") as caught:
        read_pet(folder)
    assert caught[0].filename == __file__


def test_slices_that_may_be_missing_at_an_end_are_remarked_on(tmp_path):
    folder = save_all(series("PT", PIXELS, NumberOfSlices=5), tmp_path / "s")
    with pytest.warns(CohortWarning, match="counted 5 slices and 4 are there: the export may be cut short") as caught:
        read_pet(folder)
    assert caught[0].filename == __file__


def test_a_pet_without_weight_is_refused_and_named_weight_is_the_remedy(tmp_path):
    folder = save_all(series("PT", PIXELS, PatientWeight=None), tmp_path / "s")
    with pytest.raises(SUVError, match=r"PatientWeight \(0010,1030\) is missing.*pass `weight_kg`"):
        read_pet(folder)
    check_places(read_pet(folder, weight_kg=70), scale=FACTOR)


def test_overrides_are_keyword_only():
    for name in ("weight_kg", "dose_bq", "half_life_s"):
        assert inspect.signature(read_pet).parameters[name].kind is inspect.Parameter.KEYWORD_ONLY


# What scanners store.


def test_hu_are_rounded_and_air_is_the_least(tmp_path):
    stored = np.array([[[0, 1, 2], [24, 27, 4000]]] * 2, np.uint16)
    slices = series("CT", stored, slope=0.75, intercept=-1030.0)
    data = read_ct(save_all(slices, tmp_path / "s")).get_fdata()[:, :, 0]
    # -1030, -1029.25, -1028.5 are air; -1030 + 18 = -1012, -1030 + 20.25 = -1009.75, -1030 + 3000 = 1970.
    # Turned to RAS, the first row lies last and the first column too.
    np.testing.assert_array_equal(data[::-1, ::-1].T, [[-1024, -1024, -1024], [-1012, -1010, 1970]])


@pytest.mark.parametrize(
    ("dtype", "stored", "padding", "vr"),
    [
        (np.int16, -2000, -2000, "SS"),
        (np.uint16, 63536, 63536, "US"),
        (np.int16, -2000, 63536, "US"),  # written without its sign
        (np.uint16, 5000, 5000, "US"),  # above everything measured
    ],
)
def test_padding_is_air(tmp_path, dtype, stored, padding, vr):
    pixels = np.full((2, 3, 3), 1064, dtype)
    pixels[:, 0, 0] = stored
    slices = series("CT", pixels, intercept=-1024.0)
    for header in slices:
        header.add_new(0x00280120, vr, padding)
    data = read_ct(save_all(slices, tmp_path / "s")).get_fdata()
    assert value_at(read_ct(tmp_path / "s"), -10, -20, 0) == -1024
    assert (data == 40).sum() == 2 * 8


def test_a_range_of_padding(tmp_path):
    slices = series("CT", PIXELS + np.int16(1000), intercept=-1000.0)
    for header in slices:
        header.add_new(0x00280120, "SS", 1300)
        header.add_new(0x00280121, "SS", 1310)
    image = read_ct(save_all(slices, tmp_path / "s"))
    assert value_at(image, -10, -20, 12) == -1024  # stored 1300
    assert value_at(image, -10 + 3, -20 + 2, 12) == 311


def test_padding_among_soft_tissue_is_remarked_on(tmp_path):
    slices = series("CT", PIXELS)
    for header in slices:
        header.add_new(0x00280120, "SS", 0)
    with pytest.warns(CohortWarning, match="the padding value is 0 HU, among soft tissue") as caught:
        image = read_ct(save_all(slices, tmp_path / "s"))
    assert caught[0].filename == __file__
    assert value_at(image, -10, -20, 0) == -1024


def test_padding_of_pet_is_nothing_taken_up(tmp_path):
    slices = series("PT", PIXELS)
    for header in slices:
        header.add_new(0x00280120, "SS", 345)
    image = read_pet(save_all(slices, tmp_path / "s"))
    assert value_at(image, -10 + 3 * 5, -20 + 2 * 4, 12) == 0
    assert value_at(image, -10 + 3 * 4, -20 + 2 * 4, 12) == pytest.approx(344 * FACTOR, rel=1e-6)


def test_large_unsigned_values_stay_positive(tmp_path):
    image = read_pet(save_all(series("PT", np.full((2, 5, 6), 60000, np.uint16)), tmp_path / "s"))
    assert value_at(image, -10, -20, 0) == pytest.approx(60000 * FACTOR, rel=1e-6)
    ct = read_ct(save_all(series("CT", np.full((2, 5, 6), 60000, np.uint16)), tmp_path / "c"))
    assert value_at(ct, -10, -20, 0) == 32767


@pytest.mark.parametrize("kind", ["PT", "CT"])
@pytest.mark.parametrize(("value", "state"), [(None, "missing"), (0, "zero")])
def test_values_without_a_slope_mean_nothing(tmp_path, kind, value, state):
    slices = series(kind, PIXELS)
    if value is None:
        del slices[2].RescaleSlope
    else:
        slices[2].RescaleSlope = value
    with pytest.raises(ScannerFileError, match=rf"RescaleSlope \(0028,1053\) of instance 3 is {state}"):
        (read_pet if kind == "PT" else read_ct)(save_all(slices, tmp_path / "s"))


def test_a_map_made_from_a_ct_is_no_ct(tmp_path):
    with pytest.raises(ScannerFileError, match=r"RescaleType \(0028,1054\) of instance 1 is MGML, not HU"):
        read_ct(save_all(series("CT", PIXELS, RescaleType="MGML"), tmp_path / "s"))


def test_compression_with_loss_is_remarked_on(tmp_path):
    with pytest.warns(CohortWarning, match="compressed with loss") as caught:
        read_ct(save_all(series("CT", PIXELS, LossyImageCompression="01"), tmp_path / "s"))
    assert caught[0].filename == __file__


# How files are written.


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("kind", ["PT", "CT"])
def test_transfer_syntaxes(tmp_path, syntax, kind):
    slices = series(kind, PIXELS)
    if syntax == ExplicitVRBigEndian:
        for header in slices:
            header.PixelData = np.frombuffer(header.PixelData, "<i2").astype(">i2").tobytes()
    folder = save_all(slices, tmp_path / "s", syntax=syntax)
    if kind == "PT":
        check_places(read_pet(folder), scale=FACTOR)
    else:
        check_places(read_ct(folder))


def test_private_values_survive_implicit_syntax(tmp_path):
    # Without kinds written beside the values, private ones are read as bytes.
    from dicom_builders import add_private

    slices = series("PT", PIXELS, Units="CNTS")
    for header in slices:
        add_private(header, 0x7053, "Philips PET Private Group", 0x00, "DS", "0.25")
    check_places(read_pet(save_all(slices, tmp_path / "s", syntax=ImplicitVRLittleEndian)), scale=0.25)


def test_no_preamble_and_no_extension(tmp_path):
    names = ["IM_A", "IM_B", "IM_C", "IM_D"]
    check_places(read_ct(save_all(series("CT", PIXELS), tmp_path / "s", names=names, preamble=False)))


def compressed(folder, syntax):
    """Write a compressed CT."""
    folder.mkdir()
    # Wavelets need images of some size; the corner is that of `PIXELS`.
    larger = np.pad(PIXELS, ((0, 0), (0, 59), (0, 58)), mode="edge")
    for k, header in enumerate(series("CT", larger)):
        path = save(header, folder / f"{k}.dcm")
        ds = pydicom.dcmread(path)
        ds.compress(syntax, generate_instance_uid=False)
        ds.save_as(path)
    return folder


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels(tmp_path, syntax):
    if syntax == JPEG2000Lossless:
        pytest.importorskip("openjpeg")
    check_places(read_ct(compressed(tmp_path / "s", syntax)))


def test_without_a_decoder_the_install_command_is_named(tmp_path, monkeypatch):
    folder = compressed(tmp_path / "s", RLELossless)
    monkeypatch.setattr(pydicom.pixels.decoders.base.Decoder, "is_available", False)
    with pytest.raises(
        MissingDependencyError, match=r'RLE Lossless.*pip install "prrt-estimators\[dicom-compressed\]"'
    ):
        read_ct(folder)


def test_a_compression_that_nobody_reads(tmp_path):
    folder = compressed(tmp_path / "s", RLELossless)
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = MPEG2MPML
        ds.save_as(path)
    with pytest.raises(
        ScannerFileError, match=r"pixels written as MPEG2 .* cannot be read. Export the series uncompressed"
    ):
        read_ct(folder)


def test_a_syntax_that_does_not_exist(tmp_path):
    folder = compressed(tmp_path / "s", RLELossless)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.8\0"))
    with pytest.raises(ScannerFileError, match="cannot be read"):
        read_ct(folder)


def test_pixels_that_were_damaged_in_compression(tmp_path):
    folder = compressed(tmp_path / "s", RLELossless)
    path = folder / "2.dcm"
    content = bytearray(path.read_bytes())
    content[-100:] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(ScannerFileError, match=r"instance 3"):
        read_ct(folder)


# Tilted gantry: the affine holds the shear, and the library's own resampling undoes it.


def test_a_tilted_gantry_is_put_straight_by_resampling(tmp_path):
    # A ball of radius 12 mm at the middle, scanned with planes tilted by 20 degrees.
    tilt = radians(20)
    rows, columns, count = 40, 40, 40
    down = np.array([0, cos(tilt), -sin(tilt)])
    corner = np.array([-40.0, -40 * cos(tilt), -40 + 40 * sin(tilt)])
    slices = series("CT", np.zeros((count, rows, columns), np.int16), heights=range(count), spacing=(2, 2))
    j, i = np.mgrid[:rows, :columns]
    for k, header in enumerate(slices):
        first = corner + np.array([0, 0, 2.0 * k])
        points = first + 2 * i[..., None] * np.array([1.0, 0, 0]) + 2 * j[..., None] * down
        inside = np.linalg.norm(points, axis=-1) <= 12
        header.ImagePositionPatient = first.tolist()
        header.ImageOrientationPatient = [1, 0, 0, *down.tolist()]
        header.PixelData = np.where(inside, 100, -1000).astype("<i2").tobytes()
    image = read_ct(save_all(slices, tmp_path / "s"))
    assert image.extra["geometry"].tilt_degrees == pytest.approx(20, abs=1e-4)
    nib.save(image, tmp_path / "ct.nii.gz")
    scan = read_scan(str(tmp_path / "ct.nii.gz"), "ct")
    np.testing.assert_allclose(scan.affine, image.affine, atol=1e-4)
    box = Box((0.0, 0.0, 0.0), (31, 31, 31), (2.0, 2.0, 2.0))
    straight = into_box(scan.data, scan.affine, box, "ct") > -450
    centre = np.argwhere(straight).mean(axis=0)
    np.testing.assert_allclose(centre, 15, atol=0.1)
    extent = np.ptp(np.argwhere(straight), axis=0) + 1
    np.testing.assert_allclose(extent, 13, atol=1)
    assert straight.sum() * 8 == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.1)


@pytest.mark.parametrize(
    ("directions", "along"),
    [((0, 1, 0, 0, 0, -1), (4, 0, 0)), ((1, 0, 0, 0, 0, -1), (0, 4, 0)), ((-1, 0, 0, 0, -1, 0), (0, 0, 4))],
)
def test_any_plane_is_turned_to_ras(tmp_path, directions, along):
    slices = series("CT", PIXELS)
    for k, header in enumerate(slices):
        header.ImagePositionPatient = [k * part for part in along]
        header.ImageOrientationPatient = list(directions)
    image = read_ct(save_all(slices, tmp_path / "s"))
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    for place, row, column in [(0, 0, 0), (3, 4, 5), (1, 2, 4)]:
        where = place * np.array(along) + 3 * column * np.array(directions[:3]) + 2 * row * np.array(directions[3:])
        assert value_at(image, *where) == 100 * place + 10 * row + column
