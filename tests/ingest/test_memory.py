"""What an ingest keeps in memory: a path and a few bytes a file, no headers; one page of quality sheets at a time."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
from ingest_helpers import key_of, make_export
from matplotlib.backends.backend_agg import RendererAgg

from prrt_estimators.ingest import _export_index, _ingest, _quality_sheets, ingest
from prrt_estimators.ingest._headers import _PEOPLE, _TEXTS, Header

#: Bytes a file: kept when the walk is over, and at its peak, when it also knows which files it has seen.
KEPT, PEAK = 200, 500
FILES_A_SERIES = 1000
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
    return kept, peak


def test_a_file_costs_its_path_and_little_else(monkeypatch, tmp_path):
    monkeypatch.setattr(_export_index, "read_header", made_up)
    few, many = 500, 2000
    measured = []
    for count in (few, few, many):
        paths = (f"P{k // FILES_A_SERIES}/{k:012d}" for k in range(count))
        monkeypatch.setattr(_export_index, "_files", lambda *_, paths=paths: paths)
        measured.append(bytes_of_walk(count, tmp_path))
    # The first walk filled what Python keeps once.
    kept, peak = np.subtract(measured[2], measured[1]) / (many - few)
    assert 50 < kept < KEPT
    assert kept < peak < PEAK


def test_what_is_planned_keeps_no_path_twice(monkeypatch, tmp_path):
    folder = tmp_path / "export"
    make_export(folder, 2)
    kept = {}
    for name in ("walk", "plan_tasks"):
        monkeypatch.setattr(_ingest, name, _keeping(getattr(_ingest, name), kept))
    ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    lists = {id(series.files) for person in kept["walk"].patients.values() for series in person.series}
    planned = {id(files) for task in kept["plan_tasks"][0] for files in task.files.values()}
    assert len(planned) == 4
    assert planned <= lists


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
