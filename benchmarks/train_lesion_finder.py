"""Train the two networks of the lesion finder on phantoms, from scratch; writes the weights that the package carries.

    python benchmarks/train_lesion_finder.py --out results-finder

First 1200 phantoms are rendered with soft labels (randomised scanners, anatomy, contrast, tracer, field of view), then the
network of PET and CT and the network of CT alone are trained on them, one thread each; ``--part`` runs one of the three
steps. About 75 minutes of one core in all. The learning rate follows the number of steps and every step draws its own
random numbers, so that a run that was interrupted resumes where it stopped and ends with the same weights.

No seed of these phantoms is used by an evaluation: those use 7000 to 8015, 20000 and above.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import torch
from _finder_reference import write_manifest
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from prrt_estimators.features._networks import NO_CT, PATCH, ct_network, network_input, pet_ct_network
from prrt_estimators.features._training_phantoms import draw_labelled_phantom

ENTROPY, PHANTOMS, SHARD = 5100, 1200, 100
SHAPE = (40, 30, 54)
BATCH = 4
SAVE_EVERY = 100
STEPS = {"pet_ct": 5500, "ct": 3600}
#: SUV below which a lesion on PET is faint, and the extra weight of the voxels in and around it.
FAINT_SUV, FAINT_WEIGHT = 8.0, 1.5
KEYS = {
    "pet": (np.float16, SHAPE),
    "ct": (np.int16, SHAPE),
    "lesion": (np.uint8, (6, *SHAPE)),
    "tissue": (np.uint8, (5, *SHAPE)),
    "log_suv": (np.float16, SHAPE),
    "per_voxel": (np.float16, SHAPE),
}


def render_shard(folder: Path, shard: int) -> None:
    """Render one shard of phantoms; the folder appears whole or not at all."""
    done = folder / f"{shard:03d}"
    if done.is_dir():
        return
    partial = folder / f"{shard:03d}.partial{os.getpid()}"
    partial.mkdir(parents=True)
    files = {
        key: np.lib.format.open_memmap(partial / f"{key}.npy", "w+", dtype, (SHARD, *shape))
        for key, (dtype, shape) in KEYS.items()
    }
    for row in range(SHARD):
        phantom = draw_labelled_phantom(ENTROPY, shard * SHARD + row, SHAPE)
        for key, file in files.items():
            values = getattr(phantom, key)
            file[row] = np.rint(values * 255) if key in ("lesion", "tissue") else values
    for file in files.values():
        file.flush()
    partial.rename(done)


class Phantoms:
    """All rendered phantoms, read from disk when a crop is asked for."""

    def __init__(self, folder: Path):
        self.shards = [
            {key: np.load(folder / f"{k:03d}" / f"{key}.npy", mmap_mode="r") for key in KEYS}
            for k in range(PHANTOMS // SHARD)
        ]

    def crop(self, number: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return one random crop of the size of a patch, with the noise and calibration of another scanner."""
        shard, row = self.shards[number // SHARD], number % SHARD
        low = [int(rng.integers(0, n - p + 1)) for n, p in zip(SHAPE, PATCH, strict=True)]
        box = tuple(slice(a, a + p) for a, p in zip(low, PATCH, strict=True))
        part = {key: shard[key][row][(..., *box)].astype(np.float32) for key in KEYS}
        part["lesion"] /= 255
        part["tissue"] /= 255
        scale = np.float32(np.exp(rng.normal(0.0, 0.12)))
        noise = np.float32(rng.uniform(0.0, 0.15))
        pet = part["pet"] * scale
        pet += rng.standard_normal(pet.shape, np.float32) * np.sqrt(np.maximum(pet, 0)) * noise
        part["pet"] = np.maximum(pet, 0)
        part["ct"] = part["ct"] + rng.standard_normal(pet.shape, np.float32) * np.float32(rng.uniform(0.0, 8.0))
        part["log_suv"] = np.where(part["lesion"][:3].max(0) > 0, part["log_suv"] + np.log(scale), 0)
        if rng.random() < 0.15:
            _cut_field(part, rng)
        return part


def _cut_field(part: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Leave out slices at one end of the field of view."""
    n = int(rng.integers(1, PATCH[2] // 2))
    slices = (..., slice(0, n)) if rng.random() < 0.5 else (..., slice(PATCH[2] - n, PATCH[2]))
    for key in KEYS:
        part[key][slices] = NO_CT if key == "ct" else 0


def _batch(phantoms: Phantoms, seed: int, step: int) -> tuple[dict[str, torch.Tensor], np.random.Generator]:
    rng = np.random.default_rng([seed, step])
    crops = [phantoms.crop(int(k), rng) for k in rng.choice(PHANTOMS, BATCH, replace=False)]
    return {key: torch.from_numpy(np.stack([crop[key] for crop in crops])) for key in KEYS}, rng


def pet_ct_loss(network: nn.Module, phantoms: Phantoms, step: int, progress: float) -> tuple[torch.Tensor, list[float]]:
    """Return the loss of the network of PET and CT on one batch."""
    batch, rng = _batch(phantoms, 1, step)
    # The network must also work for a patient without CT.
    blind = torch.from_numpy(rng.random(BATCH) < 0.15)
    ct = torch.where(blind[:, None, None, None], torch.tensor(NO_CT), batch["ct"])
    x = network_input(batch["pet"].numpy(), ct.numpy())
    out = network(x.contiguous(memory_format=torch.channels_last_3d))
    lesion = batch["lesion"]
    on_pet = lesion[:, :3].amax(1)
    faint = (on_pet > 0.02) & (batch["log_suv"] < np.log(FAINT_SUV))
    near = functional.max_pool3d(faint[:, None].float(), 3, 1, 1)
    each = functional.binary_cross_entropy_with_logits(out[:, :6], lesion, reduction="none")
    sighted = (~blind).float()[:, None, None, None, None]
    cross = (each[:, :3] * (1 + FAINT_WEIGHT * near)).mean((0, 2, 3, 4)).sum()
    cross = cross + (each[:, 3:] * sighted).mean((0, 2, 3, 4)).sum()
    # Overlap helps at first; it is biased for volumes, so that it fades out.
    share = out[:, :6].sigmoid() * torch.cat(
        [torch.ones_like(sighted).expand(-1, 3, -1, -1, -1), sighted.expand(-1, 3, -1, -1, -1)], 1
    )
    both = (share * lesion).sum((0, 2, 3, 4))
    dice = (1 - (2 * both + 1) / (share.sum((0, 2, 3, 4)) + lesion.sum((0, 2, 3, 4)) + 1)).mean()
    tissue = functional.binary_cross_entropy_with_logits(out[:, 6:11], batch["tissue"])
    weight = on_pet * (on_pet > 0.2)
    suv = functional.smooth_l1_loss(out[:, 11], batch["log_suv"], reduction="none", beta=0.3)
    suv = (weight * suv).sum() / (weight.sum() + 1)
    rate = functional.softplus(out[:, 12])
    number = (rate - batch["per_voxel"] * torch.log(rate + 1e-6)).mean()
    loss = 10 * cross + 0.3 * (1 - progress) * dice + tissue + 0.5 * suv + 20 * number
    return loss, [float(v.detach()) for v in (cross, dice, tissue, suv, number)]


def ct_loss(network: nn.Module, phantoms: Phantoms, step: int, _progress: float) -> tuple[torch.Tensor, list[float]]:
    """Return the loss of the network of CT on one batch."""
    batch, _ = _batch(phantoms, 2, step)
    x = network_input(batch["ct"].numpy(), batch["ct"].numpy())[:, 1:]  # the channel of the PET is left out
    out = network(x.contiguous(memory_format=torch.channels_last_3d))
    each = functional.binary_cross_entropy_with_logits(out[:, :3], batch["lesion"][:, 3:], reduction="none")
    tissue = functional.binary_cross_entropy_with_logits(out[:, 3:], batch["tissue"])
    cross = each.mean((0, 2, 3, 4))
    return 10 * cross.sum() + 0.5 * tissue, [*cross.tolist(), float(tissue.detach())]


def train(name: str, phantoms: Phantoms, out: Path, end: int | None = None) -> None:
    """Train one network, up to step `end` (None: all); resumes from its checkpoint."""
    make: Callable[[], nn.Module] = {"pet_ct": pet_ct_network, "ct": ct_network}[name]
    loss_of = {"pet_ct": pet_ct_loss, "ct": ct_loss}[name]
    torch.manual_seed(0)
    network = make().to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3, weight_decay=1e-4)
    checkpoint, step, steps = out / f"{name}.checkpoint", 0, STEPS[name]
    end = steps if end is None else min(end, steps)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        step = int(saved["step"])
    parts, begun = [], time.process_time()
    while step < end:
        progress = step / steps
        rate = min(progress / 0.05, 1) * 0.5 * (1 + np.cos(np.pi * progress))
        # A shorter training lets the rate fall to nothing in its last fifth.
        rate = min(rate, (end - step) / (0.2 * end))
        optimizer.param_groups[0]["lr"] = float(5e-3 * rate + 1e-5)
        loss, part = loss_of(network, phantoms, step, progress)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        step += 1
        parts.append(part)
        if step % SAVE_EVERY == 0 or step == end:
            seconds = time.process_time() - begun
            print(name, step, f"{seconds:.0f} s", np.round(1000 * np.mean(parts, 0), 2), flush=True)
            parts = []
            partial = checkpoint.with_suffix(".partial")
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, partial)
            partial.replace(checkpoint)
    weights = {key: value.contiguous().clone() for key, value in network.state_dict().items()}
    save_file(weights, out / f"{name}.safetensors")


def main() -> None:
    """Render, then train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-finder"))
    parser.add_argument("--part", choices=["all", "phantoms", "pet_ct", "ct"], default="all")
    parser.add_argument("--steps", type=int, default=None, help="fewer steps than the whole training, with --part")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.out / "phantoms"
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(PHANTOMS // SHARD)
    joblib.Parallel(n_jobs=options.jobs)(joblib.delayed(render_shard)(folder, k) for k in shards)
    names = [name for name in STEPS if options.part in ("all", name)]
    for name in names:
        train(name, Phantoms(folder), options.out, options.steps)
    if all((options.out / f"{name}.safetensors").exists() for name in STEPS):
        made_by = f"benchmarks/train_lesion_finder.py, {PHANTOMS} phantoms"
        digest = write_manifest(options.out, {name: [f"{name}.safetensors"] for name in STEPS}, made_by)
        print(f"{options.out / 'finder.json'}: SHA-256 {digest}")


if __name__ == "__main__":
    main()
