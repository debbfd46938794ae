from __future__ import annotations

from itertools import permutations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from pretrained_helpers import array_cohort, fusion, publish
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from prrt_estimators import Cohort, FusionPFSClassifier, PETPFSClassifier
from prrt_estimators.exceptions import ExplanationWarning, MissingModalityError
from prrt_estimators.inspection import modality_shapley
from prrt_estimators.preprocessing import VolumePreprocessor

# Scans of these tests overlap in part.
pytestmark = pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.CohortWarning")

NAMES = ["pet", "ct", "lab"]


class Known(ClassifierMixin, BaseEstimator):
    """A model whose logit is `rule` of one number per modality, with a token for what is missing."""

    classes_ = np.array([0, 1])
    tokens = {"pet": 0.3, "ct": -0.2, "lab": 0.1}  # noqa: RUF012

    def __init__(self, rule=None, modalities=("pet", "ct", "lab")):
        self.rule = rule
        self.modalities = modalities

    @property
    def modalities_(self):
        return self.modalities

    def fit(self, X, y):
        return self

    def number(self, X, name):
        if name not in X:
            return np.full(len(X), self.tokens[name])
        values = X["lab"]["a"].to_numpy(dtype=float) if name == "lab" else X[name].array[:, 0, 0, 0, 0].astype(float)
        return np.where(np.isnan(values), self.tokens[name], values)

    def predict_proba(self, X):
        logit = self.rule(*(self.number(X, name) for name in self.modalities))
        p = 1 / (1 + np.exp(-logit))
        return np.column_stack([1 - p, p])


def product(pet, ct, lab):
    return pet * ct + 0.5 * lab + 0.3 * pet * ct * lab


def volumes(values):
    return np.asarray(values, dtype=np.float32)[:, None, None, None, None] * np.ones((1, 1, 2, 2, 2), np.float32)


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"a": rng.normal(size=5), "b": ["x", "y", "x", "y", "x"]})
    return Cohort(
        {"pet": volumes(rng.normal(size=5)), "ct": volumes(rng.normal(size=5)), "lab": lab}, ids=list("abcde")
    )


def logit(p):
    return np.log(p / (1 - p))


def brute_force(clf, X, row, output):
    """Average the marginal contributions over all orders in which modalities become known, one patient at a time."""
    numbers = {name: clf.number(X, name)[row] for name in NAMES}

    def worth(known):
        value = clf.rule(*(numbers[name] if name in known else clf.tokens[name] for name in NAMES))
        return value if output == "logit" else 1 / (1 + np.exp(-value))

    orders = list(permutations(NAMES))
    values = dict.fromkeys(NAMES, 0.0)
    for order in orders:
        for place, name in enumerate(order):
            values[name] += (worth(order[: place + 1]) - worth(order[:place])) / len(orders)
    return values


@pytest.mark.parametrize("output", ["probability", "logit"])
def test_values_are_those_of_all_orders(cohort, output):
    clf = Known(product)
    found = modality_shapley(clf, cohort, output=output)
    for row in range(5):
        expected = brute_force(clf, cohort, row, output)
        assert found.loc[row, NAMES].to_dict() == pytest.approx(expected, abs=1e-12)
    p = clf.predict_proba(cohort)[:, 1]
    np.testing.assert_allclose(found["prediction"], logit(p) if output == "logit" else p)
    np.testing.assert_allclose(found[NAMES].sum(axis=1), found["prediction"] - found["base"], atol=1e-12)
    assert found["patient_id"].tolist() == list("abcde")
    assert list(found.columns) == ["patient_id", *NAMES, "base", "prediction"]
    assert found.attrs == {"output": output, "absent": "missing"}


