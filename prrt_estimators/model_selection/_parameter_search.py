"""Trying combinations of parameters: all or some of a grid, or distributions by Optuna's sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid, StratifiedKFold

from prrt_estimators._extras import require

#: Trials of a search over distributions, where their number is not given.
N_TRIALS = 20

Evaluate = Callable[[dict[str, Any]], float]


def inner_splits(strata: np.ndarray, n_folds: int, n_repeats: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return training and test rows of all inner folds of all repeats."""
    return [
        split
        for repeat in range(n_repeats)
        for split in StratifiedKFold(n_folds, shuffle=True, random_state=seed + repeat).split(strata, strata)
    ]


def has_distributions(grid: Any) -> bool:
    """Return whether a mapping holds a distribution of Optuna among its values; Optuna need not be there."""
    return isinstance(grid, Mapping) and any(_is_distribution(value) for value in grid.values())


def _is_distribution(value: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "optuna" for base in type(value).__mro__)


def try_combinations(
    evaluate: Evaluate, grid: Any, n_iter: int | None, random_state: int | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the score of every combination tried, and the best combination.

    Parameters
    ----------
    evaluate : callable
        Returns the inner score of a combination, NaN where it has none.
    grid : mapping of parameter to values or distributions, or sequence of mappings to values
    n_iter : int or None
    random_state : int or None

    Raises
    ------
    ValueError
        If the grid is empty, or no combination has a score.
    """
    if has_distributions(grid):
        rows = _by_optuna(evaluate, grid, N_TRIALS if n_iter is None else n_iter, random_state)
    else:
        rows = [(one, evaluate(one)) for one in _combinations(grid, n_iter, random_state)]
    scores = np.array([score for _, score in rows], dtype=np.float64)
    if not np.isfinite(scores).any():
        raise ValueError("no combination of `grid` has a score on the inner folds. Pass fewer folds, or more patients.")
    table = pd.DataFrame([{"score": score, **parameters} for parameters, score in rows])
    return table, rows[int(np.nanargmax(scores))][0]


def _combinations(grid: Any, n_iter: int | None, random_state: int | None) -> list[dict[str, Any]]:
    found = list(ParameterGrid(grid))
    if not found or found == [{}]:
        raise ValueError("`grid` holds no combination of parameters; pass e.g. {'C': [0.1, 1.0]}.")
    if n_iter is None or n_iter >= len(found):
        return found
    rng = np.random.default_rng(0 if random_state is None else random_state)
    return [found[k] for k in sorted(rng.choice(len(found), n_iter, replace=False))]


def _by_optuna(
    evaluate: Evaluate, grid: Mapping[str, Any], n_trials: int, random_state: int | None
) -> list[tuple[dict[str, Any], float]]:
    """Return combinations and scores in the order in which the tree-structured Parzen estimator proposed them."""
    optuna = require("optuna", "searching distributions of parameters", "optuna")
    distributions, choices = {}, {}
    for name, values in grid.items():
        if _is_distribution(values):
            distributions[name] = values
        else:  # by position, as Optuna keeps numbers and text alone
            choices[name] = _choices(name, values)
            distributions[name] = optuna.distributions.CategoricalDistribution(range(len(choices[name])))
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        sampler = optuna.samplers.TPESampler(seed=0 if random_state is None else int(random_state))
        study = optuna.create_study(direction="maximize", sampler=sampler)
        rows: list[tuple[dict[str, Any], float]] = []
        known: dict[tuple[Any, ...], float] = {}
        for _ in range(n_trials):
            trial = study.ask(distributions)
            proposed = tuple(trial.params[name] for name in grid)
            parameters = {
                name: choices[name][value] if name in choices else value
                for name, value in zip(grid, proposed, strict=True)
            }
            if proposed not in known:
                known[proposed] = evaluate(parameters)
                rows.append((parameters, known[proposed]))
            if np.isfinite(known[proposed]):
                study.tell(trial, known[proposed])
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
    finally:
        optuna.logging.set_verbosity(level)
    return rows


def _choices(name: str, values: Any) -> Sequence[Any]:
    if isinstance(values, str) or not hasattr(values, "__iter__") or not len(list(values)):
        raise ValueError(f"`grid[{name!r}]` must be a sequence of values or a distribution of Optuna; got {values!r}.")
    return list(values)
