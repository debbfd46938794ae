"""Reading a saved model."""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from prrt_estimators._captured_warnings import captured_warnings, tell_again
from prrt_estimators.estimators._saved_state import SavedState
from prrt_estimators.exceptions import (
    MissingDependencyError,
    PretrainedWeightsError,
    ResultsWarning,
    SavedModelError,
)
from prrt_estimators.persistence._configuration import check_known, made_of
from prrt_estimators.persistence._container import inner_parts, inner_prefix, unpack
from prrt_estimators.persistence._probe_predictions import TOLERANCE, probe_difference
from prrt_estimators.persistence._sklearn_parts import load_part
from prrt_estimators.persistence._versions import others, remedy

#: Models are tried one at a time: a forest of scikit-learn empties the filters of warnings of the whole process while it
#: predicts, and of two that overlap one may see them empty, or leave them so.
_ONE_AT_A_TIME = threading.RLock()


def load_model(path: str | os.PathLike[str], *, encoders: Mapping[str, Any] | None = None) -> Any:
    """Read an estimator that `save_model` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : path
    encoders : mapping of str to Module class, function or Module, default=None
        Encoders of your own that the model was made with, by the name of the class or function.

    Returns
    -------
    fitted estimator
        With the same predictions, to the bit on the same machine and versions.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SavedModelError
        If a byte of the file was changed, it is cut short, it is not such a file, it needs something not given, or the
        versions here cannot read it; the message says what it was saved with.
    MissingDependencyError, PretrainedWeightsError
        If published weights that predicting takes cannot be had here.

    Warns
    -----
    ResultsWarning
        If the model predicts something else here than where it was saved (made-up patients in the file tell), or if
        that cannot be known because the file is of an older format and the version of scikit-learn another.

    See Also
    --------
    save_model : Write it.
    """
    file = Path(path)
    parts = unpack(file)
    try:
        config = json.loads(parts["model.json"])
        saved = dict(config["versions"])
        check_known(config, file.name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unless_ours(error, f"{file.name} holds no model that can be read. Fetch it again.") from error
    try:
        with _ONE_AT_A_TIME, captured_warnings() as heard:
            estimator = _restored(config, parts, dict(encoders or {}), file.name)
            # A file of the first format has nothing to compare, but that it predicts at all is seen here, not later.
            difference = probe_difference(estimator, config.get("probe", {}))
    except (MissingDependencyError, PretrainedWeightsError):
        raise
    except Exception as error:
        # A file of other versions can fail in any way that those who wrote them did not think of.
        told = shorten(f"{type(error).__name__}: {error}", 200, placeholder=" ...")
        raise _unless_ours(
            error, f"{file.name} cannot be read with the versions here ({told}). {remedy(saved)}"
        ) from error
    # What scikit-learn says of another version the probe says better.
    tell_again(heard, but=(InconsistentVersionWarning,))
    _tell(file.name, difference, saved, older="probe" not in config)
    return estimator


def read_model_card(path: str | os.PathLike[str]) -> str:
    """Return the model card that lies in a saved model, as Markdown.

    Parameters
    ----------
    path : path

    Returns
    -------
    str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SavedModelError
        If it was changed, is not a saved model, or was saved before models had cards.
    """
    parts = unpack(Path(path))
    if "card.md" not in parts:
        raise SavedModelError(f"{Path(path).name} was saved before models had cards; load it and save it again.")
    return parts["card.md"].decode("utf-8")


def _restored(config: Mapping[str, Any], parts: Mapping[str, bytes], encoders: Mapping[str, Any], name: str) -> Any:
    estimator = made_of(config, encoders, name)
    models = {
        one["name"]: _restored(one, inner_parts(parts, number), encoders, name)
        for number, one in enumerate(config.get("models", []))
    }
    prefixes = tuple(inner_prefix(number) for number in range(len(models)))
    own = {part: content for part, content in parts.items() if not part.startswith(prefixes)} if models else dict(parts)
    objects = {
        part.removesuffix(".skops"): load_part(content, name)
        for part, content in own.items()
        if part.endswith(".skops")
    }
    estimator._restore(SavedState(dict(config), objects, own, encoders, name, models))
    return estimator


def _unless_ours(error: BaseException, text: str) -> SavedModelError:
    return error if isinstance(error, SavedModelError) else SavedModelError(text)


def _tell(name: str, difference: float | None, saved: Mapping[str, str], *, older: bool) -> None:
    """Warn where the model is not known to predict what it did."""
    if difference is not None and difference > TOLERANCE:
        warnings.warn(
            f"{name} predicts something else here than where it was saved: probabilities of made-up patients differ by "
            f"up to {difference:.2g}. {remedy(saved)}",
            ResultsWarning,
            stacklevel=3,
        )
    elif older and "scikit-learn" in others(saved):
        then, now = others(saved)["scikit-learn"]
        warnings.warn(
            f"{name} is of an older format and was saved with scikit-learn {then}; here is {now}. Whether it predicts "
            f"the same cannot be known. Load it with {then} and save it again, and the file will tell.",
            ResultsWarning,
            stacklevel=3,
        )
