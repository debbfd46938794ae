"""Pseudonyms, flow table, defacing, grids and quality sheet, each on its own."""

from __future__ import annotations

import hashlib
import hmac
import stat
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from prrt_estimators.exceptions import CohortError, ScannerFileError
from prrt_estimators.ingest._deface import MARGIN_MM, head_plane, remove_above
from prrt_estimators.ingest._ingest import _pseudonyms
from prrt_estimators.ingest._patient_flow import FlowRow, flow_counts, flow_table
from prrt_estimators.ingest._pseudonyms import given_pseudonyms, hashed_pseudonyms, keyed_digest, load_key
from prrt_estimators.ingest._quality_sheets import save_strip, strip, write_sheets
from prrt_estimators.ingest._volume_files import save


def test_flow_table_orders_and_counts():
    flow = flow_table(
        [FlowRow("B", "CT", "no CT"), FlowRow("C"), FlowRow("A", "CT", "no CT"), FlowRow("", "images", "1 file")]
    )
    assert flow["patient_id"].tolist() == ["C", "", "A", "B"]
    assert flow_counts(flow).to_numpy().tolist() == [
        ["in the images or the table", 3], ["left out: CT: no CT", 2], ["included", 1]
    ]  # fmt: skip


def test_key_is_made_once_private_and_outside(tmp_path):
    key = load_key(tmp_path / "k" / "key", tmp_path / "out")
    assert load_key(tmp_path / "k" / "key", tmp_path / "out") == key
    assert len(key) == 64
    assert stat.S_IMODE((tmp_path / "k" / "key").stat().st_mode) == 0o600
    with pytest.raises(ValueError, match="inside the results"):
        load_key(tmp_path / "out" / "deep" / "key", tmp_path / "out")
    (tmp_path / "short").write_bytes(b"secret")
    with pytest.raises(ValueError, match="holds 6 bytes"):
        load_key(tmp_path / "short", tmp_path / "out")


def test_pseudonyms_need_the_key():
    one, two = hashed_pseudonyms(["12345"], b"a" * 16), hashed_pseudonyms(["12345"], b"b" * 16)
    assert one != two
    assert "12345" not in one["12345"]
    assert keyed_digest(b"k" * 16, "a", "b") == hmac.new(b"k" * 16, b"a\0b", hashlib.sha256).hexdigest()
    assert keyed_digest(b"k" * 16, "ab") != keyed_digest(b"k" * 16, "a", "b")


@pytest.mark.parametrize("bad", ["", None, "../x", "a/b", "x" * 65, ".hidden"])
def test_own_pseudonyms_are_safe_names(bad):
    with pytest.raises(CohortError, match="1 pseudonyms are empty or no safe file names"):
        given_pseudonyms({"1": bad, "2": "ok"}, "code")
    with pytest.raises(CohortError, match="the identifiers themselves") as caught:
        given_pseudonyms({"secret-1": "Secret-1"}, "code")
    assert "secret" not in str(caught.value).casefold()
    assert given_pseudonyms({"a": "A", "b": 7.0}, "code", same=True) == {"a": "A", "b": "7"}


def phantom(shape=(60, 50, 120), spacing=(8.0, 8.0, 8.0), lungs=True):
    """A body with two lungs up to 600 mm, a neck with a windpipe, and a head with an open mouth above 700 mm."""
    affine = np.diag([*spacing, 1.0])
    x, y, z = (
        s * np.arange(n).reshape([-1 if k == a else 1 for k in range(3)])
        for a, (n, s) in enumerate(zip(shape, spacing, strict=True))
    )
    x, y = x - x.mean(), y - y.mean()
    hu = np.full(shape, -1000, np.int16)
    radius = np.where(z < 640, 170.0, np.where(z < 700, 60.0, 90.0))
    hu[(x**2 + (1.4 * y) ** 2 < radius**2) & (z < 900)] = 40
    if lungs:
        hu[((np.abs(x) - 80) ** 2 + y**2 < 55.0**2) & (z > 350) & (z <= 600)] = -850
    hu[(x**2 + y**2 < 9.0**2) & (z > 500) & (z < 760)] = -990
    hu[(x**2 + (y - 40) ** 2 < 25.0**2) & (z > 740) & (z < 770)] = -990
    return nib.Nifti1Image(hu, affine)


