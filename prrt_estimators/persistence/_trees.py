"""Trees of a saved forest, checked before the compiled code that walks them without looking sees them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from prrt_estimators.exceptions import SavedModelError

#: What holds state that compiled code believes, and what no estimator of this library is made of.
_COMPILED = (
    "sklearn.svm", "sklearn.neighbors", "sklearn.cluster", "sklearn.manifold", "sklearn.gaussian_process",
    "sklearn.ensemble._hist_gradient_boosting", "sklearn.ensemble._gb", "sklearn.metrics", "sklearn._loss",
)  # fmt: skip
_LEAF = -1
_MAX_FEATURES = 1_000_000


def check_trees(content: bytes, name: str) -> None:
    """Check every tree in a skops part before the part is loaded.

    A tree is sound if each inner node has two children that come after it, looks at a feature that there is and has a
    threshold, and each node has shares of its classes that add up to 1. Walking it then ends, within its arrays, and what it
    predicts are probabilities.

    Parameters
    ----------
    content : bytes
        The part.
    name : str
        Of the file, for the message.

    Raises
    ------
    SavedModelError
        If one is not, or the part holds what this library does not write.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read("schema.json"))
        for node in _nodes(schema):
            module = str(node.get("__module__", ""))
            if module.startswith(_COMPILED):
                raise SavedModelError(f"{name} holds objects of types that save_model does not write: {module}.")
            if node.get("__class__") == "Tree":
                try:
                    _check(node, archive)
                except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                    raise SavedModelError(
                        f"{name} holds a tree that no forest grows ({error}); do not trust where it is from."
                    ) from None


def check_forest(fitted: Any, name: str) -> None:
    """Refuse a forest whose trees are of more features than it checks its input for."""
    for tree in getattr(fitted, "estimators_", None) or []:
        inner = getattr(tree, "tree_", None)
        if inner is None or inner.n_features != fitted.n_features_in_:
            raise SavedModelError(f"{name} holds a tree of another forest; do not trust where it is from.")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    open_values = [value]
    while open_values:
        one = open_values.pop()
        if isinstance(one, dict):
            yield one
            open_values.extend(one.values())
        elif isinstance(one, list):
            open_values.extend(one)


def _check(node: dict[str, Any], archive: zipfile.ZipFile) -> None:
    features, classes, outputs = node["__reduce__"]["args"]["content"]
    n_features, n_classes = _number(features), _array(classes, archive)
    if not 1 <= n_features <= _MAX_FEATURES or _number(outputs) != 1:
        raise ValueError("its features or outputs")
    if n_classes.shape != (1,) or n_classes.dtype.kind not in "iu" or not 1 <= int(n_classes[0]) <= 1000:
        raise ValueError("its classes")
    state = node["content"]["content"]
    nodes, values = _array(state["nodes"], archive), _array(state["values"], archive)
    n = _number(state["node_count"])
    if nodes.shape != (n,) or n < 1 or values.shape != (n, 1, int(n_classes[0])) or not np.isfinite(values).all():
        raise ValueError("its nodes or their classes")
    # What is predicted is the mean of these over the trees. A tree of numbers has one "class".
    if values.shape[2] > 1 and ((values < 0).any() or not np.allclose(values.sum(axis=2), 1.0, atol=1e-6)):
        raise ValueError("shares of classes that do not add up to 1")
    left, right = nodes["left_child"].astype(np.int64), nodes["right_child"].astype(np.int64)
    inner = left != _LEAF
    places = np.flatnonzero(inner)
    if (inner != (right != _LEAF)).any():
        raise ValueError("a node with one child")
    for child in (left[inner], right[inner]):
        if (child <= places).any() or (child >= n).any():
            raise ValueError("a child that does not come after its node")
    looked_at = nodes["feature"].astype(np.int64)[inner]
    if (looked_at < 0).any() or (looked_at >= n_features).any() or np.isnan(nodes["threshold"][inner]).any():
        raise ValueError("a split on a column that there is not")


def _number(node: dict[str, Any]) -> int:
    value = json.loads(node["content"])
    if type(value) is not int:
        raise TypeError("a number that is none")
    return value


def _array(node: dict[str, Any], archive: zipfile.ZipFile) -> np.ndarray:
    return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
