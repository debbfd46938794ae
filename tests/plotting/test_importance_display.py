import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier

from prrt_estimators import LabPFSClassifier
from prrt_estimators.inspection import PermutationImportance, forest_importance
from prrt_estimators.plotting import ImportanceDisplay

LONG = "Histological group of the tumour according to the central pathology review of 2003"


@pytest.fixture
def permuted():
    drops = np.array([[[0.01, 0.03]], [[0.2, 0.4]], [[-0.1, 0.1]]]) * np.array([1.0, 2.0, 3.0])[None, :, None]
    return PermutationImportance(
        drops=drops,
        groups={"ggt_u_l + ast_u_l": ("ggt_u_l", "ast_u_l"), "my own name": ("age",), "pet": ("pet",)},
        scores=np.array([0.7, 0.8, 0.6]),
        scoring="roc_auc",
        n_train=60.0,
        n_test=30.0,
    )


@pytest.fixture
def explanation():
    """SHAP values of 51 patients and four columns."""
    shap = pytest.importorskip("shap")
    values = np.random.default_rng(0).normal(size=(51, 4)) * [0.1, 0.05, 0.02, 0.2]
    names = ["chromogranin_a_ug_l", "sex", LONG, "albumin"]
    return shap.Explanation(values, np.full(51, 0.6), feature_names=names, output_names="probability of long PFS")


# Bars -------------------------------------------------------------------------------------------------------------


def test_bars_of_permutation_importance(permuted, assert_fit_to_print):
    display = ImportanceDisplay.from_result(permuted)
    frame = display.frame().set_index("name")
    assert frame.index.tolist() == ["my own name", "ggt_u_l + ast_u_l", "pet"]
    assert frame.loc["my own name", "importance"] == pytest.approx(0.6)  # mean of 0.3, 0.6 and 0.9
    reach = np.sqrt(1 / 3 + 30 / 60) * 0.3 * 4.302653  # t of 2 degrees of freedom
    assert frame.loc["my own name", "high"] == pytest.approx(0.6 + reach, rel=1e-5)
    assert frame["label"].tolist() == ["my own name", "Gamma-GT + AST", "PET"]
    texts = assert_fit_to_print(display.figure_)
    assert {"0.600", "0.040", "Gamma-GT + AST", "PET"} <= set(texts)
    assert "Loss of AUROC when shuffled, of 0.70 (mean, 95 % interval)" in texts
    assert sorted(patch.get_width() for patch in display.ax_.patches) == pytest.approx([0, 0.04, 0.6])


def test_bars_of_a_forest(assert_fit_to_print):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 20)), columns=[f"column_{k}" for k in range(19)] + [LONG])
    X[LONG] += 3 * (np.arange(60) % 2)
    clf = LabPFSClassifier(n_estimators=20, random_state=0).fit(X, np.arange(60) % 2)
    display = ImportanceDisplay.from_estimator(clf, max_display=12)
    assert display.frame()["importance"].tolist() == forest_importance(clf)["importance"].tolist()[:12]
    assert display.frame()[["low", "high"]].isna().all(axis=None)
    texts = assert_fit_to_print(display.figure_)
    assert any(text.endswith("8 less important not shown") for text in texts)
    assert any("Histological group" in text for text in texts)


def test_bars_of_held_out_folds(assert_fit_to_print):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = np.column_stack([rng.normal(size=60), rng.normal(size=60) + 4 * y])
    display = ImportanceDisplay.from_estimator(
        RandomForestClassifier(10, random_state=0), X, y, cv=3, n_repeats=2, random_state=0
    )
    assert display.frame()["name"].iloc[0] == "x1"
    assert_fit_to_print(display.figure_)


def test_bars_of_shap_values(explanation, assert_fit_to_print):
    display = ImportanceDisplay.from_result(explanation)
    assert display.frame()["name"].tolist() == ["albumin", "chromogranin_a_ug_l", "sex", LONG]
    np.testing.assert_allclose(np.sort(display.frame()["importance"]), np.sort(np.abs(explanation.values).mean(axis=0)))
    texts = assert_fit_to_print(display.figure_)
    assert "Mean absolute SHAP value (probability of long PFS)" in texts


def test_columns_that_would_look_alike_keep_their_names():
    table = pd.DataFrame({"column": ["cga", "cga_baseline"], "importance": [0.6, 0.4]})
    assert ImportanceDisplay.from_result(table).frame()["label"].tolist() == ["cga", "cga_baseline"]


def test_bars_on_given_axes(permuted):
    figure = Figure()
    ax = figure.subplots(1, 2)[1]
    display = ImportanceDisplay.from_result(permuted).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_wrong_arguments_of_bars_are_named(permuted):
    with pytest.raises(TypeError, match="`result` must come from grouped_permutation_importance"):
        ImportanceDisplay.from_result([1, 2])
    with pytest.raises(ValueError, match="`result` lacks the column"):
        ImportanceDisplay.from_result(pd.DataFrame({"importance": [1.0]}))
    with pytest.raises(ValueError, match="nothing to draw"):
        ImportanceDisplay.from_result(pd.DataFrame({"column": [], "importance": []}))
    with pytest.raises(ValueError, match="`max_display` must be a whole number of at least 1"):
        ImportanceDisplay.from_result(permuted, max_display=0)
    with pytest.raises(ValueError, match="give both X and y"):
        ImportanceDisplay.from_estimator(LabPFSClassifier(), X=np.zeros((4, 2)))
