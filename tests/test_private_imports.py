"""Which private modules a room imports from another room, each pair with its reason: the list may only become shorter."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "prrt_estimators"

#: (who imports, whose): why, and which modules.
ALLOWED: dict[tuple[str, str], tuple[str, str]] = {
    ("_chance_verdict.py", "metrics"): ("direction of the main score", "_score"),
    ("_targets.py", "metrics"): ("the kind of a prediction", "_predictions"),
    ("cli", "datasets"): ("`prrt check` and `prrt ingest` read tables as `load_cohort` does", "_checks _options _roles _tables"),
    ("_time_target.py", "metrics"): ("the kind of a prediction", "_predictions"),
    ("cli", "metrics"): ("title and direction of a score", "_score"),
    ("cli", "model_selection"): ("models by name with the options of the shell; what is checked before a run", "_dask _duplicate_patients _models _tracking"),
    ("cli", "persistence"): ("a comparison is checked before a night of fitting", "_performance"),
    ("cli", "report"): ("subgroups that every cohort has; nothing to explain is a warning in a shell", "_common_subgroups _explain"),
    ("datasets", "phantoms"): ("`datasets` offers the synthetic cohorts", "_cohort _dicom _folder _nifti"),
    ("estimators", "datasets"): ("columns that may not be predictors", "_predictors"),
    ("estimators", "features"): ("a saved model names the finder that made its columns", "_weights"),
    ("estimators", "metrics"): ("`score` of survival models", "_survival_entries"),
    ("estimators", "networks"): ("networks and weight files of the pretrainer", "_contrast _weight_files"),
    ("estimators", "preprocessing"): ("reading scans in batches; the names of prepared columns", "_labs _volumes _windows"),
    ("estimators", "pretrained"): ("branches with pretrained weights", "_branches _prepare _saved_branches"),
    ("evaluation", "metrics"): ("chance and direction of a score; the choice of a threshold", "_score _threshold"),
    ("evaluation", "model_selection"): ("fitting as a fold of a comparison does", "_fold _risk_groups"),
    ("features", "phantoms"): ("the finder is trained on phantoms", "_anatomy _ct _factors _lesions _pet _phantom _shapes"),
    ("features", "preprocessing"): ("scans on one grid, kept in the cache", "_boxes _cache _scans _summaries _volumes"),
    ("ingest", "contours"): ("objects of an export that are not exchanged as files", "_any _corrected_lesions _lesion_names _lesion_numbers"),
    ("ingest", "dicom"): ("one series at a time, with its tolerances and limits", "_elements _geometry _opening _tracers _vendor_factors"),
    ("inspection", "estimators"): ("what an explained network is made of", "_base _deep"),
    ("inspection", "preprocessing"): ("maps lie on the grid of the scan", "_boxes _labs _scans _volumes"),
    ("inspection", "pretrained"): ("maps through a pretrained branch", "_branches _sources"),
    ("model_selection", "datasets"): ("columns that may not be predictors", "_predictors"),
    ("model_selection", "metrics"): ("chance and direction of a score", "_predictions _score _survival_entries"),
    ("persistence", "estimators"): ("an estimator owns its saved state", "_by_modality _deep _saved_state"),
    ("persistence", "metrics"): ("scores of the model card", "_score"),
    ("persistence", "preprocessing"): ("scans of training patients are known by their content", "_cache _scans"),
    ("persistence", "networks"): ("the name of a network of the user's own", "_foreign_encoders"),
    ("plotting", "features"): ("the quality sheet of lesions", "_delineation _field _images _networks"),
    ("plotting", "inspection"): ("what is drawn of an explanation", "_explained_models _views"),
    ("plotting", "metrics"): ("title and direction of a score", "_predictions _score"),
    ("pretrained", "networks"): ("networks by name, and their weight files", "_named_encoders _weight_files"),
    ("pretrained", "preprocessing"): ("scans as the weights expect them, kept in the cache", "_boxes _cache _grids _scans _volumes"),
    ("report", "evaluation"): ("the band of a calibration curve", "_calibration_table"),
    ("report", "features"): ("the lesions of a patient, as `prrt lesions` lists them", "_delineation _field _images _lesion_features _weights"),
    ("report", "inspection"): ("what a model offers to explain", "_coefficients _explained_models _views"),
    ("report", "metrics"): ("title and chance of a score", "_score"),
    ("report", "model_selection"): ("the words and the figures of a comparison", "_descriptions _digest _figures _fold_correction _run_store"),
    ("report", "plotting"): ("figures that are no Displays", "_lesion_sheet _value_points"),
}  # fmt: skip


def private_imports(package: Path) -> dict[tuple[str, str], set[str]]:
    """Return the private modules of other rooms that the files of a room import, wherever in the file."""
    found = defaultdict(set)
    for file in package.rglob("*.py"):
        room = file.relative_to(package).parts[0]
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            modules += [f"{node.module}.{one.name}" for one in node.names] if isinstance(node, ast.ImportFrom) else []
            for name in modules:
                parts = name.split(".")
                if parts[0] == package.name and len(parts) > 2 and parts[1] != room and parts[2].startswith("_"):
                    found[room, parts[1]].add(parts[2])
    return dict(found)


def test_private_modules_are_imported_by_those_listed_only():
    assert private_imports(PACKAGE) == {pair: set(modules.split()) for pair, (_, modules) in ALLOWED.items()}


def test_the_list_does_not_grow():
    assert sum(len(modules.split()) for _, modules in ALLOWED.values()) <= 106


def test_each_way_to_import_is_seen(tmp_path):
    room = tmp_path / "house" / "kitchen"
    room.mkdir(parents=True)
    (room / "_cook.py").write_text(
        "import house.cellar._wine\nfrom house.cellar import _beer\ndef f():\n    from house.attic._box import hat\n"
        "from house.kitchen._pan import lid\nfrom house.cellar import shelf\n",
        "utf-8",
    )
    found = private_imports(tmp_path / "house")
    assert found == {("kitchen", "cellar"): {"_wine", "_beer"}, ("kitchen", "attic"): {"_box"}}
