"""How long the recommended models take on a cohort of 116. Writes docs/hundred_patients_time.csv and a table of the page.

    python benchmarks/hundred_patients_time.py

A synthetic cohort of 116 in NIfTI files is read and its lesions are found once, which is timed apart; then every recommended
model is cross-validated 10 x 3-fold by `compare_models`, on what the first step kept. Seconds are those of processor time in one
thread, so that other work on the machine does not count; on two idle cores half of them pass.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd
import torch
from hundred_patients_features import SHAPE
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators import compare_models, load_cohort
from prrt_estimators._io import atomic_write
from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.model_selection import recommended_models

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- time -->\n", "<!-- end of time -->")
TRACER = "68Ga-DOTATOC"
PATIENTS, FOLDS, REPEATS = 116, 3, 10


def measure(folder: Path, patients: int = PATIENTS, repeats: int = REPEATS) -> pd.DataFrame:
    """Return processor seconds of both steps."""
    torch.set_num_threads(1)
    file = make_cohort_folder(folder / "cohort", patients, volume_shape=SHAPE, random_state=1)
    X, y = load_cohort(file, return_X_y=True, verbose=False)
    models = recommended_models(tracer=TRACER, cache_dir=folder / "cache")
    begun = time.process_time()
    for name in (
        "recommended_lesions_labs",
        "baseline_pet",
    ):  # reads the scans, finds the lesions, measures the whole PET
        models[name].fit(X, y)
    first = time.process_time() - begun
    begun = time.process_time()
    cv = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=repeats, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare_models(models, X, y, cv=cv, n_jobs=1, threads=1, verbose=0)
    rest = time.process_time() - begun
    ran = len(result.summary(reference=None))
    rows = [
        ("first reading of the scans and finding of lesions", patients, first, first / patients),
        (f"{ran} recommended models, {repeats} x {FOLDS}-fold", patients, rest, rest / (ran * repeats * FOLDS)),
    ]
    columns = ["step", "patients", "processor_seconds", "per_patient_or_fit"]
    return pd.DataFrame(rows, columns=columns).round({"processor_seconds": 1, "per_patient_or_fit": 3})


def with_table(text: str, table: pd.DataFrame) -> str:
    """Return the page with the table between its marks."""
    lines = ["| step | patients | processor seconds | seconds per patient or fit |", "|---|---|---|---|"]
    for row in table.itertuples(index=False):
        lines.append(f"| {row.step} | {row.patients} | {row.processor_seconds:.1f} | {row.per_patient_or_fit:.3f} |")
    before, rest = text.split(MARKS[0])
    return before + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1], 1)[1]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=Path, default=DOCS)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), options.patients, options.repeats)
    print(table.to_string(index=False))
    if (options.patients, options.repeats) == (PATIENTS, REPEATS):
        with atomic_write(options.docs / "hundred_patients_time.csv") as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
        page = options.docs / "hundred_patients.md"
        page.write_text(with_table(page.read_text("utf-8"), table), "utf-8")


if __name__ == "__main__":
    main()
