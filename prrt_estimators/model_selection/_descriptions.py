"""Counts and reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prrt_estimators._modalities import MODALITIES
from prrt_estimators._model_specs import find_model


def counted(n: int, noun: str) -> str:
    """Return a number with its noun in the singular or the plural.

    Examples
    --------
    >>> counted(1, "model"), counted(2, "model")
    ('1 model', '2 models')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def size_in_words(run: Mapping[str, Any], status: pd.Series) -> str:
    """Say how many patients, models and folds there are; only models with a result count as models."""
    ran = int((status == "ok").sum())
    absent = [f"{n} {name}" for name in ("skipped", "failed") if (n := int((status == name).sum()))]
    without = f" ({', '.join(absent)})" if absent else ""
    return (
        f"{counted(run['data']['n_patients'], 'patient')}, {counted(ran, 'model')}{without}, "
        f"{counted(run['cv']['n_splits'], 'test fold')} in {counted(run['cv']['n_repeats'], 'repeat')}."
    )


def skipped_in_words(
    reasons: Mapping[str, str], modalities: Sequence[str], lacks: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Group skipped models by reason, those that lack a modality first.

    Parameters
    ----------
    reasons : mapping of str to str
        Reason by model.
    modalities : sequence of str
        What the cohort has; empty if that is not known.
    lacks : mapping of str to sequence of str, default=None
        Modalities that a model reported as missing. A registered model also lacks what it needs and the cohort has not.

    Returns
    -------
    list of str

    Examples
    --------
    >>> skipped_in_words({"pet_lab": "no PET", "mine": "too slow"}, ["lab"])
    ['Skipped, as the cohort has no PET: PET + labs.', 'Skipped (too slow): mine.']
    """
    from prrt_estimators.plotting import model_label

    lacking: list[str] = []
    absent: set[str] = set()
    others: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        missing = (lacks or {}).get(name) or _needed(name, modalities)
        if missing:
            lacking.append(model_label(name))
            absent.update(missing)
        else:
            others.setdefault(reason.rstrip("."), []).append(model_label(name))
    found = []
    if lacking:
        named = " and ".join(f"no {one.text}" for key, one in MODALITIES.items() if key in absent)
        found.append(f"Skipped, as the cohort has {named}: {', '.join(lacking)}.")
    return [*found, *(f"Skipped ({reason}): {', '.join(names)}." for reason, names in others.items())]


def _needed(name: str, modalities: Sequence[str]) -> set[str]:
    """Return what a registered model needs and the cohort has not."""
    spec = find_model(name)
    return set(spec.needs) - set(modalities) if spec is not None and modalities else set()
