"""What cannot be read back is not written."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from prrt_estimators.persistence._sklearn_parts import dump_part, load_part


class Unknown(BaseEstimator):
    """A type that no file may bring."""


def test_a_type_that_would_be_refused_is_not_written():
    holder = LogisticRegression()
    holder.inside_ = Unknown()
    with pytest.raises(TypeError, match=r"LogisticRegression holds .*Unknown"):
        dump_part(holder)


def test_what_is_written_is_read():
    X, y = np.arange(8.0)[:, None], np.arange(8) % 2
    fitted = LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(load_part(dump_part(fitted), "a part").coef_, fitted.coef_)
