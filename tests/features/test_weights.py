"""The finder's weights are what their digests say, and may be replaced."""

import json
import shutil

import numpy as np
import pytest

from prrt_estimators import make_prrt_cohort
from prrt_estimators.exceptions import PretrainedWeightsError
from prrt_estimators.features import LesionFeatures
from prrt_estimators.features import _weights as weights_module
from prrt_estimators.features._lesion_finder import patch_starts
from prrt_estimators.features._networks import PATCH, network_input
from prrt_estimators.features._weights import MANIFEST, PACKAGED, load_finder


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PACKAGED, tmp_path / "weights")


def test_the_package_carries_small_weights_under_a_digest(monkeypatch):
    finder = load_finder()
    assert finder.pet_ct
    assert finder.ct
    assert finder.pet != finder.pet_ct
    assert sum(file.stat().st_size for file in PACKAGED.iterdir()) < 6e6
    monkeypatch.setattr(weights_module, "PACKAGED_DIGEST", "0" * 64)
    with pytest.raises(PretrainedWeightsError, match="Install the package again"):
        load_finder()


def test_a_changed_byte_is_refused(folder):
    name = json.loads((folder / MANIFEST).read_text())["files"]["ct"][0]["name"]
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(PretrainedWeightsError, match=r"SHA-256 differs"):
        load_finder(folder)
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match="is not there"):
        load_finder(folder)


def test_a_folder_that_is_no_finder_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="train_lesion_finder"):
        load_finder(tmp_path / "nowhere")
    (folder / MANIFEST).write_text("[]")
    with pytest.raises(PretrainedWeightsError, match="not a description"):
        load_finder(folder)


def test_other_weights_give_other_numbers(folder, tmp_path):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["reference"]["volume_ratio"][0] += 1.0
    (folder / MANIFEST).write_text(json.dumps(manifest))
    X = make_prrt_cohort(1, volume_shape=(20, 15, 27), random_state=5303).X
    options = {"cache_dir": tmp_path / "cache"}
    own, other = (LesionFeatures(weights=place, **options).fit_transform(X).iloc[0] for place in (None, folder))
    shift = 1.0 / manifest["reference"]["volume_ratio"][1]
    assert other["ct_pet_mismatch"] == pytest.approx(own["ct_pet_mismatch"] - shift)
    np.testing.assert_array_equal(other.drop("ct_pet_mismatch"), own.drop("ct_pet_mismatch"))


@pytest.mark.parametrize(("low", "high", "size"), [(0, 20, 20), (3, 90, 100), (0, 54, 54), (10, 40, 60), (0, 41, 41)])
def test_patches_cover_the_body_within_the_field(low, high, size):
    patch = PATCH[2]
    starts = patch_starts(low, high, max(size, patch), patch, rim=0)
    covered = {voxel for start in starts for voxel in range(start, start + patch)}
    assert set(range(low, high)) <= covered
    assert min(starts) >= 0
    assert max(starts) + patch <= max(size, patch)
    assert len(patch_starts(0, 44, 44, 40, rim=4)) == 1


def test_a_missing_scan_is_zero_in_every_channel():
    x = network_input(np.zeros((1, 2, 2, 2)), np.full((1, 2, 2, 2), -1024.0))
    assert x.shape == (1, 4, 2, 2, 2)
    assert (x == 0).all()
    assert network_input(np.full((1, 1, 1, 1), 3.0), np.full((1, 1, 1, 1), 80.0))[
        0, :, 0, 0, 0
    ].tolist() == pytest.approx([np.log(4) / 2, 0.6, 0.1, 1.0])
