"""What each model reaches on a hundred synthetic patients. Writes docs/hundred_patients.csv and the table of the page.

    python benchmarks/hundred_patients_features.py --out results-hundred
    python benchmarks/hundred_patients.py --out results-hundred

Cohorts whose seeds played no part in any choice; 3 x 3-fold, everything learnt inside the training rows, no mask unless said.
The first command finds the lesions, once; the second trains on what is stored so far, a file per cohort and setting, and
continues where it stopped. The study's networks (hundred_patients_networks.py) and a forest on radiomics features
(hundred_patients_radiomics.py) join the table where they have run.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hundred_patients_features import SETTINGS, Setting, file_of
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from prrt_estimators import Cohort, LabBaselineClassifier, LabPFSClassifier, make_prrt_cohort
from prrt_estimators._fit_times import fit_times
from prrt_estimators._io import atomic_write
from prrt_estimators.estimators import BlockFusionPFSClassifier, published_directions
from prrt_estimators.metrics import calibration_intercept_slope
from prrt_estimators.preprocessing import LabPanels

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- hundred patients -->\n", "<!-- end -->")
TRACER = "68Ga-DOTATOC"
FIRST = "recommended"
COLUMNS = ["case", "seed", "patients", "model", "auroc", "slope", "intercept"]
#: Folder with results of the same form, a file per cohort: hundred_patients_networks.py, hundred_patients_radiomics.py.
OTHERS = "others"
_BY_NAME = {one.name: one for one in SETTINGS}


@dataclass(frozen=True)
class Case:
    """One row block of the table: cohorts by their stored features, and what is done with them."""

    name: str
    features: str
    options: dict[str, Any]
    models: Callable[[dict[str, pd.DataFrame]], dict[str, Any]]
    splits: str = "folds"
    lack: str = ""


class Stored(TransformerMixin, BaseEstimator):
    """Numbers of scans that were stored, by patient id."""

    def __init__(self, table: pd.DataFrame):
        self.table = table

    def fit(self, X: Any, y: Any = None) -> Stored:
        """Do nothing."""
        return self

    def transform(self, X: Cohort) -> pd.DataFrame:
        """Return the rows of these patients."""
        return self.table.loc[X.ids].reset_index(drop=True)


def blocks_model(lesions: pd.DataFrame | None, labs: bool = True, prior: Any = "published") -> BlockFusionPFSClassifier:
    """Return the recommended model on stored numbers of lesions."""
    blocks: dict[str, Any] = {} if lesions is None else {"lesions": Stored(lesions)}
    blocks |= {"labs": LabPanels()} if labs else {}
    return BlockFusionPFSClassifier(blocks=blocks, prior=prior, tracer=TRACER)


def turned(share: float, seed: int = 0) -> pd.DataFrame:
    """Return the published directions with a share of them wrong."""
    table = published_directions()
    wrong = np.random.default_rng(seed).permutation(len(table)) < round(share * len(table))
    return table.assign(direction=table["direction"].where(~wrong, -table["direction"]))


class OfClass(BaseEstimator):
    """The same model without times."""

    _estimator_type = "classifier"

    def __init__(self, model: Any):
        self.model = model

    def fit(self, X: Any, y: Any) -> OfClass:
        """Learn from the class alone."""
        self.fitted_ = clone(self.model).fit(X, y)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities."""
        return self.fitted_.predict_proba(X)


