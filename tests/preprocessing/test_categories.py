"""Names, kinds and categories that other tables and other hands write."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel

from prrt_estimators import LabBaselineClassifier, LabPFSClassifier, load_cohort
from prrt_estimators._classes import probability_of_long
from prrt_estimators._pandas_tables import for_spreadsheets, from_spreadsheets
from prrt_estimators.exceptions import CohortWarning
from prrt_estimators.preprocessing import LabPreprocessor, LiteratureMarkers

RNG = np.random.default_rng(0)
Y = np.tile([0, 1], 20)
TABLE = pd.DataFrame(
    {
        "noise": RNG.normal(size=40), "cga": np.exp(RNG.normal(size=40) - 3 * Y), "sex": np.where(RNG.random(40) < 0.5, "f", "m"),
        "age": RNG.normal(60, 5, 40), "AST": 30.0, "ALT": RNG.uniform(10, 60, 40),
    }
)  # fmt: skip


class Arrow:
    """A table with the methods of pyarrow's."""

    def __init__(self, frame):
        self.frame = frame
        self.column_names, self.shape = list(frame.columns), frame.shape

    def to_pydict(self):
        return {name: [None if pd.isna(cell) else cell for cell in self.frame[name]] for name in self.frame}

    def __len__(self):
        return len(self.frame)


@pytest.mark.parametrize("kind", ["arrow", "polars", "pyarrow"])
@pytest.mark.parametrize(
    "model", [LabPFSClassifier(n_estimators=10, random_state=0), LabBaselineClassifier()], ids=type
)
def test_tables_of_other_libraries_keep_names_logs_and_markers(kind, model):
    table = TABLE.copy()
    table.loc[3, "age"] = np.nan
    if kind == "arrow":
        other = Arrow(table)
    elif kind == "polars":
        other = pytest.importorskip("polars").DataFrame(table.to_dict("list"))
    else:
        other = pytest.importorskip("pyarrow").Table.from_pandas(table)
    usual, ours = model.__class__(**model.get_params()).fit(table, Y), model.fit(other, Y)
    assert ours.feature_names_in_.tolist() == list(table.columns)
    assert ours.preprocessor_.logged_ == usual.preprocessor_.logged_
    assert getattr(ours, "markers_", None) == getattr(usual, "markers_", None)
    np.testing.assert_array_equal(ours.predict_proba(other), usual.predict_proba(table))
    np.testing.assert_array_equal(ours.predict_proba({"lab": other}), usual.predict_proba(table))
    rows = load_cohort(other, time=None, verbose=False)
    assert list(rows.X["lab"].columns) == ["cga", "sex", "age", "AST", "ALT"]


def test_decimals_and_fractions_are_numbers():
    table = pd.DataFrame({"cga": [Decimal("2.5"), Decimal("NaN"), Decimal("10")], "x": [Fraction(1, 2), 2, None]})
    prep = LabPreprocessor(scale=False, log=None, indicators=False).fit(table)
    assert prep.numeric_ == ["cga", "x"]
    assert prep.transform(table).tolist() == [[2.5, 0.5], [6.25, 2.0], [10.0, 1.25]]


@pytest.mark.parametrize(
    "other", [["F", "M"], ["weiblich", "männl."], ["W", "m "], ["female", "Male"], ["f\u200b", "Ｍ"]]
)
def test_sexes_are_known_however_they_are_written(other):
    prep = LabPreprocessor().fit(pd.DataFrame({"sex": ["f", "m", "f"]}))
    known = prep.transform(pd.DataFrame({"sex": ["f", "m"]}))
    np.testing.assert_array_equal(prep.transform(pd.DataFrame({"sex": other})), known)
    mixed = LabPreprocessor().fit(pd.DataFrame({"Geschlecht (m/w)": ["w", "m", "weiblich", "w", "Mann"]}))
    assert mixed.get_feature_names_out().tolist() == ["Geschlecht (m/w)_m", "Geschlecht (m/w)_w"]


def test_other_unseen_categories_are_warned_of():
    prep = LabPreprocessor().fit(pd.DataFrame({"site": ["Pancreas", "ileum", "lung"], "sex": ["f", "m", "m"]}))
    assert prep.transform(pd.DataFrame({"site": ["pancreas"], "sex": ["m"]})).sum() == 2  # capitals are no other site
    with pytest.warns(CohortWarning, match=r"'site' holds 'colon', which no training patient had \(they had Pancreas"):
        assert prep.transform(pd.DataFrame({"site": ["colon"], "sex": ["m"]})).sum() == 1
    with pytest.warns(CohortWarning, match="'sex' holds 'divers'"):
        prep.transform(pd.DataFrame({"site": ["lung"], "sex": ["divers"]}))


def test_none_and_minus_are_levels_in_training_and_after():
    table = pd.DataFrame({"syndrome": ["none", "carcinoid", "none"], "sstr": ["+", "-", "++"], "x": ["a", "-", "a"]})
    prep = LabPreprocessor().fit(table)
    names = prep.get_feature_names_out().tolist()
    assert {"syndrome_none", "sstr_-", "x_missing"} <= set(names)
    one = pd.DataFrame(prep.transform(table.iloc[[1]].assign(syndrome="none")), columns=names)
    assert one.loc[0, ["syndrome_none", "sstr_-", "x_missing"]].tolist() == [1, 1, 1]


