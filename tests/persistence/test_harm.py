"""Files that were damaged, and files that somebody made to do harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from saved_model_helpers import archive_of, forge, forge_config, parts_of, sealed
from sklearn.pipeline import FunctionTransformer

from prrt_estimators import FusionPFSClassifier, LabBaselineClassifier, LabPFSClassifier, load_model, save_model
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.persistence import _container, read_model_card

Y = np.array([0, 1] * 6)
TABLE = pd.DataFrame({"CgA": np.arange(12.0) ** 2 + 3, "AST": 30.0, "ALT": np.arange(12.0)[::-1] + 9})


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return save_model(LabBaselineClassifier().fit(TABLE, Y), tmp_path_factory.mktemp("small") / "model.prrt")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    model = FusionPFSClassifier(max_epochs=1, random_state=0, embedding=4, device="cpu").fit(TABLE, Y)
    return save_model(model, tmp_path_factory.mktemp("network") / "model.prrt")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "forged.prrt"


def test_what_the_helper_seals_is_read(small, network, target):
    # Else every refusal below would prove nothing.
    for source in (small, network):
        forged = load_model(forge(target, source))
        np.testing.assert_array_equal(forged.predict_proba(TABLE), load_model(source).predict_proba(TABLE))


# Damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["small", "network"])
def test_every_changed_byte_is_refused(kind, request, target):
    raw = request.getfixturevalue(kind).read_bytes()
    rng = np.random.default_rng(0)
    # Head and tail of the archive in full, where names, sizes, times and the digest lie, and as much between.
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        heads = [offset for info in archive.infolist() for offset in range(info.header_offset, info.header_offset + 40)]
        directory = archive.start_dir
    places = {*range(60), *heads, *range(directory, len(raw)), *rng.integers(0, len(raw), 900).tolist()}
    assert len(places) > 1200
    for place in sorted(places):
        changed = bytearray(raw)
        changed[place] ^= int(rng.integers(1, 256))
        target.write_bytes(changed)
        with pytest.raises(SavedModelError):
            load_model(target)


def test_a_digit_of_the_digest_in_capitals_is_refused(small, target):
    raw = small.read_bytes()
    for place in range(len(raw) - 64, len(raw)):
        if raw[place : place + 1].isalpha():
            target.write_bytes(raw[:place] + raw[place : place + 1].upper() + raw[place + 1 :])
            with pytest.raises(SavedModelError, match="was changed or cut short"):
                load_model(target)


def test_cut_and_lengthened_files_are_refused(small, target):
    raw = small.read_bytes()
    for length in {*range(0, len(raw), 97), *range(len(raw) - 90, len(raw))}:
        target.write_bytes(raw[:length])
        with pytest.raises(SavedModelError):
            load_model(target)
    for more in (b"\0", b"\n", b"more", raw, raw[-64:]):
        target.write_bytes(raw + more)
        with pytest.raises(SavedModelError):
            load_model(target)
        target.write_bytes(more + raw)
        with pytest.raises(SavedModelError):
            load_model(target)


def test_parts_are_checked_one_by_one_too(small, target):
    """The whole has a right digest, a part has not."""
    parts = parts_of(small)
    body = archive_of(parts)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        digests = json.loads(archive.read("digests.json"))
    assert set(digests) == set(parts) - {"prrt-model-2", "digests.json"}
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(zipfile.ZipInfo("prrt-model-2"), b"")
        for name, content in parts.items():
            if name != "prrt-model-2":
                archive.writestr(zipfile.ZipInfo(name), content + b" " * (name == "card.md"))
    target.write_bytes(sealed(other.getvalue()))
    with pytest.raises(SavedModelError, match="was changed or cut short"):
        read_model_card(target)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:  # no digests at all
        for name in set(parts) - {"digests.json"}:
            archive.writestr(zipfile.ZipInfo(name), parts[name])
    with pytest.raises(SavedModelError):
        load_model(target)


def test_other_files_are_told_apart(small, target):
    with pytest.raises(FileNotFoundError, match="no saved model"):
        load_model(target)
    for content in (b"", b"PK\x03\x04 something else", pickle.dumps({}), sealed(archive_of({}, first="other.txt"))):
        target.write_bytes(content)
        with pytest.raises(SavedModelError, match="is not a model saved by"):
            load_model(target)
    for content in (b"prrt-model 9 abc\n", sealed(archive_of(parts_of(small), first="prrt-model-3"))):
        target.write_bytes(content)
        with pytest.raises(SavedModelError, match="newer format; update"):
            load_model(target)


# Harm -------------------------------------------------------------------------------------------------------------


def test_a_part_that_unfolds_to_far_more_is_refused_before_it_does(small, target, monkeypatch):
    monkeypatch.setattr(_container, "_UNFOLDED", 2**20)
    opened = []
    monkeypatch.setattr(_container, "_member", lambda archive, info: opened.append(info.filename))
    target.write_bytes(sealed(archive_of({**parts_of(small), "bomb.json": b"\0" * (5 * 2**20)})))
    assert target.stat().st_size < 50_000
    with pytest.raises(SavedModelError, match="would unfold to"):
        load_model(target)
    assert opened == []


def test_a_part_that_hides_its_size_unfolds_no_further(small, target):
    """The directory says 100 bytes, the stream would give five million."""
    body = archive_of({**parts_of(small), "card.md": b"\0" * 5_000_000})
    true, false = struct.pack("<I", 5_000_000), struct.pack("<I", 100)
    assert body.count(true) == 2
    target.write_bytes(sealed(body.replace(true, false)))
    with pytest.raises(SavedModelError):
        load_model(target)


def test_too_many_parts_and_two_of_one_name_are_refused(small, target):
    target.write_bytes(sealed(archive_of({**parts_of(small), **{f"p{k}": b"" for k in range(140)}})))
    with pytest.raises(SavedModelError, match="parts"):
        load_model(target)
    body = io.BytesIO(archive_of(parts_of(small)))
    with zipfile.ZipFile(body, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("model.json", b"{}")
    target.write_bytes(sealed(body.getvalue()))
    with pytest.raises(SavedModelError, match="two of one name"):
        load_model(target)


def test_overlapping_parts_are_refused(small, target):
    """The directory names the same bytes thirty times."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(zipfile.ZipInfo("prrt-model-2"), b"")
        archive.writestr(zipfile.ZipInfo("a"), b"x" * 100_000)
        for k in range(20):
            copied = zipfile.ZipInfo(f"b{k}")
            for field in ("header_offset", "CRC", "file_size", "compress_size"):
                setattr(copied, field, getattr(archive.getinfo("a"), field))
            archive.filelist.append(copied)
    target.write_bytes(sealed(body.getvalue()))
    with pytest.raises(SavedModelError, match="would unfold"):
        load_model(target)


