"""Whole tables handed to `fit` follow the loader's rules."""

import warnings

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import (
    Cohort,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    compare_models,
    estimators,
)
from prrt_estimators.datasets import load_cohort
from prrt_estimators.datasets._column_vocabulary import guess_name
from prrt_estimators.datasets._predictors import check_predictors
from prrt_estimators.estimators import BlockFusionPFSClassifier, CoxPFSClassifier
from prrt_estimators.exceptions import CohortError, CohortWarning, LeakageError

N = 12
Y = np.arange(N) % 2
GOOD = pd.DataFrame({"cga": np.arange(N) + 5.0, "sex": list("fm") * 6, "unheard of": np.arange(N) % 5})
IDS = [f"P{k}" for k in range(N)]
BAD = {
    "pet": ([f"pet/{one}.nii.gz" for one in IDS], CohortError, "load_cohort"),
    "where": ([f"/data/{one}.nii" for one in IDS], CohortError, "load_cohort"),
    "ct_mask": ([f"{one}_seg.nii.gz" for one in IDS], CohortError, "load_cohort"),
    "patient_id": (IDS, CohortError, "identifies the patient"),
    "Nachname": (["Doe"] * N, CohortError, "identifies the patient"),
    "code": (IDS, CohortError, "identifies the patient"),
    "scan date": (["2020-01-05"] * N, CohortError, "holds dates"),
    "pfs_months": (np.arange(N) * 3.0, LeakageError, "would leak the outcome"),
    "progressed": (Y, LeakageError, "would leak the outcome"),
    "long_pfs": (Y, LeakageError, "would leak the outcome"),
    "n_cycles": (np.arange(N) % 4, LeakageError, "allow_after_therapy=['n_cycles']"),
    "best response": (["PR", "SD"] * 6, LeakageError, "would leak the outcome"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(
    "model",
    [
        LabPFSClassifier(),
        LabBaselineClassifier(),
        FusionPFSClassifier(),
        BlockFusionPFSClassifier(),
        CoxPFSClassifier(),
    ],
    ids=type,
)
def test_what_is_no_predictor_is_refused_by_name(name, model):
    cells, kind, told = BAD[name]
    table = GOOD.assign(**{name: cells})
    for X in (table, {"lab": table}, Cohort({"lab": table})):
        with pytest.raises(kind) as caught:
            model.fit(X, Y)
        assert told in str(caught.value)
        assert {problem.column for problem in caught.value.problems} == {name}


@pytest.mark.parametrize(
    "name", [name for name in estimators.__all__ if getattr(getattr(estimators, name), "_takes_table", True)]
)
def test_no_model_learns_an_outcome(name):
    model = getattr(estimators, name)
    if not hasattr(model, "fit") or "Pretrainer" in name or "PublishedScore" in name:
        pytest.skip("does not learn from a table")
    y = (
        np.array([(True, 3.0 + 2 * k) for k in range(N)], [("event", bool), ("time", float)])
        if "Survival" in name
        else Y
    )
    table = pd.DataFrame({"cga": GOOD["cga"], "crp": 1.0, "albumin": 40.0, "pfs_months": np.arange(N) * 3.0})
    with pytest.raises((LeakageError, ValueError)) as caught:
        model().fit(table, y)
    if not isinstance(caught.value, LeakageError):  # models of scans take no table at all
        assert "takes a Cohort or a list of paths" in str(caught.value)


@pytest.mark.parametrize("name", ["y_true", "p_long", "predicted", "Prediction", "fold", "sample_weight"])
def test_columns_of_results_are_refused(name):
    with pytest.raises(LeakageError, match="a result of a model"):
        CoxPFSClassifier().fit(GOOD[["cga"]].assign(**{name: np.arange(N) * 0.1}), Y)
    assert load_cohort({"cga": GOOD["cga"], "pfs_class": Y, name: Y}, verbose=False).X["lab"].columns.tolist() == [
        "cga"
    ]


def test_a_copy_of_the_classes_is_warned_of():
    y = np.tile([0, 1], 12)
    numbers = pd.DataFrame({"cga": np.arange(24.0)})
    for copy in (y, 1 - y, np.where(y, 7.5, 2.0), np.where(y, np.nan, y)):
        told = np.isfinite(copy).all()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CohortWarning)
            CoxPFSClassifier().fit(numbers.assign(answer=copy), y)
        assert [("'answer'" in str(one.message)) for one in caught if one.category is CohortWarning] == [True] * int(
            told
        )
    with pytest.warns(CohortWarning, match="column 'answer' has one value for every patient of one class"):
        LabPFSClassifier(n_estimators=2).fit(numbers.assign(answer=np.where(y, "ja", "nein")), y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CohortWarning)
        CoxPFSClassifier().fit(numbers.assign(answer=[1, *y[1:]]), y)


def test_all_of_them_at_once_and_before_a_comparison():
    table = GOOD.assign(**{name: cells for name, (cells, _, _) in BAD.items()})
    with pytest.raises(LeakageError) as caught:
        compare_models({"lab": LabPFSClassifier()}, table, Y, cv=2, verbose=0)
    assert {problem.column for problem in caught.value.problems} == set(BAD)


def test_what_the_loader_took_is_taken():
    table = {"patient_id": IDS, "pfs_months": [30, 5] * 6, "progressed": [1] * N, "n_cycles": [4, 2, 3] * 4, **GOOD}
    X = load_cohort(table, lab=["auto", "n_cycles"], allow_after_therapy=["n_cycles"], verbose=False).X
    assert "n_cycles" in X["lab"]
    for rows in (X, X[2:], X.select("lab"), Cohort(X)):
        check_predictors(rows)
    LabPFSClassifier(n_estimators=2).fit(X, Y)
    check_predictors(GOOD)
    check_predictors(np.eye(3))


@pytest.mark.parametrize(
    "name",
    [
        "Liver metastases", "liver_mets", "Lebermetastasen (ja/nein)", "bone metastases", "Knochenmetastasen",
        "LN metastases", "lymph node metastasis", "Number of liver metastases", "metastases of the liver",
        "hepatic mets", "Lymphknotenmetastasen", "peritoneal metastases",
    ],
)  # fmt: skip
def test_metastases_at_baseline_are_predictors(name):
    assert guess_name(name).role == "lab"


@pytest.mark.parametrize(
    "name",
    ["new liver metastases", "neue Lebermetastasen", "liver metastases follow-up", "time to bone metastases",
     "metastasis", "lung_metastasis", "Lebermetastasen Progress"],
)  # fmt: skip
def test_new_metastases_are_outcomes(name):
    assert guess_name(name).role == "after_therapy"


def test_a_column_without_a_name_in_words_hides_no_other():
    check_predictors(pd.DataFrame({2020: np.arange(N), **GOOD}))
    with pytest.raises(LeakageError, match="pfs_months"):
        check_predictors(pd.DataFrame({2020: np.arange(N), **GOOD, "pfs_months": np.arange(N) * 3.0}))
