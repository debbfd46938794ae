"""The model card: what it says, and what nobody can work out from it."""

from __future__ import annotations

import hashlib
import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
from saved_model_helpers import parts_of
from typer.testing import CliRunner

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    CTPretrainer,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    compare_models,
    load_comparison,
    load_model,
    save_model,
)
from prrt_estimators.cli import app
from prrt_estimators.persistence import _card, read_model_card
from prrt_estimators.persistence._cohort_summary import describe_cohort
from prrt_estimators.persistence._performance import check_compared, describe_performance
from prrt_estimators.persistence._small_cells import suppress
from prrt_estimators.pretrained import WEIGHTS, _saved_branches

SECTIONS = [
    "Intended use",
    "What it takes and gives",
    "How it was trained",
    "Patients it was fitted on",
    "Performance",
    "Limits",
    "Pretrained weights",
    "How to load it",
]


def cohort(n: int = 60, *, seed: int = 0) -> tuple[Cohort, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.array([0, 1, 1] * (n // 3))
    lab = pd.DataFrame(
        {
            "CgA": np.round(rng.lognormal(5, 1, n) * (2 - y), 3),
            "ALT": rng.uniform(10, 60, n),
            "sex": rng.permutation(["m", "f"] * (n // 2)),
        }
    )
    return Cohort({"lab": lab}, ids=[f"Erika-{k}" for k in range(n)]), y


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    X, y = cohort()
    folder = tmp_path_factory.mktemp("comparison")
    models = {"lab": LabPFSClassifier(model="logistic"), "baseline_lab": LabBaselineClassifier()}
    compare_models(models, X, y, cv=3, out=folder, verbose=0)
    return folder


# Small cells --------------------------------------------------------------------------------------------------------


def possible(texts: dict[str, str], total: int) -> dict[str, set[int]]:
    """Return every number that each hidden count could be, by trying all of them."""
    shown = {name: int(text) for name, text in texts.items() if text.isdigit()}
    hidden = [name for name in texts if name not in shown]
    rest = total - sum(shown.values())
    ranges = [range(1, 5) if texts[name] == "<5" else range(5, rest + 1) for name in hidden]
    fits = [one for one in itertools.product(*ranges) if sum(one) == rest]
    return {name: {one[k] for one in fits} for k, name in enumerate(hidden)}


def test_no_small_count_can_be_worked_out():
    tried = 0
    for k in (2, 3, 4):
        for counts in itertools.product([0, 1, 2, 4, 5, 6, 9], repeat=k):
            named = {f"c{j}": count for j, count in enumerate(counts)}
            texts = suppress(named)
            small = {name for name, count in named.items() if 0 < count < 5}
            if texts is None:
                assert small
                continue
            assert {name for name, text in texts.items() if text == "<5"} == small
            assert all(text in ("<5", "not shown", str(named[name])) for name, text in texts.items())
            guesses = possible(texts, sum(counts))
            for name in small:
                assert named[name] in guesses[name]
                assert len(guesses[name]) > 1, (counts, texts)
            if not small:
                assert list(texts.values()) == [str(count) for count in counts]
            tried += bool(small)
    assert tried > 1000


def test_no_more_is_withheld_than_needed():
    assert suppress({"f": 58, "m": 58}) == {"f": "58", "m": "58"}
    assert suppress({"a": 2, "b": 40, "c": 30, "d": 50}) == {"a": "<5", "b": "40", "c": "not shown", "d": "50"}
    assert suppress({"a": 2, "b": 3, "c": 30}) == {"a": "<5", "b": "<5", "c": "30"}
    assert suppress({"a": 4, "b": 4, "c": 30}) == {"a": "<5", "b": "<5", "c": "not shown"}
    assert suppress({"a": 0, "b": 30}) == {"a": "0", "b": "30"}
    assert suppress({"a": 3}) is None


# Patients -----------------------------------------------------------------------------------------------------------


def rows_of(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Return the cells of the table of a cohort by input."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {name: (values, missing) for name, values, missing in cells[2:]}


def test_a_cohort_worked_by_hand():
    n = 40
    table = pd.DataFrame(
        {
            "CgA": [*np.arange(1.0, 38), None, None, None],
            "GGT": ["<20"] * 10 + ["100"] * 20 + [None] * 10,
            "few": [1.5, 2.5, 3.5] + [None] * 37,
            "sex": ["m"] * 22 + ["f"] * 18,
            "site": ["Berlin"] * 20
            + ["Bonn"] * 14
            + ["Erika's house", "Haus 2", "Haus 3", "Haus 4", "Haus 5", "Haus 6"],
            "flag": [1] * 2 + [0] * 38,
        }
    )
    present = np.zeros((n, 1, 1, 1, 1))
    present[:12] = np.nan
    y = np.array([0] * 14 + [1] * 26)
    lines = describe_cohort(Cohort({"pet": present, "ct": np.zeros((n, 1, 1, 1, 1)), "lab": table}), y)
    assert lines[0] == "Patients: 40. Short PFS: 14 (35 %); long PFS: 26 (65 %)."
    rows = rows_of(lines)
    assert rows["PET"] == ("scan", "12 (30 %)")
    assert rows["CT"] == ("scan", "0")
    assert rows["`CgA`"] == ("median 19 (quartiles 10 to 28)", "<5")
    assert rows["`GGT`"] == ("`100` 20 (50 %), `<20` 10 (25 %)", "10 (25 %)")
    # Of three values neither they nor how many lack it is shown: 37 would tell of the three.
    assert rows["`few`"] == ("too few to show", "not shown")
    assert rows["`sex`"] == ("`m` 22 (55 %), `f` 18 (45 %)", "0")
    assert rows["`site`"] == ("`Berlin` 20 (50 %), `Bonn` 14 (35 %), other 6 (15 %)", "0")
    assert rows["`flag`"] == ("`0` not shown, other <5", "0")
    assert "Erika" not in "\n".join(lines)


@pytest.mark.filterwarnings("ignore:patient 0, 1, 2 and 17 more:prrt_estimators.exceptions.CohortWarning")
def test_only_what_the_model_takes_is_described(tmp_path):
    X, y = cohort()
    absent = np.zeros((len(y), 1, 4, 4, 4))
    absent[:20] = np.nan
    whole = Cohort({"pet": absent, "ct": np.zeros((len(y), 1, 4, 4, 4)), "lab": X["lab"]})
    fusion = FusionPFSClassifier(modalities=("ct", "lab"), max_epochs=1, size=8, spacing=30.0, device="cpu")
    for estimator, expected in (
        (LabPFSClassifier(model="logistic"), {"`CgA`", "`ALT`", "`sex`"}),
        (fusion, {"CT", "`CgA`", "`ALT`", "`sex`"}),
        (PETBaselineClassifier(size=8, spacing=30.0), {"PET"}),
    ):
        card = read_model_card(save_model(estimator.fit(whole, y), tmp_path / "model.prrt", X=whole, y=y))
        _, _, patients = card.partition("## Patients it was fitted on")
        assert set(rows_of(patients.partition("\n## ")[0].splitlines())) == expected


def test_numbers_are_rounded():
    values = [1234.567] * 12 + [0.0123456] * 12 + [77.7777] * 12
    ((shown, _),) = rows_of(describe_cohort(pd.DataFrame({"x": values}), None)).values()
    assert shown == "median 78 (quartiles 0.012 to 1200)"


@pytest.mark.parametrize("short", [0, 1, 3, 4, 5, 20])
def test_a_small_class_hides_the_other(short):
    y = np.array([0] * short + [1] * (40 - short))
    (line,) = describe_cohort(None, y)
    if short == 0:
        assert line == "Patients: 40. How many of each class is not shown."
    elif short < 5:
        assert line == "Patients: 40. Short PFS: <5; long PFS: not shown."
    else:
        assert line.startswith(f"Patients: 40. Short PFS: {short} (")


def test_of_four_patients_nothing_is_shown():
    lines = describe_cohort(pd.DataFrame({"Erika": [1, 2, 3, 4]}), [0, 1, 0, 1])
    assert lines == ["Patients: <5. Nothing else is shown of so few."]


def test_every_kind_of_X_is_counted():
    for X in (np.zeros((9, 2)), np.zeros((9, 1, 4, 4, 4)), {"lab": np.zeros((9, 2))}, pd.DataFrame({"a": range(9)})):
        assert describe_cohort(X, None)[0] == "Patients: 9."
    assert describe_cohort(None, None) is None
    with pytest.raises(ValueError, match="X holds 9 patients and y 8"):
        describe_cohort(np.zeros((9, 2)), np.zeros(8))


def test_names_of_columns_cannot_break_the_table():
    table = pd.DataFrame({"a|b`c\n# d": np.arange(12.0)})
    lines = describe_cohort(table, None)
    assert lines[-1].startswith("| `a/b'c # d` | median")
    assert lines[-1].count("|") == 4


# The card -----------------------------------------------------------------------------------------------------------


def sections(card: str) -> dict[str, str]:
    parts = re.split(r"^## (.*)\n\n", card, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_card_lies_inside_and_beside_the_file(tmp_path):
    X, y = cohort()
    path = save_model(LabBaselineClassifier().fit(X, y), tmp_path / "model.prrt", X=X, y=y, horizon=9)
    beside = (tmp_path / "model.prrt.md").read_text("utf-8")
    card = read_model_card(path)
    assert parts_of(path)["card.md"].decode() == card
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert beside == f"{card}\nSHA-256 of model.prrt: `{digest}`\n"
    found = sections(card)
    assert list(found) == SECTIONS
    assert "longer than 9 months" in found["Intended use"]
    assert "not a medical device" in found["Intended use"]
    assert "`CgA`, `ALT`, `sex`" in found["What it takes and gives"]
    assert "uses cga_uln" in found["What it takes and gives"]
    assert "Patients: 60. Short PFS: 20 (33 %); long PFS: 40 (67 %)." in found["Patients it was fitted on"]
    assert found["Performance"].startswith("Not evaluated.")
    assert found["Pretrained weights"].strip() == "None."
    assert "load_model('model.prrt')" in found["How to load it"]
    assert "Erika" not in beside
    for number in X["lab"]["CgA"]:
        assert str(number) not in beside


def test_what_is_not_given_is_said(tmp_path):
    X, y = cohort()
    card = read_model_card(save_model(LabPFSClassifier(n_estimators=3).fit(X, y), tmp_path / "m"))
    found = sections(card)
    assert found["Patients it was fitted on"].startswith("Not stated.")
    assert "12 months unless" in found["Intended use"]
    assert "n_estimators = `3`" in found["How it was trained"]
    assert "max_depth" not in found["How it was trained"]


def test_the_code_on_the_card_runs(tmp_path, monkeypatch):
    X, y = cohort()
    save_model(LabPFSClassifier(model="logistic").fit(X, y), tmp_path / "model.prrt")
    X["lab"].assign(patient_id=X.ids, pfs=np.where(y, 20.0, 5.0), event=1).to_csv(tmp_path / "cohort.csv", index=False)
    (block,) = re.findall(r"^```python\n(.*?)^```$", read_model_card(tmp_path / "model.prrt"), flags=re.M | re.S)
    monkeypatch.chdir(tmp_path)
    *before, last = block.strip().splitlines()
    names: dict = {}
    exec("\n".join([*before, f"p = {last}"]), names)
    assert names["p"].shape == (60, 2)


@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.PretrainingOverlapWarning")
def test_licences_of_pretrained_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))
    X, y = np.random.default_rng(0).normal(size=(8, 1, 8, 8, 8)), [0, 1] * 4
    pretrainer = CTPretrainer(max_epochs=1, random_state=0).fit(X)
    card = read_model_card(save_model(pretrainer, tmp_path / "pre.prrt", X=X))
    assert "from the CTs that it was fitted on" in sections(card)["Pretrained weights"]
    assert "model.transform(" in card
    assert "prrt predict" not in card
    model = CTPFSClassifier(weights=pretrainer.weights_, max_epochs=1, random_state=0).fit(X, y)
    card = read_model_card(save_model(model, tmp_path / "m.prrt"))
    assert "licence is not known" in sections(card)["Pretrained weights"]
    assert model.branches_["ct"].source.digest in card
    # The same as if the weights had been published ones.
    branch = {**_saved_branches.describe_branch(model.branches_["ct"]), "label": "merlin", "finetune": "full"}
    shown = _card._branch("ct", branch)
    assert (shown["known"], shown["trained"]) == (WEIGHTS["merlin"], "trained further")


# Performance --------------------------------------------------------------------------------------------------------


def test_scores_come_from_the_comparison(compared, tmp_path):
    X, y = cohort()
    comparison = load_comparison(compared)
    model = LabPFSClassifier(model="logistic", random_state=3, n_jobs=1).fit(X, y)
    path = save_model(model, tmp_path / "m.prrt", X=X, y=y, comparison=comparison, model="lab")
    said = sections(read_model_card(path))["Performance"]
    row = comparison.summary().loc["lab"]
    assert f"| AUROC | {row['auroc_mean']:.3f} |" in said
    assert (
        f"such a model: {row['auroc_mean']:.2f} with a 95 % interval, corrected for overlapping training sets, of"
        in said
    )
    assert f" {row['auroc_low']:.2f} to {row['auroc_high']:.2f}" in said
    assert "from baseline_lab: " in said
    assert f"{row['auroc_difference']:+.3f}" in said
    assert f"| AUPRC long | {row['auprc_mean']:.3f} |  | {row['auprc_chance']:.2f} |" in said
    assert "3 models with these settings were fitted in the one repeat" in said
    assert "are those that it was fitted on" in said
    assert "This model itself was not tested" in said
    other, _ = cohort(30)
    assert "other patients" in "\n".join(describe_performance(model, comparison, "lab", other))
    assert "not known here" in "\n".join(describe_performance(model, comparison, "lab", X["lab"]))


def test_scores_of_another_model_are_refused(compared, tmp_path):
    X, y = cohort()
    comparison = load_comparison(compared)
    model = LabPFSClassifier(model="logistic", C=0.1).fit(X, y)
    with pytest.raises(ValueError, match=r"with other settings \(C 1\.0 there, 0\.1 here\)"):
        save_model(model, tmp_path / "m", comparison=comparison, model="lab")
    with pytest.raises(ValueError, match="one of lab, baseline_lab, the models of the comparison; got None"):
        save_model(model, tmp_path / "m", comparison=comparison)
    with pytest.raises(ValueError, match="is a LabBaselineClassifier, but this model is a LabPFSClassifier"):
        save_model(model, tmp_path / "m", comparison=comparison, model="baseline_lab")
    assert list(tmp_path.iterdir()) == []
    assert check_compared(LabPFSClassifier(model="logistic", random_state=9), comparison, "lab") == "lab"


def test_a_model_that_was_skipped_was_not_evaluated(compared):
    comparison = load_comparison(compared)
    comparison.run["models"]["lab"] = {"status": "skipped", "reason": "Erika"}
    comparison.status.loc[comparison.status["model"] == "lab", "status"] = "skipped"
    lines = describe_performance(LabPFSClassifier(), comparison, "lab")
    assert lines == ["Not evaluated: in the comparison this model was skipped."]


def test_the_prevalence_does_not_tell_a_small_class(compared):
    comparison = load_comparison(compared)
    few = comparison.survival["y_true"].to_numpy().copy()
    few[:] = 1
    few[:3] = 0
    comparison.survival["y_true"] = few
    said = "\n".join(describe_performance(LabPFSClassifier(model="logistic"), comparison, "lab"))
    assert "0.95" not in said
    assert said.count("| not shown |") == 3  # AUPRC of both classes, and the Brier score of the prevalence


# The command ----------------------------------------------------------------------------------------------------------


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_fit_takes_scores_from_a_comparison(tmp_path):
    X, y = cohort()
    file = tmp_path / "cohort.csv"
    X["lab"].assign(patient_id=X.ids, pfs_months=np.where(y, 20.0, 5.0), progressed=1).to_csv(file, index=False)
    run = tmp_path / "run"
    answer = prrt("compare", file, "--out", run, "--models", "baseline_lab", "--repeats", 1, "--jobs", 1, "--no-report")
    assert answer.exit_code == 0, answer.output
    target = tmp_path / "model.prrt"
    answer = prrt("fit", file, "--model", "baseline_lab", "--out", target, "--results", run, "-q")
    assert answer.exit_code == 0, answer.output
    assert "model.prrt.md" in answer.stderr
    said = sections(read_model_card(target))
    assert "95 % interval, corrected for overlapping training sets," in said["Performance"]
    assert "are those that it was fitted on" in said["Performance"]
    assert "longer than 12 months" in said["Intended use"]
    np.testing.assert_allclose(load_model(target).predict_proba(X).sum(axis=1), 1)
    answer = prrt("predict", target, file, "-q")
    assert answer.exit_code == 0, answer.output
    assert len(answer.stdout.splitlines()) == 61


def test_fit_refuses_other_scores_before_it_fits(tmp_path, compared, monkeypatch):
    X, y = cohort()
    file = tmp_path / "cohort.csv"
    X["lab"].assign(patient_id=X.ids, pfs_months=np.where(y, 20.0, 5.0), progressed=1).to_csv(file, index=False)
    monkeypatch.setattr(LabPFSClassifier, "fit", lambda *a, **k: pytest.fail("it was fitted"))
    answer = prrt("fit", file, "--model", "lab", "--out", tmp_path / "m", "--results", compared, "-q")
    assert answer.exit_code == 2
    assert "other settings" in answer.stderr
    answer = prrt("fit", file, "--model", "lab", "--out", tmp_path / "m", "--results", tmp_path, "-q")
    assert answer.exit_code == 2
    assert "no finished comparison" in answer.stderr


def test_fit_into_a_folder_names_the_file_after_the_model(tmp_path):
    X, y = cohort()
    file = tmp_path / "cohort.csv"
    X["lab"].assign(patient_id=X.ids, pfs_months=np.where(y, 20.0, 5.0), progressed=1).to_csv(file, index=False)
    (tmp_path / "models").mkdir()
    assert prrt("fit", file, "--model", "baseline_lab", "--out", tmp_path / "models", "-q").exit_code == 0
    assert sorted(one.name for one in (tmp_path / "models").iterdir()) == ["baseline_lab.prrt", "baseline_lab.prrt.md"]


def test_the_configuration_is_plain_json(tmp_path):
    X, y = cohort()
    path = save_model(LabPFSClassifier(n_estimators=3).fit(X, y), tmp_path / "m")
    config = json.loads(parts_of(path)["model.json"], parse_constant=lambda name: pytest.fail(name))
    assert config["class"] == "LabPFSClassifier"
    assert config["classes"]["values"] == [0, 1]
