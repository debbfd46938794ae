"""What can go wrong with the data is found before the first model is trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer

from prrt_estimators._arguments import parameter
from prrt_estimators._captured_warnings import captured_warnings
from prrt_estimators._targets import Target, target_of
from prrt_estimators.exceptions import (
    CohortError,
    MissingDependencyError,
    MissingModalityError,
    PretrainedWeightsError,
    Problem,
    ResultsWarning,
)
from prrt_estimators.model_selection._models import Skipped
from prrt_estimators.model_selection._weights import takes_weight


def parts_that_prepare(estimator: Any) -> Iterator[Any]:
    """Estimator, and what is nested in it (pipelines, searches), as far as it has a ``prepare`` method."""
    nested = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    seen: set[int] = set()
    for part in (estimator, *nested):
        if id(part) not in seen and callable(getattr(part, "prepare", None)) and hasattr(part, "get_params"):
            seen.add(id(part))
            yield part


def prepare_models(
    models: Mapping[str, Any], X: Any, progress: Callable[[str, int, int], None] | None = None
) -> tuple[dict[str, MissingModalityError], list[str]]:
    """Check and cache the scans for every model.

    Returns
    -------
    unable : dict of str to MissingModalityError
        Models that cannot run on these data, with what is missing.
    notices : list of str
        What the models warned of.

    Raises
    ------
    CohortError
        With every problem that any model found.
    PretrainedWeightsError, MissingDependencyError, FileNotFoundError
        If pretrained weights that a model names cannot be had.

    Warns
    -----
    Warning
        What the models warn of, once each.
    """
    problems: dict[Problem, None] = {}
    unable: dict[str, MissingModalityError] = {}
    with captured_warnings() as caught:
        for name, estimator in models.items():
            _prepare_one(name, estimator, X, progress, problems, unable)
    if problems:
        raise CohortError(list(problems))
    notices = list(dict.fromkeys((one.category, str(one.message)) for one in caught))
    for kind, text in notices:
        warnings.warn(text, kind, stacklevel=4)
    return unable, [text for _, text in notices]


def _prepare_one(
    name: str,
    estimator: Any,
    X: Any,
    progress: Callable[[str, int, int], None] | None,
    problems: dict[Problem, None],
    unable: dict[str, MissingModalityError],
) -> None:
    for part in parts_that_prepare(estimator):
        try:
            clone(part).prepare(X, progress=_named(progress, name))
        except CohortError as error:
            problems |= dict.fromkeys(error.problems)
        except MissingModalityError as error:
            unable[name] = error
            return
        except (PretrainedWeightsError, MissingDependencyError, FileNotFoundError) as error:
            # Asked for by the user and not to be had: better told now than in the morning.
            named = type(error)(f"{name}: {error}")
            named.__dict__ |= error.__dict__  # facts such as the kind
            raise named from error
        except Exception:
            continue  # not a matter of the data: fit will raise it again, under the model's name


def _named(progress: Callable[[str, int, int], None] | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def patient_ids(X: Any, n: int) -> Sequence[str]:
    """Ids of the patients: the Cohort's, the index of a table, or row numbers.

    Raises
    ------
    ValueError
        If an id appears twice.
    """
    if hasattr(X, "ids"):
        ids = [str(one) for one in X.ids]
    elif hasattr(X, "index") and hasattr(X, "iloc"):
        ids = [str(one) for one in X.index]
    else:
        ids = [str(one) for one in range(n)]
    values, counts = np.unique(np.array(ids, dtype=object), return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"patient {values[counts > 1][0]} appears twice: the same patient would be trained on and tested. Keep "
            "one row per patient, or give rows of different patients different ids."
        )
    return ids


def check_models(models: Any) -> dict[str, Any]:
    """Return the models by name.

    Raises
    ------
    TypeError
        If `models` is not a mapping, or one of them is not an estimator.
    ValueError
        If there is none, or a name is empty or too long.
    """
    if not isinstance(models, Mapping):
        raise TypeError(
            f"models must map names to estimators, as paper_models() does; got {type(models).__name__}. Pass e.g. "
            '{"forest": RandomForestClassifier()}.'
        )
    if not models:
        raise ValueError("models holds no model; pass e.g. paper_models().")
    for name, model in models.items():
        if not isinstance(name, str) or not 0 < len(name) <= 100:
            raise ValueError(f"names of models must be texts of 1 to 100 characters; got {name!r}.")
        if isinstance(model, Skipped):
            continue
        if isinstance(model, type) or not hasattr(model, "fit"):
            kind = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
            raise TypeError(f"model {name!r} must be an estimator object with fit; got {kind}.")
        response = target_of(model).response
        if not hasattr(model, response) and not hasattr(type(model), response):
            remedy = " Wrap it in CalibratedClassifierCV." if response == "predict_proba" else ""
            raise TypeError(f"model {name!r} ({type(model).__name__}) has no {response}.{remedy}")
    return dict(models)


def common_target(models: Mapping[str, Any]) -> Target:
    """Return what all models of a comparison learn.

    Raises
    ------
    ValueError
        If some learn something else than others: one score cannot rank them.
    """
    found = {name: target_of(model) for name, model in models.items() if not isinstance(model, Skipped)}
    kinds = {target.name: target for target in found.values()}
    if len(kinds) > 1:
        told = "; ".join(
            f"{kind}: {', '.join(name for name, one in found.items() if one.name == kind)}" for kind in kinds
        )
        raise ValueError(
            f"models of one comparison must learn one kind of target; these differ ({told}). Compare them apart."
        )
    return next(iter(kinds.values()), target_of(None))


def check_primary(primary: Any, models: Mapping[str, Any]) -> list[str] | None:
    """Return the pair of models that is the primary comparison.

    Raises
    ------
    ValueError
        If it is not two different models of the comparison.
    """
    if primary is None:
        return None
    pair = [str(name) for name in (primary.split(":") if isinstance(primary, str) else primary)]
    if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(models):
        raise ValueError(
            f"{parameter('primary')} must be two different models of the comparison, e.g. ('pet_ct_lab', 'lab'); got {primary!r}. The "
            f"models are {', '.join(models)}."
        )
    return pair


def check_weight(sample_weight: Any, n_patients: int) -> np.ndarray | None:
    """Return weights as floats, one a patient, or None.

    Raises
    ------
    ValueError
        If the length is wrong or a weight is negative, not finite, or all are zero.
    """
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n_patients,):
        raise ValueError(f"sample_weight must have shape ({n_patients},), one a patient; got {weight.shape}.")
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError("sample_weight must be finite, not negative, and not all zero.")
    return weight


def check_scoring(scoring: Any, weighted: bool, default: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return scorers by name for whatever scikit-learn's ``scoring`` may be."""
    if scoring is None:
        return default()
    if isinstance(scoring, str):
        scoring = [scoring]
    if callable(scoring):
        scoring = {getattr(scoring, "__name__", "score"): scoring}
    if not isinstance(scoring, Mapping):
        scoring = {name: name for name in scoring}
    scorers = {str(name): get_scorer(one) if isinstance(one, str) else one for name, one in scoring.items()}
    wrong = [name for name, one in scorers.items() if not callable(one) or name in ("model", "repeat", "fold")]
    if wrong or not scorers:
        raise ValueError(f"scoring must give scorers by name; not usable: {', '.join(wrong) or 'none given'}.")
    unweighted = [name for name, one in scorers.items() if not takes_weight(one)]
    if weighted and unweighted:
        warnings.warn(
            f"scorers that take no sample_weight count every patient alike: {', '.join(unweighted)}.",
            ResultsWarning,
            stacklevel=3,
        )
    return scorers
