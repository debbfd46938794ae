"""Which files of a folder are one series, and what is said of those that are not."""

from __future__ import annotations

import builtins
import shutil
import sys
import warnings

import numpy as np
import pytest
from dicom_builders import PLANTED_NAME, item, save, save_all, series

from prrt_estimators.dicom import read_ct, read_pet
from prrt_estimators.exceptions import CohortWarning, MissingDependencyError, ScannerFileError

PIXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


@pytest.fixture
def ct_folder(tmp_path):
    """Return the folder of a CT of four slices."""
    return save_all(series("CT", PIXELS), tmp_path / PLANTED_NAME.split("^")[0])


def refusal(path, read=read_ct):
    """Return the message of the error, which names neither patient nor path."""
    with pytest.raises(ScannerFileError) as caught:
        read(path)
    message = str(caught.value)
    for word in (PLANTED_NAME.split("^")[0], "0815", ".dcm", str(path)):
        assert word not in message
    assert message.endswith(".")
    assert caught.value.__cause__ is None
    return message


def test_names_do_not_matter(tmp_path, ct_folder):
    expected = read_ct(ct_folder).get_fdata()
    renamed = save_all(series("CT", PIXELS), tmp_path / "b", names=["IM9", "IM10", "a.ima", "0"])
    np.testing.assert_array_equal(read_ct(renamed).get_fdata(), expected)
    nested = tmp_path / "nested"
    nested.mkdir()
    shutil.copytree(ct_folder, nested / "x" / "y")
    np.testing.assert_array_equal(read_ct(nested).get_fdata(), expected)


def test_a_list_of_files_in_any_order(ct_folder):
    files = sorted(ct_folder.iterdir())
    expected = read_ct(ct_folder)
    for order in ([2, 0, 3, 1], [3, 2, 1, 0]):
        image = read_ct([str(files[k]) for k in order])
        np.testing.assert_array_equal(image.get_fdata(), expected.get_fdata())
        np.testing.assert_array_equal(image.affine, expected.affine)


def test_what_is_no_image_is_passed_over(ct_folder):
    expected = read_ct(ct_folder).get_fdata()
    (ct_folder / "notes.txt").write_text(f"{PLANTED_NAME} called on Monday")
    (ct_folder / "table.csv").write_text("a;b\n1;2\n")
    (ct_folder / "Thumbs.db").write_bytes(bytes(range(256)) * 8)
    (ct_folder / ".DS_Store").write_bytes(b"")
    report = item(
        Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", SOPInstanceUID="1.2.3", SeriesInstanceUID="9"
    )
    save(report, ct_folder / "report.dcm")
    np.testing.assert_array_equal(read_ct(ct_folder).get_fdata(), expected)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    assert refusal(tmp_path) == "none of 1 files is a DICOM image. Name the folder of one series, or its files."
    assert "there is no such file or folder" in refusal(tmp_path / "nowhere")
    assert "the list of files is empty" in refusal([])


def test_several_series_in_one_folder(tmp_path, ct_folder):
    save_all(series("CT", PIXELS[:2]), ct_folder / "more")
    assert refusal(ct_folder) == "the images belong to 2 series (4 CT, 2 CT). Name the files of one series."
    save_all(series("PT", PIXELS), ct_folder / "pet")
    assert "3 series (4 CT, 2 CT, 4 PT)" in refusal(ct_folder)


@pytest.mark.parametrize(
    ("keyword", "what"),
    [("PatientID", "patients"), ("StudyInstanceUID", "studies"), ("FrameOfReferenceUID", "frames of reference")],
)
def test_a_series_of_two(tmp_path, keyword, what):
    slices = series("CT", PIXELS)
    setattr(slices[3], keyword, "4711")
    assert f"the series mixes 2 {what} (3 and 1 images)" in refusal(save_all(slices, tmp_path / "s"))


def test_the_wrong_modality(tmp_path, ct_folder):
    assert "expected a series of modality PT, got CT" in refusal(ct_folder, read_pet)
    pet = save_all(series("PT", PIXELS), tmp_path / "pet")
    assert "expected a series of modality CT, got PT" in refusal(pet)


def test_localisers_are_left_out(tmp_path):
    slices = series("CT", PIXELS)
    expected = read_ct(save_all(slices, tmp_path / "a")).get_fdata()
    scout = series("CT", np.zeros((1, 40, 50), np.int16))[0]
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.SeriesInstanceUID = slices[0].SeriesInstanceUID
    folder = save_all([*slices, scout], tmp_path / "b")
    with pytest.warns(CohortWarning, match="1 localiser images were left out") as caught:
        image = read_ct(folder)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(image.get_fdata(), expected)
    assert "every image is a localiser" in refusal(save_all([scout], tmp_path / "c"))


def test_a_localiser_that_does_not_say_so(tmp_path):
    slices = series("CT", PIXELS)
    slices[0].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    assert "point in 2 directions (3 and 1 slices): a localiser" in refusal(save_all(slices, tmp_path / "s"))


