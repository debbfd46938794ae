import pickle
import warnings

import numpy as np
import pytest
from sklearn import inspection, metrics, model_selection
from sklearn.datasets import make_classification
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.utils._param_validation import StrOptions

from prrt_estimators.metrics import prrt_scorers


@pytest.fixture(scope="module")
def problem():
    return make_classification(90, 5, weights=[0.36], flip_y=0.2, random_state=1)


def test_names_are_the_columns_of_scores_csv():
    assert list(prrt_scorers()) == ["auroc", "auprc", "auprc_short", "neg_brier"]


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), ("alpha", "omega"), (False, True)])
def test_scores_are_those_of_scikit_learn_with_the_greater_label_positive(problem, labels):
    X, y = problem
    named = np.array(labels)[y]
    model = LogisticRegression().fit(X[:60], named[:60])
    p, y_test = model.predict_proba(X[60:])[:, 1], y[60:]
    expected = {
        "auroc": roc_auc_score(y_test, p),
        "auprc": average_precision_score(y_test, p),
        "auprc_short": average_precision_score(1 - y_test, 1 - p),
        "neg_brier": -brier_score_loss(y_test, p),
    }
    found = {name: scorer(model, X[60:], named[60:]) for name, scorer in prrt_scorers().items()}
    assert found == pytest.approx(expected)


def test_cross_validate_takes_them_in_worker_processes(problem):
    X, y = problem
    kwargs = {"cv": StratifiedKFold(3), "scoring": prrt_scorers()}
    alone = cross_validate(LogisticRegression(), X, y, **kwargs)
    spread = cross_validate(LogisticRegression(), X, y, n_jobs=2, **kwargs)
    for name in prrt_scorers():
        assert np.isfinite(alone[f"test_{name}"]).all()
        assert alone[f"test_{name}"].tolist() == spread[f"test_{name}"].tolist()


def test_a_fold_of_one_class_is_nan_with_a_warning(problem):
    X, y = problem
    order = np.concatenate([np.flatnonzero(y == 1)[:30], np.flatnonzero(y == 0)[:30]])
    X, y = X[order], y[order]
    y[50:] = 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = cross_validate(LogisticRegression(), X, y, cv=KFold(3), scoring=prrt_scorers())
    assert {str(w.message).split(" is undefined")[0] for w in caught} == {
        "AUROC",
        "AUPRC",
        "AUPRC of the lesser label",
        "Brier score",
    }
    assert all(issubclass(w.category, UndefinedMetricWarning) for w in caught)
    assert all("all 20 patients are of class 1" in str(w.message) for w in caught)
    for name in prrt_scorers():
        assert np.isnan(found[f"test_{name}"]).tolist() == [True, False, False]


def test_sample_weight_counts(problem):
    X, y = problem
    model = LogisticRegression().fit(X, y)
    doubled = np.concatenate([np.arange(90), np.arange(30)])
    weight = np.where(np.arange(90) < 30, 2.0, 1.0)
    for scorer in prrt_scorers().values():
        weighted = scorer(model, X, y, sample_weight=weight)
        assert weighted == pytest.approx(scorer(model, X[doubled], y[doubled]))
        assert weighted != pytest.approx(scorer(model, X, y), abs=1e-6)


def test_three_classes_are_refused(problem):
    X, _ = problem
    y = np.arange(90) % 3
    with pytest.raises(ValueError, match="needs two classes"):
        prrt_scorers()["auprc"](LogisticRegression().fit(X, y), X, y)


def test_scorers_can_be_pickled():
    assert list(pickle.loads(pickle.dumps(prrt_scorers()))) == list(prrt_scorers())


def test_every_tool_of_scikit_learn_that_knows_roc_auc_knows_the_scores_of_times():
    seen = 0
    for room in (inspection, metrics, model_selection):
        for name, tool in vars(room).items():
            constraints = getattr(tool, "_parameter_constraints", getattr(tool, "_skl_parameter_constraints", {}))
            kinds = constraints.get("scoring", ()) if isinstance(constraints, dict) else ()
            names = [one.options for one in kinds if isinstance(one, StrOptions) and "roc_auc" in one.options]
            seen += len(names)
            assert all({"uno_c", "harrell_c"} <= one for one in names), name
    assert seen >= 8
