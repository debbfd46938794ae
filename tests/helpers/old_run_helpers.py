"""A finished comparison of the last version, and the patients and models that it was made of."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators.cohort import Cohort
from prrt_estimators.model_selection import paper_models

_PACKED = Path(__file__).parents[1] / "data" / "comparison_v1.json.xz"
NAMES = ("lab", "pet", "ct", "pet_lab", "pet_ct_lab", "pet_ct_lab_pretrained", "baseline_lab")
CV = {"n_splits": 2, "n_repeats": 2, "random_state": 0}


def unpack(folder: Path, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Write the results folder, but for some files; return all files as texts."""
    files: dict[str, str] = json.loads(lzma.decompress(_PACKED.read_bytes()))
    for name, text in files.items():
        if name not in without:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return files


def patients() -> tuple[Cohort, np.ndarray]:
    """Return the patients; whole numbers, so that every machine draws the same."""
    rng = np.random.default_rng(20)
    y = np.tile([0, 1, 1], 8)
    labs = pd.DataFrame(
        {
            "CgA [ug/L]": np.round(np.exp(rng.normal(5 - y, 1)), 1),
            "AST [U/L]": np.round(rng.normal(30 + 5 * y, 6)),
            "ALT [U/L]": np.round(rng.normal(30, 6)),
            "creatinine [mg/dL]": np.round(rng.normal(0.9, 0.1, 24), 2),
        }
    )
    labs.iloc[3, 1] = np.nan
    pet = rng.integers(0, 12, size=(24, 1, 16, 16, 16)).astype(np.float32)
    ct = rng.integers(-150, 150, size=(24, 1, 16, 16, 16)).astype(np.float32)
    survival = np.array([(True, 20.0 if one else 5.0) for one in y], dtype=[("event", bool), ("time", float)])
    return Cohort({"pet": pet, "ct": ct, "lab": labs}, ids=[f"P{k:02d}" for k in range(24)], survival=survival), y


def models() -> dict[str, Any]:
    """Return the models."""
    return paper_models(include=NAMES, max_epochs=1, size=16, spacing=8.0, batch_size=8, device="cpu")
