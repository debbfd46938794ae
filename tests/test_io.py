"""Files are whole or absent, whatever the file system lacks and whenever the process dies."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

import filelock
import pytest

from prrt_estimators import _io
from prrt_estimators._io import (
    atomic_write,
    folder_lock,
    keep_by_digest,
    make_folder,
    sweep,
    temporary_folder,
    write_together,
)
from prrt_estimators.exceptions import StorageWarning
from prrt_estimators.phantoms._studies import whole_folder


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch):
    monkeypatch.setattr(_io, "_swept", set())
    monkeypatch.setattr(_io, "_remarked", set())


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_whole_or_as_before(tmp_path):
    target = tmp_path / "new" / "table.csv"
    with atomic_write(target) as temporary:
        temporary.write_text("one")
        assert temporary.suffix == ".csv"
        assert not target.exists()
    assert target.read_text() == "one"
    with pytest.raises(FileNotFoundError), atomic_write(target) as temporary:
        temporary.write_text((tmp_path / "no such source").read_text())
    assert target.read_text() == "one"
    assert names(target.parent) == ["table.csv"]


def test_permissions_follow_the_user_s_own(tmp_path):
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("x")
    (tmp_path / "b").write_text("x")
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in "ab"]
    assert modes[0] == modes[1]


# Power failures and full disks ------------------------------------------------------------------------------------


def test_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace

    def note_sync(handle):
        done.append(("sync", os.fstat(handle).st_ino))
        sync(handle)

    def note_replace(source, target):
        done.append(("rename", os.stat(source).st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    with atomic_write(tmp_path / "table.csv") as temporary:
        temporary.write_text("one")
    file, folder = os.stat(tmp_path / "table.csv").st_ino, os.stat(tmp_path).st_ino
    assert done == [("sync", file), ("rename", file), ("sync", folder)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("where", ["writing", "to disk"])
def test_a_full_disk_is_named_with_its_folder(number, where, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(number, os.strerror(number))

    (tmp_path / "table.csv").write_text("before")
    if where == "to disk":
        monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OSError, match="is full; make space there") as caught,
        atomic_write(tmp_path / "table.csv") as new,
    ):
        new.write_text("x") if where == "to disk" else full()
    assert caught.value.errno == number
    assert caught.value.filename == str(tmp_path)
    assert (tmp_path / "table.csv").read_text() == "before"
    assert names(tmp_path) == ["table.csv"]


def test_an_error_without_a_number_on_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(_io.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(OSError, match="is full") as caught, atomic_write(tmp_path / "a.npy"):
        raise OSError("1000 requested and 12 written")  # as numpy says it
    assert caught.value.filename == str(tmp_path)


# File systems that lack something -----------------------------------------------------------------------------------


def refuse(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EINVAL])
@pytest.mark.parametrize("call", ["fsync", "chmod", "fchmod", "flock"])
def test_what_a_share_refuses_is_done_without(number, call, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((_io.fcntl, "flock") if call == "flock" else (os, call)), refused)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in ("one", "two"):
            with atomic_write(tmp_path / "table.csv") as temporary:
                temporary.write_text(text)
    assert (tmp_path / "table.csv").read_text() == "two"
    assert names(tmp_path) == ["table.csv"]
    # Once for files and once for their names, not for every file.
    assert [one.category for one in caught] == [StorageWarning] * (2 if call == "fsync" else 0)
    assert all(str(tmp_path) in str(one.message) for one in caught)


def test_a_folder_without_locks_is_used_with_a_remark(tmp_path, monkeypatch):
    for error in (
        OSError(errno.ENOTSUP, "x"),
        OSError(errno.EPERM, "x"),
        OSError(errno.ENOLCK, "x"),
        NotImplementedError(),
    ):
        monkeypatch.setattr(_io, "_remarked", set())
        monkeypatch.setattr(filelock.FileLock, "acquire", lambda *_, error=error, **__: (_ for _ in ()).throw(error))
        with pytest.warns(StorageWarning, match="has no locks"), folder_lock(tmp_path):
            pass


def test_a_folder_is_held_by_one(tmp_path):
    with folder_lock(tmp_path), pytest.raises(filelock.Timeout), folder_lock(tmp_path):
        pass
    with folder_lock(tmp_path):
        pass


# Processes that are killed ----------------------------------------------------------------------------------------

KILLED = """
import sys, time
from pathlib import Path
from prrt_estimators._io import atomic_write, temporary_folder, write_together
folder = Path(sys.argv[1])
with atomic_write(folder / "roc.png") as a, write_together(folder / "m.md", folder / "m") as (b, c):
    with temporary_folder(folder / "study") as d:
        for file in (a, b, c, d / "x"):
            file.write_text("half")
        print("writing", flush=True)
        time.sleep(60)
