"""The models of the study by name, ready to be compared."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: The eight configurations of the study, in the order of its tables, then two simple baselines.
CONFIGURATIONS = ("lab", "pet", "ct", "pet_ct", "pet_lab", "ct_lab", "pet_ct_lab", "pet_ct_lab_pretrained")
BASELINES = ("baseline_lab", "baseline_pet")
MODEL_NAMES = (*CONFIGURATIONS, *BASELINES)

NEEDS_WEIGHTS = "needs weights of a pretrained CT encoder: pass weights={'ct': 'astra'} (--ct-weights astra)"


@dataclass(frozen=True)
class Skipped:
    """Stands where a model would, and says why there is none.

    Parameters
    ----------
    reason : str
        Shown in tables and reports.

    Examples
    --------
    >>> Skipped("needs a weight file").reason
    'needs a weight file'
    """

    reason: str


def paper_models(
    *,
    weights: Any = None,
    finetune: Any = None,
    max_epochs: int | None = None,
    size: int | Sequence[int] | None = None,
    spacing: float | Sequence[float] | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    random_state: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    baselines: bool = True,
    include: Iterable[str] | None = None,
    verbose: int = 0,
) -> dict[str, Any]:
    """Return the eight configurations of the study, and two simple baselines that a fusion has to beat.

    The publication leaves encoder, input size and training schedule open; what is not given here is the
    estimators' own default and no claim about the published networks.

    Parameters
    ----------
    weights : mapping by modality, default=None
        Weights of pretrained encoders for ``pet_ct_lab_pretrained``, such as ``{"ct": "astra"}``: by name (``prrt weights
        list``), as a file, or a `CTPretrainer` that is fitted inside each training fold. Without them that configuration
        is listed as skipped.
    finetune : {"frozen", "last", "full"} or mapping by modality, default=None
        How much of them is trained.
    max_epochs : int, default=None
        Passes over the training patients.
    size : int or three, default=None
        Voxels of the box that each scan is brought to.
    spacing : float or three, default=None
        Distance between voxels of that box in mm.
    batch_size : int, default=None
        Patients a step.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"mps"``; "auto" takes the best there is.
    random_state : int, default=None
        Seed of every model; None lets `compare_models` derive one for each fold.
    cache_dir : path, default=None
        Folder of prepared volumes.
    baselines : bool, default=True
        Add ``baseline_lab`` and ``baseline_pet``.
    include : iterable of str, default=None
        Only these, in the order of the study; names of baselines count whatever `baselines` says.
    verbose : int, default=0
        Passed on to the estimators.

    Returns
    -------
    dict of str to estimator or Skipped

    Raises
    ------
    ValueError
        If `include` holds an unknown name.

    References
    ----------
    Baur et al., Multimodal deep learning for prediction of progression-free survival in patients with
    neuroendocrine tumors undergoing 177Lu-based PRRT, doi:10.48550/arXiv.2511.05169

    Examples
    --------
    >>> list(paper_models(include=["lab", "baseline_lab"]))
    ['lab', 'baseline_lab']
    >>> paper_models()["pet_ct_lab_pretrained"].reason[:13]
    'needs weights'
    """
    wanted = _wanted(include, baselines)
    given = {"size": size, "spacing": spacing, "max_epochs": max_epochs, "batch_size": batch_size}
    own = {name: value for name, value in given.items() if value is not None}
    network = own | {"device": device, "random_state": random_state, "cache_dir": cache_dir, "verbose": verbose}
    pretrained = {"weights": _as_text(weights)}
    if finetune is not None:
        pretrained["finetune"] = finetune
    return {name: _make(name, network, pretrained) for name in wanted}


def _as_text(weights: Any) -> Any:
    """Return weights with paths as texts, which a folder of results can hold."""
    if isinstance(weights, Mapping):
        named = {modality: _as_text(one) for modality, one in weights.items()}
        return named if any(one is not None for one in named.values()) else None
    return os.fspath(weights) if isinstance(weights, os.PathLike) else weights


def _wanted(include: Iterable[str] | None, baselines: bool) -> list[str]:
    if include is None:
        return list(MODEL_NAMES if baselines else CONFIGURATIONS)
    chosen = [include] if isinstance(include, str) else list(include)
    unknown = [name for name in chosen if name not in MODEL_NAMES]
    if unknown or not chosen:
        raise ValueError(f"models must be some of {', '.join(MODEL_NAMES)}; got {', '.join(unknown) or 'none'}.")
    return [name for name in MODEL_NAMES if name in chosen]


def _make(name: str, network: Mapping[str, Any], pretrained: Mapping[str, Any]) -> Any:
    # Estimators bring torch with them: a listing of names must not wait for it.
    from prrt_estimators import estimators

    if name == "lab":
        return estimators.LabPFSClassifier(random_state=network["random_state"])
    if name == "pet":
        return estimators.PETPFSClassifier(**network)
    if name == "ct":
        return estimators.CTPFSClassifier(**network)
    if name == "baseline_lab":
        return estimators.LabBaselineClassifier()
    if name == "baseline_pet":
        box = {key: network[key] for key in ("size", "spacing", "cache_dir") if key in network}
        return estimators.PETBaselineClassifier(**box)
    if name == "pet_ct_lab_pretrained":
        if pretrained["weights"] is None:
            return Skipped(NEEDS_WEIGHTS)
        return estimators.FusionPFSClassifier(modalities=("pet", "ct", "lab"), **pretrained, **network)
    return estimators.FusionPFSClassifier(modalities=tuple(name.split("_")), **network)
