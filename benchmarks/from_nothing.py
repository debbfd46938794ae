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
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators import make_prrt_cohort
from prrt_estimators.preprocessing import LabPreprocessor

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- from nothing -->\n", "<!-- end of nothing -->")
SEEDS = range(10)
PATIENTS, NOISE_COLUMNS, CHOSEN, SEEDS_TRIED = 116, 2000, 20, 200
#: Where the epoch is chosen: folds, restarts, epochs of each; columns that a restart, or a lucky model, looks at.
EPOCH_FOLDS, RESTARTS, EPOCHS, COLUMNS = 10, 10, 40, 8
#: How much a person's values change between two visits, in standard deviations over persons.
CHANGE = 0.15

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
    """Of each fold the epoch, and the one of ten restarts, are reported that did best on the test patients."""
    best, last = [], []
    for train, test in StratifiedKFold(EPOCH_FOLDS, shuffle=True, random_state=0).split(y, y):
        scale = StandardScaler().fit(X[train])
        curves = []
        for _ in range(RESTARTS):
            columns = rng.permutation(X.shape[1])[:COLUMNS]
            inside, outside = (scale.transform(X[rows])[:, columns] for rows in (train, test))
            model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=2.0, alpha=1e-6, random_state=0)
            for _ in range(EPOCHS):
                model.partial_fit(inside, y[train], classes=[0, 1])
                curves.append(auroc(y[test], model.decision_function(outside)))
        best.append(max(curves))
        last.append(curves[EPOCHS - 1])  # the last epoch of the first restart, fixed before anything was seen
    return float(np.mean(best)), float(np.mean(last))


def auroc(y: np.ndarray, values: np.ndarray) -> float:
    """Return the AUROC by ranks, which is quicker than scikit-learn's for a dozen patients."""
    ranks, positive = rankdata(values)[y == 1], np.count_nonzero(y)
    return float((ranks.sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive)))


def one_split(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Pair:
    """One tenth of the patients is held out, once; of many seeds of split and columns the luckiest is reported."""
    scores = []
    for train, test in StratifiedShuffleSplit(SEEDS_TRIED, test_size=0.1, random_state=0).split(y, y):
        columns = rng.permutation(X.shape[1])[:COLUMNS]
        scores.append(score(linear(), X[:, columns], y, [(train, test)]))
    return max(scores), float(np.mean(scores))


def person_twice(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Pair:
    """Each person stands in the table twice, before and after a second course, and the folds do not know."""
    person = np.tile(np.arange(len(y)), 2)
    twice = np.vstack([X, X + CHANGE * rng.normal(size=X.shape) * X.std(axis=0)])
    both = np.tile(y, 2)
    forest = RandomForestClassifier(100, random_state=0)
    honest = StratifiedGroupKFold(3, shuffle=True, random_state=0).split(twice, both, person)
    return score(forest, twice, both, folds_of(both, 0)), score(forest, twice, both, list(honest))


WAYS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], Pair]] = {
    "an outcome column among the predictors": outcome_column,
    "columns chosen outside the fold": chosen_outside,
    "the best epoch and restart on the test fold": best_epoch,
    "the luckiest of many single splits": one_split,
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
