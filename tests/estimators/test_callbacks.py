"""Callbacks of skorch in the training, and what a fitted network keeps of it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping, EpochScoring

from prrt_estimators import FusionPFSClassifier, PETPFSClassifier
from prrt_estimators.estimators import CTPFSSurvival, FusionPFSSurvival, PETPFSSurvival
from prrt_estimators.model_selection._digest import stable_text
from prrt_estimators.persistence import load_model, save_model

RNG = np.random.default_rng(0)
X = {"pet": RNG.random((8, 1, 8, 8, 8)).astype(np.float32), "lab": RNG.random((8, 3))}
Y = np.array([0, 1] * 4)
TINY = {"size": (8, 8, 8), "max_epochs": 4, "random_state": 0}


class Seen(Callback):
    """Keeps what it was told."""

    def __init__(self, prefix=""):
        self.prefix = prefix

    def initialize(self):
        self.epochs_ = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.epochs_.append(f"{self.prefix}{len(net.history)}")


class Broken(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def test_callbacks_see_every_epoch_and_change_nothing():
    seen = Seen("epoch ")
    plain = FusionPFSClassifier(**TINY).fit(X, Y)
    watched = FusionPFSClassifier(**TINY, callbacks=[seen, ("again", Seen())]).fit(X, Y)
    assert seen.epochs_ == [f"epoch {k}" for k in (1, 2, 3, 4)]
    assert [one.epochs_[-1] for _, one in watched.net_.callbacks_] == ["epoch 4", "4"]
    np.testing.assert_array_equal(watched.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("model", [FusionPFSSurvival, PETPFSSurvival, CTPFSSurvival])
def test_survival_models_call_them_too(model, tmp_path):
    times = {"event": Y, "time": np.arange(1.0, 9.0)}
    scans = X if model is not CTPFSSurvival else {"ct": 40 * X["pet"]}
    seen = Seen("epoch ")
    plain = model(**TINY).fit(scans, times)
    watched = model(**TINY, callbacks=[seen]).fit(scans, times)
    assert seen.epochs_[-1] == "epoch 4"
    np.testing.assert_array_equal(watched.predict(scans), plain.predict(scans))
    (other,) = clone(watched).callbacks
    assert other is not seen
    save_model(watched, tmp_path / "m.prrt")
    assert load_model(tmp_path / "m.prrt").callbacks is None
    assert "callbacks" not in stable_text(plain)
    with pytest.raises(TypeError, match="callbacks of skorch"):
        model(**TINY, callbacks=[print]).fit(scans, times)


def test_clones_have_callbacks_of_their_own():
    seen = Seen("x")
    model = PETPFSClassifier(**TINY, callbacks=[seen])
    (other,) = clone(model).callbacks
    assert other is not seen
    assert other.prefix == "x"
    clone(model).fit(X, Y)
    assert not hasattr(seen, "epochs_")


def test_early_stopping_of_the_caller_ends_the_training():
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=1e9, threshold_mode="abs", sink=lambda text: None)
    model = PETPFSClassifier(**TINY | {"max_epochs": 9}, callbacks=[stop]).fit(X, Y)
    assert model.n_epochs_ == 3
    assert model.predict_proba(X).shape == (8, 2)


def test_an_interruption_in_a_callback_is_one():
    model = PETPFSClassifier(**TINY, callbacks=[Broken()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert not hasattr(model, "net_")


def test_a_score_of_the_validation_patients():
    score = EpochScoring(lambda net, X, y=None: 0.25, name="quarter", on_train=False, use_caching=False)
    model = PETPFSClassifier(**TINY, early_stopping=True, patience=9, callbacks=[score]).fit(X, Y)
    assert model.net_.history[:, "quarter"] == [0.25] * model.n_epochs_


@pytest.mark.parametrize("wrong", [["tensorboard"], [print], 3, [("name", 3)]])
def test_what_is_no_callback_is_refused(wrong):
    with pytest.raises(TypeError, match="callbacks"):
        PETPFSClassifier(**TINY, callbacks=wrong).fit(X, Y)


def test_saved_models_and_keys_of_folds_hold_no_callback(tmp_path):
    model = PETPFSClassifier(**TINY, callbacks=[Seen()]).fit(X, Y)
    loaded = load_model(save_model(model, tmp_path / "model.prrt"))
    assert loaded.callbacks is None
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert "callbacks" not in stable_text(PETPFSClassifier())
    assert "callbacks" in stable_text(PETPFSClassifier(callbacks=[Seen()]))


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"optimizer": "sgd"}])
def test_a_pickle_is_no_larger_than_the_saved_model(tmp_path, options):
    model = FusionPFSClassifier(**TINY, **options).fit(X, Y)
    saved = save_model(model, tmp_path / "model.prrt").stat().st_size
    assert saved > 200_000
    content = pickle.dumps(model)
    # Module classes, names of parameters and the history of the training take a few kilobytes.
    assert len(content) < saved + 60_000
    np.testing.assert_array_equal(pickle.loads(content).predict_proba(X), model.predict_proba(X))
