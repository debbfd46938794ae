"""What a comparison says on its way: where it is, how long it takes by folds that were measured, and not too often."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline

from prrt_estimators import CTPFSClassifier, FusionPFSClassifier, LabPFSClassifier, PETPFSClassifier
from prrt_estimators._model_specs import MODELS
from prrt_estimators.model_selection import TunedClassifier, _progress
from prrt_estimators.model_selection._descriptions import counted, skipped_in_words
from prrt_estimators.model_selection._fold_costs import expected_cost
from prrt_estimators.model_selection._progress import ComparisonProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    return now


def test_time_left_comes_from_measured_folds():
    progress = ComparisonProgress(0)
    progress.begin_folds({"lab": 6, "pet_ct": 6}, 6)
    assert progress.where() == "model 1 of 2 (Labs), fold 1 of 6"
    progress.fold("lab", 10.0)
    # 5 folds of the labs and 6 of a model that nobody has measured, each taken for 10 s.
    assert progress.where() == "model 1 of 2 (Labs), fold 2 of 6, about 2 min left if no later model is slower"
    for _ in range(5):
        progress.fold("lab", 10.0)
    progress.fold("pet_ct", 120.0)
    assert progress.where() == "model 2 of 2 (PET + CT), fold 2 of 6, about 10 min left"
    progress.give_up("pet_ct")
    assert progress.where() == "folds"


def test_folds_at_once_share_the_time():
    progress = ComparisonProgress(0)
    progress.begin_folds({"lab": 8}, 8, at_once=4)
    progress.fold("lab", 400.0)
    assert progress.where().endswith("about 12 min left")


def test_the_last_folds_are_not_shared_by_more_than_there_are():
    progress = ComparisonProgress(0)
    progress.begin_folds({"lab": 3}, 3, at_once=2)
    progress.fold("lab", 60.0)
    progress.fold("lab", 60.0)
    assert progress.where().endswith("about 60 s left")


def test_models_that_nobody_measured_are_expected_to_take_what_they_train():
    models = {
        "lab": LabPFSClassifier(),
        "pet": PETPFSClassifier(),
        "pet_ct": FusionPFSClassifier(modalities=["pet", "ct"]),
    }
    costs = {name: expected_cost(model, 77, ["pet", "ct", "lab"]) for name, model in models.items()}
    progress = ComparisonProgress(0)
    progress.begin_folds(dict.fromkeys(models, 6), 6, costs=costs)
    before = seconds_left(progress)
    assert before > 6 * 3 * 10, "networks of 25 epochs on 77 patients do not end within seconds"
    for _ in range(6):
        progress.fold("lab", 1.0)
    assert 0.8 * before < seconds_left(progress) <= before, "the speed of a forest says nothing of networks"
    for _ in range(6):
        progress.fold("pet", 100.0)
    # Twice the scans take twice as long, on this machine as well.
    assert 60 * round(6 * 200 / 60) == seconds_left(progress)


@pytest.mark.parametrize(
    ("model", "other", "times"),
    [
        (PETPFSClassifier(max_epochs=10), PETPFSClassifier(max_epochs=20), 2),
        (PETPFSClassifier(size=48), PETPFSClassifier(size=96), 8),
        (PETPFSClassifier(size=48), PETPFSClassifier(size=(48, 48, 96)), 2),
        (CTPFSClassifier(), FusionPFSClassifier(modalities=["pet", "ct", "lab"]), 2),
        (FusionPFSClassifier(modalities=["pet"]), FusionPFSClassifier(), 2),
        (LabPFSClassifier(n_estimators=1000), make_pipeline(LabPFSClassifier(n_estimators=1000)), 1),
        (PETPFSClassifier(), TunedClassifier(PETPFSClassifier(), {}), 1),
        (object(), DummyClassifier(), 1),
    ],
)
def test_costs_follow_what_is_trained(model, other, times):
    one, two = (expected_cost(each, 100, ["pet", "ct", "lab"]) for each in (model, other))
    assert two.seconds / one.seconds == pytest.approx(times, rel=0.1)
    assert two.network == one.network


def seconds_left(progress):
    """Return the seconds that the line tells, in minutes where it tells minutes."""
    number, unit = re.search(r"about ([\d.]+) (s|min|h) left", progress.where()).groups()
    return float(number) * {"s": 1, "min": 60, "h": 3600}[unit]


def test_finished_folds_of_an_earlier_run_count():
    progress = ComparisonProgress(0)
    progress.begin_folds({"ct": 2}, 6)
    assert progress.where() == "model 1 of 1 (CT), fold 5 of 6"


def test_a_log_gets_a_line_every_few_seconds(clock, capsys):
    progress = ComparisonProgress(1)
    progress.begin_folds({"lab": 100}, 100)
    for _ in range(50):
        clock[0] += 1.0
        progress.fold("lab", 1.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "model 1 of 1 (Labs), fold 1 of 100"
    assert len(lines) == 1 + 50 / _progress.PAUSE
    assert lines[1] == "model 1 of 1 (Labs), fold 6 of 100, about 2 min left"
    clock[0] += 1.0
    progress.prepared("pet", 3, 9)
    assert capsys.readouterr().err == ""
    clock[0] += 10.0
    progress.prepared("pet", 4, 9)
    assert capsys.readouterr().err == "checking scans: 4 of 9 (PET)\n"


def test_silence_on_request(clock, capsys):
    progress = ComparisonProgress(0)
    progress.begin_folds({"lab": 2}, 2)
    clock[0] += 100.0
    progress.prepared("pet", 4, 9)
    progress.fold("lab", 1.0)
    progress.done("lab: 0.7")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar_with_the_same_words(monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr(_progress, "Console", lambda stderr: terminal)
    with ComparisonProgress(1) as progress:
        progress.prepared("pet_ct", 2, 4)
        progress.begin_folds({"pet_ct": 3}, 3)
        progress.fold("pet_ct", 60.0)
        progress.done("pet: auroc 0.7")
    shown = terminal.file.getvalue()
    assert "model 1 of 1 (PET + CT), fold 2 of 3, about 2 min left" in shown
    assert "scans (PET + CT)" in shown
    assert "pet: auroc 0.7\n" in shown


def test_one_is_no_plural():
    assert [counted(n, "fold") for n in (0, 1, 2)] == ["0 folds", "1 fold", "2 folds"]


def test_skipped_models_are_grouped_by_reason():
    def needs(*names):
        return f"FusionPFSClassifier needs {' and '.join(map(repr, names))}; the data have lab."

    reasons = {"pet": needs("pet"), "ct": needs("ct"), "x": "slow.", "pet_ct": needs("pet", "ct"), "y": "slow"}
    assert skipped_in_words(reasons, ["lab"]) == [
        "Skipped, as the cohort has no PET and no CT: PET, CT, PET + CT.",
        "Skipped (slow): x, y.",
    ]
    last = {"pet_ct_lab_pretrained": MODELS["pet_ct_lab_pretrained"].without}
    label = "PET + CT + labs (pretrained CT)"
    assert skipped_in_words(last, ["pet", "lab"]) == [f"Skipped, as the cohort has no CT: {label}."]
    for known in (["pet", "ct", "lab"], []):
        assert skipped_in_words(last, known) == [f"Skipped ({MODELS['pet_ct_lab_pretrained'].without}): {label}."]
    assert skipped_in_words({}, ["lab"]) == []
