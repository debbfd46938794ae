"""The parameters of the estimator with the most of them are few enough to be read, each belongs to one group, and none hides a method."""

from __future__ import annotations

import importlib
import inspect
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from prrt_estimators import FusionPFSClassifier
from prrt_estimators.estimators import PublishedScoreClassifier
from prrt_estimators.model_selection import TunedClassifier


def test_each_parameter_is_in_one_group_of_the_docs():
    groups = re.findall(r"^- [a-z ]+: ((?:`\w+`(?:, )?)+)[;.]$", inspect.getdoc(FusionPFSClassifier), flags=re.M)
    named = [name for group in groups for name in re.findall(r"`(\w+)`", group)]
    assert len(groups) == 7
    assert sorted(named) == sorted(FusionPFSClassifier().get_params(deep=False))
    assert len(named) <= 31


@pytest.mark.parametrize("room", ["estimators", "preprocessing", "model_selection"])
def test_no_parameter_has_the_name_of_a_method(room):
    module = importlib.import_module(f"prrt_estimators.{room}")
    classes = [one for name in module.__all__ if hasattr(one := getattr(module, name), "_get_param_names")]
    assert classes
    hidden = {
        f"{one.__name__}.{name}"
        for one in classes
        for name in one._get_param_names()
        if callable(getattr(one, name, None))
    }
    assert hidden == set()


def test_a_published_score_and_a_tuned_model_are_scored():
    X = pd.DataFrame(
        {"CRP [mg/l]": [1.0, 2.0, 20.0, 30.0, 3.0, 25.0], "Albumin [g/l]": [45.0, 44.0, 30.0, 28.0, 46.0, 29.0]}
    )
    y = np.array([1, 1, 0, 0, 1, 0])
    assert PublishedScoreClassifier(name="glasgow").fit(X, y).score(X, y) == 1.0
    assert cross_val_score(PublishedScoreClassifier(name="glasgow"), X, y, cv=3).tolist() == [1.0] * 3
    assert TunedClassifier(LogisticRegression(), {"C": [1.0]}, cv=2).fit(X, y).score(X, y) == 1.0
