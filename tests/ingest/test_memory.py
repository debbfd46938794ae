"""What an ingest keeps in memory: the patient that it is at, no headers, no names; one page of quality sheets at a time."""

from __future__ import annotations

import gc
import shutil
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from ingest_helpers import key_of, make_export
from matplotlib.backends.backend_agg import RendererAgg

from prrt_estimators.ingest import _export_index, _ingest, _quality_sheets, ingest
from prrt_estimators.ingest._cohort_plan import Plan
from prrt_estimators.ingest._convert import Converted, Task
from prrt_estimators.ingest._export_records import Person, Series
from prrt_estimators.ingest._headers import _PEOPLE, _TEXTS, Header

#: Bytes a file: kept when the walk is over, and at its peak, when it knows the files of the patient that it is at.
KEPT, PEAK = 10, 300
FILES_A_SERIES = 100
COMMON = {name: f"{name}, as long as the texts of headers are" for name in (*_TEXTS, *_PEOPLE)}
COMMON |= {"orientation": "1\\0\\0\\0\\1\\0", "pixel_spacing": "4.0\\4.0", "image_type": "ORIGINAL"}


def made_up(_root: str, path: str) -> Header:
    """Return a header of which the identifier and the position are new in every file, as from a scanner."""
    patient, number = path.split("/")
    told = {"sop_uid": f"1.2.826.0.1.3680043.8.498.{patient}.{number}", "position": f"-200.0\\-200.0\\{number}.5"}
    return Header(path, {**COMMON, "patient_id": patient, **told}, 128, 128)


def bytes_of_walk(count: int, folder) -> tuple[int, int]:
    """Return the bytes that are kept of a walk, and those at its peak."""
    gc.collect()
    tracemalloc.start()
    try:
        found = _export_index.walk(folder)
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert sum(len(series.files) for person in found.patients.values() for series in person.series) == count
    assert found.n_files == count
    return kept, peak


def test_a_file_costs_nothing_when_its_patient_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(_export_index, "read_header", made_up)
    few, many = 500, 2000
    monkeypatch.setattr(_export_index, "_MAX_OPEN", 1)
    measured = []
    for count in (few, few, many):
        paths = (f"P{k // FILES_A_SERIES}/{k:012d}" for k in range(count))
        monkeypatch.setattr(_export_index, "_files", lambda *_, paths=paths: paths)
        measured.append(bytes_of_walk(count, tmp_path))
    # The first walk filled what Python keeps once.
    kept, peak = np.subtract(measured[2], measured[1]) / (many - few)
    assert kept < KEPT
    assert peak < PEAK


def test_neither_patients_nor_tasks_nor_records_stay_in_memory(monkeypatch, tmp_path):
    folder = tmp_path / "export"
    make_export(folder, 3)
    kept: dict = {}
    for name in ("walk", "people_of", "plan_tasks"):
        monkeypatch.setattr(_ingest, name, _keeping(getattr(_ingest, name), kept))
    monkeypatch.setattr(_ingest, "Plan", lambda *given: kept.setdefault("plan", Plan(*given)))
    gc.collect()
    alive = []
    monkeypatch.setattr(_ingest, "write_tables", _counting(_ingest.write_tables, lambda: alive.append(_alive())))
    result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    assert result.n_included == len(kept["plan_tasks"][0]) == len(kept["walk"].patients) == 3
    # The one that was asked for last; nothing of what was searched for.
    assert alive == [{"Person": 1, "Series": 2, "Task": 0, "Converted": 0, "Header": 0}]
    assert kept["plan"].identity.names.digests.dtype == np.uint64
    assert len(kept["plan"].identity.identifiers.digests) > 9


def _alive() -> dict[str, int]:
    gc.collect()
    kinds = (Person, Series, Task, Converted, Header)
    found = Counter(type(one) for one in gc.get_objects())
    return {kind.__name__: found[kind] for kind in kinds}


@pytest.mark.parametrize("open_at_once", [1, 2, 16])
def test_files_of_patients_in_any_order_are_one_patient_each(open_at_once, monkeypatch, tmp_path):
    folder = tmp_path / "export"
    make_export(folder, 3)
    whole = _export_index.walk(folder / "dicom")
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for number, path in enumerate(sorted((folder / "dicom").rglob("*.dcm"), key=lambda path: (path.name, path))):
        shutil.copyfile(path, mixed / f"{number:04d}.dcm")
        if number % 7 == 0:
            shutil.copyfile(path, mixed / f"{number + 900:04d}.dcm")
    monkeypatch.setattr(_export_index, "_MAX_OPEN", open_at_once)
    found = _export_index.walk(mixed)
    assert set(found.patients) == set(whole.patients)
    for key, person in found.patients.items():
        here, there = ({one.uid: one for one in patient.series} for patient in (person, whole.patients[key]))
        assert {uid: one.slices for uid, one in here.items()} == {uid: one.slices for uid, one in there.items()}
        assert {uid: sorted(one.positions) for uid, one in here.items()} == {
            uid: sorted(one.positions) for uid, one in there.items()
        }
        assert person.identity == whole.patients[key].identity
    assert sum(one.copies for person in found.patients.values() for one in person.series) == number // 7 + 1


def test_pages_of_the_quality_sheet_share_one_canvas(monkeypatch, tmp_path):
    monkeypatch.setattr(_quality_sheets, "_ROWS_A_PAGE", 1)
    height, width = _quality_sheets._HEIGHT, sum(_quality_sheets._WIDTHS) + 4 * (len(_quality_sheets._WIDTHS) - 1)
    _quality_sheets.save_strip(np.zeros((height, width, 3), np.uint8), tmp_path / "row.png")

    def canvases() -> int:
        return sum(type(one) is RendererAgg for one in gc.get_objects())  # isinstance would wake what is lazy

    gc.collect()
    before, counts = canvases(), []
    monkeypatch.setattr(
        _quality_sheets, "atomic_write", _counting(_quality_sheets.atomic_write, lambda: counts.append(canvases()))
    )
    # Figures refer to themselves in circles: what is not shared waits for the collector, which may be long in coming.
    gc.disable()
    try:
        pages = _quality_sheets.write_sheets([(f"P{k}", ["line"], tmp_path / "row.png") for k in range(4)], tmp_path)
    finally:
        gc.enable()
    assert len(pages) == len(counts) == 4
    assert max(counts) - before <= 1


def _keeping(function, kept):
    def call(*given, **options):
        kept[function.__name__] = function(*given, **options)
        return kept[function.__name__]

    return call


def _counting(function, tell):
    def call(*given):
        tell()
        return function(*given)

    return call
