"""Five ways to get 0.80 from nothing. Writes docs/from_nothing.csv and the table of docs/hundred_patients.md.

    python benchmarks/from_nothing.py

The laboratory values of synthetic cohorts of 116, with the outcomes shuffled: nothing predicts them, and an honest AUROC is 0.5.
Each way is a mistake that is found in publications; beside it stands the same model without the mistake.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators import make_prrt_cohort
from prrt_estimators.preprocessing import LabPreprocessor

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- from nothing -->\n", "<!-- end of nothing -->")
SEEDS = range(10)
PATIENTS, NOISE_COLUMNS, CHOSEN, EPOCHS, SEEDS_TRIED = 116, 2000, 20, 100, 60

Pair = tuple[float, float]


def linear() -> LogisticRegression:
    """Return the model that most of them use."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))


def score(model: object, X: np.ndarray, y: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the mean AUROC over folds."""
    found = []
    for train, test in folds:
        fitted = clone(model).fit(X[train], y[train])
        found.append(roc_auc_score(y[test], fitted.predict_proba(X[test])[:, 1]))
    return float(np.mean(found))


def folds_of(y: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return three stratified folds."""
    return list(StratifiedKFold(3, shuffle=True, random_state=seed).split(y, y))


def outcome_column(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Pair:
    """Cycles of therapy received, known only afterwards, stand among the predictors."""
    cycles = np.where(y == 1, rng.integers(4, 7, len(y)), rng.integers(1, 5, len(y)))
    folds = folds_of(y, 0)
    return score(linear(), np.c_[X, cycles], y, folds), score(linear(), X, y, folds)


def chosen_outside(_: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Pair:
    """The best of many columns are chosen on all patients, before the folds are made."""
    many = rng.normal(size=(len(y), NOISE_COLUMNS))
    best = SelectKBest(f_classif, k=CHOSEN).fit(many, y)
    folds = folds_of(y, 0)
    inside = make_pipeline(SelectKBest(f_classif, k=CHOSEN), linear())
    return score(linear(), best.transform(many), y, folds), score(inside, many, y, folds)


def best_epoch(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Pair:
    """The epoch that is reported is the one that did best on the test fold."""
    best, last = [], []
    wide = np.c_[X, rng.normal(size=(len(y), 100))]
    for train, test in folds_of(y, 0):
        scale = StandardScaler().fit(wide[train])
        model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, alpha=1e-6, random_state=0)
        curve = []
        for _ in range(EPOCHS):
            model.partial_fit(scale.transform(wide[train]), y[train], classes=[0, 1])
            curve.append(roc_auc_score(y[test], model.decision_function(scale.transform(wide[test]))))
        best.append(max(curve))
        last.append(curve[-1])
    return float(np.mean(best)), float(np.mean(last))


def one_repeat(X: np.ndarray, y: np.ndarray, _: np.random.Generator) -> Pair:
    """Of many seeds of the splits and subsets of columns, the luckiest is reported, run once."""
    scores = []
    for seed in range(SEEDS_TRIED):
        columns = np.random.default_rng(seed).permutation(X.shape[1])[:8]
        scores.append(score(linear(), X[:, columns], y, folds_of(y, seed)))
    return max(scores), float(np.mean(scores))


def person_twice(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Pair:
    """Each person stands in the table twice, before and after a second course, and the folds do not know."""
    person = np.tile(np.arange(len(y)), 2)
    twice = np.vstack([X, X + 0.3 * rng.normal(size=X.shape) * X.std(axis=0)])
    both = np.tile(y, 2)
    forest = RandomForestClassifier(100, random_state=0)
    honest = StratifiedGroupKFold(3, shuffle=True, random_state=0).split(twice, both, person)
    return score(forest, twice, both, folds_of(both, 0)), score(forest, twice, both, list(honest))


WAYS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], Pair]] = {
    "an outcome column among the predictors": outcome_column,
    "columns chosen outside the fold": chosen_outside,
    "the best epoch on the test fold": best_epoch,
    "the luckiest of many single runs": one_repeat,
    "one person twice": person_twice,
}


def shuffled(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return laboratory values, and outcomes that have nothing to do with them."""
    cohort = make_prrt_cohort(PATIENTS, volumes=False, random_state=seed)
    rng = np.random.default_rng(seed)
    X = LabPreprocessor(indicators=False).fit_transform(cohort.X["lab"])
    return X, rng.permutation(cohort.y), rng


def measure(seeds: Sequence[int] = SEEDS) -> pd.DataFrame:
    """Return mean AUROC of each way, with the mistake and without it, over cohorts."""
    rows = []
    for name, way in WAYS.items():
        found = np.array([way(*shuffled(seed)) for seed in seeds])
        se = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        rows.append((name, len(found), *found.mean(axis=0), *se))
    columns = ["way", "cohorts", "with_the_mistake", "without", "se_with", "se_without"]
    return pd.DataFrame(rows, columns=columns).round(3)


def with_table(text: str, table: pd.DataFrame) -> str:
    """Return the page with the table between its marks."""
    lines = ["| way | AUROC with the mistake (SE) | the same without (SE) |", "|---|---|---|"]
    for row in table.itertuples(index=False):
        with_it, without = (
            f"{mean:.2f} ({se:.2f})"
            for mean, se in ((row.with_the_mistake, row.se_with), (row.without, row.se_without))
        )
        lines.append(f"| {row.way} | {with_it} | {without} |")
    before, rest = text.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1], 1)[1]


def main() -> None:
    """Run all five and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=Path, default=DOCS)
    options = parser.parse_args()
    table = measure()
    table.to_csv(options.docs / "from_nothing.csv", index=False, lineterminator="\n")
    page = options.docs / "hundred_patients.md"
    page.write_text(with_table(page.read_text("utf-8"), table), "utf-8")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
