"""The benchmarks behind the page of a hundred patients: they measure what they say, and the page is what they wrote."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort
from prrt_estimators.estimators import published_directions

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "hundred_patients.md"


@pytest.fixture
def benchmark(monkeypatch):
    """Return a function that imports a benchmark by name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))

    def load(name: str):
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("hundred_patients", ("hundred_patients",)),
        ("survival_tables", ("survival_tables_overall", "survival_tables")),
        ("from_nothing", ("from_nothing",)),
        ("sarcoma", ("sarcoma",)),
    ],
)
def test_the_page_is_what_the_benchmark_wrote(benchmark, name, files):
    paths = [ROOT / "docs" / f"{file}.csv" for file in files]
    if not all(path.exists() for path in paths):
        pytest.skip("this benchmark has not been run to its end yet, and the page has no table of it")
    module = benchmark(name)
    function = getattr(module, "with_table", None) or module.with_tables
    tables = [pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in paths]
    text = PAGE.read_text("utf-8")
    assert function(text, *tables) == text
    numbers = tables[0].select_dtypes("float").columns
    tables[0][numbers] += 0.25
    assert function(text, *tables) != text


def test_seeds_of_the_report_are_those_that_nothing_was_chosen_on(benchmark):
    features = benchmark("hundred_patients_features")
    by_name = {one.name: one for one in features.SETTINGS}
    assert (len(by_name["n116"].seeds), len(by_name["n400"].seeds)) == (16, 6)
    assert all(seed >= 20000 for one in features.SETTINGS for seed in one.seeds)


def test_stored_numbers_are_found_by_patient(benchmark):
    module = benchmark("hundred_patients")
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=["P1", "P2", "P3"])
    X = Cohort({"lab": pd.DataFrame({"x": [0, 0]})}, ids=["P3", "P1"])
    assert module.Stored(table).fit_transform(X)["a"].tolist() == [3.0, 1.0]


def test_wrong_directions_are_wrong(benchmark):
    module = benchmark("hundred_patients")
    right = published_directions()["direction"]
    assert (module.turned(1.0)["direction"] == -right).all()
    assert np.isclose((module.turned(1 / 3)["direction"] != right).mean(), 1 / 3, atol=0.03)
    assert (published_directions()["direction"] == right).all()


def test_summary_is_paired(benchmark):
    module = benchmark("hundred_patients")
    rows = [
        ("c", seed, 116, model, auroc, 1.0, 0.0)
        for seed, a, b in ((1, 0.7, 0.6), (2, 0.9, 0.85))
        for model, auroc in (("recommended", a), ("other", b))
    ]
    table = module.summary(
        pd.DataFrame(rows, columns=["case", "seed", "patients", "model", "auroc", "slope", "intercept"])
    )
    other = table.set_index("model").loc["other"]
    assert other[["auroc", "difference", "difference_se"]].tolist() == [0.725, -0.075, 0.025]


def test_mistakes_make_something_of_nothing(benchmark):
    module = benchmark("from_nothing")
    found = [module.chosen_outside(*module.shuffled(seed)) for seed in range(3)]
    assert np.mean([wrong for wrong, _ in found]) > 0.8
    assert abs(np.mean([honest for _, honest in found]) - 0.5) < 0.15


def test_survival_tables_hold_no_outcome(benchmark):
    pytest.importorskip("sksurv")
    module = benchmark("survival_tables")
    assert len(module.TABLES) >= 12
    X, time, event = module.TABLES["lung"]()
    assert not {"time", "status"} & set(X)
    assert event.sum() == 165
    assert module.median_survival(time, event) == 310
    assert "chapter" not in module.TABLES["free light chains"]()[0]
