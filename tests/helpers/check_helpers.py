"""scikit-learn's own checks that are wrong in its older versions."""

from __future__ import annotations

import sklearn
from sklearn.utils.fixes import parse_version

#: Check -> why it fails whatever the estimator of two classes does.
WRONG_CHECKS: dict[str, str] = (
    {
        "check_sample_weight_equivalence_on_dense_data": "before 1.7 it names the two classes after the first label of"
        " each fit's own order, so that the two fits that it compares learn other classes"
    }
    if parse_version(sklearn.__version__) < parse_version("1.7")
    else {}
)
