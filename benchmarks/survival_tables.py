"""The learner on real survival tables, against others on the same draws. Writes the table of docs/hundred_patients.md.

    python benchmarks/survival_tables.py --out results-tables

Fourteen tables that come with lifelines, scikit-survival and the R package survival. Of each, 58 and 116 patients are drawn
to train on (at most two thirds of the table), all others are the test; the outcome is survival beyond the median (Kaplan-Meier;
where survival stays above one half, or fewer than ten patients are known to live longer, the median time of those who died), and the
score the AUROC among the patients whose outcome is known. Needs scikit-survival (the extra "test"). If the run is interrupted, rerun
the command to resume.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lifelines
import lifelines.datasets as lifelines_tables
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators._io import atomic_write
from prrt_estimators.estimators import CoxPFSClassifier

SIZES, DRAWS, TREES = (58, 116), 20, 100
MARKS = ("<!-- survival tables -->\n", "<!-- end of tables -->")
DOCS = Path(__file__).resolve().parents[1] / "docs"
PBC = Path(__file__).resolve().parents[2] / "shared" / "data" / "tables" / "pbc.csv"
#: Known patients whom each class of a table must have; two with a long survival would make any AUROC.
MIN_CLASS = 10
#: Ridge strengths among which inner folds choose.
STRENGTHS = (5.0, 15.0, 50.0, 150.0, 500.0)
OURS, RIDGE = "this learner", "ridge Cox, strength by inner folds"

Table = tuple[pd.DataFrame, np.ndarray, np.ndarray]


def _own(name: str, time: str, event: str, drop: tuple[str, ...] = ()) -> Callable[[], Table]:
    def load() -> Table:
        frame = getattr(lifelines_tables, f"load_{name}")()
        X = frame.drop(columns=[time, event, *drop])
        return X, frame[time].to_numpy(float), frame[event].to_numpy(float) == 1

    return load


def _sksurv(name: str, **options: Any) -> Callable[[], Table]:
    def load() -> Table:
        from sksurv import datasets

        X, y = getattr(datasets, f"load_{name}")(**options)
        event, time = y.dtype.names
        return X, y[time].astype(float), y[event].astype(bool)

    return load


def _lung() -> Table:
    frame = lifelines_tables.load_lung()
    status = frame["status"].to_numpy(float)
    return frame.drop(columns=["time", "status", "inst"]), frame["time"].to_numpy(float), status == status.max()


def _flchain() -> Table:
    X, time, event = _sksurv("flchain")()
    return X.drop(columns="chapter"), time, event  # the cause of death is known only for the dead


def _pbc() -> Table:
    frame = pd.read_csv(PBC)
    X = frame.drop(columns=[name for name in ("rownames", "id", "time", "status", "Unnamed: 0") if name in frame])
    return X, frame["time"].to_numpy(float), frame["status"].to_numpy() == 2


TABLES: dict[str, Callable[[], Table]] = {
    "lung": _lung,
    "larynx": _own("larynx", "time", "death"),
    "recidivism": _own("rossi", "week", "arrest"),
    "kidney transplant": _own("kidney_transplant", "time", "death"),
    "simulated regression": _own("regression_dataset", "T", "E"),
    "leaders of governments": _own(
        "dd", "duration", "observed", drop=("ctryname", "cowcode2", "politycode", "ehead", "leaderspellreg")
    ),
    "breast cancer, hormones": _sksurv("gbsg2"),
    "breast cancer, genes": _sksurv("breast_cancer"),
    "lung, veterans": _sksurv("veterans_lung_cancer"),
    "heart, Worcester": _sksurv("whas500"),
    "free light chains": _flchain,
    "AIDS trial": _sksurv("aids", endpoint="aids"),
    "graft against host": _sksurv("cgvhd"),
    "biliary cirrhosis": _pbc,
}


def numbers(X: pd.DataFrame) -> pd.DataFrame:
    """Return a table as numbers: text and categories as indicators, the first left out."""
    return pd.get_dummies(X, drop_first=True, dtype=float).astype(float)


def median_survival(time: np.ndarray, event: np.ndarray) -> float:
    """Return the Kaplan-Meier median; the median time of those who died where it leaves a class with next to nobody."""
    found = float(lifelines.KaplanMeierFitter().fit(time, event).median_survival_time_)
    classes = np.count_nonzero(time > found), np.count_nonzero((time <= found) & event)
    return found if min(classes) >= MIN_CLASS else float(np.median(time[event]))


def _survival_forest(
    X: pd.DataFrame, _: np.ndarray, time: np.ndarray, event: np.ndarray, T: pd.DataFrame
) -> np.ndarray:
    from sksurv.ensemble import RandomSurvivalForest
    from sksurv.util import Surv

    fill = SimpleImputer(keep_empty_features=True).fit(X)
    model = RandomSurvivalForest(TREES, min_samples_leaf=5, max_features="sqrt", random_state=0)
    return -model.fit(fill.transform(X), Surv.from_arrays(event, time)).predict(fill.transform(T))


def _lifelines(X: pd.DataFrame, _: np.ndarray, time: np.ndarray, event: np.ndarray, T: pd.DataFrame) -> np.ndarray:
    prepare = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()).fit(X)
    varies = prepare[-1].var_ > 0
    frame = lambda table: pd.DataFrame(prepare.transform(table)[:, varies])  # noqa: E731
    model = lifelines.CoxPHFitter(penalizer=0.1).fit(frame(X).assign(t=np.maximum(time, 1e-3), e=event), "t", "e")
    return -model.predict_log_partial_hazard(frame(T)).to_numpy()


def _inner_folds(X: pd.DataFrame, y: np.ndarray, time: np.ndarray, event: np.ndarray, T: pd.DataFrame) -> np.ndarray:
    """Choose the strength by the concordance in five inner folds."""
    gains = np.zeros(len(STRENGTHS))
    # The class has no part in what Cox regression learns; inner folds may hold one only, so that here it is another.
    half = (time > np.median(time)).astype(int)
    for train, test in KFold(5, shuffle=True, random_state=0).split(X):
        for k, strength in enumerate(STRENGTHS):
            model = _cox(X.iloc[train], half[train], time[train], event[train], strength=strength)
            gains[k] += _concordance(time[test], model.score_samples(X.iloc[test]), event[test])
    return _cox(X, y, time, event, strength=STRENGTHS[int(gains.argmax())]).score_samples(T)


def _concordance(time: np.ndarray, score: np.ndarray, event: np.ndarray) -> float:
    """Return Harrell's concordance, 0.5 where no pair can be compared."""
    try:
        return float(lifelines.utils.concordance_index(time, score, event))
    except ZeroDivisionError:
        return 0.5


