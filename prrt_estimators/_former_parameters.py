"""Parameters by the names of before, as saved models and folders of runs of the last version have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prrt_estimators._modalities import MODALITIES

#: Parameters that were one for each of these modalities (``pet_window``, ``ct_window``), and are one mapping now.
_SPLIT: dict[str, Any] = {"window": "auto", "weights": None, "finetune": "frozen"}
_BEFORE = ("pet", "ct")
#: Parameters that estimators with a network had, and the one value that they have now.
_REMOVED: dict[str, Any] = {"hidden": 32, "lr_schedule": "cosine", "validation_fraction": 0.2}
#: Parameters that were called ``score``, which is the name of a method, by the parameters that their estimators have.
_SCORES: tuple[tuple[str, frozenset[str]], ...] = (
    ("name", frozenset()),
    ("scoring", frozenset(["estimator", "grid", "cv", "repeats", "n_iter", "random_state"])),
)
_NAMES = {f"{modality}_{name}" for modality in _BEFORE for name in _SPLIT}


def with_removed(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters together with those that the estimator had once, as the keys of finished folds hold them.

    Examples
    --------
    >>> with_removed({"embedding": 8, "early_stopping": False})["hidden"], with_removed({"C": 1.0})
    (32, {'C': 1.0})
    >>> with_removed({"name": "glasgow"})
    {'score': 'glasgow'}
    """
    for present_name, others in _SCORES:
        if set(params) == {present_name, *others}:
            return {"score" if key == present_name else key: value for key, value in params.items()}
    return {**_REMOVED, **params} if {"embedding", "early_stopping"} <= set(params) else dict(params)


def former_parameters(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of an estimator by the names of before.

    Examples
    --------
    >>> now = {"modalities": "auto", "window": dict(pet=(0.0, 9.0)), "weights": None, "finetune": "frozen"}
    >>> before = former_parameters(now)
    >>> before["pet_window"], before["ct_window"], before["ct_finetune"]
    ((0.0, 9.0), (-160.0, 240.0), 'frozen')
    """
    params = with_removed(params)
    if not {"modalities", *_SPLIT} <= set(params):
        return params  # an estimator of one modality has always had `window` itself
    former = {key: value for key, value in params.items() if key not in _SPLIT}
    for name, unnamed in _SPLIT.items():
        value = params[name]
        one = value if isinstance(value, Mapping) else dict.fromkeys(_BEFORE, value)
        for modality in _BEFORE:
            setting = one.get(modality, unnamed)
            auto = name == "window" and isinstance(setting, str)
            former[f"{modality}_{name}"] = MODALITIES[modality].window if auto else setting
        others = {modality: setting for modality, setting in one.items() if modality not in _BEFORE}
        if others:
            former[name] = others
    return former


def present_parameters(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by their names of now, whichever names they have.

    Examples
    --------
    >>> present_parameters({"pet_weights": None, "ct_weights": "astra", "lr": 0.001})
    {'lr': 0.001, 'weights': {'pet': None, 'ct': 'astra'}}
    >>> present_parameters({"score": "glasgow"})
    {'name': 'glasgow'}
    """
    for present_name, others in _SCORES:
        if set(params) == {"score", *others}:
            return {present_name if key == "score" else key: value for key, value in params.items()}
    present = {key: value for key, value in params.items() if key not in _NAMES and key not in _REMOVED}
    for name in _SPLIT:
        for modality in _BEFORE:
            if f"{modality}_{name}" in params:
                present[name] = {**present.get(name, {}), modality: params[f"{modality}_{name}"]}
    return present
