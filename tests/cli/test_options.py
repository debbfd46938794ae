"""Every option reaches what it names: one table of options drives the tests, and must name them all."""

from __future__ import annotations

import inspect

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from prrt_estimators import datasets, ingest, model_selection
from prrt_estimators.cli import _compare, _options, app
from prrt_estimators.cli._ingest import ingest as ingest_command
from prrt_estimators.cli._model_options import MODEL_OPTIONS


class _Reached(Exception):
    """What a function was called with."""

    def __init__(self, args, options):
        super().__init__("reached")
        self.args_, self.options = args, options


def _stop(*args, **options):
    raise _Reached(args, options)


def reached(*words):
    """Run a command up to the function that stops it, and return what that was called with."""
    done = CliRunner().invoke(app, [str(word) for word in words] + ["--debug"])
    assert isinstance(done.exception, _Reached), done.output + repr(done.exception)
    return done.exception.options


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame({"cga_ug_l": [1.0, 2.0], "pfs_months": [3.0, 30.0], "progressed": [1, 1]})
    frame.to_csv(tmp_path / "cohort.csv", index=False)
    return tmp_path / "cohort.csv"


# Columns ----------------------------------------------------------------------------------------------------------

#: Option of a table: what is typed, and what arguments of `load_cohort` come of it.
COLUMNS = {
    "pet": ("a", {"scans": {"pet": "a", "ct": "auto"}}),
    "ct": ("none", {"scans": {"pet": "auto", "ct": None}}),
    "lab": ("a,b", {"lab": ["a", "b"]}),
    "mask": ("none", {"mask": None}),
    "patient_id": ("a", {"patient_id": "a"}),
    "time": ("a", {"time": "a"}),
    "event": ("none", {"event": None}),
    "event_code": ("x,y", {"event": ("auto", ["x", "y"])}),
    "target": ("a", {"target": "a"}),
    "target_code": ("x", {"target": ("auto", ["x"])}),
    "competing": ("a", {"competing": "a"}),
    "competing_code": ("x", {"competing": ("", ["x"])}),
    "competing_as": ("censored", {"competing_as": "censored"}),
    "time_unit": ("days", {"time_unit": "days"}),
    "horizon": ("9", {"horizon": 9.0}),
    "censored": ("weight", {"censored": "weight"}),
    "allow_after_therapy": ("a,b", {"allow_after_therapy": ("a", "b")}),
    "group": ("a", {"group": "a"}),
    "blocks": ("radiomics=a,b", {"blocks": {"radiomics": ["a", "b"]}}),
    "centre": ("a", {"centre": "a"}),
    "sheet": ("2", {"sheet": 2}),
    "root": ("elsewhere", {"root": "elsewhere"}),
}


def test_every_option_of_a_table_is_tried():
    assert set(COLUMNS) == {name for name, *_ in _options._COLUMNS}


@pytest.mark.parametrize("name", COLUMNS)
def test_an_option_of_a_table_reaches_load_cohort_alone(table, tmp_path, monkeypatch, name):
    monkeypatch.setattr(datasets, "load_cohort", _stop)
    words = ["compare", table, "--out", tmp_path / "out", "--models", "lab"]
    typed, expected = COLUMNS[name]
    plain = reached(*words)
    assert all(plain[key] != value for key, value in expected.items()), "the value tried is the default"
    assert reached(*words, f"--{name.replace('_', '-')}", typed) == plain | expected


