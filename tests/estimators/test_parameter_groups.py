"""The parameters of the estimator with the most of them are few enough to be read, and each belongs to one group."""

from __future__ import annotations

import inspect
import re

from prrt_estimators import FusionPFSClassifier


def test_each_parameter_is_in_one_group_of_the_docs():
    groups = re.findall(r"^- [a-z ]+: ((?:`\w+`(?:, )?)+)[;.]$", inspect.getdoc(FusionPFSClassifier), flags=re.M)
    named = [name for group in groups for name in re.findall(r"`(\w+)`", group)]
    assert len(groups) == 7
    assert sorted(named) == sorted(FusionPFSClassifier().get_params(deep=False))
    assert len(named) <= 31
