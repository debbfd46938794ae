"""Fitted scikit-learn objects as skops parts, of types that are known to be harmless only."""

from __future__ import annotations

from typing import Any

import skops.io

from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.persistence._container import check_stored
from prrt_estimators.persistence._trees import check_forest, check_trees

#: Types beyond those that skops trusts itself that a part may hold.
_TRUSTED = (
    "numpy.dtype",
    "sklearn.compose._column_transformer._RemainderColsList",  # a list, of scikit-learn 1.6
    "sklearn.tree._tree.Tree",
    "prrt_estimators.preprocessing._clipped.ClippedScaler",
    "prrt_estimators.preprocessing._labs.LabPreprocessor",
    "prrt_estimators.preprocessing._labs.PositiveLog",
    "prrt_estimators.preprocessing._markers.LiteratureMarkers",
)

#: A text column with more values than this is not a category of a hundred patients, and may be names.
MAX_LEVELS = 20


def dump_part(fitted: Any) -> bytes:
    """Return a fitted scikit-learn object as a part.

    Raises
    ------
    ValueError
        If a text column has so many values that they may tell who the patients are.
    TypeError
        If it holds objects of a type that `load_part` would refuse: better before the file is written than after.
    """
    check_levels(fitted)
    content = skops.io.dumps(fitted)
    try:
        _check_readable(content, type(fitted).__name__)
    except SavedModelError as error:
        raise TypeError(
            f"{error} It would not be read back, so it is not written: save models of this library, or keep this one in the "
            "script that fits it."
        ) from error
    return content


def load_part(content: bytes, name: str) -> Any:
    """Return the object of a part.

    Raises
    ------
    SavedModelError
        If it holds a type that is not known, or is not a part.
    """
    _check_readable(content, name)
    fitted = skops.io.loads(content, trusted=list(_TRUSTED))
    check_forest(fitted, name)
    return fitted


def _check_readable(content: bytes, name: str) -> None:
    check_stored(content, name)
    check_trees(content, name)
    unknown = [kind for kind in skops.io.get_untrusted_types(data=content) if kind not in _TRUSTED]
    if unknown:
        raise SavedModelError(f"{name} holds objects of types that are not trusted: {', '.join(unknown)}.")


def check_levels(fitted: Any) -> None:
    """Refuse a preprocessor whose categories may be free text, which the file would hold word by word."""
    for column, levels in text_levels(fitted).items():
        if len(levels) > MAX_LEVELS:
            raise ValueError(
                f"column {column!r} has {len(levels)} different texts, which the saved model would hold: they may tell "
                f"who the patients are. Leave the column out, or group it into at most {MAX_LEVELS} categories. joblib "
                "writes the model as it is, for your own use."
            )


def text_levels(preprocessor: Any) -> dict[Any, list[str]]:
    """Return the categories of each text column of a fitted `LabPreprocessor`."""
    columns = list(getattr(preprocessor, "categorical_", []))
    if not columns:
        return {}
    encoder = preprocessor.transformer_.named_transformers_["category"]
    return {name: [str(level) for level in levels] for name, levels in zip(columns, encoder.categories_, strict=True)}
