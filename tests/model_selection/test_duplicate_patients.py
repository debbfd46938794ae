"""One person under two ids is refused, or kept together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import CohortError
from prrt_estimators.model_selection import RepeatedStratifiedGroupKFold, compare_models
from prrt_estimators.model_selection._duplicate_patients import find_twins


def noise(n: int = 40) -> tuple[pd.DataFrame, np.ndarray]:
    """Every person twice, under two ids, with values that have nothing to do with the class."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n // 2, 8)), columns=[f"x{k}" for k in range(8)])
    y = rng.permutation(np.tile([0, 1], n // 4))
    return pd.concat([frame, frame], ignore_index=True), np.tile(y, 2)


def test_the_same_values_under_two_ids_are_refused_and_score_at_chance_in_groups():
    frame, y = noise()
    models = {"neighbour": KNeighborsClassifier(1)}
    with pytest.raises(CohortError, match="have the same row of values") as caught:
        compare_models(models, frame, y, cv=4, verbose=0)
    assert len(caught.value.problems) == 20
    person = np.tile(np.arange(20), 2)
    grouped = compare_models(models, frame, y, groups=person, verbose=0)
    assert 0.3 < grouped.scores["auroc"].mean() < 0.7
    # Without the check the model would have known the answer.
    leaking = compare_models(models, frame.to_numpy(), y, cv=4, verbose=0)
    assert leaking.scores["auroc"].mean() > 0.85


def test_the_same_scan_under_two_names_is_found_by_its_content(tmp_path):
    rng = np.random.default_rng(1)
    paths = []
    for k in range(6):
        paths.append(tmp_path / f"scan_{k}.nii.gz")
        paths[-1].write_bytes(rng.bytes(5000))
    paths[4].write_bytes(paths[1].read_bytes())
    X = Cohort({"ct": [*paths, None]}, ids=list("abcdefg"))
    assert find_twins(X) == [("CT scan", "ct", (1, 4))]
    with pytest.raises(CohortError, match="b and e have the same CT scan"):
        compare_models({"a": LogisticRegression()}, X, [0, 1, 0, 1, 0, 1, 1], cv=2, verbose=0)


def test_arrays_count_by_patient_and_empty_ones_do_not_count():
    rng = np.random.default_rng(2)
    array = rng.normal(size=(5, 1, 4, 4, 4)).astype(np.float32)
    array[3] = array[0]
    assert find_twins(Cohort({"pet": array})) == [("PET scan", "pet", (0, 3))]
    array[:] = 0
    assert find_twins(Cohort({"pet": array})) == []


def test_patients_who_agree_in_a_few_values_are_not_one():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.integers(0, 2, size=(60, 8)))  # sexes, grades: the same rows by chance
    assert find_twins(frame) == []
    assert find_twins(pd.DataFrame(rng.normal(size=(60, 4)).round(1))) == []


def test_groups_that_a_splitter_tears_apart_are_refused():
    frame, y = noise()
    person = np.tile(np.arange(20), 2)
    torn = list(StratifiedKFold(2).split(frame, y))
    with pytest.raises(ValueError, match=r"trains and tests on the same \d+ groups"):
        compare_models({"a": LogisticRegression()}, frame, y, groups=person, cv=torn, verbose=0)


def test_repeats_keep_persons_together_and_differ():
    y, person = np.tile([0, 0, 1, 1], 9), np.arange(36) // 2
    cv = RepeatedStratifiedGroupKFold(n_splits=3, n_repeats=2, random_state=5)
    tests = [frozenset(test.tolist()) for _, test in cv.split(np.zeros(36), y, person)]
    assert len(set(tests)) == 6
    for repeat in (tests[:3], tests[3:]):
        assert sorted(row for test in repeat for row in test) == list(range(36))
        assert all({person[row] for row in test}.isdisjoint(person[list(set(range(36)) - test)]) for test in repeat)
    assert repr(cv) == "RepeatedStratifiedGroupKFold(n_repeats=2, n_splits=3, random_state=5)"
