"""Which class is long PFS, whatever the labels are called and however they sort."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators import (
    Cohort,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
    compare_models,
    load_model,
    save_model,
)
from prrt_estimators._classes import (
    as_target,
    check_same_order,
    is_long,
    long_column,
    long_rows,
    positive_label,
    probability_of_long,
)
from prrt_estimators.estimators import CoxPFSClassifier
from prrt_estimators.evaluation import inputs_by_class, leave_one_centre_out
from prrt_estimators.exceptions import PositiveClassWarning
from prrt_estimators.inspection import grouped_permutation_importance, modality_shapley
from prrt_estimators.metrics import harrell_c, prrt_scorers, uno_c
from prrt_estimators.model_selection import bootstrap_interval, cohort_table
from prrt_estimators.plotting import CalibrationDisplay, PrecisionRecallDisplay, RocDisplay

RNG = np.random.default_rng(3)
Y = np.tile([0, 1, 1], 14)
TABLE = pd.DataFrame({"cga": np.exp(RNG.normal(size=42) - 2 * Y), "age": RNG.normal(60, 5, 42)})
WORDS = [
    ("short", "long"), ("Short", "Long"), ("SHORT PFS", "LONG PFS"), ("kurz", "lang"), ("Kurzes PFS", "Langes PFS"),
    ("0", "1"), (False, True), (0.0, 1.0), ("short\u200b", "long"),
]  # fmt: skip
FITS = [
    LabPFSClassifier(n_estimators=20, random_state=0),
    LabPFSClassifier(model="logistic"),
    LabBaselineClassifier(),
    CoxPFSClassifier(),
    FusionPFSClassifier(max_epochs=2, random_state=0),
]


def labelled(pair):
    return np.array(pair)[Y]


@pytest.mark.parametrize("model", FITS, ids=lambda model: f"{type(model).__name__}-{getattr(model, 'model', '')}")
@pytest.mark.parametrize("pair", [("short", "long"), ("Kurz", "Lang"), (False, True)])
def test_words_give_the_probabilities_of_numbers_to_the_last_bit(model, pair):
    of_numbers, of_words = model.__class__(**model.get_params()), model.__class__(**model.get_params())
    p = probability_of_long(of_numbers.fit(TABLE, Y), TABLE)
    of_words.fit(TABLE, labelled(pair))
    assert of_words.positive_class_ == pair[1]
    assert of_words.classes_.tolist() == sorted(pair)
    np.testing.assert_array_equal(probability_of_long(of_words, TABLE), p)
    np.testing.assert_array_equal(of_words.predict_proba(TABLE)[:, sorted(pair).index(pair[1])], p)
    assert ((of_words.predict(TABLE) == pair[1]) == (of_numbers.predict(TABLE) == 1)).all()


def test_image_models_too():
    voxels = RNG.random((8, 1, 8, 8, 8)) * np.tile([1, 9], 4).reshape(-1, 1, 1, 1, 1)
    words = np.array(["long", "short"] * 4)
    for model in (PETBaselineClassifier(), PETPFSClassifier(max_epochs=1, random_state=0)):
        model.fit(voxels, words)
        twin = model.__class__(**model.get_params()).fit(voxels, [1, 0] * 4)
        np.testing.assert_array_equal(probability_of_long(model, voxels), probability_of_long(twin, voxels))
    assert PETBaselineClassifier().fit(voxels, words).predict(voxels).tolist() == words.tolist()


def test_class_weight_speaks_of_the_labels():
    by_name = LabPFSClassifier(model="logistic", class_weight={"long": 5.0, "short": 1.0}).fit(
        TABLE, labelled(("short", "long"))
    )
    by_number = LabPFSClassifier(model="logistic", class_weight={1: 5.0, 0: 1.0}).fit(TABLE, Y)
    np.testing.assert_array_equal(probability_of_long(by_name, TABLE), probability_of_long(by_number, TABLE))


@pytest.mark.parametrize("pair", WORDS)
def test_what_labels_say(pair):
    assert [is_long(label) for label in pair] == [False, True]
    assert as_target(np.array(pair, dtype=object)[Y]).tolist() == Y.tolist()


@pytest.mark.parametrize("label", ["not long", "long or short", "A", "1 year", "> 12", 2, -1, None, np.nan, "belong"])
def test_what_labels_do_not_say(label):
    assert is_long(label) is None


def test_other_texts_need_a_positive_class_which_the_model_keeps(tmp_path):
    y = labelled(("progressor", "controlled"))
    with pytest.raises(ValueError, match=r"do not say which is long PFS\. Pass e\.g\. pos_label='progressor'"):
        LabPFSClassifier().fit(TABLE, y)
    model = LabPFSClassifier(n_estimators=20, random_state=0, pos_label="controlled").fit(TABLE, y)
    p = probability_of_long(LabPFSClassifier(n_estimators=20, random_state=0).fit(TABLE, Y), TABLE)
    np.testing.assert_array_equal(probability_of_long(model, TABLE), p)
    loaded = load_model(save_model(model, tmp_path / "m.prrt"))
    assert loaded.positive_class_ == "controlled"
    np.testing.assert_array_equal(probability_of_long(loaded, TABLE), p)
    with pytest.raises(ValueError, match="`pos_label` must be one of the labels of y, 0 and 1; got 'controlled'"):
        LabPFSClassifier(pos_label="controlled").fit(TABLE, Y)
    with pytest.raises(ValueError, match="which both mean long PFS"):
        positive_label(np.array(["Long", "lang"]))


def test_the_greater_of_other_numbers_is_taken_aloud():
    with pytest.warns(PositiveClassWarning, match="2 is taken as long PFS"):
        model = LabPFSClassifier(model="logistic").fit(TABLE, Y + 1)
    assert model.positive_class_ == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        turned = LabPFSClassifier(model="logistic", pos_label=1).fit(TABLE, 2 - Y)
    np.testing.assert_allclose(probability_of_long(turned, TABLE), probability_of_long(model, TABLE))


def test_scores_of_words_are_the_scores_of_numbers():
    words = labelled(("short", "long"))
    keys = {"cv": 3, "scoring": prrt_scorers()}
    for model in (LogisticRegression(), LabPFSClassifier(model="logistic")):
        of_words, of_numbers = (cross_validate(model, TABLE, y, **keys) for y in (words, Y))
        for name in keys["scoring"]:
            np.testing.assert_allclose(of_words[f"test_{name}"], of_numbers[f"test_{name}"])
    own = cross_val_score(LabPFSClassifier(model="logistic"), TABLE, words, scoring="roc_auc", cv=3)
    np.testing.assert_allclose(own, of_numbers["test_auroc"])  # scikit-learn's own scorer is right too


class Descending(LogisticRegression):
    """A classifier of another library, whose classes descend."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.classes_, self.coef_, self.intercept_ = self.classes_[::-1], -self.coef_, -self.intercept_
        return self


