"""Patients whose bright lesion decides, and a model that learnt it: made once for all tests of maps."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch
from torch import nn

from prrt_estimators import Cohort, FusionPFSClassifier, PETPFSClassifier
from prrt_estimators.cohort import Volumes


def planted(n: int = 60, seed: int = 0, shape: tuple[int, int, int] = (16, 16, 16)) -> tuple[Cohort, np.ndarray]:
    """Return patients with a bright spot on PET where PFS is short, masked as "lesion", and kidneys in all."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    pet = rng.gamma(2, 0.5, (n, 1, *shape)).astype(np.float32)
    ct = rng.normal(40, 30, (n, 1, *shape)).astype(np.float32)
    lesion, kidneys = np.zeros_like(pet), np.zeros_like(pet)
    kidneys[:, 0, 3:5, 3:5, 6:10] = kidneys[:, 0, 11:13, 3:5, 6:10] = 1
    pet += 6 * kidneys
    for row in np.flatnonzero(y == 0):
        i, j, k = rng.integers(1, 12, 3)
        j = max(j, 6)
        lesion[row, 0, i : i + 3, j : j + 3, k : k + 3] = 1
    pet += 12 * lesion
    lab = pd.DataFrame({"cga": rng.lognormal(5, 1, n), "age": rng.normal(60, 10, n)})
    data = {"pet": Volumes(pet, spacing=(8.0, 8.0, 8.0)), "ct": Volumes(ct, spacing=(8.0, 8.0, 8.0)), "lab": lab}
    ids = [f"P{row:02d}" for row in range(n)]
    return Cohort(data, ids=ids, masks={"lesion": lesion, "kidneys": kidneys}), y


class Plain(nn.Module):
    """Two convolutions and a mean: without normalisation a voxel matters through its own neighbourhood only."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv3d(1, 8, 3, padding=1), nn.Conv3d(8, 8, 3, stride=2, padding=1)

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(volumes).relu()).relu()


@functools.cache
def pet_model() -> tuple[PETPFSClassifier, Cohort, np.ndarray]:
    """Return a model that learnt the spots, and patients it has not seen."""
    X, y = planted(120)
    model = PETPFSClassifier(encoder=Plain, max_epochs=15, lr=5e-3, device="cpu", random_state=0)
    return model.fit(X[:90].select("pet"), y[:90]), X[90:].select("pet"), y[90:]


@functools.cache
def fusion_model() -> tuple[FusionPFSClassifier, Cohort, np.ndarray]:
    """Return a barely trained model on all three modalities, with the encoder of the study, and patients."""
    X, y = planted(12, seed=1)
    model = FusionPFSClassifier(encoder="compact", max_epochs=2, batch_size=4, device="cpu", random_state=0)
    return model.fit(X, y), X, y
