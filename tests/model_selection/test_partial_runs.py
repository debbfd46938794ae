"""Parts of a comparison, in any order, interrupted and at once, end with the bytes of one run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from prrt_estimators.model_selection import RunInProgressError, compare_models, compare_part, missing_parts
from prrt_estimators.model_selection._run_store import RunStore

RESULTS = ("scores.csv", "predictions.csv", "summary.csv")


class Interrupted(LogisticRegression):
    """Breaks off the first time that it is fitted."""

    def fit(self, X, y, sample_weight=None):
        if not TOLD:
            TOLD.append(True)
            raise KeyboardInterrupt
        return super().fit(X, y, sample_weight)


TOLD: list[bool] = []


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 15)
    return rng.normal(size=(45, 3)) + y[:, None], y


def models(logistic=LogisticRegression):
    return {"forest": RandomForestClassifier(n_estimators=5), "logistic": logistic()}


def content(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 2, 1, 3)])
def test_the_last_part_writes_what_one_run_writes(order, data, tmp_path):
    compare_models(models(), *data, cv=3, out=tmp_path / "whole", verbose=0)
    for place, number in enumerate(order):
        assert not (tmp_path / "parts" / "summary.csv").exists()
        done = compare_part(models(), *data, part=(number, 4), cv=3, out=tmp_path / "parts", verbose=0)
        assert done is (place == 3)
        assert missing_parts(tmp_path / "parts") == sorted(set(order[place + 1 :]))
    assert content(tmp_path / "parts") == content(tmp_path / "whole")
    names = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("parts", "whole")]
    assert names[0] == names[1]


def test_a_part_runs_its_own_folds_only(data, tmp_path):
    compare_part(models(), *data, part=(2, 3), cv=3, out=tmp_path, verbose=0)
    assert len(list(tmp_path.glob("folds/*/*.json"))) == 2  # two models, three folds, three parts


def test_a_part_that_was_interrupted_is_called_again(data, tmp_path):
    TOLD.clear()
    compare_models(models(), *data, cv=3, out=tmp_path / "whole", verbose=0)
    with pytest.raises(KeyboardInterrupt):
        compare_part(models(Interrupted), *data, part=(1, 2), cv=3, out=tmp_path / "parts", verbose=0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("folds/*/*.json")}
    assert before
    assert missing_parts(tmp_path / "parts") == []  # nothing has finished, so nothing is known of parts
    for number in (1, 2):
        compare_part(models(Interrupted), *data, part=(number, 2), cv=3, out=tmp_path / "parts", verbose=0)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    one, other = (content(tmp_path / name) for name in ("whole", "parts"))
    assert one["predictions.csv"] == other["predictions.csv"]


def test_a_splitter_without_a_seed_is_drawn_once_for_all_parts(data, tmp_path):
    from sklearn.model_selection import StratifiedKFold

    for number in (1, 2):
        cv = StratifiedKFold(3, shuffle=True)
        compare_part(models(), *data, part=(number, 2), cv=cv, out=tmp_path, verbose=0)
    rows = [line.split(",")[:4] for line in (tmp_path / "predictions.csv").read_text().splitlines()[1:]]
    for _, group in itertools.groupby(rows, key=lambda row: row[0]):
        assert sorted(int(row[3]) for row in group) == list(range(45))


def test_two_processes_cannot_run_one_part_but_can_run_two(data, tmp_path):
    store = RunStore(tmp_path)
    with store.locked(part=(1, 2)):
        assert store.parts_at_work() == ["1 of 2"]
        with pytest.raises(RunInProgressError, match="part 1 of 2"), store.locked(part=(1, 2)):
            pass
        assert compare_part(models(), *data, part=(2, 2), cv=3, out=tmp_path, verbose=0) is False
    assert compare_part(models(), *data, part=(1, 2), cv=3, out=tmp_path, verbose=0) is True


def test_wrong_parts_are_named(data, tmp_path):
    for part in [(0, 2), (3, 2), "3/8", None, (1,)]:
        with pytest.raises(ValueError, match="`part` must be"):
            compare_part(models(), *data, part=part, cv=3, out=tmp_path, verbose=0)
    compare_part(models(), *data, part=(1, 3), cv=3, out=tmp_path, verbose=0)
    with pytest.raises(ValueError, match="must be one of 3 parts"):
        compare_part(models(), *data, part=(2, 4), cv=3, out=tmp_path, verbose=0)