def _cox(X: pd.DataFrame, y: np.ndarray, time: np.ndarray, event: np.ndarray, **options: Any) -> CoxPFSClassifier:
    return CoxPFSClassifier(**options).fit(X, y, time=time, event=event)


def _of_class(estimator: Any) -> Callable[..., np.ndarray]:
    def score(X: pd.DataFrame, y: np.ndarray, time: np.ndarray, event: np.ndarray, T: pd.DataFrame) -> np.ndarray:
        known = (time > score.horizon) | event  # type: ignore[attr-defined]
        model = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), estimator)
        return model.fit(X[known], y[known]).predict_proba(T)[:, 1]

    return score


MODELS: dict[str, Callable[..., np.ndarray]] = {
    OURS: lambda X, y, time, event, T: _cox(X, y, time, event).score_samples(T),
    RIDGE: _inner_folds,
    "Cox of lifelines, penalty 0.1": _lifelines,
    "logistic on the class": _of_class(LogisticRegression(max_iter=5000)),
    "random forest on the class": _of_class(RandomForestClassifier(TREES, min_samples_leaf=3, random_state=0)),
    "survival forest": _survival_forest,
}


def run_table(name: str) -> pd.DataFrame:
    """Return the AUROC of every model on every draw of one table."""
    X, time, event = TABLES[name]()
    fine = np.isfinite(time) & (time >= 0)
    X, time, event = numbers(X)[fine].reset_index(drop=True), time[fine], event[fine]
    horizon = median_survival(time, event)
    y, known = (time > horizon).astype(int), (time > horizon) | event
    rows = []
    for size in SIZES:
        if size > len(X) * 2 / 3:
            continue
        rng = np.random.default_rng([size, len(X)])
        for draw in range(DRAWS):
            order = rng.permutation(len(X))
            train, test = order[:size], order[size:]
            test = test[known[test]]
            alike = len(np.unique(y[train][known[train]])) < 2 or len(np.unique(y[test])) < 2
            if alike:
                continue
            for model, function in MODELS.items():
                function.horizon = horizon  # type: ignore[attr-defined]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    score = function(X.iloc[train], y[train], time[train], event[train], X.iloc[test])
                auroc = roc_auc_score(y[test], np.nan_to_num(score))
                rows.append((name, len(time), X.shape[1], size, draw, model, round(float(auroc), 4)))
        print(f"{name}, {size} patients: done", flush=True)
    return pd.DataFrame(rows, columns=["table", "patients", "columns", "n", "draw", "model", "auroc"])


