"""Multiples of an upper limit of normal as predictors: alone they count, beside the values they are left out and why is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators.datasets import load_cohort
from prrt_estimators.estimators import LabBaselineClassifier, PublishedScoreClassifier
from prrt_estimators.exceptions import CohortWarning, MarkersMissingWarning, MissingModalityError
from prrt_estimators.preprocessing import LabPanels, LiteratureMarkers

TABLE = {
    "patient_id": [f"P{k}" for k in range(6)],
    "cga_ug_l": [50.0, 900.0, 80.0, 2000.0, 120.0, 300.0],
    "cga_over_uln": [0.5, 9.0, 0.8, 20.0, 1.2, 3.0],
    "ast_over_uln": [1.0, 2.0, 0.5, 0.7, 1.1, 1.3],
    "pfs_months": [20.0, 3.0, 30.0, 5.0, 14.0, 8.0],
    "progressed": [1, 1, 1, 1, 1, 1],
}
Y = [1, 0, 1, 0, 1, 0]


def roles(table, **options):
    found = load_cohort(pd.DataFrame(table), **options)
    return found.X["lab"], found.roles.set_index("column")


def test_ratio_beside_its_value_is_left_out_with_the_reason(capsys):
    lab, told = roles(TABLE, verbose=True)
    assert list(lab) == ["cga_ug_l", "ast_over_uln"]
    assert tuple(told.loc["cga_over_uln", ["role", "reason"]]) == (
        "unused", "chromogranin A over its limit; 'cga_ug_l' holds the values themselves"
    )  # fmt: skip
    assert told.loc["ast_over_uln", "reason"] == "AST, x ULN"
    assert "holds the values themselves" in " ".join(capsys.readouterr().err.split())


def test_ratio_alone_named_or_beside_an_empty_column_is_a_predictor():
    alone = {name: cells for name, cells in TABLE.items() if name != "cga_ug_l"}
    assert list(roles(alone)[0]) == ["cga_over_uln", "ast_over_uln"]
    assert list(roles(TABLE, lab=["auto", "cga_over_uln"])[0]) == ["cga_ug_l", "ast_over_uln", "cga_over_uln"]
    with pytest.warns(CohortWarning, match="'cga_ug_l' is left out .empty."):
        empty = roles(TABLE | {"cga_ug_l": [None] * 6})[0]
    assert list(empty) == ["cga_over_uln", "ast_over_uln"]


def test_patients_with_the_ratio_only_are_counted():
    _, told = roles(TABLE | {"cga_ug_l": [50.0, None, 80.0, None, 120.0, 300.0]})
    assert told.loc["cga_over_uln", "reason"].endswith(", 2 patients have only the ratio")


def test_ratio_after_therapy_is_refused_like_the_value():
    _, told = roles(TABLE | {"cga_over_uln_post": TABLE["cga_over_uln"]})
    assert told.loc["cga_over_uln_post", "role"] == "after_therapy"


def test_panels_and_markers_from_ratios_agree_with_those_of_values():
    values = pd.DataFrame({"CgA": TABLE["cga_ug_l"], "creatinine": [1.0, 0.9, 1.4, 1.2, 0.7, 2.0]})
    ratios = pd.DataFrame({"CgA/ULN": values["CgA"] / 100, "creatinine (x ULN)": values["creatinine"] / 1.05})
    np.testing.assert_allclose(LiteratureMarkers().fit_transform(ratios), LiteratureMarkers().fit_transform(values))
    np.testing.assert_allclose(LabPanels().fit_transform(ratios), LabPanels().fit_transform(values))
    baseline = LabBaselineClassifier()
    np.testing.assert_allclose(
        baseline.fit(ratios, Y).predict_proba(ratios), baseline.fit(values, Y).predict_proba(values)
    )


def test_ratio_of_a_woman_is_not_divided_by_her_limit_again():
    table = pd.DataFrame({"creatinine_over_uln": [1.5, 1.5], "sex": ["f", "m"]})
    assert LiteratureMarkers().fit_transform(table)["creatinine_uln"].tolist() == [1.5, 1.5]
    values = pd.DataFrame({"creatinine": [1.35, 1.8], "sex": ["f", "m"]})
    np.testing.assert_allclose(LiteratureMarkers().fit_transform(values)["creatinine_uln"], [1.5, 1.5])


def test_de_ritis_needs_the_values():
    table = pd.DataFrame({"cga_over_uln": [1.0, 2.0], "ast_over_uln": [2.0, 1.0], "ALT": [30.0, 40.0]})
    with pytest.warns(
        MarkersMissingWarning, match=r"'de_ritis' is left out: ast_over_uln .* needs the values themselves"
    ):
        markers = LiteratureMarkers().fit(table)
    assert markers.markers_ == ["cga_uln"]
    table["AST"] = [60.0, 40.0]
    assert LiteratureMarkers().fit(table).transform(table)["de_ritis"].tolist() == [2.0, 1.0]


def test_published_score_names_the_ratio_that_cannot_stand_in():
    with pytest.raises(
        MissingModalityError, match=r"no cga\. cga_over_uln cannot stand in: .* Add the values themselves"
    ):
        PublishedScoreClassifier(name="cga_200").fit(pd.DataFrame({"cga_over_uln": TABLE["cga_over_uln"]}), Y)
    both = pd.DataFrame({name: TABLE[name] for name in ("cga_over_uln", "cga_ug_l")})
    assert PublishedScoreClassifier(name="cga_200").fit(both, Y).points(both).tolist() == [0, 1, 0, 1, 0, 1]
