"""Laboratory panels and clipped scaling: cases worked by hand, and what tables really hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from prrt_estimators import Cohort
from prrt_estimators.preprocessing import ClippedScaler, LabPanels, default_panels


@parametrize_with_checks([ClippedScaler()])
def test_scaler_passes_every_check(estimator, check):
    before = repr(estimator)
    check(estimator)
    assert repr(estimator) == before, "a check works on a clone"
    assert not [name for name in vars(estimator) if name.endswith("_")], "and fits no other"


def table(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sex": ["M", "F"] * (n // 2),
            "age": rng.normal(60, 8, n),
            "CgA [ug/l]": rng.lognormal(5, 1, n),
            "Kreatinin mg/dl": rng.lognormal(0, 0.2, n) + np.tile([0.4, 0.0], n // 2),
            "eGFR": rng.normal(80, 10, n),
            "Albumin g/l": rng.normal(40, 3, n),
            "CRP": rng.lognormal(1, 1, n),
        }
    )


def test_panels_are_means_of_turned_z_scores():
    X = table().drop(columns=["sex", "age"])
    found = LabPanels().fit_transform(X)
    log_crp, albumin = np.log(X["CRP"].to_numpy()), X["Albumin g/l"].to_numpy()
    z = ClippedScaler().fit_transform(np.column_stack([log_crp, albumin]))
    np.testing.assert_allclose(found["panel_inflammation"], (z[:, 0] - z[:, 1]) / 2)
    assert list(found.columns) == ["panel_markers", "panel_inflammation", "panel_kidney"]


def test_high_is_abnormal_in_every_panel():
    rows = default_panels()
    X = pd.DataFrame(
        {analyte: np.linspace(1, 3, 9)[::sign] for analyte, sign in zip(rows["analyte"], rows["sign"], strict=True)}
    )
    found = LabPanels().fit_transform(X)
    assert len(found.columns) == 5
    assert (np.diff(found.to_numpy(), axis=0) > 0).all()


def test_mean_is_over_what_was_measured():
    X = table().drop(columns=["sex", "age"])
    model = LabPanels(analytes=True).fit(X)
    gaps = X.copy()
    gaps.loc[0, "CRP"] = np.nan
    gaps.loc[1, ["CRP", "Albumin g/l"]] = np.nan
    found = model.transform(gaps)
    assert found.loc[0, "panel_inflammation"] == pytest.approx(-found.loc[0, "Albumin g/l"])
    assert np.isnan(found.loc[1, "panel_inflammation"])
    assert found["panel_markers"].notna().all()


def test_sex_is_taken_out():
    X = table()
    found = LabPanels().fit_transform(X)
    by_sex = found["panel_kidney"].groupby(X["sex"]).median()
    raw = LabPanels().fit_transform(X.drop(columns="sex"))["panel_kidney"].groupby(X["sex"]).median()
    assert abs(by_sex["M"] - by_sex["F"]) < 0.4 < raw["M"] - raw["F"]


@pytest.mark.parametrize("sexes", [["m", "w"], ["male", "female"], [1, 2], ["Mann", "Frau"]])
def test_sex_however_it_is_written(sexes):
    X = table()
    other = X.assign(sex=sexes * 20)
    one, two = (LabPanels(others="drop").fit_transform(x) for x in (X, other))
    pd.testing.assert_frame_equal(one, two)


def test_sex_that_is_missing_or_new_gets_the_common_median():
    X = table()
    model = LabPanels(others="drop").fit(X)
    row = X.iloc[[0]]
    unknown = [model.transform(row.assign(sex=sex)).to_numpy() for sex in (None, np.nan, "x", "")]
    for one in unknown[1:]:
        np.testing.assert_allclose(unknown[0], one)
    assert not np.allclose(unknown[0], model.transform(row).to_numpy())


def test_everything_is_learnt_from_training_rows():
    X = table()
    model = LabPanels().fit(X.iloc[:30])
    changed = X.copy()
    changed.iloc[31:, 2:] *= 50
    pd.testing.assert_frame_equal(model.transform(X).iloc[[30]], model.transform(changed).iloc[[30]])


def test_numbers_as_laboratories_write_them():
    X = table()
    written = X.astype({"CRP": object, "CgA [ug/l]": object})
    written.loc[0, "CRP"], written.loc[1, "CgA [ug/l]"] = "<1,2", "> 5000"
    plain = X.copy()
    plain.loc[0, "CRP"], plain.loc[1, "CgA [ug/l]"] = 0.6, 5000
    pd.testing.assert_frame_equal(LabPanels().fit_transform(written), LabPanels().fit_transform(plain))


def test_one_wild_value_moves_nobody_else_much():
    X = table()
    wild = X.copy()
    wild.loc[3, ["CRP", "Albumin g/l"]] = 1e9
    one, two = LabPanels().fit_transform(X), LabPanels().fit_transform(wild)
    assert np.abs((one - two).drop(index=3)["panel_inflammation"]).max() < 0.35


def test_other_columns_stay_or_go():
    X = table()
    kept = LabPanels().fit(X)
    assert list(kept.get_feature_names_out())[-1] == "age"
    assert "age" not in LabPanels(others="drop").fit(X).get_feature_names_out()
    assert not {"sex_F", "Leukozyten"} & set(LabPanels().fit(X.assign(Leukozyten=5.0)).get_feature_names_out())
    assert list(kept.get_feature_names_out()) == list(kept.transform(X).columns)


def test_table_without_analytes_is_left_as_it_is():
    X = pd.DataFrame({"age": [50.0, 60, 70, 80], "sex": ["f", "m", "f", "m"], "grade": ["G1", "G2", "G1", "G2"]})
    found = LabPanels().fit_transform(X)
    assert list(found.columns) == ["age", "sex_f", "sex_m", "grade_G1", "grade_G2"]
    assert LabPanels(others="drop").fit_transform(X).shape == (4, 0)


def test_cohort_is_accepted():
    X = table()
    pd.testing.assert_frame_equal(LabPanels().fit_transform(Cohort({"lab": X})), LabPanels().fit_transform(X))


def test_table_of_panels_can_be_edited():
    rows = default_panels()
    rows.loc[rows["analyte"] == "crp", "panel"] = "crp"
    X = table()
    found = LabPanels(panels=rows, others="drop").fit_transform(X)
    assert "panel_crp" in found
    turned = LabPanels(panels={"crp": {"crp": -1}}, others="drop").fit_transform(X)
    np.testing.assert_allclose(turned["panel_crp"], -found["panel_crp"])


@pytest.mark.parametrize("panels", [{"a": {"crpp": 1}}, {"a": {"crp": 2}}, pd.DataFrame({"panel": ["a"]})])
def test_table_that_cannot_be_is_refused(panels):
    with pytest.raises(ValueError, match="panels"):
        LabPanels(panels=panels).fit(table())


def test_columns_missing_later_are_named():
    X = table()
    with pytest.raises(ValueError, match="CRP"):
        LabPanels().fit(X).transform(X.drop(columns="CRP"))


def test_infinity_is_refused():
    X = table()
    X.loc[0, "CRP"] = np.inf
    with pytest.raises(ValueError, match=r"infinity.*CRP"):
        LabPanels().fit(X)


def test_scaler_by_hand():
    # Median 3, deviations 2 1 0 1 97: MAD 1; 100 counts as 3 + 5.
    z = ClippedScaler().fit_transform([[1.0], [2.0], [3.0], [4.0], [100.0]])
    clipped = np.array([-2.0, -1, 0, 1, 5])
    np.testing.assert_allclose(z.ravel(), (clipped - 0.6) / clipped.std())
