"""Do the intervals of a comparison cover what they should, and do its tests keep their level?

    python benchmarks/coverage.py --out docs/coverage.csv --page docs/guide/validation.md

Cohorts of known truth are drawn by the hundred, each is cross-validated as a comparison does it (10 repeats, stratified
folds), and the corrected interval (`score_interval`) is compared with the expected score of a model trained on the training
share: the mean over all cohorts. One row of the table is one situation; rows that the file holds are not calculated again,
so the command can be interrupted and rerun; rows that are no longer asked for, as of other numbers of cohorts, are dropped.
Logistic models of all folds of many cohorts are fitted at once: about 15 minutes on one core, and another 30 for the two rows
of a forest.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.ensemble import RandomForestClassifier

from prrt_estimators.metrics import SCORES
from prrt_estimators.metrics._score import chance_by_score, factor
from prrt_estimators.model_selection import holm, score_interval
from prrt_estimators.model_selection._fold_correction import correction_of

_SHORT, _FEATURES, _REPEATS, _BATCH = 0.36, 5, 10, 50
_NAMES = ("auroc", "auprc", "auprc_short", "neg_brier")


@dataclass(frozen=True)
class Situation:
    """One row of the table."""

    learner: str
    auroc: float  # that of the best possible model
    n: int
    folds: int
    cohorts: int
    rows: str = "one per person"

    @property
    def seed(self) -> int:
        return zlib.crc32(repr(self).encode())


def situations(scale: float) -> list[Situation]:
    """Return every row, those that the documentation leans on first."""
    most, many, some = (max(8, round(scale * number)) for number in (2000, 1000, 500))
    rows = [Situation("logistic", auroc, 116, 3, many) for auroc in (0.5, 0.6, 0.7)]
    rows += [Situation("logistic", auroc, n, 3, some) for n in (50, 400) for auroc in (0.5, 0.6, 0.7)]
    rows += [
        Situation("logistic", auroc, n, folds, some)
        for folds in (5, 10)
        for n in (50, 116, 400)
        for auroc in (0.5, 0.6, 0.7)
    ]
    rows += [Situation("best of 200 columns", auroc, 116, folds, some) for folds in (3, 5) for auroc in (0.5, 0.7)]
    rows += [Situation("late fusion", auroc, 116, 3, some) for auroc in (0.5, 0.7)]
    rows += [Situation("logistic", auroc, 116, 3, many, "two per person, grouped") for auroc in (0.5, 0.7)]
    rows += [Situation("logistic", auroc, 116, 3, some, "weighted") for auroc in (0.5, 0.7)]
    rows += [Situation("forest", auroc, 116, 3, some) for auroc in (0.5, 0.7)]
    # 98.6 of the 500 cohorts of this row above covered the AUPRC of short PFS, the only cell over 98.5
    return [*rows, Situation("logistic", 0.6, 400, 10, most)]


def splits(y: np.ndarray, folds: int, group: np.ndarray | None, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the rows of each test part: stratified folds of persons, ten times."""
    person = np.arange(len(y)) if group is None else group
    first = np.unique(person, return_index=True)[1]
    for _ in range(_REPEATS):
        number = np.empty(len(first), dtype=int)
        for label in (0, 1):
            own = np.flatnonzero(y[first] == label)
            number[rng.permutation(own)] = np.arange(len(own)) % folds
        for fold in range(folds):
            yield np.flatnonzero(number[person] == fold)


