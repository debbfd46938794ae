"""Columns that hold the outcome under the name of something else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators.datasets import check_cohort, load_cohort
from prrt_estimators.datasets._outcome_copies import copies_of_outcome
from prrt_estimators.exceptions import CohortWarning

N = 60


def table(seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(N)], "age": rng.integers(40, 80, N), "albumin_g_l": rng.normal(40, 3, N),
            "sex": rng.choice(["m", "f"], N), "pfs_months": rng.permutation(np.r_[rng.uniform(1, 11, 22), rng.uniform(13, 40, 38)]),
            "progressed": 1,
        }
    )  # fmt: skip


COPIES = {
    "class": lambda y, t, rng: 30 + y,
    "class turned": lambda y, t, rng: 41 - y,
    "class with noise": lambda y, t, rng: 30 + y + rng.normal(0, 0.2, N),
    "time": lambda y, t, rng: t,
    "rank of time": lambda y, t, rng: t.rank(),
    "time turned": lambda y, t, rng: 100 - t,
    "time with noise": lambda y, t, rng: 40 + t + rng.normal(0, 0.5, N),
    "time up to two years": lambda y, t, rng: t.clip(upper=24),
    "a label per class": lambda y, t, rng: np.where(y == 1, rng.integers(1, 4, N), rng.integers(4, 7, N)),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_the_outcome_is_warned_of(name):
    frame = table()
    y, t = (frame["pfs_months"] > 12).astype(int), frame["pfs_months"]
    frame["albumin_g_l"] = COPIES[name](y, t, np.random.default_rng(1))
    with pytest.warns(CohortWarning, match="'albumin_g_l' alone separates long from short PFS with an AUROC of"):
        load_cohort(frame, verbose=False)
    with pytest.warns(CohortWarning, match="leave it out if that was after therapy began"):
        check_cohort(frame)


def test_levels_that_go_with_the_class_are_warned_of():
    frame = table()
    frame["grade"] = np.where(frame["pfs_months"] > 12, "G1", "G2")
    with pytest.warns(CohortWarning, match="'grade' alone separates"):
        load_cohort(frame, verbose=False)


def test_noise_a_strong_predictor_and_few_patients_are_not():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 20).astype(float)
    for seed in range(200):
        columns = pd.DataFrame(np.random.default_rng(seed).normal(size=(N, 5)))
        columns["text"] = np.random.default_rng(seed).choice(list("abcdefgh"), N)
        assert copies_of_outcome(columns, y) == []
    assert copies_of_outcome(pd.DataFrame({"strong": rng.normal(size=N) + 1.5 * y}), y) == []
    assert copies_of_outcome(pd.DataFrame({"identifier": [f"x{k}" for k in range(N)]}), y) == []
    assert copies_of_outcome(pd.DataFrame({"copy": y[:39]}), y[:39]) == [], "39 patients"
    rare = np.r_[np.zeros(4), np.ones(56)]
    assert copies_of_outcome(pd.DataFrame({"copy": rare}), rare) == [], "four of a class"
    some = np.where(np.arange(N) % 4, y, np.nan)
    assert len(copies_of_outcome(pd.DataFrame({"copy": some}), y)) == 1, "patients without the value do not count"
