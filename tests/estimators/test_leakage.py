"""Nothing is learnt outside the training rows."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
)

# Planted values are far from plausible, which is warned of.
pytestmark = pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.CohortWarning")


def cohort(planted: bool) -> Cohort:
    """Return 16 patients; `planted` puts absurd values into the last four, who are held out."""
    rng = np.random.default_rng(0)
    pet, ct = rng.random((16, 1, 10, 10, 10)) * 5, rng.normal(40, 100, (16, 1, 10, 10, 10))
    lab = pd.DataFrame(
        {"cga": rng.lognormal(5, 1, 16), "ast": rng.random(16) * 50, "alt": rng.random(16) * 50, "sex": ["m", "f"] * 8}
    )
    if planted:
        pet[12:], ct[12:] = 1e4, 3000.0
        lab.loc[12:, ["cga", "ast"]] = 1e9
        lab.loc[12:, "sex"] = "planted"
        lab.loc[12:, "alt"] = np.nan
    return Cohort({"pet": pet, "ct": ct, "lab": lab})


def fitted_state(estimator) -> str:
    """Return a hash of everything fitted: weights, medians, scales, categories, epochs."""
    state = {key: value for key, value in vars(estimator).items() if key.endswith("_") and key != "net_"}
    if hasattr(estimator, "net_"):
        state["weights"] = {key: value.numpy() for key, value in estimator.net_.module_.state_dict().items()}
    return joblib.hash(state)


@pytest.mark.parametrize(
    "estimator",
    [
        LabPFSClassifier(n_estimators=10, random_state=0),
        LabPFSClassifier(model="logistic"),
        LabBaselineClassifier(),
        PETBaselineClassifier(),
        PETPFSClassifier(max_epochs=2, random_state=0),
        CTPFSClassifier(max_epochs=2, random_state=0, early_stopping=True),
        FusionPFSClassifier(max_epochs=2, random_state=0, early_stopping=True),
    ],
    ids=lambda e: f"{type(e).__name__}-{getattr(e, 'model', '')}",
)
def test_planting_values_in_held_out_rows_changes_nothing_that_was_fitted(estimator):
    y = np.arange(16) % 2
    states = []
    for planted in (False, True):
        X = cohort(planted)
        estimator.fit(X[:12], y[:12])
        estimator.predict_proba(X[12:])
        states.append(fitted_state(estimator))
    assert states[0] == states[1]


@pytest.mark.parametrize(
    "estimator", [LabPFSClassifier(n_estimators=10, random_state=0), PETPFSClassifier(max_epochs=1, random_state=0)]
)
def test_planting_values_in_training_rows_does_change_it(estimator):
    y = np.arange(16) % 2
    a, b = (fitted_state(estimator.fit(cohort(planted), y)) for planted in (False, True))
    assert a != b


def test_predicting_does_not_touch_the_network():
    X, y = cohort(False), np.arange(16) % 2
    fusion = FusionPFSClassifier(max_epochs=1, random_state=0, encoder="resnet10", size=10).fit(X, y)
    before = {key: value.clone() for key, value in fusion.net_.module_.state_dict().items()}
    fusion.predict_proba(cohort(True))
    assert all(torch.equal(before[key], value) for key, value in fusion.net_.module_.state_dict().items())


def test_early_stopping_rows_are_chosen_among_the_training_rows():
    X, y = cohort(False), np.arange(16) % 2
    model = PETPFSClassifier(max_epochs=3, random_state=0, early_stopping=True).fit(X[:12], y[:12])
    sizes = [
        sum(batch["train_batch_size"] for batch in epoch["batches"] if "train_batch_size" in batch)
        for epoch in model.net_.history
    ]
    held = [
        sum(batch["valid_batch_size"] for batch in epoch["batches"] if "valid_batch_size" in batch)
        for epoch in model.net_.history
    ]
    assert set(sizes) == {10}
    assert set(held) == {2}
