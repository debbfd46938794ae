"""The commands as a user meets them."""

from __future__ import annotations

import html
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from prrt_estimators import model_selection
from prrt_estimators.cli import app
from prrt_estimators.cli._model_options import three
from prrt_estimators.persistence import load_model

pytestmark = pytest.mark.usefixtures("small_forests")

#: Every command, as the application has them.
COMMANDS = tuple(typer.main.get_command(app).commands)


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def table(tmp_path):
    """A table of laboratory values with a planted signal."""
    rng = np.random.default_rng(0)
    n = 36
    pfs = rng.uniform(2, 30, n)
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{k:02d}" for k in range(n)],
            "CgA [ug/L]": np.round(4000 / pfs + rng.uniform(0, 50, n), 1),
            "GGT [U/L]": np.round(rng.lognormal(4, 0.5, n), 1),
            "age": rng.integers(40, 80, n),
            "pfs_months": np.round(pfs, 1),
            "progressed": 1,
        }
    )
    path = tmp_path / "cohort.csv"
    frame.to_csv(path, index=False)
    return path


def compare(table, out, *more):
    return prrt("compare", table, "--out", out, "--models", "baseline_lab", "--repeats", 2, "--jobs", 1, *more)


def test_help_is_quick_and_names_every_command():
    code = (
        "import sys; from prrt_estimators.cli import app; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
    answer = prrt("--help")
    assert answer.exit_code == 0
    assert all(name in answer.stdout for name in COMMANDS)
    for name in COMMANDS:
        if hasattr(typer.main.get_command(app).commands[name], "commands"):
            continue  # a group
        assert "--debug" in prrt(name, "--help").stdout


def test_version():
    answer = prrt("--version")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("prrt-estimators ")


def test_compare_writes_everything_and_prints_a_table(table, tmp_path):
    out = tmp_path / "results"
    answer = compare(table, out)
    assert answer.exit_code == 0, answer.output
    header, row = answer.stdout.splitlines()
    assert header.split("\t")[:3] == ["model", "AUROC", "AUROC 95 % CI"]
    assert row.startswith("baseline_lab\t")
    assert "\x1b" not in answer.output
    assert "baseline_lab: auroc" in answer.stderr
    names = {path.name for path in out.iterdir()}
    assert {"scores.csv", "predictions.csv", "summary.csv", "run.json", "report.html", "figures"} <= names
    figures = {path.name for path in (out / "figures").iterdir()}
    for stem in ("auroc_auprc", "roc", "precision_recall", "kaplan_meier_cohort", "kaplan_meier_baseline_lab"):
        assert {f"{stem}.png", f"{stem}.svg"} <= figures
    summary = pd.read_csv(out / "summary.csv")
    assert summary["auroc_mean"].item() > 0.7
    assert (summary["n_repeats"].item(), summary["n_folds"].item()) == (2, 6)


def test_compare_again_runs_nothing(table, tmp_path):
    out = tmp_path / "results"
    assert compare(table, out, "--no-report", "-q").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in out.glob("folds/*/*.json")}
    again = compare(table, out, "--no-report")
    assert again.exit_code == 0
    assert "6 finished folds kept" in again.stderr
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("folds/*/*.json")}
    assert not (out / "report.html").exists()


def test_compare_says_once_and_why_models_are_skipped(table, tmp_path):
    options = ("--models", "paper", "--folds", 2, "--repeats", 1, "--jobs", 1)
    answer = prrt("compare", table, "--out", tmp_path / "r", *options)
    assert answer.exit_code == 0, answer.output
    lines = [line for line in answer.stderr.splitlines() if "skipped" in line.lower()]
    assert lines == [
        "Skipped, as the cohort has no PET and no CT: PET, CT, PET + CT, PET + labs, CT + labs, PET + CT + labs, "
        "PET + CT + labs (pretrained CT), Baseline: PET."
    ]
    assert answer.stdout.count("\tskipped") == 8
    page = (tmp_path / "r" / "report.html").read_text("utf-8")
    assert page.count(f"<li>{lines[0]}</li>") == 1
    assert "PETPFSClassifier needs" not in page
    assert "36 patients, 2 models (8 skipped)" in page


def test_quiet_is_quiet(table, tmp_path):
    assert compare(table, tmp_path / "r", "--no-report", "--quiet").stderr == ""


