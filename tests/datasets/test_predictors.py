"""Whole tables handed to `fit` follow the loader's rules."""

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, FusionPFSClassifier, LabBaselineClassifier, LabPFSClassifier, compare_models
from prrt_estimators.datasets import load_cohort
from prrt_estimators.datasets._column_vocabulary import guess_name
from prrt_estimators.datasets._predictors import check_predictors
from prrt_estimators.exceptions import CohortError, LeakageError

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
@pytest.mark.parametrize("model", [LabPFSClassifier(), LabBaselineClassifier(), FusionPFSClassifier()], ids=type)
def test_what_is_no_predictor_is_refused_by_name(name, model):
    cells, kind, told = BAD[name]
    table = GOOD.assign(**{name: cells})
    for X in (table, {"lab": table}, Cohort({"lab": table})):
        with pytest.raises(kind) as caught:
            model.fit(X, Y)
        assert told in str(caught.value)
        assert {problem.column for problem in caught.value.problems} == {name}


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
