"""Files of a run that were damaged on disk: made again, or refused by name; never read as results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from comparison_helpers import table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from prrt_estimators.exceptions import RunMismatchError
from prrt_estimators.model_selection import compare_models, load_comparison

MODELS = {"linear": LogisticRegression(), "strong": LogisticRegression(C=100.0)}


def run(out, **options):
    X, y = table(30)
    options = {"cv": StratifiedKFold(3, shuffle=True, random_state=0), **options}
    return compare_models(MODELS, X, y, out=out, verbose=0, **options)


def tables(out):
    return {
        name: (out / name).read_bytes() for name in ("scores.csv", "predictions.csv", "patients.csv", "summary.csv")
    }


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out"
    run(out)
    return out


@pytest.fixture
def finished(finished_once, tmp_path):
    return Path(shutil.copytree(finished_once, tmp_path / "out"))


def changed_digit(content):
    """Change one digit of the numbers, so that the file is as long and as well formed as before."""
    places = [k for k in range(len(content) // 2, len(content)) if content[k : k + 1].isdigit()]
    place = places[len(places) // 2]
    return content[:place] + (b"7" if content[place : place + 1] != b"7" else b"3") + content[place + 1 :]


HARMS = {
    "digit": changed_digit,
    "cut": lambda content: content[: len(content) * 2 // 3],
    "zeros": lambda content: content[:-40] + bytes(40),
    "empty": lambda content: b"",
    "no text": lambda content: b"\xff\xfe" + content,
    "deep": lambda content: b"[" * 100_000,
    "list": lambda content: b"[1]",
}


@pytest.mark.parametrize("kind", HARMS)
def test_a_damaged_fold_is_run_again(kind, finished):
    before = tables(finished)
    fold = finished / "folds" / "linear" / "0-1.json"
    scores = json.loads(fold.read_text())["y_score"]
    fold.write_bytes(HARMS[kind](fold.read_bytes()))
    run(finished)
    assert tables(finished) == before
    assert json.loads(fold.read_text())["y_score"] == scores


@pytest.mark.parametrize("file", ["scores.csv", "predictions.csv", "patients.csv", "run.json"])
@pytest.mark.parametrize("kind", ["digit", "cut", "zeros", "empty", "no text"])
def test_damaged_results_are_refused_and_made_again(kind, file, finished):
    before = tables(finished)
    (finished / file).write_bytes(HARMS[kind]((finished / file).read_bytes()))
    with pytest.raises(RunMismatchError, match="damaged"):
        load_comparison(finished)
    if file == "run.json":
        with pytest.raises(RunMismatchError, match=r"run\.json is damaged .* Delete this file"):
            run(finished)
        (finished / file).unlink()
    run(finished)
    assert tables(finished) == before
    load_comparison(finished)


@pytest.mark.parametrize("kind", HARMS)
def test_damaged_splits_are_refused(kind, finished):
    before = tables(finished)
    file = finished / "splits.json"
    file.write_bytes(HARMS[kind](file.read_bytes()))
    with pytest.raises(RunMismatchError, match=r"splits\.json is damaged .* Delete this file"):
        run(finished)
    file.unlink()
    run(finished)  # drawn again alike: the splitter has a seed
    assert tables(finished) == before


def test_splits_that_lack_something(finished):
    file = finished / "splits.json"
    stored = json.loads(file.read_text())
    stored.pop("digest_of_the_rest")  # as one of before
    for spoilt in (
        stored | {"splits": [{"repeat": 0}]},
        stored | {"n_patients": "many"},
        {"cv": stored["cv"]},
        stored | {"splits": 3},
    ):
        file.write_text(json.dumps(spoilt))
        with pytest.raises(RunMismatchError, match="damaged"):
            run(finished)


def test_a_run_of_before_digests_is_still_read(finished):
    expected = load_comparison(finished)
    for file in [finished / "run.json", finished / "splits.json", *finished.glob("folds/*/*.json")]:
        record = json.loads(file.read_text())
        record.pop("digest_of_the_rest")
        record.pop("files", None)
        file.write_text(json.dumps(record))
    found = load_comparison(finished)
    np.testing.assert_array_equal(found.predictions["y_score"], expected.predictions["y_score"])
    before = {fold: fold.read_bytes() for fold in finished.glob("folds/*/*.json")}
    run(finished)
    assert {fold: fold.read_bytes() for fold in finished.glob("folds/*/*.json")} == before


def test_a_summary_that_its_reader_touched_does_not_matter(finished):
    before = load_comparison(finished).summary()
    (finished / "summary.csv").write_text("opened and saved by a spreadsheet program")
    assert load_comparison(finished).summary().equals(before)


def test_half_written_figures_are_swept_by_the_next_run(finished):
    left = [
        finished / ".scores.prrt-99999999-0123abcd.csv",
        finished / "figures" / ".roc.prrt-99999999-0123abcd.png",
        finished / "folds" / "linear" / ".0-0.prrt-99999999-0123abcd.json",
        finished / "explain" / "maps" / ".a.prrt-99999999-0123abcd.png",
    ]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("half")
    run(finished)
    assert not any(file.exists() for file in left)
