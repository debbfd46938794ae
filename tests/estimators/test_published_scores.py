"""Published scores: each worked by hand, in whatever unit the table has."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort
from prrt_estimators.estimators import PublishedScoreClassifier, published_scores
from prrt_estimators.exceptions import MissingModalityError

TABLE = pd.DataFrame(
    {
        "CRP [mg/l]": [10.0, 10.1, 50.0, 3.0, np.nan],
        "Albumin (g/dl)": [3.5, 4.0, 3.4, 3.4, 4.0],
        "CgA": ["200", "201", "<20", "> 5000", None],
        "Ki-67 (%)": [5, 6, 1, 20, np.nan],
    }
)
POINTS = {
    "inflammation_index": [0, 1, 1, 1, np.nan],
    "glasgow": [0, 1, 2, 1, np.nan],
    "crp_albumin": [10 / 35, 10.1 / 40, 50 / 34, 3 / 34, np.nan],
    "cga_200": [0, 1, 0, 1, np.nan],
    "ki67_5": [0, 1, 0, 1, np.nan],
}


def fitted(score, table=TABLE):
    return PublishedScoreClassifier(name=score).fit(table, [0, 1, 0, 1, 1][: len(table)])


@pytest.mark.parametrize("score", published_scores()["score"])
def test_points_by_hand_and_falling_probability(score):
    model = fitted(score)
    np.testing.assert_allclose(model.points(TABLE), POINTS[score])
    long = model.predict_proba(TABLE)[:, 1]
    assert long[4] == 0.5
    order = np.argsort(POINTS[score][:4], kind="stable")
    assert (np.diff(long[:4][order]) <= 0).all()
    assert np.ptp(long[:4]) > 0.1


#: Probability of long PFS: 0.75 without a point, 0.25 with the most; of the ratio, 0.5 at a ratio of 1.
LONG = {
    "inflammation_index": [0.75, 0.25, 0.25, 0.25],
    "glasgow": [0.75, 0.5, 0.25, 0.5],
    "crp_albumin": [0.75 - 0.5 * ratio / (1 + ratio) for ratio in POINTS["crp_albumin"][:4]],
    "cga_200": [0.75, 0.25, 0.75, 0.25],
    "ki67_5": [0.75, 0.25, 0.75, 0.25],
}


@pytest.mark.parametrize("score", LONG)
def test_probabilities_by_hand(score):
    np.testing.assert_allclose(fitted(score).predict_proba(TABLE)[:4, 1], LONG[score])


def test_nothing_is_learnt():
    one = fitted("crp_albumin")
    other = PublishedScoreClassifier(name="crp_albumin").fit(TABLE, [1, 0, 1, 0, 0])
    np.testing.assert_array_equal(one.predict_proba(TABLE), other.predict_proba(TABLE))


def test_column_that_is_missing_is_named():
    with pytest.raises(MissingModalityError, match="no ki67"):
        fitted("ki67_5", TABLE.drop(columns="Ki-67 (%)"))
    with pytest.raises(MissingModalityError, match="needs 'lab'"):
        PublishedScoreClassifier().fit(Cohort({"pet": np.zeros((2, 1, 4, 4, 4))}), [0, 1])


def test_every_score_has_its_source():
    table = published_scores()
    assert table["source"].str.contains(r"20\d\d.*n = \d+").all()