@pytest.mark.parametrize("absent", ["missing", "background"])
def test_a_modality_that_changes_nothing_gets_nothing_and_equals_get_the_same(cohort, absent):
    def rule(pet, ct, lab):
        return pet * lab + 0 * ct

    lab = pd.DataFrame({"a": cohort["pet"].array[:, 0, 0, 0, 0].astype(float)})
    X = Cohort({**cohort, "lab": lab})
    clf = Known(rule)
    clf.tokens = {"pet": 0.2, "ct": 1.0, "lab": 0.2}
    found = modality_shapley(clf, X, absent=absent, background=None if absent == "missing" else X)
    np.testing.assert_allclose(found["ct"], 0, atol=1e-15)
    np.testing.assert_allclose(found["pet"], found["lab"], atol=1e-12)
    assert found["pet"].abs().max() > 0.01


def test_background_worked_by_hand(cohort):
    # For a sum, what a modality adds is its own part less the background's mean part.
    clf = Known(lambda pet, ct, lab: pet + 2 * ct - lab)
    known = cohort[:3]
    found = modality_shapley(clf, cohort, output="logit", absent="background", background=known)
    for name, weight in zip(NAMES, (1, 2, -1), strict=True):
        values = clf.number(cohort, name)
        np.testing.assert_allclose(found[name], weight * (values - values[:3].mean()), atol=1e-6)
    np.testing.assert_allclose(found["base"], logit(clf.predict_proba(known)[:, 1]).mean())
    # Modalities that are absent together come from one patient: the mean of products, not the product of means.
    clf = Known(product)
    found = modality_shapley(clf, cohort[:1], output="logit", absent="background", background=known)
    pet, ct, lab = (clf.number(known, name) for name in NAMES)
    assert found.loc[0, "base"] == pytest.approx(product(pet, ct, lab).mean(), abs=1e-6)


def test_background_is_drawn_by_seed(cohort):
    options = {"absent": "background", "background": cohort, "n_background": 2}
    first, again, other = (modality_shapley(Known(product), cohort, random_state=seed, **options) for seed in (0, 0, 3))
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first["base"], other["base"])


def test_who_lacks_a_modality_gets_nothing_from_it(cohort):
    pet = cohort["pet"].array.copy()
    pet[2] = np.nan
    lab = cohort["lab"].copy()
    lab.loc[3] = np.nan
    X = Cohort({"pet": pet, "ct": cohort["ct"], "lab": lab})
    found = modality_shapley(Known(product), X)
    assert found.loc[2, "pet"] == 0
    assert found.loc[3, "lab"] == 0
    assert found.loc[2, "lab"] != 0
    whole = modality_shapley(Known(product), X.select("ct", "lab"))
    np.testing.assert_array_equal(whole["pet"], 0)


def test_modalities_that_the_model_does_not_use_are_zero(cohort):
    clf = Known(lambda pet, lab: pet * lab, modalities=("pet", "lab"))
    found = modality_shapley(clf, cohort)
    np.testing.assert_array_equal(found["ct"], 0)
    np.testing.assert_allclose(found["pet"] + found["lab"], found["prediction"] - found["base"])


def test_each_patient_is_explained_by_a_model_trained_without_them(cohort):
    class Counting(Known):
        def fit(self, X, y):
            self.shift_ = float(len(X)) + self.number(X, "pet").sum()
            return self

        def predict_proba(self, X):
            return Known(lambda *parts: 0.1 * self.shift_ * product(*parts)).predict_proba(X)

    folds = [(np.array([2, 3, 4]), np.array([1, 0])), (np.array([0, 1]), np.array([2, 4, 3]))]
    ticks = []
    found = modality_shapley(
        Counting(), cohort, y=[0, 1, 0, 1, 0], cv=folds, progress=lambda done, n: ticks.append((done, n))
    )
    for train, test in folds:
        alone = modality_shapley(Counting().fit(cohort[train], None), cohort[test])
        pd.testing.assert_frame_equal(found.iloc[test].reset_index(drop=True), alone)
    assert ticks[-1] == (5, 5)
    assert ticks == sorted(ticks)
    background = modality_shapley(Counting(), cohort, y=[0, 1, 0, 1, 0], cv=folds, absent="background", output="logit")
    p = Counting().fit(cohort[[2, 3, 4]], None).predict_proba(cohort[[2, 3, 4]])[:, 1]
    np.testing.assert_allclose(background["base"][:2], logit(p).mean())


