"""What PET, CT and labs each add to a prediction: exact Shapley values of eight coalitions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.exceptions import ExplanationWarning, MissingModalityError, NothingKnownWarning
from prrt_estimators.inspection._explained_models import (
    as_patients,
    check_choice,
    check_count,
    fold_models,
    in_boxes,
    innermost,
    modalities_used,
    take_rows,
)
from prrt_estimators.inspection._explained_output import ExplainedOutput

#: Patients that are predicted at once; with scans, a batch of them is held in memory.
_ROWS_AT_ONCE = 64

Coalition = frozenset[str]


def modality_shapley(
    estimator: Any,
    X: Any,
    *,
    output: str = "probability",
    horizon: float = 12.0,
    absent: str = "missing",
    background: Any = None,
    y: Any = None,
    cv: Any = None,
    n_background: int = 20,
    random_state: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    r"""Return what each modality adds to the prediction for each patient.

    With :math:`v(S)` the prediction from the modalities :math:`S` of the :math:`M` that the model uses,

    .. math:: \phi_m = \sum_{S \not\ni m} \frac{|S|!\,(M - |S| - 1)!}{M!} \left(v(S \cup m) - v(S)\right),
              \qquad \sum_m \phi_m = v(\text{all}) - v(\emptyset).

    All coalitions are predicted, eight for three modalities, so nothing is sampled but the background.

    Parameters
    ----------
    estimator : classifier or survival model
        Fitted, such as `FusionPFSClassifier`; with `cv` it is cloned and need not be.
    X : Cohort, mapping, or array of the laboratory table
        Patients to explain, better not those that the model was trained on.
    output : {"probability", "logit"}, default="probability"
        Scale of the values. Probabilities of 0 and 1 count as one in a million from there. Of a survival model the
        probability is P(PFS > horizon).
    horizon : float, default=12.0
        Months, for survival models.
    absent : {"missing", "background"}, default="missing"
        What stands for a modality outside the coalition. "missing" takes it from the patient, so that the model puts
        its own token there; :math:`v(\emptyset)` is the prediction for a patient of whom nothing is known.
        "background" puts other patients' in its place and averages the predictions; those modalities that are absent
        together come from the same other patient.
    background : Cohort or mapping, default=None
        Those patients, from the training rows; for ``absent="background"`` without `cv`.
    y : array of shape (n,), default=None
        Classes, or ``event`` and ``time`` for survival models, with `cv`.
    cv : int, splitter or iterable of (train, test), default=None
        Explain each patient by a model that was trained without them, with background from that model's training
        rows. Every patient must be tested once; the base then differs between folds.
    n_background : int, default=20
        Background patients drawn; all of them if there are fewer.
    random_state : int, RandomState or None, default=None
        Of that draw.
    progress : callable, default=None
        Called with (patients done, patients in all).

    Returns
    -------
    DataFrame
        One row per patient: ``patient_id``; ``pet``, ``ct`` and ``lab`` (0 for a modality that the model does not
        use); ``base``, the prediction from nothing; ``prediction``. The three sum to prediction less base.
        ``attrs`` hold `output` and `absent`.

    Raises
    ------
    MissingModalityError
        If the background lacks a modality that the model uses.
    ValueError
        If the model uses one modality only and has no token for it, the background is missing, or a parameter is out
        of range.

    Warns
    -----
    ExplanationWarning
        If the model's tokens cannot have been trained (``modality_dropout=0``, and X has no gaps that hint at
        patients without a modality).

    Notes
    -----
    A network sees tokens in training by `modality_dropout`, but never for all modalities at once, so with "missing" the
    base is an extrapolation; with "background" it is the mean prediction of the background, but scans and labs of
    different patients are put together. Where the two disagree, say so. PET and CT files are brought into their boxes
    first, so that the CT stays where it was when the PET is taken away.

    References
    ----------
    Shapley, "A value for n-person games", 1953, doi:10.1515/9781400881970-018.

    Examples
    --------
    >>> from prrt_estimators import FusionPFSClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = dict(pet=rng.random((8, 1, 8, 8, 8)), lab=rng.random((8, 3)))
    >>> clf = FusionPFSClassifier(max_epochs=1, random_state=0).fit(X, np.array([0, 1] * 4))
    >>> found = modality_shapley(clf, X)
    >>> print(*found.columns)
    patient_id pet ct lab base prediction
    >>> np.allclose(found.drop(columns="patient_id").eval("pet + ct + lab"), found["prediction"] - found["base"])
    True
    """
    check_choice("output", output, ("probability", "logit"))
    check_choice("absent", absent, ("missing", "background"))
    check_count("n_background", n_background)
    X = as_patients(X)
    rng = check_random_state(random_state)
    _check_background(absent, background, y, cv)

    def explain(model: Any, rows: Cohort, known: Any, tick: Callable[[int], None]) -> pd.DataFrame:
        sample = None
        if absent == "background":
            known = as_patients(known)
            order = np.arange(len(known))
            drawn = order if len(order) <= n_background else np.sort(rng.choice(order, n_background, replace=False))
            sample = take_rows(known, drawn)
        return _explain(model, rows, sample, ExplainedOutput(output, horizon), tick)

    if cv is None:
        table = explain(estimator, X, background, lambda done: progress(done, len(X)) if progress else None)
    else:
        parts: list[pd.DataFrame] = []
        rows: list[np.ndarray] = []
        for fold in fold_models(estimator, X, y, cv):
            start = sum(len(one) for one in rows)
            parts.append(
                explain(
                    fold.model,
                    X[fold.test],
                    X[fold.train],
                    lambda done, start=start: progress(start + done, len(X)) if progress else None,  # type: ignore[misc]
                )
            )
            rows.append(fold.test)
        table = pd.concat(parts).iloc[np.argsort(np.concatenate(rows))].reset_index(drop=True)
    table.attrs = {"output": output, "absent": absent}
    return table


def _check_background(absent: str, background: Any, y: Any, cv: Any) -> None:
    if cv is None and y is not None:
        raise ValueError("`y` is given without `cv`; a fitted estimator needs neither.")
    if background is not None and (cv is not None or absent != "background"):
        raise ValueError(
            "`background` is for absent='background' with a fitted estimator; with `cv` it is the training rows."
        )
    if absent == "background" and background is None and cv is None:
        raise ValueError(
            "absent='background' needs `background`: pass training patients, whose PET, CT and labs stand in, or `y` "
            "and `cv`."
        )


def _explain(
    model: Any, X: Cohort, background: Cohort | None, predict: ExplainedOutput, tick: Callable[[int], None]
) -> pd.DataFrame:
    players = modalities_used(model, X)
    if background is None:
        _check_tokens(model, X, players)
    else:
        lacking = [name for name in players if name not in background]
        if lacking:
            raise MissingModalityError(
                f"`background` has no {' and no '.join(map(repr, lacking))}, which the model uses; it has "
                f"{', '.join(background.modalities)}.",
                modalities=lacking,
            )
        background = in_boxes(model, background)
    held = [name for name in players if name in X]
    if not held:
        raise MissingModalityError(
            f"the model uses {', '.join(players)}; the data have {', '.join(X.modalities)}.", modalities=players
        )
    X = in_boxes(model, X).select(*held)
    worth = {}
    coalitions = [frozenset(some) for size in range(len(players) + 1) for some in combinations(players, size)]
    with warnings.catch_warnings():
        # The empty coalition is a patient of whom nothing is known, on purpose.
        warnings.simplefilter("ignore", NothingKnownWarning)
        for number, coalition in enumerate(coalitions, 1):
            worth[coalition] = (
                predict(model, _without(X, set(players) - coalition))
                if background is None
                else _mean_over_background(model, X, background, coalition, players, predict)
            )
            tick(len(X) * number // len(coalitions))
    values = shapley_values(worth, players)
    return pd.DataFrame(
        {
            "patient_id": X.ids,
            **{name: values.get(name, np.zeros(len(X))) for name in MODALITIES},
            "base": worth[frozenset()],
            "prediction": worth[frozenset(players)],
        }
    )


def shapley_values(worth: dict[Coalition, np.ndarray], players: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the Shapley value of each player from the worth of every coalition."""
    m = len(players)
    values = {}
    for player in players:
        others = [other for other in players if other != player]
        values[player] = sum(
            (
                factorial(size) * factorial(m - size - 1) / factorial(m) * (worth[s | {player}] - worth[s])
                for size in range(m)
                for s in map(frozenset, combinations(others, size))
            ),
            start=np.zeros_like(worth[frozenset()]),
        )
    return values


