"""Models of blocks in scikit-learn's tools: its own checks, times routed to them, and what is given beside X and y."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from check_helpers import WRONG_CHECKS
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from prrt_estimators import Cohort
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier

#: check -> why it may fail. Nothing else may.
EXCEPTIONS = WRONG_CHECKS | {
    "check_classifiers_classes": "labels such as 'one' and 'two' do not say which is long PFS: such words need pos_label",
}
#: With late fusion: the inner folds hold other patients where one of weight two is given twice.
LATE = EXCEPTIONS | {
    "check_sample_weight_equivalence_on_dense_data": "inner folds are drawn by row, so that a weight of two and a patient "
    "given twice are cross-fitted apart",
}


@parametrize_with_checks(
    [BlockFusionPFSClassifier(), BlockFusionPFSClassifier(prior={"x0": 1}), BlockFusionPFSClassifier(fusion="late")],
    expected_failed_checks=lambda model: LATE if model.fusion == "late" else EXCEPTIONS,
)
def test_plain_tables_pass_every_check(estimator, check):
    before = repr(estimator)
    check(estimator)
    assert repr(estimator) == before, "a check works on a clone"
    assert not [name for name in vars(estimator) if name.endswith("_")], "and fits no other"


def patients(n=90, seed=0):
    """Return a table, the class, months, and whether progression was seen."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["CgA", "CRP", "age"])
    months = 16 * np.exp(-0.8 * X["CgA"].to_numpy()) * rng.exponential(size=n)
    end = rng.uniform(13, 60, size=n)
    return X, (np.minimum(months, end) > 12).astype(int), np.minimum(months, end), months <= end


SEEN = []


class Spy(BlockFusionPFSClassifier):
    """Keeps what it was given."""

    def fit(self, X, y, sample_weight=None, time=None, event=None):
        SEEN.append((None if time is None else np.asarray(time), None if event is None else np.asarray(event)))
        return super().fit(X, y, sample_weight=sample_weight, time=time, event=event)


@pytest.mark.parametrize("model", [Spy(), Spy(fusion="late", random_state=0)], ids=["joint", "late"])
@pytest.mark.parametrize("wrap", ["alone", "pipeline", "search", "search of a pipeline"])
def test_times_are_routed(model, wrap):
    X, y, months, event = patients()
    cv = StratifiedKFold(3)
    SEEN.clear()
    with sklearn.config_context(enable_metadata_routing=True):
        asked = model.set_fit_request(time=True, event=True)
        step = {"pipeline": make_pipeline(FunctionTransformer(), asked)}
        step["search"] = GridSearchCV(asked, {"own_share": [0.5]}, cv=2)
        step["search of a pipeline"] = GridSearchCV(step["pipeline"], {"spy__own_share": [0.5]}, cv=2)
        found = cross_validate(
            step.get(wrap, asked), X, y, cv=cv, scoring="roc_auc", params={"time": months, "event": event},
            error_score="raise", return_estimator=True,
        )  # fmt: skip
    assert found["test_score"].mean() > 0.6
    # Whatever a search fits before, the last fit of each fold has the times of its training patients.
    fits = len(SEEN) // 3
    for k, (train, _) in enumerate(cv.split(X, y)):
        np.testing.assert_array_equal(SEEN[(k + 1) * fits - 1][0], months[train])
        np.testing.assert_array_equal(SEEN[(k + 1) * fits - 1][1], event[train])
    fitted = found["estimator"][0]
    assert getattr(fitted, "best_estimator_", fitted)[-1].learnt_from_ == "time" if "pipeline" in wrap else True


def test_times_that_were_not_asked_for_are_refused():
    X, y, months, event = patients()
    with sklearn.config_context(enable_metadata_routing=True), pytest.raises(Exception, match="time"):
        cross_validate(BlockFusionPFSClassifier(), X, y, cv=3, params={"time": months, "event": event})


@pytest.mark.parametrize("kind", [CoxPFSClassifier, BlockFusionPFSClassifier])
@pytest.mark.parametrize("name", ["time", "event", "sample_weight"])
def test_what_names_patients_in_another_order_is_refused(kind, name):
    X, y, months, event = patients(40)
    X.index = [f"P{k}" for k in range(40)]
    given = {"time": months, "event": event, "sample_weight": np.ones(40)}
    turned = pd.Series(given[name], index=X.index).iloc[::-1]
    with pytest.raises(ValueError, match=f"X and {name} name the same patients in another order"):
        kind().fit(X, y, **(given | {name: turned}))


@pytest.mark.parametrize("fusion", ["joint", "late"])
@pytest.mark.parametrize("weight", [np.ones(39), np.ones((40, 2)), -np.ones(40), np.zeros(40), np.full(40, np.nan)])
def test_weights_that_cannot_be_are_refused(fusion, weight):
    X, y, months, _ = patients(40)
    with pytest.raises(ValueError, match=r"[Ww]eight"):
        BlockFusionPFSClassifier(fusion=fusion).fit(X, y, sample_weight=weight, time=months)


@pytest.mark.parametrize("fusion", ["joint", "late"])
def test_patients_without_weight_shape_nothing(fusion):
    X, y, months, event = patients(60)
    weights = np.ones(60)
    weights[::4] = 0
    wild = X.copy()
    wild.iloc[::4] *= 1e3
    rows = np.flatnonzero(weights)
    model = BlockFusionPFSClassifier(fusion=fusion, random_state=0)
    one = model.fit(wild, y, sample_weight=weights, time=months, event=event).predict_proba(X)
    two = model.fit(X.iloc[rows], y[rows], time=months[rows], event=event[rows]).predict_proba(X)
    np.testing.assert_allclose(one, two, atol=1e-9)


def test_inner_folds_may_be_a_splitter():
    X, y, months, event = patients(60)
    folds = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    model = BlockFusionPFSClassifier(fusion="late", cv=folds).fit(X, y, time=months, event=event)
    other = BlockFusionPFSClassifier(fusion="late", cv=StratifiedKFold(4)).fit(X, y, time=months, event=event)
    assert len(model.late_.reference["labs"]) == 60
    assert not np.allclose(model.late_.reference["labs"], other.late_.reference["labs"])


def test_modalities_are_what_the_blocks_look_at():
    X, y, _, _ = patients(30)
    scans = np.random.default_rng(0).gamma(2, 1, size=(30, 1, 8, 8, 8)).astype(np.float32)
    cohort = Cohort({"pet": scans, "lab": X})
    options = {"tracer": "FDG"}
    assert BlockFusionPFSClassifier(blocks=("labs",), **options).fit(cohort, y).modalities_ == ("lab",)
    assert BlockFusionPFSClassifier(blocks=("global_pet",), **options).fit(cohort, y).modalities_ == ("pet",)
    assert BlockFusionPFSClassifier(blocks=("global_pet", "labs"), **options).fit(cohort, y).modalities_ == (
        "pet",
        "lab",
    )
    own = {"mine": FunctionTransformer(lambda one: one["lab"][["CgA"]])}
    assert BlockFusionPFSClassifier(blocks=own).fit(cohort, y).modalities_ == cohort.modalities
    assert not hasattr(BlockFusionPFSClassifier(), "modalities_")
