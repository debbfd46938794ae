"""The registry of scores: what each is called, how it is computed, what chance reaches, which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import average_precision_score, brier_score_loss, make_scorer, roc_auc_score

from prrt_estimators._registry import Registry
from prrt_estimators.metrics._check import holds_both_classes
from prrt_estimators.metrics._long_scorer import LongScorer
from prrt_estimators.metrics._survival_entries import ENTRIES, SurvivalScorer, known_to_sklearn


@dataclass(frozen=True)
class Score:
    """One score of a comparison.

    Parameters
    ----------
    name : str
        Column of ``scores.csv`` and key of :func:`prrt_scorers`. Greater is better under this name: a loss is called
        ``neg_<loss>`` and its columns hold the loss times -1, as in scikit-learn.
    title : str
        What tables and figures call it.
    function : callable
        ``function(y_true, y_score, sample_weight=None) -> float``. A function of a module, so that scorers can be
        sent to worker processes.
    chance : float, callable or None, default=None
        What `function` is expected to return for a model that knows nothing: one number, or
        ``chance(y_true, sample_weight) -> float`` where it depends on the patients. None if it is not known.
    greater_is_better : bool, default=True
        Whether `function` is a score; False for a loss.
    response : str, default="predict_proba"
        Method of the model that gives ``y_score``; for classifiers the column of the positive class.
    at_once : callable or None, default=None
        ``at_once(short, long) -> ndarray``: the function for many samples at once, from the values of short and long
        PFS along the last axis. Without it, samples are scored one after the other.
    available : tuple of str, default=("class",)
        Targets that it is a score of.
    aliases : tuple of str, default=()
        Other names of the same score with the same sign, e.g. scikit-learn's.
    limits : pair of floats, default=None
        Values that the column `name` cannot leave; intervals are cut there.

    Examples
    --------
    >>> score = find_score("neg_brier")
    >>> score.title, score.function([0, 1], [0.5, 0.5]), score.sign
    ('Brier', 0.25, -1)
    """

    name: str
    title: str
    function: Callable[..., float]
    chance: float | Callable[[np.ndarray, np.ndarray | None], float] | None = None
    greater_is_better: bool = True
    response: str = "predict_proba"
    at_once: Callable[[np.ndarray, np.ndarray], Any] | None = None
    available: tuple[str, ...] = ("class",)
    aliases: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None

    @property
    def sign(self) -> int:
        """1 for a score, -1 for a loss."""
        return 1 if self.greater_is_better else -1

    @property
    def scorer(self) -> Callable[..., float]:
        """scikit-learn scorer; greater is better, and it can be pickled."""
        if self.response == "predict_proba":
            return LongScorer(self.function, self.sign, {}, self.response)
        if "time" in self.available:
            return SurvivalScorer(self.function, self.sign, {}, self.response)
        return make_scorer(self.function, greater_is_better=self.greater_is_better, response_method=self.response)


def two_classes(y_true: Any, name: str) -> np.ndarray | None:
    """Return 1 where the greater of two labels stands, or None (with a warning) if there is one label only."""
    labels, y = np.unique(np.asarray(y_true), return_inverse=True)
    if len(labels) > 2:
        raise ValueError(
            f"{name} needs two classes, short and long PFS; got {len(labels)}: {labels[:5].tolist()}. "
            "Turn times into classes first, e.g. y = time > 12."
        )
    return y if holds_both_classes(np.asarray(y_true), name, stacklevel=4) else None


def _auroc(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    y = two_classes(y_true, "AUROC")
    return np.nan if y is None else float(roc_auc_score(y, y_score, sample_weight=sample_weight))


def _auprc(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    y = two_classes(y_true, "AUPRC")
    return np.nan if y is None else float(average_precision_score(y, y_score, sample_weight=sample_weight))


def _auprc_short(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    y = two_classes(y_true, "AUPRC of the lesser label")
    if y is None:
        return np.nan
    return float(average_precision_score(1 - y, -np.asarray(y_score), sample_weight=sample_weight))


def _brier(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    y = two_classes(y_true, "Brier score")
    return np.nan if y is None else float(brier_score_loss(y, y_score, sample_weight=sample_weight))


def _prevalence(y: np.ndarray, sample_weight: np.ndarray | None) -> float:
    return float(np.average(y, weights=sample_weight))


def auprc_of_chance(n_positive: int, n: int) -> float:
    r"""Return the expected average precision of a random ranking, which in a small sample lies above the prevalence.

    .. math:: \frac{1}{N}\left[H_N + \frac{P - 1}{N - 1}(N - H_N)\right], \qquad H_N = \sum_{k=1}^N \frac{1}{k}

    because a patient of the class at rank :math:`k` has on average :math:`1 + (k - 1)(P - 1)/(N - 1)` of the class among
    the first :math:`k`.

    Parameters
    ----------
    n_positive : int
        Patients of the class that is to be found (P).
    n : int
        All patients (N).

    Returns
    -------
    float

    Examples
    --------
    >>> round(auprc_of_chance(14, 39), 3), auprc_of_chance(1, 1), round(auprc_of_chance(36000, 100000), 3)
    (0.414, 1.0, 0.36)
    """
    if n < 2 or n_positive < 1:
        return float("nan") if n_positive < 1 else 1.0
    harmonic = float(np.sum(1 / np.arange(1, n + 1)))
    return (harmonic + (n_positive - 1) / (n - 1) * (n - harmonic)) / n


def _chance_auprc(y: np.ndarray, sample_weight: np.ndarray | None) -> float:
    # Weights move the prevalence; what a small sample adds is that of its patients.
    beyond = auprc_of_chance(int(np.sum(y)), len(y)) - float(np.mean(y))
    return _prevalence(y, sample_weight) + beyond


def _chance_auprc_short(y: np.ndarray, sample_weight: np.ndarray | None) -> float:
    return _chance_auprc(1 - np.asarray(y), sample_weight)


def _chance_brier(y: np.ndarray, sample_weight: np.ndarray | None) -> float:
    """Of a model that predicts the prevalence for everybody."""
    prevalence = _prevalence(y, sample_weight)
    return prevalence * (1 - prevalence)


def _auroc_at_once(short: np.ndarray, long: np.ndarray) -> Any:
    n_short, n_long = short.shape[-1], long.shape[-1]
    ranks = stats.rankdata(np.concatenate([short, long], axis=-1), axis=-1)[..., n_short:]
    return (ranks.sum(axis=-1) - n_long * (n_long + 1) / 2) / (n_short * n_long)


def _auprc_at_once(short: np.ndarray, long: np.ndarray) -> Any:
    """Mean over long-PFS patients of the precision among all who are ranked at least as high."""
    everybody = np.concatenate([long, short], axis=-1)
    at_least = stats.rankdata(-everybody, method="max", axis=-1)[..., : long.shape[-1]]
    return (stats.rankdata(-long, method="max", axis=-1) / at_least).mean(axis=-1)


def _auprc_short_at_once(short: np.ndarray, long: np.ndarray) -> Any:
    return _auprc_at_once(-long, -short)


def _brier_at_once(short: np.ndarray, long: np.ndarray) -> Any:
    total = (short**2).sum(axis=-1) + ((1 - long) ** 2).sum(axis=-1)
    return total / (short.shape[-1] + long.shape[-1])


#: Scores of a comparison, in the order of its tables. Titles, chance levels and directions stand nowhere else.
SCORES: Registry[Score] = Registry(
    "score",
    Score("auroc", "AUROC", _auroc, 0.5, at_once=_auroc_at_once, aliases=("roc_auc",), limits=(0.0, 1.0)),
    Score(
        "auprc",
        "AUPRC long",
        _auprc,
        _chance_auprc,
        at_once=_auprc_at_once,
        aliases=("average_precision",),
        limits=(0.0, 1.0),
    ),
    Score(
        "auprc_short", "AUPRC short", _auprc_short, _chance_auprc_short, at_once=_auprc_short_at_once, limits=(0.0, 1.0)
    ),
    Score(
        "neg_brier",
        "Brier",
        _brier,
        _chance_brier,
        greater_is_better=False,
        at_once=_brier_at_once,
        aliases=("neg_brier_score",),
        limits=(-1.0, 0.0),
    ),
    *(
        Score(
            name,
            title,
            function,
            chance,
            greater_is_better=greater,
            response=response,
            available=("time",),
            limits=limits,
        )
        for name, title, function, chance, greater, response, limits in ENTRIES
    ),
)
known_to_sklearn({score.name: score.scorer for score in SCORES.values() if "time" in score.available})


def find_score(name: str) -> Score | None:
    """Return the score of a column, None for one that is not registered; a loss is found by its plain name too.

    Parameters
    ----------
    name : str
        Its name or an alias.

    Returns
    -------
    Score or None

    Examples
    --------
    >>> find_score("brier").name, find_score("roc_auc").name, find_score("mcc")
    ('neg_brier', 'auroc', None)
    """
    named = (score for score in SCORES.values() if name in (score.name, *score.aliases))
    return next(named, SCORES.get(f"neg_{name}"))


def direction(name: str) -> int:
    """Return 1 if greater is better in a column, -1 if smaller is: a loss under its plain name, as in old results."""
    found = find_score(name)
    return -1 if found is not None and found.name == f"neg_{name}" else 1


def score_title(name: str) -> str:
    """Return what tables call a column of scores; names that are not registered stay as they are.

    Examples
    --------
    >>> score_title("auprc"), score_title("mcc")
    ('AUPRC long', 'mcc')
    """
    found = find_score(name)
    return name if found is None else found.title


def factor(name: str) -> int:
    """Return what a column was multiplied by: -1 for a loss under the name of its score, else 1.

    Examples
    --------
    >>> factor("neg_brier"), factor("brier"), factor("auroc")
    (-1, 1, 1)
    """
    found = find_score(name)
    return 1 if found is None else found.sign * direction(name)


def main_score(names: Iterable[str]) -> str:
    """Return the score by which models are ranked: the first of the registry that is there, else the first given.

    Examples
    --------
    >>> main_score(["mcc", "auprc", "auroc"]), main_score(["mcc"])
    ('auroc', 'mcc')
    """
    given = list(names)
    return next((name for name in SCORES if name in given), given[0])


def scores_of(target: str) -> list[Score]:
    """Return the scores of a kind of target, in order."""
    return [score for score in SCORES.values() if target in score.available]


def chance_by_score(names: Sequence[str], y: Any, sample_weight: Any = None) -> dict[str, float]:
    """Return what chance reaches on some patients, in the sign of each column; only where it is known."""
    found = {}
    y = np.asarray(y)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    for name in names:
        score = find_score(name)
        if score is not None and score.chance is not None:
            found[name] = factor(name) * (score.chance(y, weight) if callable(score.chance) else score.chance)
    return found


def chance_at(names: Sequence[str], prevalence: float | None) -> dict[str, float]:
    """Return what chance reaches at a share of the positive class; without it, only what is the same at every share."""
    if prevalence is not None:  # of a large sample
        many = np.arange(1_000_000) < round(1_000_000 * prevalence)
        return {name: round(value, 4) for name, value in chance_by_score(names, many.astype(int)).items()}
    constant = [name for name in names if isinstance(getattr(find_score(name), "chance", None), float)]
    return chance_by_score(constant, [0, 1])
