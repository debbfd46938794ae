"""Which laboratory values matter to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from prrt_estimators._classes import check_same_order, in_ascending_order
from prrt_estimators._dataset import ShortRepr
from prrt_estimators._modalities import MODALITIES
from prrt_estimators._targets import target_of
from prrt_estimators.cohort import Cohort
from prrt_estimators.inspection._explained_models import (
    as_data,
    check_count,
    column_names,
    has_values,
    in_boxes,
    splits_of,
    table_of,
    take_cells,
    take_rows,
    with_table,
)
from prrt_estimators.inspection._forest import forest_inside
from prrt_estimators.inspection._groups import correlated_groups

#: Groups that a notebook shows.
_SHOWN = 20


@dataclass(frozen=True, repr=False)
class PermutationImportance(ShortRepr):
    """What a score loses on held-out patients when values are shuffled between them.

    Attributes
    ----------
    drops : ndarray of shape (n_groups, n_splits, n_repeats)
        Score of the test fold less its score with the group shuffled.
    groups : dict of str to tuple of str
        Columns, or a modality, that were shuffled together, by the name of the group.
    scores : ndarray of shape (n_splits,)
        Score of each test fold as it is.
    scoring : str
        Name of the score.
    n_train, n_test : float
        Patients in a training and in a test fold, on average.
    """

    drops: np.ndarray
    groups: dict[str, tuple[str, ...]]
    scores: np.ndarray
    scoring: str
    n_train: float
    n_test: float

    def frame(self) -> pd.DataFrame:
        r"""Return one row per group, the most important first.

        Returns
        -------
        DataFrame
            ``group``; ``columns`` (joined by commas); ``importance``, the mean drop over splits; ``sd`` over splits;
            ``low`` and ``high``, a 95 % interval of the mean with Nadeau and Bengio's variance
            :math:`(1/J + n_{test}/n_{train}) s^2`, as training folds overlap (doi:10.1023/A:1024068626366). NaN with
            one split.
        """
        by_split = self.drops.mean(axis=2)
        n_splits = by_split.shape[1]
        mean = by_split.mean(axis=1)
        sd = by_split.std(axis=1, ddof=1) if n_splits > 1 else np.full(len(mean), np.nan)
        reach = np.sqrt(1 / n_splits + self.n_test / self.n_train) * sd
        reach *= student_t.ppf(0.975, n_splits - 1) if n_splits > 1 else np.nan
        table = pd.DataFrame(
            {
                "group": list(self.groups),
                "columns": [", ".join(columns) for columns in self.groups.values()],
                "importance": mean,
                "sd": sd,
                "low": mean - reach,
                "high": mean + reach,
            }
        )
        return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)

    def _repr_html_(self) -> str:
        table = self.frame()
        more = f", the first {_SHOWN} of {len(table)} groups" if len(table) > _SHOWN else ""
        shown = table.head(_SHOWN).assign(
            columns=[text if len(text) <= 60 else f"{text[:59]}…" for text in table["columns"][:_SHOWN]]
        )
        return f"<p>Drop of {self.scoring} on held-out patients{more}</p>{shown.round(3).to_html(index=False)}"


def forest_importance(estimator: Any) -> pd.DataFrame:
    """Return how much each column lowers the impurity of a fitted forest's nodes.

    The mean decrease of impurity is computed on the training patients and favours columns with many values;
    `grouped_permutation_importance` on held-out folds does not. Gap indicators and one-hot columns count for the column that
    they come from.

    Parameters
    ----------
    estimator : fitted LabPFSClassifier(model="random_forest"), RandomForestClassifier, ExtraTreesClassifier, or a \
