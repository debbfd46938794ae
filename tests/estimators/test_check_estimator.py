"""scikit-learn's own checks, complete, with every exception named and justified in one table."""

from __future__ import annotations

import numpy as np
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from prrt_estimators import (
    CTPFSClassifier,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
)

WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
DRAWS = (
    "draws bootstrap samples or batches at random, so that a weight of two and a patient given twice meet other "
    "draws; scikit-learn grants the same to its own random forests and SGD estimators"
)
WORDS = "check_classifiers_classes"
UNKNOWN = "labels such as 'one' and 'two' do not say which is long PFS: such words need pos_label"
UNWEIGHTED = "medians, means and deviations of the preprocessing are those of the patients, not of the weights"

#: (estimator, check) -> why it may fail. Nothing else may.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "LabPFSClassifier": {WEIGHTS: DRAWS},
    "FusionPFSClassifier": {WEIGHTS: DRAWS},
    "LabBaselineClassifier": {WEIGHTS: UNWEIGHTED},
    "PETPFSClassifier": {
        WEIGHTS: DRAWS,
        "check_methods_subset_invariance": "single-precision convolutions round differently for batches of "
        "another size; equal to 1e-5 (test_predictions_do_not_depend_on_the_batch), not to the check's 1e-7",
    },
    "PETBaselineClassifier": {WEIGHTS: UNWEIGHTED},
}
EXCEPTIONS["CTPFSClassifier"] = EXCEPTIONS["PETPFSClassifier"]
for _of_model in EXCEPTIONS.values():
    _of_model[WORDS] = UNKNOWN


def _exceptions(estimator) -> dict[str, str]:
    return EXCEPTIONS[type(estimator).__name__.removesuffix("OnRows")]


@parametrize_with_checks(
    [LabPFSClassifier(n_estimators=30), FusionPFSClassifier(), LabBaselineClassifier()],
    expected_failed_checks=_exceptions,
)
def test_tables_pass_every_check(estimator, check):
    before = repr(estimator)
    check(estimator)
    assert repr(estimator) == before, "a check works on a clone"
    assert not [name for name in vars(estimator) if name.endswith("_")], "and fits no other"


class OnRows:
    """Makes a tiny volume of each row of a table, so that the checks, which give tables, reach an image estimator."""

    _takes_table = True

    def _volumes(self, X, reset):
        X = validate_data(self, X, reset=reset, dtype=np.float64)
        return X.reshape(len(X), 1, 1, 1, X.shape[1])

    def fit(self, X, y, sample_weight=None):
        return super().fit(self._volumes(X, reset=True), y, sample_weight)

    def predict_proba(self, X):
        check_is_fitted(self)
        return super().predict_proba(self._volumes(X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = False
        return tags


class TransformsRows(OnRows):
    """The same for an estimator that gives features."""

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._volumes(X, reset=False))


class Flat(nn.Module):
    """Gives the voxels themselves: the checks' volumes are too small for a convolution."""

    def forward(self, volumes):
        return volumes.flatten(1)


class PETBaselineClassifierOnRows(OnRows, PETBaselineClassifier):
    pass


class PETPFSClassifierOnRows(TransformsRows, PETPFSClassifier):
    def __init__(self, *, encoder=Flat, window=None, augment=None, random_state=None):
        super().__init__(encoder=encoder, window=window, augment=augment, random_state=random_state)


class CTPFSClassifierOnRows(TransformsRows, CTPFSClassifier):
    def __init__(self, *, encoder=Flat, window=None, augment=None, random_state=None):
        super().__init__(encoder=encoder, window=window, augment=augment, random_state=random_state)


@parametrize_with_checks(
    [PETBaselineClassifierOnRows(), PETPFSClassifierOnRows(), CTPFSClassifierOnRows()],
    expected_failed_checks=_exceptions,
)
def test_image_estimators_pass_every_check_on_rows_made_volumes(estimator, check):
    before = repr(estimator)
    check(estimator)
    assert repr(estimator) == before, "a check works on a clone"
    assert not [name for name in vars(estimator) if name.endswith("_")], "and fits no other"


def test_names_of_exceptions_are_names_of_checks():
    known = {
        check.func.__name__ if hasattr(check, "func") else check.__name__
        for _, check in estimator_checks_generator(LabPFSClassifier())
    }
    known |= {
        check.func.__name__ if hasattr(check, "func") else check.__name__
        for _, check in estimator_checks_generator(FusionPFSClassifier())
    }
    for name, entries in EXCEPTIONS.items():
        assert set(entries) <= known, name
        assert all(len(reason) > 40 for reason in entries.values())
