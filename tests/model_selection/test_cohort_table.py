import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from pandas.api.types import is_numeric_dtype
from scipy import stats

from prrt_estimators.cohort import Cohort
from prrt_estimators.model_selection._cohort_table import cohort_table, format_cohort_table


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    n = 60
    y = (rng.random(n) < 0.6).astype(int)
    time = np.where(y == 1, 12 + rng.exponential(12, n), 12 * rng.random(n))
    survival = np.empty(n, dtype=[("event", bool), ("time", float)])
    survival["event"] = (y == 0) | (rng.random(n) < 0.6)
    survival["time"] = time
    lab = pd.DataFrame(
        {
            "CgA": np.where(rng.random(n) < 0.1, np.nan, np.exp(rng.normal(5 - y, 1, n))),
            "GGT": rng.normal(60, 20, n),
            "sex": rng.choice(["Female", "Male"], n),
            "grade": rng.choice(["G1", "G2", "G3", None], n),
        },
        index=np.arange(n) + 100,
    )
    return Cohort({"lab": lab}, survival=survival), y


def row_of(table, variable, level=""):
    found = table[(table["variable"] == variable) & (table["level"] == level)]
    assert len(found) == 1
    return found.iloc[0]


def test_worked_by_hand():
    lab = pd.DataFrame({"x": [1.0, 2.0, 3.0, 5.0, 7.0, np.nan], "sex": ["m", "m", "f", "f", "f", ""]})
    table = cohort_table(lab, [0, 0, 0, 1, 1, 1])
    x = row_of(table, "x")
    assert (x["n_known_short"], x["n_known_long"], x["n_known_all"]) == (3, 2, 5)
    assert (x["q1_short"], x["median_short"], x["q3_short"], x["median_long"]) == (1.5, 2, 2.5, 6)
    # Means 6 and 2, variances 2 and 1.
    assert x["smd"] == pytest.approx(4 / np.sqrt(1.5))
    # All of two are above all of three: two of the ten ways to place them.
    assert x["p_value"] == pytest.approx(0.2)
    women = row_of(table, "sex", "f")
    assert (women["count_short"], women["count_long"], women["n_known_all"]) == (1, 2, 5)
    assert (women["percent_short"], women["percent_long"]) == pytest.approx((100 / 3, 100))
    assert women["smd"] == pytest.approx((1 - 1 / 3) / np.sqrt((0 + 2 / 9) / 2))
    assert row_of(table, "sex", "m")["smd"] == pytest.approx(-women["smd"])
    # Margins 3/2 and 3/2: tables with 1, 2, 3 women among the short have chances 3/10, 6/10, 1/10.
    assert women["p_value"] == pytest.approx(0.4)


def test_numbers_agree_with_pandas_and_scipy(cohort):
    X, y = cohort
    row, known = row_of(cohort_table(X, y), "CgA"), X["lab"]["CgA"].to_numpy()
    for group, values in (("short", known[y == 0]), ("long", known[y == 1]), ("all", known)):
        expected = pd.Series(values).quantile([0.25, 0.5, 0.75]).tolist()
        assert row[[f"{key}_{group}" for key in ("q1", "median", "q3")]].tolist() == pytest.approx(expected)
        assert row[f"n_known_{group}"] == pd.Series(values).count()
    expected = stats.mannwhitneyu(known[y == 0], known[y == 1], nan_policy="omit").pvalue
    assert (row["test"], row["p_value"]) == ("Mann-Whitney", pytest.approx(expected))
    means, variances = (pd.Series(known).groupby(y).agg(how) for how in ("mean", "var"))
    assert row["smd"] == pytest.approx((means[1] - means[0]) / np.sqrt(variances.mean()))


def test_categories_agree_with_pandas_and_scipy(cohort):
    X, y = cohort
    table = cohort_table(X, y)
    counts = pd.crosstab(X["lab"]["grade"].to_numpy(), y)
    rows = table[table["variable"] == "grade"]
    assert rows["level"].tolist() == counts.index.tolist() == ["G1", "G2", "G3"]
    assert rows[["count_short", "count_long"]].to_numpy().tolist() == counts.to_numpy().tolist()
    assert rows["percent_long"].sum() == pytest.approx(100)
    assert rows["p_value"].tolist() == pytest.approx([stats.chi2_contingency(counts, correction=False).pvalue] * 3)
    assert rows["test"].str.startswith("chi-square").all()
    sex = row_of(table, "sex", "Male")
    expected = stats.fisher_exact(pd.crosstab(X["lab"]["sex"].to_numpy(), y)).pvalue
    assert (sex["test"], sex["p_value"]) == ("Fisher", pytest.approx(expected))


def test_few_expected_counts_are_marked():
    lab = pd.DataFrame({"grade": list("abcabcab")})
    assert cohort_table(lab, [0, 1] * 4)["test"].iloc[-1] == "chi-square (expected < 5)"
    lab = pd.DataFrame({"grade": list("abc") * 20})
    assert cohort_table(lab, [0, 1] * 30)["test"].iloc[-1] == "chi-square"


def test_outcomes_are_described_but_not_tested(cohort):
    X, y = cohort
    table = cohort_table(X, y)
    outcome = table[table["role"] == "outcome"]
    assert outcome["variable"].tolist() == [
        "follow-up (months)",
        "progression seen",
        "PFS by Kaplan-Meier (months)",
    ]
    assert outcome[["smd", "p_value"]].isna().all(axis=None)
    assert row_of(table, "follow-up (months)")["median_long"] == np.median(X.survival["time"][y == 1])
    assert row_of(table, "progression seen", "yes")["count_all"] == X.survival["event"].sum()
    curve = row_of(table, "PFS by Kaplan-Meier (months)")
    for group, member in (("short", y == 0), ("long", y == 1), ("all", y >= 0)):
        fitter = KaplanMeierFitter().fit(X.survival["time"][member], X.survival["event"][member])
        assert curve[f"median_{group}"] == fitter.median_survival_time_
    assert curve["q1_all"] < curve["median_all"] < curve["q3_all"]


