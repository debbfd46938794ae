"""What models and loaders say about a file reaches no output of a comparison with its path."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from comparison_helpers import OnCohort
from sklearn.model_selection import StratifiedKFold

from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import CohortWarning, MissingModalityError
from prrt_estimators.model_selection import compare_models
from prrt_estimators.model_selection._digest import private_text
from prrt_estimators.report import write_report


class Talks(OnCohort):
    """Names the PET of the first patient wherever a model can say something."""

    def __init__(self, place=None, file=None, random_state=None):
        super().__init__(random_state=random_state)
        self.place = place
        self.file = file

    def prepare(self, X, progress=None):
        if self.place == "warns before":
            warnings.warn(f"slow to read: {X['pet'].paths[0]}", CohortWarning, stacklevel=2)
        if self.place == "skipped before":
            raise MissingModalityError(f"no CT beside {X['pet'].paths[0]}", modalities=["ct"])
        return self

    def fit(self, X, y, sample_weight=None):
        path = X["pet"].paths[0]
        if self.place == "warns":
            warnings.warn(f"dark: {path}", UserWarning, stacklevel=2)
        if self.place == "fails":
            raise ValueError(f"cannot read {path}")
        if self.place == "skipped":
            raise MissingModalityError(f"no CT beside {path}", modalities=["ct"])
        return super().fit(X, y, sample_weight)


PLACES = ["warns before", "skipped before", "warns", "fails", "skipped"]


@pytest.fixture
def private_cohort(nifti_cohort, tmp_path, monkeypatch):
    """Return a cohort whose scans lie in a home folder that bears a name."""
    X, y = nifti_cohort(12, (4, 4, 4))
    home = tmp_path / "home" / "Jane_Doe"
    home.mkdir(parents=True)
    moved = []
    for path in X["pet"].paths:
        moved.append(home / path.rpartition("/")[2])
        moved[-1].write_bytes((tmp_path / moved[-1].name).read_bytes())
    monkeypatch.setattr("pathlib.Path.home", lambda: home)
    return Cohort({"pet": moved, "lab": X["lab"][["cga"]]}, ids=X.ids), y, home


def read_all(folder):
    """Return every file of a folder as bytes, by name."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.filterwarnings("ignore")
def test_no_output_of_a_comparison_holds_the_path_of_a_scan(private_cohort, tmp_path):
    X, y, home = private_cohort
    out = tmp_path / "results"
    models = {"plain": OnCohort()} | {place: Talks(place, str(home / "weights.bin")) for place in PLACES}
    said = [f"{X['pet'].paths[1]} has odd slices"]
    found = compare_models(
        models, X, y, cv=StratifiedKFold(2), out=out, cohort_warnings=said, n_jobs=1, random_state=0, verbose=0
    )
    write_report(found, tmp_path / "report")
    texts = read_all(out) | read_all(tmp_path / "report")
    assert [name for name, content in texts.items() if b"Jane_Doe" in content] == []
    # Each remark is there and names the patient: else the law would hold of nothing.
    run, scan = json.loads(texts["run.json"]), "<pet of P"
    assert run["data"]["warnings"] == [f"<pet of {X.ids[1]}> has odd slices"]
    assert any(scan in text for text in run["warnings"])
    entries = {place: run["models"][place] for place in PLACES}
    assert {place for place, one in entries.items() if scan in one["reason"]} == {"skipped before", "fails", "skipped"}
    assert any(scan in text for text in entries["warns"]["warnings"])
    assert scan in entries["fails"]["traceback"]
    assert {one["parameters"]["file"] for one in entries.values()} == {"'~/weights.bin'"}
    assert len(texts["report.html"]) > 10_000


def test_masks_are_named_by_patient_too(tmp_path):
    masks = [tmp_path / "Doe" / "one.nii", tmp_path / "Doe" / "two.nii"]
    X = Cohort({"pet": np.ones((2, 1, 2, 2, 2))}, masks={"lesion": masks}, ids=["P1", "P2"])
    assert private_text(f"cannot read {masks[1]}", X) == "cannot read <lesion of P2>"
