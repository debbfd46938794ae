"""Pretraining on one's own CTs: without outcomes, without test patients, and said when that is not so."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pretrained_helpers import FINETUNE, array_cohort, ct, fusion, hounsfield, written_cohort
from safetensors import safe_open
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from prrt_estimators import Cohort, compare_models
from prrt_estimators.cohort import Volumes
from prrt_estimators.estimators import CTPretrainer
from prrt_estimators.exceptions import CohortError, MissingModalityError, PretrainingOverlapWarning
from prrt_estimators.networks._weight_files import NOTE, read_note
from prrt_estimators.pretrained import find_weights

QUICK = {"max_epochs": 1, "random_state": 0, "device": "cpu", "size": 12, "spacing": 6.0}


def pretrainer(**options):
    return CTPretrainer(**QUICK | options)


def spheres(n=12, size=16):
    """Return patients told apart by where a dense sphere lies, how large and how dense it is."""
    rng = np.random.default_rng(0)
    axes = np.meshgrid(*[np.arange(size)] * 3, indexing="ij")
    volumes = np.full((n, 1, size, size, size), -100.0, np.float32)
    for volume in volumes:
        distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(axes, rng.uniform(3, size - 3, 3), strict=True)))
        volume[0][distance < rng.uniform(2, 6)] = rng.uniform(0, 240)
    return volumes


# What is learnt -------------------------------------------------------------------------------------------------------


def test_the_loss_falls_where_there_is_something_to_learn():
    model = CTPretrainer(max_epochs=25, lr=2e-3, random_state=0, device="cpu").fit(spheres())
    assert len(model.loss_curve_) == 25
    assert np.mean(model.loss_curve_[-3:]) < 0.8 * np.mean(model.loss_curve_[:3])
    assert model.n_patients_ == 12


def test_the_same_seed_gives_the_same_file_and_the_global_generator_is_left_alone():
    X, _ = array_cohort()
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first = Path(pretrainer().fit(X).weights_)
    assert torch.equal(torch.rand(1), expected)
    raw = first.read_bytes()
    assert Path(pretrainer().fit(X).weights_) == first
    first.unlink()
    assert Path(pretrainer().fit(X).weights_).read_bytes() == raw
    assert Path(pretrainer(random_state=1).fit(X).weights_).read_bytes() != raw


def test_no_outcome_and_no_other_modality_is_looked_at():
    X, y = array_cohort()
    survival = np.array([(True, 3.0 + k) for k in range(8)], dtype=[("event", bool), ("time", float)])
    lab = X["lab"].assign(a=np.nan, pfs=y)
    others = Cohort({"ct": X["ct"], "pet": hounsfield(8, seed=3), "lab": lab}, survival=survival)
    alone = pretrainer().fit(X["ct"]).weights_
    assert pretrainer().fit(others, y).weights_ == alone
    assert pretrainer().fit(others, 1 - y).weights_ == alone
    assert pretrainer().fit(X.select("ct"), ["nonsense"] * 8).weights_ == alone


def test_patients_without_a_ct_are_passed_over():
    X, _ = array_cohort()
    voxels = X["ct"].array.copy()
    voxels[[0, 5]] = np.nan
    model = pretrainer().fit(voxels)
    assert model.n_patients_ == 6
    features = model.transform(voxels)
    assert features.shape == (8, 128)
    assert np.flatnonzero(np.isnan(features).any(axis=1)).tolist() == [0, 5]
    assert np.isnan(features[[0, 5]]).all()
    assert pretrainer().fit(np.delete(voxels, [0, 5], axis=0)).weights_ == model.weights_


# What comes out -------------------------------------------------------------------------------------------------------


def test_the_file_says_what_the_encoder_expects_and_nothing_of_patients(tmp_path):
    X, _ = written_cohort(tmp_path)
    X = Cohort({"ct": X["ct"]}, ids=[f"Erika-{k}" for k in range(8)])
    model = pretrainer(window=(-200.0, 300.0), size=(10, 11, 12), spacing=(6.0, 5.0, 4.0)).fit(X)
    source = find_weights(model.weights_, modality="ct")
    assert (source.size, source.spacing, source.window) == ((10, 11, 12), (6.0, 5.0, 4.0), (-200.0, 300.0))
    assert (source.encoder, len(source.seen)) == ("compact", 8)
    raw = Path(model.weights_).read_bytes()
    assert b"Erika" not in raw
    assert b"nii" not in raw
    assert str(tmp_path).encode() not in raw


def test_arrays_leave_the_shape_that_they_have_and_the_spacing_that_is_known(tmp_path):
    bare = read_note(pretrainer().fit(hounsfield(4, (9, 10, 11))).weights_)
    assert (bare["size"], bare["spacing"]) == ([9, 10, 11], [6.0, 6.0, 6.0])
    known = read_note(pretrainer().fit(Volumes(hounsfield(4), spacing=(2.0, 2.0, 3.0))).weights_)
    assert (known["size"], known["spacing"]) == ([12, 12, 12], [2.0, 2.0, 3.0])


def test_a_copy_is_as_good_as_the_original(tmp_path):
    X, _ = array_cohort()
    model = pretrainer().fit(X)
    target = model.save(tmp_path / "folder" / "own.safetensors")
    assert target.read_bytes() == Path(model.weights_).read_bytes()
    with pytest.raises(ValueError, match=r"saved as \.safetensors; got 'own\.pt'"):
        model.save(tmp_path / "own.pt")
    with pytest.raises(NotFittedError):
        pretrainer().save(tmp_path / "none.safetensors")


def test_weights_that_cannot_be_written_whole_are_not_written(monkeypatch):
    X, _ = array_cohort()
    complete = Path.write_bytes

    def half(path, content):
        complete(path, content[:1000])
        raise OSError(28, "No space left on device")

    model = pretrainer()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(OSError, match="the disk or the user's share of it is full"):
            model.fit(X)
    with pytest.raises(NotFittedError):
        model.transform(X)
    assert model.fit(X).transform(X).shape == (8, 128)


def test_an_interruption_leaves_nothing_fitted(monkeypatch):
    from prrt_estimators._net import PFSNet

    X, _ = array_cohort()
    model = pretrainer().fit(X)

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(PFSNet, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.transform(X)


@pytest.mark.parametrize("finetune", FINETUNE)
@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.PretrainingOverlapWarning")
def test_estimators_take_the_file(finetune):
    X, y = array_cohort()
    model = pretrainer().fit(X)
    clf = ct(weights=model.weights_, finetune=finetune).fit(X, y)
    assert np.isfinite(clf.predict_proba(X)).all()
    if finetune == "frozen":
        features = model.transform(X)
        np.testing.assert_allclose(clf.net_.module_.encoders["ct"].mean, features.mean(axis=0), atol=1e-6)


@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.PretrainingOverlapWarning")
def test_weights_of_one_box_are_used_in_that_box_whatever_the_estimator_s(tmp_path):
    X, y = written_cohort(tmp_path)
    model = pretrainer(encoder_params={"conv1_t_stride": (1, 2, 2)}, size=10, spacing=5.0).fit(X)
    clf = ct(weights=model.weights_, size=6, spacing=3.0).fit(X, y)
    features = model.transform(X)
    np.testing.assert_allclose(clf.net_.module_.encoders["ct"].mean, features.mean(axis=0), atol=1e-6)


# Inside a fold --------------------------------------------------------------------------------------------------------


@pytest.fixture
def fitted_on(monkeypatch):
    """Note which patients every pretrainer is fitted on."""
    fits = []
    fit = CTPretrainer.fit

    def noted(self, X, y=None):
        fits.append(X.ids.tolist() if isinstance(X, Cohort) else len(X))
        return fit(self, X, y)

    monkeypatch.setattr(CTPretrainer, "fit", noted)
    return fits


def test_an_unfitted_pretrainer_sees_training_patients_only(fitted_on):
    X, y = array_cohort()
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    given = pretrainer()
    cross_val_predict(fusion(weights={"ct": given}), X, y, cv=cv, method="predict_proba")
    assert fitted_on == [X[train].ids.tolist() for train, _ in cv.split(X, y)]
    assert not hasattr(given, "weights_")


def test_patients_without_weight_shape_nothing(fitted_on):
    X, y = array_cohort()
    fusion(weights={"ct": pretrainer()}).fit(X, y, sample_weight=[1, 1, 1, 1, 1, 1, 0, 0])
    assert fitted_on == [["0", "1", "2", "3", "4", "5"]]


def test_the_fitted_pretrainer_is_kept_and_is_a_clone_with_the_fit_s_own_seed():
    X, y = array_cohort()
    given = pretrainer(random_state=None)
    clf = ct(weights=given, random_state=3).fit(X, y)
    kept = clf.pretrainers_["ct"]
    assert kept is not given
    assert kept.weights_ == str(clf.branches_["ct"].source.file)
    again = ct(weights=given, random_state=3).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    other = ct(weights=given, random_state=4).fit(X, y)
    assert other.pretrainers_["ct"].weights_ != kept.weights_
    set_by_hand = ct(weights=pretrainer(random_state=5, cache_dir="nowhere-else"), random_state=3)
    assert set_by_hand.weights.random_state == 5


def test_values_planted_in_held_out_scans_change_nothing():
    X, y = array_cohort()
    spoilt = X["ct"].array.copy()
    spoilt[6:, 0, :6] = 1500.0
    other = Cohort({"ct": spoilt, "lab": X["lab"]})
    states = []
    for cohort in (X, other):
        clf = fusion(weights={"ct": pretrainer()}).fit(cohort[:6], y[:6])
        clf.predict_proba(cohort[6:])
        states.append(clf.net_.module_.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_search_reaches_the_pretrainer_s_parameters(fitted_on):
    X, y = array_cohort()
    grid = {"weights__ct__lr": [1e-3, 1e-2], "finetune": ["frozen", "full"]}
    search = GridSearchCV(fusion(weights={"ct": pretrainer()}), grid, cv=2, scoring="roc_auc").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(fitted_on) == 2 * 4 + 1
    best = search.best_estimator_
    assert best.pretrainers_["ct"].lr == search.best_params_["weights__ct__lr"]


def test_a_pipeline_turns_cts_into_features(fitted_on):
    X, y = array_cohort()
    voxels = X["ct"].array.copy()
    voxels[2] = np.nan
    some = Cohort({"ct": voxels, "lab": X["lab"]})
    pipeline = make_pipeline(pretrainer(), SimpleImputer(), LogisticRegression())
    p = pipeline.fit(some, y).predict_proba(some)
    assert p.shape == (8, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    fitted_on.clear()
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    assert cross_val_predict(pipeline, some, y, cv=cv).shape == (8,)
    assert fitted_on == [some[train].ids.tolist() for train, _ in cv.split(some, y)]


# Saying so ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_files", [True, False], ids=["files", "arrays"])
@pytest.mark.parametrize("finetune", FINETUNE)
def test_predicted_patients_that_were_pretrained_on_are_counted(in_files, finetune, tmp_path):
    X, y = written_cohort(tmp_path) if in_files else array_cohort()
    weights = pretrainer().fit(X[:5]).weights_
    clf = ct(weights=weights, finetune=finetune).fit(X[:4], y[:4])
    with pytest.warns(
        PretrainingOverlapWarning, match=r"2 of 4 patients .* whose CT pretrained-\w+\.safetensors"
    ) as told:
        clf.predict_proba(X[3:7])
    assert len(told) == 1
    assert "pass the pretrainer itself" in str(told[0].message)
    with pytest.warns(PretrainingOverlapWarning, match="1 of 1 patients"):
        clf.predict_proba(X[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.predict_proba(X[5:])
        # Pretrained inside the fit, training patients are no surprise.
        ct(weights=pretrainer()).fit(X, y).predict_proba(X)


def test_a_comparison_keeps_the_warning_in_its_record(tmp_path):
    X, y = array_cohort()
    models = {"outside": ct(weights=pretrainer().fit(X).weights_), "inside": ct(weights=pretrainer())}
    found = compare_models(models, X, y, cv=2, out=tmp_path / "out", n_jobs=1, verbose=0)
    told = {name: entry["warnings"] for name, entry in found.run["models"].items()}
    assert [text.partition(":")[0] for text in told["outside"]] == ["PretrainingOverlapWarning"]
    assert "4 of 4 patients" in told["outside"][0]
    assert told["inside"] == []
    assert found.status.set_index("model").loc["outside", "n_warnings"] == 1


# Manners --------------------------------------------------------------------------------------------------------------


def test_scikit_learn_s_manners():
    model = pretrainer(lr=0.5)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.set_params(temperature=0.1).temperature == 0.1
    X, _ = array_cohort()
    names = copy.fit(X).get_feature_names_out()
    assert names[[0, -1]].tolist() == ["ctpretrainer0", "ctpretrainer127"]
    frame = copy.set_output(transform="pandas").transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == names.tolist()
    np.testing.assert_array_equal(pretrainer().fit_transform(X), pretrainer().fit(X).transform(X))


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        (hounsfield(1), ValueError, "pretraining compares patients; got 1 with a CT"),
        (np.full((4, 1, 5, 5, 5), np.nan), ValueError, "got 0 with a CT"),
        (Cohort({"lab": np.eye(3)}), MissingModalityError, "CTPretrainer needs 'ct'; the data have lab"),
        (np.eye(3), MissingModalityError, "needs 'ct'"),
        ("scans", ValueError, "pretraining compares patients; got 1 with a CT"),  # the path of one scan
        ([1, 2], TypeError, "expected a Cohort"),
        ({"ct": ["none.nii.gz", "nor.nii.gz"]}, CohortError, "2 problems in the cohort"),
        ({"ct": np.full((3, 1, 1, 1, 1), 5.0), "mri": 1}, ValueError, "modalities"),
    ],
)
def test_wrong_inputs_are_explained(X, kind, message):
    with pytest.raises(kind, match=message):
        pretrainer().fit(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epochs": 0}, "'max_epochs' parameter"),
        ({"batch_size": 1}, "'batch_size' parameter"),
        ({"masked": 1.0}, "'masked' parameter"),
        ({"temperature": 0.0}, "'temperature' parameter"),
        ({"projection": 1}, "'projection' parameter"),
        ({"encoder": "vgg"}, "`encoder` must be one of"),
        ({"encoder_params": {"colour": 1}}, "`encoder_params` do not fit"),
        ({"encoder_params": {"block_inplanes": np.array([8, 8, 8, 8])}}, "`encoder_params` are written beside"),
        ({"window": (5, 1)}, "`window` must be a pair"),
        ({"device": "abacus"}, "`device` must be"),
        ({"size": 0}, "`size` must be"),
    ],
)
def test_wrong_parameters_are_named_before_training(options, message, monkeypatch):
    monkeypatch.setattr("prrt_estimators._net.train", lambda *a, **k: pytest.fail("training began"))
    X, _ = array_cohort()
    with pytest.raises((ValueError, TypeError), match=message):
        pretrainer(**options).fit(X)


def test_it_is_for_ct():
    X = Cohort({"pet": hounsfield(4) + 2000})
    from prrt_estimators import PETPFSClassifier

    with pytest.raises(MissingModalityError, match="CTPretrainer needs 'ct'; the data have pet"):
        PETPFSClassifier(weights=pretrainer(), max_epochs=1, device="cpu").fit(X, [0, 1, 0, 1])


def test_prepare_reads_scans_and_trains_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("prrt_estimators._net.train", lambda *a, **k: pytest.fail("training began"))
    X, _ = written_cohort(tmp_path)
    told = []
    pretrainer().prepare(X, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (8, 8)
    open(X["ct"].paths[3], "wb").close()
    with pytest.raises(CohortError, match="patient 3, ct"):
        fusion(weights={"ct": pretrainer()}).prepare(X)


def test_the_note_is_json_that_others_can_read():
    X, _ = array_cohort()
    model = pretrainer(max_epochs=2).fit(X)
    with safe_open(model.weights_, framework="np") as content:
        note = json.loads(content.metadata()[NOTE])
        assert set(content.keys()) == set(find_weights(model.weights_, modality="ct").state())
    assert (note["modality"], note["method"], note["n_patients"], note["epochs"]) == ("ct", "contrastive", 8, 2)
