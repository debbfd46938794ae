"""How often a comparison opens a scan: once ever."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from safetensors.torch import save_file
from sklearn.model_selection import StratifiedKFold

from prrt_estimators import compare_models, paper_models
from prrt_estimators.networks import build_encoder

OPENED: Counter[str] = Counter()


def _audit(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].endswith(".nii.gz"):
        OPENED[arguments[0]] += 1


sys.addaudithook(_audit)


@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.MarkersMissingWarning")
def test_six_models_and_two_folds_open_each_scan_once_and_a_second_run_none(nifti_cohort, tmp_path):
    X, y = nifti_cohort(12)
    weights = tmp_path / "ct.safetensors"
    save_file(build_encoder("compact", None, (6, 6, 6)).network.state_dict(), weights)
    models = paper_models(weights={"ct": weights}, max_epochs=1, size=6, spacing=8.0, device="cpu")
    # The others read the same scans in the same way.
    models = {
        name: models[name] for name in ("pet", "ct", "pet_ct", "pet_ct_lab", "pet_ct_lab_pretrained", "baseline_pet")
    }
    cv = StratifiedKFold(n_splits=2, shuffle=True, random_state=0)
    OPENED.clear()
    first = compare_models(models, X, y, cv=cv, out=tmp_path / "first", n_jobs=1, verbose=0)
    assert set(first.status["status"]) == {"ok"}
    assert len(first.scores) == 6 * 2
    # Files of one size are read once more, to find one scan under two names.
    sizes = Counter(Path(path).stat().st_size for path in (*X["pet"].paths, *X["ct"].paths))
    alike = {path for path in (*X["pet"].paths, *X["ct"].paths) if sizes[Path(path).stat().st_size] > 1}
    assert OPENED - Counter(alike) <= Counter([*X["pet"].paths, *X["ct"].paths]) <= OPENED
    OPENED.clear()
    second = compare_models(models, X, y, cv=cv, out=tmp_path / "second", n_jobs=1, verbose=0)
    assert Counter(alike) >= OPENED
    assert second.predictions.equals(first.predictions)
