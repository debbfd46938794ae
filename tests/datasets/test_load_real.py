"""Cohorts of ten thousand rows, and the real tables at hand."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import datasets
from prrt_estimators.datasets import _checks
from prrt_estimators.datasets._load import check_cohort, load_cohort

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real tables in ../shared/data are not here")


def load(source, **options):
    return load_cohort(source, verbose=False, **options)


def problems(source, **options):
    return "\n".join(map(str, check_cohort(source, **options)))


def test_ten_thousand_rows_pickle_small(tmp_path, monkeypatch):
    n, random = 10_000, np.random.default_rng(0)
    monkeypatch.setattr("prrt_estimators.datasets._checks._kinds", lambda paths: dict.fromkeys(paths, "file"))
    source = {
        "patient_id": [f"PRRT-{k:05}" for k in range(n)],
        "pet": [f"patient_{k:05}/pet_suvbw.nii.gz" for k in range(n)],
        "ct": [f"patient_{k:05}/ct.nii.gz" for k in range(n)],
        "mask": [f"patient_{k:05}/mask.nii.gz" for k in range(n)],
        "pfs_months": random.exponential(22, n),
        "progressed": np.ones(n, dtype=int),
    }
    source |= {name: random.lognormal(3, 1, n).round(1) for name in ("cga", "ggt", "alp", "ast", "alt", "ldh", "crp")}
    X, _ = load(source, root=tmp_path, return_X_y=True)
    assert len(pickle.dumps(X)) < 2_000_000
    again = pickle.loads(pickle.dumps(X))
    assert again["ct"].paths.tolist() == X["ct"].paths.tolist()


def test_many_files_in_one_folder_are_listed_once(tmp_path, monkeypatch):
    for k in range(40):
        (tmp_path / f"{k}.nii").touch()
    (tmp_path / "40.nii").mkdir()
    listed = []
    real = _checks.os.scandir
    monkeypatch.setattr(_checks.os, "scandir", lambda path: (listed.append(path), real(path))[1])
    kinds = _checks._kinds([str(tmp_path / f"{k}.nii") for k in range(42)])
    assert list(kinds.values()) == ["file"] * 40 + ["folder", "missing"]
    assert listed == [str(tmp_path)]


@needs_shared
def test_sts_loads_with_no_argument():
    b = load(SHARED / "sts" / "cohort.csv")
    assert b.X.modalities == ("pet", "ct", "lab")
    assert list(b.X["lab"]) == ["age", "sex", "histology_group", "grade"]
    assert list(b.X.masks) == ["mask"]
    assert b.roles.set_index("column")["role"]["lung_metastasis"] == "after_therapy"
    assert (len(b.y), int(b.y.sum())) == (51, 32)
    assert int((~b.event).sum()) == 24
    assert b.excluded.empty
    assert b.X["pet"].present.all()


@needs_shared
def test_tables_that_are_no_cohorts_say_why():
    for name in ("clinical_raw.csv", "INFOclinical_STS.xlsx"):
        assert "no column is recognised as the time to progression" in problems(SHARED / "sts" / name)
    assert "only the id is filled in 8 rows" in problems(SHARED / "sts" / "INFOclinical_STS.xlsx")
    text = problems(SHARED / "tables" / "pbc.csv")
    assert "status: might be the progression event" in text
    assert "time: the median time is 1730, too long for months. Remedy: name the unit" in text
    assert "holds '2'" in problems(SHARED / "tables" / "pbc.csv", event="status", time_unit="days")


@needs_shared
def test_tables_that_are_no_cohorts_load_with_arguments():
    raw = load(
        SHARED / "sts" / "clinical_raw.csv", time="days_dx_to_last_followup", event=None, lab=["age", "sex", "site"]
    )
    assert (len(raw.y), int(raw.y.sum())) == (51, 47)
    pbc = pd.read_csv(SHARED / "tables" / "pbc.csv")
    pbc["event"] = (pbc.pop("status") == 2).astype(int)
    b = load(pbc, time_unit="days", lab=["auto", "copper"])
    assert {"bili", "albumin", "alk.phos", "ast", "platelet", "copper", "age", "sex"} <= set(b.X["lab"])
    assert len(b.y) == 418
    assert int((b.y == 0).sum()) == int(((pbc["time"] <= 365.25) & (pbc["event"] == 1)).sum())


def test_public_names():
    assert datasets.load_cohort is load_cohort
    assert datasets.check_cohort is check_cohort
    assert {"load_cohort", "check_cohort"} <= set(datasets.__all__)