Pipeline or search of one

    Returns
    -------
    DataFrame
        ``column``, ``importance`` (they sum to 1) and ``sd`` over trees, the most important first.

    Raises
    ------
    TypeError
        If there is no forest inside.

    Examples
    --------
    >>> from prrt_estimators import LabPFSClassifier
    >>> table = pd.DataFrame({"cga": [20, 30, 25, 900, 800, 950] * 4, "age": [50, 60, 70] * 8})
    >>> clf = LabPFSClassifier(n_estimators=50, random_state=0).fit(table, [1, 1, 1, 0, 0, 0] * 4)
    >>> forest_importance(clf)["column"].tolist()
    ['cga', 'age']
    """
    inside = forest_inside(estimator)
    of_trees = np.array([inside.by_source(tree.feature_importances_) for tree in inside.forest.estimators_])
    table = pd.DataFrame(
        {
            "column": inside.sources,
            "importance": inside.by_source(inside.forest.feature_importances_),
            "sd": of_trees.std(axis=0, ddof=1) if len(of_trees) > 1 else np.nan,
        }
    )
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def grouped_permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: Any,
    groups: Any = "correlated",
    modalities: bool = False,
    n_repeats: int = 10,
    scoring: Any = "auto",
    random_state: Any = None,
    n_jobs: int | None = None,
) -> PermutationImportance:
    r"""Return what the score of held-out patients loses when values are shuffled between them.

    On each split a clone is fitted on the training rows. With the test rows' group :math:`g` shuffled by
    :math:`\pi`,

    .. math:: I_g = s(X_{test}) - \frac{1}{R} \sum_{r=1}^{R} s(X_{test}^{g \circ \pi_r})

    Columns of a group move together, so that correlated analytes cannot stand in for each other.

    Parameters
    ----------
    estimator : classifier or survival model
        `LabPFSClassifier`, `FusionPFSClassifier`, `LabPFSSurvival`, any scikit-learn classifier or Pipeline; it is cloned and
        need not be fitted.
    X : Cohort, mapping, DataFrame or array of shape (n, k)
    y : array of shape (n,)
        1 for long PFS, 0 for short; or ``event`` and ``time`` for survival models.
    cv : int, splitter or iterable of (train, test)
        Test folds need both classes; an int means stratified folds without shuffling.
    groups : "correlated", None or mapping of str to column names, default="correlated"
        "correlated" takes `correlated_groups` of X (without y, so that nothing leaks); None shuffles each column
        alone; a mapping names the columns of each group, or a modality such as ``{"blood": ["lab"]}``, and
        only its groups are shuffled.
    modalities : bool, default=False
        Whether to ask for each modality of a Cohort as a whole, too: which patient a scan belongs to.
    n_repeats : int, default=10
        Shuffles of each test fold; the same for every group.
    scoring : str or callable, default="auto"
        A scikit-learn scorer; greater is better. "auto" is the AUROC for classes (``"roc_auc"``) and Uno's C for times
        (``"uno_c"``).
    random_state : int, RandomState or None, default=None
        Of the shuffles. The estimator's own is its parameter.
    n_jobs : int, default=None
        Splits at the same time.

    Returns
    -------
    PermutationImportance
        ``.frame()`` gives the table.

    Raises
    ------
    TypeError
        If X or a parameter is of the wrong kind.
    ValueError
        If a group names an unknown column, or a test fold has no score.

    Notes
    -----
    Values move among the patients who have any laboratory value, scans among those who have that scan: what a
    patient lacks stays with the patient, so this is the importance of the content and not of being missing.

    References
    ----------
    Breiman, "Random Forests", Machine Learning 2001, doi:10.1023/A:1010933404324.

    Examples
    --------
    >>> from prrt_estimators import LabPFSClassifier
    >>> table = pd.DataFrame({"cga": [20, 30, 25, 900, 800, 950] * 4, "age": [50, 60, 70] * 8})
    >>> clf = LabPFSClassifier(model="logistic")
    >>> result = grouped_permutation_importance(clf, table, [1, 1, 1, 0, 0, 0] * 4, cv=3, random_state=0)
    >>> result.frame()["group"].tolist()
    ['cga', 'age']
    """
    X = as_data(X)
    check_same_order(X, y, ("X", "y"))
    target = target_of(estimator)
    check_count("n_repeats", n_repeats)
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise TypeError(f"`scoring` must be the name of one score or a scorer; got {type(scoring).__name__}.")
    chosen = _resolve_groups(X, groups, modalities)
    if isinstance(scoring, str) and scoring == "auto":
        scoring = target.scoring
    splits = splits_of(X, y, cv, each_once=False, target=target)
    y, strata = target.for_folds(y)
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(splits))
    found = Parallel(n_jobs=n_jobs)(
        delayed(_drops_of_split)(estimator, X, y, train, test, list(chosen.values()), n_repeats, scoring, int(seed))
        for (train, test), seed in zip(splits, seeds, strict=True)
    )
    scores = np.array([score for score, _ in found])
    if not np.isfinite(scores).all():
        split = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(
            f"test fold {split} has no score {scoring!r}; it holds {len(splits[split][1])} patients of the classes "
            f"{np.unique(strata[splits[split][1]]).tolist()}. Pass fewer, stratified folds."
        )
    return PermutationImportance(
        drops=np.stack([drops for _, drops in found], axis=1),
        groups={name: group.members for name, group in chosen.items()},
        scores=scores,
        scoring=scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score"),
        n_train=float(np.mean([len(train) for train, _ in splits])),
        n_test=float(np.mean([len(test) for _, test in splits])),
    )


# How it is done ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Positions of laboratory columns and names of modalities that move together."""

    members: tuple[str, ...]
    columns: tuple[int, ...]
    modalities: tuple[str, ...]


