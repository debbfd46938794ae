"""Stable text and digests: what a finished fold depends on, in a form that survives a restart."""

from __future__ import annotations

import functools
import hashlib
import inspect
import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from prrt_estimators._former_parameters import with_removed
from prrt_estimators._modalities import IMAGING
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.exceptions import Problem
from prrt_estimators.metrics import SCORES
from prrt_estimators.model_selection._old_runs import old_parameters, old_path, old_scorer

#: Parameters that change how fast or how loudly a model is fitted, never what is learnt.
WITHOUT_EFFECT = frozenset({"verbose", "n_jobs", "cache_dir", "memory"})
#: Parameters that came later: where they are None, the text is that of before.
LATER = frozenset({"callbacks"})

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


def stable_text(value: Any, *, old: bool = False) -> str:
    """Text of a parameter value that is the same in every process: no address, no order by chance.

    Estimators become their class and parameters, arrays and modules a digest, a path of a file its size and
    time of change. Classes and functions go by their public names, so that a file can be moved. With `old` they
    go by the paths that results folders of format 1 hold.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> stable_text((1, 0.1, "a", None))
    "(1, 0.1, 'a', None)"
    >>> stable_text(LogisticRegression(C=2.0))[:59]
    'sklearn.linear_model.LogisticRegression(C=2.0, class_weight'
    """
    text = functools.partial(stable_text, old=old)
    if value is None or isinstance(value, (bool, int, bytes)):
        return repr(value)
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, (str, os.PathLike)):
        return _path_text(os.fspath(value))
    if isinstance(value, np.ndarray):
        return f"array({digest(value) if value.dtype != object else text(value.tolist())})"
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return f"table({digest(*_table_parts(pd.DataFrame(value)))})"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(text(item) for item in value)) + "}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(k)}: {text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(text(item) for item in value)
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    if inspect.isclass(value):
        return old_path(value) if old else public_path(value)
    if hasattr(value, "get_params"):
        return _estimator_text(value, old)
    if inspect.isroutine(value):
        return _function_text(value, old)
    if hasattr(value, "state_dict"):
        state = {name: np.asarray(tensor.detach().cpu()) for name, tensor in value.state_dict().items()}
        parts = [part for name, array in state.items() for part in (name, array)]
        return f"{text(type(value))}({digest(_ADDRESS.sub('', repr(value)), *parts)})"
    try:
        return f"{text(type(value))}({joblib.hash(value)})"
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


def public_path(thing: Any) -> str:
    """Return where a class or function is offered, without the private files that it may be moved between.

    Examples
    --------
    >>> from prrt_estimators.estimators import LabPFSClassifier
    >>> public_path(LabPFSClassifier)
    'prrt_estimators.LabPFSClassifier'
    """
    module = str(getattr(thing, "__module__", None) or "")
    name = getattr(thing, "__qualname__", repr(thing))
    first, *others = module.split(".")
    if first == "prrt_estimators":
        return f"{first}.{name}"
    return ".".join([first, *itertools.takewhile(lambda part: not part.startswith("_"), others), name])


def _estimator_text(estimator: Any, old: bool) -> str:
    params = old_parameters(estimator) if old else with_removed(estimator.get_params(deep=False))
    inside = ", ".join(
        f"{name}={stable_text(params[name], old=old)}"
        for name in sorted(params)
        if name not in WITHOUT_EFFECT and not (name in LATER and params[name] is None)
    )
    return f"{stable_text(type(estimator), old=old)}({inside})"


def _function_text(function: Any, old: bool) -> str:
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}"
    if "<lambda>" not in name and not name.startswith("__main__"):
        return _ADDRESS.sub("", name if old else public_path(function))
    code = getattr(function, "__code__", None)
    return f"{name}({digest(code.co_code, _ADDRESS.sub('', repr(code.co_consts)))})" if code else name


def scorer_text(scorer: Any, *, old: bool = False) -> str:
    """Text of a scorer: the name of a registered score, else its function and options."""
    function = getattr(scorer, "_score_func", None)
    if function is None:
        return stable_text(scorer, old=old)
    score = next((one for one in SCORES.values() if one.function is function), None)
    if old and score is not None:
        return old_scorer(score.name)
    if score is not None and public_path(function).startswith("prrt_estimators."):
        given, usual = (dict(getattr(one, "_kwargs", None) or {}) for one in (scorer, score.scorer))
        return score.name if given == usual else f"{score.name}({stable_text(given)})"
    options = {name: getattr(scorer, name, None) for name in ("_sign", "_response_method", "_kwargs")}
    return f"{stable_text(function, old=old)}({stable_text(options, old=old)})"


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
        for name, table in X.blocks.items():
            parts += [f"block {name}", *_table_parts(table)]
    elif isinstance(X, pd.DataFrame):
        parts += _table_parts(X)
    else:
        array = np.asarray(X)
        parts.append(array if array.dtype != object else stable_text(array.tolist()))
    return digest(*parts), missing


def private_text(text: str, X: Any = None) -> str:
    """Text for a file that others may read: no home folder, and scans named by patient, not by path."""
    if isinstance(X, Cohort):
        volumes = {name: X[name] for name in X.modalities if name in IMAGING} | dict(X.masks)
        for name, own in volumes.items():
            for patient, path in [] if own.paths is None else zip(X.ids, own.paths, strict=True):
                if path is not None and os.path.basename(path) in text:
                    for spelling in dict.fromkeys((os.path.abspath(path), path)):
                        text = text.replace(spelling, f"<{name} of {patient}>")
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
