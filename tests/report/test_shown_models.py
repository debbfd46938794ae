"""Which models the figures and the list of failures show, and in which order."""

from types import SimpleNamespace

import pandas as pd

from prrt_estimators.report._parts import shown_models


def shown(ran, best, primary=None):
    return shown_models(SimpleNamespace(scores=pd.DataFrame({"model": ran}), best_model=best, primary=primary))


def test_the_best_comes_first_and_the_primary_pair_before_it():
    ran = ["lab", "pet_ct_lab", "recommended_lesions_labs", "baseline_lab", "pet"]
    assert shown(ran, "recommended_lesions_labs") == ["recommended_lesions_labs", "lab", "pet_ct_lab", "baseline_lab"]
    assert shown(ran, "recommended_lesions_labs", ("pet", "lab")) == [
        "pet",
        "lab",
        "recommended_lesions_labs",
        "pet_ct_lab",
    ]


def test_models_without_a_result_are_not_shown():
    assert shown(["baseline_lab"], None) == ["baseline_lab"]