"""


def test_leftovers_of_the_killed_are_swept_and_those_of_the_living_are_not(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "writing\n"
        before = names(tmp_path)
        assert len(before) == 4
        assert sweep(tmp_path) == 0
        assert names(tmp_path) == before
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    users = [".roc.png", ".notes.prrt-draft.md", ".a-b1c2d3e4.csv", ".x.prrt-12-zzzzzzzz.png"]
    for name in users:
        (tmp_path / name).write_text("the user's own")
    with atomic_write(tmp_path / "other.csv") as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == sorted([*users, "other.csv"])


def test_an_old_file_nobody_holds_is_swept_although_its_process_number_is_in_use(tmp_path):
    fresh, old = (tmp_path / f".a.prrt-{os.getppid()}-{digits}.csv" for digits in ("00000000", "11111111"))
    for file in (fresh, old):
        file.write_text("half")
    os.utime(old, (time.time() - 90, time.time() - 90))
    assert sweep(tmp_path) == 1
    assert names(tmp_path) == [fresh.name]


def test_without_locks_only_age_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(_io.fcntl, "flock", refuse)
    young, old = (tmp_path / f".a.prrt-99999999-{digits}.csv" for digits in ("00000000", "11111111"))
    for file in (young, old):
        file.write_text("half")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    assert sweep(tmp_path) == 1
    assert names(tmp_path) == [young.name]


# Several files ----------------------------------------------------------------------------------------------------


def write_new(targets):
    with write_together(*targets) as staged:
        for file in staged:
            file.write_text("new")


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("fails", [0, 1])
def test_files_appear_together_or_not_at_all(before, fails, tmp_path, monkeypatch):
    targets = [tmp_path / "model.md", tmp_path / "model"]
    if before:
        for target in targets:
            target.write_text("before")
    replace = os.replace

    def failing(source, target):
        if Path(target) == targets[fails] and Path(source).read_text() == "new":
            raise OSError(errno.EIO, "broken")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="broken"):
        write_new(targets)
    assert [target.read_text() if target.exists() else None for target in targets] == ["before" if before else None] * 2
    monkeypatch.setattr(os, "replace", replace)
    write_new(targets)
    assert [target.read_text() for target in targets] == ["new"] * 2
    assert names(tmp_path) == ["model", "model.md"]


def test_a_temporary_folder_is_gone_or_has_become_the_target(tmp_path):
    with temporary_folder(tmp_path / "study") as folder:
        (folder / "a").write_text("x")
        folder.replace(tmp_path / "study")
    with pytest.raises(ValueError, match="no"), temporary_folder(tmp_path / "other"):
        raise ValueError("no")
    assert names(tmp_path) == ["study"]


def test_content_that_was_damaged_under_its_digest_is_written_again(tmp_path):
    file = keep_by_digest(b"weights", tmp_path, "saved", ".safetensors")
    for harm in (b"Weights", b"", b"weights and more"):
        file.write_bytes(harm)
        assert keep_by_digest(b"weights", tmp_path, "saved", ".safetensors") == file
        assert file.read_bytes() == b"weights"


@pytest.mark.parametrize("place", ["link", "link/results", "link/a/b"])
def test_a_link_to_nothing_is_named_with_its_remedy(place, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for write in (make_folder, write_into, whole_cohort):
        with pytest.raises(
            FileExistsError, match=r"a link to .*gone, which does not exist; make that folder, or name another"
        ):
            write(tmp_path / place)
    assert not (tmp_path / "gone").exists()
    (tmp_path / "gone").mkdir()
    write_into(tmp_path / place)
    assert (tmp_path / "gone" / place.removeprefix("link").lstrip("/") / "x.csv").read_text() == "1"


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file and not a folder; name another one"):
        make_folder(tmp_path / "file" / "results")


def write_into(folder):
    with atomic_write(folder / "x.csv") as temporary:
        temporary.write_text("1")


def whole_cohort(folder):
    with whole_folder(folder):
        pass
