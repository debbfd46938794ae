"""Explanations of survival models: of P(PFS > horizon), of the risk, and on scans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier
from prrt_estimators._survival import as_survival
from prrt_estimators.estimators import (
    BlockFusionPFSSurvival,
    CoxPFSSurvival,
    FusionPFSSurvival,
    LabBaselineSurvival,
    LabPFSSurvival,
)
from prrt_estimators.inspection import (
    block_contributions,
    coefficient_table,
    grouped_permutation_importance,
    label_randomisation,
    modality_shapley,
    out_of_fold_features,
    saliency,
    shap_importance,
    shap_values,
    weight_randomisation,
)
from prrt_estimators.inspection._encoded_scans import with_scans_held
from prrt_estimators.inspection._explained_output import ExplainedOutput

TINY = {"max_epochs": 2, "random_state": 0, "device": "cpu", "augment": None, "size": 8}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["cga", "noise"])
    months, limit = 14 * np.exp(-X["cga"].to_numpy()) * rng.exponential(size=80), rng.uniform(10, 50, 80)
    return X, as_survival((months <= limit, np.minimum(months, limit)))


@pytest.fixture(scope="module")
def scans(table):
    pet = np.random.default_rng(1).random((80, 1, 8, 8, 8)).astype(np.float32)
    return Cohort({"pet": pet[:30], "lab": table[0][:30]}), table[1][:30]


def test_shap_values_sum_to_the_probability_or_the_risk(table):
    X, y = table
    model = CoxPFSSurvival().fit(X[:60], y[:60])
    options = {"background": X[:60], "n_background": 10, "random_state": 0}
    found = shap_values(model, X[60:], horizon=9.0, **options)
    beyond = model.predict_survival_function(X[60:], [9.0])[:, 0]
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, beyond, atol=1e-9)
    assert found.output_names == "probability of PFS beyond 9 months"
    assert shap_importance(found)["column"].tolist() == ["cga", "noise"]

    risk = shap_values(model, X[60:], output="risk", **options)
    np.testing.assert_allclose(risk.values.sum(axis=1) + risk.base_values, model.predict(X[60:]), atol=1e-9)
    # The risk is linear in the standardised columns, so a value is its coefficient times the distance from the background.
    known = model.scaler_.transform(X[:60].to_numpy())[np.sort(np.random.RandomState(0).choice(60, 10, replace=False))]
    linear = model.coef_ * (model.scaler_.transform(X[60:].to_numpy()) - known.mean(axis=0))
    np.testing.assert_allclose(risk.values, linear, atol=1e-9)
    classifier = LabPFSClassifier(model="logistic").fit(X, y["time"] > 9)
    with pytest.raises(ValueError, match="is predicted by survival models; LabPFSClassifier"):
        shap_values(classifier, X[:2], output="risk", **options)


def test_shap_values_out_of_fold_keep_early_progressions_in_balance(table):
    X, y = table
    found = shap_values(LabPFSSurvival(model="forest", n_estimators=10, random_state=0), X, y=y, cv=3, random_state=0)
    assert np.isfinite(found.values).all()
    assert shap_importance(found)["column"].tolist() == ["cga", "noise"]


def test_permutation_importance_is_loss_of_uno_c(table):
    X, y = table
    found = grouped_permutation_importance(CoxPFSSurvival(), X, y, cv=3, groups=None, random_state=0)
    assert found.scoring == "uno_c"
    frame = found.frame().set_index("group")
    assert frame.loc["cga", "importance"] > 0.1
    assert abs(frame.loc["noise", "importance"]) < 0.05
    rows = np.arange(80)
    model = clone(CoxPFSSurvival()).fit(X[rows % 3 > 0], y[rows % 3 > 0])
    split = [(rows[rows % 3 > 0], rows[rows % 3 == 0])]
    same = grouped_permutation_importance(CoxPFSSurvival(), X, y, cv=split, groups=None, random_state=0)
    assert same.scores[0] == pytest.approx(model.score(X[rows % 3 == 0], y[rows % 3 == 0]))
    classes = grouped_permutation_importance(LabPFSClassifier(model="logistic"), X, y["time"] > 9, cv=2, random_state=0)
    assert classes.scoring == "roc_auc"


@pytest.mark.parametrize("model", [CoxPFSSurvival(), LabPFSSurvival(), LabBaselineSurvival(), BlockFusionPFSSurvival()])
def test_coefficients_go_with_long_pfs_whatever_the_model(table, model):
    X, y = table
    X = X.assign(cga=np.exp(X["cga"] + 5))
    found = coefficient_table(model.fit(X, y))
    assert found["coef"].iloc[found["coef"].abs().argmax()] < -0.2  # that of chromogranin A
    risky = X.assign(cga=X["cga"] * 2)
    assert (model.predict(risky) >= model.predict(X)).all()
    if isinstance(model, CoxPFSSurvival):
        np.testing.assert_allclose(found["coef"], -model.coef_)


def test_published_directions_are_contradicted_by_the_same_rule(table):
    X, y = table
    found = coefficient_table(CoxPFSSurvival(prior="published").fit(X.assign(cga=-X["cga"]), y)).set_index("column")
    assert found.loc["cga", "direction"] == -1
    assert found.loc["cga", "without_prior"] > 0
    assert bool(found.loc["cga", "contradicted"])


def test_a_forest_has_no_coefficients(table):
    X, y = table
    with pytest.raises(TypeError, match=r"LabPFSSurvival has no coefficients\. Pass"):
        coefficient_table(LabPFSSurvival(model="forest", n_estimators=5).fit(X, y))
    with pytest.raises(TypeError, match="LabPFSSurvival has no blocks"):
        block_contributions(LabPFSSurvival().fit(X, y), X)
    assert block_contributions(BlockFusionPFSSurvival().fit(X, y), X)["share"].tolist() == [1.0]


@pytest.mark.parametrize("head", ["hazard", "cox"])
def test_a_network_is_explained_by_its_probability_beyond_the_horizon(scans, head):
    X, y = scans
    model = FusionPFSSurvival(**TINY, head=head, batch_size=15).fit(X, y)
    beyond = model.predict_survival_function(X, [9.0])[:, 0]
    logits = torch.from_numpy(np.asarray(model._run(X, "forward"), dtype=np.float64))
    np.testing.assert_allclose(torch.sigmoid(model._explained(logits, "logit", 9.0)), beyond, atol=1e-6)
    np.testing.assert_allclose(model._explained(logits, "risk", 9.0), model.predict(X), rtol=1e-6)

    table = modality_shapley(model, X, horizon=9.0)
    np.testing.assert_allclose(table["prediction"], beyond, atol=1e-6)
    np.testing.assert_allclose(table["pet"] + table["lab"] + table["base"], beyond, atol=1e-6)
    for kind in ("probability", "risk"):
        output = ExplainedOutput(kind, 9.0)
        held = with_scans_held(model, X[:1], output)
        np.testing.assert_allclose(held(X["lab"][:1]), output(model, X[:1]), rtol=1e-5)


def test_a_map_is_the_change_of_the_logit_of_that_probability(scans):
    X, y = scans
    model = FusionPFSSurvival(**TINY).fit(X, y)
    maps = saliency(model, X[:2], method="integrated_gradients", baseline="blank", horizon=9.0, n_steps=200)
    np.testing.assert_allclose(maps.probability, model.predict_survival_function(X[:2], [9.0])[:, 0], atol=1e-6)
    plain = saliency(model, X[:1], horizon=9.0)["pet"][0, 0]
    place = np.unravel_index(np.abs(plain).argmax(), plain.shape)

    def logit(step):
        pet = X["pet"].array[:1].copy()
        pet[0, 0][place] += step
        p = float(model.predict_survival_function(Cohort({"pet": pet, "lab": X["lab"][:1]}), [9.0])[0, 0])
        return np.log(p / (1 - p))

    assert plain[place] == pytest.approx((logit(0.01) - logit(-0.01)) / 0.02, rel=0.05)
    assert maps.unit("pet") == "part of the logit"
    with pytest.raises(ValueError, match="must be later than the first progression"):
        saliency(FusionPFSSurvival(**TINY, head="cox").fit(X, y), X[:1], horizon=float(y["time"].min()) / 2)


def test_sanity_checks_take_survival_models(scans):
    X, y = scans
    model = FusionPFSSurvival(**TINY).fit(X, y)
    assert weight_randomisation(model, X[:2], random_state=0)["spearman"].notna().all()
    assert label_randomisation(model, X, y, X[:2], random_state=0)["labels"].tolist() == ["true", "shuffled"]


def test_what_needs_classes_says_so(scans):
    X, y = scans
    with pytest.raises(TypeError, match=r"FusionPFSSurvival learns no classes.*umap_embedding"):
        out_of_fold_features(FusionPFSSurvival(**TINY), X, y=y, cv=2)
    found = out_of_fold_features(FusionPFSClassifier(**TINY), X, y=(y["time"] > 9).astype(int), cv=2)
    assert found.features.shape[0] == 30
