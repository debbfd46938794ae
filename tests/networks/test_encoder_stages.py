"""Encoders cut into stages, their statistics, and features that were computed before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pretrained_helpers import NARROW, state
from torch import nn

from prrt_estimators.networks import Encoder, Features, FusionNet, InputForm, build_encoder
from prrt_estimators.networks._contrast import ContrastNet, PairLoss

VOLUMES = torch.rand(2, 1, 16, 12, 12, generator=torch.Generator().manual_seed(0))


def encoder(name, params=None):
    built = build_encoder(name, params, (16, 12, 12)).eval()
    built.network.load_state_dict(state(1, name, params))
    return built


@pytest.mark.parametrize(("name", "params"), [("compact", None), ("resnet10", NARROW), ("resnet18", NARROW)])
def test_the_last_stage_goes_on_where_the_others_end(name, params):
    whole = encoder(name, params)
    last = whole.last_stage().eval()
    with torch.no_grad():
        maps = whole.before_last_stage(VOLUMES)
        assert maps.ndim == 5
        torch.testing.assert_close(last(maps), whole(VOLUMES), atol=1e-6, rtol=1e-5)
        both = whole.both_stages(VOLUMES)
        assert torch.equal(both[0], maps)
        torch.testing.assert_close(both[1], whole(VOLUMES), atol=1e-6, rtol=1e-5)
    assert last.out_features == whole.out_features == last(maps).shape[1]


def test_the_form_of_the_input_counts_before_the_last_stage_too():
    whole = encoder("compact")
    whole.form = InputForm(axes=(2, 0, 1), standardise=True)
    with torch.no_grad():
        maps = whole.before_last_stage(VOLUMES)
        torch.testing.assert_close(whole.last_stage().eval()(maps), whole(VOLUMES), atol=1e-6, rtol=1e-5)


def test_a_network_without_known_stages_has_no_last_one():
    assert Encoder(nn.Conv3d(1, 2, 3), (5, 5, 5)).last_stage() is None
    assert build_encoder("densenet121", None, (32, 32, 32)).last_stage() is None


def statistics(module):
    return {key: value.clone() for key, value in module.state_dict().items() if "running" in key or "batches" in key}


@pytest.mark.parametrize("fresh", [True, False], ids=["never switched", "switched off and on"])
@pytest.mark.parametrize("kind", ["last", "full"])
def test_statistics_of_the_pretraining_stay(kind, fresh):
    whole = encoder("resnet10", NARROW).train()
    maps = whole.before_last_stage(VOLUMES).detach() if kind == "last" else VOLUMES
    module = whole.last_stage() if kind == "last" else whole
    if kind == "full":
        whole.freeze_statistics()
    if not fresh:
        module.eval().train()
    before = statistics(module)
    assert before
    alone = module(maps[:1])
    torch.testing.assert_close(module(maps)[:1], alone, atol=1e-6, rtol=1e-5)
    assert all(torch.equal(before[key], value) for key, value in statistics(module).items())
    assert not module.normalises_batch
    assert module.training


def test_without_freezing_statistics_follow_the_batch():
    whole = encoder("resnet10", NARROW).train()
    before = statistics(whole)
    whole(VOLUMES)
    assert not all(torch.equal(before[key], value) for key, value in statistics(whole).items())


def test_features_are_standardised_and_a_constant_one_stays_out():
    mean, scale = np.array([1.0, -2.0], np.float32), np.array([2.0, 1e6], np.float32)
    module = Features(mean, scale)
    found = module(torch.tensor([[3.0, 500.0]]))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.000502]]), atol=1e-6, rtol=1e-3)
    assert not list(module.parameters())
    assert set(module.state_dict()) == {"mean", "scale"}


def test_a_fusion_neither_windows_nor_augments_what_was_computed_before():
    def refuse(volumes):
        raise AssertionError("augmented")

    module = FusionNet({"ct": Features(np.zeros(3), np.ones(3))}, {"ct": (-1000.0, 1000.0)}, modality_dropout=0.0)
    module.augment = refuse
    vectors = torch.tensor([[4.0, -5.0, 6.0]])
    seen = []
    module.encoders["ct"].register_forward_hook(lambda _m, given, _o: seen.append(given[0]))
    module.train()(torch.ones(1, 1, dtype=torch.bool), ct=vectors)
    assert torch.equal(seen[0], vectors)


def test_volumes_on_two_grids_are_augmented_apart_and_those_on_one_together():
    module = FusionNet(
        {name: Encoder(nn.Conv3d(1, 2, 3), (6, 6, 6)) for name in ("pet", "ct")}, {"pet": None, "ct": None}
    )
    grids = []

    def note(volumes, scales):
        grids.append({name: tuple(volume.shape[2:]) for name, volume in volumes.items()})
        return volumes

    module.augment = note
    module.train()
    present = torch.ones(2, 2, dtype=torch.bool)
    module(present, pet=torch.rand(2, 1, 6, 6, 6), ct=torch.rand(2, 1, 9, 8, 7))
    assert grids == [{"pet": (6, 6, 6)}, {"ct": (9, 8, 7)}]
    grids.clear()
    module(present, pet=torch.rand(2, 1, 6, 6, 6), ct=torch.rand(2, 1, 6, 6, 6))
    assert grids == [{"pet": (6, 6, 6), "ct": (6, 6, 6)}]


def test_the_loss_of_pairs_is_nt_xent_written_out():
    rng = np.random.default_rng(0)
    views, temperature = rng.normal(size=(5, 2, 4)), 0.3
    flat = np.concatenate([views[:, 0], views[:, 1]])
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    similarity = unit @ unit.T / temperature
    losses = []
    for i in range(10):
        others = [k for k in range(10) if k != i]
        losses.append(np.log(np.exp(similarity[i, others]).sum()) - similarity[i, (i + 5) % 10])
    found = PairLoss(temperature)(torch.tensor(views), {})
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-5)
    alike = torch.eye(4)[:, None].expand(-1, 2, -1)
    assert PairLoss(temperature)(alike, {}) < found


def test_two_views_of_a_patient_differ_and_blocks_are_blanked():
    torch.manual_seed(0)
    net = ContrastNet("ct", build_encoder("compact", None, (16, 16, 16)), (0.0, 1.0), masked=0.5)
    volumes = torch.full((3, 1, 16, 16, 16), 0.8)
    one, two = net._view(volumes), net._view(volumes)
    assert not torch.equal(one, two)
    blank = (torch.cat([one, two]) == 0).float()
    # Blocks of 8 voxels are blank or seen as a whole.
    blocks = blank.unfold(2, 8, 8).unfold(3, 8, 8).unfold(4, 8, 8).flatten(5).mean(dim=5)
    assert set(blocks.unique().tolist()) == {0.0, 1.0}
    net.masked = 0.0
    assert (net._view(volumes) != 0).all()
    assert net(torch.ones(3, 1, dtype=torch.bool), ct=volumes).shape == (3, 2, 64)
