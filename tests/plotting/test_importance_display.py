import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier

from prrt_estimators import LabPFSClassifier
from prrt_estimators.inspection import PermutationImportance, ShapExplanation, forest_importance
from prrt_estimators.plotting import BeeswarmDisplay, DependenceDisplay, ImportanceDisplay

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
    """51 patients: an analyte with gaps, a category, a column with a long name and one without any value."""
    rng = np.random.default_rng(0)
    n = 51
    ids = [f"P{k:02d}" for k in range(n)]
    data = pd.DataFrame(
        {
            "chromogranin_a_ug_l": rng.lognormal(5, 1, n).round(),
            "sex": rng.choice(["f", "m"], n),
            LONG: rng.choice(["Leiomyosarcoma", "Extraskeletal bone sarcoma", "Liposarcoma", "Synovial sarcoma"], n),
            "albumin": rng.normal(40, 3, n).round(1),
            "empty": np.nan,
        },
        index=ids,
    )
    data.iloc[::9, 0] = np.nan
    data.iloc[4, 1] = None
    values = pd.DataFrame(rng.normal(size=(n, 5)) * [0.1, 0.05, 0.02, 0.2, 0.01], index=ids, columns=data.columns)
    base = np.full(n, 0.6)
    return ShapExplanation(values, base, base + values.sum(axis=1).to_numpy(), data, "probability")


# Bars -------------------------------------------------------------------------------------------------------------


def test_bars_of_permutation_importance(permuted, assert_fit_to_print):
    display = ImportanceDisplay.from_result(permuted)
    frame = display.frame().set_index("name")
    assert frame.index.tolist() == ["my own name", "ggt_u_l + ast_u_l", "pet"]
    assert frame.loc["my own name", "importance"] == pytest.approx(0.6)  # mean of 0.3, 0.6 and 0.9
    reach = np.sqrt(1 / 3 + 30 / 60) * 0.3 * 4.302653  # t of 2 degrees of freedom
    assert frame.loc["my own name", "high"] == pytest.approx(0.6 + reach, rel=1e-5)
    assert frame["label"].tolist() == ["my own name", "Gamma-GT + AST", "PET"]
    texts = assert_fit_to_print(display.plot().figure_)
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
    texts = assert_fit_to_print(display.plot().figure_)
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
    assert_fit_to_print(display.plot().figure_)


def test_bars_of_shap_values(explanation, assert_fit_to_print):
    display = ImportanceDisplay.from_result(explanation)
    expected = explanation.values.abs().mean().sort_values(ascending=False)
    assert display.frame()["name"].tolist() == expected.index.tolist()
    np.testing.assert_allclose(display.frame()["importance"], expected)
    texts = assert_fit_to_print(display.plot().figure_)
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
    with pytest.raises(TypeError, match="`result` must come from permutation_importance"):
        ImportanceDisplay.from_result([1, 2])
    with pytest.raises(ValueError, match="`result` lacks the column"):
        ImportanceDisplay.from_result(pd.DataFrame({"importance": [1.0]}))
    with pytest.raises(ValueError, match="nothing to draw"):
        ImportanceDisplay.from_result(pd.DataFrame({"column": [], "importance": []}))
    with pytest.raises(ValueError, match="`max_display` must be a whole number of at least 1"):
        ImportanceDisplay.from_result(permuted, max_display=0)
    with pytest.raises(ValueError, match="give both X and y"):
        ImportanceDisplay.from_estimator(LabPFSClassifier(), X=np.zeros((4, 2)))


# Beeswarm ---------------------------------------------------------------------------------------------------------


def drawn_points(ax):
    return np.concatenate([part.get_offsets() for part in ax.collections if len(part.get_offsets())])


def test_the_swarm_holds_every_patient(explanation, assert_fit_to_print):
    display = BeeswarmDisplay.from_result(explanation, max_display=4)
    frame = display.frame()
    assert len(frame) == 4 * 51
    assert list(dict.fromkeys(frame["column"])) == ["albumin", "chromogranin_a_ug_l", "sex", LONG]
    row = frame[(frame["patient_id"] == "P07") & (frame["column"] == "albumin")].iloc[0]
    assert row["shap"] == explanation.values.loc["P07", "albumin"]
    assert row["value"] == explanation.data.loc["P07", "albumin"]
    texts = assert_fit_to_print(display.plot().figure_)
    points = drawn_points(display.ax_)
    np.testing.assert_allclose(np.sort(points[:, 0]), np.sort(frame["shap"]))
    # Points stay in the row of their column.
    for place, column in enumerate(dict.fromkeys(frame["column"])):
        own = points[np.abs(points[:, 1] - place) < 0.5, 0]
        np.testing.assert_allclose(np.sort(own), np.sort(frame.loc[frame["column"] == column, "shap"]))
    assert {"Albumin", "Chromogranin A", "low", "high", "not measured", "category (no order)"} <= set(texts)


