"""A batch that does not fit goes through in parts, and one patient who does not fit is told of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pretrained_helpers import QUICK, array_cohort, ct, publish
from torch import nn

from prrt_estimators import CTPFSClassifier, FusionPFSClassifier, _batches, _device, _memory, _net
from prrt_estimators.estimators import CTPretrainer
from prrt_estimators.networks import Encoder, Features, FusionNet, WeightedBCE, build_encoder

CPU = torch.device("cpu")
#: Nothing random in a step, so that parts can be compared with the whole.
PLAIN = {"dropout": 0.0, "augment": None, "optimizer": "sgd", "lr_schedule": None, "lr": 0.05, "max_epochs": 2}


def test_how_torch_says_that_memory_is_full():
    for text in (
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
    ):
        assert _memory.out_of_memory(RuntimeError(text))
    assert not _memory.out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


# How much there is ----------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose files the test writes."""
    monkeypatch.setattr(_memory, "Path", lambda path: tmp_path / path.lstrip("/"))

    def write(**files):
        for name, text in files.items():
            file = tmp_path / ("proc/meminfo" if name == "meminfo" else f"sys/fs/cgroup/{name.replace('_', '.')}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write


STAT = "anon 500\nfile 900\nactive_file 100\ninactive_file 600\nworkingset_activate_file 7000\n"


def test_free_memory_is_the_least_that_machine_and_container_leave(machine):
    assert _memory.free_memory() is None
    machine(meminfo="MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:     4 kB\n")
    assert _memory.free_memory() == 4096
    machine(memory_max="max\n", memory_current="1500\n", memory_stat=STAT)
    assert _memory.free_memory() == 4096
    # Of 1500 bytes in use 700 are files that were read, which give way.
    machine(memory_max="2000\n")
    assert _memory.free_memory() == 2000 - 1500 + 700


def test_free_memory_of_this_machine_is_believable():
    free = _memory.free_memory()
    assert free is None or 0 < free < 1e15


# How much is needed ---------------------------------------------------------------------------------------------------


def test_what_layers_give_is_counted():
    encoder = Encoder(nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU()), (5, 5, 5))
    before = encoder.network[0].weight.detach().clone()
    assert _memory.activation_bytes(encoder, (1, 5, 5, 5)) == 4 * 2 * (2 * 27)
    assert torch.equal(encoder.network[0].weight, before)
    assert not encoder.network[1]._forward_hooks


def test_more_is_needed_for_larger_volumes_and_networks():
    compact = build_encoder("compact", None, (16, 16, 16))
    needed = [_memory.activation_bytes(compact, (1, n, n, n)) for n in (16, 32, 64)]
    assert needed[0] * 6 < needed[1] < needed[2] / 6
    assert needed[1] < _memory.activation_bytes(build_encoder("resnet18", None, (32, 32, 32)), (1, 32, 32, 32))


def test_a_network_that_ends_in_one_voxel_is_counted_in_training_too():
    dense = build_encoder("densenet121", None, (48, 48, 48)).train()
    assert _memory.activation_bytes(dense, (1, 48, 48, 48)) > 1e7
    assert dense.training


def module(shape=(1, 128, 128, 128)):
    return FusionNet({"ct": build_encoder("compact", None, (16, 16, 16))}, {"ct": None}), {"ct": shape}


def test_patients_at_once_follow_the_free_memory(monkeypatch):
    network, shapes = module()
    one = _memory.activation_bytes(network.encoders["ct"], shapes["ct"])
    for free, expected in [(1000 * one, None), (4 * one / 0.7, 4), (1.01 * one / 0.7, 1), (None, None)]:
        monkeypatch.setattr(_memory, "free_memory", lambda free=free: free if free is None else int(free) + 100)
        assert _memory.patients_at_once(network, shapes, 8, CPU) == expected


def test_one_patient_who_does_not_fit_is_told_before_training(monkeypatch):
    network, shapes = module()
    monkeypatch.setattr(_memory, "free_memory", lambda: 1_000_000)
    with pytest.raises(MemoryError) as caught:
        _memory.patients_at_once(network, shapes, 8, CPU)
    assert "one patient (ct 128 x 128 x 128 voxels) needs about" in str(caught.value)
    assert "0.0 GB are free. Pass a smaller size, a smaller encoder, or finetune='last' or 'frozen'" in str(
        caught.value
    )
    # A GPU tells by itself, small volumes fit anywhere, and what was computed before takes next to nothing.
    assert _memory.patients_at_once(network, shapes, 8, torch.device("cuda")) is None
    assert _memory.patients_at_once(*module((1, 16, 16, 16)), 8, CPU) is None
    frozen = FusionNet({"ct": Features(np.zeros(3), np.ones(3))}, {"ct": None})
    assert _memory.patients_at_once(frozen, {"ct": (3,)}, 8, CPU) is None


def test_an_own_network_that_cannot_be_worked_out_is_tried(monkeypatch):
    class ByValue(nn.Module):
        def forward(self, volumes):
            return volumes if float(volumes.sum()) >= 0 else -volumes

    network = FusionNet({"ct": Encoder(ByValue(), (4, 4, 4))}, {"ct": None})
    monkeypatch.setattr(_memory, "free_memory", lambda: 10)
    assert _memory.patients_at_once(network, {"ct": (1, 128, 128, 128)}, 8, CPU) is None


def test_full_training_that_cannot_fit_is_refused_and_the_frozen_runs(monkeypatch, tmp_path):
    publish(monkeypatch, tmp_path)
    monkeypatch.setattr(_memory, "free_memory", lambda: 10_000)
    monkeypatch.setattr(_memory, "SMALL", 1)
    X, y = array_cohort()
    with pytest.raises(MemoryError, match=r"ct 12 x 12 x 10 voxels.*finetune='last' or 'frozen'"):
        ct(finetune="full").fit(X, y)
    for finetune in ("last", "frozen"):
        ct(finetune=finetune).fit(X, y)


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


def test_what_is_known_beforehand_is_not_tried(monkeypatch):
    X, y = array_cohort()
    shape = (1, 12, 12, 12)
    one = _memory.activation_bytes(build_encoder("compact", None, shape[1:]), shape)
    monkeypatch.setattr(_memory, "SMALL", 1)
    monkeypatch.setattr(_memory, "free_memory", lambda: int(3.5 * one / 0.7))
    limit = Limit(monkeypatch, 3)
    CTPFSClassifier(**QUICK, batch_size=8).fit(X, y)
    assert limit.sizes == [3, 3, 2]


def test_one_patient_too_many_is_a_memory_error_with_the_remedy(monkeypatch):
    X, y = array_cohort()
    limit = Limit(monkeypatch, 0)
    with pytest.raises(MemoryError, match=r"even with one patient at a time. Pass a smaller size, .*device='cpu'"):
        CTPFSClassifier(**QUICK, batch_size=8).fit(X, y)
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