def draw(one: Situation, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return X of a batch of cohorts (cohorts, n, columns), y (the same for all) and the persons."""
    group = np.arange(one.n) // 2 if one.rows.startswith("two") else None
    persons = one.n if group is None else one.n // 2
    y = (np.arange(persons) >= round(_SHORT * persons)).astype(int)
    X = rng.normal(size=(_BATCH, persons, width))
    informative = 4 if one.learner.startswith("best") else _FEATURES
    shift = np.sqrt(2 / informative) * norm.ppf(one.auroc)
    blocks = range(0, width, width if one.learner.startswith("best") else _FEATURES)
    for start in blocks:
        X[:, :, start : start + informative] += shift * y[:, None]
    if group is not None:  # two courses of one person are alike, not the same
        own = rng.normal(size=(_BATCH, one.n, width))
        X, y = np.sqrt(0.7) * X[:, group] + np.sqrt(0.3) * own, y[group]
    return X, y, group


def logistic(X: np.ndarray, y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Probabilities of every row by a ridge logistic model of each fold: (cohorts, folds, n). Newton's method."""
    n_cohorts, n, _ = X.shape
    X1 = np.concatenate([X, np.ones((n_cohorts, n, 1))], axis=2)
    d = X1.shape[2]
    products = (X1[:, :, :, None] * X1[:, :, None, :]).reshape(n_cohorts, n, d * d)
    ridge = np.diag([1.0] * (d - 1) + [1e-6])
    coef = np.zeros((n_cohorts, len(train), d))
    for _ in range(6):
        p = 1 / (1 + np.exp(-coef @ X1.transpose(0, 2, 1)))
        slope = ((y - p) * train) @ X1 - coef @ ridge
        bend = ((p * (1 - p) * train) @ products).reshape(n_cohorts, len(train), d, d) + ridge
        coef = coef + np.linalg.solve(bend, slope[..., None])[..., 0]
    return 1 / (1 + np.exp(-coef @ X1.transpose(0, 2, 1)))


def best_column(X: np.ndarray, y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Probabilities by the column that separates the training rows best, a choice that hardly survives a new cohort."""
    answers = np.empty((len(X), len(train), X.shape[1]))
    for k, rows in enumerate(train.astype(bool)):
        apart = X[:, rows & (y == 1)].mean(axis=1) - X[:, rows & (y == 0)].mean(axis=1)
        column = np.abs(apart).argmax(axis=1)
        value = np.take_along_axis(X, column[:, None, None], axis=2)[..., 0]
        sign = np.sign(np.take_along_axis(apart, column[:, None], axis=1))
        answers[:, k] = 1 / (1 + np.exp(-sign * value))
    return answers


def forest(X: np.ndarray, y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Probabilities by a small forest."""
    answers = np.empty((len(X), len(train), X.shape[1]))
    for b, table in enumerate(X):
        for k, rows in enumerate(train.astype(bool)):
            model = RandomForestClassifier(20, min_samples_leaf=3, random_state=0).fit(table[rows], y[rows])
            answers[b, k] = model.predict_proba(table)[:, 1]
    return answers


def late_fusion(X: np.ndarray, y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Mean of the probabilities of two logistic models of a block of columns each."""
    return (logistic(X[..., :_FEATURES], y, train) + logistic(X[..., _FEATURES:], y, train)) / 2


def scores_of(
    p: np.ndarray, y: np.ndarray, tests: list[np.ndarray], weight: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Fold scores by name, each (cohorts, folds)."""
    found = {name: np.empty(p.shape[:2]) for name in _NAMES}
    for k, test in enumerate(tests):
        short, long = test[y[test] == 0], test[y[test] == 1]
        for name in _NAMES:
            if weight is None:
                values = SCORES[name].at_once(p[:, k, short], p[:, k, long])  # type: ignore[misc]
            else:
                values = [SCORES[name].function(y[test], one, weight[test]) for one in p[:, k, test]]
            found[name][:, k] = factor(name) * np.asarray(values)
    return found


def run(one: Situation) -> dict[str, object]:
    """Calculate one row."""
    rng = np.random.default_rng(one.seed)
    ten = one.learner == "logistic" and one.auroc == 0.5 and one.rows == "one per person" and one.n < 400
    n_models = 10 if ten else 1 if one.learner == "forest" else 2
    fit = {"logistic": logistic, "forest": forest, "late fusion": late_fusion}.get(one.learner, best_column)
    width = {"late fusion": 2 * _FEATURES, "best of 200 columns": 200}.get(one.learner, _FEATURES)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in _NAMES}
    chance: dict[str, float] = {}
    while sum(len(part) for part in parts["auroc"]) < one.cohorts:
        X, y, group = draw(one, width * n_models, rng)
        X = X[: one.cohorts - sum(len(part) for part in parts["auroc"])]
        tests = list(splits(y, one.folds, group, rng))
        train = np.array([~np.isin(np.arange(one.n), test) for test in tests], dtype=float)
        weight = rng.choice([1.0, 1.5, 2.5], size=one.n) if one.rows == "weighted" else None
        by_fold = [chance_by_score(_NAMES, y[test], None if weight is None else weight[test]) for test in tests]
        chance = {name: float(np.mean([fold[name] for fold in by_fold])) for name in _NAMES}
        models = [fit(X[..., k * width : (k + 1) * width], y, train) for k in range(n_models)]
        scored = [scores_of(p, y, tests, weight) for p in models]
        for name in _NAMES:
            parts[name].append(np.stack([found[name] for found in scored], axis=1))
    scores = {name: np.concatenate(part) for name, part in parts.items()}  # (cohorts, models, folds)
    return asdict(one) | {"repeats": _REPEATS} | _judge(one, scores, chance)


def _judge(one: Situation, scores: dict[str, np.ndarray], chance: dict[str, float]) -> dict[str, object]:
    n_test = one.n / one.folds
    sizes: dict[str, Any] = {
        "n_test": n_test,
        "n_train": one.n - n_test,
        "repeat": np.repeat(np.arange(_REPEATS), one.folds),
    }
    row: dict[str, object] = {"expected AUROC": round(float(scores["auroc"].mean()), 3)}

    def covered(values: np.ndarray, truth: float, **options: Any) -> float:
        intervals = [score_interval(one_cohort, **sizes, **options) for one_cohort in values]
        return _percent(np.mean([found.low <= truth <= found.high for found in intervals]))

    for name in _NAMES:
        row[f"covers {SCORES[name].title}"] = covered(scores[name][:, 0], float(scores[name].mean()))
    factors = [correction_of(folds, sizes["repeat"], sizes["n_train"], n_test) for folds in scores["auroc"][:, 0]]
    row["median c"] = round(float(np.median(factors)), 2)
    row["covers AUROC with c = 1"] = covered(scores["auroc"][:, 0], float(scores["auroc"].mean()), correction=1.0)
    row["covers difference"] = row["finds a difference"] = row["any of ten better"] = ""
    if scores["auroc"].shape[1] > 1:
        apart = scores["auroc"][:, 0] - scores["auroc"][:, 1]
        row["covers difference"] = covered(apart, 0.0)
        row["finds a difference"] = _percent(np.mean([score_interval(d, **sizes).pvalue < 0.05 for d in apart]))
    if scores["auroc"].shape[1] == 10:
        better = []
        for cohort in scores["auroc"]:
            tests = [score_interval(folds, null=chance["auroc"], **sizes) for folds in cohort]
            found = holm([test.pvalue for test in tests]) < 0.05
            better.append(any(found & (np.array([test.mean for test in tests]) > chance["auroc"])))
        row["any of ten better"] = _percent(np.mean(better))
    return row


MARKS = ("<!-- coverage -->\n", "<!-- end -->")


def with_table(page: str, table: pd.DataFrame) -> str:
    """Return a page of the documentation with the table between its marks."""
    text = table.to_csv(index=False, lineterminator="\n")
    rows = [
        line.split(",") for line in text.replace('"', "").replace("person, grouped", "person and grouped").splitlines()
    ]
    lines = ["| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]]
    before, rest = page.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1], 1)[1]


def _percent(share: float) -> float:
    return round(100 * float(share), 1)


def main() -> None:
    """Calculate what the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("coverage.csv"))
    parser.add_argument("--scale", type=float, default=1.0, help="Part of the cohorts, e.g. 0.1 for a look.")
    parser.add_argument("--page", type=Path, help="Page of the documentation that holds the table.")
    options = parser.parse_args()
    keys = list(asdict(Situation("", 0.0, 0, 0, 0)))
    done = pd.read_csv(options.out, keep_default_na=False) if options.out.is_file() else pd.DataFrame(columns=keys)
    asked = {tuple(str(value) for value in asdict(one).values()): one for one in situations(options.scale)}
    written = [tuple(str(value) for value in row) for row in done[keys].to_numpy().tolist()]
    done = done[[row in asked for row in written]]
    for one in [situation for key, situation in asked.items() if key not in written]:
        row = pd.DataFrame([run(one)])
        done = row if done.empty else pd.concat([done, row], ignore_index=True)
        done.to_csv(options.out, index=False, lineterminator="\n")
        print(row.iloc[0].to_dict(), flush=True)
    if options.page is not None:
        options.page.write_text(with_table(options.page.read_text("utf-8"), done), "utf-8")


if __name__ == "__main__":
    main()
