"""The model card: what a fitted model is for, what it was made from, how well it did, and what it must not be used for.

After Mitchell et al. 2019, Model cards for model reporting, doi:10.1145/3287560.3287596.
"""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from prrt_estimators._modalities import MODALITIES
from prrt_estimators._targets import target_of
from prrt_estimators.estimators._by_modality import branch_settings
from prrt_estimators.persistence._cohort_summary import code
from prrt_estimators.persistence._configuration import as_data
from prrt_estimators.persistence._small_cells import MIN_CELL, SMALL
from prrt_estimators.pretrained import WEIGHTS

_THERAPY = " after 177Lu peptide receptor radionuclide therapy"
_TITLES = {
    "LabPFSClassifier": "laboratory values",
    "LabPFSSurvival": "laboratory values",
    "LabBaselineSurvival": "published laboratory markers (baseline)",
    "LabBaselineClassifier": "published laboratory markers (baseline)",
    "PETBaselineClassifier": "six global numbers of the PET (baseline)",
    "PETPFSClassifier": "PET",
    "CTPFSClassifier": "CT",
    "CTPretrainer": "encoder pretrained on CTs without outcomes",
}


def model_card(
    estimator: Any,
    config: Mapping[str, Any],
    *,
    file: str,
    cohort: Sequence[str] | None,
    performance: Sequence[str] | None,
    horizon: float | None,
    population: str | None = None,
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    estimator : fitted estimator
    config : mapping
        What `model.json` holds.
    file : str
        Name of the file, without folders.
    cohort, performance : sequence of str or None
        Lines of Markdown.
    horizon : float or None
        Months beyond which PFS was called long.
    population : str or None
        Whom the model is meant for, in the words of its maker.
    """
    kind, fitted, params = config["class"], config["fitted"], estimator.get_params(deep=False)
    reads = [MODALITIES[name] for name in estimator._reads]
    what = _TITLES.get(kind) or " + ".join(one.title if one.scan else one.title.lower() for one in reads)
    own = sorted(_own_encoders(config["params"]))
    n, target = fitted.get("n_patients_"), target_of(estimator)
    environment = Environment(
        loader=PackageLoader("prrt_estimators", "persistence"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md").render(
        kind=kind,
        what=what,
        pretrainer=kind == "CTPretrainer",
        of_progression=target.of_progression,
        calls=target.marks,
        gives=target.gives(),
        purpose=target.purpose(
            "" if population else _THERAPY,
            "the horizon its user chose (12 months unless they said otherwise)"
            if horizon is None
            else f"{horizon:g} months",
        ),
        population=None if population is None else _plain(population),
        day=datetime.datetime.now(datetime.UTC).date().isoformat(),
        versions=config["versions"],
        scans=[_scan(name, shape, config, params) for name, shape in config.get("shapes", {}).items()],
        columns=[code(column) for column in estimator._table_columns or ()],
        n_columns=fitted.get("n_features_in_"),
        markers=fitted.get("markers_"),
        classes=[code(value) for value in config["classes"]["values"]] if "classes" in config else None,
        changed=_changed(estimator, config),
        losses=fitted.get("loss_curve_"),
        pretrained_on=None if n is None else SMALL if n < MIN_CELL else n,
        cohort=cohort,
        performance=performance,
        branches=[_branch(name, branch) for name, branch in config.get("branches", {}).items()],
        file=repr(file),
        file_name=file,
        encoders=f", encoders={{{', '.join(f'{name!r}: {name}' for name in own)}}}" if own else "",
    )


def _plain(text: str) -> str:
    """Return text of a user as one line without marks of Markdown."""
    return " ".join(re.sub(r"[`*_<>|#\[\]]", " ", text).split()).rstrip(".:")


def _scan(name: str, shape: Sequence[int], config: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    branch = config.get("branches", {}).get(name)
    size, spacing = (shape[1:], params["spacing"]) if branch is None else (branch["size"], branch["spacing"])
    return {
        "title": MODALITIES[name].title,
        "unit": MODALITIES[name].unit,
        "grid": _grid(size, spacing),
        "pretrained": branch is not None,
        "window": "" if branch is not None else _window(branch_settings(params, name).window),
    }


def _branch(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the card says of a branch with pretrained weights."""
    trained = {"frozen": "as they are", "last": "last stage trained", "full": "trained further"}[branch["finetune"]]
    known = WEIGHTS.get(branch["label"])
    return {"title": MODALITIES[name].title, "trained": trained, "known": known, "digest": branch["digest"]}


def _grid(size: Any, spacing: Any) -> str:
    voxels = [size] * 3 if isinstance(size, int) else list(size)
    millimetres = [spacing] * 3 if isinstance(spacing, (int, float)) else list(spacing)
    return f"{' x '.join(str(v) for v in voxels)} voxels of {' x '.join(f'{float(s):g}' for s in millimetres)} mm"


def _window(window: Any) -> str:
    return "" if window is None else f", {window[0]:g} to {window[1]:g} as 0 to 1"


def _changed(estimator: Any, config: Mapping[str, Any]) -> list[str]:
    """Return the parameters that are not at their defaults."""
    signature = inspect.signature(type(estimator).__init__).parameters
    return [
        f"{name} = {code(_spelt(value))}"
        for name, value in config["params"].items()
        if value is not None and name != "device" and value != as_data(name, signature[name].default)
    ]


def _spelt(value: Any) -> str:
    """Return a parameter of `model.json` as it would be written in Python."""
    if isinstance(value, list):
        return f"[{', '.join(_spelt(item) for item in value)}]"
    if not isinstance(value, dict):
        return repr(value)
    if "__encoder__" in value:
        return str(value["__encoder__"])
    if "__estimator__" in value:
        return str(value["__estimator__"]["class"])
    if "__tuple__" in value:
        return f"({', '.join(_spelt(item) for item in value['__tuple__'])})"
    return f"{{{', '.join(f'{_spelt(key)}: {_spelt(item)}' for key, item in value['__dict__'])}}}"


def _own_encoders(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        if "__encoder__" in value:
            return {str(value["__encoder__"])}
        return set().union(*(_own_encoders(item) for item in value.values()))
    return set().union(*(_own_encoders(item) for item in value)) if isinstance(value, list) else set()
