from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from torch import nn

from prrt_estimators import Cohort, CTPFSClassifier, FusionPFSClassifier, PETPFSClassifier
from prrt_estimators.exceptions import CohortError, CohortWarning, MissingModalityError
from prrt_estimators.networks import build_encoder

Y = np.arange(12) % 2


def planted(n=40, seed=0, shape=(12, 12, 12)):
    """Return PET whose bright spot and labs whose CgA tell the class, and a CT of noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    pet, ct = rng.gamma(2, 0.5, (n, 1, *shape)), rng.normal(40, 50, (n, 1, *shape))
    for row in np.flatnonzero(y == 0):
        i, j, k = rng.integers(2, 8, 3)
        pet[row, 0, i : i + 3, j : j + 3, k : k + 3] += 12
    lab = pd.DataFrame({"cga": np.exp(rng.normal(5, 1, n) + 3 * (y == 0)), "age": rng.normal(60, 10, n)})
    return Cohort({"pet": pet.astype(np.float32), "ct": ct.astype(np.float32), "lab": lab}), y


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        (PETPFSClassifier(max_epochs=25, random_state=0), 0.9, 1.0),
        (FusionPFSClassifier(max_epochs=25, random_state=0), 0.9, 1.0),
        (FusionPFSClassifier(max_epochs=25, random_state=0, fusion="gated", modalities=("pet", "lab")), 0.9, 1.0),
        (CTPFSClassifier(max_epochs=10, random_state=0), 0.1, 0.9),
    ],
)
def test_a_planted_signal_is_found_and_noise_is_not(model, least, most):
    X, y = planted(60)
    model.fit(X[:40], y[:40])
    score = roc_auc_score(y[40:], model.predict_proba(X[40:])[:, 1])
    assert least <= score <= most
    assert model.loss_curve_[-1] < model.loss_curve_[0] or isinstance(model, CTPFSClassifier)


def test_a_permuted_target_is_not_found():
    X, y = planted(60)
    shuffled = np.random.default_rng(1).permutation(y[:40])
    model = PETPFSClassifier(max_epochs=15, random_state=0).fit(X[:40], shuffled)
    assert roc_auc_score(y[40:], model.predict_proba(X[40:])[:, 1]) < 0.85


def test_probabilities_are_probabilities_and_follow_the_patients():
    X, y = planted(20)
    model = FusionPFSClassifier(max_epochs=2, random_state=0).fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert ((p > 0) & (p < 1)).all()
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_allclose(model.predict_proba(X[order]), p[order], atol=1e-5)
    np.testing.assert_array_equal(model.predict(X), model.classes_[(p[:, 1] >= model.decision_threshold_).astype(int)])


@pytest.mark.parametrize(
    "model", [PETPFSClassifier(max_epochs=1, random_state=0), FusionPFSClassifier(max_epochs=1, random_state=0)]
)
def test_predictions_do_not_depend_on_the_batch(model):
    X, y = planted(20)
    model.fit(X, y)
    together = model.predict_proba(X)
    alone = np.vstack([model.predict_proba(X[i]) for i in range(20)])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_words_mean_what_they_say_and_columns_follow_the_classes():
    X, y = planted(20)
    words = np.array(["short", "long"])[y]
    a = PETPFSClassifier(max_epochs=2, random_state=0).fit(X, y)
    b = PETPFSClassifier(max_epochs=2, random_state=0).fit(X, words)
    assert b.classes_.tolist() == ["long", "short"]
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X)[:, ::-1])
    assert set(b.predict(X)) <= {"long", "short"}


def test_same_seed_same_bits_and_the_global_generator_is_left_alone():
    X, y = planted(12)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first = FusionPFSClassifier(max_epochs=2, random_state=3).fit(X, y).predict_proba(X)
    assert torch.equal(torch.rand(1), expected)
    np.testing.assert_array_equal(FusionPFSClassifier(max_epochs=2, random_state=3).fit(X, y).predict_proba(X), first)
    assert not np.array_equal(FusionPFSClassifier(max_epochs=2, random_state=4).fit(X, y).predict_proba(X), first)


def test_augmentation_is_drawn_for_each_patient_and_epoch():
    X, y = planted(12)
    constant = Cohort({"pet": np.repeat(X["pet"].array[:1], 12, axis=0)})
    module = PETPFSClassifier(max_epochs=1, random_state=0).fit(constant, y).net_.module_.train()
    volumes = {"pet": torch.from_numpy(constant["pet"].array) / 20}
    once, twice = module.augment(volumes)["pet"], module.augment(volumes)["pet"]
    assert len({patient.sum().item() for patient in once}) == 12
    assert not torch.equal(once, twice)


@pytest.mark.parametrize("missing", ["pet", "ct", "lab"])
def test_a_patient_without_a_modality_is_trained_on_and_predicted_for(missing):
    X, y = planted(16)
    data = dict(X)
    rows = [1, 2, 15]
    if missing == "lab":
        data["lab"] = X["lab"].copy()
        data["lab"].loc[rows] = np.nan
    else:
        array = X[missing].array.copy()
        array[rows] = np.nan
        data[missing] = array
    incomplete = Cohort(data)
    model = FusionPFSClassifier(max_epochs=2, random_state=0).fit(incomplete, y)
    p = model.predict_proba(incomplete)
    assert np.isfinite(p).all()
    # The token stands in: what the voxels or values of an absent modality hold cannot matter.
    rest = FusionPFSClassifier(max_epochs=2, random_state=0).fit(X, y)
    without = X.select(*[name for name in X.modalities if name != missing])
    assert np.isfinite(rest.predict_proba(without)).all()
    token = rest.net_.module_.tokens[missing]
    assert token.abs().sum() > 0, "modality dropout must train the token of a complete cohort"


def test_an_absent_modality_gives_the_token_s_prediction_whoever_the_patient_is():
    X, y = planted(12)
    model = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    array = X["pet"].array.copy()
    array[[3, 7]] = np.nan
    with pytest.warns(CohortWarning, match="patient 3, 7: nothing that PETPFSClassifier looks at is known"):
        p = model.predict_proba(array)[:, 1]
    assert p[3] == p[7]
    assert len(set(np.round(p, 6))) > 5


@pytest.mark.parametrize("n", [9, 17, 3])
def test_no_batch_of_one_patient_meets_batch_normalisation(n):
    X, y = planted(n)
    model = CTPFSClassifier(encoder="resnet10", max_epochs=1, batch_size=8 if n > 3 else 2, random_state=0).fit(X, y)
    sizes = [batch["train_batch_size"] for batch in model.net_.history[0, "batches"]]
    assert sum(sizes) == n
    assert min(sizes) > 1


def test_one_present_scan_in_a_batch_with_batch_normalisation():
    X, y = planted(8)
    array = X["ct"].array.copy()
    array[1:] = np.nan
    model = FusionPFSClassifier(encoder="resnet10", max_epochs=1, random_state=0)
    assert np.isfinite(model.fit(Cohort({"ct": array, "lab": X["lab"]}), y).predict_proba(X)).all()


def test_the_default_encoder_does_not_normalise_over_the_batch():
    assert not build_encoder("compact", None, (12, 12, 12)).normalises_batch
    assert build_encoder("resnet10", None, (12, 12, 12)).normalises_batch


class TinyEncoder(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        self.conv = nn.Conv3d(1, channels, 3, stride=2)

    def forward(self, volumes):
        return self.conv(volumes).relu()


def test_own_encoder_class_with_parameters_by_modality():
    X, y = planted(12)
    model = FusionPFSClassifier(
        encoder={"pet": TinyEncoder, "ct": "compact"},
        encoder_params={"pet": {"channels": 6}},
        max_epochs=1,
        random_state=0,
    ).fit(X, y)
    assert model.net_.module_.encoders["pet"].out_features == 6
    assert model.net_.module_.encoders["ct"].out_features == 128


@pytest.mark.parametrize("name", ["compact", "resnet10", "resnet18", "densenet121"])
def test_encoders_by_name_give_a_vector(name):
    encoder = build_encoder(name, None, (32, 32, 32)).eval()
    assert encoder(torch.zeros(2, 1, 32, 32, 32)).shape == (2, encoder.out_features)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_pretrained_weights_are_loaded_strictly(tmp_path, suffix):
    X, y = planted(8)
    torch.manual_seed(5)
    state = build_encoder("compact", None, (12, 12, 12)).network.state_dict()
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    # With a learning rate of nothing the fitted encoder is the loaded one.
    options = {"max_epochs": 1, "lr": 1e-12, "weight_decay": 0.0, "random_state": 0}
    model = FusionPFSClassifier(weights={"ct": path}, finetune="full", **options).fit(X, y)
    loaded = model.net_.module_.encoders["ct"].network.state_dict()
    assert all(torch.allclose(loaded[key], state[key], atol=1e-6) for key in state)
    other = model.net_.module_.encoders["pet"].network.state_dict()
    assert not torch.allclose(other["conv1.weight"], state["conv1.weight"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s, p: save_file({k: v for k, v in s.items() if k != "conv1.weight"}, p), "1 missing: conv1.weight"),
        (lambda s, p: save_file({**s, "more": torch.ones(1)}, p), "1 extra: more"),
        (lambda s, p: save_file({**s, "conv1.weight": torch.ones(1)}, p), "1 of another shape: conv1.weight"),
        (lambda s, p: p.write_bytes(b"x" * 100), "is damaged or no weight file"),
        (lambda s, p: None, "does not exist"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, spoil, message):
    X, y = planted(8)
    path = tmp_path / "weights.safetensors"
    spoil(build_encoder("compact", None, (12, 12, 12)).network.state_dict(), path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        CTPFSClassifier(weights=path).fit(X, y)


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_pickle_that_would_run_something_is_not_run(tmp_path, capsys):
    X, y = planted(8)
    torch.save({"a": Evil()}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="not read for safety"):
        CTPFSClassifier(weights=tmp_path / "weights.pt").fit(X, y)
    assert "executed" not in capsys.readouterr().out


def test_early_stopping_keeps_the_best_epoch():
    X, y = planted(40)
    model = PETPFSClassifier(max_epochs=40, lr=0.01, early_stopping=True, patience=3, random_state=0).fit(X, y)
    valid = model.net_.history[:, "valid_loss"]
    assert model.n_epochs_ < 40
    assert len(valid) - 1 - int(np.argmin(valid)) == 3


def test_verbose_prints_to_stderr_only_when_asked(capsys):
    X, y = planted(8)
    PETPFSClassifier(max_epochs=1, verbose=1).fit(X, y)
    assert capsys.readouterr() == ("", "")
    PETPFSClassifier(max_epochs=1, verbose=2).fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "train_loss" in err


def test_an_interruption_ends_the_fit_and_leaves_nothing_fitted(monkeypatch):
    from prrt_estimators._net import PFSNet

    X, y = planted(8)
    steps = []

    def interrupted(self, *args, **kwargs):
        steps.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(PFSNet, "train_step", interrupted)
    model = PETPFSClassifier(max_epochs=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert steps == [1]
    with pytest.raises(NotFittedError):
        model.predict_proba(X)


def test_names_of_an_earlier_table_are_forgotten():
    X, y = planted(8)
    model = FusionPFSClassifier(max_epochs=1).fit(X["lab"], y)
    assert model.feature_names_in_.tolist() == ["cga", "age"]
    assert not hasattr(model.fit(X["lab"].to_numpy(), y), "feature_names_in_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr": -1}, "'lr' parameter"),
        ({"max_epochs": 0}, "'max_epochs' parameter"),
        ({"fusion": "sum"}, "'fusion' parameter"),
        ({"encoder": "vgg"}, "`encoder` must be one of"),
        ({"encoder": int}, "nn.Module class"),
        ({"encoder_params": {"colour": 1}}, "`encoder_params` do not fit"),
        ({"modalities": ("mri",)}, "`modalities` must be 'auto' or some of"),
        ({"modalities": ()}, "`modalities` must be"),
        ({"window": {"pet": (5, 1)}}, r"`window\['pet'\]` must be a pair"),
        ({"window": 7}, "'window' parameter"),
        ({"device": "abacus"}, "`device` must be"),
        ({"class_weight": {7: 1.0}}, r"names the labels \[7\]"),
        ({"size": -1}, "`size` must be"),
    ],
)
def test_wrong_parameters_are_named(params, message):
    X, y = planted(8)
    with pytest.raises((ValueError, TypeError), match=message):
        FusionPFSClassifier(**({"max_epochs": 1} | params)).fit(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ones(8), "one class only"),
        (np.arange(8), "Only binary classification"),
        (None, "requires y"),
        ([0, 1], "inconsistent numbers of samples"),
        ([0, 1, np.nan, 0, 1, 0, 1, 0], "NaN"),
        (np.zeros(8, dtype=[("event", "?"), ("time", "f8")]), "holds survival times"),
    ],
)
def test_wrong_targets_are_explained(y, message):
    X, _ = planted(8)
    with pytest.raises((ValueError, TypeError), match=message):
        PETPFSClassifier(max_epochs=1).fit(X, y)


def test_missing_modalities_are_named():
    X, y = planted(8)
    with pytest.raises(MissingModalityError, match="PETPFSClassifier needs 'pet'; the data have ct, lab"):
        PETPFSClassifier().fit(X.select("ct", "lab"), y)
    with pytest.raises(MissingModalityError, match="needs 'ct'"):
        FusionPFSClassifier(modalities=("ct", "lab")).fit(X.select("lab"), y)
    nobody = Cohort({"pet": np.full((8, 1, 4, 4, 4), np.nan), "lab": X["lab"]})
    with pytest.raises(MissingModalityError, match="no patient here has one"):
        PETPFSClassifier().fit(nobody, y)
    fitted = PETPFSClassifier(max_epochs=1).fit(X, y)
    with pytest.raises(MissingModalityError) as caught:
        fitted.predict_proba(X.select("lab"))
    assert (caught.value.modality, caught.value.estimator) == ("pet", "PETPFSClassifier")


def test_volumes_of_another_shape_are_refused():
    X, y = planted(8)
    fitted = PETPFSClassifier(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"\(10, 10, 10\) came, but .* fitted on \(12, 12, 12\)"):
        fitted.predict_proba(np.ones((2, 1, 10, 10, 10)))


def test_an_image_estimator_says_what_it_takes():
    with pytest.raises(ValueError, match=r"array of shape \(n, 1, D, H, W\)"):
        PETPFSClassifier().fit(np.ones((4, 3)), [0, 1, 0, 1])
    with pytest.raises(NotFittedError):
        PETPFSClassifier().predict_proba(np.ones((4, 1, 4, 4, 4)))


def test_one_bad_file_is_found_before_training(nifti_cohort, monkeypatch):
    X, y = nifti_cohort(6)
    open(X["ct"].paths[4], "wb").close()
    monkeypatch.setattr("prrt_estimators._net.train", lambda *a, **k: pytest.fail("training began"))
    with pytest.raises(CohortError, match="patient P04, ct"):
        FusionPFSClassifier(max_epochs=1).fit(X, y)


def test_nothing_stays_on_a_gpu(monkeypatch):
    X, y = planted(8)
    model = FusionPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    assert {p.device.type for p in model.net_.module_.parameters()} == {"cpu"}
    assert model.net_.device == "cpu"
    assert model.net_.optimizer_ is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_learns_alike_and_is_left_empty():
    X, y = planted(40)
    before = torch.cuda.memory_allocated()
    models = [
        PETPFSClassifier(max_epochs=20, random_state=0, device="cuda", precision=p).fit(X, y)
        for p in ("auto", "float32")
    ]
    assert torch.cuda.memory_allocated() <= before + 1_000_000
    for model in models:
        assert roc_auc_score(y, model.set_params(device="cpu").predict_proba(X)[:, 1]) > 0.9


def test_10000_rows_of_a_table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(10_000, 5)), columns=list("abcde"))
    y = (X["a"] > 0).astype(int)
    model = FusionPFSClassifier(max_epochs=1, batch_size=256, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.85