def test_screen_captures(tmp_path):
    slices = series("CT", np.zeros((2, 5, 6), np.int16), SamplesPerPixel=3)
    for header in slices:
        header.SamplesPerPixel = 3
    assert "in colour: screen captures" in refusal(save_all(slices, tmp_path / "s"))


def test_copies_are_left_out(ct_folder):
    expected = read_ct(ct_folder)
    shutil.copy(ct_folder / "0002.dcm", ct_folder / "0002 (1).dcm")
    with pytest.warns(CohortWarning, match="1 slice is there twice; the copy was left out") as caught:
        image = read_ct(ct_folder)
    assert caught[0].filename == __file__
    assert image.shape == expected.shape
    np.testing.assert_array_equal(image.get_fdata(), expected.get_fdata())


def test_two_slices_at_one_place_that_differ(tmp_path):
    slices = series("CT", PIXELS, heights=[0, 4, 4, 8])
    message = refusal(save_all(slices, tmp_path / "s"))
    assert message.startswith("instance 2 and instance 3 lie at one place and differ")


def test_the_same_pixels_with_another_slope_differ(tmp_path):
    slices = series("CT", np.ones((4, 5, 6), np.int16), heights=[0, 4, 4, 8])
    slices[2].RescaleSlope = 2
    assert "lie at one place and differ" in refusal(save_all(slices, tmp_path / "s"))


def test_missing_slices_and_time_points_are_said(tmp_path):
    assert "1 slice is missing (1 between 4.00 and 12.00 mm)" in refusal(
        save_all(series("CT", PIXELS, heights=[0, 4, 12, 16]), tmp_path / "a")
    )
    slices = series("PT", PIXELS, heights=[0, 4, 0, 4])
    for header in slices[2:]:
        header.AcquisitionTime = "111000"
    assert "a dynamic or gated series" in refusal(save_all(slices, tmp_path / "b"), read_pet)


# Files that cannot be read.


@pytest.mark.parametrize("left", [0.98, 0.5])
def test_a_file_that_ends_within_its_pixels(ct_folder, left):
    path = ct_folder / "0003.dcm"
    content = path.read_bytes()
    # 60 bytes of pixels stand at the end.
    path.write_bytes(content[: len(content) - round(60 * (1 - left))])
    assert refusal(ct_folder).startswith("instance 3 ends early: ")


@pytest.mark.parametrize("length", [100, 140, 300, 500])
def test_a_file_that_ends_within_its_header(ct_folder, length):
    path = ct_folder / "0003.dcm"
    path.write_bytes(path.read_bytes()[:length])
    message = refusal(ct_folder)
    assert message.startswith(("file 3 of 4 ", "instance 3 ", "RescaleSlope", "an instance", "the series mixes"))


def test_any_cut_is_refused(ct_folder):
    path = ct_folder / "0003.dcm"
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        assert refusal(ct_folder), f"cut to {length} bytes"


def test_an_empty_file(ct_folder):
    (ct_folder / "0003.dcm").write_bytes(b"")
    assert refusal(ct_folder) == "file 3 of 4 is empty. Export or copy it again."


def test_a_file_without_pixels(tmp_path):
    slices = series("CT", PIXELS)
    del slices[1].PixelData
    assert refusal(save_all(slices, tmp_path / "s")).startswith("instance 2 holds no pixels")


def test_a_named_file_that_is_no_dicom(ct_folder, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    assert refusal([ct_folder / "0001.dcm", tmp_path / "notes.txt"]).startswith("file 2 of 2 is not a DICOM file")
    (ct_folder / "0009.dcm").write_text("an HTML page that the server sent instead")
    assert refusal(ct_folder).startswith("file 5 of 5 is not a DICOM file")


def test_a_file_that_may_not_be_read(ct_folder, monkeypatch):
    real = builtins.open

    def guarded(path, *rest, **options):
        if str(path).endswith("0003.dcm"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest, **options)

    monkeypatch.setattr(builtins, "open", guarded)
    assert refusal(ct_folder).startswith("file 3 of 4 cannot be read (Permission denied)")


def test_a_file_that_goes_away_between_header_and_pixels(ct_folder, monkeypatch):
    from prrt_estimators.dicom import _read

    def sort_and_remove(headers):
        (ct_folder / "0003.dcm").unlink()
        return original(headers)

    original = _read.sort_slices
    monkeypatch.setattr(_read, "sort_slices", sort_and_remove)
    assert refusal(ct_folder).startswith("instance 3 cannot be read")


def test_without_pydicom_the_install_command_is_named(ct_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "prrt-estimators\[dicom\]"'):
        read_ct(ct_folder)


def test_a_name_in_an_odd_place_reaches_no_warning_and_no_log(tmp_path, caplog):
    # pydicom remarks on identifiers that break the rules of their kind, and quotes them.
    slices = series("CT", PIXELS)
    for header in slices:
        header.SeriesInstanceUID = "1.2.3.4.5.6.7.8.9"
    folder = save_all(slices, tmp_path / "s")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.2.3.4.5.6.7.8.9", PLANTED_NAME.encode()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_ct(folder)
    assert not caught
    assert caplog.text == ""
