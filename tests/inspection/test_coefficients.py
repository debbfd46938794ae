"""Coefficients of linear models: what the table holds, and that it is what the scores are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from prrt_estimators import Cohort
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier
from prrt_estimators.inspection import block_contributions, coefficient_table


def first(X):
    return X["lab"][["CgA", "CRP"]]


def second(X):
    return X["lab"][["heat"]]


BLOCKS = {"a": FunctionTransformer(first), "b": FunctionTransformer(second)}


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 3)), columns=["CgA", "CRP", "heat"])
    months = 16 * np.exp(-0.9 * X["CgA"] - 0.3 * X["heat"]).to_numpy() * rng.exponential(size=120)
    return Cohort({"lab": X}), (months > 12).astype(int), months


def test_table_of_a_cox_model_is_its_attributes(patients):
    X, y, months = patients
    model = CoxPFSClassifier(prior={"CgA": 1, "CRP": -1}).fit(X["lab"], y, time=months)
    table = coefficient_table(make_pipeline(FunctionTransformer(), model))
    assert table["column"].tolist() == model.feature_names_in_.tolist()
    np.testing.assert_array_equal(table["coef"], model.coef_)
    np.testing.assert_array_equal(table["prior"], model.prior_coef_)
    np.testing.assert_array_equal(table["without_prior"], model.coef_without_prior_)
    assert table["direction"].tolist() == [1, -1, 0]
    assert table["contradicted"].tolist()[0] is True
    assert not table["contradicted"].iloc[2]


def test_columns_without_names_are_counted(patients):
    X, y, months = patients
    table = coefficient_table(CoxPFSClassifier().fit(X["lab"].to_numpy(), y, time=months))
    assert table["column"].tolist() == ["x0", "x1", "x2"]
    assert (table[["prior", "direction"]] == 0).all(axis=None)


def test_coefficients_of_blocks_make_the_score(patients):
    X, y, months = patients
    model = BlockFusionPFSClassifier(blocks=BLOCKS, prior={"heat": -1}).fit(X, y, time=months)
    table = coefficient_table(model)
    assert table[["block", "column"]].to_numpy().tolist() == [["a", "CgA"], ["a", "CRP"], ["b", "heat"]]
    Z = model.joint_.scaler_.transform(X["lab"].to_numpy())
    hazard = -np.log(-np.log(model.predict_proba(X)[:, 1]))
    score = Z @ table["coef"].to_numpy()
    np.testing.assert_allclose(score - score.mean(), hazard - hazard.mean(), atol=1e-9)
    assert table["direction"].tolist() == [0, 0, -1]


def test_shares_of_blocks_sum_to_one_and_the_one_that_tells_more_has_more(patients):
    X, y, months = patients
    model = BlockFusionPFSClassifier(blocks=BLOCKS).fit(X, y, time=months)
    table = block_contributions(model, X).set_index("block")
    assert table["share"].sum() == pytest.approx(1)
    assert table.loc["a", "share"] > table.loc["b", "share"] > 0
    lacking = X["lab"].copy()
    lacking.loc[lacking.index[:30], "heat"] = np.nan
    assert block_contributions(model, Cohort({"lab": lacking})).set_index("block")["patients"].to_dict() == {
        "a": 120,
        "b": 90,
    }


def test_shares_of_equal_scores_are_not_known(patients):
    X, y, months = patients
    model = BlockFusionPFSClassifier(blocks=BLOCKS).fit(X, y, time=months)
    one = Cohort({"lab": pd.concat([X["lab"].head(1)] * 3, ignore_index=True)})
    assert block_contributions(model, one)["share"].isna().all()


@pytest.mark.parametrize("model", [BlockFusionPFSClassifier(blocks=BLOCKS, fusion="late"), LogisticRegression()])
def test_models_without_coefficients_of_this_kind_are_refused(patients, model):
    X, y, _ = patients
    fitted = model.fit(X if hasattr(model, "blocks") else X["lab"], y)
    with pytest.raises(TypeError, match="coefficients"):
        coefficient_table(fitted)
    if not hasattr(model, "blocks"):
        with pytest.raises(TypeError, match="blocks"):
            block_contributions(fitted, X)


def test_late_fusion_has_contributions(patients):
    X, y, _ = patients
    model = BlockFusionPFSClassifier(blocks=BLOCKS, fusion="late", random_state=0).fit(X, y)
    assert block_contributions(model, X)["share"].sum() == pytest.approx(1)