@pytest.mark.filterwarnings("always")
def test_warnings_of_reading_the_table_reach_run_json_and_report(table, tmp_path):
    pd.read_csv(table).drop(columns="progressed").to_csv(table, index=False)
    answer = compare(table, tmp_path / "r")
    assert answer.exit_code == 0, answer.output
    told = [line.removeprefix("Warning: ") for line in answer.stderr.splitlines() if line.startswith("Warning: ")]
    assert len(told) == 1
    assert "no column is recognised as the progression event" in told[0]
    assert json.loads((tmp_path / "r" / "run.json").read_text("utf-8"))["data"]["warnings"] == told
    page = html.unescape((tmp_path / "r" / "report.html").read_text("utf-8"))
    assert told[0] in page[page.index('<h2 id="patients">') : page.index('<h2 id="run">')]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--models", "baseline_lab", "--explain"), "nothing to explain: none of the models baseline_lab has a forest"),
        (("--models", "baseline_lab,pet", "--explain-model", "pet"), "pet has no result and is not explained."),
    ],
)
def test_nothing_to_explain_is_a_warning_after_the_results(table, tmp_path, options, said):
    answer = prrt("compare", table, "--out", tmp_path / "r", "--repeats", 1, "--jobs", 1, *options)
    assert answer.exit_code == 0, answer.output
    *_, results, last = answer.stderr.splitlines()
    assert results.startswith("Results: ")
    assert results.endswith("report.html")
    assert last.startswith(f"Warning: {said}")
    assert not (tmp_path / "r" / "explain").exists()


def test_a_failed_model_is_exit_code_1(table, tmp_path, monkeypatch):
    from prrt_estimators.estimators import LabBaselineClassifier

    def refuse(self, X, y, sample_weight=None):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(LabBaselineClassifier, "fit", refuse)
    answer = compare(table, tmp_path / "r", "--no-report")
    assert answer.exit_code == 1
    assert "baseline_lab: failed: RuntimeError: no such luck" in answer.stderr


