"""Models of the time to progression: what they find, what their curves obey, what they refuse."""

from __future__ import annotations

import warnings

import lifelines
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators import Cohort, load_model, save_model
from prrt_estimators._survival import as_survival, censoring_curve, kaplan_meier
from prrt_estimators.estimators import (
    BlockFusionPFSSurvival,
    CoxPFSSurvival,
    FusionPFSSurvival,
    LabBaselineSurvival,
    LabPFSSurvival,
    LateFusionPFSSurvival,
    PETPFSSurvival,
)
from prrt_estimators.exceptions import FewEventsWarning, MissingModalityError
from prrt_estimators.metrics import survival_curves, uno_c

NETWORK = {"random_state": 0, "device": "cpu"}
TINY = {"max_epochs": 1, **NETWORK}


def planted(n=120, seed=0, censored=True):
    """High CgA is bad; whole months, so that many are tied."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "CgA": rng.lognormal(5, 1, n),
            "AST": rng.lognormal(3.4, 0.3, n),
            "ALT": rng.lognormal(3.4, 0.3, n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    months = 15 * rng.exponential(size=n) * (150 / table["CgA"].to_numpy()) ** 1.5
    limit = rng.uniform(5, 50, n) if censored else np.full(n, 1e3)
    return table, as_survival((months <= limit, np.ceil(np.minimum(months, limit))))


MODELS = {
    "cox": lambda: LabPFSSurvival(),
    "forest": lambda: LabPFSSurvival(model="forest", n_estimators=60, random_state=0),
    "baseline": lambda: LabBaselineSurvival(),
    "blocks": lambda: BlockFusionPFSSurvival(),
    "network": lambda: FusionPFSSurvival(max_epochs=40, lr=0.01, **NETWORK),
    "network_cox": lambda: FusionPFSSurvival(max_epochs=40, lr=0.01, head="cox", batch_size=60, **NETWORK),
    "late": lambda: LateFusionPFSSurvival(estimators={"lab": LabPFSSurvival(), "markers": LabBaselineSurvival()}, cv=3),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def test_a_planted_effect_is_found_and_curves_fall(model):
    table, y = planted()
    new, y_new = planted(seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(table, y)
    assert model.score(new, y_new) > 0.68
    tau = censoring_curve(y).times[censoring_curve(y).values < 0.2].min(initial=np.inf)
    assert model.score(new, y_new) == uno_c(y_new, model.predict(new), train=y, tau=tau)
    times = np.array([0.0, 3.0, 12.0, 12.5, 40.0, 500.0])
    curves = model.predict_survival_function(new, times)
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 1e-12).all()
    np.testing.assert_allclose(curves, np.exp(-model.predict_cumulative_hazard_function(new, times)))
    # On average the curves are that of everybody.
    own = model.predict_survival_function(table, [6.0, 12.0]).mean(axis=0)
    np.testing.assert_allclose(own, kaplan_meier(y).at([6.0, 12.0]), atol=0.09)
    median = model.predict_median(new)
    finite = np.isfinite(median)
    rows = np.flatnonzero(finite)[:5]
    for row in rows:
        assert model.predict_survival_function(new.iloc[[row]], [median[row]])[0, 0] <= 0.5 + 1e-9
    assert (model.predict_survival_function(new)[~finite] > 0.5).all()
    order = np.random.default_rng(0).permutation(len(new))
    np.testing.assert_allclose(model.predict(new.iloc[order]), model.predict(new)[order], atol=1e-6)


def test_a_saved_model_predicts_the_same(model, tmp_path):
    table, y = planted(60)
    if isinstance(model, FusionPFSSurvival):
        model.set_params(max_epochs=1)
    model.fit(table, y)
    back = load_model(save_model(model, tmp_path / "model.prrt", X=table, y=y))
    np.testing.assert_array_equal(back.predict(table), model.predict(table))
    times = [0.0, 7.0, 30.0]
    np.testing.assert_array_equal(
        back.predict_survival_function(table, times), model.predict_survival_function(table, times)
    )
    assert back.score(table, y) == model.score(table, y)
    card = (tmp_path / "model.prrt.md").read_text("utf-8")
    assert "Progression seen" in card
    assert "predict_survival_function" in card
    assert "the probability of long PFS" not in card


def test_censored_patients_are_used_and_not_taken_as_progressions():
    table, y = planted()
    all_seen = y.copy()
    all_seen["event"] = True
    dropped = LabPFSSurvival().fit(table[y["event"]], y[y["event"]])
    used, wrong = LabPFSSurvival().fit(table, y), LabPFSSurvival().fit(table, all_seen)
    level = kaplan_meier(y).at(12.0)
    means = [one.predict_survival_function(table, [12.0]).mean() for one in (used, dropped, wrong)]
    assert abs(means[0] - level) < 0.03
    assert means[1] < level - 0.05
    assert means[2] < level - 0.05


def test_fixed_ridge_and_baseline_agree_with_lifelines():
    """Without ties, Breslow and lifelines' Efron are one."""
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    time = rng.exponential(np.exp(-X["a"]) * 12)
    y = as_survival((rng.random(80) < 0.7, time))
    model = CoxPFSSurvival(strength=1e-6).fit(X, y)
    scaled = pd.DataFrame(model.scaler_.transform(X.to_numpy()), columns=["a", "b"]).assign(t=y["time"], e=y["event"])
    fitted = lifelines.CoxPHFitter().fit(scaled, "t", "e")
    np.testing.assert_allclose(model.coef_, fitted.params_, atol=1e-4)
    times = np.sort(y["time"][y["event"]])[[10, 30]]  # between progressions lifelines interpolates
    expected = fitted.predict_survival_function(scaled, times=times).T
    np.testing.assert_allclose(model.predict_survival_function(X, times), expected, atol=2e-4)


