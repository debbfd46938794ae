"""How much of the signal that is there does each model find? Writes the table of docs/synthetic.md.

    python benchmarks/attainable.py --out results-attainable

A synthetic cohort knows the best AUROC that any model seeing a modality could reach (`truth.attainable`). Every
configuration is cross-validated on cohorts of several sizes, and on ten whose scans and labs carry no signal at all:
one such cohort scatters by 0.07, so what is asked is whether the mean over cohorts is 0.5. The pretrained
configuration takes a CT encoder trained on other synthetic patients. A run that was interrupted goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from scipy import stats
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators import CTPFSClassifier, compare_models, make_prrt_cohort, paper_models
from prrt_estimators.model_selection import CONFIGURATIONS

#: name, patients, signal, seeds of the cohorts, repeats, configurations (None for all).
SETTINGS = (
    ("n = 116", 116, 1.0, (7,), 2, None),
    ("no signal", 116, 0.0, tuple(range(10)), 1, None),
    ("n = 400", 400, 1.0, (7,), 1, None),
    ("n = 1500", 1500, 1.0, (7,), 1, ("lab",)),
)
SHAPE = (32, 32, 32)
DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- attainable -->\n", "<!-- end -->")


def pretrained_ct(file: Path) -> Path:
    """Train a CT encoder on 300 synthetic patients of another seed, unless it is there."""
    if not file.exists():
        X, y = make_prrt_cohort(300, volume_shape=SHAPE, random_state=99, return_X_y=True)
        model = CTPFSClassifier(encoder="compact", max_epochs=15, random_state=0).fit(X, y)
        save_file(model.net_.module_.encoders["ct"].network.state_dict(), file)
    return file


def achieved(scores: Sequence[pd.Series]) -> tuple[float, float, float]:
    """Return mean AUROC and its 95 % interval: over patients of one cohort, or over cohorts (t) where there are more."""
    means = [float(score["auroc_mean"]) for score in scores]
    if len(scores) == 1:
        return means[0], float(scores[0]["auroc_ensemble_low"]), float(scores[0]["auroc_ensemble_high"])
    low, high = stats.t.interval(0.95, len(means) - 1, loc=np.mean(means), scale=stats.sem(means))
    return float(np.mean(means)), float(low), float(high)


def with_table(text: str, table: pd.DataFrame) -> str:
    """Return the page with the table between its marks: a row per configuration, a column per setting."""
    settings = list(dict.fromkeys(table["setting"]))
    lines = ["| configuration | attainable | " + " | ".join(settings) + " |", "|---" * (len(settings) + 2) + "|"]
    for model in CONFIGURATIONS:
        rows = table[table["model"] == model].set_index("setting")
        best = rows.loc[rows["attainable_auroc"] > 0.5, "attainable_auroc"].iloc[0]
        cells = [
            f"{rows.loc[name, 'achieved_auroc']:.3f} ({rows.loc[name, 'low']:.2f} to {rows.loc[name, 'high']:.2f})"
            if name in rows.index
            else "not run"
            for name in settings
        ]
        lines.append(f"| `{model}` | {best:.3f} | " + " | ".join(cells) + " |")
    before, rest = text.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1])[1]


def main() -> None:
    """Run all settings and write one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-attainable"))
    parser.add_argument("--table", type=Path, default=DOCS / "attainable.csv")
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count())
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    weights = pretrained_ct(options.out / "ct_encoder.safetensors")
    rows = []
    for name, n, signal, seeds, repeats, only in SETTINGS:
        begun = time.perf_counter()
        summaries = []
        for seed in seeds:
            data = make_prrt_cohort(n, volume_shape=SHAPE, signal=signal, volumes=only is None, random_state=seed)
            models = paper_models(weights={"ct": weights}, device="cpu", include=only or CONFIGURATIONS)
            cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=repeats, random_state=0)
            run = options.out / f"{name.replace(' ', '')}_{seed}"
            result = compare_models(models, data.X, data.y, cv=cv, out=run, n_jobs=options.jobs, verbose=1)
            summaries.append(result.summary(reference=None).reset_index().set_index("model"))
        for model in models:
            mean, low, high = achieved([summary.loc[model] for summary in summaries])
            rows.append(
                {
                    "setting": name,
                    "patients": n,
                    "cohorts": len(seeds),
                    "repeats": repeats,
                    "model": model,
                    "attainable_auroc": round(float(data.truth.attainable.loc[model, "auroc"]), 3),
                    "achieved_auroc": round(mean, 3),
                    "low": round(low, 3),
                    "high": round(high, 3),
                }
            )
        print(f"{name}: {time.perf_counter() - begun:.0f} s, torch {torch.__version__}", flush=True)
        pd.DataFrame(rows).to_csv(options.table, index=False)
    page = DOCS / "synthetic.md"
    page.write_text(with_table(page.read_text("utf-8"), pd.DataFrame(rows)), "utf-8")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