@pytest.mark.parametrize("spacing", [(8.0, 8.0, 8.0), (4.0, 4.0, 5.0)])
def test_head_is_found_above_the_lungs(spacing):
    shape = tuple(int(n) for n in np.array([480, 400, 960]) / spacing)
    ct = phantom(shape, spacing)
    height = head_plane(ct)
    assert height == pytest.approx(600 + MARGIN_MM, abs=8)
    pet = nib.Nifti1Image(np.ones(shape, np.float32), ct.affine)
    z = ct.affine[2, 2] * np.arange(shape[2])
    faceless, cold = remove_above(ct, height, "ct").get_fdata(), remove_above(pet, height, "pet").get_fdata()
    assert (faceless[:, :, z > height] == -1024).all()
    assert (cold[:, :, z > height] == 0).all()
    np.testing.assert_array_equal(faceless[:, :, z <= height], ct.get_fdata()[:, :, z <= height])
    assert (cold[:, :, z <= height] == 1).all()


def test_without_lungs_nobody_can_tell_and_a_scan_that_ends_in_them_has_no_head():
    with pytest.raises(ScannerFileError, match="no lungs"):
        head_plane(phantom(lungs=False))
    ct = phantom()
    chest = nib.Nifti1Image(np.asarray(ct.dataobj)[:, :, :70], ct.affine)
    assert head_plane(chest) == float("inf")
    assert remove_above(chest, float("inf"), "ct") is chest


def test_saving_is_plain_and_the_same_each_time(tmp_path):
    image = nib.Nifti1Image(np.ones((3, 4, 5), np.float32), np.diag([2.0, 2, 2, 1]))
    image.header["descrip"], image.header["db_name"] = b"Mr X", b"Mr X"
    for name in ("a.nii.gz", "b.nii.gz"):
        save(image, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    header = nib.load(tmp_path / "a.nii.gz").header
    assert bytes(header["descrip"]).strip(b"\0") == bytes(header["db_name"]).strip(b"\0") == b""
    assert header["sform_code"] == header["qform_code"] == 1


def test_sheet_shows_right_on_the_left_and_head_up(tmp_path):
    suv = np.zeros((40, 40, 40), np.float32)
    suv[30:34, 30:34, 30:34] = 50  # right, in front, above
    pet = nib.Nifti1Image(suv, np.diag([4.0, 4, 4, 1]))
    ct = nib.Nifti1Image(np.full((80, 80, 80), 40, np.int16), np.diag([2.0, 2, 2, 1]))
    pixels = strip(pet, ct)
    front, side = pixels[:, :150, 0].astype(int), pixels[:, 154:304, 0].astype(int)
    for view in (front, side):
        rows, columns = np.nonzero(view < 60)
        assert rows.mean() < view.shape[0] / 2
        assert columns.mean() < view.shape[1] / 2
    assert strip(pet, None).shape == strip(None, ct).shape == pixels.shape
    save_strip(pixels, tmp_path / "s.png")
    assert b"Software" not in (tmp_path / "s.png").read_bytes()
    (tmp_path / "quality_09.png").write_bytes(b"old")
    pages = write_sheets([(f"P{k}", ["line"], tmp_path / "s.png") for k in range(7)], tmp_path)
    assert [page.name for page in pages] == ["quality_01.png", "quality_02.png"]
    assert not (tmp_path / "quality_09.png").exists()
    assert imread(pages[0]).shape[0] > imread(pages[1]).shape[0]
    assert b"matplotlib" not in pages[0].read_bytes().lower()


def test_a_pseudonym_that_is_the_hash_of_another_patient_is_refused():
    key = b"k" * 16
    hashed = hashed_pseudonyms(["1", "2"], key)
    table = SimpleNamespace(frame=pd.DataFrame(index=["1"]), id_column="id", pseudonyms={"1": hashed["2"].lower()})
    with pytest.raises(ValueError, match="equals the keyed hash"):
        _pseudonyms({"2": None}, table, key, "code")
    table.pseudonyms = {"1": "own"}
    assert _pseudonyms({"2": None}, table, key, "code") == {"1": "own", "2": hashed["2"]}
    assert _pseudonyms({"2": None}, table, key, None) == hashed
