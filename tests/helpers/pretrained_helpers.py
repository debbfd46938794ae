"""Small published weights, made in the test, and volumes that they take."""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import torch

from prrt_estimators import CTPFSClassifier, FusionPFSClassifier, _device
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.networks import build_network
from prrt_estimators.pretrained import WEIGHTS, PretrainedWeights, add_weight_file

#: Grid of the small published weights: other than that of any estimator.
SIZE, SPACING = (12, 12, 10), (6.0, 6.0, 8.0)
#: Parameters that make networks small and training plain.
QUICK: dict[str, Any] = {"max_epochs": 1, "random_state": 0, "device": "cpu", "size": 12, "spacing": 4.0}
FINETUNE = ("frozen", "last", "full")
#: Narrow network with batch normalisation.
NARROW = {"widen_factor": 0.125, "conv1_t_stride": 2}


def state(seed: int = 0, encoder: str = "compact", params: dict | None = None) -> dict[str, torch.Tensor]:
    """Return random weights; statistics of batch normalisation are of a pretraining too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(encoder, params)
        tensors = {key: value.clone() for key, value in network.state_dict().items()}
        for key, value in tensors.items():
            if key.endswith("running_mean"):
                tensors[key] = 0.1 * torch.randn_like(value)
            elif key.endswith("running_var"):
                tensors[key] = 0.5 + torch.rand_like(value)
    return tensors


def set_hub(monkeypatch, download: Callable[..., str]) -> None:
    """Let a function stand for the hub's client, which need not be installed."""
    client: Any = types.ModuleType("huggingface_hub")
    client.hf_hub_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)


def _offline(**what: Any) -> str:
    raise ConnectionError("a test asked the hub")


def publish(monkeypatch, folder: Path, name: str = "small", *, seed: int = 0, add: bool = True, **changes: Any) -> Path:
    """Put weights into the registry, and their file where it is looked for first; return that which was made."""
    encoder, params = changes.pop("encoder", "compact"), changes.pop("encoder_params", {})
    set_hub(monkeypatch, _offline)
    file = folder / f"{name}-{seed}.pt"
    torch.save({"state_dict": {f"module.{key}": value for key, value in state(seed, encoder, params).items()}}, file)
    entry: dict[str, Any] = {
        "name": name,
        "title": "made in a test",
        "encoder": encoder,
        "encoder_params": params,
        "out_features": 64 if params else 128,
        "modalities": ("ct",),
        "digests": {hashlib.sha256(file.read_bytes()).hexdigest(): "module."},
        "licence": "MIT",
        "citation": "nobody",
        "megabytes": 4,
        "size": SIZE,
        "spacing": SPACING,
        "window": (-1000.0, 1000.0),
        "repository": "somebody/small",
        "revision": "abc",
        "filename": "small.pt",
    }
    monkeypatch.setitem(WEIGHTS, name, PretrainedWeights(**entry | changes))
    if add:
        add_weight_file(name, file)
    return file


def hounsfield(n: int = 8, shape: tuple[int, int, int] = (12, 12, 12), seed: int = 0) -> np.ndarray:
    """Return whole HU of shape (n, 1, D, H, W), so that files hold them exactly."""
    return np.rint(np.random.default_rng(seed).normal(0, 300, (n, 1, *shape))).clip(-1024, 2000).astype(np.float32)


def array_cohort(n: int = 8, seed: int = 0, spacing: Any = 6.0) -> tuple[Cohort, np.ndarray]:
    """Return patients with a CT in memory and two laboratory values."""
    lab = pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 2)), columns=["a", "b"])
    return Cohort({"ct": Volumes(hounsfield(n, seed=seed), spacing=spacing), "lab": lab}), np.arange(n) % 2


def write_scans(folder: Path, volumes: np.ndarray, spacing: float = 6.0) -> list[str]:
    """Write volumes as NIfTI files."""
    paths = []
    for k, volume in enumerate(volumes):
        path = folder / f"ct{k}.nii.gz"
        nib.save(nib.Nifti1Image(volume[0].astype(np.int16), np.diag([spacing] * 3 + [1.0])), path)
        paths.append(str(path))
    return paths


def written_cohort(folder: Path) -> tuple[Cohort, np.ndarray]:
    """Return the patients of `array_cohort` with their CTs in files below `folder`."""
    (folder / "scans").mkdir()
    X, y = array_cohort()
    return Cohort({"ct": write_scans(folder / "scans", hounsfield()), "lab": X["lab"]}), y


def ct(**options: Any) -> CTPFSClassifier:
    """Return a quick estimator on the CT with the weights "small"."""
    return CTPFSClassifier(**{"weights": "small"} | QUICK | options)


def fusion(**options: Any) -> FusionPFSClassifier:
    """Return a quick estimator on all modalities with the weights "small"."""
    return FusionPFSClassifier(**{"weights": {"ct": "small"}} | QUICK | options)


def vectors(model: Any, X: Cohort) -> np.ndarray:
    """Return what an estimator's pretrained branch takes of patients."""
    reader = model._find_branches(("ct",))["ct"].reader(X, model.cache_dir)
    return np.stack([reader.load(row) for row in range(len(X))])


class Passes:
    """Counts passes of volumes through encoders."""

    def __init__(self, monkeypatch):
        self.count = 0
        run_once = _device.run_once

        def counted(*args: Any, **options: Any) -> Any:
            self.count += 1
            return run_once(*args, **options)

        monkeypatch.setattr(_device, "run_once", counted)


def embedding_state(model: Any, modality: str = "ct") -> dict[str, torch.Tensor]:
    """Return the weights of a fitted branch by the names of the network."""
    tensors = model.net_.module_.encoders[modality].state_dict()
    return {key.removeprefix("network."): value for key, value in tensors.items()}
