"""Results folders of format 1: their keys held private paths of modules, their Brier score was a plain loss.

A fold that such a folder holds is found by the key that the version of then would have given it, so that a run that was
begun by it is finished here with the same numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from prrt_estimators._former_parameters import former_parameters
from prrt_estimators.metrics._predictions import PROBABILITY

#: Where the classes stood that an old key can name.
_PLACES: Mapping[str, str] = {
    name: f"prrt_estimators.{module}"
    for module, names in {
        "estimators._lab": "LabPFSClassifier",
        "estimators._image": "CTPFSClassifier PETPFSClassifier",
        "estimators._fusion": "FusionPFSClassifier",
        "estimators._baselines": "LabBaselineClassifier PETBaselineClassifier",
        "estimators._pretrainer": "CTPretrainer",
        "modules._encoders": "CompactEncoder DenseNetEncoder Encoder InputForm LastStage ResNetEncoder build_encoder",
        "modules._augment": "RandomAugment",
        "modules._fusion": "FusionNet WeightedBCE",
        "modules._sources": "WeightSource",
        "preprocessing._pet_features": "GlobalPETFeatures",
        "preprocessing._labs": "LabPreprocessor",
        "preprocessing._markers": "LiteratureMarkers",
        "preprocessing._volumes": "VolumePreprocessor",
    }.items()
    for name in names.split()
}

_NETWORK = (
    "encoder encoder_params pretrained_lr_factor size spacing augment embedding hidden dropout max_epochs lr batch_size "
    "optimizer weight_decay lr_schedule class_weight early_stopping validation_fraction patience device precision "
    "cache_dir verbose random_state"
)
_IMAGE = f"{_NETWORK} window weights finetune"
#: Parameters that the classes had.
_PARAMETERS: Mapping[str, frozenset[str]] = {
    name: frozenset(names.split())
    for name, names in {
        "LabPFSClassifier": "model n_estimators max_depth min_samples_leaf max_features C class_weight log n_jobs random_state",
        "LabBaselineClassifier": "C class_weight",
        "PETBaselineClassifier": "threshold C class_weight size spacing cache_dir",
        "PETPFSClassifier": _IMAGE,
        "CTPFSClassifier": _IMAGE,
        "CTPretrainer": "encoder encoder_params window size spacing projection temperature masked max_epochs lr batch_size "
        "optimizer weight_decay device precision cache_dir verbose random_state",
        "FusionPFSClassifier": f"{_NETWORK} modalities fusion pet_window ct_window pet_weights ct_weights pet_finetune "
        "ct_finetune log modality_dropout",
    }.items()
}


def old_path(thing: Any) -> str:
    """Return the module and name that an old key holds for a class or function."""
    module = _PLACES.get(thing.__qualname__, thing.__module__) if _is_ours(thing) else thing.__module__
    return f"{module}.{thing.__qualname__}"


def _is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] == "prrt_estimators"


def old_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator as they were called.

    A parameter that came later and holds another value than its default stays: such a model has no old key.
    """
    params = former_parameters(estimator.get_params(deep=False))
    kind = type(estimator)
    known = _PARAMETERS.get(kind.__qualname__) if _is_ours(kind) else None
    if known is None:
        return params
    signature = inspect.signature(kind.__init__).parameters
    return {
        name: value
        for name, value in params.items()
        if name in known or name not in signature or value != signature[name].default
    }


def old_scorer(name: str) -> str:
    """Return the text that an old key holds for a registered score."""
    options = "{'_sign': 1, '_response_method': 'predict_proba', '_kwargs': {}}"
    return f"prrt_estimators.metrics.scoring._{old_name(name)}({options})"


def old_name(name: str) -> str:
    """Return what a score was called.

    Examples
    --------
    >>> old_name("neg_brier"), old_name("auroc")
    ('brier', 'auroc')
    """
    return "brier" if name == "neg_brier" else name


def modern_record(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the record of a fold with the names of today: one score per patient and its kind, losses times -1.

    Parameters
    ----------
    record : dict
    names : iterable of str
        Scores of the comparison.
    """
    if "p_long" not in record:
        return record
    scores = dict(record["scores"])
    if "neg_brier" in names and "brier" in scores:
        loss = scores["brier"]
        scores["neg_brier"] = None if loss is None else -loss
    others = {name: value for name, value in record.items() if name != "p_long"}
    return others | {
        "scores": {name: scores[name] for name in names}, "y_score": record["p_long"], "kind": PROBABILITY,
    }  # fmt: skip