def test_columns_are_looked_up():
    model, usual = Descending().fit(TABLE, Y), LogisticRegression().fit(TABLE, Y)
    assert long_column(model) == 0
    np.testing.assert_allclose(probability_of_long(model, TABLE), usual.predict_proba(TABLE)[:, 1], atol=1e-12)
    models = {"usual": LogisticRegression(), "descending": Descending()}
    for scoring in (None, ["roc_auc", "average_precision"]):
        scores = compare_models(models, TABLE, Y, cv=3, verbose=0, scoring=scoring).scores
        usual, other = (scores[scores["model"] == name].select_dtypes("float") for name in models)
        columns = [name for name in usual if not name.endswith("seconds")]
        np.testing.assert_allclose(usual[columns], other[columns])
    drawn = RocDisplay.from_estimator(model, TABLE, Y).frame()
    assert drawn.equals(RocDisplay.from_predictions(Y, probability_of_long(model, TABLE), name="Descending").frame())


def test_comparison_displays_and_tables_of_words():
    words = labelled(("kurz", "lang"))
    models = {"lab": LabPFSClassifier(n_estimators=10, random_state=0)}
    of_words, of_numbers = (compare_models(models, TABLE, y, cv=3, verbose=0, random_state=0) for y in (words, Y))
    assert of_words.predictions.equals(of_numbers.predictions)
    fitted = LabPFSClassifier(model="logistic").fit(TABLE, words)
    p = probability_of_long(fitted, TABLE)
    assert roc_auc_score(Y, p) > 0.8
    for display in (RocDisplay, PrecisionRecallDisplay):
        drawn = display.from_estimator(fitted, TABLE, words).frame()
        assert drawn.equals(display.from_predictions(Y, p, name="LabPFSClassifier").frame())
    assert CalibrationDisplay.from_estimator(fitted, TABLE, words).slope > 0
    assert bootstrap_interval(words, p, n_boot=10).estimate == pytest.approx(roc_auc_score(Y, p))
    assert bootstrap_interval(words, p, "auprc", n_boot=10).estimate == pytest.approx(average_precision_score(Y, p))
    assert cohort_table(TABLE, words).equals(cohort_table(TABLE, Y))
    assert long_rows(words).tolist() == (Y == 1).tolist()


def test_searches_and_pipelines_keep_the_class():
    y = labelled(("Z", "A"))
    search = GridSearchCV(LabPFSClassifier(model="logistic", pos_label="A"), {"C": [1.0]}, cv=3).fit(TABLE, y)
    assert long_column(search) == 0
    assert long_column(make_pipeline(StandardScaler(), search.best_estimator_)) == 0
    with pytest.warns(PositiveClassWarning, match="'Z' is taken as long PFS"):
        assert long_column(LogisticRegression().fit(TABLE, y)) == 1