def _check_tokens(model: Any, X: Cohort, players: Sequence[str]) -> None:
    if len(players) < 2:
        raise ValueError(
            f"the model uses {' and '.join(players)} only and cannot do without; its value is all of prediction less "
            "base. Pass absent='background' and `background` to have it measured from the mean prediction."
        )
    complete = all(X[name].present.all() for name in players if name in IMAGING and name in X)
    if getattr(innermost(model), "modality_dropout", None) == 0 and complete:
        warnings.warn(
            "modality_dropout=0: if every training patient was complete, the model has never seen a missing modality, "
            "and what it predicts without one means little. Train with modality_dropout, or pass absent='background'.",
            ExplanationWarning,
            stacklevel=4,
        )


def _without(X: Cohort, absent: set[str]) -> Cohort:
    """Return the patients without some modalities, so that the model takes them as missing."""
    kept = [name for name in X.modalities if name not in absent]
    if kept:
        return X.select(*kept)
    # A cohort without any modality has no patients either; of one they keep the empty cells.
    if "lab" in X:
        return Cohort({"lab": X["lab"].mask(np.ones(X["lab"].shape, dtype=bool))}, ids=X.ids)
    scans = X[X.modalities[0]]
    if scans.array is None:
        return Cohort({X.modalities[0]: [None] * len(X)}, ids=X.ids)
    nothing = Volumes(np.full_like(scans.array, np.nan), spacing=scans.spacing)
    return Cohort({X.modalities[0]: nothing}, ids=X.ids)


