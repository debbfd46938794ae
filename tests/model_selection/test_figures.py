"""Figures of a comparison show out-of-fold results and say what was chosen after the fact."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators.model_selection import ModelComparison, Skipped, compare_models
from prrt_estimators.model_selection._risk_groups import risk_groups


@pytest.fixture(scope="module")
def comparison() -> ModelComparison:
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 20)
    X = rng.normal(size=(60, 2)) + 1.2 * y[:, None]
    models = {"lab": LogisticRegression(), "weak/model": DummyClassifier(), "ct": Skipped("no scans")}
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0)
    found = compare_models(models, X, y, cv=cv, verbose=0)
    time = np.where(y == 1, rng.uniform(12.5, 40, 60), rng.uniform(1, 12, 60))
    found.survival["time"], found.survival["event"] = time, 1
    return found


def texts(figure):
    return [text.get_text() for ax in figure.axes for legend in [ax.get_legend()] for text in legend.get_texts()]


def test_names_and_captions(comparison):
    panels = comparison.figures()
    assert list(panels) == ["auroc_auprc", "roc", "precision_recall", "kaplan_meier_cohort", "kaplan_meier_lab"]
    for name in ("roc", "precision_recall", "kaplan_meier_lab"):
        assert "after the fact" in panels[name].caption
    assert "not a confidence interval" in panels["auroc_auprc"].caption
    assert "median of the other folds" in panels["kaplan_meier_lab"].caption


def test_models_without_a_result_take_no_place_among_the_bars(comparison):
    ax = comparison.figures()["auroc_auprc"].figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Labs", "weak/model"]
    assert not any("skipped" in text.get_text() for text in ax.texts)


def test_a_failed_model_keeps_its_place_and_says_so(comparison):
    status = comparison.status.assign(status=["ok", "ok", "failed"], reason=["", "", "RuntimeError: no luck"])
    failed = ModelComparison(comparison.scores, comparison.predictions, status, comparison.survival, comparison.run)
    assert "failed: RuntimeError: no luck" in [text.get_text() for text in failed.plot().ax_.texts]


def test_kaplan_meier_groups_are_cut_on_other_folds(comparison):
    groups = risk_groups(comparison.predictions[comparison.predictions["model"] == "lab"])["group"]
    assert 0 < groups.sum() < 60
    legend = " ".join(texts(comparison.figures()["kaplan_meier_lab"].figure))
    assert re.search(rf"lower predicted risk \(n = {groups.sum()}\b", legend)
    assert re.search(rf"higher predicted risk \(n = {60 - groups.sum()}\b", legend)
    assert "log-rank" not in legend


def test_without_survival_there_are_no_curves_of_time(comparison):
    bare = ModelComparison(
        comparison.scores,
        comparison.predictions,
        comparison.status,
        comparison.survival[["patient_id", "y_true"]],
        comparison.run,
    )
    assert list(bare.figures()) == ["auroc_auprc", "roc", "precision_recall"]


def test_files(comparison, tmp_path):
    renamed = ModelComparison(
        *(table.replace({"model": {"lab": "a/b"}}) for table in (comparison.scores, comparison.predictions)),
        comparison.status.replace({"model": {"lab": "a/b"}}),
        comparison.survival,
        comparison.run,
    )
    panels = {name: panel for name, panel in renamed.figures().items() if name.startswith("kaplan")}
    files = renamed.save_figures(tmp_path, figures=panels)
    assert all(path.parent == tmp_path and path.is_file() for paths in files.values() for path in paths)
    assert [path.suffix for path in files["kaplan_meier_cohort"]] == [".png", ".svg", ".pdf"]
    with pytest.raises(ValueError, match="no folder of its own"):
        comparison.save_figures()
