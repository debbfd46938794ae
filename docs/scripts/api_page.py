"""Write docs/api.md: every public name by room, each with the first sentence of its docstring.

Run from the root of the repository after adding or removing a public name::

    python docs/scripts/api_page.py

`reference.py` makes the page of each name from the same lists when the HTML is built.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import prrt_estimators

TARGET = Path(__file__).resolve().parents[1] / "api.md"

#: Rooms from the top, with what a reader looks for in them. A room that is not here comes last, with its own docstring.
ROOMS = {
    "prrt_estimators": "The names of everyday use.",
    "prrt_estimators.estimators": "scikit-learn estimators: classifiers of long against short PFS, and models of the time to progression.",
    "prrt_estimators.datasets": "Cohorts from tables, and synthetic ones.",
    "prrt_estimators.dicom": "Scanner files to volumes in SUVbw and HU.",
    "prrt_estimators.ingest": "Whole exports to pseudonymous cohorts, and lesions back into their studies.",
    "prrt_estimators.evaluation": "Calibration, decisions, subgroups, other centres and cohorts, stability, sample size.",
    "prrt_estimators.model_selection": "Comparing models, and the statistics of comparison.",
    "prrt_estimators.metrics": "Scores beyond those of scikit-learn.",
    "prrt_estimators.inspection": "What moves a model's predictions: laboratory values, modalities, feature space and maps.",
    "prrt_estimators.plotting": "Displays: `from_estimator`, `from_predictions`, `plot`.",
    "prrt_estimators.report": "The page of a comparison.",
    "prrt_estimators.persistence": "Saved models.",
    "prrt_estimators.preprocessing": "Transformers, and the cache of prepared scans.",
    "prrt_estimators.networks": "Torch modules, for networks of one's own.",
    "prrt_estimators.pretrained": "Pretrained weights by name, file or pretrainer.",
    "prrt_estimators.exceptions": "Errors and warnings to catch.",
    "prrt_estimators.cli": "The `prrt` command.",
}

#: What has no docstring of its own.
CONSTANTS = {
    "AUGMENTATIONS": "Settings of `RandomAugment` by the name that the estimators take.",
    "BASELINES": "Names of the two simple baselines.",
    "CONFIGURATIONS": "Names of the eight configurations of the study.",
    "ENCODERS": "Encoders by name.",
    "FUSIONS": "Ways to join modalities, by name.",
    "MODELS": "Models of a comparison by name: a registry of `ModelSpec`.",
    "MODEL_NAMES": "Names of the models of the study and the baselines.",
    "SCORES": "Scores of a comparison by name: a registry of `Score`.",
    "OKABE_ITO": "Colours that colour-blind readers can tell apart.",
    "WEIGHTS": "Published weights by name.",
    "app": "The commands as a typer application.",
}

#: Public names that may still change in any release: "*" for all of a room, except those listed after it with a minus.
PROVISIONAL = {
    "prrt_estimators.contours": "*",
    "prrt_estimators.evaluation": "*",
    "prrt_estimators.networks": "*",
    "prrt_estimators.pretrained": "* -WEIGHTS",
    "prrt_estimators.dicom": "* -read_ct -read_pet -suv_factors",
    "prrt_estimators.ingest": "* -ingest -IngestResult",
    "prrt_estimators.inspection": (
        "attribution_in_regions block_contributions class_separation coefficient_table correlated_groups label_randomisation "
        "map_similarity randomise_weights "
        "summarise_regions umap_embedding weight_randomisation OutOfFoldFeatures PermutationImportance SaliencyMaps"
    ),
    "prrt_estimators.metrics": (
        "SCORES Score auprc_of_chance find_score CalibrationLine loess_calibration DCalibration brier_survival "
        "cumulative_dynamic_auc d_calibration harrell_c integrated_brier restricted_mean_survival survival_calibration "
        "survival_curves uno_c choose_threshold decision_scores"
    ),
    "prrt_estimators.model_selection": (
        "MODELS ModelSpec ClusterError RunInProgressError Skipped compare_part missing_parts fold_scores "
        "interval_of_predictions intervals_of_scores power_of score_interval holm RepeatedStratifiedGroupKFold "
        "BASELINES CONFIGURATIONS MODEL_NAMES TunedClassifier TunedSurvival log_to_mlflow "
        "HorizonClassifierSurvival SurvivalHorizonClassifier"
    ),
    "prrt_estimators.plotting": (
        "CoefficientDisplay OKABE_ITO model_label style_context DecisionCurveDisplay ForestPlotDisplay MeanRocDisplay "
        "MeanPrecisionRecallDisplay CumulativeIncidenceDisplay SurvivalCalibrationDisplay SurvivalCurvesDisplay TimeAUCDisplay"
    ),
    "prrt_estimators.preprocessing": "ClippedScaler TableBlock prepare_volumes default_panels prune_cache",
    "prrt_estimators.report": "write_lesions write_lesions_to_edit write_viewer",
    "prrt_estimators.phantoms": "*",
    "prrt_estimators.features": "RadiomicsFeatures",
    "prrt_estimators.persistence": "compare_with_training",
}


def is_stable(room: str, name: str) -> bool:
    """Return whether a public name keeps its meaning until the next major release."""
    listed = PROVISIONAL.get(room, "").split()
    return name not in listed and ("*" not in listed or f"-{name}" in listed)


def stable_names() -> list[str]:
    """Return the public names that are kept stable, each once."""
    return sorted({name for room, name in public_names() if is_stable(room, name)})


def rooms() -> dict[str, str]:
    """Return the public packages in the order of the page, each with a line about it."""
    packages = {
        f"prrt_estimators.{found.name}" for found in pkgutil.iter_modules(prrt_estimators.__path__) if found.ispkg
    } | {"prrt_estimators", "prrt_estimators.exceptions"}
    packages = {name for name in packages if public(importlib.import_module(name))}  # the others are private rooms
    known = {name: about for name, about in ROOMS.items() if name in packages}
    return known | {name: _opening(importlib.import_module(name)) for name in sorted(packages - set(known))}


def public(module: ModuleType) -> list[str]:
    """Return the public names of a module: its ``__all__``, or what it defines."""
    defined = [name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__]
    return sorted((name for name in getattr(module, "__all__", defined) if not name.startswith("__")), key=str.lower)


def public_names() -> Iterator[tuple[str, str]]:
    """Yield (room, name) of everything that is public, in the order of the page."""
    for room in rooms():
        for name in public(importlib.import_module(room)):
            yield room, name


def is_constant(thing: Any) -> bool:
    """Return whether a public name stands for a value, not for a function or class."""
    return not (inspect.isclass(thing) or inspect.isroutine(thing))


def sentence(thing: Any, name: str) -> str:
    """Return the first sentence of a docstring as one line of plain text."""
    if is_constant(thing) and name not in CONSTANTS:
        raise LookupError(
            f"{name} is public and has no docstring: say what it is in CONSTANTS of {Path(__file__).name}."
        )
    return CONSTANTS[name] if is_constant(thing) else _opening(thing)


def first_sentence(text: str) -> str:
    """Return the first sentence of a text in reST as one line of Markdown for a table."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", " ".join(text.split())).replace("``", "`")
    return re.split(r"(?<=[.])\s+(?=[A-Z])", text)[0].replace("|", "\\|")


def _opening(thing: Any) -> str:
    return first_sentence((inspect.getdoc(thing) or "").split("\n\n")[0])


def page() -> str:
    """Return the page."""
    lines = [
        "# Public names",
        "",
        "A stable name keeps its meaning until the next major release. A provisional one works and is tested, and may change",
        "in any release, which the changelog then says. Everything else is private. `help(name)` gives parameters, shapes,",
        "units and an example.",
    ]
    for room, about in rooms().items():
        module = importlib.import_module(room)
        lines += ["", f"## `{room}`", "", about]
        for title, kept in (("", True), ("provisional name", False)):
            names = [name for name in public(module) if is_stable(room, name) is kept]
            if names:
                lines += ["", f"| {title or 'name'} | what it is |", "|---|---|"]
                lines += [f"| `{name}` | {sentence(getattr(module, name), name)} |" for name in names]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
