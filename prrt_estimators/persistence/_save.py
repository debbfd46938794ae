"""Writing a fitted model."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from prrt_estimators import estimators
from prrt_estimators._io import absolute, write_together
from prrt_estimators._targets import target_of
from prrt_estimators.persistence._card import model_card
from prrt_estimators.persistence._cohort_summary import describe_cohort
from prrt_estimators.persistence._configuration import parameters_as_data
from prrt_estimators.persistence._container import inner_prefix, pack
from prrt_estimators.persistence._performance import describe_performance
from prrt_estimators.persistence._probe_predictions import predict_probe
from prrt_estimators.persistence._sklearn_parts import dump_part
from prrt_estimators.persistence._training_record import PART, training_record
from prrt_estimators.persistence._versions import versions_here


def save_model(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    X: Any = None,
    y: Any = None,
    comparison: Any = None,
    model: str | None = None,
    horizon: float | None = None,
    population: str | None = None,
) -> Path:
    """Write a fitted estimator of this library into one file, with a model card inside and beside it.

    Parameters
    ----------
    estimator : fitted estimator
        Any public estimator of `prrt_estimators.estimators`.
    path : path
        By custom with the ending ``.prrt``; the card is written beside it as ``<path>.md``. Both appear
        when the new ones are whole; if either cannot be written, both stay as they were.
    X : Cohort, mapping or table, default=None
        The patients that it was fitted on, for the card: counts, medians and quartiles. None leaves them out.
    y : array of shape (n,), default=None
        Their classes.
    comparison : ModelComparison, default=None
        From `compare_models` or `load_comparison`: its scores of this model go into the card. None says that the model
        was not evaluated.
    model : str, default=None
        What the comparison calls this model; needed if it holds several.
    horizon : float, default=None
        Months beyond which PFS was called long.
    population : str, default=None
        Whom the model is meant for, for the card, e.g. ``"patients with soft-tissue sarcoma"``. If None, patients with metastatic
        neuroendocrine tumours before 177Lu peptide receptor radionuclide therapy.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    TypeError
        If the estimator is not one of this library, or holds a parameter that is not data, or something learnt that
        cannot be written.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    ValueError
        If X and y differ in length, the comparison does not hold this model or had it with other settings, or a text
        column has so many values that they may tell who the patients are.

    See Also
    --------
    load_model : Read it again.

    Notes
    -----
    The file is a zip archive of JSON, safetensors and skops parts, so it can be looked into, and reading it executes
    nothing. Each part has a SHA-256 digest, and the last bytes of the file are the digest of all before. That finds
    damage; it does not tell who made the file, so compare the SHA-256 in the card with what its author published.

    It holds no patient ids, scans, paths or rows of the table, but what was learnt from them: weights, medians, scales,
    thresholds of trees, names of columns and of categories. Where `X` is given it also holds rounded ranges of its values
    and salted digests, by which `compare_with_training` recognises a patient whose values or scans it is given. In the card counts below 5 read ``<5``, along with as many
    others as it takes that they cannot be worked out. A `random_state` that is a generator is saved as None. Pretrained
    weights that are still needed to predict are named if they are published ones, and lie in the file if they are not;
    a path to them is not kept, so refitting a loaded model takes ``weights`` again.

    joblib and pickle write these estimators too. Such files execute what they hold when they are read: only read your
    own.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from prrt_estimators import LabPFSClassifier, load_model
    >>> X, y = np.arange(12.0).reshape(6, 2), [0, 0, 0, 1, 1, 1]
    >>> folder = tempfile.mkdtemp()
    >>> file = save_model(LabPFSClassifier(model="logistic").fit(X, y), Path(folder) / "lab.prrt", X=X, y=y)
    >>> load_model(file).predict(X).tolist()
    [0, 0, 0, 1, 1, 1]
    >>> sorted(found.name for found in Path(folder).iterdir())
    ['lab.prrt', 'lab.prrt.md']
    """
    name = type(estimator).__name__
    if getattr(estimators, name, None) is not type(estimator):
        raise TypeError(f"save_model takes a fitted estimator of prrt_estimators; got {name}. Use joblib for others.")
    check_is_fitted(estimator)
    target = Path(absolute(path))
    cohort = describe_cohort(X, y, estimator._reads, target_of(estimator))
    performance = describe_performance(estimator, comparison, model, X)
    described, parts = _described(estimator)
    config = {**described, "versions": versions_here(), "probe": predict_probe(estimator)}
    card = model_card(
        estimator,
        config,
        file=target.name,
        cohort=cohort,
        performance=performance,
        horizon=horizon,
        population=population,
    )
    contents = {"model.json": _json(config), "card.md": card.encode(), **parts}
    record = training_record(estimator, X, hashlib.sha256(contents["model.json"]).digest())
    content = pack(contents if record is None else {**contents, PART: record})
    with write_together(target.with_name(target.name + ".md"), target) as (beside, temporary):
        # On the card beside it only: a file cannot hold its own digest.
        beside.write_text(
            f"{card}\nSHA-256 of {target.name}: `{hashlib.sha256(content).hexdigest()}`\n", encoding="utf-8"
        )
        temporary.write_bytes(content)
    return target


def _described(estimator: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what JSON holds of an estimator and of the models inside it, and the other parts by name."""
    state = estimator._saved_state()
    config = {"class": type(estimator).__name__, "params": parameters_as_data(estimator), **state.data}
    parts = {f"{attribute}.skops": dump_part(fitted) for attribute, fitted in state.objects.items()} | state.files
    for number, (name, model) in enumerate(state.models.items()):
        if getattr(estimators, type(model).__name__, None) is not type(model):
            raise TypeError(
                f"{config['class']} holds a {type(model).__name__} as {name!r}, which is not an estimator of prrt_estimators, "
                "so that it cannot be saved as data. joblib writes such a model for your own use."
            )
        inside, own = _described(model)
        config.setdefault("models", []).append({"name": name, **inside})
        parts |= {f"{inner_prefix(number)}{part}": content for part, content in own.items()}
    return config, parts


def _json(data: Any) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=False).encode()
