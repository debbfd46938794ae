"""Stable text and digests: what a finished fold depends on, in a form that survives a restart."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from prrt_estimators._former import former_parameters
from prrt_estimators.cohort import IMAGING, Cohort, Volumes
from prrt_estimators.exceptions import Problem

#: Parameters that change how fast or how loudly a model is fitted, never what is learnt.
WITHOUT_EFFECT = frozenset({"verbose", "n_jobs", "cache_dir", "memory"})

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def digest(*parts: Any) -> str:
    """SHA-256 (first 32 hex digits) of texts, bytes and arrays, with their order and boundaries."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype != object:
            head = f"{part.dtype.str}{part.shape}".encode()
            body: bytes | memoryview = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data if part.size else b""
        elif isinstance(part, bytes):
            head, body = b"bytes", part
        else:
            head, body = b"text", str(part).encode("utf-8", "surrogateescape")
        total.update(f"{len(head)},{len(body)}:".encode() + head)
        total.update(body)
    return total.hexdigest()[:32]


def stable_text(value: Any) -> str:
    """Text of a parameter value that is the same in every process: no address, no order by chance.

    Estimators become their class and parameters, arrays and modules a digest, a path of a file its size and
    time of change.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> stable_text((1, 0.1, "a", None))
    "(1, 0.1, 'a', None)"
    >>> stable_text(LogisticRegression(C=2.0))[:59]
    'sklearn.linear_model._logistic.LogisticRegression(C=2.0, cl'
    """
    if value is None or isinstance(value, (bool, int, bytes)):
        return repr(value)
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, (str, os.PathLike)):
        return _path_text(os.fspath(value))
    if isinstance(value, np.ndarray):
        return f"array({digest(value) if value.dtype != object else stable_text(value.tolist())})"
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return f"table({digest(*_table_parts(pd.DataFrame(value)))})"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(stable_text(item) for item in value)) + "}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{stable_text(k)}: {stable_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(stable_text(item) for item in value)
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    if inspect.isclass(value):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params"):
        return _estimator_text(value)
    if inspect.isroutine(value):
        return _function_text(value)
    if hasattr(value, "state_dict"):
        state = {name: np.asarray(tensor.detach().cpu()) for name, tensor in value.state_dict().items()}
        parts = [part for name, array in state.items() for part in (name, array)]
        return f"{stable_text(type(value))}({digest(_ADDRESS.sub('', repr(value)), *parts)})"
    try:
        return f"{stable_text(type(value))}({joblib.hash(value)})"
    except Exception:  # what cannot be pickled still has a text
        return _ADDRESS.sub("", repr(value))


def _path_text(text: str) -> str:
    # Weights that were exchanged under the same name are another model.
    if os.sep in text or "." in text:
        try:
            info = os.stat(text)
        except (OSError, ValueError):
            return repr(text)
        if os.path.isfile(text):
            return f"{text!r}<{info.st_size} bytes, {info.st_mtime_ns}>"
    return repr(text)


def _estimator_text(estimator: Any) -> str:
    # By the names of before, so that a run that was begun with those goes on.
    params = former_parameters(estimator.get_params(deep=False))
    inside = ", ".join(f"{name}={stable_text(params[name])}" for name in sorted(params) if name not in WITHOUT_EFFECT)
    return f"{stable_text(type(estimator))}({inside})"


def _function_text(function: Any) -> str:
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}"
    if "<lambda>" not in name and not name.startswith("__main__"):
        return _ADDRESS.sub("", name)
    code = getattr(function, "__code__", None)
    return f"{name}({digest(code.co_code, _ADDRESS.sub('', repr(code.co_consts)))})" if code else name


def scorer_text(scorer: Any) -> str:
    """Text of a scorer: its function and options."""
    function = getattr(scorer, "_score_func", None)
    if function is None:
        return stable_text(scorer)
    options = {name: getattr(scorer, name, None) for name in ("_sign", "_response_method", "_kwargs")}
    return f"{stable_text(function)}({stable_text(options)})"


def _table_parts(table: pd.DataFrame) -> Iterable[Any]:
    for position, name in enumerate(table.columns):
        column = table.iloc[:, position]
        yield str(name)
        if column.dtype.kind in "fiub":
            yield column.to_numpy()
        else:  # text, categories, nullable types: type and value of each cell
            yield json.dumps([None if value is pd.NA else repr(value) for value in column.astype(object)])


def _volume_parts(volumes: Volumes, name: str, ids: Sequence[str], missing: list[Problem]) -> Iterable[Any]:
    if volumes.paths is None:
        yield volumes.array
        if volumes.spacing is not None:
            yield volumes.spacing
        return
    for patient, path in zip(ids, volumes.paths, strict=True):
        if path is None:
            yield "-"
            continue
        try:
            info = os.stat(path)
        except OSError:
            missing.append(
                Problem(
                    "the file does not exist or cannot be read",
                    "correct the path in the table, or leave the cell empty if there is no such scan",
                    patient=patient,
                    column=name,
                    file=path,
                )
            )
            yield f"{os.path.abspath(path)} missing"
        else:
            yield f"{os.path.abspath(path)} {info.st_size} {info.st_mtime_ns}"


def data_digest(
    X: Any, y: np.ndarray, ids: Sequence[str], sample_weight: np.ndarray | None
) -> tuple[str, list[Problem]]:
    """Digest of what models are trained on, and the scans that are not where the table says.

    Values of tables and arrays count; for a file its path, size and time of change, so that no scan is opened.
    """
    missing: list[Problem] = []
    parts: list[Any] = ["ids", "\0".join(ids), "y", np.asarray(y)]
    parts += ["weight", "none" if sample_weight is None else np.asarray(sample_weight, dtype=float)]
    if isinstance(X, Cohort):
        for name in X.modalities:
            parts.append(name)
            if name in IMAGING:
                parts += _volume_parts(X[name], name, ids, missing)
            else:
                parts += _table_parts(X[name])
    elif isinstance(X, pd.DataFrame):
        parts += _table_parts(X)
    else:
        array = np.asarray(X)
        parts.append(array if array.dtype != object else stable_text(array.tolist()))
    return digest(*parts), missing


def private_text(text: str, X: Any = None) -> str:
    """Text for a file that others may read: no home folder, and scans named by patient, not by path."""
    if isinstance(X, Cohort):
        for name in (m for m in X.modalities if m in IMAGING and X[m].paths is not None):
            for patient, path in zip(X.ids, X[name].paths, strict=True):
                if path is not None and os.path.basename(path) in text:
                    for spelling in dict.fromkeys((os.path.abspath(path), path)):
                        text = text.replace(spelling, f"<{name} of {patient}>")
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