def test_rows_that_name_patients_in_another_order_are_refused():
    table = TABLE.set_axis([f"P{k}" for k in range(42)])
    y = pd.Series(Y, table.index)
    mixed = y.sample(frac=1, random_state=0)
    LabPFSClassifier(model="logistic").fit(table, y)
    for other in (mixed, mixed.set_axis(mixed.index.to_numpy()[::-1])):
        with pytest.raises(ValueError, match="X and y name the same patients in another order: row"):
            LabPFSClassifier(model="logistic").fit(table, other)
    with pytest.raises(ValueError, match="another order"):
        compare_models({"lab": LogisticRegression()}, table, mixed, cv=3, verbose=0)
    with pytest.raises(ValueError, match="X and sample_weight"):
        LabPFSClassifier(model="logistic").fit(table, y, sample_weight=pd.Series(1.0, mixed.index))
    LabPFSClassifier(model="logistic").fit(table, y.reset_index(drop=True))  # row numbers name nobody
    check_same_order(table.iloc[:3], pd.Series([1, 0, 1], ["P7", "P8", "P9"]), ("X", "y"))
    with pytest.raises(ValueError, match="another order"):
        check_same_order(table.iloc[:3], pd.Series([1, 0, 1], ["P1", "P2", "P3"]), ("X", "y"))


@pytest.mark.parametrize(
    "labels",
    [["long", "short", None, "long"], ["long", "short", np.nan, "long"], [1, 0, None, 1], [1, 0, pd.NA, 1],
     pd.Series(["long", "short", pd.NA, "long"], dtype="string"), pd.Series([1, 0, None, 1], dtype="Int64"),
     pd.Series([True, False, None, True])],
    ids=repr,
)  # fmt: skip
def test_a_missing_label_is_named_by_its_row(labels):
    table = pd.DataFrame({"a": range(4), "b": [4.0, 2, 3, 1]})
    for model in (LabPFSClassifier(n_estimators=2), CoxPFSClassifier()):
        with pytest.raises(ValueError, match=r"y has no label for 1 of 4 patients, the first in row 2"):
            model.fit(table, labels)


def test_texts_and_numbers_are_not_mixed():
    table = pd.DataFrame({"a": range(4)})
    with pytest.raises(TypeError, match=r"row 0 is 'long', row 1 is 0"):
        LabPFSClassifier(n_estimators=2).fit(table, ["long", 0, "long", 1])


def test_no_place_joins_patients_in_another_order():
    """Every place that takes two things which can name patients, apart from those above."""
    ids = [f"P{k}" for k in range(42)]
    table, y = TABLE.set_axis(ids), pd.Series(Y, ids)
    p = pd.Series(np.linspace(0.1, 0.9, 42), ids)
    times = pd.DataFrame({"event": True, "time": np.arange(1.0, 43.0)}, ids)
    mixed, moved = y.sample(frac=1, random_state=0), p.sample(frac=1, random_state=0)
    numbers = pd.DataFrame({"volume": np.arange(42.0)}, ids).sample(frac=1, random_state=0)
    groups = pd.Series(np.arange(42) % 6, ids).sample(frac=1, random_state=0)
    linear, cohort = LogisticRegression(), Cohort({"lab": table}, ids=ids)
    for wrong in (
        lambda: Cohort({"lab": table}, ids=ids, blocks={"radiomics": numbers}),
        lambda: Cohort({"lab": table}, blocks={"radiomics": numbers}),
        lambda: RocDisplay.from_predictions(y, {"model": moved}),
        lambda: compare_models({"linear": linear}, table, y, groups=groups, verbose=0),
        lambda: leave_one_centre_out({"linear": linear}, table, y, groups.astype(str), verbose=0),
        lambda: harrell_c(times, moved),
        lambda: uno_c(times, moved),
        lambda: inputs_by_class(cohort, mixed),
        lambda: cohort_table(cohort, mixed),
        lambda: grouped_permutation_importance(LabPFSClassifier(model="logistic"), table, mixed, cv=3),
        lambda: modality_shapley(LabPFSClassifier(model="logistic"), cohort, y=mixed, cv=3),
    ):
        with pytest.raises(ValueError, match="name the same patients in another order"):
            wrong()
    same = Cohort({"lab": table}, ids=ids, blocks={"radiomics": numbers.loc[ids]})
    assert same.blocks["radiomics"]["volume"].tolist() == list(range(42))
    assert Cohort({"lab": table}, blocks={"radiomics": numbers.reset_index(drop=True)}).blocks["radiomics"].shape == (
        42,
        1,
    )


def test_inputs_by_class_know_words():
    table = TABLE.assign(gap=np.where(Y == 1, np.nan, 1.0))
    numbers, words = inputs_by_class(table, Y), inputs_by_class(table, np.where(Y == 1, "long", "short"))
    assert numbers.equals(words)
    assert words.set_index("input").loc["gap", "long"] == f"{int(Y.sum())} of {int(Y.sum())}"


def test_importance_of_a_classifier_whose_classes_descend():
    given = {"cv": 3, "groups": None, "random_state": 0}
    found = grouped_permutation_importance(Descending(), TABLE, Y, **given).frame()
    expected = grouped_permutation_importance(LogisticRegression(), TABLE, Y, **given).frame()
    assert found.equals(expected)
    assert found.set_index("group").loc["cga", "importance"] > 0.1
