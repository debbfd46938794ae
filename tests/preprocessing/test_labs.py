import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import check_estimator

from prrt_estimators.exceptions import CohortWarning
from prrt_estimators.preprocessing import LabPreprocessor
from prrt_estimators.preprocessing._labs import PositiveLog


@pytest.mark.parametrize("transformer", [LabPreprocessor(), PositiveLog()])
def test_passes_scikit_learn_s_checks(transformer):
    results = check_estimator(transformer, on_skip=None)
    assert sum(r["status"] == "passed" for r in results) > 40


def test_medians_scales_and_logs_by_hand():
    table = pd.DataFrame({"CgA [ug/l]": [np.e, np.e**3, np.nan], "age": [40.0, 60.0, 50.0]})
    out = LabPreprocessor().fit(table)
    assert out.logged_ == ["CgA [ug/l]"]
    assert out.get_feature_names_out().tolist() == ["CgA [ug/l]", "age", "missingindicator_CgA [ug/l]"]
    # Logs 1, 3 and their median 2 for the gap; ages 40, 60, 50.
    scale = np.sqrt(2 / 3)
    np.testing.assert_allclose(
        out.transform(table), [[-1 / scale, -10 / (10 * scale), 0], [1 / scale, 1 / scale, 0], [0, 0, 1]], atol=1e-12
    )


def test_training_statistics_are_used_later():
    prep = LabPreprocessor().fit(pd.DataFrame({"age": [40.0, 60.0]}))
    assert prep.transform(pd.DataFrame({"age": [1000.0]})).tolist() == [[95.0]]
    assert prep.transform(pd.DataFrame({"age": [np.nan]})).tolist() == [[0.0]]


def test_text_cells_and_categories():
    table = pd.DataFrame({"ggt": ["<20", "3,5", None], "sex": ["Male", "Female ", None], "flag": [True, False, True]})
    prep = LabPreprocessor(scale=False, log=None).fit(table)
    assert prep.numeric_ == ["ggt", "flag"]
    assert prep.categorical_ == ["sex"]
    names = prep.get_feature_names_out().tolist()
    out = pd.DataFrame(prep.transform(table), columns=names)
    assert out["ggt"].tolist() == [10.0, 3.5, 6.75]
    assert out[["sex_Female", "sex_Male", "sex_missing"]].to_numpy().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_an_unseen_category_gives_zeros():
    prep = LabPreprocessor().fit(pd.DataFrame({"sex": ["m", "f"]}))
    with pytest.warns(CohortWarning, match="'sex' holds 'x'"):
        assert prep.transform(pd.DataFrame({"sex": ["x"]})).tolist() == [[0.0, 0.0]]


def test_numbers_and_text_in_one_column_are_refused_by_name():
    with pytest.raises(ValueError, match=r"'age' mixes numbers with text such as 'old'"):
        LabPreprocessor().fit(pd.DataFrame({"age": [1.0, "old", 3.0]}))
    prep = LabPreprocessor().fit(pd.DataFrame({"age": [1.0, 2.0]}))
    with pytest.raises(ValueError, match=r"'age' holds numbers in training but 'old' here"):
        prep.transform(pd.DataFrame({"age": ["old"]}))
    with pytest.raises(ValueError, match="infinity in column 'age'"):
        prep.transform(pd.DataFrame({"age": [np.inf]}))


def test_a_column_empty_in_training_is_harmless():
    table = pd.DataFrame({"a": [np.nan, np.nan], "b": [1.0, 2.0]})
    assert np.isfinite(LabPreprocessor().fit_transform(table)).all()


def test_zero_counts_as_half_the_smallest_positive_value():
    prep = PositiveLog().fit([[0.0], [4.0], [np.nan]])
    np.testing.assert_allclose(prep.transform([[0.0], [4.0], [-1.0], [np.nan]]), np.log([[2], [4], [2], [np.nan]]))


def test_set_output_gives_named_columns():
    frame = LabPreprocessor().set_output(transform="pandas").fit_transform(pd.DataFrame({"age": [1.0, 2.0]}))
    assert frame.columns.tolist() == ["age"]


def test_log_parameter():
    table = pd.DataFrame({"age": [1.0, np.e], "cga": [1.0, 2.0]})
    assert LabPreprocessor(log=["age"]).fit(table).logged_ == ["age"]
    assert LabPreprocessor(log=None).fit(table).logged_ == []
    with pytest.raises(ValueError, match="`log` must be"):
        LabPreprocessor(log="yes").fit(table)
