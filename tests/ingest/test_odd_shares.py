"""Ingest on file systems that lack calls which are optional."""

from __future__ import annotations

import errno
import os

import filelock
import pytest
from ingest_helpers import key_of, make_export

from prrt_estimators import _io
from prrt_estimators.exceptions import StorageWarning
from prrt_estimators.ingest import ingest


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """An export of two patients."""
    folder = tmp_path_factory.mktemp("share") / "export"
    make_export(folder, 2)
    return folder


def refused(number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOLCK])
def test_a_share_without_locks_chmod_and_fsync_is_used_with_a_remark(number, export, tmp_path, monkeypatch):
    monkeypatch.setattr(_io, "_remarked", set())
    monkeypatch.setattr(filelock.FileLock, "acquire", refused(number))
    monkeypatch.setattr(_io.fcntl, "flock", refused(number))
    for name in ("chmod", "fchmod", "fsync", "link", "utime"):
        monkeypatch.setattr(os, name, refused(number))
    with pytest.warns(StorageWarning) as told:
        result = ingest(export / "dicom", export / "clinical.xlsx", tmp_path / "out", key_file=key_of(export), n_jobs=1)
    assert result.n_included == 2
    assert any("has no locks" in str(one.message) for one in told)


def test_a_folder_that_is_written_to_is_refused(export, tmp_path):
    (tmp_path / "out").mkdir()
    with _io.folder_lock(tmp_path / "out"), pytest.raises(OSError, match="another process is writing"):
        ingest(export / "dicom", export / "clinical.xlsx", tmp_path / "out", key_file=key_of(export), n_jobs=1)