def main_models(data: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the models of the main table by name."""
    found, whole = data["found"], data["global"]
    models = {
        FIRST: blocks_model(found),
        "recommended, no prior": blocks_model(found, prior=None),
        "recommended, class in place of time": OfClass(blocks_model(found)),
        "lesions alone": blocks_model(found, labs=False),
        "labs alone": blocks_model(None),
        "late fusion by ranks": blocks_model(found).set_params(fusion="late", random_state=0),
        "study: forest on labs": LabPFSClassifier(random_state=0),
        "baseline: labs": LabBaselineClassifier(),
        "baseline: global PET": make_pipeline(
            Stored(whole), FunctionTransformer(np.log1p), SimpleImputer(), StandardScaler(),
            LogisticRegression(C=0.03, class_weight="balanced", max_iter=2000),
        ),
        "true factors + labs": blocks_model(data["factors"], prior=None),
    }  # fmt: skip
    if "given" in data:
        models["given masks of PET and of CT + labs"] = blocks_model(data["given"])
    return models


def key_models(data: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the recommended model with and without prior."""
    return {FIRST: blocks_model(data["found"]), "recommended, no prior": blocks_model(data["found"], prior=None)}


def sign_models(data: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the recommended model with directions none, a third and all of which are wrong."""
    models = {FIRST: blocks_model(data["found"])}
    for seed in range(3):
        models[f"a third of the directions turned, draw {seed}"] = blocks_model(
            data["found"], prior=turned(1 / 3, seed)
        )
    models["all directions turned"] = blocks_model(data["found"], prior=turned(1.0))
    return models


CASES = (
    Case("n = 116", "n116", {}, main_models),
    Case("n = 400", "n400", {}, main_models),
    Case("no signal", "n116", {"signal": 0.0}, key_models),
    Case("30 % censored", "n116", {"censoring": 0.3}, key_models),
    Case("wrong directions", "n116", {}, sign_models),
    Case("a third lacks PET", "n116", {}, key_models, lack="pet"),
    Case("a third lacks CT", "n116", {}, key_models, lack="ct"),
    Case("a third lacks labs", "n116", {}, key_models, lack="lab"),
    Case("six centres", "centres", {}, key_models),
    Case("one centre left out", "centres", {}, key_models, splits="centres"),
    Case("scanner never seen", "unseen", {}, key_models),
    Case("volumes of 48 x 48 x 48", "default", {}, key_models),
    Case("volumes of 28 x 21 x 38", "coarse", {}, key_models),
)


def patients(case: Case, setting: Setting, seed: int) -> Any:
    """Return the cohort without scans: labs, times and truth do not depend on them."""
    options = {**setting.options, **case.options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # patients of unknown class are left out below
        return make_prrt_cohort(setting.patients, volumes=False, random_state=seed, **options)


def numbers(out: Path, case: Case, seed: int, factors: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the stored tables of one cohort: found, given, global, and the factors that scans show."""
    table = pd.read_csv(file_of(out, _BY_NAME[case.features], seed), index_col="patient_id", dtype={"patient_id": str})
    parts = {
        name: table.filter(like=f"{name}__").rename(columns=lambda c: c.partition("__")[2])
        for name in ("found", "given", "global")
    }
    burden, hidden = factors["burden"], factors["discordance"]
    share = 0.45
    shown = pd.DataFrame({"avid": np.sqrt(1 - share**2) * burden - share * hidden, "hidden": hidden})
    for name in ("expression", "heterogeneity", "dedifferentiation", "steatosis", "muscle"):
        shown[name] = factors[name]
    return {name: part for name, part in parts.items() if part.shape[1]} | {"factors": shown}


def without_scans(out: Path, case: Case, seed: int, found: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers with a third of the patients as if they lacked a scan."""
    file = file_of(out, _BY_NAME[f"no_{case.lack}"], seed)
    table = pd.read_csv(file, index_col="patient_id", dtype={"patient_id": str}).filter(like="found__")
    less = table.rename(columns=lambda c: c.partition("__")[2])
    kept = np.broadcast_to(~_third(len(found), seed)[:, None], found.shape)
    return found.where(kept, less.loc[found.index].reindex(columns=found.columns))


def _third(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 3]).random(n) < 1 / 3


def run_case(out: Path, case: Case, seed: int) -> pd.DataFrame:
    """Return AUROC, calibration and seconds of each model on one cohort."""
    cohort = patients(case, _BY_NAME[case.features], seed)
    data = numbers(out, case, seed, cohort.truth.factors)
    lab = cohort.X["lab"]
    if case.lack in ("pet", "ct"):
        data["found"] = without_scans(out, case, seed, data["found"])
    elif case.lack == "lab":
        lab = lab.mask(pd.Series(_third(len(lab), seed), index=lab.index), axis=0)
    known = cohort.y >= 0
    X = Cohort({"lab": lab}, ids=cohort.X.ids, survival=cohort.X.survival)[known]
    y = cohort.y[known]
    folds = list(splits(case, cohort.patients["centre"].to_numpy()[known], y))
    by_size = case.splits == "centres"
    rows = [
        (case.name, seed, len(y), name, *score(one, X, y, folds, by_size)) for name, one in case.models(data).items()
    ]
    if case.models is main_models:
        best = float(cohort.truth.attainable.loc["pet_ct_lab", "auroc"])
        rows.append((case.name, seed, len(y), "attainable", best, np.nan, np.nan))
    return pd.DataFrame(rows, columns=COLUMNS).round(5)


def score(
    model: Any, X: Cohort, y: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]], by_size: bool = False
) -> tuple[float, float, float]:
    """Return the mean AUROC over folds, weighted by their size or not, and slope and intercept of calibration."""
    scores, kept = [], []
    for train, test in folds:
        fitted = clone(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted.fit(X[train], y[train], **fit_times(fitted, X[train], y[train]))
        long = fitted.predict_proba(X[test])[:, 1]
        if len(np.unique(y[test])) == 2:
            scores.append((roc_auc_score(y[test], long), len(test)))
        kept.append((y[test], long))
    line = calibration_intercept_slope(*map(np.concatenate, zip(*kept, strict=True)))
    weights = [size for _, size in scores] if by_size else None
    auroc = float(np.average([one for one, _ in scores], weights=weights))
    return auroc, line.slope, line.intercept


def splits(case: Case, centre: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield training and test rows."""
    if case.splits == "centres":
        for one in np.unique(centre):
            yield np.flatnonzero(centre != one), np.flatnonzero(centre == one)
    else:
        yield from RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0).split(y, y)


def others(out: Path, case: Case, seed: int) -> list[Path]:
    """Return the files with what other commands measured on one cohort."""
    return sorted((out / OTHERS).glob(f"*_{seed}.csv")) if case.models is main_models else []


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return mean AUROC over cohorts with its SE, the paired difference to the recommended model, and calibration."""
    rows = []
    for case, part in results.groupby("case", sort=False):
        wide = part.pivot(index="seed", columns="model", values="auroc")
        for model, own in part.groupby("model", sort=False):
            n = len(own)
            gap = (wide[model] - wide[FIRST]).dropna().to_numpy()  # on the cohorts that this model has seen
            se = lambda values: float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan  # noqa: E731
            rows.append(
                (
                    case,
                    model,
                    n,
                    own["auroc"].mean(),
                    se(own["auroc"]),
                    gap.mean(),
                    se(gap),
                    own["slope"].mean(),
                    own["intercept"].mean(),
                )
            )
    columns = ["case", "model", "cohorts", "auroc", "se", "difference", "difference_se", "slope", "intercept"]
    return pd.DataFrame(rows, columns=columns).round(3)


def with_table(text: str, table: pd.DataFrame) -> str:
    """Return the page with the table between its marks."""
    lines = ["| case | model | cohorts | AUROC (SE) | difference (SE) | slope | intercept |", "|---" * 7 + "|"]
    for row in table.itertuples(index=False):
        gap = "" if row.model == FIRST else _cell(row.difference, row.difference_se, "+.3f")
        line = ("", "") if np.isnan(row.slope) else (f"{row.slope:.2f}", f"{row.intercept:+.2f}")
        lines.append(
            f"| {row.case} | {row.model} | {row.cohorts} | {_cell(row.auroc, row.se)} | {gap} | {line[0]} | {line[1]} |"
        )
    before, rest = text.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1], 1)[1]


def _cell(value: float, se: float, form: str = ".3f") -> str:
    return format(value, form) + ("" if np.isnan(se) else f" ({se:.3f})")


def main() -> None:
    """Run the cohorts whose numbers are stored and that are not finished, then write table and page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-hundred"))
    parser.add_argument("--docs", type=Path, default=DOCS)
    parser.add_argument("--finished", action="store_true", help="run nothing, write what is finished")
    options = parser.parse_args()
    (options.out / "cases").mkdir(parents=True, exist_ok=True)
    parts = []
    for case in CASES:
        for seed in _BY_NAME[case.features].seeds:
            needed = [case.features, *([f"no_{case.lack}"] if case.lack in ("pet", "ct") else [])]
            if not all(file_of(options.out, _BY_NAME[name], seed).exists() for name in needed):
                continue
            target = options.out / "cases" / f"{case.name.replace(' ', '_')}_{seed}.csv"
            if not target.exists():
                if options.finished:
                    continue
                found = run_case(options.out, case, seed)
                with atomic_write(target) as temporary:
                    found.to_csv(temporary, index=False)
                print(f"{case.name}, {seed}: {found['auroc'].iloc[0]:.3f}", flush=True)
            parts.append(pd.read_csv(target))
            parts += [pd.read_csv(file) for file in others(options.out, case, seed)]
    if not parts:
        raise SystemExit(f"no numbers of lesions in {options.out}; run benchmarks/hundred_patients_features.py first.")
    table = summary(pd.concat(parts, ignore_index=True))
    table.to_csv(options.docs / "hundred_patients.csv", index=False, lineterminator="\n")
    page = options.docs / "hundred_patients.md"
    page.write_text(with_table(page.read_text("utf-8"), table), "utf-8")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
