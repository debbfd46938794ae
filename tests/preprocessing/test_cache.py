"""Damage to what is kept on disk: made again, never served."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

from prrt_estimators import Cohort
from prrt_estimators.preprocessing import GlobalPETFeatures, cache_info, prepare_volumes, prune_cache
from prrt_estimators.preprocessing._cache import VolumeCache
from prrt_estimators.preprocessing._volumes import BoxReader

BOX = {"size": 12, "spacing": 4.0}


def zeros(content):
    """The last block lost, as after a power failure: the length is right, the bytes are not."""
    return content[:-600] + bytes(600)


def one_bit(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


HARMS = {"cut": lambda c: c[:-5], "empty": lambda c: b"", "zeros": zeros, "bit": one_bit, "longer": lambda c: c + b"0"}


@pytest.mark.parametrize("kind", HARMS)
@pytest.mark.parametrize("modality", ["pet", "ct"])
def test_damaged_voxels_are_made_again(kind, modality, nifti_cohort):
    X, _ = nifti_cohort(3)
    first = BoxReader(X, **BOX).load(1, modality).copy()
    file = BoxReader(X, **BOX)._prepared(1, modality)
    whole = file.read_bytes()
    file.write_bytes(HARMS[kind](whole))
    np.testing.assert_array_equal(BoxReader(X, **BOX).load(1, modality), first)
    assert file.read_bytes() == whole


@pytest.mark.parametrize("kind", HARMS)
def test_damaged_records_are_made_again(kind, nifti_cohort):
    X, _ = nifti_cohort(3)
    features = GlobalPETFeatures(**BOX).fit_transform(X)
    cache = VolumeCache()
    records = [cache._record_file(path) for path in X["pet"].paths]
    whole = [file.read_bytes() for file in records]
    for file, content in zip(records, whole, strict=True):
        file.write_bytes(HARMS[kind](content))
    assert cache.record(X["pet"].paths[0]) is None
    np.testing.assert_array_equal(GlobalPETFeatures(**BOX).fit_transform(X), features)
    assert [file.read_bytes() for file in records] == whole


def test_a_record_with_another_number_is_not_believed(nifti_cohort):
    X, _ = nifti_cohort(3)
    prepare_volumes(X, **BOX)
    file = VolumeCache()._record_file(X["pet"].paths[0])
    text, _, digest = file.read_text().rpartition("\n")
    stored = json.loads(text)
    stored["summary"]["max"] *= 2
    file.write_text(json.dumps(stored) + "\n" + digest)
    assert VolumeCache().record(X["pet"].paths[0]) is None


def test_whole_entries_are_gone_through_once(nifti_cohort, monkeypatch):
    X, _ = nifti_cohort(3)
    reader = BoxReader(X, **BOX)
    for _ in range(2):
        reader.load(0, "pet")
    opened = []
    monkeypatch.setattr(type(reader._prepared(0, "pet")), "read_bytes", lambda file: opened.append(file) or b"")
    reader.load(0, "pet")
    assert not opened


def test_a_cache_that_keeps_nothing_says_so(nifti_cohort, monkeypatch):
    X, _ = nifti_cohort(3)
    monkeypatch.setattr(VolumeCache, "get", lambda self, file: None)
    with pytest.raises(OSError, match="does not keep what is written"):
        BoxReader(Cohort(X), **BOX).load(0, "pet")


def entries(folder, ages):
    """Write files of 100 bytes that were last used so many days ago."""
    files = {}
    for name, days in ages.items():
        files[name] = folder / "boxes" / "ab" / f"{name}.npy"
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_bytes(bytes(100))
        used = time.time() - days * 86400
        os.utime(files[name], (used, used))
    return files


@pytest.mark.parametrize(
    ("limits", "stay"),
    [
        ({"max_size": "250 B"}, {"new", "week"}),
        ({"max_size": 300}, {"new", "week", "month"}),
        ({"max_days": 10}, {"new", "week"}),
        ({"max_size": 100, "max_days": 10}, {"new"}),
        ({"max_size": "1GB", "max_days": 5}, {"new"}),
        ({"max_size": 0}, set()),
    ],
)
def test_pruning_keeps_what_was_used_last(limits, stay, tmp_path):
    files = entries(tmp_path, {"week": 7, "new": 0, "month": 30})
    other = tmp_path / "notes.npy"
    other.write_bytes(bytes(100))
    assert prune_cache(tmp_path, **limits) == 3 - len(stay)
    assert {name for name, file in files.items() if file.exists()} == stay
    assert other.exists()
    assert cache_info(tmp_path)["bytes"] == 100 * len(stay)


def test_what_was_pruned_is_made_again(nifti_cohort):
    X, _ = nifti_cohort(3)
    first = GlobalPETFeatures(**BOX).fit_transform(X)
    voxels = BoxReader(X, **BOX).load(0, "pet").copy()
    assert prune_cache(max_size=0) > 0
    np.testing.assert_array_equal(BoxReader(X, **BOX).load(0, "pet"), voxels)
    np.testing.assert_array_equal(GlobalPETFeatures(**BOX).fit_transform(X), first)


@pytest.mark.parametrize("limits", [{}, {"max_size": "much"}, {"max_days": -1}, {"max_days": float("nan")}])
def test_pruning_says_what_it_needs(limits, tmp_path):
    with pytest.raises(ValueError, match=r"max_size|max_days"):
        prune_cache(tmp_path, **limits)
