"""Everything that explains the models of a comparison, or one fitted model, in one folder and on one page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import check_cv

from prrt_estimators._classes import check_same_order
from prrt_estimators._modalities import IMAGING
from prrt_estimators._offscreen import offscreen
from prrt_estimators._targets import target_of, target_of_outcome
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.inspection import (
    forest_importance,
    grouped_permutation_importance,
    modality_shapley,
    out_of_fold_features,
    shap_importance,
    shap_values,
)
from prrt_estimators.inspection._coefficients import has_coefficients
from prrt_estimators.inspection._explained_models import FittedFolds
from prrt_estimators.metrics._score import main_score, score_title
from prrt_estimators.model_selection._descriptions import counted
from prrt_estimators.plotting import (
    EmbeddingDisplay,
    ImportanceDisplay,
    ModalityShapleyDisplay,
    model_label,
)
from prrt_estimators.report._coefficients import add_coefficients, coefficients_of_all, linear_model
from prrt_estimators.report._explained import ExplanationFolder, Section
from prrt_estimators.report._maps import FoundMaps, explain_maps, maps_of_folds
from prrt_estimators.report._shap_figures import draw_beeswarm, draw_scatter
from prrt_estimators.report._shown_patients import measured, most_telling, out_of_fold_probability

Progress = Callable[[str], None]


class NothingToExplainError(ValueError):
    """No model has a forest, has coefficients or looks at scans with a network."""


@offscreen()
def explain_models(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    folder: str | os.PathLike[str],
    *,
    cv: Any = 3,
    summary: pd.DataFrame | None = None,
    scans: str | None = None,
    n_patients: int = 4,
    method: str = "gradient",
    horizon: float = 12.0,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Explain models out of fold: every patient by a model that never saw them.

    The first model with coefficients shows them, with the part of published directions and what each block adds; the first
    with a forest explains the laboratory values; one that looks at scans with a network explains modalities, feature space
    and maps.

    Parameters
    ----------
    models : mapping of str to estimator
        As for :func:`~prrt_estimators.model_selection.compare_models`; fitted anew in each fold.
    X : Cohort or mapping
    y : array of shape (n,)
        1 for long PFS, 0 for short; or ``event`` and ``time`` (months), by which the survival models among `models` are explained.
    folder : path
        Made if it is not there.
    cv : int, splitter or iterable of (train, test), default=3
        Every patient must be tested once.
    summary : DataFrame, default=None
        Of the comparison, indexed by model; its tests against chance decide which maps carry a warning.
    scans : str, default=None
        Name of the model that explains modalities, feature space and maps. If None, of those that take the most
        modalities the one with the highest main score in `summary`, or the last without one: what all modalities do
        together is the question, and a model picked for its score alone would flatter the explanation.
    n_patients : int, default=4
        Patients with a figure and files of maps: the most confident right predictions of both classes.
    method : {"gradient", "smoothgrad", "integrated_gradients", "gradcam"}, default="gradient"
        Of the maps.
    horizon : float, default=12.0
        Months: of a survival model P(PFS > horizon) is explained.
    random_state : int, default=0
    progress : callable, default=None
        Called with a sentence at each step.

    Returns
    -------
    Path
        ``explain.html``, which holds the figures; tables, figures and maps lie beside it.

    Raises
    ------
    ValueError
        If there is no model to explain, or `scans` is none of `models`.
    MissingDependencyError
        If the extra ``explain`` is not installed.
    """
    tell = progress or (lambda _: None)
    X = as_cohort(X)
    check_same_order(X, y, ("X", "y"))
    target, given = target_of_outcome(y), models
    models = {name: model for name, model in given.items() if target_of(model).name == target.name}
    y, strata = target.for_folds(y)
    splits = list(check_cv(cv, strata, classifier=True).split(X, strata))
    forest, scans, linear = _forest(models), _with_scans(models, X, summary, scans), linear_model(models)
    if forest is None and scans is None and linear is None:
        names = ", ".join(models)
        raise NothingToExplainError(
            f"nothing to explain: {f'none of the models {names}' if names else 'no model'} has a forest, has coefficients "
            "or looks at scans with a network."
        )
    out = ExplanationFolder(folder, "What the models go by")
    out.open(
        f"{counted(len(X), 'patient')}. Every patient is explained by a model that was trained without them, "
        f"{counted(len(splits), 'fold')}."
    )
    if target.beyond(horizon) != "long PFS":
        out.open(_LONG.format(target.beyond(horizon)))
    left_out = [
        f"{model_label(name)} ({target_of(model).title})" for name, model in given.items() if name not in models
    ]
    if left_out:
        out.open(f"Not explained here, because they learn something else: {'; '.join(left_out)}.")
    if linear is not None:
        tell(f"{linear}: coefficients")
        coefficients_of_all(out, models[linear], X, y, linear)
    if forest is not None and "lab" in X:
        tell(f"{forest}: importance and SHAP values of {counted(X['lab'].shape[1], 'column')}")
        _labs(out, models[forest], X, y, splits, forest, horizon, random_state)
    if scans is not None:
        model, interval = models[scans], _interval(summary, scans)
        tell(f"{scans}: fitting {counted(len(splits), 'fold')}")
        folds = FittedFolds(model, X, y, splits)
        if len(folds.folds[0].model.modalities_) > 1:
            tell(f"{scans}: what each modality adds")
            table = modality_shapley(model, X, y=y, cv=folds, horizon=horizon)
            _modalities(out, table, y if target.has_classes else None, scans)
        if target.has_classes:
            tell(f"{scans}: feature space")
            features = out_of_fold_features(model, X, y=y, cv=folds)
            _space(out, features, scans, random_state)
            p_long = features.p_long
        else:
            p_long = out_of_fold_probability(folds, X, horizon)
            out.open("A feature space is not shown, because it is coloured by class.")
        tell(f"{scans}: maps")
        chosen = most_telling(p_long, target.known_classes(y, horizon), n_patients)
        options = {"method": method, "auroc_interval": interval, "horizon": horizon, "random_state": random_state}
        found = maps_of_folds(folds, X, chosen, **options)
        explain_maps(out, found, X, chosen, model=folds.folds[-1].model, name=scans, seed=random_state)
    return out.close()