def test_names_that_lead_elsewhere_write_nothing(small, tmp_path, monkeypatch):
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    outside = tmp_path / "absolute.txt"
    names = ("../escaped.txt", "..\\escaped.txt", str(outside), "a/../../escaped.txt")
    target = inside / "forged.prrt"
    target.write_bytes(sealed(archive_of({**parts_of(small), **dict.fromkeys(names, b"harm")})))
    load_model(target)
    read_model_card(target)
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["forged.prrt"]


def harmful(name):
    return FunctionTransformer(func=os.system, kw_args={"command": name})


def test_types_that_are_not_known_are_refused(small, target):
    with pytest.raises(SavedModelError, match=r"not trusted: .*\.system"):
        load_model(forge(target, small, {"model_.skops": skops.io.dumps(harmful("false"))}))


def test_a_pickle_in_place_of_a_part_is_not_read(small, target, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    for content in (pickle.dumps(Harm()), b"", b"PK\x03\x04"):
        with pytest.raises(SavedModelError):
            load_model(forge(target, small, {"model_.skops": content}))
    # An array of objects, which numpy would unpickle, inside a part of skops.
    inner = io.BytesIO(parts_of(small)["model_.skops"])
    changed = io.BytesIO()
    evil = io.BytesIO()
    np.save(evil, np.array([Harm()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(inner) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            after.writestr(name, evil.getvalue() if name.endswith(".npy") else before.read(name))
    with pytest.raises(SavedModelError, match="cannot be read"):
        load_model(forge(target, small, {"model_.skops": changed.getvalue()}))
    assert not (tmp_path / "harm").exists()


def test_a_compressed_archive_inside_a_part_is_refused(small, target):
    packed = skops.io.dumps(load_model(small).model_, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(SavedModelError, match="did not write"):
        load_model(forge(target, small, {"model_.skops": packed}))


def test_settings_that_ask_for_a_huge_network_take_no_memory(network, target):
    def huge(config):
        config["params"]["embedding"] = 10**9

    with pytest.raises(SavedModelError, match="weights of another network"):
        load_model(forge_config(target, network, huge))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "no model that can be read"),
        ("{}", "no model that can be read"),
        ("[]", "no model that can be read"),
        ("no json", "no model that can be read"),
        (None, "no model that can be read"),
    ],
)
def test_settings_that_are_none_are_refused(text, message, small, target):
    with pytest.raises(SavedModelError, match=message):
        load_model(forge(target, small, {"model.json": None if text is None else text.encode()}))


def test_unknown_classes_and_parameters_are_refused(small, target):
    for name in ("FutureClassifier", "__builtins__", "os", "_base"):
        with pytest.raises(SavedModelError, match="does not know; update"):
            load_model(forge_config(target, small, lambda config, name=name: {**config, "class": name}))
    with pytest.raises(SavedModelError, match=re.escape("cannot be read with the versions here (TypeError")):
        load_model(forge_config(target, small, lambda config: {**config, "params": {"future": 1}}))
    with pytest.raises(SavedModelError, match="cannot be read"):
        load_model(forge_config(target, small, lambda config: {**config, "classes": {"dtype": "|O9", "values": [[]]}}))


def test_a_missing_part_is_told(network, target):
    with pytest.raises(SavedModelError, match="cannot be read"):
        load_model(forge(target, network, {"preprocessor_.skops": None}))


def test_a_forest_with_many_trees_is_not_taken_for_a_trap(target):
    model = LabPFSClassifier(n_estimators=60, min_samples_leaf=1, random_state=0).fit(TABLE, Y)
    back = load_model(save_model(model, target))
    np.testing.assert_array_equal(back.predict_proba(TABLE), model.predict_proba(TABLE))
    with zipfile.ZipFile(target) as archive:
        part = archive.getinfo("model_.skops")
    assert part.file_size < _container._FOLD / 2 * part.compress_size