def _mean_over_background(
    model: Any, X: Cohort, background: Cohort, coalition: Coalition, players: Sequence[str], predict: ExplainedOutput
) -> np.ndarray:
    n, m = len(X), len(background)
    if len(coalition) == len(players):
        return predict(model, X)
    if not coalition:
        return np.full(n, predict(model, background).mean())
    found = np.concatenate(
        [predict(model, _composed(X, own, background, other, coalition, players)) for own, other in _pairs(n, m)]
    )
    return found.reshape(n, m).mean(axis=1)


def _pairs(n: int, m: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (patient, background patient) of all pairs in batches, patient by patient."""
    own, other = np.divmod(np.arange(n * m), m)
    for start in range(0, n * m, _ROWS_AT_ONCE):
        yield own[start : start + _ROWS_AT_ONCE], other[start : start + _ROWS_AT_ONCE]


def _composed(
    X: Cohort,
    own: np.ndarray,
    background: Cohort,
    other: np.ndarray,
    coalition: Coalition,
    players: Sequence[str],
) -> Cohort:
    mine, theirs = X[own], background[other]
    data = {name: (mine if name in coalition else theirs).get(name) for name in players}
    if data.get("lab") is not None:
        data["lab"] = data["lab"].set_axis(mine.ids)  # rows of the background stand in for those of the patients
    return Cohort(
        {name: values for name, values in data.items() if values is not None}, ids=mine.ids, blocks=mine.blocks
    )