def test_a_patient_counted_twice_is_a_weight_of_two():
    table, y = planted(50)
    numbers = table.drop(columns="sex")
    weights = np.where(np.arange(50) < 10, 2, 1)
    rows = np.repeat(np.arange(50), weights)
    one = CoxPFSSurvival().fit(numbers, y, sample_weight=weights)
    two = CoxPFSSurvival().fit(numbers.iloc[rows], y[rows])
    np.testing.assert_allclose(one.predict(numbers), two.predict(numbers), atol=1e-8)
    np.testing.assert_allclose(one.baseline_hazard_, two.baseline_hazard_, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("y", "kind", "text"),
    [
        (np.tile([0, 1], 20), TypeError, "structured array"),
        (as_survival((np.zeros(40, bool), np.arange(1.0, 41))), ValueError, "none of the 40 patients progressed"),
        ({"event": np.ones(39), "time": np.ones(39)}, ValueError, "inconsistent numbers of samples"),
        (None, ValueError, "requires y"),
    ],
)
def test_what_is_no_time_is_refused(name, y, kind, text):
    with pytest.raises(kind, match=text):
        MODELS[name]().fit(planted(40)[0], y)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.FewEventsWarning")
def test_ties_everywhere_time_zero_and_few_patients_give_numbers(name):
    table = planted(20)[0]
    model = MODELS[name]()
    if "max_epochs" in model.get_params():
        model.set_params(max_epochs=1)
    for y in (
        as_survival((np.ones(20, bool), np.full(20, 7.0))),  # all progressed at once
        as_survival((np.arange(20) % 2 == 0, np.zeros(20))),  # all at time zero
        as_survival((np.arange(20) == 0, np.arange(20.0))),  # one progression, at time zero
    ):
        clone(model).fit(table, y)
        fitted = clone(model).fit(table, y)
        assert np.isfinite(fitted.predict(table)).all()
        curves = fitted.predict_survival_function(table, [0.0, 3.0, 7.0, 12.0])
        assert ((curves >= 0) & (curves <= 1)).all()
        assert (fitted.predict_median(table) >= 0).all()


