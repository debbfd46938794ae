"""What cannot be read back is not written."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from prrt_estimators.persistence._sklearn_parts import dump_part, load_part


class Unknown(BaseEstimator):
    """A type that no file may bring."""


X, y = np.arange(8.0)[:, None], np.arange(8) % 2


@pytest.mark.parametrize(
    "inside",
    [
        Unknown(),
        KNeighborsClassifier(1).fit(X, y),  # skops trusts it; compiled code believes its state
        HistGradientBoostingClassifier(max_iter=1).fit(X, y),
        SVC().fit(X, y),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_type_that_would_be_refused_is_not_written(inside):
    holder = LogisticRegression()
    holder.inside_ = inside
    with pytest.raises(TypeError, match=r"LogisticRegression holds .* not written"):
        dump_part(holder)


def test_what_is_written_is_read():
    fitted = LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(load_part(dump_part(fitted), "a part").coef_, fitted.coef_)