# The network ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tiny):
    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    lab = pd.DataFrame({"cga": rng.lognormal(5, 1, 12) * np.where(y, 1, 4), "sex": ["m", "f", "f"] * 4})
    lab.loc[4, "cga"] = np.nan
    X = Cohort(
        {
            "pet": rng.random((12, 1, 8, 8, 8)) + y[:, None, None, None, None],
            "ct": rng.normal(0, 50, (12, 1, 8, 8, 8)),
            "lab": lab,
        }
    )
    return FusionPFSClassifier(**tiny).fit(X, y), X, y


@pytest.mark.parametrize("absent", ["missing", "background"])
def test_values_of_the_network_sum_to_its_prediction(network, absent):
    clf, X, _ = network
    background = X[:4] if absent == "background" else None
    for one in (clf, make_pipeline("passthrough", clf)):
        found = modality_shapley(one, X[4:8], absent=absent, background=background)
        np.testing.assert_allclose(found[NAMES].sum(axis=1), found["prediction"] - found["base"], atol=1e-6)
        np.testing.assert_allclose(found["prediction"], clf.predict_proba(X[4:8])[:, 1], atol=1e-6)
        assert (found[NAMES].abs().max() > 1e-5).all()


def test_one_patient(network):
    clf, X, _ = network
    found = modality_shapley(clf, X[3])
    assert len(found) == 1
    np.testing.assert_allclose(
        found.iloc[0, 1:].astype(float), modality_shapley(clf, X).iloc[3, 1:].astype(float), atol=1e-6
    )


def test_out_of_fold_with_the_network(network, tiny):
    _, X, y = network
    found = modality_shapley(FusionPFSClassifier(**tiny), X, y=y, cv=StratifiedKFold(2))
    np.testing.assert_allclose(found[NAMES].sum(axis=1), found["prediction"] - found["base"], atol=1e-6)
    # Equal within a fold but for the last digit, which depends on the size of the batch.
    assert found["base"].round(6).nunique() == 2


def test_the_ct_stays_where_it_was_when_the_pet_is_taken_away(nifti_cohort, tiny, tmp_path):
    X, y = nifti_cohort(9)
    moved = []
    for k, path in enumerate(X["ct"].paths):  # a CT whose field of view lies elsewhere than that of the PET
        image = nib.load(path)
        affine = image.affine.copy()
        affine[:3, 3] += 12
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), tmp_path / f"moved{k}.nii.gz")
        moved.append(str(tmp_path / f"moved{k}.nii.gz"))
    X = Cohort({"pet": X["pet"], "ct": moved, "lab": X["lab"]}, ids=X.ids)
    clf = FusionPFSClassifier(**tiny).fit(X, y)
    boxes = VolumePreprocessor(size=tiny["size"], spacing=tiny["spacing"]).fit_transform(X)
    found = modality_shapley(clf, X)
    np.testing.assert_allclose(found["prediction"], clf.predict_proba(X)[:, 1], atol=1e-6)
    pd.testing.assert_frame_equal(found, modality_shapley(clf, boxes), atol=1e-6)
    alone = clf.predict_proba(X.select("ct", "lab"))[:, 1] - clf.predict_proba(boxes.select("ct", "lab"))[:, 1]
    assert np.abs(alone).max() > 1e-5  # so the boxes do matter
    scans = modality_shapley(clf, X, absent="background", background=X[:3])
    pd.testing.assert_frame_equal(
        scans, modality_shapley(clf, boxes, absent="background", background=boxes[:3]), atol=1e-6
    )