def test_a_curve_that_does_not_fall_is_infinite():
    survival = np.array([(False, 20.0), (False, 30.0), (True, 3.0)], dtype=[("event", bool), ("time", float)])
    table = cohort_table(Cohort({"lab": pd.DataFrame({"x": [1, 2, 3]})}, survival=survival), [1, 1, 0])
    assert np.isinf(row_of(table, "PFS by Kaplan-Meier (months)")["median_long"])
    text = format_cohort_table(table)
    assert text["long PFS (n = 2)"].iloc[-1] == "not reached [not reached, not reached]"


def test_order_of_patients_does_not_matter_and_classes_mirror(cohort):
    X, y = cohort
    table = cohort_table(X, y)
    order = np.random.default_rng(1).permutation(len(y))
    pd.testing.assert_frame_equal(cohort_table(X[order], y[order]), table)
    mirrored = cohort_table(X, 1 - y)
    assert mirrored["smd"].to_numpy() == pytest.approx(-table["smd"].to_numpy(), nan_ok=True)
    assert mirrored["p_value"].to_numpy() == pytest.approx(table["p_value"].to_numpy(), nan_ok=True)
    assert mirrored["median_short"].equals(table["median_long"])


def test_what_counts_as_a_category():
    lab = pd.DataFrame(
        {
            "text number": ["<20", "3,5", "7", "80"],
            "flag": [True, False, True, True],
            "zero-one": [0, 1, 1, np.nan],
            "grade": [1, 2, 3, 2],
            "text": ["low", "12", "high", "low"],
        }
    )

    def kinds(**kwargs):
        table = cohort_table(lab, [0, 1, 0, 1], **kwargs)
        return table.drop_duplicates("variable").set_index("variable")["kind"].to_dict()

    expected = {
        "patients": "count",
        "text number": "number",
        "flag": "category",
        "zero-one": "category",
        "grade": "number",
        "text": "category",
    }
    assert kinds() == expected
    assert kinds(categorical=["grade"]) == expected | {"grade": "category", "zero-one": "number"}
    table = cohort_table(lab, [0, 1, 0, 1])
    assert row_of(table, "text number")["median_short"] == pytest.approx(8.5)
    assert table.loc[table["variable"] == "zero-one", "level"].tolist() == ["0", "1"]
    assert table.loc[table["variable"] == "flag", "level"].tolist() == ["no", "yes"]
    assert table.loc[table["variable"] == "text", "level"].tolist() == ["12", "high", "low"]


def test_sparse_columns_give_nan_and_no_warning():
    lab = pd.DataFrame({"empty": [np.nan] * 4, "one side": [1.0, 2.0, np.nan, np.nan], "same": ["a"] * 4})
    lab["constant"] = 5.0
    table = cohort_table(lab, [0, 0, 1, 1])
    assert row_of(table, "one side", "1")["n_known_long"] == 0
    assert table.iloc[1:]["p_value"].isna().all()
    number = cohort_table(lab, [0, 0, 1, 1], categorical=[])
    assert np.isnan(row_of(number, "one side")["median_long"])
    assert row_of(number, "constant")["smd"] == 0
    assert "-" in format_cohort_table(number)["long PFS (n = 2)"].tolist()


def test_measures_are_numeric_columns_and_text_is_made_apart(cohort):
    X, y = cohort
    table = cohort_table(X, y)
    words = ["variable", "level", "kind", "role", "test"]
    assert all(is_numeric_dtype(table[name]) for name in table.columns.drop(words))
    text = table.pipe(format_cohort_table)
    assert len(text) == len(table)
    assert text.columns.tolist() == [
        "variable",
        "level",
        "known",
        f"short PFS (n = {(y == 0).sum()})",
        f"long PFS (n = {y.sum()})",
        f"all (n = {len(y)})",
        "SMD",
        "p (descriptive)",
    ]
    grade = text["variable"].tolist().index("grade, n (%)")
    assert text["variable"].iloc[grade + 1] == text["p (descriptive)"].iloc[grade + 1] == ""
    assert "nan" not in text.to_string().lower()


def test_a_small_p_value_is_not_printed_as_zero():
    table = cohort_table(pd.DataFrame({"x": np.arange(60.0)}), np.arange(60) >= 30)
    assert format_cohort_table(table)["p (descriptive)"].iloc[-1] == "< 0.001"


def test_a_cohort_without_labs_still_has_its_follow_up():
    survival = np.array([(True, 3.0), (False, 30.0)], dtype=[("event", bool), ("time", float)])
    table = cohort_table(Cohort({"pet": ["a.nii", "b.nii"]}, survival=survival), [0, 1])
    assert table["role"].tolist() == ["cohort", "outcome", "outcome", "outcome"]


def test_wrong_arguments_are_named():
    lab = pd.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"`y` must hold 1 .* for each of 2 patients; got shape \(3,\)"):
        cohort_table(lab, [0, 1, 1])
    with pytest.raises(ValueError, match="`y` must hold 1"):
        cohort_table(lab, [1, 2])
    with pytest.raises(ValueError, match="`categorical` names z; the lab columns are"):
        cohort_table(lab, [0, 1], categorical=["z"])
    with pytest.raises(TypeError, match="got ndarray"):
        cohort_table(np.eye(2), [0, 1])
