"""A made-up target walks the library: fit, save, load, compare. It fails as soon as somebody looks into y past the target."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import RegressorMixin, clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from prrt_estimators import (
    Cohort,
    FusionPFSClassifier,
    compare_models,
    estimators,
    load_comparison,
    load_model,
    save_model,
)
from prrt_estimators._targets import CheckedTarget, Target
from prrt_estimators.estimators import LabPFSClassifier
from prrt_estimators.estimators._deep import DeepPFSEstimator
from prrt_estimators.metrics import SCORES, Score


@pytest.fixture
def labs():
    rng = np.random.default_rng(3)
    y = np.tile([0, 1, 1], 12)
    frame = pd.DataFrame({"CgA [ug/L]": np.round(900 - 700 * y + rng.uniform(0, 200, 36)), "AST [U/L]": 30.0 + y})
    frame["AST [U/L]"] += np.round(rng.normal(0, 4, 36))
    frame["ALT [U/L]"] = np.round(rng.normal(30, 5, 36))
    return frame, y


class WeightedSquares(nn.Module):
    per_patient = True

    def forward(self, logits, target):
        return (target["weight"] * (logits.float() - target["months"]) ** 2).mean()


class MonthsTarget(Target):
    """Months to progression as a plain number: made up for this test."""

    name = "months"
    response = "predict"
    criterion = WeightedSquares
    scores = ("concordance",)

    def check(self, y, *, X=None, estimator=""):
        values = np.asarray(y, dtype=float)
        if (values < 0).any():
            raise ValueError(f"{estimator} needs months of at least 0")
        return CheckedTarget(values, {"longest_": float(values.max())})

    def check_coded(self, y, n_patients):
        return self.check(y).values

    def columns(self, values, weight):
        return {"months": (values / values.max()).astype(np.float32), "weight": weight.astype(np.float32)}

    def strata(self, values):
        return (values > np.median(values)).astype(int)

    def output(self, logits):
        return logits

    def predicted(self, model, X):
        return model.predict(X), "months"


def concordance(y_true, y_score, sample_weight=None):
    first, second = np.triu_indices(len(y_true), 1)
    apart = (
        np.sign(np.subtract(*np.take(y_true, (first, second)))),
        np.sign(np.subtract(*np.take(y_score, (first, second)))),
    )
    return float(np.mean((apart[0] * apart[1])[apart[0] != 0] + 1) / 2)


CONCORDANCE = Score(
    "concordance", "Concordance", concordance, chance=0.5, response="predict", available=("months",), limits=(0.0, 1.0)
)


class MonthsRegressor(RegressorMixin, DeepPFSEstimator):
    """The network of the library with another target: nothing of it is written anew."""

    _target = MonthsTarget()
    _parameter_constraints = FusionPFSClassifier._parameter_constraints
    __init__ = FusionPFSClassifier.__init__

    def _wanted(self):
        return self.modalities

    def predict(self, X):
        return self.longest_ * self._target.output(self._run(X, "forward"))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_target_is_one_class(labs, tmp_path, monkeypatch, early_stopping):
    monkeypatch.setattr(estimators, "MonthsRegressor", MonthsRegressor, raising=False)
    monkeypatch.setattr(estimators, "__all__", [*estimators.__all__, "MonthsRegressor"])
    frame, y = labs
    months = 5.0 + 15 * y
    model = MonthsRegressor(
        max_epochs=30, lr=0.01, random_state=0, device="cpu", early_stopping=early_stopping, patience=30
    ).fit(frame, months, sample_weight=np.linspace(0.5, 2, 36))
    assert not hasattr(model, "classes_")
    assert model.longest_ == 20.0
    assert np.corrcoef(model.predict(frame), months)[0, 1] > 0.8
    back = load_model(save_model(model, tmp_path / "model.prrt"))
    np.testing.assert_array_equal(back.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="MonthsRegressor needs months of at least 0"):
        clone(model).fit(frame, -months)
    assert cross_val_score(clone(model), frame, months, cv=2).mean() > 0


def test_a_comparison_asks_the_target(labs, tmp_path):
    frame, y = labs
    months = np.arange(36.0) / 12 + 15 * y
    models = {"network": MonthsRegressor(max_epochs=30, lr=0.01, random_state=0, device="cpu")}
    models["after"] = make_pipeline("passthrough", models["network"])
    X = Cohort({"lab": frame})
    with SCORES.including(CONCORDANCE):
        comparison = compare_models(models, frame, months, cv=3, out=tmp_path, verbose=0)
        assert comparison.status["status"].tolist() == ["ok", "ok"]
        assert comparison.metrics == ["concordance"]
        row = comparison.summary().loc["network"]
        assert 0.6 < row["concordance_mean"] <= 1
        assert row["concordance_chance"] == 0.5
        assert set(comparison.predictions["kind"]) == {"months"}
        again = load_comparison(tmp_path)
        assert again.summary().loc["network", "concordance_mean"] == row["concordance_mean"]
        with pytest.raises(ValueError, match="must learn one kind of target"):
            compare_models({**models, "labs": LabPFSClassifier()}, X, months, cv=3, verbose=0)


#: Files of a comparison that know a kind of target by name or by its fields, each with the reason.
KNOWS_A_TARGET = {
    "_compared.py": "the registry of what a comparison asks of each kind",
    "_guidelines.py": "the registry of the paragraph of methods and the items of guidelines by kind",
    "_horizon.py": "makes a model of one kind from one of the other",
    "_methods_times.py": "names the classifiers among the models of times",
    "_models.py": "the models of the study are those of classes",
    "_summary.py": "scores pooled over patients are those of classes, as the scores say",
}
_ASKS = re.compile(
    r"(ClassTarget|TimeTarget|dtype\.names|(?<!dtype)\.(kind|target)(\.name)? ?(==|!=|in) |kind\.name\b(?!\)))"
)


def test_no_file_of_the_comparison_asks_which_target_it_has():
    rooms = [Path(estimators.__file__).parents[1] / room for room in ("model_selection", "report")]
    found = {
        path.name
        for room in rooms
        for path in room.glob("*.py")
        if any(_ASKS.search(line) for line in path.read_text("utf-8").splitlines())
    }
    assert found == set(KNOWS_A_TARGET)