def test_german_thousands_in_a_table_that_is_handed_over():
    table = pd.DataFrame({"cga": ["4.500", "85,5", "> 5.000"], "hb": ["13,5", "12", "9"]})
    prep = LabPreprocessor(scale=False, log=None).fit(table)
    assert prep.transform(table).tolist() == [[4500, 13.5], [85.5, 12], [5000, 9]]
    with pytest.raises(ValueError, match=r"'4\.500', which could mean two numbers"):
        prep.transform(pd.DataFrame({"cga": ["4.500"], "hb": ["12"]}))  # one row alone does not tell
    with pytest.raises(ValueError, match="could mean two numbers"):
        LabPreprocessor().fit(pd.DataFrame({"cga": ["4.500", "85"], "hb": ["13,5", "12"]}))
    with pytest.raises(ValueError, match=r"'AST' holds '1\.200'"):
        LiteratureMarkers().fit_transform(pd.DataFrame({"AST": ["1.200", "50"], "ALT": ["13,5", "12"]}))
    with pytest.raises(ValueError, match="holds an error of a spreadsheet"):
        LabPreprocessor().fit(pd.DataFrame({"cga": ["#DIV/0!", "5"]}))


def test_limits_of_normal_know_the_sex_however_it_is_written():
    table = pd.DataFrame({"creatinine": [1.2, 0.9, 1.2], "Sex (m/f)": ["männlich", "Frau", "Herr"]})
    assert LiteratureMarkers().fit_transform(table)["creatinine_uln"].tolist() == [1.0, 1.0, 1.0]


def test_importances_and_coefficients_are_those_of_the_columns_in_their_order():
    clf = LabPFSClassifier(n_estimators=50, random_state=0).fit(TABLE, Y)
    assert clf.feature_importances_.shape == (TABLE.shape[1],)
    assert clf.feature_importances_.sum() == pytest.approx(1)
    assert clf.feature_names_in_[np.argmax(clf.feature_importances_)] == "cga"
    chosen = SelectFromModel(clf, max_features=1, prefit=True, threshold=-np.inf)
    assert chosen.get_support().tolist() == [name == "cga" for name in TABLE]
    numbers = TABLE[["noise", "cga", "age", "ALT"]]
    linear = LabPFSClassifier(model="logistic").fit(numbers, Y)
    assert linear.coef_.shape == (1, 4)
    assert np.argmax(np.abs(linear.coef_)) == 1
    assert linear.coef_[0, 1] < 0
    words = LabPFSClassifier(model="logistic").fit(numbers, np.where(Y == 1, "long", "short"))
    np.testing.assert_array_equal(words.coef_, -linear.coef_)  # of the second class, short
    np.testing.assert_array_equal(probability_of_long(words, numbers), probability_of_long(linear, numbers))
    with pytest.raises(AttributeError, match="without gaps"):
        _ = LabPFSClassifier(model="logistic").fit(TABLE, Y).coef_


def test_written_tables_hold_no_formulas_and_come_back(tmp_path):
    table = pd.DataFrame(
        {"patient_id": ["=1+1", "+49", "-x", "@a"], "age": [60, 61, 62, 63], "=site": ["'=a", "b", "-1", "-"], "pfs_months": [30, 5, 20, 4]}
    )  # fmt: skip
    path = tmp_path / "t.csv"
    for_spreadsheets(table).to_csv(path, index=False)
    cells = [cell for line in path.read_text().splitlines() for cell in line.split(",")]
    assert not any(cell[:1] in "=+@" for cell in cells)
    found = load_cohort(path, event=None, lab=["age", "=site"], verbose=False)
    assert found.X.ids.tolist() == table["patient_id"].tolist()
    assert found.X["lab"]["=site"].fillna("-").tolist() == ["'=a", "b", "-1", "-"]
    assert from_spreadsheets(for_spreadsheets(table)).equals(table)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("kind", ["twice", "two spellings", "two header rows"])
@pytest.mark.parametrize("model", [LabPFSClassifier(n_estimators=2), LabBaselineClassifier(), LabPreprocessor()])
def test_columns_that_cannot_be_told_apart_are_refused(model, kind, fitted):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.lognormal(4, 1, (12, 3)), columns=["CgA", "AST", "ALT"])
    wrong = {
        "twice": table.set_axis(["CgA", "AST", "AST"], axis=1),
        "two spellings": table.set_axis(["CgA", "AST", "AST\u200b"], axis=1),
        "two header rows": pd.concat({"labs": table}, axis=1),
    }[kind]
    y = np.arange(12) % 2
    error, match = (TypeError, "one header row") if kind == "two header rows" else (ValueError, "'AST'|AST")
    model = clone(model).fit(table, y) if fitted else clone(model)
    read = model.transform if isinstance(model, LabPreprocessor) else getattr(model, "predict_proba", None)
    with pytest.raises(error, match=match):
        read(wrong) if fitted else model.fit(wrong, y)


def test_numbers_for_names_are_read_by_position():
    table = pd.DataFrame(np.random.default_rng(0).lognormal(4, 1, (12, 2)), columns=["CgA", "AST"])
    model = LabPFSClassifier(n_estimators=5, random_state=0).fit(table, np.arange(12) % 2)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = model.predict_proba(table.set_axis([0, 1], axis=1))
    np.testing.assert_array_equal(found, model.predict_proba(table))
