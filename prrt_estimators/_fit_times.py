"""Times to progression for the models that can learn from them, of training patients only."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils.validation import has_fit_parameter

from prrt_estimators.cohort import Cohort


def fit_names(model: Any) -> dict[str, str]:
    """Return under which names ``fit`` of a model, search or pipeline takes ``time`` and ``event``; {} if it does not.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from prrt_estimators.estimators import CoxPFSClassifier
    >>> fit_names(make_pipeline(CoxPFSClassifier()))
    {'time': 'coxpfsclassifier__time', 'event': 'coxpfsclassifier__event'}
    """
    if has_fit_parameter(model, "time") and has_fit_parameter(model, "event"):
        return {"time": "time", "event": "event"}
    if get_config()["enable_metadata_routing"]:
        consumes = getattr(getattr(model, "get_metadata_routing", dict)(), "consumes", None)
        asked = consumes("fit", ["time", "event"]) if consumes is not None else set()
        return {name: name for name in ("time", "event")} if set(asked) == {"time", "event"} else {}
    steps = getattr(model, "steps", None)
    if isinstance(steps, list) and steps:
        name, last = steps[-1]
        return {key: f"{name}__{inner}" for key, inner in fit_names(last).items()}
    if hasattr(model, "best_estimator_") or hasattr(model, "param_grid") or hasattr(model, "param_distributions"):
        return fit_names(model.estimator)
    return {}


def survival_of(X: Any, y: np.ndarray) -> np.ndarray | None:
    """Return event and time of a cohort, None where there are none or no horizon makes y of them."""
    survival = X.survival if isinstance(X, Cohort) else None
    if survival is None or not len(survival) or np.asarray(y).dtype.names:
        return None
    time, event, long = survival["time"], survival["event"], np.asarray(y) == 1
    if not np.isfinite(time).all() or (time < 0).any():
        return None
    short = time[~long].max(initial=0.0)
    agrees = (time[long] > short) | ((time[long] == short) & ~event[long])
    return survival if agrees.all() else None


def fit_times(model: Any, X: Any, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arguments of ``fit`` that hold the times of the patients X, {} where there are none to hand over."""
    names = fit_names(model)
    survival = survival_of(X, y) if names else None
    return {} if survival is None else {names[field]: survival[field] for field in ("time", "event")}
