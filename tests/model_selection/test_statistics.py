import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.model_selection._statistics import corrected_t_test, holm, pool_repeats


def test_corrected_t_test_worked_by_hand():
    # s^2 = 0.02/3, SE^2 = (1/4 + 1/2) s^2 = 0.005, t = 0.1/sqrt(0.005) = sqrt(2).
    test = corrected_t_test([0.1, 0.0, 0.2, 0.1], n_train=60, n_test=30)
    assert test.mean == pytest.approx(0.1)
    assert test.standard_error == pytest.approx(np.sqrt(0.005))
    assert test.statistic == pytest.approx(np.sqrt(2))
    assert test.df == 3
    assert test.pvalue == pytest.approx(2 * stats.t.sf(np.sqrt(2), 3))
    # t quantile 0.975 with 3 degrees of freedom is 3.1824.
    assert (test.low, test.high) == pytest.approx((0.1 - 3.1824 * 0.0707107, 0.1 + 3.1824 * 0.0707107), abs=1e-5)


def test_without_overlap_it_is_the_ordinary_t_test():
    d = np.random.default_rng(0).normal(0.02, 0.05, 15)
    test = corrected_t_test(d, n_train=1e12, n_test=1)
    expected = stats.ttest_1samp(d, 0)
    assert test.pvalue == pytest.approx(expected.pvalue)
    assert (test.low, test.high) == pytest.approx(expected.confidence_interval())
    assert corrected_t_test(d, n_train=2, n_test=1).pvalue > test.pvalue


def test_swapping_the_models_turns_the_sign():
    d = np.array([0.1, -0.02, 0.05])
    one, other = (corrected_t_test(sign * d, n_train=2, n_test=1) for sign in (1, -1))
    assert one.pvalue == other.pvalue
    assert (one.low, one.statistic) == (-other.high, -other.statistic)


def test_equal_models_give_no_evidence():
    test = corrected_t_test(np.zeros(6), n_train=2, n_test=1)
    assert (test.pvalue, test.low, test.high) == (1, 0, 0)
    assert corrected_t_test([0.5, 0.5], n_train=2, n_test=1).pvalue == 0


def test_splits_without_a_score_are_left_out_and_counted():
    with pytest.warns(ResultsWarning, match="1 of 4 splits"):
        test = corrected_t_test([0.1, np.nan, 0.0, 0.2], n_train=2, n_test=1)
    assert test == corrected_t_test([0.1, 0.0, 0.2], n_train=2, n_test=1)


@pytest.mark.parametrize(
    ("differences", "kwargs", "message"),
    [
        ([0.1], {}, "at least two splits with a score; got 1"),
        ([[0.1, 0.2]], {}, "one value per split"),
        ([0.1, 0.2], {"n_train": 0}, "`n_train` and `n_test` must be positive"),
        ([0.1, 0.2], {"confidence_level": 95}, "`confidence_level` must lie between 0 and 1; got 95"),
    ],
)
def test_wrong_arguments_are_named(differences, kwargs, message):
    with pytest.raises(ValueError, match=message):
        corrected_t_test(differences, **{"n_train": 60, "n_test": 30} | kwargs)


def test_holm_worked_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, made monotone.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]).shape == (0,)


def test_holm_leaves_out_comparisons_that_were_not_made():
    assert holm([np.nan, 0.01, 0.04]) == pytest.approx([np.nan, 0.02, 0.04], nan_ok=True)


def test_holm_lies_between_none_and_bonferroni():
    p = np.random.default_rng(1).random(20) ** 3
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(20 * p, 1)).all()
    assert adjusted.min() == pytest.approx(20 * p.min())
    assert (np.argsort(adjusted[np.argsort(p)], kind="stable") == np.arange(20)).all()


def test_holm_refuses_what_is_no_p_value():
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.2, 1.2])


@pytest.fixture
def predictions():
    rows = []
    for model, shift in (("pet", 0.0), ("lab", 0.1)):
        for repeat in range(3):
            for fold, patients in enumerate((["b", "a"], ["c", "d"])):
                for patient in patients:
                    rows.append((model, repeat, fold, patient, int(patient > "b"), shift + repeat / 10))
    return pd.DataFrame(rows, columns=["model", "repeat", "fold", "patient_id", "y_true", "p_long"])


def test_pool_repeats_averages_each_patient(predictions):
    predictions.loc[predictions["patient_id"].eq("a") & predictions["model"].eq("pet"), "p_long"] = [0.1, 0.1, 0.7]
    pooled = pool_repeats(predictions)
    assert pooled["model"].tolist() == ["pet"] * 4 + ["lab"] * 4
    assert pooled["patient_id"].tolist() == ["b", "a", "c", "d"] * 2
    assert pooled["y_true"].tolist() == [0, 0, 1, 1] * 2
    assert pooled["y_score"].to_numpy() == pytest.approx([0.1, 0.3, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2])
    assert pooled["n_predictions"].tolist() == [3] * 8


def test_pool_repeats_does_not_depend_on_the_order_of_rows(predictions):
    shuffled = pool_repeats(predictions.sample(frac=1, random_state=0))
    keys = ["model", "patient_id"]
    pd.testing.assert_frame_equal(
        shuffled.sort_values(keys, ignore_index=True),
        pool_repeats(predictions).sort_values(keys, ignore_index=True),
    )


def test_pool_repeats_names_what_is_wrong(predictions):
    with pytest.raises(ValueError, match="lacks the column"):
        pool_repeats(predictions.drop(columns="fold"))
    with pytest.raises(ValueError, match="patient b: two predictions by model pet in repeat 0, fold 0"):
        pool_repeats(pd.concat([predictions, predictions.iloc[[0]]]))
    predictions.loc[2, "y_true"] = 0
    with pytest.raises(ValueError, match="patient c: `y_true` holds both classes"):
        pool_repeats(predictions)