def test_what_says_nothing_is_nothing(table, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load_cohort", _stop)
    words = ["compare", table, "--out", tmp_path / "out", "--models", "lab"]
    for typed, expected in (
        (("--lab", "none"), {"lab": None}),
        (("--lab", "auto,x"), {"lab": ["auto", "x"]}),
        (("--blocks", "none"), {"blocks": None}),
        (("--sheet", "Tabelle 2"), {"sheet": "Tabelle 2"}),
        (("--event", "status", "--event-code", "2"), {"event": ("status", ["2"])}),
    ):
        assert reached(*words, *typed) == reached(*words) | expected


# Models -----------------------------------------------------------------------------------------------------------

#: Option of models: what is typed, and what the models receive.
OF_MODELS = {
    "epochs": ("3", 3),
    "size": ("8x9x10", (8, 9, 10)),
    "spacing": ("4,5,6", (4.0, 5.0, 6.0)),
    "batch_size": ("5", 5),
    "ct_weights": ("astra", {"ct": "astra"}),
    "ct_finetune": ("last", "last"),
    "tracer": ("FDG", "FDG"),
    "device": ("cpu", "cpu"),
    "cache_dir": ("kept", "kept"),
}


def test_every_option_of_models_is_tried():
    assert set(OF_MODELS) == {one.name for one in MODEL_OPTIONS}


@pytest.mark.parametrize("name", OF_MODELS)
def test_an_option_of_models_reaches_the_comparison_alone(table, tmp_path, monkeypatch, name):
    monkeypatch.setattr(datasets, "load_cohort", lambda *args, **options: None)
    monkeypatch.setattr(_compare, "run_comparison", _stop)
    words = ["compare", table, "--out", tmp_path / "out", "--models", "lab"]
    typed, expected = OF_MODELS[name]
    (parameter,) = (one.parameter for one in MODEL_OPTIONS if one.name == name)
    plain = reached(*words)
    assert plain["model_options"][parameter] != expected
    given = reached(*words, f"--{name.replace('_', '-')}", typed)
    assert given["model_options"] == plain["model_options"] | {parameter: expected}
    assert {key: value for key, value in given.items() if key != "model_options"} == {
        key: value for key, value in plain.items() if key != "model_options"
    }


# Comparison -------------------------------------------------------------------------------------------------------

#: Option of ``prrt compare``: what is typed, and the argument of the comparison that it becomes.
OF_COMPARE = {
    "models": (("lab,baseline_lab",), {"models": ["lab", "baseline_lab"]}),
    "repeats": (("4",), {"repeats": 4}),
    "folds": (("5",), {"folds": 5}),
    "jobs": (("2",), {"jobs": 2}),
    "seed": (("7",), {"seed": 7}),
    "no_report": ((), {"report": False}),
    "part": (("2/3",), {"part": (2, 3)}),
    "scheduler": (("local",), {"scheduler": "local"}),
    "primary": (("pet:lab",), {"primary": ["pet", "lab"]}),
    "quiet": ((), {"verbose": False}),
}
#: Tried by tests of their own: files, what explains, and what goes to a service.
ELSEWHERE = {"cohort", "out", "explain", "explain_model", "merge", "track", "debug"}


def test_every_option_of_compare_is_tried():
    own = set(inspect.signature(_compare.compare).parameters)
    assert own - set(COLUMNS) - {one.name for one in MODEL_OPTIONS} == set(OF_COMPARE) | ELSEWHERE


@pytest.mark.parametrize("name", OF_COMPARE)
def test_an_option_of_compare_reaches_the_comparison_alone(table, tmp_path, monkeypatch, name):
    monkeypatch.setattr(datasets, "load_cohort", lambda *args, **options: None)
    monkeypatch.setattr(_compare, "run_comparison", _stop)
    words = ["compare", table, "--out", tmp_path / "out"]
    typed, expected = OF_COMPARE[name]
    plain = reached(*words)
    assert all(plain[key] != value for key, value in expected.items())
    assert reached(*words, f"--{name.replace('_', '-')}", *typed) == plain | expected


def test_the_numbers_of_a_comparison_reach_compare_models(table, tmp_path, monkeypatch):
    monkeypatch.setattr(model_selection, "compare_models", _stop)
    words = ["compare", table, "--out", tmp_path / "out", "--models", "lab,baseline_lab", "--repeats", 4, "--folds", 2]
    given = reached(*words, "--seed", 7, "--jobs", 2, "--primary", "lab:baseline_lab", "--quiet")
    assert (given["cv"].cvargs["n_splits"], given["cv"].n_repeats, given["cv"].random_state) == (2, 4, 7)
    assert (given["random_state"], given["n_jobs"], given["primary"]) == (7, 2, ["lab", "baseline_lab"])
    assert (given["out"], given["verbose"]) == (tmp_path / "out", 0)


# Ingest -----------------------------------------------------------------------------------------------------------

#: Option of ``prrt ingest``: what is typed, and the argument of `ingest` that it becomes.
OF_INGEST = {
    "id_column": ("a", {"id_column": "a"}),
    "id_from": ("folder", {"id_from": "folder"}),
    "therapy_date": ("none", {"therapy_date": None}),
    "progression_date": ("b", {"progression_date": "b"}),
    "last_contact_date": ("c", {"last_contact_date": "c"}),
    "death_date": ("d", {"death_date": "d"}),
    "weight": ("none", {"weight": None}),
    "keep": ("a,b", {"keep": ["a", "b"]}),
    "limits": ("limits.csv", {"limits": "limits.csv"}),
    "no_derived": (None, {"derived": False}),
    "sheet": ("2", {"sheet": 2}),
    "require": ("none", {"require": ()}),
    "time_point": ("first", {"time_point": "first"}),
    "tracers": ("FDG,SSTR", {"tracers": ["FDG", "SSTR"]}),
    "prefer_pet": ("p", {"prefer_pet": "p"}),
    "prefer_ct": ("c", {"prefer_ct": "c"}),
    "override": ("o.csv", {"override": "o.csv"}),
    "contours": ("first", {"contours": "first"}),
    "lesions": ("l", {"lesions": "l"}),
    "not_lesions": ("n", {"not_lesions": "n"}),
    "key": ("key", {"key_file": "key"}),
    "pseudonym_column": ("p", {"pseudonym_column": "p"}),
    "deface": (None, {"deface": True}),
    "jobs": ("3", {"n_jobs": 3}),
    "quiet": (None, {"verbose": False}),
}


def test_every_option_of_ingest_is_tried():
    own = set(inspect.signature(ingest_command).parameters)
    assert own == set(OF_INGEST) | {"dicom_dir", "clinical", "out", "debug"}


@pytest.mark.parametrize("name", OF_INGEST)
def test_an_option_of_ingest_reaches_it_alone(tmp_path, monkeypatch, name):
    monkeypatch.setattr(ingest, "ingest", _stop)
    words = ["ingest", tmp_path, "--clinical", "t.csv", "--out", "o"]
    typed, expected = OF_INGEST[name]
    as_text = {"limits", "override", "key_file"}

    def seen(options):
        return {key: str(value) if key in as_text and value is not None else value for key, value in options.items()}

    plain = seen(reached(*words))
    assert all(plain[key] != value for key, value in expected.items())
    more = [f"--{name.replace('_', '-')}"] + ([] if typed is None else [typed])
    assert seen(reached(*words, *more)) == plain | expected


def test_options_that_cannot_be_read_are_refused(table, tmp_path):
    for words in (("--blocks", "radiomics"), ("--size", "8x9"), ("--part", "4/3"), ("--primary", "lab:lab")):
        done = CliRunner().invoke(app, ["compare", str(table), "--out", str(tmp_path / "o"), *words])
        assert done.exit_code == 2, words
    with pytest.raises(typer.BadParameter):
        _options.chosen_models("")
