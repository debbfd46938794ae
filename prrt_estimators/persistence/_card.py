"""The model card: what a fitted model is for, what it was made from, how well it did, and what it must not be used for.

After Mitchell et al. 2019, Model cards for model reporting, doi:10.1145/3287560.3287596.
"""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from prrt_estimators._modalities import MODALITIES
from prrt_estimators.estimators._by_modality import branch_settings
from prrt_estimators.persistence._cohort_summary import code
from prrt_estimators.persistence._configuration import as_data
from prrt_estimators.persistence._small_cells import MIN_CELL, SMALL
from prrt_estimators.pretrained import WEIGHTS

_PLAN = "Not stated. `save_model(..., X=X, y=y)` describes them."
_UNTESTED = (
    "Not evaluated. Scores on the patients that a model was fitted on mean nothing, so none are given; "
    "`save_model(..., comparison=..., model=...)` and `prrt fit --results` take them from a comparison."
)
_LIMITS = (
    "A cohort of one centre is small: intervals are wide, and how the model does on patients of another centre, scanner, "
    "tracer, assay or time is not known until it is tried there.",
    "Probabilities are not calibrated for any population but the one it was fitted on, and long PFS is more or less "
    "frequent elsewhere.",
    "Patients unlike those above (other tumours, earlier therapies, lesions outside the box that scans are cut to) are "
    "predicted without a warning.",
    "A probability of PFS is not a statement on whether therapy helps: nobody in such a cohort went untreated.",
    "The file holds no patient ids, scans or rows of a table, but what was learnt from them: weights, medians, scales, "
    "thresholds that can lie beside the value of one patient, names of columns and of categories. Share it as you would "
    "share a table of results, not as you would share software.",
)
_TITLES = {
    "LabPFSClassifier": "laboratory values",
    "LabBaselineClassifier": "published laboratory markers (baseline)",
    "PETBaselineClassifier": "six global numbers of the PET (baseline)",
    "PETPFSClassifier": "PET",
    "CTPFSClassifier": "CT",
    "LabPFSSurvival": "laboratory values",
    "LabBaselineSurvival": "published laboratory markers (baseline)",
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
    reads = [MODALITIES[name] for name in estimator._reads]
    what = _TITLES.get(config["class"]) or " + ".join(one.title if one.scan else one.title.lower() for one in reads)
    versions = config["versions"]
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    sections: dict[str, Sequence[str]] = {
        "Intended use": _use(config["class"], horizon, "unique_times_" in config["fitted"], population),
        "What it takes and gives": _inputs(estimator, config),
        "How it was trained": _training(estimator, config),
        "Patients it was fitted on": cohort or [_PLAN],
        "Performance": performance or [_UNTESTED],
        "Limits": [f"- {text}" for text in _LIMITS],
        "Pretrained weights": _licences(config),
        "How to load it": _loading(config, file),
    }
    head = (
        f"# Model card: {config['class']} ({what})\n\nSaved on {day} by prrt-estimators {versions['prrt-estimators']}."
    )
    return "\n\n".join([head, *(f"## {title}\n\n" + "\n".join(text) for title, text in sections.items())]) + "\n"


def _plain(text: str) -> str:
    """Return text of a user as one line without marks of Markdown."""
    return " ".join(re.sub(r"[`*_<>|#\[\]]", " ", text).split()).rstrip(".:")


def _use(kind: str, horizon: float | None, of_times: bool, population: str | None) -> list[str]:
    long = "longer than the horizon its user chose (12 months unless they said otherwise)"
    if horizon is not None:
        long = f"longer than {horizon:g} months"
    therapy = " after 177Lu peptide receptor radionuclide therapy" if population is None else ""
    does = f"whether progression-free survival (PFS){therapy} will be {long}"
    if of_times:
        does = f"when progression{therapy} is to be expected"
    if kind == "CTPretrainer":
        does = "which features of a CT help other models of this library"
    return [
        f"Research on patients with metastatic neuroendocrine tumours: before the first cycle, it estimates {does}."
        if population is None
        else f"Research on {_plain(population)}: it estimates {does}.",
        "",
        "**Research software, not a medical device.** It must not guide the treatment of a patient.",
    ]


def _inputs(estimator: Any, config: Mapping[str, Any]) -> list[str]:
    lines = []
    shapes, branches = config.get("shapes", {}), config.get("branches", {})
    params = estimator.get_params(deep=False)
    for name, shape in shapes.items():
        unit = MODALITIES[name].unit
        if name in branches:
            grid = _grid(branches[name]["size"], branches[name]["spacing"])
            lines.append(f"- {MODALITIES[name].title} in {unit}, brought to {grid} for a pretrained encoder.")
        else:
            grid = _grid(shape[1:], params["spacing"])
            lines.append(
                f"- {MODALITIES[name].title} in {unit}, {grid}{_window(branch_settings(params, name).window)}."
            )
    if config["class"] in ("PETBaselineClassifier", "CTPretrainer"):
        lines.append("- PET in SUVbw." if config["class"] == "PETBaselineClassifier" else "- CT in HU.")
    columns = estimator._table_columns
    if columns:
        lines.append(
            f"- {len(columns)} column{'' if len(columns) == 1 else 's'} of the table: {', '.join(code(column) for column in columns)}."
        )
    elif "n_features_in_" in config["fitted"]:
        n = config["fitted"]["n_features_in_"]
        lines.append(f"- A table of {n} column{'' if n == 1 else 's'} without names.")
    if "markers_" in config["fitted"]:
        lines.append(f"- Of these it uses {', '.join(config['fitted']['markers_']) or 'all'}.")
    given = (
        "features of each CT" if config["class"] == "CTPretrainer" else "the probability of long PFS of each patient"
    )
    if "unique_times_" in config["fitted"]:
        given = "a risk (greater is worse) and the probability of being free of progression at any time of each patient"
    if "classes" in config:
        given += f" (class {code(config['classes']['values'][1])} against {code(config['classes']['values'][0])})"
    return [*lines, f"- It gives {given}."]


def _grid(size: Any, spacing: Any) -> str:
    voxels = [size] * 3 if isinstance(size, int) else list(size)
    millimetres = [spacing] * 3 if isinstance(spacing, (int, float)) else list(spacing)
    return f"{' x '.join(str(v) for v in voxels)} voxels of {' x '.join(f'{float(s):g}' for s in millimetres)} mm"


def _window(window: Any) -> str:
    return "" if window is None else f", {window[0]:g} to {window[1]:g} as 0 to 1"


def _training(estimator: Any, config: Mapping[str, Any]) -> list[str]:
    signature = inspect.signature(type(estimator).__init__).parameters
    changed = [
        f"{name} = {code(_spelt(value))}"
        for name, value in config["params"].items()
        if value is not None and name != "device" and value != as_data(name, signature[name].default)
    ]
    lines = [f"- Settings other than the defaults: {', '.join(changed) or 'none'}."]
    fitted = config["fitted"]
    if fitted.get("loss_curve_"):
        curve = fitted["loss_curve_"]
        lines.append(
            f"- Epochs: {len(curve)}; training loss {curve[0]:.3f} in the first and {curve[-1]:.3f} in the last."
        )
    if "n_patients_" in fitted:
        n = fitted["n_patients_"]
        lines.append(f"- Pretrained on {SMALL if n < MIN_CELL else n} CTs without outcomes.")
    return lines


def _spelt(value: Any) -> str:
    """Return a parameter of `model.json` as it would be written in Python."""
    if isinstance(value, list):
        return f"[{', '.join(_spelt(item) for item in value)}]"
    if not isinstance(value, dict):
        return repr(value)
    if "__encoder__" in value:
        return str(value["__encoder__"])
    if "__tuple__" in value:
        return f"({', '.join(_spelt(item) for item in value['__tuple__'])})"
    return f"{{{', '.join(f'{_spelt(key)}: {_spelt(item)}' for key, item in value['__dict__'])}}}"


def _licences(config: Mapping[str, Any]) -> list[str]:
    if config["class"] == "CTPretrainer":
        return ["Its own, from the CTs that it was fitted on; they lie in this file with digests of those scans."]
    lines = []
    for name, branch in config.get("branches", {}).items():
        known = WEIGHTS.get(branch["label"])
        trained = {"frozen": "as they are", "last": "last stage trained", "full": "trained further"}[branch["finetune"]]
        if known is None:
            lines.append(
                f"- {MODALITIES[name].title} ({trained}): weights of the author's own, SHA-256 `{branch['digest']}`. Their licence is "
                "not known to this library; ask who made them before passing this file on."
            )
        else:
            lines.append(
                f"- {MODALITIES[name].title} ({trained}): {known.title}. Licence {known.licence}. {known.citation}. SHA-256 "
                f"`{branch['digest']}`."
            )
    return lines or ["None."]


def _loading(config: Mapping[str, Any], file: str) -> list[str]:
    own = sorted(_own_encoders(config["params"]))
    more = f", encoders={{{', '.join(f'{name!r}: {name}' for name in own)}}}" if own else ""
    method = "transform" if config["class"] == "CTPretrainer" else "predict_proba"
    method = "predict_survival_function" if "unique_times_" in config["fitted"] else method
    made = ", ".join(f"{name} {version}" for name, version in config["versions"].items() if name != "prrt-estimators")
    lines = [
        "```python",
        "from prrt_estimators import load_cohort, load_model",
        "",
        f"model = load_model({file!r}{more})",
        f"model.{method}(load_cohort('cohort.csv').X)",
        "```",
        "",
    ]
    if not own and method == "predict_proba":
        lines += [f"In a shell: `prrt predict {file} cohort.csv`.", ""]
    return [
        *lines,
        f"Made with {made}. Reading the file executes nothing in it; every byte is checked against a SHA-256, which finds "
        "damage but does not tell who made the file.",
    ]


def _own_encoders(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        if "__encoder__" in value:
            return {str(value["__encoder__"])}
        return set().union(*(_own_encoders(item) for item in value.values()))
    return set().union(*(_own_encoders(item) for item in value)) if isinstance(value, list) else set()