def _resolve_groups(X: Any, groups: Any, modalities: bool) -> dict[str, _Group]:
    table = table_of(X)
    names = [] if table is None else column_names(table)
    held = X.modalities if isinstance(X, Cohort) else ()
    if isinstance(groups, Mapping):
        wanted: dict[str, Sequence[str]] = {
            str(name): [members] if isinstance(members, str) else list(members) for name, members in groups.items()
        }
    elif groups is None:
        wanted = {name: [name] for name in names}
    elif isinstance(groups, str) and groups == "correlated":
        wanted = dict(correlated_groups(X)) if names else {}
    else:
        raise TypeError(f"`groups` must be 'correlated', None or a mapping of name to columns; got {groups!r}.")
    chosen = {name: _group(name, list(map(str, members)), names, held) for name, members in wanted.items()}
    if modalities:
        if not held:
            raise TypeError("`modalities`=True needs a Cohort; X is a table.")
        chosen |= {name: _Group((name,), (), (name,)) for name in held}
    if not chosen:
        raise ValueError("there is nothing to shuffle: X has no 'lab'. Pass modalities=True to shuffle its scans.")
    return chosen


def _group(name: str, members: list[str], names: list[str], held: tuple[str, ...]) -> _Group:
    unknown = [member for member in members if member not in names and member not in held]
    if unknown or not members:
        raise ValueError(
            f"group {name!r} names {', '.join(map(repr, unknown)) or 'no column'}; X has the columns "
            f"{', '.join(names) or 'none'} and the modalities {', '.join(held) or 'none'}."
        )
    columns = tuple(j for j, column in enumerate(names) if column in members)
    return _Group(tuple(members), columns, tuple(m for m in MODALITIES if m in members and m not in names))


def _drops_of_split(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    groups: list[_Group],
    n_repeats: int,
    scoring: Any,
    seed: int,
) -> tuple[float, np.ndarray]:
    model = in_ascending_order(clone(estimator).fit(take_rows(X, train), y[train]))
    scorer = check_scoring(model, scoring=scoring)
    held_out = take_rows(X, test)
    if isinstance(held_out, Cohort) and any(group.modalities for group in groups):
        held_out = in_boxes(model, held_out)
    score = float(scorer(model, held_out, y[test]))
    drops = np.full((len(groups), n_repeats), np.nan)
    for repeat in range(n_repeats if np.isfinite(score) else 0):
        for k, group in enumerate(groups):
            # Seeded anew, so that a group's number does not depend on which other groups are asked for.
            rng = np.random.RandomState((seed + repeat) % 2**32)
            drops[k, repeat] = score - float(scorer(model, _shuffled(held_out, group, rng), y[test]))
    return score, drops


def _shuffled(X: Any, group: _Group, rng: np.random.RandomState) -> Any:
    table = table_of(X)
    ranks = rng.random_sample(len(X))
    parts: dict[str, Any] = {}
    if group.columns or "lab" in group.modalities:
        rows = np.tile(np.arange(len(X))[:, None], (1, table.shape[1]))
        columns = np.arange(table.shape[1]) if "lab" in group.modalities else np.array(group.columns)
        rows[:, columns] = _order(has_values(table), ranks)[:, None]
        parts["lab"] = take_cells(table, rows)
    for name in group.modalities:
        if name != "lab":
            parts[name] = X[name][_order(X[name].present, ranks)]
    if not isinstance(X, Cohort):
        return with_table(X, parts["lab"])
    return Cohort({**X, **parts}, ids=X.ids, masks=X.masks, survival=X.survival, blocks=X.blocks)


def _order(movable: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return an order that shuffles the movable rows among themselves and leaves the others."""
    order = np.arange(len(ranks))
    rows = np.flatnonzero(movable)
    order[rows] = rows[np.argsort(ranks[rows])]
    return order
