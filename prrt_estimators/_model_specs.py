"""The models of a comparison by name: what each is called, made of, and needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prrt_estimators._registry import Registry


@dataclass(frozen=True)
class ModelSpec:
    """One model of a comparison.

    Attributes
    ----------
    name : str
        What ``--models`` and the tables of results call it.
    title : str
        What figures and reports call it.
    estimator : str, class or callable
        Name of a class of `prrt_estimators.estimators`, or what is called with `parameters` to make the estimator.
        Options that its ``get_params`` knows (``max_epochs``, ``size``, ``random_state``, ...) are set afterwards.
    parameters : mapping
        What distinguishes this model from others of its class.
    needs : tuple of str, default=()
        Modalities that it cannot do without.
    options : tuple of str
        Options that no other model receives. The model is skipped where the first of them is not given.
    without : str, default=""
        Reason that is shown then.
    baseline : bool, default=False
        Whether it is a simple model that others have to beat.
    study : bool, default=False
        Whether it is one of the configurations of the study.
    recommended : bool, default=False
        Whether :func:`recommended_models` holds it.
    maps : bool, default=False
        Whether it looks at scans through a network that maps can be made of.
    formerly : str, default=""
        Name that it had, by which results of earlier versions and seeds know it.
    defaults : mapping, default={}
        Parameters that differ from the estimator's own defaults and that an option of the same name replaces.
    target : str, default="class"
        Kind of target that it learns: "class" or "time".

    Examples
    --------
    >>> MODELS["pet_lab"].title, MODELS["pet_lab"].needs
    ('PET + labs', ('pet', 'lab'))
    """

    name: str
    title: str
    estimator: str | Callable[..., Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    without: str = ""
    baseline: bool = False
    study: bool = False
    recommended: bool = False
    maps: bool = False
    formerly: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    target: str = "class"


#: The encoder that the configurations of the study have had from the first, so that their results stay comparable.
_STUDY = {"encoder": "compact"}


def _fusion(name: str, title: str, *modalities: str, **more: Any) -> ModelSpec:
    given = {"modalities": modalities}
    return ModelSpec(
        name, title, "FusionPFSClassifier", given, needs=modalities, study=True, maps=True, defaults=_STUDY, **more
    )


def _recommended(name: str, title: str, formerly: str = "", **parameters: Any) -> ModelSpec:
    return ModelSpec(name, title, "BlockFusionPFSClassifier", parameters, recommended=True, formerly=formerly)


def _published(name: str, title: str, score: str) -> ModelSpec:
    given = {"name": score}
    return ModelSpec(name, title, "PublishedScoreClassifier", given, needs=("lab",), recommended=True)


def _time(name: str, title: str, estimator: str, *needs: str, **parameters: Any) -> ModelSpec:
    return ModelSpec(name, title, estimator, parameters, needs=needs, target="time")


#: The recommended models, the first of which is *the* recommended one; those of the study in the order of its tables; the
#: simple baselines.
MODELS: Registry[ModelSpec] = Registry(
    "model",
    _recommended("recommended_lesions_labs", "Recommended: lesions + labs", "recommended", prior="published"),
    _recommended("recommended_no_prior", "Recommended, no published directions"),
    _recommended(
        "recommended_lesions", "Recommended, scans alone", prior="published", blocks=("lesions", "global_pet")
    ),
    _recommended("recommended_labs", "Recommended, labs alone", prior="published", blocks=("labs",)),
    ModelSpec("lab", "Labs", "LabPFSClassifier", needs=("lab",), study=True),
    ModelSpec("pet", "PET", "PETPFSClassifier", needs=("pet",), study=True, maps=True, defaults=_STUDY),
    ModelSpec("ct", "CT", "CTPFSClassifier", needs=("ct",), study=True, maps=True, defaults=_STUDY),
    _fusion("pet_ct", "PET + CT", "pet", "ct"),
    _fusion("pet_lab", "PET + labs", "pet", "lab"),
    _fusion("ct_lab", "CT + labs", "ct", "lab"),
    _fusion("pet_ct_lab", "PET + CT + labs", "pet", "ct", "lab"),
    _fusion(
        "pet_ct_lab_pretrained",
        "PET + CT + labs (pretrained CT)",
        "pet",
        "ct",
        "lab",
        options=("weights", "finetune"),
        without="needs weights of a pretrained CT encoder: pass weights={'ct': 'astra'}",
    ),
    ModelSpec(
        "baseline_lab", "Baseline: labs", "LabBaselineClassifier", needs=("lab",), baseline=True, recommended=True
    ),
    ModelSpec(
        "baseline_pet", "Baseline: PET", "PETBaselineClassifier", needs=("pet",), baseline=True, recommended=True
    ),
    _published("published_inflammation", "Published: inflammation-based index", "inflammation_index"),
    _published("published_glasgow", "Published: Glasgow prognostic score", "glasgow"),
    _published("published_crp_albumin", "Published: CRP / albumin", "crp_albumin"),
    _published("published_cga", "Published: CgA > 200 ug/L", "cga_200"),
    _published("published_ki67", "Published: Ki-67 > 5 %", "ki67_5"),
    _time("time_blocks", "Time: lesions + labs", "BlockFusionPFSSurvival", prior="published"),
    _time("time_lab", "Time: labs", "LabPFSSurvival", "lab"),
    _time("time_lab_forest", "Time: labs (forest)", "LabPFSSurvival", "lab", model="forest"),
    _time("time_pet", "Time: PET", "PETPFSSurvival", "pet"),
    _time("time_ct", "Time: CT", "CTPFSSurvival", "ct"),
    _time(
        "time_pet_ct_lab",
        "Time: PET + CT + labs",
        "FusionPFSSurvival",
        "pet",
        "ct",
        "lab",
        modalities=("pet", "ct", "lab"),
    ),
    _time("time_baseline", "Time: baseline of labs", "LabBaselineSurvival", "lab"),
)


def find_model(name: object) -> ModelSpec | None:
    """Return a registered model by its name or the one that it had; None if there is none.

    Examples
    --------
    >>> find_model("recommended").name, find_model("my model")
    ('recommended_lesions_labs', None)
    """
    by_former = {spec.formerly: spec for spec in MODELS.values() if spec.formerly}
    return MODELS.get(str(name)) or by_former.get(str(name))


def model_title(name: str) -> str:
    """Return a model's name for print; names that are not registered stay as they are.

    Examples
    --------
    >>> model_title("pet_ct_lab"), model_title("my model")
    ('PET + CT + labs', 'my model')
    """
    found = find_model(name)
    return name if found is None else found.title


def first_name(name: str) -> str:
    """Return the name that a model had first: seeds follow from it.

    Examples
    --------
    >>> first_name("recommended_lesions_labs"), first_name("lab")
    ('recommended', 'lab')
    """
    found = MODELS.get(name)
    return name if found is None else found.formerly or name
