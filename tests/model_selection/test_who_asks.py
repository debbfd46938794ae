"""Which files of a comparison ask which target it has: each with its reason, and the list may only become shorter."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "prrt_estimators"

#: Where a comparison is made, evaluated, shown and explained.
ROOMS = ("model_selection", "evaluation", "inspection", "plotting", "report", "persistence", "cli")

#: A name of a target, or a question whose answer is one.
QUESTION = re.compile(
    r"\bClassTarget\b|\bTimeTarget\b|\bis_survival\(|\bgives_probabilities\b|\bof_classes\b|\bof_times\b"
    r"|learnt_from[^=]*== *\"|(?<!os)\.(name|response) *[!=]= *\"|hasattr\([^)]*\"predict_(survival_function|proba)\"\)"
)

#: Kinds of reasons: the registry itself; functions for one target alone; the kind of a prediction, not the target; what was
#: learnt from, which differs among classifiers; y, of which nothing but its form is known yet.
ASKING = {
    "model_selection/_compared.py": "the registry of what comparisons of a target need, and classifiers that stand beside survival models",
    "model_selection/_figures.py": "figures of probabilities, which not every comparison of classes has",
    "model_selection/_horizon.py": "from survival model to classifier and back: each is of one target",
    "model_selection/_result.py": "the property that says whether predictions are probabilities",
    "model_selection/_summary.py": "thresholds and pooled Brier scores are of probabilities of a class",
    "evaluation/_external.py": "the entrance to the evaluation of classes and to that of times",
    "evaluation/_external_times.py": "the evaluation of times",
    "evaluation/_refits.py": "curves over n and stability of a probability are of classes, and other targets are refused",
    "report/_coefficients.py": "what coefficients were learnt from, which classifiers differ in",
    "report/_conclusions.py": "a limit on pooled probabilities",
    "report/_methods.py": "which classifiers learnt from times, in the paragraph of methods",
    "report/_report.py": "sections of probabilities: sample size and notes are worded for classes",
    "persistence/_probe_predictions.py": "how any saved estimator answers, of this library or not",
    "cli/_compare.py": "a table of inputs by class",
}  # fmt: skip


def files_that_ask():
    """Return the lines that ask, by file."""
    found = {}
    for room in ROOMS:
        for file in sorted((PACKAGE / room).rglob("*.py")):
            lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
            lines = [line for line in lines if QUESTION.search(line) and not line.startswith(("from ", "import ", "#"))]
            if lines:
                found[file.relative_to(PACKAGE).as_posix()] = lines
    return found


def test_those_listed_ask_which_target_a_comparison_has_and_no_other():
    assert set(files_that_ask()) == set(ASKING)


def test_the_list_does_not_grow():
    assert len(ASKING) <= 14
    assert sum(len(lines) for lines in files_that_ask().values()) <= 29


def test_a_question_is_found():
    for line in (
        'if target.name == "time":',
        'hasattr(model, "predict_proba")',
        'if (table["learnt_from"] == "time").any():',
        "if is_survival(y):",
        "TimeTarget().strata(y)",
    ):
        assert QUESTION.search(line), line
    assert not QUESTION.search("comparison.kind.question(horizon)")
