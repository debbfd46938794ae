"""From what an estimator says of weights to branches whose features are computed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from prrt_estimators import _net
from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import CohortError, PretrainingOverlapWarning, Problem
from prrt_estimators.preprocessing import prepare_volumes
from prrt_estimators.preprocessing._volumes import box_parameters
from prrt_estimators.pretrained import find_weights
from prrt_estimators.pretrained._branches import BranchSettings, PretrainedBranch


def find_branch(
    name: str, settings: BranchSettings, size: Any, spacing: Any, cache_dir: Any, precision: str = "auto"
) -> PretrainedBranch:
    """Return the branch of one modality; what the weights leave open the estimator's own settings answer."""
    source = find_weights(
        settings.weights,
        modality=name,
        encoder=settings.encoder,
        encoder_params=settings.params,
        parameter=settings.parameter,
        cache_dir=cache_dir,
    )
    own_size, own_spacing = box_parameters(size, spacing)
    source = replace(
        source,
        size=source.size or own_size,
        spacing=source.spacing or own_spacing,
        window=source.window if source.window is not None else settings.window,
    )
    return PretrainedBranch(name, source, settings.finetune, bfloat16=precision == "bfloat16")


def prepare_scans(
    cohort: Cohort,
    names: Sequence[str],
    branches: Mapping[str, PretrainedBranch],
    *,
    size: Any,
    spacing: Any,
    cache_dir: Any,
    device: torch.device,
    verbose: int,
    progress: Callable[[int, int], None] | None = None,
    n_jobs: int | None = None,
    tell_padding: bool = True,
) -> None:
    """Check scans, bring them into their boxes, and compute what pretrained branches take.

    Raises
    ------
    CohortError
        With everything that is wrong with any scan.
    """

    def compute(name: str) -> None:
        text = f"{MODALITIES[name].title} through {branches[name].source.label}"
        with _net.progress_bar(text, verbose, progress) as tell:
            branches[name].reader(cohort, cache_dir).prepare(tell, device)

    apart = [name for name in names if name in branches and not branches[name].in_box]
    boxes: dict[Any, list[str]] = {}
    for name in names:
        if name in IMAGING and name not in apart:
            own = (branches[name].source.size, branches[name].source.spacing) if name in branches else (size, spacing)
            boxes.setdefault(box_parameters(*own), []).append(name)
    problems: dict[Problem, None] = {}
    for name in apart:
        try:
            compute(name)
        except CohortError as error:
            problems |= dict.fromkeys(error.problems)
    for (voxels, millimetres), together in boxes.items():
        try:
            prepare_volumes(
                cohort,
                modalities=together,
                beside=() if problems else apart,
                size=voxels,
                spacing=millimetres,
                cache_dir=cache_dir,
                progress=progress,
                n_jobs=n_jobs,
                tell_padding=tell_padding,
            )
        except CohortError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise CohortError(list(problems))
    for name in names:
        if name in branches and name not in apart:
            compute(name)


def pretrained_on(pretrainer: Any, X: Cohort, modality: str, rng: Any, cache_dir: Any, device: str) -> Any:
    """Return a clone of a pretrainer, fitted on these patients."""
    copy = clone(pretrainer)
    given = copy.get_params(deep=False)
    own = {"random_state": int(rng.randint(2**31 - 1)), "cache_dir": cache_dir, "device": device}
    unset = {"random_state": None, "cache_dir": None, "device": "auto"}
    copy.set_params(**{key: value for key, value in own.items() if key in given and given[key] == unset[key]})
    return copy.fit(X.select(modality))


def tell_of_overlap(
    branches: Mapping[str, PretrainedBranch],
    X: Cohort,
    names: Sequence[str],
    pretrainers: Mapping[str, Any],
    cache_dir: Any,
) -> None:
    """Warn if patients to be predicted were seen in the pretraining of a branch.

    Warns
    -----
    PretrainingOverlapWarning
        With their number.
    """
    for name, branch in branches.items():
        if name not in names or not branch.source.seen or name in pretrainers:
            continue
        reader = branch.reader(X, cache_dir)
        rows = np.flatnonzero(X[name].present)
        seen = sum(reader.digest(int(row)) in branch.source.seen for row in rows)
        if seen:
            warnings.warn(
                f"{seen} of {len(rows)} patients to be predicted were among those whose {MODALITIES[name].title} "
                f"{branch.source.label} was pretrained on (without their outcome). Their scores may be too good by "
                "an unknown amount; pass the pretrainer itself as weights to pretrain inside each training fold.",
                PretrainingOverlapWarning,
                stacklevel=4,
            )
