"""The recommended models on 51 patients with soft-tissue sarcoma, run once after everything was frozen.

    python benchmarks/sarcoma.py --cohort ../shared/data/sts/cohort.csv --out results-sarcoma

Another disease and another tracer (FDG), PFS at 12 months, 20 x 3-fold. No published direction of neuroendocrine tumours is
used: `recommended_no_prior` is the recommended model with its prior off. Writes docs/sarcoma.csv and the table of
docs/hundred_patients.md. Interrupted, the same command continues.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators import compare_models, load_cohort
from prrt_estimators.estimators import BlockFusionPFSClassifier
from prrt_estimators.model_selection import recommended_models

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- sarcoma -->\n", "<!-- end of sarcoma -->")
MODELS = ("recommended_no_prior", "lesions found", "global PET", "clinical columns", "baseline_pet")


def models() -> dict[str, object]:
    """Return the recommended model without prior, each of its blocks alone, and the simple baseline."""
    found = recommended_models(tracer="FDG")
    alone = {"lesions found": "lesions", "global PET": "global_pet", "clinical columns": "labs"}
    found |= {name: BlockFusionPFSClassifier(blocks=(block,)) for name, block in alone.items()}
    return {name: found[name] for name in MODELS}


def with_table(text: str, table: pd.DataFrame) -> str:
    """Return the page with the table between its marks."""
    lines = ["| model | AUROC, mean and SD over repeats | 95 % interval over patients |", "|---|---|---|"]
    for row in table.itertuples(index=False):
        lines.append(
            f"| {row.model} | {row.auroc_mean:.3f} ± {row.auroc_sd:.3f} | {row.auroc_low:.2f} to {row.auroc_high:.2f} |"
        )
    before, rest = text.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1], 1)[1]


def main() -> None:
    """Run the comparison and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohort", type=Path, default=Path("../shared/data/sts/cohort.csv"))
    parser.add_argument("--out", type=Path, default=Path("results-sarcoma"))
    parser.add_argument("--docs", type=Path, default=DOCS)
    options = parser.parse_args()
    data = load_cohort(
        options.cohort, lab=["age", "sex", "grade"], time="pfs_months", event="progressed", verbose=False
    )
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=20, random_state=0)
    result = compare_models(models(), data.X, data.y, cv=cv, out=options.out, n_jobs=1)
    columns = ["model", "status", "learnt_from", "auroc_mean", "auroc_sd", "auroc_low", "auroc_high"]
    table = result.summary(reference=None).reset_index()[columns].round(3)
    table.to_csv(options.docs / "sarcoma.csv", index=False, lineterminator="\n")
    page = options.docs / "hundred_patients.md"
    page.write_text(with_table(page.read_text("utf-8"), table), "utf-8")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
