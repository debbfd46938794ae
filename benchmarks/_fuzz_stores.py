"""Damaged models, results, caches and weights for `fuzz.py`, and what they held."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from _fuzz_harm import Kind, harm_file, harmed
from sklearn.linear_model import LogisticRegression

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, load_model, save_model
from prrt_estimators.model_selection import compare_models, load_comparison
from prrt_estimators.networks._weight_files import read_state
from prrt_estimators.preprocessing._cache import VolumeCache
from prrt_estimators.preprocessing._volumes import BoxReader

_LABS = pd.DataFrame(
    {"CgA": np.arange(16.0) ** 2 + 3, "AST": 30.0 + np.arange(16) % 3, "ALT": np.arange(16.0)[::-1] + 9}
)
_Y = np.arange(16) % 2


def make_models(folder: Path) -> list[Path]:
    """Save a forest and a network."""
    forest = LabPFSClassifier(n_estimators=3, random_state=0).fit(_LABS, _Y)
    network = FusionPFSClassifier(max_epochs=1, embedding=4, random_state=0, device="cpu").fit(_LABS, _Y)
    return [save_model(forest, folder / "forest.prrt"), save_model(network, folder / "network.prrt")]


def harm_model(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Damage a saved model; for half of the inputs make every digest right again, as somebody who means harm would."""
    if rng.random() < 0.5:
        harm_file(rng, source, target)
        return
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    first = next(name for name in parts if name.startswith("prrt-model"))
    parts.pop(first), parts.pop("digests.json")
    chosen = list(parts)[int(rng.integers(0, len(parts)))]
    if chosen.endswith(".skops") and rng.random() < 0.7:
        parts[chosen] = _inside(rng, parts[chosen])
    else:
        parts[chosen] = harmed(rng, parts[chosen])
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in {first: b"", **parts, "digests.json": json.dumps(digests).encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.comment = b"sha256:" + b"0" * 64
    content = body.getvalue()[:-64]
    target.write_bytes(content + hashlib.sha256(content).hexdigest().encode())
    target.with_suffix(".forged").touch()


def _inside(rng: np.random.Generator, part: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(part)) as before, zipfile.ZipFile(body, "w") as after:
        names = before.namelist()
        chosen = names[int(rng.integers(0, len(names)))]
        for name in names:
            after.writestr(name, harmed(rng, before.read(name)) if name == chosen else before.read(name))
    return body.getvalue()


def check_model(damaged: Path, source: Path) -> str:
    """Predict with what was loaded: a changed file must not predict something else; a forged one must give numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forged = damaged.with_suffix(".forged").exists()
        damaged.with_suffix(".forged").unlink(missing_ok=True)
        found = load_model(damaged).predict_proba(_LABS)
        if forged:
            return "as it is" if np.isfinite(found).all() and (found >= 0).all() and (found <= 1).all() else "wrong"
        return "as it is" if np.array_equal(found, load_model(source).predict_proba(_LABS)) else "wrong"


def _compared(folder: Path) -> Any:
    models = {"linear": LogisticRegression()}
    return compare_models(models, _LABS, _Y, cv=2, out=folder, verbose=0)


def make_results(folder: Path) -> list[Path]:
    """Run a comparison; its files are the inputs."""
    _compared(folder / "run")
    files = ["run.json", "splits.json", "scores.csv", "predictions.csv", "patients.csv"]
    return [folder / "run" / name for name in files] + sorted((folder / "run").glob("folds/*/*.json"))[:1]


def harm_result(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Copy the folder of the run, damage one file of it, and name it in the target."""
    run = next(parent for parent in source.parents if parent.name == "run")
    copy = target.with_suffix(".run")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    inside = copy / source.relative_to(run)
    inside.write_bytes(harmed(rng, source.read_bytes()))
    target.write_text(str(copy))


def check_result(damaged: Path, source: Path) -> str:
    """Read and resume the damaged run: numbers are those of the undamaged one, or it is refused."""
    run = next(parent for parent in source.parents if parent.name == "run")
    copy = Path(damaged.read_text())
    wanted = load_comparison(run).predictions
    try:
        resumed = _compared(copy).predictions
        if not resumed.equals(wanted):
            return "wrong"
        shutil.rmtree(copy)
        return "as it is"
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def make_cache(folder: Path) -> list[Path]:
    """Prepare a scan; what the cache holds of it are the inputs."""
    pet = np.random.default_rng(0).gamma(2, 1, (9, 8, 7)).astype(np.float32)
    nib.save(nib.Nifti1Image(pet, np.diag([4.0, 4, 5, 1])), folder / "pet.nii")
    reader = _reader(folder, folder / "cache")
    reader.load(0, "pet")
    return [VolumeCache(folder / "cache")._record_file(str(folder / "pet.nii")), reader._prepared(0, "pet")]


def _reader(folder: Path, cache: Path) -> BoxReader:
    return BoxReader(Cohort({"pet": [str(folder / "pet.nii")]}), size=8, spacing=4.0, cache_dir=cache)


def harm_cache(rng: np.random.Generator, source: Path, target: Path) -> None:
    """Copy the cache and damage one file of it."""
    cache = next(parent for parent in source.parents if parent.name == "cache")
    copy = target.with_suffix(".cache")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(cache, copy)
    (copy / source.relative_to(cache)).write_bytes(harmed(rng, source.read_bytes()))
    target.write_text(str(copy))


def check_cache(damaged: Path, source: Path) -> str:
    """Read through the damaged cache: voxels and numbers are those of the undamaged one."""
    cache = next(parent for parent in source.parents if parent.name == "cache")
    copy = Path(damaged.read_text())
    try:
        found, wanted = _reader(cache.parent, copy), _reader(cache.parent, cache)
        same = np.array_equal(found.load(0, "pet"), wanted.load(0, "pet"))
        return "as it is" if same and found.record(0, "pet") == wanted.record(0, "pet") else "wrong"
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def make_weights(folder: Path) -> list[Path]:
    """Write a small state dict."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    save_file(
        {"a.weight": rng.normal(size=(4, 3)).astype(np.float32), "a.bias": np.zeros(4, np.float32)},
        folder / "w.safetensors",
    )
    return [folder / "w.safetensors"]


def check_weights(damaged: Path, _: Path) -> str:
    """Compare tensors with those of the other reader."""
    from safetensors.numpy import load

    found = {key: value.numpy() for key, value in read_state(damaged).items()}
    wanted = load(damaged.read_bytes())
    same = all(
        np.array_equal(found[key.removeprefix("module.")], value, equal_nan=True) for key, value in wanted.items()
    )
    return "as it is" if same and len(found) == len(wanted) else "wrong"


STORES = (
    Kind("model", make_models, harm_model, check_model),
    Kind("results", make_results, harm_result, check_result),
    Kind("cache", make_cache, harm_cache, check_cache),
    Kind("weights", make_weights, harm_file, check_weights),
)
