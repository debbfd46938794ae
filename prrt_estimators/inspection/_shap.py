"""What each laboratory value of each patient adds to the prediction: SHAP."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from prrt_estimators._classes import long_column
from prrt_estimators._extras import require
from prrt_estimators._values import parse_column
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.inspection._encoded_scans import with_scans_held
from prrt_estimators.inspection._explained_models import (
    as_data,
    check_choice,
    check_count,
    column_names,
    fold_models,
    has_values,
    ids_of,
    modalities_used,
    stacked,
    table_of,
    take_cells,
    take_rows,
    with_table,
)
from prrt_estimators.inspection._explained_output import ExplainedOutput
from prrt_estimators.inspection._forest import forest_inside, has_forest

#: Patients that are predicted at once; with scans, a batch of them is held in memory.
_ROWS_AT_ONCE = 64


def shap_values(
    estimator: Any,
    X: Any,
    *,
    background: Any = None,
    y: Any = None,
    cv: Any = None,
    method: str = "auto",
    output: str = "probability",
    horizon: float = 12.0,
    n_background: int = 25,
    n_permutations: int = 4,
    random_state: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    r"""Return SHAP values of the laboratory columns, as a ``shap.Explanation`` that ``shap.plots`` draws.

    With :math:`v(S)` the prediction that knows the columns :math:`S` only, a column's value is its mean marginal
    contribution over all orders in which columns become known; over columns they sum to
    :math:`f(x) - v(\emptyset)`. For a forest shap's ``TreeExplainer`` gives them exactly, ``v`` following the training
    patients along the trees; :math:`f` is then the forest's own probability, before `LabPFSClassifier` corrects it for class
    weights (``offset_``), which changes the order of no two patients. For any other model shap's model-agnostic
    explainers are used: what is not known is taken from background patients, **the patient's own scans staying as they
    are**, so the values tell what the labs add to the scans.

    Parameters
    ----------
    estimator : classifier or survival model
        Fitted; with `cv` it is cloned and need not be. `LabPFSClassifier`, `FusionPFSClassifier`, Pipelines, any
        classifier with ``predict_proba``, any model with ``predict_survival_function``.
    X : Cohort, mapping, DataFrame or array of shape (n, k)
        Patients to explain, better not those that the model was trained on.
    background : as X, default=None
        Training patients that unknown values are taken from. Needed for all but forests. For a forest it asks for
        the interventional values instead of those along the trees.
    y : array of shape (n,), default=None
        Classes, or ``event`` and ``time`` for survival models, with `cv`.
    cv : int, splitter or iterable of (train, test), default=None
        Explain each patient by a model that was trained without them, with background from that model's training
        rows. Every patient must be tested once.
    method : {"auto", "tree", "permutation"}, default="auto"
        "auto" is "tree" where there is a forest.
    output : {"probability", "logit", "risk"}, default="probability"
        Scale; "tree" knows the probability only. Probabilities of 0 and 1 count as one in a million from there. Of a survival
        model the probability is P(PFS > horizon), and "risk" is what it predicts: positive values then speak for early
        progression.
    horizon : float, default=12.0
        Months, for survival models.
    n_background : int, default=25
        Background patients drawn from `background`; all of them if there are fewer.
    n_permutations : int, default=4
        Orders of columns that are tried, each there and back; all of them where there are few columns.
    random_state : int, RandomState or None, default=None
    progress : callable, default=None
        Called with (patients done, patients in all).

    Returns
    -------
    shap.Explanation
        ``values`` of shape (n, k), one row per patient; ``base_values`` of shape (n,); ``data`` as numbers (categories as
        their place in alphabetical order, NaN where not measured), ``display_data`` as in the table; ``feature_names``;
        ``instance_names``, the patient ids; ``output_names``, the scale.

    Raises
    ------
    MissingDependencyError
        If shap is not installed.
    MissingModalityError
        If X has no ``"lab"``.
    ValueError
        If a background is needed and missing, or a parameter is out of range.

    Notes
    -----
    "permutation" predicts ``n_permutations * (2 k + 1) * n_background`` times for each patient. Scans pass the encoders
    of this library's networks once a patient; a pipeline or search around one predicts from the scans each time, so
    pass its last step or ``best_estimator_``. A patient without any laboratory value has
    NaN, where the model has a token for that.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017,
    doi:10.48550/arXiv.1705.07874. Lundberg et al., "From local explanations to global understanding with explainable
    AI for trees", Nature Machine Intelligence 2020, doi:10.1038/s42256-019-0138-9.

    Examples
    --------
    >>> from prrt_estimators import LabPFSClassifier
    >>> table = pd.DataFrame({"cga": [20, 30, 25, 900, 800, 950] * 4, "age": [50, 60, 70] * 8})
    >>> clf = LabPFSClassifier(n_estimators=20, class_weight=None, random_state=0).fit(table, [1, 1, 1, 0, 0, 0] * 4)
    >>> found = shap_values(clf, table[:3])
    >>> shap_importance(found)["column"].tolist()
    ['cga', 'age']
    >>> np.allclose(found.values.sum(axis=1) + found.base_values, clf.predict_proba(table[:3])[:, 1])
    True
    """
    check_choice("method", method, ("auto", "tree", "permutation"))
    check_choice("output", output, ("probability", "logit", "risk"))
    check_count("n_background", n_background)
    check_count("n_permutations", n_permutations)
    X = as_data(X)
    if table_of(X) is None:
        raise MissingModalityError(
            f"shap_values explains 'lab'; the data have {', '.join(X.modalities)}.", modalities=["lab"]
        )
    tree = has_forest(estimator) and output == "probability" if method == "auto" else method == "tree"
    if tree and output != "probability":
        raise ValueError(f"method='tree' gives probabilities; pass method='permutation' for the {output}.")
    shap = require("shap", "shap_values", "explain")
    rng = check_random_state(random_state)
    explained = ExplainedOutput(output, horizon)
    title = explained.title(estimator)

    def explain(model: Any, rows: Any, known: Any, tick: Callable[[int], None]) -> _Part:
        sample = None if known is None else _sample(as_data(known), n_background, rng)
        if tree:
            return _by_trees(shap, model, rows, sample)
        if sample is None:
            raise ValueError(
                "`background` is missing: pass training patients, whose values stand in for what is not known, or "
                "`y` and `cv` to have each patient explained by a model trained without them."
            )
        seed = int(rng.randint(2**31 - 1))
        return _by_permutation(shap, model, rows, sample, explained, n_permutations, seed, tick)

    if cv is None:
        if y is not None:
            raise ValueError("`y` is given without `cv`; a fitted estimator needs neither.")
        part = explain(estimator, X, background, lambda done: progress(done, len(X)) if progress else None)
        return part.explanation(shap, title)
    if background is not None:
        raise ValueError("`background` and `cv` exclude each other: with `cv` it is the training rows of each fold.")
    found, tested, before = [], [], 0
    for fold in fold_models(estimator, X, y, cv):
        start = before
        known = None if tree else take_rows(X, fold.train)
        part = explain(
            fold.model,
            take_rows(X, fold.test),
            known,
            lambda done, start=start: progress(start + done, len(X)) if progress else None,  # type: ignore[misc]
        )
        found.append(part)
        tested.append(fold.test)
        before += len(fold.test)
    return _joined(found, tested).explanation(shap, title)


def shap_importance(explanation: Any) -> pd.DataFrame:
    """Return the mean absolute SHAP value of each column over patients, the most important first.

    Parameters
    ----------
    explanation : shap.Explanation
        From `shap_values`. Patients without values (NaN) are left out.

    Returns
    -------
    DataFrame
        ``column`` and ``importance``, one row per column.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> found = SimpleNamespace(values=np.array([[0.1, -0.4], [0.3, 0.2]]), feature_names=["age", "cga"])
    >>> shap_importance(found).round(2).to_dict("list")
    {'column': ['cga', 'age'], 'importance': [0.3, 0.2]}
    """
    mean = pd.DataFrame(np.abs(explanation.values)).mean().to_numpy()
    table = pd.DataFrame({"column": [str(name) for name in explanation.feature_names], "importance": mean})
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


class _Part(NamedTuple):
    """SHAP values of some patients by one model: rows named by patient id, base, and the table as it was given."""

    values: pd.DataFrame
    base: np.ndarray
    data: pd.DataFrame

    def explanation(self, shap: Any, title: str) -> Any:
        """Return what ``shap.plots`` draws."""
        names = [str(name) for name in self.values.columns]
        return shap.Explanation(
            values=self.values.to_numpy(dtype=float),
            base_values=self.base,
            data=np.column_stack([_as_numbers(self.data[name]) for name in self.data.columns]),
            display_data=self.data.to_numpy(dtype=object),
            instance_names=list(self.values.index),
            feature_names=names,
            output_names=title,
        )


def _as_numbers(column: pd.Series) -> np.ndarray:
    numbers, text = parse_column(column)
    if isinstance(column.dtype, pd.CategoricalDtype) or text.any():
        words = column.map(lambda cell: None if pd.isna(cell) else str(cell))
        codes = pd.Categorical(words, categories=sorted(words.dropna().unique())).codes
        return np.where(codes < 0, np.nan, codes.astype(float))
    return numbers


def _joined(parts: list[_Part], rows: list[np.ndarray]) -> _Part:
    if len({tuple(part.values.columns) for part in parts}) > 1:
        raise ValueError(
            "the folds' models see different columns (a category that only some folds hold); explain a model that takes "
            "the raw table, such as LabPFSClassifier."
        )
    back = np.argsort(np.concatenate(rows))
    return _Part(
        values=pd.concat([part.values for part in parts]).iloc[back],
        base=np.concatenate([part.base for part in parts])[back],
        data=pd.concat([part.data for part in parts]).iloc[back],
    )


def _sample(background: Any, n: int, rng: np.random.RandomState) -> Any:
    rows = np.arange(len(background))
    return take_rows(background, rows if len(rows) <= n else np.sort(rng.choice(rows, n, replace=False)))


def _by_trees(shap: Any, model: Any, X: Any, background: Any) -> _Part:
    inside = forest_inside(model)
    options: dict[str, Any] = {"feature_perturbation": "tree_path_dependent"}
    if background is not None:
        # A forest compares in single precision; shap rounds the patients so, but not the background.
        known = np.asarray(inside.prepare(background), dtype=np.float32)
        options = {"feature_perturbation": "interventional", "data": known}
    with _numpy_s_generator_kept():
        explainer = shap.TreeExplainer(inside.forest, **options)
        values = np.asarray(explainer.shap_values(inside.prepare(X)))
    if values.ndim != 3 or values.shape[2] != 2:
        raise ValueError(f"the forest knows {len(inside.forest.classes_)} classes; long and short PFS are expected.")
    long = long_column(inside.forest)
    base = float(np.ravel(explainer.expected_value)[long])
    ids = ids_of(X)
    return _Part(
        values=pd.DataFrame(inside.by_source(values[:, :, long]), index=ids, columns=inside.sources),
        base=np.full(len(ids), base),
        data=inside.read(X).set_axis(ids),
    )


def _by_permutation(
    shap: Any,
    model: Any,
    X: Any,
    background: Any,
    output: ExplainedOutput,
    n_permutations: int,
    seed: int,
    tick: Callable[[int], None],
) -> _Part:
    names, ids = column_names(table_of(X)), ids_of(X)
    if table_of(background) is None:
        raise MissingModalityError(
            "`background` has no 'lab', from which unknown values are taken.", modalities=["lab"]
        )
    cells = stacked(table_of(X), table_of(background))
    # Cells of every kind pass through shap as the number of the row they come from: 0 is the patient, 1, 2, ... are
    # the background patients. So gaps and categories are mixed as they are.
    k, n_known = len(names), len(background)
    known = np.tile(np.arange(1.0, n_known + 1)[:, None], (1, k))
    several = isinstance(X, Cohort) and len(modalities_used(model, X)) > 1
    told = has_values(table_of(X)) | (not several)
    values = np.full((len(X), k), np.nan)
    base = np.full(len(X), np.nan)
    for i in range(len(X)):
        held = with_scans_held(model, take_rows(X, np.array([i])), output) if several and told[i] else None

        def predict(codes: np.ndarray, i: int = i, held: Any = held) -> np.ndarray:
            rows = np.where(codes == 0, i, len(X) + codes.astype(int) - 1)
            if held is not None:
                return held(take_cells(cells, rows))
            parts = []
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                chunk = rows[start : start + _ROWS_AT_ONCE]
                same = take_rows(X, np.full(len(chunk), i)) if isinstance(X, Cohort) else X
                parts.append(output(model, with_table(same, take_cells(cells, chunk))))
            return np.concatenate(parts)

        if told[i]:
            masker = shap.maskers.Independent(known, max_samples=n_known)
            exact = 2**k <= (2 * k + 1) * n_permutations
            with _numpy_s_generator_kept():
                explainer = (
                    shap.ExactExplainer(predict, masker)
                    if exact
                    else shap.PermutationExplainer(predict, masker, seed=seed)
                )
                evaluations = 2**k if exact else (2 * k + 1) * n_permutations
                one = explainer(np.zeros((1, k)), max_evals=evaluations, silent=True)
            values[i], base[i] = np.ravel(one.values), float(np.ravel(one.base_values)[0])
        tick(i + 1)
    table = table_of(X)
    return _Part(
        values=pd.DataFrame(values, index=ids, columns=names),
        base=base,
        data=pd.DataFrame(table, copy=True).set_axis(names, axis=1).set_axis(ids),
    )


@contextlib.contextmanager
def _numpy_s_generator_kept() -> Iterator[None]:
    """Leave numpy's global generator, which shap seeds, as it was."""
    state = np.random.get_state()  # noqa: NPY002 - it is the global one that is kept
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
