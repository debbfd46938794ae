"""What does a pretrained CT branch add? Random, self-supervised and Astra weights, frozen and fine-tuned.

    python benchmarks/pretrained.py --out results-pretrained

On one synthetic cohort whose answer is known, the CT alone and the fusion of PET, CT and labs are cross-validated with
each kind of CT branch. The self-supervised encoder was pretrained without outcomes on the CTs of 300 other synthetic
patients. Writes docs/pretrained.csv and the table of docs/pretrained.md; a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import joblib
import pandas as pd
import torch
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators import CTPFSClassifier, CTPretrainer, FusionPFSClassifier, compare_models, make_prrt_cohort

SHAPE = (32, 32, 32)
DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Training a stage of a ResNet-152 takes minutes an epoch and fold on a CPU, so that it is shown once.
CT_ONLY = ("astra_last",)
MARKS = ("<!-- pretrained -->\n", "<!-- end -->")


def branches(own: Path, epochs: int) -> dict[str, tuple[str, dict]]:
    """Return the CT branches by name: what a reader sees, and the estimator's parameters."""
    few = {"max_epochs": epochs}
    return {
        "random": ("random, trained from scratch", {"encoder": "compact"}),
        "own_frozen": ("self-supervised, frozen", {"weights": str(own), "finetune": "frozen"}),
        "own_last": ("self-supervised, last stage trained", {"weights": str(own), "finetune": "last"}),
        "own_full": ("self-supervised, all trained", {"weights": str(own), "finetune": "full"}),
        "astra_frozen": ("Astra, frozen", {"weights": "astra", "finetune": "frozen"}),
        "astra_last": (
            f"Astra, last stage trained ({epochs} epoch{'s' if epochs > 1 else ''})",
            {"weights": "astra", "finetune": "last"} | few,
        ),
    }


def estimators(own: Path, epochs: int) -> dict[str, object]:
    """Return every CT branch on its own and in the fusion."""
    models: dict[str, object] = {}
    for name, (_, options) in branches(own, epochs).items():
        models[f"ct_{name}"] = CTPFSClassifier(device="cpu", precision="bfloat16", **options)
    for name, (_, options) in branches(own, epochs).items():
        if name in CT_ONLY:
            continue
        fused = {key: value if key in ("max_epochs", "encoder") else {"ct": value} for key, value in options.items()}
        # The PET branch is trained from scratch in all of them.
        fused["encoder"] = "compact"
        models[f"fusion_{name}"] = FusionPFSClassifier(device="cpu", precision="bfloat16", **fused)
    return models


def own_weights(file: Path) -> Path:
    """Pretrain a CT encoder on 300 synthetic patients of another seed, unless it is there."""
    if not file.exists():
        X = make_prrt_cohort(300, volume_shape=SHAPE, random_state=99).X
        CTPretrainer(random_state=0, device="cpu", verbose=1).fit(X).save(file)
    return file


def with_table(text: str, table: pd.DataFrame, labels: dict[str, str]) -> str:
    """Return the page with the table between its marks."""
    lines = ["| CT branch | CT alone | PET, CT and labs |", "|---|---|---|"]
    rows = table.set_index("model")
    for name, label in labels.items():
        cells = []
        for kind in ("ct", "fusion"):
            if f"{kind}_{name}" not in rows.index:
                cells.append("not run")
                continue
            row = rows.loc[f"{kind}_{name}"]
            cells.append(f"{row['auroc']:.3f} ({row['low']:.2f} to {row['high']:.2f})")
        lines.append(f"| {label} | {cells[0]} | {cells[1]} |")
    before, rest = text.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1])[1]


def main() -> None:
    """Compare all of them on the same splits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-pretrained"))
    parser.add_argument("--patients", type=int, default=116)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1, help="of fine-tuning Astra's last stage")
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count())
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    own = own_weights(options.out / "own_ct.safetensors")
    data = make_prrt_cohort(options.patients, volume_shape=SHAPE, random_state=7)
    begun = time.perf_counter()
    # The maps of the last stage bring the frozen vectors with them: prepared first, one pass serves both.
    CTPFSClassifier(weights="astra", finetune="last", device="cpu", precision="bfloat16").prepare(data.X, _tell)
    print(f"one pass of {options.patients} CTs through Astra: {time.perf_counter() - begun:.0f} s", flush=True)
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=options.repeats, random_state=0)
    result = compare_models(
        estimators(own, options.epochs), data.X, data.y, cv=cv, out=options.out / "run", n_jobs=options.jobs, verbose=1
    )
    summary = result.summary(reference=None).reset_index()
    table = pd.DataFrame(
        {
            "model": summary["model"],
            "patients": options.patients,
            "repeats": options.repeats,
            "auroc": summary["auroc_mean"].round(3),
            "low": summary["auroc_ensemble_low"].round(3),
            "high": summary["auroc_ensemble_high"].round(3),
        }
    )
    table.to_csv(DOCS / "pretrained.csv", index=False)
    labels = {name: label for name, (label, _) in branches(own, options.epochs).items()}
    page = DOCS / "pretrained.md"
    page.write_text(with_table(page.read_text("utf-8"), table, labels), "utf-8")
    print(table.to_string(index=False))
    print(
        f"attainable: CT {data.truth.attainable.loc['ct', 'auroc']:.3f}, "
        f"all three {data.truth.attainable.loc['pet_ct_lab', 'auroc']:.3f}; torch {torch.__version__}"
    )


def _tell(done: int, total: int) -> None:
    if done % 10 == 0 or done == total:
        print(f"{done} of {total} CTs", flush=True)


if __name__ == "__main__":
    main()
