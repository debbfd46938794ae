"""Every layout of an export gives the same patients and series."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from ingest_helpers import SHAPE, change, files, make_export
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from prrt_estimators.ingest import _export_index
from prrt_estimators.ingest._export_index import walk
from prrt_estimators.ingest._headers import Header, read_header
from prrt_estimators.ingest._person_matching import contradiction, people_of


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk") / "export"
    return folder / "dicom", make_export(folder, 3).X.ids


def summary(found):
    return {
        key: sorted((series.modality, series.slices, len(series.files)) for series in person.series)
        for key, person in found.patients.items()
    }


def test_patients_and_series(export):
    folder, ids = export
    found = walk(folder)
    assert summary(found) == {name: [("CT", SHAPE[2], SHAPE[2]), ("PT", SHAPE[2], SHAPE[2])] for name in ids}
    assert (found.n_files, found.n_other, found.loose) == (6 * SHAPE[2], 0, [])
    for person in found.patients.values():
        for series in person.series:
            assert len(series.orientations) == len(series.sizes) == 1
            assert series.high > series.low
            assert series.start is not None


def flatten(source: Path, target: Path):
    target.mkdir()
    for number, path in enumerate(sorted(source.rglob("*.dcm"))):
        shutil.copy(path, target / f"{number:05d}")


def nest(source: Path, target: Path):
    for number, path in enumerate(sorted(source.rglob("*.dcm"))):
        place = target / "a b" / f"{number % 3}" / f"{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / f"{number}.IMA")


def link(source: Path, target: Path):
    target.mkdir()
    for folder in source.iterdir():
        (target / folder.name).symlink_to(folder, target_is_directory=True)
    (target / "loop").symlink_to(target, target_is_directory=True)


@pytest.mark.parametrize("layout", [flatten, nest, link])
def test_layout_does_not_matter(export, tmp_path, layout):
    folder, _ = export
    layout(folder, tmp_path / "other")
    assert summary(walk(tmp_path / "other")) == summary(walk(folder))


@pytest.mark.parametrize("turn", [1, -1])
def test_a_series_starts_with_its_earliest_file(export, tmp_path, turn):
    folder, ids = export
    shutil.copytree(folder / ids[0], tmp_path / "one")
    paths = sorted((tmp_path / "one" / "PET").glob("*.dcm"))
    assert len(paths) > 2
    for minute, path in enumerate(paths[::turn]):
        change([path], lambda header, minute=minute: setattr(header, "AcquisitionTime", f"10{minute:02d}00"))
    (person,) = walk(tmp_path / "one").patients.values()
    (pet,) = (series for series in person.series if series.modality == "PT")
    assert (pet.start.hour, pet.start.minute) == (10, 0)


def write_as(syntax, source: Path, target: Path, *, bare: bool = False):
    """Write an image in another transfer syntax; bare as before the standard had preamble and file header."""
    old = pydicom.dcmread(source)
    dataset = pydicom.Dataset({element.tag: element for element in old})
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(old.PixelData, "<i2").astype(">i2").tobytes()
        dataset["PixelData"].VR = "OW"
    if not bare:
        dataset.file_meta = old.file_meta
        dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(
        target, dataset, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian,
        enforce_file_format=not bare,
    )  # fmt: skip


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian])
def test_transfer_syntaxes_read_alike(export, tmp_path, syntax):
    folder, ids = export
    source = files(folder.parent, ids[0], "ct")[0]
    write_as(syntax, source, tmp_path / "x")
    shutil.copy(source, tmp_path / "y")
    first, second = read_header(str(tmp_path), "x"), read_header(str(tmp_path), "y")
    assert isinstance(first, Header)
    assert isinstance(second, Header)
    assert first.texts == second.texts
    assert (first.rows, first.columns, first.truncated) == (SHAPE[1], SHAPE[0], False)


def test_without_preamble(export, tmp_path):
    folder, ids = export
    write_as(ImplicitVRLittleEndian, files(folder.parent, ids[0], "ct")[0], tmp_path / "x", bare=True)
    header = read_header(str(tmp_path), "x")
    assert isinstance(header, Header)
    assert header.texts["patient_id"] == ids[0]


def test_what_is_no_image(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("\x08\x00 begins like an image, but is none. " * 9)
    (tmp_path / "bare").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    kinds = {name: read_header(str(tmp_path), name) for name in ("empty", "text", "bare", "gone")}
    assert kinds == {"empty": "empty", "text": "other", "bare": "damaged", "gone": "unreadable"}


def test_every_length_of_a_cut_file_is_told(export, tmp_path):
    folder, ids = export
    content = files(folder.parent, ids[0], "pet")[0].read_bytes()
    for length in range(1, len(content), 37):
        (tmp_path / "x").write_bytes(content[:length])
        read = read_header(str(tmp_path), "x")
        assert read in ("other", "damaged") if length < 132 else read == "damaged" or read.truncated, length
    (tmp_path / "x").write_bytes(content)
    assert read_header(str(tmp_path), "x").truncated is False


def test_processes_agree_and_progress_is_told(export, monkeypatch):
    folder, _ = export
    monkeypatch.setattr(_export_index, "_MIN_FOR_PROCESSES", 10)
    monkeypatch.setattr(_export_index, "_BATCH", 7)
    told = []
    assert walk(folder, n_jobs=2, progress=lambda done, total: told.append((done, total))) == walk(folder)
    assert told[-1] == (6 * SHAPE[2], 6 * SHAPE[2])
    assert told == sorted(told)


def test_the_folder_of_results_is_not_walked(export, tmp_path):
    folder, _ = export
    shutil.copytree(folder, tmp_path / "in")
    shutil.copytree(folder, tmp_path / "in" / "out")
    assert summary(walk(tmp_path / "in", skip=tmp_path / "in" / "out")) == summary(walk(folder))


def test_patients_by_folder(export, tmp_path):
    folder, ids = export
    for name in ids:
        shutil.copytree(folder / name, tmp_path / "in" / f"case {name}")
    assert set(walk(tmp_path / "in", id_from="folder").patients) == {f"case {name}" for name in ids}
    assert set(walk(folder, id_from="patient_name").patients) == set(ids)


def test_bad_files_go_to_the_patient_around_them(export, tmp_path):
    folder, ids = export
    shutil.copytree(folder, tmp_path / "in")
    cut = b"\0" * 128 + b"DICM" + b"\x02\x00"
    for place in (tmp_path / "in", tmp_path / "in" / ids[0], tmp_path / "in" / ids[1] / "deep" / "er"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "bad").write_bytes(cut)
    found = walk(tmp_path / "in")
    assert found.loose == [("damaged", "bad")]
    assert {name: person.damaged for name, person in found.patients.items()} == {
        ids[0]: [("damaged", f"{ids[0]}/bad")], ids[1]: [("damaged", f"{ids[1]}/deep/er/bad")], ids[2]: []
    }  # fmt: skip


def test_spellings_of_one_identifier_are_one_patient(export, tmp_path):
    folder, ids = export
    shutil.copytree(folder / ids[0], tmp_path / "in")
    for number, path in enumerate(sorted((tmp_path / "in").rglob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        dataset.PatientID = ("00123", "123 ", "123")[number % 3]
        dataset.save_as(path)
    people, nameless = people_of(walk(tmp_path / "in"))
    assert list(people) == ["123"]
    assert nameless is None


@pytest.mark.parametrize(
    ("people", "differs"),
    [
        ({("Doe^J", "19600101", "F"), ("Poe^J", "19600101", "F")}, False),
        ({("Doe^Jane", "", "F"), ("DOE^JANE^", "", "")}, False),
        ({("Doe^Jane", "", ""), ("Doe^Jane Mary", "", "")}, False),
        ({("Doe^Jane", "", ""), ("Poe^Edgar", "", "")}, True),
        ({("Doe^Jane", "19600101", "F"), ("Doe^Jane", "19600102", "F")}, True),
        ({("Doe^Jane", "19600101", "F"), ("Doe^Jane", "19600101", "M")}, True),
        ({("Doe^Jane", "19600101", "F"), ("Doe^Jane", "19600101", "O")}, False),
    ],
)
def test_two_persons(people, differs):
    assert bool(contradiction(people)) is differs


def test_hidden_files_are_left_alone(export, tmp_path):
    folder, ids = export
    shutil.copytree(folder / ids[0], tmp_path / "in")
    os.rename(next((tmp_path / "in").rglob("0001.dcm")), tmp_path / "in" / ".0001.dcm")
    assert walk(tmp_path / "in").n_files == 2 * SHAPE[2] - 1