@pytest.mark.parametrize("own_grid", [True, False])
@pytest.mark.parametrize("finetune", ["frozen", "full"])
def test_pretrained_branches_keep_what_they_take(nifti_cohort, monkeypatch, tmp_path, own_grid, finetune):
    publish(monkeypatch, tmp_path, **({} if own_grid else {"size": None, "spacing": None}))
    X, y = nifti_cohort(9)
    clf = fusion(weights={"ct": "small"}, finetune=finetune).fit(X, y)
    for absent in ("missing", "background"):
        found = modality_shapley(clf, X, absent=absent, background=X[:2] if absent == "background" else None)
        np.testing.assert_allclose(found["prediction"], clf.predict_proba(X)[:, 1], atol=1e-6)
        np.testing.assert_allclose(found[NAMES].sum(axis=1), found["prediction"] - found["base"], atol=1e-6)
        assert (found[NAMES].abs().max() > 1e-7).all()


def test_scans_alone_with_a_pretrained_branch(monkeypatch, tmp_path):
    publish(monkeypatch, tmp_path)
    X, y = array_cohort()
    pet = np.random.default_rng(0).random((8, 1, 12, 12, 12)).astype(np.float32)
    X = Cohort({"pet": pet, "ct": X["ct"]})
    clf = fusion(weights={"ct": "small"}).fit(X, y)
    found = modality_shapley(clf, X)
    np.testing.assert_allclose(found[NAMES].sum(axis=1), found["prediction"] - found["base"], atol=1e-6)
    np.testing.assert_array_equal(found["lab"], 0)


# What goes wrong --------------------------------------------------------------------------------------------------


def test_one_modality_has_nothing_to_share(tiny):
    X, y = np.random.default_rng(0).random((8, 1, 8, 8, 8)), np.arange(8) % 2
    clf = PETPFSClassifier(**tiny).fit(X, y)
    with pytest.raises(ValueError, match="the model uses pet only and cannot do without"):
        modality_shapley(clf, {"pet": X})
    found = modality_shapley(clf, {"pet": X}, absent="background", background={"pet": X[:4]})
    np.testing.assert_allclose(found["pet"], found["prediction"] - found["base"])


def test_tokens_that_were_never_trained_are_told_of(network, tiny):
    _, X, y = network
    clf = FusionPFSClassifier(**{**tiny, "max_epochs": 1}, modality_dropout=0).fit(X, y)
    with pytest.warns(ExplanationWarning, match="modality_dropout=0"):
        modality_shapley(clf, X)


def test_wrong_arguments_are_named(cohort):
    clf = Known(product)
    with pytest.raises(ValueError, match="`output` must be one of 'probability', 'logit'; got 'odds'"):
        modality_shapley(clf, cohort, output="odds")
    with pytest.raises(ValueError, match="`absent` must be one of"):
        modality_shapley(clf, cohort, absent="zero")
    with pytest.raises(ValueError, match="absent='background' needs `background`"):
        modality_shapley(clf, cohort, absent="background")
    with pytest.raises(ValueError, match="`background` is for absent='background'"):
        modality_shapley(clf, cohort, background=cohort)
    with pytest.raises(ValueError, match="`y` is given without `cv`"):
        modality_shapley(clf, cohort, y=[0, 1, 0, 1, 0])
    with pytest.raises(MissingModalityError, match="`background` has no 'pet' and no 'ct'"):
        modality_shapley(clf, cohort, absent="background", background=cohort.select("lab"))
    with pytest.raises(MissingModalityError, match="the model uses pet, ct; the data have lab"):
        modality_shapley(Known(product, modalities=("pet", "ct")), cohort.select("lab"))
    with pytest.raises(TypeError, match="X must be a Cohort"):
        modality_shapley(clf, np.zeros((3, 1, 2, 2, 2)))
    with pytest.raises(TypeError, match="`n_background` must be a whole number"):
        modality_shapley(clf, cohort, n_background="all")
    with pytest.raises(TypeError, match="has no predict_proba"):
        modality_shapley(object(), cohort)
