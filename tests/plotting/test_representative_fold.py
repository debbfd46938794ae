import numpy as np
import pandas as pd
import pytest

from prrt_estimators.plotting import representative_fold


@pytest.fixture
def scores():
    return pd.DataFrame(
        {
            "model": ["pet"] * 5 + ["lab"] * 4,
            "repeat": [0, 0, 0, 1, 1, 0, 0, 1, 1],
            "fold": [0, 1, 2, 0, 1, 0, 1, 0, 1],
            "auroc": [0.5, 0.9, 0.6, 0.7, np.nan, 0.8, 0.4, 0.5, 0.6],
            "brier": [0.1, 0.2, 0.3, 0.3, 0.3, 0.1, 0.2, 0.3, 0.4],
        }
    )


def test_the_median_worked_by_hand(scores):
    # pet: 0.5, 0.6, 0.7, 0.9 (one fold without a score) -> the lower middle one, 0.6.
    assert representative_fold(scores, "pet") == (0, 2)
    assert representative_fold(scores, "lab") == (1, 0)
    assert representative_fold(scores.iloc[:3], "pet") == (0, 2)


def test_the_earliest_of_equal_scores(scores):
    assert representative_fold(scores, "pet", metric="brier") == (0, 2)
    assert representative_fold(scores.iloc[::-1], "pet", metric="brier") == (0, 2)


def test_what_is_missing_is_named(scores):
    with pytest.raises(ValueError, match="model 'ct' has no auroc; models with scores: pet, lab"):
        representative_fold(scores, "ct")
    with pytest.raises(ValueError, match="lacks the column"):
        representative_fold(scores, "pet", metric="auprc")