@offscreen()
def explain_model(
    estimator: Any,
    X: Any,
    folder: str | os.PathLike[str],
    *,
    y: Any = None,
    n_patients: int = 4,
    method: str = "gradient",
    horizon: float = 12.0,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Explain what one fitted model does with some patients, better not those that it was fitted on.

    Parameters
    ----------
    estimator : fitted classifier or survival model of this library
    X : Cohort or mapping
    folder : path
        Made if it is not there.
    y : array of shape (n,), default=None
        1 for long PFS, 0 for short; or ``event`` and ``time`` (months) for a survival model. With it the AUROC, or Uno's C,
        decides whether maps carry a warning.
    n_patients : int, default=4
        Patients with a figure and files of maps: the most confident predictions of both classes.
    method : {"gradient", "smoothgrad", "integrated_gradients", "gradcam"}, default="gradient"
        Of the maps.
    horizon : float, default=12.0
        Months: of a survival model P(PFS > horizon) is explained.
    random_state : int, default=0
    progress : callable, default=None
        Called with a sentence at each step.

    Returns
    -------
    Path
        ``explain.html``.

    Raises
    ------
    TypeError
        If the model has neither a probability of long PFS nor curves.
    """
    tell = progress or (lambda _: None)
    X = as_cohort(X)
    name = type(estimator).__name__
    target = target_of(estimator)
    p_long = target.probability_beyond(
        estimator, X, horizon
    )  # what cannot be explained is refused before the folder is made
    out = ExplanationFolder(folder, f"What {name} goes by")
    out.open(f"{counted(len(X), 'patient')}, explained by one fitted model.")
    if target.beyond(horizon) != "long PFS":
        out.open(_LONG.format(target.beyond(horizon)))
    found, interval = None if y is None else measured(estimator, X, y, p_long, random_state), None
    if found is not None:
        interval = (found.low, found.high)
        title = score_title(target.scores[0])
        out.open(f"On these patients its {title} is {found.estimate:.2f} ({found.low:.2f} to {found.high:.2f}).")
    used = getattr(estimator, "modalities_", ("lab",))
    if has_coefficients(estimator):
        tell("coefficients")
        add_coefficients(out, estimator, X, name)
    if "lab" in used and "lab" in X:
        tell("SHAP values of the laboratory columns")
        explanation = shap_values(estimator, X, background=X, horizon=horizon, random_state=random_state)
        section = Section("Laboratory values")
        section.add("shap", draw_beeswarm(explanation), _BEESWARM)
        out.add(section, shap=shap_importance(explanation))
    if len(used) > 1:
        tell("what each modality adds")
        _modalities(out, modality_shapley(estimator, X, horizon=horizon), y if target.has_classes else None, name)
    if hasattr(estimator, "net_") and any(modality in IMAGING and modality in X for modality in used):
        tell("maps")
        chosen = most_telling(p_long, (p_long >= 0.5).astype(int), n_patients)
        traced = FoundMaps()
        options = {"method": method, "auroc_interval": interval, "horizon": horizon, "random_state": random_state}
        traced.look(estimator, X, range(len(X)), chosen, **options)
        explain_maps(out, traced, X, chosen, model=estimator, name=name, seed=random_state)
    return out.close()


_LONG = "The probability explained is that of {}, below called long PFS."


_BEESWARM = (
    "SHAP values: each dot is a patient, to the right where the value of that column speaks for long PFS, red for high "
    "values, blue for low ones and grey where it was not measured. A patient's dots sum to the prediction less the base."
)


def _labs(
    out: ExplanationFolder,
    model: Any,
    X: Cohort,
    y: np.ndarray,
    splits: Sequence[Any],
    name: str,
    horizon: float,
    seed: int,
) -> None:
    labs = X.select("lab")
    section = Section(f"Laboratory values ({model_label(name)})")
    tables: dict[str, pd.DataFrame] = {}
    if getattr(model, "model", "") == "random_forest":
        tables["forest_importance"] = forest_importance(clone(model).fit(labs, y))
        section.add(
            "forest_importance",
            ImportanceDisplay.from_result(tables["forest_importance"]),
            "Impurity importance of the forest fitted on all patients, as in the study. It favours columns with many values "
            "and says nothing of new patients.",
        )
    dropped = grouped_permutation_importance(model, labs, y, cv=splits, random_state=seed)
    section.add(
        "permutation_importance",
        ImportanceDisplay.from_result(dropped),
        f"Loss of {score_title(target_of(model).scores[0])} on test patients when the values of a column are permuted among them; columns that go "
        "together are permuted together. Around zero: the model does as well without.",
    )
    explanation = shap_values(model, labs, y=y, cv=splits, horizon=horizon, random_state=seed)
    section.add("shap", draw_beeswarm(explanation), _BEESWARM)
    first = str(shap_importance(explanation)["column"].iloc[0])
    section.add(
        "shap_dependence",
        draw_scatter(explanation, first),
        f"SHAP values of {first} against its value.",
    )
    out.add(section, **tables, permutation_importance=dropped.frame(), shap=shap_importance(explanation))


def _modalities(out: ExplanationFolder, table: pd.DataFrame, y: Any, name: str) -> None:
    display = ModalityShapleyDisplay.from_result(table, y=y)
    section = Section(f"What each modality adds ({model_label(name)})")
    section.add(
        "modalities",
        display,
        "Shapley values: the prediction for each patient, shared out among the modalities so that they sum to it. An "
        "absent modality is replaced by the model's own token.",
    )
    out.add(section, modalities=table)


def _space(out: ExplanationFolder, features: Any, name: str, seed: int) -> None:
    section = Section(f"Feature space ({model_label(name)})")
    for color in ("class", "probability"):
        display = EmbeddingDisplay.from_result(features, color_by=color, random_state=seed)
        section.add(
            f"embedding_{color}",
            display,
            "UMAP of the features that the fully connected layers see, each patient from a model trained without them. "
            "Each fold has a space of its own. Separation is measured in the original space, not in the picture.",
        )
    out.add(section, embedding=display.frame())


def _forest(models: Mapping[str, Any]) -> str | None:
    return next((name for name, model in models.items() if getattr(model, "_explains_columns", False)), None)


def _with_scans(models: Mapping[str, Any], X: Cohort, summary: pd.DataFrame | None, wanted: str | None) -> str | None:
    answers = ("predict_proba", "predict_survival_function")
    able = [
        name
        for name, model in models.items()
        if hasattr(model, "max_epochs") and any(hasattr(model, answer) for answer in answers)
    ]
    if wanted is not None:
        if wanted not in able:
            raise ValueError(
                f"`scans` must name a model that looks at scans: {', '.join(able) or 'none ran'}; got {wanted!r}."
            )
        return wanted
    if not able:
        return None
    most = max(_n_modalities(models[name], X) for name in able)
    full = [name for name in able if _n_modalities(models[name], X) == most]
    if summary is None:
        return full[-1]
    main = f"{main_score([name.removesuffix('_mean') for name in map(str, summary) if name.endswith('_mean')])}_mean"
    scored = summary.loc[[name for name in full if name in summary.index], main].dropna()
    return str(scored.idxmax()) if len(scored) else full[-1]


def _n_modalities(model: Any, X: Cohort) -> int:
    named = getattr(model, "modalities", None)
    if named is None:
        return 1
    return len(X.modalities) if isinstance(named, str) else len(set(named) & set(X.modalities))


def _interval(summary: pd.DataFrame | None, name: str) -> Any:
    if summary is None or name not in summary.index:
        return None
    return summary.loc[name]
