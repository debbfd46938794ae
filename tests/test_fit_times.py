"""Times to progression reach the models that learn from them: of training patients, and no others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from prrt_estimators import Cohort, compare_models, load_comparison
from prrt_estimators._fit_times import fit_names, fit_times, survival_of
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier, LabPFSClassifier
from prrt_estimators.model_selection import format_summary
from prrt_estimators.preprocessing import LabPanels


def cohort(n=60, seed=0):
    rng = np.random.default_rng(seed)
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, n), "CRP": rng.lognormal(1, 1, n)})
    months = 1500 * rng.exponential(size=n) / lab["CgA"].to_numpy() + 3
    survival = np.empty(n, dtype=[("event", bool), ("time", float)])
    survival["time"], survival["event"] = months, True
    return Cohort({"lab": lab}, survival=survival), (months > 12).astype(int)


class Recorder(CoxPFSClassifier):
    """Keeps what its fits were given."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, time=None, event=None):
        Recorder.seen.append((time, event))
        return super().fit(X["lab"], y, sample_weight=sample_weight, time=time, event=event)

    def predict_proba(self, X):
        return super().predict_proba(X["lab"])


def test_training_patients_times_are_handed_over():
    X, y = cohort()
    Recorder.seen = []
    splits = list(StratifiedKFold(3).split(y, y))
    compare_models({"cox": Recorder()}, X, y, cv=splits, verbose=0)
    assert len(Recorder.seen) == 3
    for (time, event), (train, _) in zip(Recorder.seen, splits, strict=True):
        np.testing.assert_array_equal(time, X.survival["time"][train])
        assert event.all()


def test_table_says_what_was_learnt_from(tmp_path):
    X, y = cohort()
    models = {"blocks": BlockFusionPFSClassifier(), "forest": LabPFSClassifier(n_estimators=5)}
    compare_models(models, X, y, cv=3, verbose=0, out=tmp_path)
    found = load_comparison(tmp_path)
    assert found.summary()["learnt_from"].to_dict() == {"blocks": "time", "forest": "class"}
    assert format_summary(found.summary())["learnt from"].tolist() == ["time", "class"]


def test_table_without_times_is_as_it_was():
    X, y = cohort()
    found = compare_models({"blocks": BlockFusionPFSClassifier()}, Cohort({"lab": X["lab"]}), y, cv=3, verbose=0)
    assert found.summary()["learnt_from"].tolist() == ["class"]
    assert "learnt from" not in format_summary(found.summary())


def test_other_times_are_another_run_for_those_who_learn_from_them(tmp_path):
    X, y = cohort()
    models = {"blocks": BlockFusionPFSClassifier(), "forest": LabPFSClassifier(n_estimators=5)}
    compare_models(models, X, y, cv=3, verbose=0, out=tmp_path)
    records = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.json") if "fold" in str(file)}
    later = X.survival.copy()
    later["time"] = np.where(y == 1, later["time"] + 5, later["time"])
    changed = Cohort({"lab": X["lab"]}, survival=later)
    one = load_comparison(tmp_path).scores
    two = compare_models(models, changed, y, cv=3, verbose=0, out=tmp_path).scores
    kept = {file.parent.name for file, when in records.items() if file.stat().st_mtime_ns == when}
    assert "forest" in kept or kept == set()
    pd.testing.assert_frame_equal(one[one["model"] == "forest"], two[two["model"] == "forest"])
    fresh = compare_models(models, changed, y, cv=3, verbose=0).scores
    pd.testing.assert_frame_equal(two, fresh)


def test_pipelines_and_searches_are_looked_through():
    assert fit_names(CoxPFSClassifier()) == {"time": "time", "event": "event"}
    pipeline = make_pipeline(LabPanels(), CoxPFSClassifier())
    assert fit_names(pipeline)["time"] == "coxpfsclassifier__time"
    assert fit_names(GridSearchCV(pipeline, {"coxpfsclassifier__clip": [5.0]}))["event"] == "coxpfsclassifier__event"
    assert fit_names(LogisticRegression()) == fit_names(make_pipeline(LogisticRegression())) == {}


def test_a_pipeline_learns_from_them():
    X, y = cohort()
    pipeline = make_pipeline(LabPanels(), CoxPFSClassifier())
    fitted = pipeline.fit(X, y, **fit_times(pipeline, X, y))
    assert fitted[-1].learnt_from_ == "time"


@pytest.mark.parametrize("change", ["contradict", "missing", "none"])
def test_times_that_do_not_make_y_are_left_out(change):
    X, y = cohort()
    survival = None if change == "none" else X.survival.copy()
    if change == "contradict":
        survival["time"][0] = 50.0 if y[0] == 0 else 1.0
    if change == "missing":
        survival["time"][0] = np.nan
    other = Cohort({"lab": X["lab"]}, survival=survival)
    assert survival_of(other, y) is None
    assert fit_times(CoxPFSClassifier(), other, y) == {}
    assert survival_of(X, y) is not None