def test_the_swarm_of_an_estimator(assert_fit_to_print):
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame({"cga": rng.lognormal(5, 1, 30), "age": 60}), np.arange(30) % 2
    clf = LabPFSClassifier(n_estimators=5, random_state=0).fit(X, y)
    display = BeeswarmDisplay.from_estimator(clf, X[:9])
    assert len(display.frame()) == 18
    assert_fit_to_print(display.plot().figure_)


def test_patients_without_values_are_left_out(explanation):
    explanation.values.iloc[3] = np.nan
    display = BeeswarmDisplay.from_result(explanation, max_display=1)
    assert "P03" not in display.frame()["patient_id"].tolist()
    assert len(drawn_points(display.plot().ax_)) == 50


def test_wrong_arguments_of_the_swarm_are_named(explanation):
    with pytest.raises(TypeError, match="`explanation` must come from shap_values"):
        BeeswarmDisplay.from_result(explanation.values)
    with pytest.raises(ValueError, match="`max_display` must be"):
        BeeswarmDisplay.from_result(explanation, max_display=True)
    explanation.values.iloc[:] = np.nan
    with pytest.raises(ValueError, match="no patient of `explanation` has a SHAP value"):
        BeeswarmDisplay.from_result(explanation)


# Dependence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("color_by", [None, "albumin", "sex", "chromogranin_a_ug_l", "empty"])
def test_dependence_on_an_analyte(explanation, color_by, assert_fit_to_print):
    display = DependenceDisplay.from_result(explanation, "chromogranin_a_ug_l", color_by=color_by).plot()
    frame = display.frame()
    np.testing.assert_array_equal(frame["value"], explanation.data["chromogranin_a_ug_l"])
    np.testing.assert_array_equal(frame["shap"], explanation.values["chromogranin_a_ug_l"])
    assert display.ax_.get_xscale() == "log"
    points = drawn_points(display.ax_)
    assert len(points) == 51
    known = frame.dropna(subset="value")
    assert set(map(tuple, known[["value", "shap"]].to_numpy())) <= set(map(tuple, points))
    # Who has no value stands beyond all who have.
    assert (points[:, 0] > known["value"].max()).sum() == 6
    texts = assert_fit_to_print(display.figure_)
    assert {"Chromogranin A (µg/L)", "not measured"} <= set(texts)
    if color_by == "sex":
        assert {"Sex: f", "Sex: m", "Sex: not stated"} <= set(texts)
    if color_by == "albumin":
        assert frame["colour"].tolist() == explanation.data["albumin"].tolist()


def test_dependence_on_a_category(explanation, assert_fit_to_print):
    display = DependenceDisplay.from_result(explanation, LONG).plot()
    points = drawn_points(display.ax_)
    order = sorted(explanation.data[LONG].unique())
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == order
    np.testing.assert_array_equal(np.round(points[:, 0]), [order.index(one) for one in explanation.data[LONG]])
    np.testing.assert_allclose(points[:, 1], explanation.values[LONG])


def test_dependence_on_a_plain_number_and_an_empty_column(explanation, assert_fit_to_print):
    display = DependenceDisplay.from_result(explanation, "albumin").plot()
    assert display.ax_.get_xscale() == "linear"
    assert_fit_to_print(display.figure_)
    empty = DependenceDisplay.from_result(explanation, "empty").plot()
    assert len(drawn_points(empty.ax_)) == 51


def test_wrong_arguments_of_dependence_are_named(explanation):
    with pytest.raises(ValueError, match="`column`='cga' is no column of the explanation; it has chromogranin_a_ug_l"):
        DependenceDisplay.from_result(explanation, "cga")
    with pytest.raises(ValueError, match="`color_by`='cga' is no column"):
        DependenceDisplay.from_result(explanation, "albumin", color_by="cga")
    with pytest.raises(TypeError, match="`explanation` must come from shap_values"):
        DependenceDisplay.from_result(explanation.data, "albumin")