def test_interruption_is_exit_code_130(table, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(model_selection, "compare_models", interrupt)
    answer = compare(table, tmp_path / "r")
    assert answer.exit_code == 130
    assert "Interrupted" in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "missing.csv", "--out", "OUT"], "missing.csv"),
        (["compare", "TABLE", "--out", "OUT", "--models", "mri"], "unknown: mri"),
        (["compare", "TABLE", "--out", "OUT", "--size", "4x4"], "--size"),
        (["compare", "TABLE", "--out", "OUT", "--time", "nowhere"], "nowhere"),
        (["compare", "TABLE", "--out", "OUT", "--models", "baseline_lab", "--folds", "30"], "Use no more folds"),
        (["compare", "TABLE"], "--out"),
        (["compare", "TABLE", "--out", "TABLE", "--models", "baseline_lab"], "is a file"),
        (["fit", "TABLE", "--out", "OUT", "--model", "mri"], "mri"),
        (
            ["fit", "TABLE", "--out", "OUT", "--model", "pet_ct_lab_pretrained"],
            "needs weights of a pretrained CT encoder",
        ),
        (["check", "missing.csv"], "missing.csv"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(words, said, table, tmp_path):
    places = {"TABLE": table, "OUT": tmp_path / "out"}
    answer = prrt(*(places.get(word, word) for word in words))
    assert answer.exit_code == 2, answer.output
    assert said in answer.stderr
    assert "Traceback" not in answer.output
    assert answer.stdout == ""


def test_debug_shows_where(table, tmp_path):
    answer = prrt("compare", table, "--out", tmp_path, "--models", "baseline_lab", "--folds", 30, "--debug")
    assert isinstance(answer.exception, ValueError)


def test_check_lists_problems_of_table_and_scans_at_once(table, tmp_path):
    frame = pd.read_csv(table)
    (tmp_path / "broken.nii.gz").write_bytes(b"not an image")
    frame["pet"] = ["broken.nii.gz", "gone.nii.gz"] + [None] * (len(frame) - 2)
    frame.loc[3, "pfs_months"] = -4
    frame.to_csv(table, index=False)
    answer = prrt("check", table)
    assert answer.exit_code == 1, answer.output
    header, *rows = [line.split("\t") for line in answer.stdout.splitlines()]
    assert header == ["patient", "column", "file", "problem", "remedy"]
    assert {row[0] for row in rows} == {"P00", "P01", "P03"}
    assert all(row[4] for row in rows)


def test_check_of_a_good_table(table):
    answer = prrt("check", table, "--quiet")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "Nothing is wrong with the 36 patients" in answer.stderr
    assert prrt("check", table, "--folds", 30).exit_code == 1


def test_columns_and_horizon_are_passed_on(table, tmp_path):
    out = tmp_path / "r"
    answer = compare(table, out, "--no-report", "--lab", "age,GGT [U/L]", "--horizon", 10, "--event", "none")
    assert answer.exit_code == 0, answer.output
    run = json.loads((out / "run.json").read_text())
    assert run["data"]["columns"] == ["age", "GGT [U/L]"]
    assert run["data"]["n_long"] == int((pd.read_csv(table)["pfs_months"] > 10).sum())


def test_boxes():
    assert three("48", int, "--size") == 48
    assert three("48x40x64", int, "--size") == (48, 40, 64)
    assert three("8,8,4.5", float, "--spacing") == (8.0, 8.0, 4.5)
    assert three(None, int, "--size") is None


def test_cache_commands(tmp_path):
    box = tmp_path / "cache" / "boxes" / "ab" / "cd.npy"
    box.parent.mkdir(parents=True)
    box.write_bytes(b"12345")
    answer = prrt("cache", "info", "--cache-dir", tmp_path / "cache")
    assert "volumes\t1" in answer.stdout
    assert "bytes\t5" in answer.stdout
    assert prrt("cache", "prune").exit_code == 2
    kept = prrt("cache", "prune", "--max-size", "1GB", "--max-days", 3, "--cache-dir", tmp_path / "cache")
    assert kept.stdout == "0 prepared scans deleted\n"
    assert prrt("cache", "clear", "--cache-dir", tmp_path / "cache").stdout == "1 prepared scans deleted\n"
    assert not box.exists()


def test_make_cohort_then_compare(tmp_path):
    answer = prrt("make-cohort", tmp_path / "c", "--patients", 12, "--size", 8)
    assert answer.exit_code == 0, answer.output
    assert len(pd.read_csv(tmp_path / "c" / "cohort.csv")) == 12
    assert prrt("make-cohort", tmp_path / "c", "--patients", 12, "--size", 8).exit_code == 2


@pytest.mark.parametrize("name", ["lab", "recommended_lesions_labs", "published_cga"])
def test_fit_then_predict_patients_with_and_without_outcome(table, tmp_path, name):
    model, out = tmp_path / "model", tmp_path / "predictions.csv"
    answer = prrt("fit", table, "--model", name, "--out", model)
    assert answer.exit_code == 0, answer.output
    assert "fitted on 36 patients" in answer.stderr
    assert prrt("predict", model, table, "--out", out, "--quiet").exit_code == 0
    predicted = pd.read_csv(out)
    assert predicted.columns.tolist() == ["patient_id", "p_long", "predicted"]
    assert predicted["patient_id"].tolist() == [f"P{k:02d}" for k in range(36)]
    threshold = getattr(load_model(model), "decision_threshold_", 0.5)
    assert ((predicted["p_long"] >= threshold) == (predicted["predicted"] == "long")).all()
    fresh = tmp_path / "one.csv"
    pd.read_csv(table).iloc[[7]].drop(columns=["pfs_months", "progressed"]).to_csv(fresh, index=False)
    answer = prrt("predict", model, fresh)
    assert answer.exit_code == 0, answer.output
    row = answer.stdout.splitlines()[1]
    assert row.split("\t")[0] == "P07"
    assert float(row.split("\t")[1]) == pytest.approx(predicted["p_long"][7], abs=1e-4)


def test_predict_with_a_model_that_is_none(table, tmp_path):
    (tmp_path / "model").write_text("not a model")
    answer = prrt("predict", tmp_path / "model", table)
    assert answer.exit_code == 2
    assert "Traceback" not in answer.output


@pytest.mark.filterwarnings("always")
def test_censored_patients_are_left_out_or_weighed_for(table, tmp_path):
    frame = pd.read_csv(table)
    frame.loc[frame["pfs_months"].lt(12).to_numpy().nonzero()[0][:3], "progressed"] = 0
    frame.to_csv(table, index=False)
    for way, weighted in (("drop", False), ("weight", True)):
        answer = compare(table, tmp_path / way, "--censored", way)
        assert answer.exit_code == 0, answer.output
        assert "3 of 36 patients were censored before 12 months" in answer.stderr
        run = json.loads((tmp_path / way / "run.json").read_text())
        assert (run["data"]["n_patients"], run["data"]["weighted"]) == (33, weighted)
        assert "left out: censored before 12 months" in (tmp_path / way / "report.html").read_text()


#: One of each family, and the two that a demo has to skip.
DEMONSTRATED = (
    "recommended_labs",
    "pet_ct_lab",
    "pet_ct_lab_pretrained",
    "baseline_lab",
    "published_inflammation",
    "published_ki67",
)


def test_demo_asks_for_every_model_and_goes_on(tmp_path, monkeypatch):
    from prrt_estimators.cli import _demo

    asked, run = [], _demo.run_comparison

    def with_few(data, out, *, models, **options):
        asked.append(list(models))
        return run(data, out, models=[name for name in models if name in DEMONSTRATED], **options)

    monkeypatch.setattr(_demo, "run_comparison", with_few)
    monkeypatch.setattr(_demo, "_PATIENTS", 16)
    monkeypatch.setattr(_demo, "_VOXELS", 8)
    words = (
        "demo",
        "--out",
        tmp_path / "d",
        "--epochs",
        1,
        "--folds",
        2,
        "--repeats",
        1,
        "--jobs",
        1,
        "--device",
        "cpu",
    )
    answer = prrt(*words)
    assert answer.exit_code == 0, answer.output
    rows = [line.split("\t") for line in answer.stdout.splitlines()[1:]]
    assert asked == [list(model_selection.MODEL_NAMES)]
    assert [row[0] for row in rows] == list(DEMONSTRATED)
    assert [row[0] for row in rows if row[1] == "skipped"] == ["pet_ct_lab_pretrained", "published_ki67"]
    page = (tmp_path / "d" / "report.html").read_text("utf-8")
    assert page.count("Simulated patients made by prrt demo, with a planted signal 2 times as strong") == 2
    again = prrt(*words, "--no-report")
    assert again.exit_code == 0
    assert "8 finished folds kept" in again.stderr
    assert again.stdout == answer.stdout
