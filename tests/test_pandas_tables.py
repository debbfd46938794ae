"""Tables in a form that a reader would try: taken as they are meant, or refused with the form to pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, check_cohort, load_cohort
from prrt_estimators.estimators import (
    BlockFusionPFSClassifier,
    CoxPFSClassifier,
    CoxPFSSurvival,
    LabBaselineClassifier,
    PublishedScoreClassifier,
)
from prrt_estimators.exceptions import MissingModalityError

RNG = np.random.default_rng(0)
LAB = pd.DataFrame({"CgA": RNG.lognormal(5, 1, 12), "ALT": RNG.uniform(10, 60, 12), "age": RNG.uniform(40, 80, 12)})
Y = np.arange(12) % 2
TIMES = {"event": np.ones(12, bool), "time": np.arange(12) + 1.0}
SCANS = RNG.random((12, 1, 8, 8, 8)).astype(np.float32)
TURNED = LAB[["age", "ALT", "CgA"]]


@pytest.fixture(scope="module")
def models():
    return {
        "forest": LabPFSClassifier(n_estimators=5, random_state=0).fit(LAB, Y),
        "cox": CoxPFSClassifier().fit(LAB, Y),
        "survival": CoxPFSSurvival().fit(LAB, TIMES),
        "fusion": FusionPFSClassifier(size=8, max_epochs=1, random_state=0).fit({"lab": LAB, "pet": SCANS}, Y),
        "blocks": BlockFusionPFSClassifier().fit(Cohort({"lab": LAB}), Y),
        "baseline": LabBaselineClassifier().fit(LAB, Y),
        "score": PublishedScoreClassifier(name="cga_200").fit(LAB, Y),
    }


def answers(model, X):
    return model.predict(X) if isinstance(model, CoxPFSSurvival) else model.predict_proba(X)


@pytest.mark.parametrize("name", ["forest", "cox", "survival", "fusion"])
@pytest.mark.parametrize("form", ["table", "mapping", "cohort"])
def test_columns_in_another_order_are_refused_with_the_order(models, name, form):
    X = {"table": TURNED, "mapping": {"lab": TURNED}, "cohort": Cohort({"lab": TURNED})}[form]
    with pytest.raises(
        ValueError, match=r"(?s)same order as they were in fit.*model\.feature_names_in_.*'CgA', 'ALT', 'age'"
    ):
        answers(models[name], X)


@pytest.mark.parametrize("name", ["blocks", "baseline", "score"])
def test_models_that_find_columns_by_name_take_any_order(models, name):
    expected = answers(models[name], LAB)
    for X in (TURNED, {"lab": TURNED}, Cohort({"lab": TURNED})):
        np.testing.assert_array_equal(answers(models[name], X), expected)


@pytest.mark.parametrize("name", ["forest", "cox", "survival", "fusion", "blocks", "baseline", "score"])
def test_a_mapping_records_and_a_cohort_are_the_table(models, name):
    expected = answers(models[name], LAB)
    for X in ({"lab": LAB}, {"LAB": LAB.to_dict("list")}, Cohort({"lab": LAB}), LAB.to_dict("records")):
        np.testing.assert_allclose(answers(models[name], X), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["forest", "cox", "survival", "fusion", "blocks", "baseline", "score"])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_one_dimension_is_refused_with_what_to_pass_for_one_patient(models, name):
    row = LAB.to_numpy()[0]
    with pytest.raises((ValueError, TypeError), match=r"reshape\(1, -1\)"):
        answers(models[name], row)
    with pytest.raises(
        ValueError, match=r"shape \(3,\)\. For one patient pass \[values\] or a mapping such as \{'CgA': 95\}"
    ):
        answers(models[name], {"lab": row})
    np.testing.assert_allclose(
        answers(models[name], {"lab": dict(LAB.iloc[0])}), answers(models[name], LAB.iloc[[0]]), atol=1e-6
    )


def test_a_score_names_the_columns_that_are_missing(models):
    with pytest.raises(ValueError, match="columns of training are missing: CgA"):
        models["score"].predict_proba(LAB.drop(columns="CgA"))


def test_cox_without_laboratory_values_says_so(models):
    with pytest.raises(MissingModalityError, match="CoxPFSClassifier needs 'lab'"):
        models["cox"].predict_proba({"pet": SCANS})


def test_names_at_prediction_only_count_by_position_as_scikit_learn_warns():
    model = LabPFSClassifier(model="logistic").fit(LAB.to_numpy(), Y)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        named = model.predict_proba(LAB)
    np.testing.assert_array_equal(named, model.predict_proba(LAB.to_numpy()))


# load_cohort ----------------------------------------------------------------------------------------------------------

TABLE = LAB.assign(patient_id=[f"P{k}" for k in range(12)], pfs_months=np.linspace(2, 30, 12), progressed=1)


def test_records_are_a_table():
    expected = load_cohort(TABLE)
    for source in (TABLE.to_dict("records"), tuple(TABLE.to_dict("records")), [row for _, row in TABLE.iterrows()]):
        found = load_cohort(source)
        pd.testing.assert_frame_equal(found.X["lab"], expected.X["lab"])
        assert found.y.tolist() == expected.y.tolist()
        assert check_cohort(source) == []


def test_a_record_may_lack_an_entry():
    records = TABLE.to_dict("records")
    del records[3]["CgA"]
    assert np.flatnonzero(load_cohort(records).X["lab"]["CgA"].isna()).tolist() == [3]


@pytest.mark.parametrize("cell", [{"CgA": 95.0}, np.zeros((4, 4, 4)), [1.0, 2.0]])
def test_records_of_images_and_nested_values_are_for_from_records(cell):
    records = TABLE.to_dict("records")
    records[1]["pet"] = cell
    with pytest.raises(TypeError, match=rf"record 1 holds a {type(cell).__name__} under 'pet'.*Cohort\.from_records"):
        load_cohort(records)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (LAB.to_numpy(), "a list of records such as .* got ndarray"),
        (LAB["CgA"], "a list of records such as .* got Series"),
        (None, "a list of records such as .* got NoneType"),
        (iter(TABLE.to_dict("records")), "a list of records such as .* got list_iterator"),
        (Cohort({"lab": LAB}), "is a Cohort already"),
    ],
)
def test_other_sources_are_refused_with_the_forms(source, words):
    with pytest.raises(TypeError, match=words):
        load_cohort(source)


def test_makers_of_cohorts_name_one_another():
    with pytest.raises(TypeError, match=r"Pass it to Cohort\.from_records"):
        Cohort.from_frame(TABLE.to_dict("records"))
    with pytest.raises(TypeError, match=r"records are a list of mappings .* got one of type NoneType"):
        Cohort.from_records(None)
