"""Bars of coefficients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from prrt_estimators import Cohort
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier
from prrt_estimators.plotting import CoefficientDisplay


def first(X):
    return X["lab"][["CgA", "CRP"]]


def second(X):
    return X["lab"][["heat_of_lesions"]]


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(90, 3)), columns=["CgA", "CRP", "heat_of_lesions"])
    months = 16 * np.exp(-0.9 * X["CgA"] - 0.8 * X["heat_of_lesions"]).to_numpy() * rng.exponential(size=90)
    return Cohort({"lab": X}), (months > 12).astype(int), months


def legend(display):
    found = display.ax_.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def test_bars_are_the_largest_effects(patients):
    X, y, months = patients
    model = CoxPFSClassifier(prior="published").fit(X["lab"], y, time=months)
    display = CoefficientDisplay.from_estimator(model, max_display=2)
    assert display.frame()["label"].tolist() == ["Chromogranin A", "Heat of lesions"]
    drawn = [bar.get_width() for bar in display.ax_.patches[:2]]
    np.testing.assert_allclose(drawn, display.frame()["coef"])
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["Chromogranin A", "Heat of lesions"]
    assert "log hazard" in display.ax_.get_xlabel()
    assert "1 smaller" in display.ax_.get_xlabel()
    assert legend(display) == ["published directions", "without them"]


def test_without_directions_nothing_is_said_of_them(patients):
    X, y, _ = patients
    display = CoefficientDisplay.from_estimator(CoxPFSClassifier().fit(X["lab"], y))
    assert legend(display) == []
    assert "log odds" in display.ax_.get_xlabel()


def test_blocks_have_colours_and_shares(patients):
    X, y, months = patients
    blocks = {"a": FunctionTransformer(first), "b": FunctionTransformer(second)}
    model = BlockFusionPFSClassifier(blocks=blocks).fit(X, y, time=months)
    assert legend(CoefficientDisplay.from_estimator(model)) == ["a", "b"]
    display = CoefficientDisplay.from_estimator(model, X)
    shares = display.blocks.set_index("block")["share"]
    assert legend(display) == [f"{name}: {shares[name]:.0%} of the spread" for name in "ab"]
    colours = {
        block: bar.get_facecolor() for block, bar in zip(display.frame()["block"], display.ax_.patches, strict=True)
    }
    assert colours["a"] != colours["b"]


@pytest.mark.parametrize("wrong", [0, True, 1.5])
def test_number_of_bars_is_checked(patients, wrong):
    X, y, _ = patients
    with pytest.raises(ValueError, match="max_display"):
        CoefficientDisplay.from_estimator(CoxPFSClassifier().fit(X["lab"], y), max_display=wrong)
