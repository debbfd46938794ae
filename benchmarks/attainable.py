"""How much of the signal that is there does each model find? Writes the table of docs/synthetic.md.

    python benchmarks/attainable.py --out results-attainable

A synthetic cohort knows the best AUROC that any model seeing a modality could reach (`truth.attainable`). Every
configuration is cross-validated on cohorts of several sizes and on one whose scans and labs carry no signal at all.
The pretrained configuration takes a CT encoder trained on other synthetic patients. A run that was interrupted goes on
where it stopped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import joblib
import pandas as pd
import torch
from safetensors.torch import save_file
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators import CTPFSClassifier, compare_models, make_prrt_cohort, paper_models
from prrt_estimators.model_selection import CONFIGURATIONS

#: name, patients, signal, repeats, configurations (None for all).
SETTINGS = (
    ("n = 116", 116, 1.0, 2, None),
    ("no signal", 116, 0.0, 2, None),
    ("n = 400", 400, 1.0, 1, None),
    ("n = 1500", 1500, 1.0, 1, ("lab",)),
)
SHAPE = (32, 32, 32)
DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- attainable -->\n", "<!-- end -->")


def pretrained_ct(file: Path) -> Path:
    """Train a CT encoder on 300 synthetic patients of another seed, unless it is there."""
    if not file.exists():
        X, y = make_prrt_cohort(300, volume_shape=SHAPE, random_state=99, return_X_y=True)
        model = CTPFSClassifier(max_epochs=15, random_state=0).fit(X, y)
        save_file(model.net_.module_.encoders["ct"].network.state_dict(), file)
    return file


def with_table(text: str, table: pd.DataFrame) -> str:
    """Return the page with the table between its marks: a row a configuration, a column a setting."""
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
    for name, n, signal, repeats, only in SETTINGS:
        begun = time.perf_counter()
        data = make_prrt_cohort(n, volume_shape=SHAPE, signal=signal, volumes=only is None, random_state=7)
        models = paper_models(ct_weights=weights, device="cpu", include=only or CONFIGURATIONS)
        cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=repeats, random_state=0)
        result = compare_models(
            models, data.X, data.y, cv=cv, out=options.out / name.replace(" ", ""), n_jobs=options.jobs, verbose=1
        )
        summary = result.summary(reference=None).reset_index().set_index("model")
        for model in models:
            rows.append(
                {
                    "setting": name,
                    "patients": n,
                    "repeats": repeats,
                    "model": model,
                    "attainable_auroc": round(float(data.truth.attainable.loc[model, "auroc"]), 3),
                    "achieved_auroc": round(float(summary.loc[model, "auroc_mean"]), 3),
                    "low": round(float(summary.loc[model, "auroc_low"]), 3),
                    "high": round(float(summary.loc[model, "auroc_high"]), 3),
                }
            )
        print(f"{name}: {time.perf_counter() - begun:.0f} s, torch {torch.__version__}", flush=True)
        pd.DataFrame(rows).to_csv(options.table, index=False)
    page = DOCS / "synthetic.md"
    page.write_text(with_table(page.read_text("utf-8"), pd.DataFrame(rows)), "utf-8")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
