import pytest
import torch

from prrt_estimators.networks import FusionNet, RandomAugment, WeightedBCE, build_encoder


def net(**options):
    torch.manual_seed(0)
    encoders = {name: build_encoder("compact", None, (8, 8, 8)) for name in ("pet", "ct")}
    return FusionNet(encoders, {"pet": (0.0, 20.0), "ct": (-160.0, 240.0)}, lab_features=3, **options)


def inputs(n=4):
    torch.manual_seed(1)
    return {"pet": torch.rand(n, 1, 8, 8, 8) * 10, "ct": torch.randn(n, 1, 8, 8, 8) * 100, "lab": torch.randn(n, 3)}


@pytest.mark.parametrize(("fusion", "width"), [("concat", 96), ("gated", 32)])
def test_shapes(fusion, width):
    module = net(fusion=fusion).eval()
    present = torch.ones(4, 3, dtype=torch.bool)
    assert module(present, **inputs()).shape == (4,)
    assert module.fuse(present, **inputs()).shape == (4, width) == (4, module.fused_features)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_an_absent_modality_cannot_be_seen_and_only_its_token_counts(k):
    module = net().eval()
    present = torch.ones(4, 3, dtype=torch.bool)
    present[1, k] = False
    name = module.modalities[k]
    a, b = inputs(), inputs()
    b[name] = b[name].clone()
    b[name][1] += 7
    assert torch.equal(module(present, **a), module(present, **b))
    with torch.no_grad():
        module.tokens[name] += 1
    changed = module(present, **a) != module(present, **b)
    assert not changed.any()
    with torch.no_grad():
        reference = net().eval()(present, **a)
    assert (module(present, **a) != reference).tolist() == [False, True, False, False]


def test_windows_clip_and_scale():
    module = net()
    assert module._windowed("ct", torch.tensor([-1024.0, 40.0, 3000.0])).tolist() == [0.0, 0.5, 1.0]
    assert module._windowed("pet", torch.tensor([5.0])).tolist() == [0.25]


def test_modality_dropout_leaves_every_patient_something_and_keeps_its_rate():
    module = net(modality_dropout=0.3)
    torch.manual_seed(0)
    present = torch.rand(20_000, 3) < 0.7
    withheld = module._withheld(present)
    left = present & ~withheld
    assert (left.any(dim=1) == present.any(dim=1)).all()
    everyone = torch.ones(20_000, 3, dtype=torch.bool)
    # 0.3 less the draws of all three (0.3 ** 3), which are taken back.
    assert module._withheld(everyone).float().mean().item() == pytest.approx(0.3 - 0.027, abs=0.01)


def test_nothing_random_at_evaluation():
    module = net(modality_dropout=0.5, dropout=0.5, augment=RandomAugment()).eval()
    present = torch.ones(4, 3, dtype=torch.bool)
    given = inputs()
    assert torch.equal(module(present, **given), module(present, **given))
    module.train()
    assert not torch.equal(module(present, **given), module(present, **given))


def test_pet_and_ct_move_together():
    grid = torch.arange(20.0)
    volume = torch.stack(torch.meshgrid(grid, grid, grid, indexing="ij")).sum(0)[None, None].repeat(6, 1, 1, 1, 1)
    for options in ({"shift": 0.2}, {"shift": 0.1, "rotation": 10.0, "zoom": 0.1}):
        out = RandomAugment(gain=0.0, noise=0.0, **options)({"pet": volume, "ct": 2 * volume})
        torch.testing.assert_close(out["ct"], 2 * out["pet"])
        assert len({round(patient.sum().item(), 2) for patient in out["pet"]}) > 1


def test_shift_by_hand():
    volume = torch.zeros(64, 1, 10, 10, 10)
    volume[:, 0, 5, 5, 5] = 1.0
    out = RandomAugment(shift=0.1, gain=0.0, noise=0.0)({"pet": volume})["pet"]
    places = out.flatten(1).argmax(dim=1)
    moves = torch.stack([places // 100 - 5, places // 10 % 10 - 5, places % 10 - 5])
    assert moves.abs().max() == 1
    assert {tuple(m) for m in moves.T.tolist()} <= {
        (i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)
    }
    assert len({tuple(m) for m in moves.T.tolist()}) > 10


def test_weighted_loss_agrees_with_torch():
    torch.manual_seed(0)
    logits, y, w = torch.randn(8), torch.randint(0, 2, (8,)).float(), torch.rand(8)
    ours = WeightedBCE()(logits, {"class": y, "weight": w})
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, weight=w)
    torch.testing.assert_close(ours, theirs)
