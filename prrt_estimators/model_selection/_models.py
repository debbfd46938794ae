"""The registered models, ready to be compared."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prrt_estimators._model_specs import MODELS, ModelSpec, find_model
from prrt_estimators._published_weights import check_weights_exist

#: The eight configurations of the study, in the order of its tables, then two simple baselines.
CONFIGURATIONS = tuple(spec.name for spec in MODELS.values() if spec.study)
BASELINES = tuple(spec.name for spec in MODELS.values() if spec.baseline)
MODEL_NAMES = tuple(spec.name for spec in MODELS.values() if spec.target == "class")


@dataclass(frozen=True)
class Skipped:
    """Stands for a model that is not run, with the reason.

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
    tracer: str | None = None,
    verbose: int = 0,
) -> dict[str, Any]:
    """Return the eight configurations of the study, and two simple baselines that a fusion has to beat.

    The publication leaves encoder, input size and training schedule open; what is not given here is the
    estimators' own default and no claim about the published networks. Only the encoder is not: it stays ``"compact"``, with
    which the tables of the documentation were computed.

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
        Patients per step of training.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"mps"``; "auto" takes the best there is.
    random_state : int, default=None
        Seed of every model; None lets `compare_models` derive one for each fold.
    cache_dir : path, default=None
        Folder of prepared volumes.
    baselines : bool, default=True
        Add ``baseline_lab`` and ``baseline_pet``.
    include : iterable of str, default=None
        Only these, in the order of the registry; any registered model (`MODELS`), whatever `baselines` says.
    tracer : str, default=None
        What the PET shows, for models with published directions, see :func:`recommended_models`.
    verbose : int, default=0
        Passed on to the estimators.

    Returns
    -------
    dict of str to estimator or Skipped

    Raises
    ------
    ValueError
        If `include` holds an unknown name, or `weights` a name that no published weights have (`PretrainedWeightsError`).

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
    if include is None:
        chosen = [spec for spec in MODELS.values() if spec.study or (baselines and spec.baseline)]
    else:
        chosen = named_specs(include)
    return make_models(
        chosen,
        weights=_as_text(weights),
        finetune=finetune,
        max_epochs=max_epochs,
        size=size,
        spacing=spacing,
        batch_size=batch_size,
        device=device,
        random_state=random_state,
        cache_dir=cache_dir,
        tracer=tracer,
        verbose=verbose,
    )


def recommended_models(*, tracer: str | None = None, **options: Any) -> dict[str, Any]:
    """Return the models to begin with on about a hundred patients; the first is *the* recommended one.

    ``recommended_lesions_labs`` joins lesions, which are found without a mask, with laboratory values (`BlockFusionPFSClassifier`). It
    works with whatever a cohort has: labs alone, PET alone, with times to progression or without. Then come the same model
    without published directions, with scans alone and with labs alone; the simple baselines; and published scores that
    need no fitting, each skipped where the table lacks its columns.

    Parameters
    ----------
    tracer : str, default=None
        What the PET shows, e.g. ``"68Ga-DOTATATE"`` or ``"FDG"``. Published directions of uptake are used only if it is
        given.
    **options
        As for :func:`paper_models`, without `baselines` and `include`.

    Returns
    -------
    dict of str to estimator or Skipped
        Every model that the registry (`MODELS`) recommends.

    Raises
    ------
    TypeError
        If an option is unknown.

    Examples
    --------
    >>> list(recommended_models(tracer="68Ga-DOTATOC"))[:2]
    ['recommended_lesions_labs', 'recommended_no_prior']
    """
    chosen = [spec for spec in MODELS.values() if spec.recommended]
    known = inspect.signature(paper_models).parameters
    unknown = [name for name in options if name not in known or name in ("baselines", "include")]
    if unknown:
        raise TypeError(f"recommended_models() got an unexpected option {unknown[0]!r}.")
    return make_models(chosen, tracer=tracer, **options)


def named_specs(names: Iterable[str]) -> list[ModelSpec]:
    """Return registered models by name, in the order of the registry.

    Raises
    ------
    ValueError
        If a name is unknown, or there is none.
    """
    chosen = [names] if isinstance(names, str) else list(names)
    specs = {name: find_model(name) for name in chosen}
    unknown = [name for name, spec in specs.items() if spec is None]
    if unknown or not chosen:
        raise ValueError(f"models must be some of {', '.join(MODELS)}; got {', '.join(unknown) or 'none'}.")
    return [spec for spec in MODELS.values() if spec in specs.values()]


def make_models(specs: Iterable[ModelSpec], **options: Any) -> dict[str, Any]:
    """Return estimators by name; each receives those of the options that its ``get_params`` knows and that are given."""
    check_weights_exist(options.get("weights"), files=False)
    return {spec.name: _make(spec, options) for spec in specs}


def _make(spec: ModelSpec, options: Mapping[str, Any]) -> Any:
    own = {name: options.get(name) for name in spec.options}
    if own and next(iter(own.values())) is None:
        return Skipped(spec.without or f"needs the option {next(iter(own))}")
    # Options of one model are those of no other, even where its class knows them.
    special = {name for other in MODELS.values() for name in other.options}
    estimator = _class_of(spec)(**{**spec.defaults, **spec.parameters})
    free = set(estimator.get_params(deep=False)) - set(spec.parameters) - special
    given = {name: value for name, value in options.items() if name in free} | own
    return estimator.set_params(**{name: value for name, value in given.items() if value is not None})


def _as_text(weights: Any) -> Any:
    """Return weights with paths as texts, which a folder of results can hold."""
    if isinstance(weights, Mapping):
        named = {modality: _as_text(one) for modality, one in weights.items()}
        return named if any(one is not None for one in named.values()) else None
    return os.fspath(weights) if isinstance(weights, os.PathLike) else weights


def _class_of(spec: ModelSpec) -> Any:
    if not isinstance(spec.estimator, str):
        return spec.estimator
    # Estimators bring torch with them: a listing of names must not wait for it.
    from prrt_estimators import estimators

    return getattr(estimators, spec.estimator)
