"""A batch that does not fit goes through in parts, and one patient who does not fit is told of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pretrained_helpers import QUICK, array_cohort, ct, publish
from torch import nn

from prrt_estimators import CTPFSClassifier, FusionPFSClassifier, _batches, _device, _net, _torch_state
from prrt_estimators.estimators import CTPretrainer
from prrt_estimators.networks import Encoder, FusionNet, WeightedBCE, build_encoder

#: Nothing random in a step, so that parts can be compared with the whole.
PLAIN = {"encoder": "compact", "dropout": 0.0, "augment": None, "optimizer": "sgd", "lr": 0.05, "max_epochs": 2}


def test_how_torch_says_that_memory_is_full():
    for text in (
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
    ):
        assert _torch_state.out_of_memory(RuntimeError(text))
    assert _torch_state.out_of_memory(torch.OutOfMemoryError("shuffled"))
    assert not _torch_state.out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


# A batch in parts -----------------------------------------------------------------------------------------------------


class Limit:
    """Lets a network take only so many volumes at once, as a full memory would."""

    def __init__(self, monkeypatch, at_once, message="CUDA out of memory. Tried to allocate 2 GiB"):
        self.sizes = []
        forward = Encoder.forward

        def limited(encoder, volumes):
            if encoder.network.training:  # not while features are counted
                self.sizes.append(len(volumes))
                if len(volumes) > at_once:
                    raise RuntimeError(message)
            return forward(encoder, volumes)

        monkeypatch.setattr(Encoder, "forward", limited)


def skorch_net(**options):
    torch.manual_seed(0)
    network = FusionNet({"ct": build_encoder("compact", None, (8, 8, 8))}, {"ct": None}, lab_features=3, dropout=0.0)
    network.modality_dropout = 0.0
    net = _net.PFSNet(network, criterion=WeightedBCE, train_split=None, device="cpu", **options)
    return net.initialize()


def batch(n=8):
    torch.manual_seed(1)
    present = torch.ones(n, 2, dtype=torch.bool)
    present[3, 0] = present[6, 1] = False
    inputs = {"present": present, "ct": torch.rand(n, 1, 8, 8, 8), "lab": torch.randn(n, 3)}
    return inputs, {"class": (torch.arange(n) % 2).float(), "weight": torch.linspace(0.2, 3, n)}


@pytest.mark.parametrize("at_once", [1, 2, 3, 6])
@pytest.mark.parametrize("known", [True, False], ids=["known before", "found out"])
def test_gradients_and_loss_of_parts_are_those_of_the_whole(monkeypatch, at_once, known):
    whole = skorch_net()
    expected = whole.train_step_single(batch())
    gradients = [weight.grad.clone() for weight in whole.module_.parameters() if weight.grad is not None]
    limit = Limit(monkeypatch, at_once)
    parts = skorch_net(at_once=at_once if known else None)
    found = parts.train_step_single(batch())
    assert found["loss"].item() == pytest.approx(expected["loss"].item(), abs=1e-6)
    torch.testing.assert_close(found["y_pred"], expected["y_pred"].detach(), atol=1e-6, rtol=1e-5)
    own = [weight.grad for weight in parts.module_.parameters() if weight.grad is not None]
    assert len(own) == len(gradients) > 20
    for a, b in zip(own, gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)
    if known:
        assert max(limit.sizes) <= at_once
    else:
        # Halved until it fits, and remembered for the batches to come.
        assert parts.at_once <= at_once
        limit.sizes.clear()
        parts.optimizer_.zero_grad()
        parts.train_step_single(batch())
        assert max(limit.sizes) <= at_once


def test_a_fit_that_ran_out_of_memory_ends_as_one_that_did_not(monkeypatch):
    X, y = array_cohort(9)
    weight = np.linspace(0.5, 2.0, 9)
    model = FusionPFSClassifier(**QUICK | PLAIN, modality_dropout=0.0, batch_size=5)
    model.fit(X, y, sample_weight=weight)
    expected, curve = model.predict_proba(X), model.loss_curve_
    Limit(monkeypatch, 2)
    model.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.loss_curve_, curve, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)


def test_one_patient_too_many_is_a_memory_error_with_the_remedy(monkeypatch):
    X, y = array_cohort()
    limit = Limit(monkeypatch, 0)
    with pytest.raises(MemoryError, match=r"even with one patient at a time. Pass a smaller size, .*device='cpu'"):
        CTPFSClassifier(encoder="compact", **QUICK, batch_size=8).fit(X, y)
    assert limit.sizes == [8, 4, 2, 1]


def test_a_network_too_large_for_one_volume_asks_for_a_smaller_one(monkeypatch):
    def full(encoder, volumes):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(Encoder, "forward", full)
    with pytest.raises(MemoryError, match=r"one volume of shape \(1, 8, 9, 10\). Choose a smaller `size`"):
        build_encoder("compact", None, (8, 9, 10))


def test_other_errors_of_torch_stay_what_they_are(monkeypatch):
    X, y = array_cohort()
    limit = Limit(monkeypatch, 0, message="mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        CTPFSClassifier(**QUICK, batch_size=8).fit(X, y)
    assert limit.sizes == [8]


def test_a_batch_of_pretraining_is_never_cut(monkeypatch):
    X, _ = array_cohort()
    limit = Limit(monkeypatch, 3)
    with pytest.raises(MemoryError, match="Pass a smaller batch_size"):
        CTPretrainer(max_epochs=1, device="cpu").fit(X)
    assert limit.sizes == [16]


# One volume -----------------------------------------------------------------------------------------------------------


def test_a_volume_that_a_gpu_cannot_hold_goes_through_the_processor():
    network, tried = nn.Identity(), []

    def run(volume):
        tried.append(volume.device.type)
        if volume.device.type != "cpu":
            raise RuntimeError("CUDA out of memory")
        return [2 * volume[:, 0]]

    volume = np.arange(8.0).reshape(2, 2, 2)
    (found,) = _device.run_once(network, run, volume, torch.device("meta"))
    assert tried == ["meta", "cpu"]
    np.testing.assert_array_equal(found, 2 * volume)


def test_large_sets_are_read_by_batch_and_give_the_same(monkeypatch, tmp_path):
    publish(monkeypatch, tmp_path)
    X, y = array_cohort()
    held = ct(finetune="full").fit(X, y).predict_proba(X)
    monkeypatch.setattr(_batches, "HELD_IN_MEMORY", 10)
    np.testing.assert_array_equal(ct(finetune="full").fit(X, y).predict_proba(X), held)