def summary(draws: pd.DataFrame) -> pd.DataFrame:
    """Return mean AUROC by table, size and model, with the difference to this learner."""
    means = draws.groupby(["table", "patients", "columns", "n", "model"], sort=False)["auroc"].mean().unstack("model")
    means = means[list(MODELS)]
    rows = means.round(3).reset_index()
    return rows.rename_axis(columns=None)


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over tables of each model, and of its difference to this learner with the SE over tables."""
    rows = []
    for size, part in table.groupby("n"):
        for model in MODELS:
            gap = part[model] - part[OURS]
            se = gap.std(ddof=1) / np.sqrt(len(gap))
            rows.append((size, len(part), model, part[model].mean(), gap.mean(), se, int((gap > 0).sum())))
    columns = ["n", "tables", "model", "mean_auroc", "difference", "se", "tables_where_better"]
    return pd.DataFrame(rows, columns=columns).round(4)


def with_tables(text: str, total: pd.DataFrame, table: pd.DataFrame) -> str:
    """Return the page with both tables between its marks."""
    lines = [
        "| n | tables | model | mean AUROC | difference (SE over tables) | tables where it is better |",
        "|---" * 6 + "|",
    ]
    for row in total.itertuples(index=False):
        gap = "" if row.model == OURS else f"{row.difference:+.3f} ({row.se:.3f})"
        better = "" if row.model == OURS else row.tables_where_better
        lines.append(f"| {row.n} | {row.tables} | {row.model} | {row.mean_auroc:.3f} | {gap} | {better} |")
    names = list(MODELS)
    lines += ["", "| table | patients | columns | n | " + " | ".join(names) + " |", "|---" * (4 + len(names)) + "|"]
    for one in table.to_dict("records"):
        cells = " | ".join(f"{one[name]:.3f}" for name in names)
        lines.append(f"| {one['table']} | {one['patients']} | {one['columns']} | {one['n']} | {cells} |")
    before, rest = text.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1], 1)[1]


def main() -> None:
    """Run the tables that are not finished; write the summary of those that are after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-tables"))
    parser.add_argument("--docs", type=Path, default=DOCS)
    parser.add_argument("--finished", action="store_true", help="run nothing, write what is finished")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts = []
    for name in TABLES:
        target = options.out / f"{name.replace(' ', '_').replace(',', '')}.csv"
        if not target.exists():
            if options.finished:
                continue
            found = run_table(name)
            with atomic_write(target) as temporary:
                found.to_csv(temporary, index=False)
        parts.append(pd.read_csv(target))
        write(pd.concat(parts, ignore_index=True), options.docs)


def write(draws: pd.DataFrame, docs: Path) -> None:
    """Write both tables as CSV, and into the page."""
    table = summary(draws)
    total = overall(table)
    table.to_csv(docs / "survival_tables.csv", index=False, lineterminator="\n")
    total.to_csv(docs / "survival_tables_overall.csv", index=False, lineterminator="\n")
    page = docs / "hundred_patients.md"
    page.write_text(with_tables(page.read_text("utf-8"), total, table), "utf-8")
    print(total.to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
