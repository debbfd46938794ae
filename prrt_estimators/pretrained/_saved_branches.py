"""Pretrained branches of a saved model: named where the weights are published, carried along where they are not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from prrt_estimators._io import default_cache_dir, keep_by_digest
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.networks import InputForm
from prrt_estimators.pretrained import WEIGHTS, WeightSource, find_weights
from prrt_estimators.pretrained._branches import PretrainedBranch
from prrt_estimators.pretrained._fetch import digest_of


def needs_own_file(branch: PretrainedBranch) -> bool:
    """Return whether predicting takes weights that nobody else has."""
    return branch.keeps != "volumes" and branch.source.label not in WEIGHTS


def embedded_weights(branch: PretrainedBranch) -> bytes:
    """Return the pretrained weights of a branch as safetensors.

    Raises
    ------
    FileNotFoundError
        If their file is gone.
    """
    return save({key: value.contiguous() for key, value in branch.source.state().items()})


def describe_branch(branch: PretrainedBranch) -> dict[str, Any]:
    """Return a branch as JSON data; of the file only its name and digest."""
    source = branch.source
    encoder = source.encoder if isinstance(source.encoder, str) else {"__encoder__": source.encoder.__name__}
    return {
        "label": os.path.basename(source.label),
        "digest": source.digest,
        "finetune": branch.finetune,
        "bfloat16": branch.bfloat16,
        "encoder": encoder,
        "encoder_params": dict(source.encoder_params),
        "size": source.size,
        "spacing": source.spacing,
        "window": source.window,
        "own_grid": source.own_grid,
        "standardise": source.form.standardise,
        "axes": source.form.axes,
        "channels": source.form.channels,
        "out_features": source.out_features,
        "parameter": source.parameter,
    }


def restore_branch(
    modality: str, entry: Mapping[str, Any], content: bytes | None, encoders: Mapping[str, type[nn.Module]], name: str
) -> PretrainedBranch:
    """Return the branch that `describe_branch` described.

    Raises
    ------
    SavedModelError
        If an encoder class is not given, or published weights are not those of the model.
    MissingDependencyError, PretrainedWeightsError
        If published weights that predicting takes cannot be had here.
    """
    encoder = entry["encoder"]
    if isinstance(encoder, dict):
        wanted = encoder["__encoder__"]
        if wanted not in encoders:
            raise SavedModelError(
                f"{name} was made with an encoder class {wanted}; pass load_model(..., encoders={{'{wanted}': {wanted}}})."
            )
        encoder = encoders[wanted]
    file = (
        Path() if content is None else keep_by_digest(content, default_cache_dir() / "weights", "saved", ".safetensors")
    )
    source = WeightSource(
        entry["label"],
        file,
        entry["digest"] if content is None else digest_of(file),
        encoder,
        entry["encoder_params"],
        form=InputForm(tuple(entry["axes"]), entry["channels"], entry["standardise"]),
        size=tuple(entry["size"]),
        spacing=tuple(entry["spacing"]),
        window=None if entry["window"] is None else tuple(entry["window"]),
        own_grid=entry["own_grid"],
        out_features=entry["out_features"],
        parameter="weights" if entry["parameter"] == "weights" else f"weights[{modality!r}]",
    )
    if content is None and entry["label"] in WEIGHTS and entry["finetune"] != "full":
        if entry["digest"] not in WEIGHTS[entry["label"]].digests:
            raise SavedModelError(
                f"{name} was made with other weights {entry['label']!r} than this version knows; fit the model again."
            )
        published = find_weights(entry["label"], modality=modality, parameter=source.parameter)
        source = replace(
            source, file=published.file, digest=published.digest, prefix=published.prefix, heads=published.heads
        )
    return PretrainedBranch(modality, source, entry["finetune"], entry["bfloat16"])