def test_one_patient_gives_the_hazard_of_one():
    y = as_survival(([True], [5.0]))
    with pytest.warns(FewEventsWarning):
        model = CoxPFSSurvival().fit(np.ones((1, 2)), y)
    assert model.predict(np.ones((1, 2))).tolist() == [0.0]
    np.testing.assert_allclose(model.predict_survival_function(np.ones((1, 2)), [4.0, 5.0]), [[1.0, np.exp(-1)]])


def test_times_that_cannot_be_are_refused():
    table, y = planted(30)
    model = LabPFSSurvival().fit(table, y)
    for times in ([-1.0], [np.nan], [[1.0]], []):
        with pytest.raises(ValueError, match="`times` must be months"):
            model.predict_survival_function(table, times)


def test_cox_needs_more_than_one_patient_at_a_time():
    with pytest.raises(ValueError, match="batch_size"):
        FusionPFSSurvival(head="cox", batch_size=1).fit(*planted(20))


# scikit-learn's tools, with real volumes ------------------------------------------------------------------------------


@pytest.fixture
def scans(tmp_path, monkeypatch):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))
    table, y = planted(18, censored=False)
    rng = np.random.default_rng(0)
    paths = []
    for k in range(18):
        path = tmp_path / f"{k}.nii.gz"
        nib.save(nib.Nifti1Image(rng.uniform(0, 10, (8, 8, 8)).astype(np.float32), np.diag([8.0, 8, 8, 1])), path)
        paths.append(str(path))
    paths[3] = None  # a patient who lacks the PET
    return Cohort({"pet": paths, "lab": table}), y


def test_searches_and_validation_know_the_scores_by_name(scans):
    X, y = scans
    model = FusionPFSSurvival(size=8, **TINY)
    found = cross_validate(model, X, y, cv=2, scoring=["uno_c", "neg_brier_horizon", "neg_integrated_brier"], n_jobs=2)
    for name in ("test_uno_c", "test_neg_brier_horizon", "test_neg_integrated_brier"):
        assert np.isfinite(found[name]).all()
    assert (found["test_neg_brier_horizon"] <= 0).all()
    search = GridSearchCV(model, {"head": ["hazard", "cox"]}, cv=2, scoring="uno_c").fit(X, y)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert survival_curves(search, X, [12.0]).shape == (18, 1)
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()


def test_the_scorer_learns_censoring_from_the_training_patients():
    table, y = planted()
    numbers = table.drop(columns="sex")
    train, test = np.arange(80), np.arange(80, 120)
    piped = make_pipeline(StandardScaler(), CoxPFSSurvival()).fit(numbers.iloc[train], y[train])
    from sklearn.metrics import get_scorer

    risk = piped.predict(numbers.iloc[test])
    curve = censoring_curve(y[train])
    tau = curve.times[curve.values < 0.2].min(initial=np.inf)
    found = get_scorer("uno_c")(piped, numbers.iloc[test], y[test])
    assert found == uno_c(y[test], risk, train=y[train], tau=tau)
    assert found != uno_c(y[test], risk, tau=tau)
    curves = survival_curves(piped, numbers.iloc[test], [12.0])
    inner = piped[-1].predict_survival_function(piped[:-1].transform(numbers.iloc[test]), [12.0])
    np.testing.assert_array_equal(curves, inner)


def test_a_scan_alone_and_a_patient_without_it(scans, tmp_path):
    X, y = scans
    model = PETPFSSurvival(size=8, **TINY).fit(X, y)
    with pytest.warns(UserWarning, match="nothing that PETPFSSurvival looks at"):
        assert np.isfinite(model.predict(X)).all()
    back = load_model(save_model(model, tmp_path / "pet.prrt"))
    with pytest.warns(UserWarning, match="nothing that PETPFSSurvival looks at"):
        np.testing.assert_array_equal(back.predict(X), model.predict(X))
    with pytest.raises(MissingModalityError):
        LateFusionPFSSurvival(estimators={"ct": LabPFSSurvival()}).fit(X, y)
