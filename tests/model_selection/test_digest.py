"""Digests tell what numbers depend on, and nothing else."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.pipeline import make_pipeline

from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators import PETPFSClassifier
from prrt_estimators.metrics import prrt_scorers
from prrt_estimators.model_selection._digest import data_digest, digest, private_text, scorer_text, stable_text


def test_text_is_the_same_in_another_process():
    # A set of eight texts has an order of its own under nearly every seed of hashes.
    code = (
        "import numpy as np; from sklearn.ensemble import RandomForestClassifier;"
        "from sklearn.feature_selection import SelectKBest, f_classif; from sklearn.pipeline import make_pipeline;"
        "from prrt_estimators.model_selection._digest import stable_text;"
        "m = make_pipeline(SelectKBest(f_classif, k=2), RandomForestClassifier(class_weight={0: 1.0, 1: 2.0}));"
        "print(stable_text([m, np.arange(3.0), set('abcdefgh'), np.random.RandomState(3)]))"
    )
    seed = {"PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | seed).stdout
    with contextlib.redirect_stdout(io.StringIO()) as here:
        exec(code, {})
    assert there == here.getvalue()
    assert "RandomForestClassifier" in there


def test_parameters_count_unless_they_change_nothing_learnt():
    base = stable_text(RandomForestClassifier())
    assert stable_text(RandomForestClassifier(n_jobs=4, verbose=2)) == base
    assert stable_text(RandomForestClassifier(max_depth=3)) != base
    nested = stable_text(make_pipeline(LogisticRegression(C=1.0)))
    assert stable_text(make_pipeline(LogisticRegression(C=1.1))) != nested
    assert stable_text((1, 2)) != stable_text([1, 2])
    assert stable_text(np.array([1.0])) != stable_text(np.array([1.0], dtype=np.float32))


def test_modules_count_by_their_weights():
    torch.manual_seed(0)
    module = torch.nn.Linear(2, 2)
    before = stable_text(module)
    assert stable_text(module) == before
    with torch.no_grad():
        module.weight += 1
    assert stable_text(module) != before


def test_functions_count_by_name_and_lambdas_by_what_they_do():
    assert stable_text(np.log1p) == stable_text(np.log1p)
    assert stable_text(lambda x: x > 2) != stable_text(lambda x: x > 3)
    assert stable_text(partial(int, base=2)) != stable_text(partial(int, base=3))


def test_a_weight_file_with_other_content_is_another_parameter(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"one")
    before = stable_text(str(path))
    path.write_bytes(b"other")
    assert stable_text(str(path)) != before


def test_scorers_count_by_function_and_options():
    scorers = prrt_scorers()
    assert len({scorer_text(one) for one in scorers.values()}) == len(scorers)
    one = make_scorer(roc_auc_score, response_method="predict_proba")
    other = make_scorer(roc_auc_score, response_method="predict_proba", max_fpr=0.5)
    assert scorer_text(one) != scorer_text(other)


def test_digest_keeps_boundaries_and_types():
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(np.zeros((2, 3))) != digest(np.zeros((3, 2)))
    assert digest(np.array([], dtype=float)) != digest(np.array([], dtype=int))


def test_data_digest_reads_cells_exactly():
    y = np.array([0, 1])
    ids = ["a", "b"]

    def of(frame):
        return data_digest(Cohort({"lab": frame}, ids=ids), y, ids, None)[0]

    frame = pd.DataFrame({"x": [1.0, np.nan], "sex": ["m", None]})
    base = of(frame)
    assert of(frame.copy()) == base
    assert of(frame.rename(columns={"x": "z"})) != base
    assert of(frame.assign(sex=["m", "None"])) != base
    assert of(frame.assign(x=[np.nextafter(1.0, 2.0), np.nan])) != base
    assert of(frame[["sex", "x"]]) != base


def test_every_scan_counts_after_a_patient_without_one(tmp_path):
    scan = tmp_path / "b.nii"
    scan.write_bytes(b"one")
    X, ids = Cohort({"pet": [None, scan, None, tmp_path / "gone.nii"]}), ["P1", "P2", "P3", "P4"]
    before, missing = data_digest(X, np.array([0, 1, 0, 1]), ids, None)
    assert [one.patient for one in missing] == ["P4"]
    scan.write_bytes(b"other")
    assert data_digest(X, np.array([0, 1, 0, 1]), ids, None)[0] != before


def test_missing_scans_are_named(tmp_path):
    X = Cohort({"pet": [tmp_path / "a.nii", None]}, ids=["P1", "P2"])
    _, missing = data_digest(X, np.array([0, 1]), ["P1", "P2"], None)
    assert [(one.patient, one.column) for one in missing] == [("P1", "pet")]


def test_text_for_others_names_patients_not_paths(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    scan = tmp_path / "Doe_Jane" / "pet.nii.gz"
    X = Cohort({"pet": [scan]}, ids=["P1"])
    said = private_text(f"cannot read {scan}; looked in {tmp_path}/cache", X)
    assert said == "cannot read <pet of P1>; looked in ~/cache"


def test_keys_of_runs_that_were_begun_with_more_parameters_stay():
    text = (
        "prrt_estimators.PETPFSClassifier(augment='light', batch_size=8, class_weight='balanced', device='auto', "
        "dropout=0.2, early_stopping=False, embedding=32, encoder='compact', encoder_params=None, finetune='frozen', "
        "hidden=32, lr=0.001, lr_schedule='cosine', max_epochs=25, optimizer='adamw', patience=10, pos_label=None, "
        "precision='auto', pretrained_lr_factor=0.1, random_state=None, size=48, spacing=8.0, validation_fraction=0.2, "
        "weight_decay=0.01, weights=None, window=(0.0, 20.0))"
    )
    assert stable_text(PETPFSClassifier(encoder="compact")) == text
