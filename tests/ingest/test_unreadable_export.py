"""An export that holds no images is said to be what it is; the table is not blamed."""

from __future__ import annotations

import errno
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from ingest_helpers import KEY, files, key_of, make_export

from prrt_estimators.exceptions import CohortError
from prrt_estimators.ingest import _convert, ingest

TABLE = pd.DataFrame({"patient_id": ["a", "b"], "age": [60, 70]})


def refused(folder, tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    with pytest.raises(ValueError, match=r".") as caught:
        ingest(folder, TABLE, tmp_path / "out", key_file=tmp_path / "key", n_jobs=1)
    assert "column" not in str(caught.value).split("Remedy")[0]
    return caught.value


def test_empty(tmp_path):
    folder = tmp_path / "export"
    (folder / "inside").mkdir(parents=True)
    assert isinstance(refused(folder, tmp_path), CohortError)
    assert "the export export is empty" in str(refused(folder, tmp_path))


@pytest.mark.parametrize("name", ["scans.zip", "scans", "a/b/SCANS.ZIP"])
def test_zip(tmp_path, name):
    folder = tmp_path / "export"
    (folder / name).parent.mkdir(parents=True)
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "1.dcm").write_bytes(b"x")
    shutil.move(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "content"), folder / name)
    message = str(refused(folder, tmp_path))
    assert "holds no DICOM image, but 1 x a ZIP archive" in message
    assert "unpack the archives" in message
    assert "is a ZIP archive. Unpack it" in str(refused(folder / name, tmp_path))


def test_nifti(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("pet.nii.gz", "ct.nii"):
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)), folder / name)
    message = str(refused(folder, tmp_path))
    assert "but 2 x a NIfTI file" in message
    assert "load_cohort" in message
    assert "is a NIfTI file" in str(refused(folder / "ct.nii", tmp_path))


def test_other_files_and_damaged_ones(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "letter.pdf").write_bytes(b"%PDF-1.4")
    assert "holds 1 files and no DICOM image" in str(refused(folder, tmp_path))
    (folder / "1.dcm").write_bytes(b"")
    assert "no DICOM image that can be read (1 empty files)" in str(refused(folder, tmp_path))


def test_an_archive_beside_the_images_is_told_and_a_full_disk_names_its_folder(tmp_path, monkeypatch):
    folder = tmp_path / "export"
    ids = make_export(folder, 2).X.ids
    shutil.make_archive(str(folder / "dicom" / "more"), "zip", files(folder, ids[0], "pet")[0].parent)
    result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    nobody = result.flow.loc[result.flow["patient_id"] == "", "reason"].tolist()
    assert nobody == ["1 file(s) that are not DICOM, 1 archive(s) among them that are not opened"]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_convert, "save", full)
    with pytest.raises(OSError, match=r"no space is left in .*patients") as caught:
        ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "other", key_file=key_of(folder), n_jobs=1)
    assert caught.value.errno == errno.ENOSPC
