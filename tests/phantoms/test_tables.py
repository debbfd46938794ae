"""Labs, survival and truth of the synthetic cohort."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators.datasets import make_prrt_cohort
from prrt_estimators.exceptions import CensoredPatientsWarning

CONFIGURATIONS = [
    "lab",
    "pet",
    "ct",
    "pet_ct",
    "pet_lab",
    "ct_lab",
    "pet_ct_lab",
    "pet_ct_lab_pretrained",
]


@pytest.fixture(scope="module")
def large():
    return make_prrt_cohort(1500, volumes=False, random_state=1)


def test_pfs_agrees_with_the_published_cohorts(large):
    # 36 % within a year (Baur), median 15.8 and quartiles 8.2 and 28.5 months (Ruhwedel); four standard errors
    # of 1,500 patients are 0.05 and 2 months.
    assert np.mean(large.time <= 12) == pytest.approx(0.36, abs=0.05)
    low, median, high = np.quantile(large.time, [0.25, 0.5, 0.75])
    assert median == pytest.approx(16, abs=2)
    assert low == pytest.approx(8.2, abs=2)
    assert high == pytest.approx(28.5, abs=4)
    assert large.event.all()


def test_y_is_one_for_long_pfs(large):
    np.testing.assert_array_equal(large.y, (large.time > 12).astype(int))
    np.testing.assert_array_equal(large.X.survival["time"], large.time)


def test_a_cox_model_on_the_factors_finds_the_log_hazard_ratios(large):
    frame = large.truth.factors.assign(time=large.time, event=large.event)
    fitted = CoxPHFitter().fit(frame, "time", "event").params_
    for name in large.truth.factors:
        assert fitted[name] == pytest.approx(large.truth.log_hazard_ratios.get(name, 0.0), abs=0.15)


# Sex-specific reference ranges of the usual laboratory; medians of PRRT patients lie within, but for CgA.
REFERENCE = {
    "ggt_u_l": (10, 60),
    "alp_u_l": (40, 130),
    "ast_u_l": (10, 35),
    "alt_u_l": (10, 35),
    "ldh_u_l": (120, 250),
    "bilirubin_mg_dl": (0.2, 1.2),
    "albumin_g_l": (35, 52),
    "creatinine_mg_dl": (0.5, 1.2),
    "egfr_ml_min": (60, 120),
    "crp_mg_l": (0.6, 5),
    "haemoglobin_g_dl": (12, 17),
    "leukocytes_nl": (4, 10),
    "neutrophils_nl": (1.5, 7.7),
    "lymphocytes_nl": (1.1, 4.5),
    "platelets_nl": (150, 400),
    "nse_ug_l": (5, 16.3),
}


def test_lab_medians_lie_in_the_reference_range_but_chromogranin_does_not(large):
    medians = large.X["lab"].median(numeric_only=True)
    for name, (low, high) in REFERENCE.items():
        assert low < medians[name] < high, name
    assert 100 < medians["chromogranin_a_ug_l"] < 400
    assert set(REFERENCE) | {"chromogranin_a_ug_l", "sex", "age"} == set(large.X["lab"].columns)


def test_labs_are_skewed_correlated_and_differ_by_sex(large):
    lab = large.X["lab"]
    assert lab["chromogranin_a_ug_l"].skew() > 2
    assert lab["albumin_g_l"].skew() == pytest.approx(0, abs=0.4)
    logs = np.log(lab.drop(columns="sex")).corr()
    assert logs.loc["ggt_u_l", "alp_u_l"] > 0.3
    assert logs.loc["crp_mg_l", "neutrophils_nl"] > 0.3
    creatinine = lab.groupby("sex")["creatinine_mg_dl"].median()
    assert creatinine["M"] > creatinine["F"] + 0.1


#: Column -> factors with which it rises (+) or falls (-), by what the test means in patients.
WITH_FACTORS = {
    "chromogranin_a_ug_l": "+burden +secretion",
    "ggt_u_l": "+hepatic +liver_share +burden",
    "alp_u_l": "+hepatic +burden +liver_share",
    "ast_u_l": "+hepatic +liver_share +burden",
    "alt_u_l": "+hepatic +liver_share",
    "ldh_u_l": "+burden +inflammation",
    "bilirubin_mg_dl": "+hepatic",
    "albumin_g_l": "-hepatic -inflammation",
    "creatinine_mg_dl": "+renal",
    "egfr_ml_min": "-renal",
    "crp_mg_l": "+inflammation +burden",
    "haemoglobin_g_dl": "-inflammation -renal",
    "leukocytes_nl": "+inflammation",
    "neutrophils_nl": "+inflammation",
    "lymphocytes_nl": "-inflammation",
    "platelets_nl": "+inflammation -hepatic",
    "nse_ug_l": "+secretion +burden",
}


def test_each_value_follows_its_factors_in_direction_and_no_other(large):
    lab = large.X["lab"].set_index(large.truth.factors.index)
    assert set(WITH_FACTORS) == set(lab) - {"sex", "age"}
    for name, directions in WITH_FACTORS.items():
        both = large.truth.factors.assign(value=lab[name], female=lab["sex"] == "F")
        # Men and women have other medians; ranks within each sex take that out.
        ranks = both.groupby("female").rank(pct=True)
        rho = ranks.corr()["value"].drop("value")
        named = {one[1:]: 1 if one[0] == "+" else -1 for one in directions.split()}
        assert all(rho[factor] * sign > 0.05 for factor, sign in named.items()), name
        assert rho.drop(list(named)).abs().max() < 0.09, name


def test_values_below_the_limit_of_detection_are_half_the_limit(large):
    low = large.truth.lab_flags["crp_mg_l"].to_numpy() == "<"
    assert low.any()
    assert set(large.X["lab"]["crp_mg_l"][low]) == {0.3}
    assert large.X["lab"]["crp_mg_l"][~low].min() >= 0.6


def test_missing_labs_have_the_share_asked_for(large):
    share = large.X["lab"].isna().mean()
    assert share["ggt_u_l"] == pytest.approx(0.05, abs=0.02)
    assert share["nse_ug_l"] == pytest.approx(0.15, abs=0.03)
    full = make_prrt_cohort(30, volumes=False, missing_labs=0, random_state=1)
    assert not full.X["lab"].isna().any(axis=None)


def test_attainable_scores_stand_in_the_order_of_the_study():
    table = make_prrt_cohort(2, volumes=False, random_state=0).truth.attainable
    assert table.index.tolist() == CONFIGURATIONS
    assert table.columns.tolist() == ["auroc", "auprc"]
    auroc = table["auroc"]
    for name, target in {"lab": 0.66, "pet": 0.70, "ct": 0.64, "pet_ct_lab": 0.82}.items():
        assert auroc[name] == pytest.approx(target, abs=0.01)
    for name in ("pet_ct", "pet_lab", "ct_lab"):
        for part in name.split("_"):
            assert auroc[part] + 0.02 < auroc[name] < auroc["pet_ct_lab"] - 0.02
    assert auroc["pet_ct_lab_pretrained"] == auroc["pet_ct_lab"]
    assert (table["auprc"] > 0.64).all()


def test_best_probabilities_reach_the_attainable_scores_and_are_calibrated(large):
    for name in CONFIGURATIONS:
        p = large.truth.best_probability[name]
        assert roc_auc_score(large.y, p) == pytest.approx(large.truth.attainable["auroc"][name], abs=0.045)
        upper = p > p.median()
        assert large.y[upper].mean() == pytest.approx(p[upper].mean(), abs=0.07)


def test_no_model_of_the_labs_beats_the_attainable_score(large):
    lab = large.X["lab"].drop(columns=["sex", "age"])
    logs = np.log(lab.fillna(lab.median()))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    p = cross_val_predict(model, logs, large.y, cv=5, method="predict_proba")[:, 1]
    score = roc_auc_score(large.y, p)
    # Standard error of the AUROC of 1,500 patients: 0.015.
    assert 0.58 < score < large.truth.attainable["auroc"]["lab"] + 0.045


def test_null_signal_leaves_nothing_to_find():
    null = make_prrt_cohort(1500, volumes=False, signal=0, random_state=1)
    assert (null.truth.attainable["auroc"] == 0.5).all()
    assert null.truth.attainable["auprc"].to_numpy() == pytest.approx(0.64, abs=0.005)
    assert not null.truth.lab_signal["carries_signal"].any()
    assert null.truth.best_probability.to_numpy() == pytest.approx(0.64, abs=0.005)
    truth = make_prrt_cohort(1500, volumes=False, random_state=1).truth
    assert roc_auc_score(null.y, -truth.log_hazard) == pytest.approx(0.5, abs=0.06)
    assert np.mean(null.y == 0) == pytest.approx(0.36, abs=0.05)


def test_more_signal_makes_every_configuration_better():
    weak, strong = (make_prrt_cohort(2, volumes=False, signal=s, random_state=0) for s in (0.5, 2.0))
    assert (weak.truth.attainable["auroc"] + 0.03 < strong.truth.attainable["auroc"]).all()


def test_lab_signal_agrees_with_correlations(large):
    table = large.truth.lab_signal
    assert table.index.tolist() == large.X["lab"].columns.tolist()
    assert not table["carries_signal"][["sex", "age"]].any()
    seen = np.log(large.X["lab"]["ast_u_l"]).corr(pd.Series(large.truth.log_hazard))
    assert seen == pytest.approx(table["correlation"]["ast_u_l"], abs=0.1)


def test_censoring_takes_its_share_and_leaves_the_curve_where_it_was():
    with pytest.warns(CensoredPatientsWarning, match="unknown: y is -1"):
        cohort = make_prrt_cohort(1500, volumes=False, censoring=0.3, random_state=1)
    assert np.mean(~cohort.event) == pytest.approx(0.3, abs=0.05)
    np.testing.assert_array_equal(cohort.y == -1, ~cohort.event & (cohort.time <= 12))
    fitted = KaplanMeierFitter().fit(cohort.time, cohort.event)
    assert fitted.predict(12.0) == pytest.approx(0.64, abs=0.05)
    with pytest.warns(CensoredPatientsWarning, match="left out"):
        X, y = make_prrt_cohort(1500, volumes=False, censoring=0.3, random_state=1, return_X_y=True)
    assert len(X) == len(y) == np.sum(cohort.y >= 0)
    assert set(y) == {0, 1}


def test_centres_differ_in_case_mix_assay_and_voxels():
    cohort = make_prrt_cohort(900, volumes=False, n_centres=3, random_state=0)
    centre = cohort.patients["centre"].to_numpy()
    assert set(centre) == {0, 1, 2}
    assert cohort.truth.factors["burden"].groupby(centre).mean().diff().abs().min() > 0.1
    assert len(np.unique(cohort.spacing, axis=0)) == 3
    cga = np.log(cohort.X["lab"]["chromogranin_a_ug_l"])
    assert cga[centre == 1].mean() > cga[centre == 2].mean() + 0.5
    assert cohort.truth.attainable["auroc"]["pet_ct_lab"] == pytest.approx(0.82, abs=0.02)
    p = cohort.truth.best_probability["pet_ct_lab"]
    assert roc_auc_score(cohort.y, p) == pytest.approx(0.82, abs=0.05)


def test_a_patient_does_not_depend_on_how_many_there_are():
    few, many = (make_prrt_cohort(n, volumes=False, random_state=7) for n in (3, 9))
    pd.testing.assert_frame_equal(few.X["lab"], many.X["lab"].iloc[:3])
    np.testing.assert_array_equal(few.time, many.time[:3])
    other = make_prrt_cohort(3, volumes=False, random_state=8)
    assert not np.array_equal(few.time, other.time)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n_patients": 0}, ValueError, "`n_patients` must be at least 1; got 0"),
        ({"n_patients": 2.5}, TypeError, "`n_patients` must be a whole number"),
        ({"n_centres": 7}, ValueError, "`n_centres` must be between 1 and 6"),
        ({"signal": -1}, ValueError, "`signal` must lie between 0 and 5"),
        ({"signal": "1"}, TypeError, "`signal` must be a number; got str"),
        ({"censoring": 1.0}, ValueError, "`censoring` must lie between 0 and 0.9"),
        ({"volume_shape": (8, 8)}, ValueError, "`volume_shape` must be one number or three"),
        ({"volume_shape": 4}, ValueError, "`volume_shape` must be between 8"),
        ({"spacing": 0.0}, ValueError, "`spacing` must lie between"),
        ({"random_state": -1}, ValueError, "`random_state` must not be negative"),
    ],
)
def test_bad_parameters_are_named(options, error, words):
    with pytest.raises(error, match=words):
        make_prrt_cohort(**{"n_patients": 2, "volumes": False, **options})
